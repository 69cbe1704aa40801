"""Every domain type, in the order in which a trade meets them.

All are frozen, slotted and keyword-only. Times are timezone-aware UTC; prices are dollars a share;
quantities are whole shares; `side` is +1 for long, -1 for short, 0 for none. Kernels work on
arrays (see `quant_core.bars` and `quant_core.engine`); these types are what the rest of the
program reads, stores and shows.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Literal

Side = Literal[-1, 0, 1]
Bias = Literal["bullish", "bearish", "choppy"]
NewYorkDay = date  # where a field is called `date`
Lane = Literal["advised", "baseline", "placebo", "shadow"]


class Setup(StrEnum):
    """Which pattern of the `stdev` playbook a signal came from."""

    MEAN_REVERSION = "MR"
    TREND_CONTINUATION = "TC"


class State(StrEnum):
    """State of one symbol in a playbook; the order of members is the kernels' numbering."""

    IDLE = "idle"
    MR_ARMED = "mr_armed"
    TC_ARMED = "tc_armed"
    TRIGGERED = "triggered"
    IN_TRADE = "in_trade"
    COOLDOWN = "cooldown"


class RiskState(StrEnum):
    """What the account may do: ACTIVE trades, REDUCING only exits, HALTED waits for a person."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


class ExitReason(StrEnum):
    """Why a position was closed; the order of members is the kernels' numbering (from 1)."""

    STOP = "stop"
    TRAILING_STOP = "trailing_stop"
    TARGET = "target"
    END_OF_DAY = "end_of_day"
    MAX_HOLD = "max_hold"
    KILL = "kill"
    DRAWDOWN = "drawdown"


