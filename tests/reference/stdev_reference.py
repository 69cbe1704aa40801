"""A literal, slow reference replay of the ``stdev`` playbook, written only from its rules.

This is a test oracle. It imports nothing of the system under test, uses plain Python loops over
minutes and symbols, and follows ``DOMAIN.md`` sections 1-3 and the numbered readings R1-R48 of
``DOMAIN-stdev.md``; the numbers in the comments are those readings.

It is the baseline lane: fixed multipliers (1.0 unless told otherwise), no validation of signals.

Checks that have no source in a replay from bars alone do not block (R45): spread, earnings, sector
map, CVaR, broker circuit breaker, model drift. Bars and z are new at every decision, so freshness
(R4) never blocks either.
"""

from __future__ import annotations

import math
import os
import sys
import time
import warnings
from bisect import bisect_left, bisect_right
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from zoneinfo import ZoneInfo

import exchange_calendars
import pandas as pd

NEW_YORK = ZoneInfo("America/New_York")
MINUTE = timedelta(minutes=1)
NAN = math.nan

# Band (section 2, R5-R7).
WINDOW = 120
MIN_CLOSES = 30
MIN_RELATIVE_SIGMA = 1e-6

# Premarket snapshot (section 2, R14-R18).
EMA_PERIOD = 20
ATR_PERIOD = 14
SLOPE_BARS = 3
FRACTAL_WIDTH = 2
PERCENTILE_SESSIONS = 252
AVERAGE_VOLUME_DAYS = 20

# State machine (section 2, R20-R32).
MR_ARM_Z = 1.2
MR_TRIGGER_Z = 0.6
TC_ARM_Z = 1.8
TC_TRIGGER_Z = 0.6
ATR_PERCENTILE_CAP = 85.0
ATR_MULTIPLIER_SL = 1.4
MIN_RR_RATIO = 1.5
ARMED_BARS = 60
COOLDOWN_BARS = 10
ENTRY_FROM = clock(9, 30)
ENTRY_UNTIL = clock(12, 0)
MULTIPLIER_RANGE = (0.5, 2.0)

# Risk (section 3, R34-R38, R45-R48).
MAX_RISK = 0.01
POSITION_CAP = 0.10
POSITION_HARD_CAP = 0.25
SYMBOL_EXPOSURE_CAP = 10_000.0
TOTAL_EXPOSURE_CAP = 50_000.0
OPEN_RISK_CAP = 0.10
MAX_CONCURRENT = 3
MAX_TRADES_PER_DAY = 10
MAX_TRADES_PER_SYMBOL_DAY = 2
MAX_ORDERS_PER_MINUTE = 5
RISK_MIN_RR = 1.2
RR_TOLERANCE = 1e-9
DAILY_LOSS_DOLLARS = 500.0
DAILY_LOSS_FRACTION = 0.05
KILL_FRACTION = 0.10
DRAWDOWN_FRACTION = 0.10
MIN_AVERAGE_VOLUME = 500_000.0

# Simulation (section 3, R39-R44).
SLIPPAGE = 0.0001
TRAILING_FRACTION = 0.05
FLAT_TIME = clock(15, 50)
FULL_CLOSE = clock(16, 0)
HALF_DAY_FLAT = timedelta(minutes=15)
VOLUME_SHARE_DIVISOR = 10  # a fill is at most volume / 10

NEAR = 1e-6

IDLE = "idle"
MR_ARMED = "mr_armed"
TC_ARMED = "tc_armed"
TRIGGERED = "triggered"
IN_TRADE = "in_trade"
COOLDOWN = "cooldown"

ACCEPTED = "accepted"

CYCLE_COLUMNS = [
    *("symbol", "timestamp", "close", "mu", "sigma", "z", "ready", "htf_trend", "state", "side"),
]
SIGNAL_COLUMNS = [
    *("symbol", "timestamp", "setup", "side", "price", "stop", "target", "z", "decision"),
    *("qty", "blocks"),
]
TRADE_COLUMNS = [
    *("symbol", "setup", "side", "qty", "entry_time", "entry_price", "exit_time", "exit_price"),
    *("exit_reason", "pnl", "fees"),
]
REJECTION_COLUMNS = ["symbol", "reason", "count"]
SNAPSHOT_COLUMNS = [
    *("symbol", "date", "ema_slope_daily", "ema_slope_hourly", "hh_ll_tag", "atr_percentile"),
    *("sessions", "htf_trend", "atr_5m"),
]


@dataclass
class Reference:
    """The figures of one reference replay.

    ``signals`` has two columns beyond the agreed ones: ``qty`` (ordered size, 0 when blocked) and
    ``blocks`` (every rule that blocked, joined by ``|``; ``decision`` is the first of them).
    """

    cycles: pd.DataFrame
    signals: pd.DataFrame
    trades: pd.DataFrame
    bar_rejections: pd.DataFrame
    snapshots: pd.DataFrame
    near: list[tuple[str, pd.Timestamp]]


# --------------------------------------------------------------------------- bars and sessions


@dataclass(frozen=True)
class Bar:
    """One bar; ``start`` is its UTC start."""

    start: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True)
