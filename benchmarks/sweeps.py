"""The sweep's rows: one pass, two hundred, memory, and whether it stays linear.

Run as `python -m benchmarks.sweeps SCENARIO DATA` for one scenario in a fresh process. The bars are
SPY of 2024-03-26 to 2025-01-31; daily bars are made of them, so that the symbol arms in nearly
every session and the engine has all its work to do. A sweep is timed from bars in memory to files
and verdict: course, threads, results, everything but the interpreter's own start.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from time import perf_counter

import numpy as np

from advisor.market import Market, MarketRequest, prepare_market
from advisor.settings import Settings
from advisor.sweep.run import SweepRequest, sweep
from advisor.sweep.space import read_axes
from advisor.sweep.work import course_of, snapshots_of
from benchmarks.figure import Figure
from quant_core.backtest import premises, run_through
from quant_core.bars import aggregate
from quant_core.parameters import pack
from quant_core.premarket import SymbolHistory

RUNS = 5
PASSES = 50
GRID = (
    "stdev.mr_arm_z=1.0:1.9:0.1", "stdev.atr_multiplier_sl=1,1.2,1.4,1.7,2",
    "stdev.mr_trigger_z=0.3,0.5,0.6,0.8",
)  # fmt: skip


def figures(data: Path) -> Iterator[Figure]:
    """Medians over fresh processes."""
    if not data.is_dir():
        return
    yield Figure(
        "backtest pass, SPY 82,290 bars", _median("pass", data, "rate"), "bars/s", "≥ 20,000,000"
    )
    whole = [_inside("sweep", data) for _ in range(RUNS)]
    yield Figure(
        "sweep, 200 combinations × 82,290 bars, to files and verdict",
        statistics.median(one["seconds"] for one in whole), "s", "≤ 0.5",
    )  # fmt: skip
    yield Figure("the same, peak memory", max(one["memory"] for one in whole), "MB", "≤ 400")
    yield Figure(
        "sweep, time of 2,000 over time of 200", _median("linear", data, "ratio"), "×", "≤ 10"
    )
    yield Figure("sweep, 2 symbols over 1", _median("symbols", data, "ratio"), "×", "≤ 2.2")
    yield Figure("sweep, 1 core over 2", _median("cores", data, "ratio"), "×", "-")


def _inside(scenario: str, data: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.sweeps", scenario, str(data)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"scenario {scenario} failed:\n{done.stderr}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _median(scenario: str, data: Path, key: str) -> float:
    return statistics.median(_inside(scenario, data)[key] for _ in range(RUNS))


def spy(data: Path) -> Market:
    """The market of the scenarios: daily bars made of the minutes."""
    request = MarketRequest(
        bars=(data / "bars" / "1min" / "us-2024",), daily=None,
        first=date(2024, 3, 26), last=date(2025, 1, 31), symbols=("SPY",),
    )  # fmt: skip
    market = prepare_market(request, Settings())
    minutes = market.minutes[0]
    days = aggregate(minutes, market.calendar, 390)
    history = SymbolHistory.of("SPY", minutes, days, market.calendar)
    return replace(market, histories=(history,))


def _doubled(market: Market) -> Market:
    """The same bars under two names."""
    names = ("SPY", "TWIN")
    twice = [replace(market.histories[0], symbol=name) for name in names]
    return replace(
        market, symbols=names, minutes=market.minutes * 2, tracks=market.tracks * 2,
        histories=tuple(twice),
    )  # fmt: skip


def _timed(market: Market, *vary: str, workers: int | None = None) -> float:
    request = SweepRequest(axes=read_axes(vary), workers=workers)
    with tempfile.TemporaryDirectory() as folder:
        began = perf_counter()
        sweep(request, Settings(), market, Path(folder))
        return perf_counter() - began


def one_pass(market: Market) -> dict[str, float]:
    """One combination through the sessions, again and again."""
    settings = Settings()
    course = course_of(market, settings.stdev, snapshots_of(market), settings)
    given = premises(course, settings.stdev)
    rules = pack(settings.stdev, settings.risk, settings.fills)
    seconds = []
    for _ in range(PASSES):
        began = perf_counter()
        run_through(course, given, rules, settings.account.start_equity)
        seconds.append(perf_counter() - began)
    bars = int(np.count_nonzero(course.grid.present))
    return {"rate": bars / statistics.median(seconds)}


def main() -> None:
    """Run the named scenario and print its figures as JSON; kernels are loaded before."""
    name, data = sys.argv[1], Path(sys.argv[2])
    market = spy(data)
    _timed(market, "stdev.mr_arm_z=1.0,1.2")
    found: dict[str, float] = {}
    if name == "pass":
        found = one_pass(market)
    elif name == "sweep":
        found = {"seconds": _timed(market, *GRID)}
        found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    elif name == "linear":
        many = _timed(market, *GRID, "risk.trailing_stop=1:5.5:0.5")
        found = {"ratio": many / _timed(market, *GRID)}
    elif name == "symbols":
        found = {"ratio": _timed(_doubled(market), *GRID) / _timed(market, *GRID)}
    elif name == "cores":
        one = _timed(market, *GRID, "risk.trailing_stop=2,5", workers=1)
        found = {"ratio": one / _timed(market, *GRID, "risk.trailing_stop=2,5", workers=2)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
