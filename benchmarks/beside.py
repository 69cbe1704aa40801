"""What a model costs the loop: `python -m benchmarks.beside`, or `figures()` for `make bench`.

The model is the real client over HTTP against a stand-in. One that answers in 20 seconds must not
show in any minute; one that was recorded must not hold a replay up.
"""

import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter, sleep

from advisor import code_version
from advisor.bootstrap import RECORDINGS, ReplayOptions, advisers, make_lanes
from advisor.cycle import CycleDependencies, ask_if_due, dependencies, run_cycle
from advisor.demo import demo_market, demo_request
from advisor.lanes import Lane, TradingDay
from advisor.market import Market
from advisor.pacing import PacedClock
from advisor.replay import replay
from advisor.session import enter, trading_day
from advisor.settings import Settings
from benchmarks.figure import Figure
from tests.advisor.test_model_replay import answers
from tests.stand_ins.anthropic import anthropic_stand_in
from tests.stand_ins.server import StandIn
from tests.stand_ins.steps import Says
from tools.store.store import Store

ROUNDS = 7
SLOW_SECONDS = 20.0
MODEL = ReplayOptions(analyst="model", validation="model")
# Entries all day and no caps on their number, so that the session has its twenty validations.
BUSY = {
    "stdev": {"entry_until": 950.0},
    "risk": {"max_trades_per_day": 100, "max_trades_per_symbol": 100, "max_positions": 5},
}


def figures() -> list[Figure]:
    """All figures."""
    os.environ.setdefault("ANTHROPIC_API_KEY", "sk-bench")
    return [*_in_flight(), *_replayed()]


def _settings(url: str, folder: str, **more: object) -> Settings:
    spending = {"file": f"{folder}/spending.sqlite"}  # a benchmark spends nobody's budget
    told = {"llm": {"anthropic_base_url": url}, "spending": spending, **more}
    return Settings.model_validate(told)


def _in_flight() -> Iterator[Figure]:
    """Minutes, ledger on, while an analysis is under way, and the same with rules at once."""
    market = demo_market(demo_request(), Settings())
    slow = Says(text="", after=SLOW_SECONDS)
    quiet: list[float] = []
    waiting: list[float] = []
    with tempfile.TemporaryDirectory() as spent, anthropic_stand_in(lambda _: slow) as server:
        settings = _settings(server.url, spent)
        model = replace(MODEL, validation="off", llm="live")
        _minutes(market, settings, ReplayOptions(analyst="rules"), lambda: True)
        for number in range(1, ROUNDS + 1):
            quiet += _minutes(market, settings, ReplayOptions(analyst="rules"), lambda: True)
            waiting += _minutes(market, settings, model, partial(_has, server, number))
        asked = len(server.requests)
    assert asked == ROUNDS, f"{asked} questions: not one was in flight in each round"
    for name, sample in (("no analysis", quiet), ("an analysis", waiting)):
        yield Figure(f"a minute with {name} in flight, median", _median(sample), "ms", "-")
        yield Figure(f"a minute with {name} in flight, p99", _p99(sample), "ms", "-")
    yield Figure(
        "a minute with an analysis in flight to one without",
        _median(waiting) / _median(quiet), "×", "≤ 1.1",
    )  # fmt: skip


def _has(server: StandIn, number: int) -> bool:
    return len(server.requests) == number


def _minutes(
    market: Market, settings: Settings, options: ReplayOptions, in_flight: Callable[[], bool]
) -> list[float]:
    """Milliseconds of every minute of a session in the advised lane, one cycle a minute.

    The first question is on its way to the model, as it is seconds after it was put, before the
    first minute is taken.
    """
    clock = PacedClock(60.0)
    with (
        tempfile.TemporaryDirectory() as folder,
        Store.open(Path(folder) / "ledger.sqlite") as store,
        advisers(options, settings, Path(folder), store, "bench", clock=clock) as chosen,
    ):
        store.start_run(
            "bench", kind="replay", config_hash="", code_version=code_version(), config_json="{}"
        )
        lane = make_lanes(len(market.symbols), options, settings, chosen)[0]
        day = trading_day(market, market.sessions[0], settings)
        enter(lane, day, settings)
        ask_if_due(lane, day, settings)
        while not in_flight():
            sleep(0.01)
        return _timed(lane, day, dependencies("bench", settings, store))


def _timed(lane: Lane, day: TradingDay, deps: CycleDependencies) -> list[float]:
    took = []
    for row in range(day.session.minutes):
        began = perf_counter()
        ask_if_due(lane, day, deps.settings)
        run_cycle(lane, day, row + 1, deps)
        took.append(1e3 * (perf_counter() - began))
    return took


def _replayed() -> Iterator[Figure]:
    """A recorded session, three lanes, replayed from its recording."""
    request = demo_request()
    with tempfile.TemporaryDirectory() as folder, anthropic_stand_in(answers) as server:
        place = Path(folder)
        settings = _settings(server.url, folder, **BUSY)
        market = demo_market(request, settings)
        replay(request, MODEL, settings, market, place / "live")
        again = replace(MODEL, llm="replay", recordings=place / "live" / RECORDINGS)
        waits = []
        for number in range(ROUNDS):
            began = perf_counter()
            result = replay(request, again, settings, market, place / str(number))
            waits.append(perf_counter() - began)
    analyses = len(result.lanes["advised"].analyses)
    ruled = sum(one.verdict is not None for one in result.lanes["advised"].decisions)
    yield Figure(
        f"a recorded session, {analyses} analyses, {ruled} validations",
        statistics.median(waits), "s", "≤ 3",
    )  # fmt: skip


def _median(sample: list[float]) -> float:
    return statistics.median(sample)


def _p99(sample: list[float]) -> float:
    return sorted(sample)[int(0.99 * len(sample))]


if __name__ == "__main__":
    for figure in figures():
        print(f"{figure.name:60} {figure.value:8.3f} {figure.unit} {figure.target}")