class Session:
    """One exchange session: its New York date and its UTC open and close."""

    day: date
    open: datetime
    close: datetime

    @property
    def flat(self) -> datetime:
        """The moment from which positions are closed: 15:50, or close - 15 min on a half-day."""
        if self.close.astimezone(NEW_YORK).time() < FULL_CLOSE:
            return self.close - HALF_DAY_FLAT
        return datetime.combine(self.day, FLAT_TIME, NEW_YORK).astimezone(self.close.tzinfo)

    def contains(self, start: datetime) -> bool:
        """R2: session open <= start < session close."""
        return self.open <= start < self.close


Sessions = dict[date, Session]


def new_york_date(moment: datetime) -> date:
    """The New York date of a UTC moment."""
    return moment.astimezone(NEW_YORK).date()


def load_sessions(first: date, last: date) -> Sessions:
    """XNYS sessions covering at least first..last, by date."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        calendar = exchange_calendars.get_calendar(
            "XNYS",
            start=str(first - timedelta(days=10)),
            end=str(last + timedelta(days=10)),
        )
        sessions: Sessions = {}
        for label, row in calendar.schedule.iterrows():
            day = label.date()
            sessions[day] = Session(day, row["open"].to_pydatetime(), row["close"].to_pydatetime())
    return sessions


def read_bars(path: Path) -> list[Bar]:
    """The rows of one parquet file, in stored order, unchecked."""
    frame = pd.read_parquet(path, columns=["timestamp", "open", "high", "low", "close", "volume"])
    starts = [stamp.to_pydatetime() for stamp in frame["timestamp"]]
    columns = [
        [float(value) for value in frame[name].to_numpy(dtype=float, na_value=NAN)]
        for name in ("open", "high", "low", "close", "volume")
    ]
    return [Bar(*row) for row in zip(starts, *columns, strict=True)]


def read_symbol(directories: Sequence[Path], symbol: str) -> list[Bar]:
    """A symbol's raw rows of all directories, files ordered by their first timestamp."""
    files: list[list[Bar]] = []
    for directory in directories:
        path = directory / f"{symbol}.parquet"
        if path.exists():
            rows = read_bars(path)
            if rows:
                files.append(rows)
    files.sort(key=lambda rows: rows[0].start)  # stable: ties stay in the order given
    return [row for rows in files for row in rows]


@dataclass
class BarGate:
    """R1, R2: the row checks, in arrival order, for one symbol."""

    sessions: Sessions
    accepted: list[Bar] = field(default_factory=list)
    starts: set[datetime] = field(default_factory=set)
    rejections: Counter[str] = field(default_factory=Counter)

    def offer(self, bar: Bar) -> None:
        """Accept the row, or count the first reason that rejects it."""
        reason = self.reason(bar)
        if reason is None:
            self.accepted.append(bar)
            self.starts.add(bar.start)
        else:
            self.rejections[reason] += 1

    def reason(self, bar: Bar) -> str | None:
        """The first failing check, in the order of section 1."""
        prices = (bar.open, bar.high, bar.low, bar.close)
        if any(math.isnan(value) for value in (*prices, bar.volume)):
            return "nan_or_non_positive_price"
        if any(price <= 0.0 for price in prices):
            return "nan_or_non_positive_price"
        if bar.high < max(bar.open, bar.close):
            return "high_below_body"
        if bar.low > min(bar.open, bar.close):
            return "low_above_body"
        if bar.volume < 0.0:
            return "negative_volume"
        if bar.start in self.starts:
            return "duplicate"
        if self.accepted and bar.start < self.accepted[-1].start:
            return "out_of_order"
        session = self.sessions.get(new_york_date(bar.start))
        if session is None or not session.contains(bar.start):
            return "outside_calendar"
        return None


# --------------------------------------------------------------------------- indicators


@dataclass(frozen=True)
class Aggregate:
    """A bar of a higher timeframe and the moment it becomes known (R3)."""

    day: date
    end: datetime
    bar: Bar


def aggregate(bars: Sequence[Bar], sessions: Sessions, minutes: int) -> list[Aggregate]:
    """R3: buckets aligned to the session open, clipped at its close, at least one minute each."""
    size = timedelta(minutes=minutes)
    buckets: dict[tuple[date, int], list[Bar]] = {}
    for bar in bars:
        session = sessions[new_york_date(bar.start)]
        number = (bar.start - session.open) // size
        buckets.setdefault((session.day, number), []).append(bar)
    result = []
    for (day, number), members in buckets.items():
        session = sessions[day]
        start = session.open + number * size
        merged = Bar(
            start,
            members[0].open,
            max(member.high for member in members),
            min(member.low for member in members),
            members[-1].close,
            math.fsum(member.volume for member in members),
        )
        result.append(Aggregate(day, min(start + size, session.close), merged))
    return result


def ema(closes: Sequence[float]) -> list[float]:
    """R14: EMA-20 of the whole history, seeded with the simple mean of the first 20 closes."""
    values = [NAN] * len(closes)
    if len(closes) < EMA_PERIOD:
        return values
    alpha = 2.0 / (EMA_PERIOD + 1)
    value = math.fsum(closes[:EMA_PERIOD]) / EMA_PERIOD
    values[EMA_PERIOD - 1] = value
    for index in range(EMA_PERIOD, len(closes)):
        value = alpha * closes[index] + (1.0 - alpha) * value
        values[index] = value
    return values


def true_range(bar: Bar, previous_close: float) -> float:
    """The true range of a bar given the previous close."""
    return max(
        bar.high - bar.low,
        abs(bar.high - previous_close),
        abs(bar.low - previous_close),
    )


