"""A session whose broker, feed, model, disk and process fail, drawn from a seed.

What is under test is real: the loop, the feed, the cycle, trading, the ledger and the bars on disk.
The exchange and the market live on in memory while processes die. Time passes when the loop waits.
Faults happen in the first part of each minute; in the rest everything answers, so that before the
next minute trades what must be true can be asked for.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any, cast

from advisor.control import Control
from advisor.cycle import dependencies
from advisor.lanes import Lane, TradingDay
from advisor.live.alerts import ChartAlerts
from advisor.live.feed import LiveFeed
from advisor.live.kept_bars import LocalBars
from advisor.live.loop import Crew, LiveSession, Parts
from advisor.live.minutes import SessionBars
from advisor.live.telling import Telling
from advisor.settings import BrokerLimits, LiveSettings, Settings
from advisor.taking_up import take_up
from advisor.trading import Trading
from quant_core.bars import BarSeries
from quant_core.calendar import Calendar, to_datetime
from quant_core.desk import Desk
from quant_core.events import EventLog
from quant_core.market_view import MarketView
from quant_core.types import Analysis, Fill, Multipliers, Order, Signal, Trade, Verdict
from tests.simulation.broker import InMemoryBroker, Killed
from tests.simulation.fate import Fate
from tests.simulation.feeds import Archive, Market, Stream
from tests.simulation.pit import SLIPPAGE, Pit
from tests.stand_ins.alpaca_exchange import Exchange
from tools.errors import Transient
from tools.market.alert_inboxes import FOLDER, FolderInbox
from tools.notify.alerts import Alert
from tools.store import Store

RUN, LANE = "simulated", "advised"
# Faults are meant to meet orders: a breaker that opened would keep them from being sent.
PATIENT = BrokerLimits(breaker_failures=1000)
CALM_FROM = timedelta(seconds=20)  # of each minute, everything answers
LOOKS = LiveSettings(look_seconds=12.0, settle_seconds=12.0)
REOPENED_EVERY = 8  # processes: opening a ledger takes longer than anything else here


class FailingLedger:
    """The ledger's writing side, with a disk that is full or locked and a process that dies."""

    def __init__(self, store: Store, fate: Fate) -> None:
        self.store, self.fate = store, fate

    def commit_cycle(self, *arguments: Any, **named: Any) -> None:
        kinds = "killed before a commit", "killed after a commit", "ledger locked"
        kind = self.fate.draws(*kinds)
        if kind == "killed before a commit":
            raise Killed
        if kind == "ledger locked":
            raise Transient("scripted")
        self.store.commit_cycle(*arguments, **named)
        if kind:
            raise Killed

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


class FailingBars(SessionBars):
    """Today's bars, on a disk that may be full."""

    fate: Fate

    def _append(self, settled: Any) -> None:
        match self.fate.draws("disk full for bars", "killed before bars", "killed after bars"):
            case "disk full for bars":
                raise OSError("scripted")
            case "killed before bars":
                raise Killed
            case "killed after bars":
                super()._append(settled)
                raise Killed
        super()._append(settled)


