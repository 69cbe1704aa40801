"""A real session through the functions, a call a minute, whatever becomes of calls on the way.

Calls come twice, get lost and come again later in their minute, die at any look at the clock, any
statement to the ledger or any request to the broker, in warm and new containers; batches of orders
come again, reversed and late. The ledger is the one that a replay of the same bars writes:

- *baseline*, *placebo* and the premarket to the byte: their chains end in the same hash;
- *advised* record by record. Its fills are a broker's, so the prices of fills and what is made of
  them agree to a hundredth of a cent, not to the last bit (the broker tells averages in ten
  digits), and fills are booked in transactions of their own, so their place in the chain is
  another one. The broker stand-in trades as the replay's exchange does and takes brackets at the
  prices that were decided, not at their ticks.

A minute that is missed whole is decided late, from bars that are old, and old bars open nothing.
That is meant, and no replay does it: so minutes are missed whole only where the replay trades
nothing. Of the others the first call may be lost, and the one that is repeated comes in time.
"""

import logging
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from advisor.bootstrap import EVER, ReplayOptions
from advisor.market import MarketRequest, prepare_market
from advisor.replay import LEDGER, replay
from advisor.settings import Settings
from infra.handlers.live_cycle import LiveCycle
from infra.handlers.nightly import Nightly
from infra.handlers.position_monitor import PositionMonitor
from infra.handlers.premarket import Premarket
from infra.handlers.trade_executor import TradeExecutor
from quant_core.bars import RawBars
from quant_core.calendar import premarket_moment, to_minute
from tests.advisor.live.theatre import StageClock, Theatre
from tests.infra.handlers.cloud import Cloud, Context, raised, scheduled
from tests.tools.store.examples import same_rows
from tools.aws.parameters import AwsParameters
from tools.errors import AdvisorError
from tools.market.files import BarFormat, read_bars
from tools.store.store import Store

REAL_DAY = date(2025, 1, 24)
REAL = ("SPY", "NVDA")
SEED = 20250124
LANES = ("advised", "baseline", "placebo")
MONEY = 1e-4
OPTIONS = ReplayOptions(validation="rules")  # as the functions have it
RECORDS = (
    "analyses", "transitions", "decisions", "orders", "fills", "order_rejections", "trades",
    "risk_changes", "lane_days",
)  # fmt: skip


class Killed(Exception):
    """The container is gone."""


class Fate:
    """What becomes of calls, by a seed; `met` counts it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.met: dict[str, int] = {}
        self._left: int | None = None

    def strikes(self, what: str, chance: float) -> bool:
        """Whether it happens."""
        struck = self.random.random() < chance
        self.met[what] = self.met.get(what, 0) + struck
        return struck

    def moment(self, *_: Any) -> None:
        """A moment in a call: the last one, when its time has come."""
        if self._left is None:
            return
        self._left -= 1
        if self._left == 0:
            raise Killed

    def call(self, what: str, work: Callable[[], Any], chance: float) -> bool:
        """Do something that may be killed at any moment; whether it came to its end."""
        answer = None
        self._left = self.random.randint(1, 120) if self.random.random() < chance else None
        try:
            answer = work()
        except (Killed, AdvisorError):
            self.met[f"{what} died"] = self.met.get(f"{what} died", 0) + 1
            return False
        finally:
            self._left = None
        assert not isinstance(answer, dict) or answer["outcome"] != "another call is at work"
        return True


class FatefulClock(StageClock):
    """The stage's clock; whoever looks at it may die."""

    def __init__(self, stage: Theatre, fate: Fate) -> None:
        super().__init__(stage)
        self._fate = fate

    def now(self) -> datetime:
        self._fate.moment()
        return super().now()

    def monotonic(self) -> float:
        self._fate.moment()  # before every request to the broker
        return super().monotonic()


@dataclass
class RealBars:
    """A market's bars as the files have them."""

    minutes: dict[str, RawBars]
    daily: dict[str, RawBars]


@pytest.fixture
def cloud(
    tmp_path: Path,
    postgresql: str,
    market_data: Path,
    aws: AwsParameters,
    admin: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Cloud]:
    """A stack whose market is a real one."""
    assert aws.endpoint_url
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint_url)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    bars = market_data / "bars"
    market = RealBars(
        read_bars([bars / "1min" / "us-2025-01"], list(REAL), BarFormat()),
        read_bars([bars / "1day" / "us-2024-2026"], list(REAL), BarFormat(timeframe="1day")),
    )
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    scene = {"day": REAL_DAY, "symbols": REAL, "market": market}
    with raised(tmp_path, postgresql, admin, **scene) as made:
        made.stage.exact, made.stage.ledger = True, made.ledger
        made.stage.heard = lambda _: False
        made.environment["ADVISOR_TELEMETRY__LOG_LEVEL"] = "warning"
        yield made


@contextmanager
def statements(fate: Fate) -> Iterator[None]:
    """Every statement to a database, and every commit, is a moment."""
    names = ("before_cursor_execute", "commit")
    for name in names:
        event.listen(Engine, name, fate.moment)
    yield
    for name in names:
        event.remove(Engine, name, fate.moment)


@pytest.mark.slow
def test_a_real_session_through_the_functions_is_the_replay_of_its_bars(
    cloud: Cloud, market_data: Path
) -> None:
    print(f"seed {SEED}")
    quiet = _quiet_minutes(market_data)
    fate = Fate(SEED)
    with statements(fate):
        _Day(cloud, fate).play(quiet)
    print(fate.met)
    assert min(fate.met.values()) > 0, f"the seed proves too little: {fate.met}"
    cloud.replayed(OPTIONS)
    with (
        cloud.store() as made,
        Store.open(cloud.folder / "replay" / LEDGER, read_only=True) as again,
    ):
        _compare(made, again)
    entries = [one.client_order_id for one in cloud.stage.rest.exchange.tickets if one.legs]
    assert len(entries) == len(set(entries)) >= 3
    assert cloud.stage.rest.exchange.positions == {}