def wilder_atr(bars: Sequence[Bar]) -> list[float]:
    """R15: true range from the second bar; first ATR = mean of 14 true ranges; then Wilder."""
    values = [NAN] * len(bars)
    ranges = [true_range(bars[i], bars[i - 1].close) for i in range(1, len(bars))]
    if len(ranges) < ATR_PERIOD:
        return values
    value = math.fsum(ranges[:ATR_PERIOD]) / ATR_PERIOD
    values[ATR_PERIOD] = value
    for index in range(ATR_PERIOD + 1, len(bars)):
        value = ((ATR_PERIOD - 1) * value + ranges[index - 1]) / ATR_PERIOD
        values[index] = value
    return values


def slope(emas: Sequence[float], atrs: Sequence[float], count: int) -> float:
    """R16: EMA change over 3 bars per ATR, of the first ``count`` bars; NaN under 23 bars."""
    if count < EMA_PERIOD + SLOPE_BARS:
        return NAN
    last = count - 1
    if atrs[last] == 0.0:
        return NAN
    return (emas[last] - emas[last - SLOPE_BARS]) / atrs[last]


def swing_highs(highs: Sequence[float]) -> list[float]:
    """R17: values strictly greater than the 2 on each side."""
    found = []
    for i in range(FRACTAL_WIDTH, len(highs) - FRACTAL_WIDTH):
        sides = [*highs[i - FRACTAL_WIDTH : i], *highs[i + 1 : i + 1 + FRACTAL_WIDTH]]
        if all(highs[i] > other for other in sides):
            found.append(highs[i])
    return found


def swing_tag(bars: Sequence[Bar]) -> str:
    """R17: HH, LL or mixed, from the last two swing highs and the last two swing lows."""
    highs = swing_highs([bar.high for bar in bars])
    lows = [-value for value in swing_highs([-bar.low for bar in bars])]
    if len(highs) < 2 or len(lows) < 2:
        return "mixed"
    if highs[-1] > highs[-2] and lows[-1] > lows[-2]:
        return "HH"
    if highs[-1] < highs[-2] and lows[-1] < lows[-2]:
        return "LL"
    return "mixed"


def percentile(atrs: Sequence[float]) -> tuple[float, int]:
    """R18: rank 0-100 of the latest daily ATR among the last 252, and how many there were."""
    values = [value for value in atrs if not math.isnan(value)][-PERCENTILE_SESSIONS:]
    if len(values) < 2:
        return NAN, len(values)
    below = sum(1 for value in values[:-1] if value < values[-1])
    return 100.0 * below / (len(values) - 1), len(values)


@dataclass(frozen=True)
class Snapshot:
    """The premarket snapshot of one symbol and date (R12-R19)."""

    ema_slope_daily: float
    ema_slope_hourly: float
    hh_ll_tag: str
    atr_percentile: float
    sessions: int
    htf_trend: int
    atr_5m: float
    average_volume: float

    @property
    def complete(self) -> bool:
        """R19: both slopes and the percentile are there."""
        parts = (self.ema_slope_daily, self.ema_slope_hourly, self.atr_percentile)
        return not any(math.isnan(part) for part in parts)


def trend(daily: float, hourly: float, rank: float, tag: str) -> int:
    """``htf_trend`` of section 2; 0 when the snapshot is incomplete (R19)."""
    if math.isnan(daily) or math.isnan(hourly) or math.isnan(rank):
        return 0
    if daily > 0.0 and hourly > 0.0 and tag != "LL":
        return 1
    if daily < 0.0 and hourly < 0.0 and tag != "HH":
        return -1
    return 0


class History:
    """Everything stored about one symbol: accepted bars and the indicator series over them."""

    def __init__(self, accepted: Sequence[Bar], daily: Sequence[Bar], sessions: Sessions) -> None:
        """Build the by-session minute bars and the daily, hourly and 5-minute series."""
        self.by_day: dict[date, dict[datetime, Bar]] = {}
        for bar in accepted:
            self.by_day.setdefault(new_york_date(bar.start), {})[bar.start] = bar

        self.daily = list(daily)
        self.daily_days = [new_york_date(bar.start) for bar in daily]
        self.daily_ema = ema([bar.close for bar in daily])
        self.daily_atr = wilder_atr(self.daily)

        hourly = aggregate(accepted, sessions, 60)
        self.hourly_days = [item.day for item in hourly]
        self.hourly_ema = ema([item.bar.close for item in hourly])
        self.hourly_atr = wilder_atr([item.bar for item in hourly])

        five = aggregate(accepted, sessions, 5)
        self.five_ends = [item.end for item in five]
        self.five_atr = wilder_atr([item.bar for item in five])

    def atr_5m(self, now: datetime) -> float:
        """R3, R23: ATR of the last 5-min bar known at ``now``."""
        known = bisect_right(self.five_ends, now)
        return self.five_atr[known - 1] if known else NAN

    def snapshot(self, session: Session) -> Snapshot:
        """R12: the snapshot from bars of sessions before this one only."""
        days = bisect_left(self.daily_days, session.day)
        hours = bisect_left(self.hourly_days, session.day)
        daily_slope = slope(self.daily_ema, self.daily_atr, days)
        hourly_slope = slope(self.hourly_ema, self.hourly_atr, hours)
        tag = swing_tag(self.daily[:days])
        rank, count = percentile(self.daily_atr[:days])
        volumes = [bar.volume for bar in self.daily[:days]][-AVERAGE_VOLUME_DAYS:]
        return Snapshot(
            ema_slope_daily=daily_slope,
            ema_slope_hourly=hourly_slope,
            hh_ll_tag=tag,
            atr_percentile=rank,
            sessions=count,
            htf_trend=trend(daily_slope, hourly_slope, rank, tag),
            atr_5m=self.atr_5m(session.open),
            average_volume=math.fsum(volumes) / len(volumes) if volumes else NAN,
        )


