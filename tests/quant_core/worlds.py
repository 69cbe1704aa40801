"""Small markets for tests: one session's grid from a few bars, and what the engine made of it.

A `Day` is flat: every bar is 100/100/100/100 with a million shares, z is 0.9 (it neither arms nor
triggers mean reversion) and the 5-minute ATR is $1, so that nothing happens by itself and every
figure can be worked by hand: a stop is $1.40 away, a target $2.10, and an order is for 100 shares
(the $10,000 cap). A test says only what differs.

    day = Day().z([1.3, 0.5])            # arms short at 09:30, triggers at 09:31
    day.bar(5, high=101.5)               # touches the stop at 09:35
    played = day.play()
    played.story()                       # "m!TTTc..."
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from quant_core.bars import BarSeries, RawBars, accept_days, accept_minutes
from quant_core.calendar import NEW_YORK, Calendar, Session, to_minute
from quant_core.desk import Desk
from quant_core.engine import (
    AWAITS_VERDICT,
    DONE,
    LOG_FULL,
    advance,
    open_session,
)
from quant_core.events import DomainEvent, EventLog, read, signal_of_last
from quant_core.grid import Grid, session_clock
from quant_core.parameters import FillRules, RiskLimits, StdevParameters, pack
from quant_core.types import Decision, Fill, Signal, State, Trade, Verdict

FULL_DAY = Session(
    date(2025, 1, 8),
    to_minute(datetime(2025, 1, 8, 14, 30, tzinfo=UTC)),
    to_minute(datetime(2025, 1, 8, 21, 0, tzinfo=UTC)),
)
NEXT_DAY = Session(date(2025, 1, 10), FULL_DAY.open + 2 * 1440, FULL_DAY.close + 2 * 1440)
HALF_DAY = Session(
    date(2025, 11, 28),
    to_minute(datetime(2025, 11, 28, 14, 30, tzinfo=UTC)),
    to_minute(datetime(2025, 11, 28, 18, 0, tzinfo=UTC)),
)

QUIET_Z = 0.9
NOON = 150  # the first row outside the entry window
FLAT = 380  # 15:50
LETTERS = {
    State.IDLE: ".",
    State.MR_ARMED: "m",
    State.TC_ARMED: "t",
    State.TRIGGERED: "!",
    State.IN_TRADE: "T",
    State.COOLDOWN: "c",
}
NAN = float("nan")
LIFTED = RiskLimits(
    max_symbol_exposure=np.inf,
    max_total_exposure=np.inf,
    max_position=25.0,
)
NO_SLIPPAGE = FillRules(slippage_bps=0.0)

Validator = Callable[[Signal], float]
_Event = TypeVar("_Event")


@dataclass
class Played:
    """What the engine made of a day."""

    symbols: tuple[str, ...]
    session: Session
    events: list[DomainEvent]
    states: np.ndarray
    sides: np.ndarray
    desk: Desk

    def story(self, symbol: int = 0, first: int = 0, last: int | None = None) -> str:
        """One letter per minute (see LETTERS), without the idle minutes at the end."""
        codes = self.states[first:last, symbol]
        codes = codes[codes >= 0]
        text = "".join(LETTERS[tuple(State)[code]] for code in codes)
        return text if last is not None else text.rstrip(".")

    def all(self, kind: type[_Event], symbol: int | None = None) -> list[_Event]:
        """The events of one kind, of one symbol when asked."""
        return [
            event
            for event in self.events
            if isinstance(event, kind)
            and (symbol is None or getattr(event, "symbol", None) == self.symbols[symbol])
        ]

    def one(self, kind: type[_Event], symbol: int | None = None) -> _Event:
        """The only event of one kind."""
        found = self.all(kind, symbol)
        assert len(found) == 1, f"{len(found)} {kind.__name__}: {found}"
        return found[0]

    @property
    def trade(self) -> Trade:
        return self.one(Trade)

    @property
    def decision(self) -> Decision:
        return self.one(Decision)

    @property
    def decisions(self) -> list[Decision]:
        return self.all(Decision)

    @property
    def entries(self) -> list[Fill]:
        return [fill for fill in self.all(Fill) if fill.reason == "entry"]

    @property
    def exits(self) -> list[Fill]:
        return [fill for fill in self.all(Fill) if fill.reason != "entry"]

    def row(self, moment: datetime) -> int:
        """Which minute of the session a moment is."""
        return to_minute(moment) - self.session.open

    @property
    def equity(self) -> float:
        return float(self.desk.account["equity"][0])


def names(count: int) -> tuple[str, ...]:
    return tuple("ABCDEFGHIJ"[:count])


@dataclass
class Day:
    """A session that is flat until a test says otherwise; see the module's text."""

    symbols: int = 1
    session: Session = FULL_DAY
    price: float = 100.0
    trend: Sequence[int] | int = 0
    columns: dict[str, np.ndarray] = field(init=False)
    present: np.ndarray = field(init=False)
    advice: list[tuple[int, tuple[float, float, float, float], int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        shape = (self.session.minutes, self.symbols)
        self.present = np.ones(shape, np.bool_)
        values = {
            **dict.fromkeys(("open", "high", "low", "close", "mean"), self.price),
            "volume": 1e6,
            "deviation": 1.0,
            "z": QUIET_Z,
            "atr_5m": 1.0,
        }
        self.columns = {name: np.full(shape, value) for name, value in values.items()}

    def z(self, values: Iterable[float], symbol: int = 0, at: int = 0) -> "Day":
        """Set z from a row on (NaN: the band is not ready)."""
        for offset, value in enumerate(values):
            self.columns["z"][at + offset, symbol] = value
        return self

    def bar(self, row: int, symbol: int = 0, **values: float) -> "Day":
        """Change a bar; what is not given is widened to hold open and close."""
        for name, value in values.items():
            self.columns[name][row, symbol] = value
        cell = {name: self.columns[name][row, symbol] for name in ("open", "close", "high", "low")}
        if "high" not in values:
            self.columns["high"][row, symbol] = max(cell.values())
        if "low" not in values:
            self.columns["low"][row, symbol] = min(cell.values())
        return self

    def level(self, price: float, at: int, symbol: int = 0, until: int | None = None) -> "Day":
        """Move every bar from a row on to a price."""
        for name in ("open", "high", "low", "close"):
            self.columns[name][at:until, symbol] = price
        return self

    def missing(self, *rows: int, symbol: int = 0) -> "Day":
        """The symbol has no bar in these minutes; what stands there must not matter."""
        for row in rows:
            self.present[row, symbol] = False
            for column in self.columns.values():
                column[row, symbol] = NAN
        return self

    def advise(
        self, row: int, multipliers: tuple[float, float, float, float], until: int = 10_000
    ) -> "Day":
        """Put multipliers in force before a row, for bars that start before row `until`."""
        self.advice.append((row, multipliers, until))
        return self

    @property
    def grid(self) -> Grid:
        return Grid(
            present=self.present.copy(),
            **{name: column.copy() for name, column in self.columns.items()},
        )

    def begin(
        self,
        equity: float = 100_000.0,
        desk: Desk | None = None,
        *,
        armable: Sequence[bool] | bool = True,
        average_volume: Sequence[float] | float = 1e7,
        cvar_95: float = NAN,
    ) -> Desk:
        """A desk at the open of this day."""
        desk = desk or Desk.new(self.symbols, equity)
        open_session(
            desk,
            np.broadcast_to(np.asarray(self.trend), self.symbols),
            np.broadcast_to(np.asarray(armable), self.symbols),
            np.broadcast_to(np.asarray(average_volume, float), self.symbols),
            cvar_95,
        )
        return desk

    def play(
        self,
        desk: Desk | None = None,
        *,
        equity: float = 100_000.0,
        limits: RiskLimits | None = None,
        playbook: StdevParameters | None = None,
        fills: FillRules | None = None,
        armable: Sequence[bool] | bool = True,
        average_volume: Sequence[float] | float = 1e7,
        cvar_95: float = NAN,
        cuts: Iterable[int] = (),
        validator: Validator | None = None,
        restart_at: Iterable[int] = (),
        room: int | None = None,
        age: float = 0.0,
        until: int | None = None,
    ) -> Played:
        """Run the session, or the rows before `until`; `cuts` are rows at which a block ends,
        `restart_at` rows at which the desk is written to text and read back, `room` the capacity
        of the log."""
        playbook = playbook or StdevParameters()
        desk = self.begin(
            equity, desk, armable=armable, average_volume=average_volume, cvar_95=cvar_95
        )
        restarts = set(restart_at)
        stops = sorted({*cuts, *restarts, *(row for row, _, _ in self.advice)})
        end = self.session.minutes if until is None else until
        stops = [row for row in stops if 0 < row < end]
        runner = Runner(
            self.grid,
            session_clock(self.session, playbook),
            pack(playbook, limits or RiskLimits(), fills or FillRules()),
            names(self.symbols),
            validator=validator,
            room=room,
            age=age,
        )
        for first, last in zip([0, *stops], [*stops, end], strict=True):
            if first in restarts:
                desk = Desk.load(desk.dump())
            for row, multipliers, until in self.advice:
                if row == first:
                    put_in_force(desk, multipliers, self.session.open + until)
            runner.run(desk, first, last)
        return Played(
            names(self.symbols), self.session, runner.events, runner.states, runner.sides, desk
        )


def put_in_force(desk: Desk, multipliers: Sequence[float], until: int) -> None:
    """What the cycle does when advice applies: the four factors and the minute they expire."""
    for name, value in zip(
        ("mr_arm", "mr_trigger", "tc_arm", "tc_trigger"), multipliers, strict=True
    ):
        desk.account[name] = value
    desk.account["multipliers_until"] = until


@dataclass
class Runner:
    """Drives `advance` over blocks, empties its log, and answers its questions."""

    grid: Grid
    clock: np.ndarray
    rules: np.ndarray
    symbols: tuple[str, ...]
    validator: Validator | None = None
    room: int | None = None
    age: float = 0.0
    events: list[DomainEvent] = field(default_factory=list)
    states: np.ndarray = field(init=False)
    sides: np.ndarray = field(init=False)
    log: EventLog = field(init=False)

    def __post_init__(self) -> None:
        self.states = np.full(self.grid.present.shape, -1, np.int8)
        self.sides = np.zeros(self.grid.present.shape, np.int8)
        self.log = EventLog.with_room_for(len(self.symbols))
        if self.room is not None:
            self.log = EventLog(self.log.events[: self.room], self.log.checks, self.log.used)

    def run(self, desk: Desk, first: int, last: int) -> None:
        """Rows [first, last), however often the engine comes back early."""
        row, resume, factor = first, -1, -1.0
        verdicts: dict[tuple[str, int], Verdict] = {}
        while row < last:
            outcome, row, resume = advance(
                desk,
                self.grid,
                self.clock,
                self.rules,
                self.log,
                self.states,
                self.sides,
                row,
                last,
                resume=resume,
                size_factor=factor,
                age=self.age,
                validate=self.validator is not None,
            )
            if outcome == AWAITS_VERDICT:
                assert self.validator is not None
                signal = signal_of_last(self.log, self.symbols)
                factor = self.validator(signal)
                verdicts[signal.symbol, to_minute(signal.start)] = verdict_of(factor)
                continue
            assert outcome in (DONE, LOG_FULL)
            factor = -1.0
            self.events += read(self.log, self.symbols, verdicts)
            self.log.used[0] = 0


def verdict_of(factor: float) -> Verdict:
    """The verdict that leaves this much of the size."""
    if factor == 0.0:
        return Verdict(ruling="veto")
    if factor == 1.0:
        return Verdict(ruling="approve")
    return Verdict(ruling="reduce", size_factor=factor)


def long_day(**values: Any) -> Day:
    """A day on which A is armed long at 09:30, triggers at 09:31 at $100 and fills at 09:32.

    Stop 98.60, target 102.10, 100 shares, fill at 100.01.
    """
    return Day(**values).z([-1.3, -0.5])


def short_day(**values: Any) -> Day:
    """As `long_day`, mirrored: stop 101.40, target 97.90, fill at 99.99."""
    return Day(**values).z([1.3, 0.5])


# ----------------------------------------------------------------------------- random days


def random_day(seed: int, symbols: int = 4, session: Session = FULL_DAY) -> Day:
    """A session in which much happens: z wanders through every threshold, prices gap, bars are
    missing or thin. z is drawn apart from prices, so the playbook meets every order of events."""
    rng = np.random.default_rng(seed)
    day = Day(symbols, session, trend=[int(side) for side in rng.integers(-1, 2, symbols)])
    shape = day.present.shape
    noise = rng.normal(0.0, rng.choice([0.3, 0.8]), shape)
    z = np.zeros(shape)
    for row in range(1, shape[0]):
        z[row] = 0.9 * z[row - 1] + noise[row]
    z += rng.choice([0.0, 0.5, -0.5])
    z[rng.random(shape) < rng.choice([0.0, 0.05])] = NAN
    scale = rng.choice([0.0005, 0.003, 0.01])
    steps = rng.normal(0.0, scale, shape)
    jumps = rng.random(shape) < rng.choice([0.0, 0.01])
    steps[jumps] += rng.choice([-0.12, -0.04, 0.04, 0.12], int(jumps.sum()))
    close = rng.choice([8.0, 100.0, 900.0], symbols) * np.exp(np.cumsum(steps, axis=0))
    open_ = np.vstack([close[:1], close[:-1]]) * np.exp(rng.normal(0.0, scale / 2, shape))
    day.columns["z"] = z
    day.columns["open"], day.columns["close"] = np.round(open_, 2), np.round(close, 2)
    spread = np.exp(np.abs(rng.normal(0.0, scale / 2, shape)))
    day.columns["high"] = np.maximum(day.columns["open"], day.columns["close"]) * spread
    day.columns["low"] = np.minimum(day.columns["open"], day.columns["close"]) / spread
    thick = rng.choice([300.0, 3_000.0, 1e6])
    day.columns["volume"] = np.floor(thick * np.exp(rng.normal(0.0, 1.5, shape)))
    day.columns["volume"][rng.random(shape) < 0.02] = 0.0
    atr = close * scale * rng.choice([0.3, 2.0, 8.0])
    day.columns["atr_5m"] = np.where(rng.random(shape) < 0.02, NAN, atr)
    absent = rng.random(shape) < rng.choice([0.0, 0.03, 0.4])
    absent[rng.random(shape[0]) < 0.01] = True
    for symbol in np.flatnonzero(rng.random(symbols) < 0.3):  # falls silent, some come back late
        begin, end = rng.integers(5, NOON), rng.choice([FLAT - 2, FLAT + 3, shape[0]])
        absent[begin:end, symbol] = True
    for row, symbol in zip(*np.nonzero(absent), strict=True):
        day.missing(int(row), symbol=int(symbol))
    for row in range(0, session.minutes, 15):
        if rng.random() < 0.5:
            low, high = rng.choice([0.5, 1.0]), rng.choice([1.0, 2.0])
            day.advise(row, tuple(rng.uniform(low, high, 4)), row + int(rng.integers(5, 40)))
    return day


def random_limits(seed: int) -> RiskLimits:
    """Limits near what a random day reaches, so that each of them decides sometimes."""
    rng = np.random.default_rng(seed)
    pick = lambda *values: float(rng.choice(values))  # noqa: E731
    return RiskLimits(
        max_risk_per_trade=pick(0.1, 1.0, 5.0),
        max_position=pick(0.5, 10.0, 25.0),
        max_symbol_exposure=pick(3_000.0, 10_000.0, np.inf),
        max_total_exposure=pick(5_000.0, 20_000.0, 50_000.0, np.inf),
        max_open_risk=pick(0.05, 0.5, 10.0),
        max_positions=pick(1, 3, 8),
        max_trades_per_day=pick(2, 10, 100),
        max_trades_per_symbol=pick(1, 2, 50),
        max_orders_per_minute=pick(1, 5),
        max_daily_loss=pick(50.0, 500.0, np.inf),
        max_daily_loss_percent=pick(0.1, 5.0, 100.0),
        kill_loss_percent=pick(0.05, 0.5, 10.0),
        max_drawdown_percent=pick(0.1, 1.0, 10.0),
        trailing_stop=pick(0.2, 1.0, 5.0),
    )


# ----------------------------------------------------------------------------- rows and bars


def raw(
    starts: Iterable[datetime | int],
    closes: Sequence[float],
    *,
    symbol: str = "A",
    **columns: Sequence[float],
) -> RawBars:
    """Unchecked rows: flat bars at `closes` unless a column says otherwise; starts as datetimes
    or as minutes since the epoch."""
    microseconds = [
        int(start.timestamp() * 1_000_000) if isinstance(start, datetime) else start * 60_000_000
        for start in starts
    ]
    close = np.asarray(closes, float)
    given = {name: np.asarray(values, float) for name, values in columns.items()}
    return RawBars(
        symbol=symbol,
        start=np.array(microseconds, np.int64),
        open=given.get("open", close),
        high=given.get("high", close),
        low=given.get("low", close),
        close=close,
        volume=given.get("volume", np.full(len(close), 1000.0)),
        file=np.zeros(len(close), np.int64),
        row=np.arange(1, len(close) + 1),
        files=("memory",),
    )


def series(
    calendar: Calendar,
    starts: Sequence[datetime | int],
    closes: Sequence[float],
    **columns: Sequence[float],
) -> BarSeries:
    """Accepted 1-minute bars."""
    bars, codes = accept_minutes(raw(list(starts), closes, **columns), calendar)
    assert not codes.any(), f"the test's own bars are refused: {codes}"
    return bars


def days(
    calendar: Calendar, dates: Sequence[date], closes: Sequence[float], **columns: Sequence[float]
) -> BarSeries:
    """Accepted daily bars, stamped at midnight New York."""
    bars, codes = accept_days(raw([at(day, 0, 0) for day in dates], closes, **columns), calendar)
    assert not codes.any(), f"the test's own days are refused: {codes}"
    return bars


def stored(paths: Sequence[Path], symbol: str) -> RawBars:
    """The rows of a symbol's files, unchecked, files in the order of their first rows."""
    tables = [pq.read_table(path) for path in paths]
    tables = [table for table in tables if table.num_rows]
    tables.sort(key=lambda table: table["timestamp"][0].as_py())
    columns = {
        name: np.concatenate([t[name].to_numpy().astype(float) for t in tables] or [np.zeros(0)])
        for name in ("open", "high", "low", "close", "volume")
    }
    closes = columns.pop("close")
    rows = raw([0] * len(closes), closes, symbol=symbol, **columns)
    microseconds = [t["timestamp"].cast(pa.timestamp("us", "UTC")).cast("int64") for t in tables]
    rows.start[:] = np.concatenate([m.to_numpy() for m in microseconds] or [np.zeros(0)])
    return rows


def at(day: date, hour: int, minute: int) -> datetime:
    """A New York time of day, as UTC."""
    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=NEW_YORK)
    return local.astimezone(UTC)


def minutes_from(start: datetime, count: int) -> list[datetime]:
    return [start + timedelta(minutes=offset) for offset in range(count)]