class Status(StrEnum):
    """Whether an opinion came about as intended."""

    OK = "OK"
    DEGRADED = "DEGRADED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One accepted bar; `start` is its first instant, it is known only at `start + timeframe`."""

    symbol: str
    start: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is known of one symbol before a session opens; constant all day.

    A value that cannot be computed yet is NaN. `incomplete` names what is missing; such a symbol
    does not arm that day. `sessions` is the sample behind `atr_percentile`.
    """

    symbol: str
    date: date
    ema_slope_daily: float
    ema_slope_hourly: float
    hh_ll_tag: Literal["HH", "LL", "mixed"]
    atr_percentile: float
    sessions: int
    htf_trend: Side
    mean_5m: float
    deviation_5m: float
    atr_5m: float
    average_volume: float
    previous_close: float
    incomplete: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """A news item. `received_at` is when it reached us: a late item was not known before."""

    id: str
    published_at: datetime
    received_at: datetime
    source: str
    title: str
    summary: str = ""
    symbols: tuple[str, ...] = ()

    @property
    def known_at(self) -> datetime:
        """The later of both moments: a clock that is off must not make an item known early."""
        return max(self.published_at, self.received_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartAlert:
    """What a chart's indicators see, as its alert told it; advice to advisers, never an order.

    `time` is that of its bar, which its age is counted from. `known_at` is when it reached us, and
    once it is on record the moment from which its run knew it. `score` is -10 to 10, `confidence` 0
    to 100, each of `components` -1 to 1. `id` is the same for a repetition, and for nothing else.
    """

    id: str
    symbol: str
    time: datetime
    known_at: datetime
    direction: Literal["long", "short"]
    grade: Literal["A+", "A", "B+", "B"]
    score: float
    confidence: float
    entry: float
    stop: float
    targets: tuple[float, ...]
    components: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyBias:
    """What kind of day a symbol is expected to have, as of a moment before the open.

    `premarket_price` is NaN when none is known; then `price_note` says why, and otherwise
    `premarket_price_at` says when it became known. `confidence` is 0 to 100.
    """

    as_of: datetime
    symbol: str
    date: date
    bias: Bias
    confidence: float
    reasoning: str
    news_summary: str
    premarket_price: float
    premarket_price_at: datetime | None
    price_note: str
    evidence: tuple[str, ...]
    analyst: str
    status: Status = Status.OK
    degraded_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketContext:
    """The market as a whole before the open; `bias` is that of SPY, which stands for it.

    `vix` is the close of the session `vix_date`; NaN and None when not known.
    """

    as_of: datetime
    date: date
    bias: Bias
    volatility: Literal["low", "normal", "high"]
    vix: float
    vix_date: NewYorkDay | None
    confidence: float
    summary: str
    evidence: tuple[str, ...]
    analyst: str
    status: Status = Status.OK
    degraded_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFinding:
    """What the bounds made of one claim in a model's answer: clamped, replaced, rejected, cut.

    `machine` asked as of `as_of`, about a symbol or (`about` empty) about the market.
    """

    as_of: datetime
    machine: str
    about: str
    kind: str
    field: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Multipliers:
    """Factors on the four z thresholds, each in [0.5, 2.0]; below 1 makes a setup easier."""

    mr_arm: float = 1.0
    mr_trigger: float = 1.0
    tc_arm: float = 1.0
    tc_trigger: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a factor outside the bounds; `clamped` brings one inside instead."""
        for name in ("mr_arm", "mr_trigger", "tc_arm", "tc_trigger"):
            value = getattr(self, name)
            if not 0.5 <= value <= 2.0:
                raise ValueError(f"multiplier {name} is {value}; it must lie in [0.5, 2.0]")

    @classmethod
    def clamped(cls, values: Mapping[str, float]) -> "Multipliers":
        """Bring each value into [0.5, 2.0]; a missing or non-finite one becomes 1.0."""
        bounded = {}
        for name in ("mr_arm", "mr_trigger", "tc_arm", "tc_trigger"):
            value = values.get(name, 1.0)
            bounded[name] = min(max(value, 0.5), 2.0) if math.isfinite(value) else 1.0
        return cls(**bounded)

    def as_tuple(self) -> tuple[float, float, float, float]:
        """(mr_arm, mr_trigger, tc_arm, tc_trigger)."""
        return (self.mr_arm, self.mr_trigger, self.tc_arm, self.tc_trigger)


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """An analyst's view of the market as of a moment, and the multipliers it asks for.

    `confidence` is the chance (0-100) that they do better than base thresholds until the next
    analysis. How much of what is asked for counts is the lane's authority. `applies_from` is the
    start of the first bar it applied to, where its answer came too late for the first it could
    (the session's close: it applied to none); None where it was in time.
    """

    as_of: datetime
    analyst: str
    multipliers: Multipliers
    confidence: float
    assessment: str
    opportunities: tuple[str, ...]
    reasoning: str
    evidence: tuple[str, ...]
    status: Status = Status.OK
    degraded_reason: str = ""
    applies_from: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A setup has triggered at the close of a bar; risk has not decided yet."""

    symbol: str
    start: datetime
    setup: Setup
    side: Side
    price: float
    stop: float
    target: float
    z: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A validator's ruling on one signal. It can only let pass, reduce or refuse.

    `confidence` is the chance (0-100) that the trade ends with a profit after costs, whatever the
    ruling: that is what models are asked for and what all are scored by.
    """

    ruling: Literal["approve", "reduce", "veto", "abstain"]
    size_factor: float = 1.0
    confidence: float = 100.0
    reasoning: str = ""
    evidence: tuple[str, ...] = ()
    validator: str = ""
    status: Status = Status.OK
    degraded_reason: str = ""

    def __post_init__(self) -> None:
        """A verdict never enlarges; only `reduce` may carry a factor below one."""
        if not 0.0 < self.size_factor <= 1.0:
            raise ValueError(f"size_factor is {self.size_factor}; it must lie in (0, 1]")
        if (self.ruling == "reduce") != (self.size_factor < 1.0):
            raise ValueError(
                f"ruling {self.ruling} does not go with size_factor {self.size_factor}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of a risk decision: the limit, what was measured, and what came of it.

    For a size cap `before` and `after` are shares; otherwise `before` is the measured value and
    `after` the limit. `outcome` says whether it passed, reduced the size, blocked the entry, or
    did not apply because its source is not configured.
    """

    name: str
    before: float
    after: float
    outcome: Literal["pass", "reduce", "block", "not_applicable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What risk made of a signal: a quantity to order, or none and the reason."""

    quantity: int
    blocked_by: str
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A signal with the verdict and the plan it got: the unit of `why`."""

    signal: Signal
    plan: Plan
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An entry at market with its bracket; the client id derives from the decision."""

    client_order_id: str
    symbol: str
    side: Side
    quantity: int
    reference: float
    stop: float
    target: float
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """Shares that changed hands: an entry, or (with a reason) an exit or part of one."""

    symbol: str
    start: datetime
    side: Side
    quantity: int
    price: float
    fees: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRejection:
    """An order, or the rest of one, that did not fill, and why."""

    symbol: str
    start: datetime
    quantity: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """A position from its entry fill to its last exit fill; prices are quantity-weighted."""

    symbol: str
    setup: Setup
    side: Side
    quantity: int
    entry_time: datetime
    entry_price: float
    exit_time: datetime
    exit_price: float
    exit_reason: ExitReason
    pnl: float
    fees: float
    stop: float
    target: float
    signal_start: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A symbol was armed, or went back to idle without a trigger, and why."""

    symbol: str
    start: datetime
    state: State
    side: Side
    z: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskChange:
    """The account's risk state changed."""

    start: datetime
    state: RiskState
    reason: str
    equity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleRecord:
    """What the core saw and did for one symbol in one minute (state and side after the bar)."""

    symbol: str
    start: datetime
    close: float
    mean: float
    deviation: float
    z: float
    ready: bool
    htf_trend: Side
    state: State
    side: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneDay:
    """One lane's account at the end of a session."""

    date: date
    start_equity: float
    end_equity: float
    trades: int
    signals: int
    risk_state: RiskState
    multiplier_changes: int = 0
    notes: tuple[str, ...] = field(default=())