@dataclass(frozen=True)
class Band:
    """The band of one bar; values are NaN where they do not exist."""

    mu: float
    sigma: float
    z: float
    ready: bool


def band(closes: Sequence[float]) -> Band:
    """R5-R7: mean, population deviation and z of the window, the current close last."""
    count = len(closes)
    if count < MIN_CLOSES:
        return Band(NAN, NAN, NAN, False)
    close = closes[-1]
    mu = math.fsum(closes) / count
    sigma = math.sqrt(math.fsum((value - mu) ** 2 for value in closes) / count)
    if sigma < MIN_RELATIVE_SIGMA * close:
        return Band(mu, sigma, NAN, False)
    return Band(mu, sigma, (close - mu) / sigma, True)


# --------------------------------------------------------------------------- state machine


@dataclass(frozen=True)
class Thresholds:
    """The four z thresholds in force (R10)."""

    mr_arm: float
    mr_trigger: float
    tc_arm: float
    tc_trigger: float


@dataclass
class Machine:
    """The state machine of one symbol on one day (R8-R9, R20-R33)."""

    state: str = IDLE
    setup: str = ""
    side: int = 0
    armed_bars: int = 0
    extreme: float = NAN
    pulled_back: bool = False
    cooldown_bars: int = 0
    closed_at: datetime | None = None
    previous_z: float = NAN
    near: bool = False  # some comparison of the current bar was within 1e-6 of its threshold

    def reset(self) -> None:
        """Back to idle."""
        self.state = IDLE
        self.setup = ""
        self.side = 0

    def enter_trade(self) -> None:
        """R31: in_trade from the fill bar."""
        self.state = IN_TRADE

    def trade_closed(self, start: datetime) -> None:
        """R31, R32: cooldown from the bar in which the trade closed, which is bar 0."""
        self.reset()
        self.state = COOLDOWN
        self.cooldown_bars = 0
        self.closed_at = start

    def at_least(self, value: float, threshold: float) -> bool:
        """R6: inclusive comparison, noting a near miss or near hit."""
        self.near = self.near or abs(value - threshold) <= NEAR
        return value >= threshold

    def at_most(self, value: float, threshold: float) -> bool:
        """R6: inclusive comparison, noting a near miss or near hit."""
        self.near = self.near or abs(value - threshold) <= NEAR
        return value <= threshold

    def greater(self, value: float, threshold: float) -> bool:
        """R25: strict comparison, noting a near miss or near hit."""
        self.near = self.near or abs(value - threshold) <= NEAR
        return value > threshold

    def step(self, start: datetime, z: float, snapshot: Snapshot, limits: Thresholds) -> bool:
        """Run one ready bar; True when it triggers. Not called on a bar that is not ready (R8)."""
        triggered = self._step(start, z, snapshot, limits)
        self.previous_z = z
        return triggered

    def _step(self, start: datetime, z: float, snapshot: Snapshot, limits: Thresholds) -> bool:
        inside = ENTRY_FROM <= start.astimezone(NEW_YORK).time() < ENTRY_UNTIL  # R20
        if self.state == IN_TRADE:
            return False
        if self.state == COOLDOWN:
            if start == self.closed_at:  # R32: bar 0 cannot arm
                return False
            self.cooldown_bars += 1
            if self.cooldown_bars <= COOLDOWN_BARS:  # R32: bars 1-10 are cooldown
                return False
            self.reset()  # R32: bar 11 is idle and can arm
        if self.state == TRIGGERED:
            # R30: blocked on the bar before (an accepted one has met its fill bar by now).
            self.reset()
        if self.state == IDLE:
            if inside:
                self._arm(z, snapshot, limits)
            return False
        if not inside:  # R21: window_end, before any trigger test
            self.reset()
            return False
        self.armed_bars += 1  # R27: the arming bar is number 0
        fires = self._mr_fires(z, limits) if self.setup == "MR" else self._tc_fires(z, limits)
        if fires:
            self.state = TRIGGERED
            return True
        if self.armed_bars == ARMED_BARS:  # R27: idle at the close of bar 60
            self.reset()
        return False

    def _arm(self, z: float, snapshot: Snapshot, limits: Thresholds) -> None:
        """R9: on level, in idle only."""
        if not snapshot.complete:  # R19
            return
        if snapshot.atr_percentile > ATR_PERCENTILE_CAP:  # R18: strictly greater
            return
        sign = (z > 0.0) - (z < 0.0)
        if snapshot.htf_trend != sign:
            if self.at_least(abs(z), limits.mr_arm):
                self._set_armed("MR", -sign, z)
        elif self.at_least(abs(z), limits.tc_arm):
            self._set_armed("TC", sign, z)

    def _set_armed(self, setup: str, side: int, z: float) -> None:
        """R26: setup and side are fixed here."""
        self.state = MR_ARMED if setup == "MR" else TC_ARMED
        self.setup = setup
        self.side = side
        self.armed_bars = 0
        self.extreme = side * z
        self.pulled_back = False

    def _mr_fires(self, z: float, limits: Thresholds) -> bool:
        """R22: inside the trigger band, on either side of the mean."""
        return self.at_most(abs(z), limits.mr_trigger)

    def _tc_fires(self, z: float, limits: Thresholds) -> bool:
        """R25: after the pullback, the first later bar on which s rises."""
        s = self.side * z
        if self.pulled_back:
            return self.greater(s, self.side * self.previous_z)
        self.extreme = max(self.extreme, s)
        if self.at_least(self.extreme - s, limits.tc_trigger):
            self.pulled_back = True
        return False