class World:
    """One session: an exchange, a market, a person, and processes that come and go."""

    def __init__(
        self,
        folder: Path,
        day: TradingDay,
        history: tuple[Calendar, Sequence[BarSeries]],
        settings: Settings,
        fate: Fate,
        partial: float = 0.0,
    ) -> None:
        self.folder, self.day, self.settings, self.fate = folder, day, settings, fate
        self.history = history
        self.symbols = tuple(snapshot.symbol for snapshot in day.snapshots)
        opening = day.session.open
        self.exchange = Exchange(settings.account.start_equity)
        self.pit = Pit(self.exchange, self.symbols, opening, fate, partial)
        self.broker = InMemoryBroker(self.exchange, fate)
        self.market = Market(day.grid, self.symbols, opening)
        self.stream, self.archive = Stream(self.market, fate), Archive(self.market, fate)
        self.person = Control(folder)
        self.halts: list[tuple[datetime, datetime]] = []
        self.alerts: list[Alert] = []
        self.charts = FolderInbox(folder / FOLDER, lambda _: None)
        self.at_its_end: Callable[[int], None] = lambda _: None  # what comes when a minute ends
        self.store: Store | None = None
        self.processes = 0
        self.now = self.exchange.now = to_datetime(opening)
        self.skew = timedelta(0)
        self.check: Callable[[World, int], None] = lambda *_: None

    # The loop's clock

    def clock_now(self) -> datetime:
        return self.now + self.skew

    def monotonic(self) -> float:
        return self.now.timestamp()

    def sleep(self, seconds: float) -> None:
        self._until(self.now + timedelta(seconds=seconds))

    def wait(self, event: Event, until: datetime) -> None:
        if event.is_set():
            return
        if self.fate.draws("killed while waiting") and self.fate.random.random() < 0.3:
            raise Killed
        self._until(max(until - self.skew, self.now + timedelta(seconds=0.1)))

    # Time

    def play(self, check: "Callable[[World, int], None]" = lambda *_: None) -> "World":
        """The whole session; `check` is called before each minute trades, when all has settled."""
        self.check = check
        while True:
            self.processes += 1
            try:
                if self._session().run() == "closed":
                    return self
            except (Killed, Transient):
                continue

    def _until(self, moment: datetime) -> None:
        """Let time pass. Faults end, and what is late arrives, when a minute calms down."""
        while self.now < moment:
            row = self.market.over
            over = row >= self.day.session.minutes
            ends = to_datetime(self.day.session.open + row + 1)
            calms = ends - timedelta(minutes=1) + CALM_FROM
            if not over and self.now < calms <= moment and not self.fate.calm:
                self.now = self.exchange.now = calms
                self.broker.arrive()
                self.fate.calm, self.skew = True, timedelta(0)
                return  # a wait may end before its time, and what failed may be tried again
            if over or moment < ends:
                self.now = self.exchange.now = moment
                return
            self._minute_ends(row, ends)
            return

    def _minute_ends(self, row: int, ends: datetime) -> None:
        if row > 0:
            self.check(self, row)
        self.fate.calm = False
        self.pit.trade(self.day.grid, row)
        self.now = self.exchange.now = ends
        self.market.over = row + 1
        if self.market.over == self.day.session.minutes:
            self.fate.calm = True  # so that the session can end
        self.stream.minute_is_over()
        match self.fate.draws("clock set back", "clock ahead"):
            case "clock set back":
                self.skew = -timedelta(seconds=self.fate.random.randint(2, 7200))
            case "clock ahead":
                self.skew = timedelta(seconds=self.fate.random.randint(2, 50))
        self._person_acts()
        self.at_its_end(row)

    def _person_acts(self) -> None:
        if self.halts and self.halts[-1][1] > self.now:
            return
        if self.halts and self.halts[-1][1] == self.now:
            self.person.resume(by="a person", now=self.now)
        elif self.fate.random.random() < 0.2 and self.fate.draws("halted by a person"):
            flatten = self.fate.random.random() < 0.5
            self.person.halt(by="a person", reason="", flatten=flatten, now=self.now)
            lasts = timedelta(minutes=self.fate.random.randint(1, 4))
            self.halts.append((self.now, self.now + lasts))

    # A process

    def _session(self) -> LiveSession:
        """What a new process makes of the folder."""
        if self.store is None or self.processes % REOPENED_EVERY == 0:
            if self.store is not None:
                self.store.close()
            self.store = Store.open(self.folder / "ledger.sqlite", synchronous="NORMAL")
        if self.store.run(RUN) is None:
            self.store.start_run(
                RUN, kind="paper", config_hash="", code_version="", config_json="{}"
            )
        ledger = cast(Any, FailingLedger(self.store, self.fate))
        deps = dependencies(RUN, self.settings, ledger)
        calendar, history = self.history
        bars = FailingBars(
            LocalBars(self.folder / "bars.csv"), self.day.session, calendar, history, self.settings
        )
        bars.fate = self.fate
        clock = cast(Any, self)
        parts = Parts(
            day=TradingDay(
                session=self.day.session,
                grid=bars.take(-1),
                snapshots=self.day.snapshots,
                clock=self.day.clock,
            ),
            bars=bars,
            feed=LiveFeed(
                cast(Any, self.stream), self.archive, bars, self.day.session, LOOKS, self._alert
            ),
            deps=deps,
            ledger=ledger,
            take_up=lambda: self._crew(deps),
            control=Control(self.folder),
            alerts=ChartAlerts(self.charts, self.store, ledger, RUN, lambda *_: None),
            updates=None,
            quotes=None,
            telling=Telling(lambda _: None, self._alert),
            settings=LOOKS,
        )
        return LiveSession(parts, _Clock(clock), Event())

    def _crew(self, deps: Any) -> Crew:
        self.broker.account()
        count = len(self.symbols)
        lane = Lane(
            name=LANE, desk=Desk.new(count, self.settings.account.start_equity), external=True,
            log=EventLog.with_room_for(count), analyst=self._analyst, validator=self._validator,
        )  # fmt: skip
        take_up(self._store, RUN, [lane], to_datetime(self.day.session.close))
        trading = Trading(
            lane, self.symbols, deps.rules, deps.ledger, RUN, self.broker,
            limits=PATIENT, expected_bps=1e4 * SLIPPAGE, alert=self._alert,
        )  # fmt: skip
        self.lane = lane
        return Crew((lane,), trading)

    def _analyst(self, view: MarketView) -> Analysis:
        if self.fate.draws("model garbage", rare=True):
            raise ValueError("scripted: this is not JSON")
        return Analysis(
            as_of=view.as_of, analyst="scripted", multipliers=Multipliers(), confidence=50.0,
            assessment="", opportunities=(), reasoning="", evidence=(),
        )  # fmt: skip

    def _validator(self, signal: Signal, view: MarketView) -> Verdict:
        del signal, view
        if self.fate.draws("verdict garbage"):
            raise ValueError("scripted: this is not JSON")
        return Verdict(ruling="approve")

    def _alert(self, alert: Alert) -> None:
        self.alerts.append(alert)

    # What the ledger says

    def trades(self) -> list[Trade]:
        """Trades on record."""
        return self._store.trades(RUN, LANE, as_of=self._end)

    def fills(self) -> Sequence[Fill]:
        """Fills on record."""
        return self._store.fills(RUN, LANE, as_of=self._end)

    def orders(self) -> Sequence[Order]:
        """Entries on record as decided."""
        return self._store.orders(RUN, LANE, as_of=self._end)

    def close(self) -> None:
        """Let go of the ledger."""
        self._store.close()

    @property
    def _end(self) -> datetime:
        return to_datetime(self.day.session.close + 60)

    @property
    def _store(self) -> Store:
        assert self.store is not None
        return self.store


class _Clock:
    """The world's time as a process sees it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.monotonic, self.sleep, self.wait = world.monotonic, world.sleep, world.wait

    def now(self) -> datetime:
        return self._world.clock_now()