class _Day:
    """The functions of a day, and what becomes of their calls."""

    def __init__(self, cloud: Cloud, fate: Fate) -> None:
        self._cloud, self._fate = cloud, fate
        self._clock = FatefulClock(cloud.stage, fate)
        self._old: list[list[dict[str, Any]]] = []  # batches that were delivered
        self._new_containers()

    def play(self, quiet: set[int]) -> None:
        stage, fate = self._cloud.stage, self._fate
        stage.now = premarket_moment(stage.session)
        self._until_done("premarket", lambda: Premarket(self._cloud.given(), self._clock))
        for minute in range(1, stage.session.minutes + 1):
            self._cloud.at(minute + 0.05)
            if minute in quiet and fate.strikes("minute missed", 0.08):
                continue
            if fate.strikes("call lost", 0.08):
                self._cloud.at(minute + 0.3)
            self._minute()
        self._cloud.at(stage.session.minutes + 1)
        self._minute()
        self._cloud.at(stage.session.minutes + 30)
        self._until_done("nightly", lambda: Nightly(self._cloud.given(), self._clock))

    def _minute(self) -> None:
        fate = self._fate
        if fate.strikes("container new", 0.04):
            self._new_containers()
        self._decided()
        if fate.strikes("call twice", 0.07):
            self._decided()
        self._delivered()
        if not fate.strikes("monitor lost", 0.8):
            fate.call("monitor", lambda: self._monitor(self._now(), Context()), 0.05)

    def _decided(self) -> None:
        """A call of the cycle; one that dies is repeated by the schedule."""
        while not self._fate.call("cycle", lambda: self._cycle(self._now(), Context()), 0.06):
            self._new_containers()

    def _delivered(self) -> None:
        """The queue's batches, as often as it takes; some of them again."""
        cloud, fate = self._cloud, self._fate
        while batch := cloud.taken():
            self._old.append(batch)
            while not fate.call("executor", lambda b=batch: cloud.handed(self._executor, b), 0.6):
                self._new_containers()
        if self._old and fate.strikes("batch again", 0.1):
            again = [one for batch in fate.random.sample(self._old, 1) for one in reversed(batch)]
            fate.call("executor", lambda: cloud.handed(self._executor, again), 0.3)

    def _until_done(self, what: str, made: Callable[[], Any]) -> None:
        while not self._fate.call(what, lambda: made()(self._now(), Context(900_000)), 0.5):
            pass

    def _new_containers(self) -> None:
        given = self._cloud.given
        self._cycle = LiveCycle(given(), self._clock)
        self._executor = TradeExecutor(given(), self._clock)
        self._monitor = PositionMonitor(given(), self._clock)

    def _now(self) -> dict[str, str]:
        return scheduled(self._cloud.stage.now)


def _quiet_minutes(market_data: Path) -> set[int]:
    """The minutes whose call may be missed: nothing is decided or filled around them."""
    bars = market_data / "bars"
    request = MarketRequest(
        bars=(bars / "1min" / "us-2025-01",), daily=bars / "1day" / "us-2024-2026",
        first=REAL_DAY, last=REAL_DAY, symbols=REAL,
    )  # fmt: skip
    settings = Settings()
    market = prepare_market(request, settings)
    lane = replay(request, OPTIONS, settings, market, None).lanes["advised"]
    opened = market.sessions[0].open
    busy = {to_minute(one.signal.start) - opened for one in lane.decisions}
    busy |= {to_minute(one.start) - opened for one in lane.fills}
    around = {row + near for row in busy for near in (-2, -1, 0, 1, 2)}
    return {minute for minute in range(1, 390) if not {minute - 1, minute} & around}


def _compare(made: Store, again: Store) -> None:
    """Two ledgers of the day: the same heads where nothing is a broker's, the same records else."""
    (ours,), (theirs,) = made.runs(), again.runs()
    assert made.verify_chain(ours.run_id).intact
    heads = made.heads(ours.run_id), again.heads(theirs.run_id)
    assert heads[0].keys() == heads[1].keys() == {"market", *LANES}
    for lane in ("market", "baseline", "placebo"):
        assert heads[0][lane] == heads[1][lane], lane
    for lane in LANES:
        rows = made.cycles(ours.run_id, lane, as_of=EVER)
        assert same_rows(rows, again.cycles(theirs.run_id, lane, as_of=EVER)), lane
    for name in RECORDS:
        one = _sorted(getattr(made, name)(ours.run_id, "advised", as_of=EVER))
        other = _sorted(getattr(again, name)(theirs.run_id, "advised", as_of=EVER))
        assert len(one) == len(other), name
        for here, there in zip(one, other, strict=True):
            assert _same(here, there), f"{name}:\n{here}\n{there}"
    assert made.trades(ours.run_id, "advised", as_of=EVER)


def _sorted(records: list[Any]) -> list[Any]:
    """In an order of their content: those of one minute are booked in any."""
    return sorted((asdict(one) for one in records), key=lambda one: str(list(one.values())[:3]))


def _same(one: Any, other: Any) -> bool:
    """Whether two records agree, numbers to within MONEY."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float):
        return one == pytest.approx(other, abs=MONEY, nan_ok=True)
    return bool(one == other)