# --------------------------------------------------------------------------- orders and positions


@dataclass(frozen=True)
class Plan:
    """A signal's order: side, size and the reference prices it was computed from (R24)."""

    symbol: str
    setup: str
    side: int
    qty: int
    price: float
    stop: float
    target: float

    @property
    def risk_per_share(self) -> float:
        """|ref - stop|."""
        return abs(self.price - self.stop)


@dataclass
class Position:
    """An open position, with the exits it has had so far."""

    plan: Plan
    filled: int
    entry_time: datetime
    entry_price: float
    best: float
    exits: list[tuple[int, float]] = field(default_factory=list)
    waiting: str | None = None  # reason of the market exit that goes out at the next open

    @property
    def side(self) -> int:
        """+1 long, -1 short."""
        return self.plan.side

    @property
    def remaining(self) -> int:
        """Shares still held."""
        return self.filled - sum(qty for qty, _ in self.exits)

    def active_stop(self) -> tuple[float, str]:
        """R43: the tighter of the stop and the trailing level, and its name."""
        trailing = self.best * (1.0 - self.side * TRAILING_FRACTION)
        if self.side * (trailing - self.plan.stop) > 0.0:
            return trailing, "trailing_stop"
        return self.plan.stop, "stop"

    def note_finished(self, bar: Bar) -> None:
        """R43: a finished bar may move the best price."""
        self.best = max(self.best, bar.high) if self.side > 0 else min(self.best, bar.low)


def max_fill(bar: Bar) -> int:
    """R44: floor of 10 % of the bar's volume."""
    return math.floor(bar.volume / VOLUME_SHARE_DIVISOR)


def exit_fill(position: Position, bar: Bar, flat: datetime) -> tuple[float, str] | None:
    """R40-R43: price and reason of the exit this bar brings, or None."""
    side = position.side
    if position.waiting is not None:  # R40: a waiting market exit goes first, at the open
        return bar.open * (1.0 - side * SLIPPAGE), position.waiting
    if bar.start >= flat:  # R41: end of day, before any stop test
        return bar.open * (1.0 - side * SLIPPAGE), "end_of_day"
    level, reason = position.active_stop()
    worst = bar.low if side > 0 else bar.high
    if side * (worst - level) <= 0.0:  # R40: touch is inclusive, stop before target
        gapped = side * (bar.open - level) < 0.0
        base = bar.open if gapped else level
        return base * (1.0 - side * SLIPPAGE), reason  # R42
    favourable = bar.high if side > 0 else bar.low
    target = position.plan.target
    if side * (favourable - target) >= 0.0:
        better = max(target, bar.open) if side > 0 else min(target, bar.open)
        return better, "target"  # R42: no slippage
    return None


# --------------------------------------------------------------------------- the replay


class Replay:
    """The state of one replay and its minute loop (R34)."""

    def __init__(
        self,
        histories: dict[str, History],
        symbols: Sequence[str],
        start_equity: float,
        caps_lifted: bool,
        multipliers: tuple[float, float, float, float],
    ) -> None:
        """Start flat, active, with the whole start equity in cash."""
        self.histories = histories
        self.symbols = list(symbols)
        self.start_equity = start_equity
        self.symbol_cap = math.inf if caps_lifted else SYMBOL_EXPOSURE_CAP
        self.total_cap = math.inf if caps_lifted else TOTAL_EXPOSURE_CAP
        self.position_cap = POSITION_HARD_CAP if caps_lifted else POSITION_CAP
        low, high = MULTIPLIER_RANGE
        self.multipliers = [min(max(value, low), high) for value in multipliers]

        self.windows: dict[str, deque[float]] = {s: deque(maxlen=WINDOW) for s in symbols}
        self.machines: dict[str, Machine] = {s: Machine() for s in symbols}
        self.pending: dict[str, Plan] = {}
        self.positions: dict[str, Position] = {}
        self.last_bars: dict[str, Bar] = {}
        self.snapshots: dict[str, Snapshot] = {}

        self.realised = 0.0
        self.peak = start_equity
        self.session_equity = start_equity
        self.halted: str | None = None
        self.filled_today: Counter[str] = Counter()
        self.orders_this_minute = 0

        self.cycle_rows: list[tuple[object, ...]] = []
        self.signal_rows: list[tuple[object, ...]] = []
        self.trade_rows: list[tuple[object, ...]] = []
        self.snapshot_rows: list[tuple[object, ...]] = []
        self.near: list[tuple[str, pd.Timestamp]] = []

    # ---- account

    def equity(self) -> float:
        """R36: start + realised + unrealised at last closes."""
        unrealised = 0.0
        for symbol, position in self.positions.items():
            move = self.last_bars[symbol].close - position.entry_price
            unrealised += position.side * position.remaining * move
        return self.start_equity + self.realised + unrealised

    def daily_loss(self) -> float:
        """R36: equity at the session's start - equity now."""
        return self.session_equity - self.equity()

    def thresholds(self) -> Thresholds:
        """Thresholds times the multipliers in force; arm ones only tighten in a deep daily loss."""
        mr_arm, mr_trigger, tc_arm, tc_trigger = self.multipliers
        loss = self.daily_loss()
        if loss > DAILY_LOSS_DOLLARS / 2 or loss > self.session_equity * DAILY_LOSS_FRACTION / 2:
            mr_arm = max(mr_arm, 1.0)
            tc_arm = max(tc_arm, 1.0)
        return Thresholds(
            MR_ARM_Z * mr_arm,
            MR_TRIGGER_Z * mr_trigger,
            TC_ARM_Z * tc_arm,
            TC_TRIGGER_Z * tc_trigger,
        )

    # ---- sessions

    def seed(self, day: date) -> None:
        """R5: a session before the replay only feeds the windows."""
        for symbol in self.symbols:
            for bar in self.histories[symbol].by_day.get(day, {}).values():
                self.windows[symbol].append(bar.close)

    def run_session(self, session: Session) -> None:
        """One session: snapshot, every minute that has a bar, then whatever is still open."""
        self.start_session(session)
        today = {s: self.histories[s].by_day.get(session.day, {}) for s in self.symbols}
        starts = sorted({start for bars in today.values() for start in bars})
        for start in starts:
            minute = {s: today[s][start] for s in self.symbols if start in today[s]}
            self.run_minute(session, start, minute)
        self.end_session()

    def start_session(self, session: Session) -> None:
        """R33, R12, R36, R37: idle machines, the snapshot, the day's equity and counters."""
        self.session_equity = self.equity()
        self.filled_today = Counter()
        for symbol in self.symbols:
            previous_z = self.machines[symbol].previous_z
            self.machines[symbol] = Machine(previous_z=previous_z)
            snapshot = self.histories[symbol].snapshot(session)
            self.snapshots[symbol] = snapshot
            self.snapshot_rows.append(
                (
                    symbol,
                    session.day,
                    snapshot.ema_slope_daily,
                    snapshot.ema_slope_hourly,
                    snapshot.hh_ll_tag,
                    snapshot.atr_percentile,
                    snapshot.sessions,
                    snapshot.htf_trend,
                    snapshot.atr_5m,
                )
            )

    def end_session(self) -> None:
        """R39, R41: cancel entries without a bar; close what had no flat-time bar at last close."""
        self.pending.clear()
        for symbol in self.symbols:
            position = self.positions.get(symbol)
            if position is not None:
                bar = self.last_bars[symbol]
                price = bar.close * (1.0 - position.side * SLIPPAGE)
                reason = position.waiting or "end_of_day"
                self.book_exit(position, bar, position.remaining, price, reason)

    # ---- one minute (R34)

    def run_minute(self, session: Session, start: datetime, minute: dict[str, Bar]) -> None:
        """Entries at the open, exits, marks, then band + machine + risk in watchlist order."""
        self.orders_this_minute = 0
        for symbol, bar in minute.items():
            self.fill_entry(symbol, bar, session)
        for symbol, bar in minute.items():
            self.run_exits(symbol, bar, session)
        self.last_bars.update(minute)
        self.test_kill_and_drawdown()
        for symbol, bar in minute.items():
            self.run_symbol(symbol, bar)

    def fill_entry(self, symbol: str, bar: Bar, session: Session) -> None:
        """R39, R44: the waiting entry of a symbol meets its next bar."""
        plan = self.pending.pop(symbol, None)
        if plan is None:
            return
        machine = self.machines[symbol]
        if bar.start >= session.flat:  # R39: cancelled
            machine.reset()
            return
        qty = min(plan.qty, max_fill(bar))
        if qty == 0:  # R44: rejected
            machine.reset()
            return
        price = bar.open * (1.0 + plan.side * SLIPPAGE)
        self.positions[symbol] = Position(plan, qty, bar.start, price, best=price)
        self.filled_today[symbol] += 1
        machine.enter_trade()

    def run_exits(self, symbol: str, bar: Bar, session: Session) -> None:
        """R40-R44: the exit this bar brings, as far as its volume allows."""
        position = self.positions.get(symbol)
        if position is None:
            return
        result = exit_fill(position, bar, session.flat)
        if result is not None:
            price, reason = result
            qty = min(position.remaining, max_fill(bar))
            self.book_exit(position, bar, qty, price, reason)
            if symbol not in self.positions:
                self.machines[symbol].trade_closed(bar.start)
                return
        position.note_finished(bar)

    def book_exit(self, position: Position, bar: Bar, qty: int, price: float, reason: str) -> None:
        """Book an exit fill; write the trade once nothing is left, else leave the rest waiting."""
        if qty > 0:
            position.exits.append((qty, price))
            self.realised += position.side * qty * (price - position.entry_price)
        position.waiting = reason  # R44: the rest goes out at the next open
        if position.remaining > 0:
            return
        symbol = position.plan.symbol
        del self.positions[symbol]
        side, entry = position.side, position.entry_price
        pnl = math.fsum(side * shares * (paid - entry) for shares, paid in position.exits)
        paid = math.fsum(shares * paid for shares, paid in position.exits) / position.filled
        self.trade_rows.append(
            (
                symbol,
                position.plan.setup,
                "long" if side > 0 else "short",
                position.filled,
                pd.Timestamp(position.entry_time),
                entry,
                pd.Timestamp(bar.start),
                paid,
                reason,
                pnl,
                0.0,
            )
        )

    def test_kill_and_drawdown(self) -> None:
        """R48: once a minute after the marks; HALTED stays, its exits go out at the next open."""
        equity = self.equity()
        self.peak = max(self.peak, equity)
        if self.halted is not None:
            return
        if self.session_equity - equity > KILL_FRACTION * self.session_equity:
            self.halt("kill")
        elif self.peak - equity > DRAWDOWN_FRACTION * self.peak:
            self.halt("drawdown")

    def halt(self, reason: str) -> None:
        """Nothing but exits from here on: entries still waiting are cancelled."""
        self.halted = reason
        for symbol in self.pending:
            self.machines[symbol].reset()
        self.pending.clear()
        for position in self.positions.values():
            if position.waiting is None:
                position.waiting = reason

    def run_symbol(self, symbol: str, bar: Bar) -> None:
        """Band, state machine, signal and risk of one symbol, and its cycle row."""
        window = self.windows[symbol]
        window.append(bar.close)
        values = band(list(window))
        machine = self.machines[symbol]
        snapshot = self.snapshots[symbol]
        if values.ready:  # R8
            machine.near = False
            if machine.step(bar.start, values.z, snapshot, self.thresholds()):
                self.signal(symbol, bar, values.z)
            if machine.near:
                self.near.append((symbol, pd.Timestamp(bar.start)))
        self.cycle_rows.append(
            (
                symbol,
                pd.Timestamp(bar.start),
                bar.close,
                values.mu,
                values.sigma,
                values.z,
                values.ready,
                snapshot.htf_trend,
                machine.state,
                machine.side,
            )
        )

    # ---- signal and risk

    def signal(self, symbol: str, bar: Bar, z: float) -> None:
        """R23, R24, R28, R29: write the signal, then let risk decide."""
        machine = self.machines[symbol]
        side = machine.side
        distance = ATR_MULTIPLIER_SL * self.histories[symbol].atr_5m(bar.start + MINUTE)
        price = bar.close
        stop = price - side * distance
        target = price + side * MIN_RR_RATIO * distance
        qty = self.size(symbol, price, abs(price - stop))
        blocks = list(self.blocks(symbol, price, stop, target, qty))
        decision = blocks[0] if blocks else ACCEPTED
        if not blocks:
            plan = Plan(symbol, machine.setup, side, qty, price, stop, target)
            self.pending[symbol] = plan
            self.orders_this_minute += 1
        self.signal_rows.append(
            (
                symbol,
                pd.Timestamp(bar.start),
                machine.setup,
                "long" if side > 0 else "short",
                price,
                stop,
                target,
                z,
                decision,
                0 if blocks else qty,
                "|".join(blocks),
            )
        )

    def blocks(
        self, symbol: str, price: float, stop: float, target: float, qty: int
    ) -> Iterator[str]:
        """Every rule that blocks this entry."""
        average = self.snapshots[symbol].average_volume
        if self.halted is not None:
            yield "halted"
        loss = self.daily_loss()  # R36: strict
        if loss > DAILY_LOSS_DOLLARS or loss > DAILY_LOSS_FRACTION * self.session_equity:
            yield "daily_loss"
        if math.isnan(average) or average < MIN_AVERAGE_VOLUME:  # R45
            yield "average_volume"
        risk = abs(price - stop)
        if math.isnan(risk) or risk == 0.0:  # every entry has a stop
            yield "no_stop"
        elif abs(target - price) / risk < RISK_MIN_RR - RR_TOLERANCE:  # R46
            yield "reward_risk"
        if len(self.positions) + len(self.pending) >= MAX_CONCURRENT:  # R35
            yield "concurrent_positions"
        # R37: filled entries plus pending ones.
        if self.filled_today.total() + len(self.pending) >= MAX_TRADES_PER_DAY:
            yield "trades_per_day"
        if self.filled_today[symbol] + (symbol in self.pending) >= MAX_TRADES_PER_SYMBOL_DAY:
            yield "trades_per_symbol_day"
        if self.orders_this_minute >= MAX_ORDERS_PER_MINUTE:  # R47
            yield "orders_per_minute"
        if qty < 1:  # R38
            yield "size"

    def size(self, symbol: str, price: float, risk: float) -> int:
        """R38: the floor of the smallest cap, at least 0."""
        if math.isnan(risk) or risk == 0.0:
            return 0
        equity = self.equity()
        exposures = self.exposures()
        shares = min(
            equity * MAX_RISK / risk,
            self.position_cap * equity / price,
            (self.symbol_cap - exposures[symbol]) / price,
            (self.total_cap - math.fsum(exposures.values())) / price,
            (OPEN_RISK_CAP * equity - self.open_risk()) / risk,
        )
        return max(0, math.floor(shares))

    def exposures(self) -> dict[str, float]:
        """R38: exposure by symbol, positions at last closes, pending at reference prices."""
        result = dict.fromkeys(self.symbols, 0.0)
        for symbol, position in self.positions.items():
            result[symbol] += position.remaining * self.last_bars[symbol].close
        for symbol, plan in self.pending.items():
            result[symbol] += plan.qty * plan.price
        return result

    def open_risk(self) -> float:
        """R38: qty x |ref - stop| over positions and pending entries."""
        held = [p.remaining * p.plan.risk_per_share for p in self.positions.values()]
        return math.fsum([*held, *(p.qty * p.risk_per_share for p in self.pending.values())])


def load_histories(
    bars: Sequence[Path], daily: Path, last: date, symbols: Sequence[str]
) -> tuple[dict[str, History], Sessions, list[tuple[str, str, int]]]:
    """Read and check everything stored; also the sessions covered and the rejection counts."""
    raw = {symbol: read_symbol(bars, symbol) for symbol in symbols}
    days = {new_york_date(row.start) for rows in raw.values() for row in rows} | {last}
    sessions = load_sessions(min(days), max(days))
    histories: dict[str, History] = {}
    rejections: list[tuple[str, str, int]] = []
    for symbol in symbols:
        gate = BarGate(sessions)
        for row in raw[symbol]:
            gate.offer(row)
        rejections.extend((symbol, reason, n) for reason, n in sorted(gate.rejections.items()))
        path = daily / f"{symbol}.parquet"
        histories[symbol] = History(
            gate.accepted, read_bars(path) if path.exists() else [], sessions
        )
    return histories, sessions, rejections


def ordered_trades(rows: list[tuple[object, ...]], symbols: Sequence[str]) -> pd.DataFrame:
    """The trades by exit time, then watchlist order."""
    frame = pd.DataFrame(rows, columns=TRADE_COLUMNS)
    rank = frame["symbol"].map({symbol: place for place, symbol in enumerate(symbols)})
    order = frame.assign(rank=rank).sort_values(["exit_time", "rank"], kind="stable").index
    return frame.loc[order].reset_index(drop=True)


def reference_replay(
    bars: Sequence[Path],
    daily: Path,
    first: date,
    last: date,
    symbols: Sequence[str],
    *,
    start_equity: float = 100_000.0,
    caps_lifted: bool = False,
    multipliers: tuple[float, float, float, float] = (1, 1, 1, 1),
) -> Reference:
    """Replay the sessions first..last and return every figure of it.

    ``bars``: directories with one parquet file per symbol of 1-min bars. A symbol's files are read
    in the order of their first timestamps, rows in stored order; everything before ``first`` only
    seeds windows and indicators. ``daily``: the directory of daily bars. ``caps_lifted`` removes
    the dollar caps and raises the position cap to its hard limit. ``multipliers``: mr_arm,
    mr_trigger, tc_arm, tc_trigger.
    """
    histories, sessions, rejections = load_histories(bars, daily, last, symbols)
    replay = Replay(histories, symbols, start_equity, caps_lifted, multipliers)
    for day in sorted(sessions):
        if day < first:
            replay.seed(day)
        elif day <= last:
            replay.run_session(sessions[day])
    return Reference(
        cycles=pd.DataFrame(replay.cycle_rows, columns=CYCLE_COLUMNS),
        signals=pd.DataFrame(replay.signal_rows, columns=SIGNAL_COLUMNS),
        trades=ordered_trades(replay.trade_rows, symbols),
        bar_rejections=pd.DataFrame(rejections, columns=REJECTION_COLUMNS),
        snapshots=pd.DataFrame(replay.snapshot_rows, columns=SNAPSHOT_COLUMNS),
        near=replay.near,
    )


def data_directory() -> Path:
    """The recorded market data: ``ADVISOR_TEST_DATA``, else ``../shared/data`` of the repo."""
    configured = os.environ.get("ADVISOR_TEST_DATA")
    if configured:
        return Path(configured)
    return Path(__file__).resolve().parents[2].parent / "shared" / "data"


def summary(result: Reference) -> list[str]:
    """A few lines of counts."""
    signals, trades = result.signals, result.trades
    rejected: Counter[str] = Counter()
    for _, reason, count in result.bar_rejections.itertuples(index=False):
        rejected[reason] += count
    return [
        f"cycles {len(result.cycles)}, ready {int(result.cycles['ready'].sum())},"
        f" snapshots {len(result.snapshots)}, near {len(result.near)}",
        f"rejections {dict(rejected)}",
        f"signals {len(signals)} {dict(Counter(signals['setup']))}"
        f" {dict(Counter(signals['decision']))}",
        f"trades {len(trades)} {dict(Counter(trades['exit_reason']))}"
        f" pnl {math.fsum(trades['pnl']):.6f}",
    ]


def main(write: Callable[[str], object] = sys.stdout.write) -> None:
    """Replay January 2025 with the normal and with the lifted caps, and print the counts."""
    data = data_directory()
    for lifted in (False, True):
        began = time.perf_counter()
        result = reference_replay(
            [data / "bars" / "1min" / "us-2025-01"],
            data / "bars" / "1day" / "us-2024-2026",
            date(2025, 1, 2),
            date(2025, 1, 31),
            ["SPY", "AAPL", "MSFT", "NVDA", "AMD", "META", "AMZN", "INTC", "SNOW"],
            caps_lifted=lifted,
        )
        took = time.perf_counter() - began
        write(f"caps {'lifted' if lifted else 'normal'} ({took:.1f} s)\n")
        for line in summary(result):
            write(f"  {line}\n")


if __name__ == "__main__":
    main()
