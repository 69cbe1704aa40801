"""What the API answers, and what it is asked: the one contract with every client.

Conventions, stated in the OpenAPI document too. Times are UTC, ISO 8601, with a `Z`; a bar's time
is its first instant. Dates are New York trading days. Money is a JSON number whose digits are the
ledger's own decimal (parse it as a decimal to add it exactly); `null` is "undefined", never zero.
Ratios are fractions: 0.01 is one percent. `id` numbers a record in its lane and never changes.

Nothing of the program is imported here, so a client may.
"""

from datetime import date as Date
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Side = Literal["long", "short"]
Setup = Literal["MR", "TC"]
SymbolState = Literal["idle", "mr_armed", "tc_armed", "triggered", "in_trade", "cooldown"]
RiskState = Literal["ACTIVE", "REDUCING", "HALTED"]
Status = Literal["OK", "DEGRADED"]
Money = Annotated[float | None, Field(description="Dollars.")]
Price = Annotated[float | None, Field(description="Dollars a share.")]
Ratio = Annotated[float | None, Field(description="A fraction: 0.01 is one percent.")]
RecordId = Annotated[int, Field(description="Number of the record in its lane; never changes.")]
T = TypeVar("T")


class Answer(BaseModel):
    """Base of every answer: unknown fields are refused, undefined numbers are null."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="null")


class Located(Answer):
    """Which part of the ledger an answer is about."""

    run: str = Field(description="The run that was read.", examples=["2a38cc7291e46c6c"])
    lane: str = Field(description="The lane that was read.", examples=["advised"])
    as_of: datetime | None = Field(
        None, description="The moment that was asked for; null: everything known now."
    )


class Page(Located, Generic[T]):
    """One page of records, newest first."""

    data: list[T]
    next: str | None = Field(
        None, description="Cursor of the next page; null on the last one.", examples=["bDoxMjM0"]
    )


class Listing(Located, Generic[T]):
    """All there is, in the order of time or of the watchlist."""

    data: list[T]


# Errors


class FieldProblem(Answer):
    """What is wrong with one parameter or field."""

    where: str = Field(examples=["query.start_date"])
    problem: str = Field(examples=["Input should be a valid date"])


class Problem(Answer):
    """An error as RFC 9457 has it; served as `application/problem+json`."""

    type: str = Field(examples=["/problems/unknown-symbol"])
    title: str = Field(examples=["Unknown symbol"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["XYZ is not on the watchlist of this run: SPY, NVDA"])
    instance: str | None = Field(None, examples=["/api/trades"])
    errors: list[FieldProblem] = Field(default_factory=list)


# Trades and money


class Trade(Answer):
    """A closed position. `pnl` is after fees; prices of partial fills are quantity-weighted."""

    id: RecordId
    known_at: datetime = Field(description="When the trade was known to be closed.")
    symbol: str = Field(examples=["NVDA"])
    setup: Setup
    side: Side
    quantity: int = Field(examples=[70])
    entry_time: datetime
    entry_price: Price
    exit_time: datetime
    exit_price: Price
    exit_reason: str = Field(examples=["target"])
    pnl: Money
    fees: Money
    stop: Price
    target: Price
    signal_time: datetime = Field(description="The bar whose close triggered the trade.")


class PnlDay(Answer):
    """What the trades closed in one session earned, after fees."""

    date: Date
    pnl: Money
    cumulative: Money = Field(description="Sum of `pnl` from the first day asked for.")
    trades: int
    wins: int
    fees: Money


class PnlTotal(Answer):
    """The days together."""

    pnl: Money
    trades: int
    wins: int
    win_rate: Ratio = Field(description="Share of trades with a profit; null without a trade.")
    profit_factor: float | None = Field(
        description="Money won over money lost; null when nothing was lost."
    )
    fees: Money


class Pnl(Listing[PnlDay]):
    """Realised profit and loss by session, oldest first."""

    total: PnlTotal


class EquityPoint(Answer):
    """The account at a moment."""

    time: datetime
    equity: Money
    drawdown: Ratio = Field(description="Fall from the highest equity before, at most 0.")


class Position(Answer):
    """A position that is open."""

    symbol: str
    side: Side
    quantity: int
    entry_time: datetime
    entry_price: Price
    last_time: datetime | None = Field(description="Bar of the last close; null: none is known.")
    last_price: Price
    unrealised_pnl: Money
    stop: Price
    target: Price


class TradeGroup(Answer):
    """The trades that share a property."""

    name: str = Field(examples=["NVDA"])
    trades: int
    wins: int
    pnl: Money
    fees: Money


class ReturnBucket(Answer):
    """Trades by result in R: profit per share over the distance from entry to stop."""

    low: float = Field(description="Included, in R; the first bucket has everything below too.")
    trades: int


class TradeGroups(Located):
    """The closed trades added up by each of their properties; groups in the order of names."""

    total: TradeGroup
    symbol: list[TradeGroup]
    setup: list[TradeGroup]
    side: list[TradeGroup]
    hour: list[TradeGroup] = Field(description="By the New York hour of the entry.")
    exit_reason: list[TradeGroup]
    bucket_width: float = Field(description="Width of a bucket of `returns`, in R.")
    returns: list[ReturnBucket]
    unmeasured: int = Field(description="Trades without a stop distance: in no bucket.")


class ConfidenceBin(Answer):
    """Verdicts of one range of confidence whose signal was traded."""

    low: float = Field(description="Confidence from here, 0 to 100, to the next bin.")
    trades: int
    wins: int
    mean_confidence: float | None


class VetoOutcomes(Answer):
    """What became, in the lane without advice, of signals that the advice refused."""

    vetoes: int
    traded: int = Field(description="Of those, traded by the other lane at the same bar.")
    wins: int
    pnl: Money = Field(description="What they earned there; below zero: the vetoes saved money.")


class AdviceQuality(Located):
    """Is the validator's confidence worth something, and were its vetoes right?"""

    reliability: list[ConfidenceBin]
    vetoes: VetoOutcomes | None = Field(description="null: there is no lane to compare with.")


# Decisions


class Multipliers(Answer):
    """Factors on the four z thresholds; below one makes a setup easier."""

    mr_arm: float = 1.0
    mr_trigger: float = 1.0
    tc_arm: float = 1.0
    tc_trigger: float = 1.0


class MultipliersInForce(Answer):
    """What scales the thresholds at a moment, and why."""

    factors: Multipliers
    reason: Literal["analysis", "none", "expired", "tightened"] = Field(
        description="tightened: a daily loss beyond half its limit; arms may not be eased."
    )
    analysis: int | None = Field(description="Id of the analysis they come from.")
    until: datetime | None = Field(description="When they expire.")


class Analysis(Answer):
    """An analyst's view of the market, and the multipliers it asked for."""

    id: RecordId
    known_at: datetime
    as_of: datetime
    analyst: str
    multipliers: Multipliers
    confidence: float | None = Field(description="0 to 100.")
    assessment: str
    opportunities: list[str]
    reasoning: str
    evidence: list[str]
    status: Status
    degraded_reason: str
    applies_from: datetime | None = Field(
        description="Start of the first bar it applied to, where its answer came late; the "
        "session's close: to none. null: in time."
    )


class Step(Answer):
    """A step of one of a run's machines that has just ended, as the run tells while it goes on."""

    number: int = Field(description="Counts the run's steps.")
    at: datetime = Field(description="When it ended, by the clock on the wall.")
    machine: str = Field(examples=["market_analysis"])
    step: str = Field(examples=["assess"])
    outcome: str = Field(description="Why it goes on as it does.", examples=["the model answered"])
    failure: str = Field(description="What failed; empty for nothing.")
    about: str = Field(
        description="Which moment of the market (New York), and which symbol, it is about.",
        examples=["2025-01-08 10:30 NVDA"],
    )


class Steps(Answer):
    """The latest steps of a run's machines, oldest first; gone where a run did not leave them."""

    run: str = Field(description="The run that was read.", examples=["2a38cc7291e46c6c"])
    running: bool = Field(description="Whether the run goes on.")
    data: list[Step]


class ModelCall(Answer):
    """One question to a language model: which, what it cost, how it ended."""

    prompt: str = Field(description="Template and version.", examples=["market_analysis.v1"])
    model: str = Field(
        description="The model that answered, or was tried last; empty: none was.",
        examples=["anthropic:claude-sonnet-5-5"],
    )
    outcome: str = Field(description="answer, or why there is none.", examples=["answer"])
    tokens_in: int = Field(examples=[3120])
    tokens_out: int = Field(examples=[240])
    cost_usd: float = Field(
        description="Dollars of all its attempts; the budget's hold where no bill came.",
        examples=[0.0129],
    )
    latency_seconds: float | None = Field(description="From question to outcome.", examples=[2.4])


class ModelCallEntry(ModelCall):
    """A question to a model as the decision log has it."""

    id: RecordId
    known_at: datetime
    machine: str = Field(description="Who asked.", examples=["market_analysis"])
    about: str = Field(description="A symbol; empty: the market.", examples=["NVDA"])


class ModelCost(Answer):
    """What questions to language models cost together."""

    calls: int
    usd: Money
    tokens_in: int
    tokens_out: int


class Finding(Answer):
    """What the bounds made of one claim in a model's answer: clamped, replaced, rejected, cut."""

    id: RecordId
    known_at: datetime
    machine: str = Field(examples=["market_analysis"])
    about: str = Field(description="A symbol; empty: the market.")
    kind: str = Field(examples=["clamped"])
    field: str = Field(examples=["multipliers.mr_arm"])
    detail: str


class PaidAnalysis(Analysis):
    """An analysis with the questions to models that led to it; none for the rules."""

    calls: list[ModelCall]


class DailyBias(Answer):
    """What kind of day a symbol was expected to have, before the open."""

    id: RecordId
    known_at: datetime
    symbol: str = Field(examples=["NVDA"])
    date: Date
    bias: Literal["bullish", "bearish", "choppy"]
    confidence: float | None = Field(description="0 to 100.", examples=[65.0])
    reasoning: str = Field(examples=["higher-timeframe trend +1; swings HH"])
    news_summary: str = Field(examples=["2 items; latest 01-08 08:02 …"])
    premarket_price: Price
    premarket_price_at: datetime | None
    price_note: str = Field(description="Why there is no premarket price; empty: there is.")
    evidence: list[str] = Field(examples=[["NVDA.htf_trend"]])
    analyst: str = Field(examples=["rules.v1"])
    status: Status
    degraded_reason: str


class MarketContext(Answer):
    """The market as a whole before the open; the bias is that of SPY, which stands for it."""

    id: RecordId
    known_at: datetime
    date: Date
    bias: Literal["bullish", "bearish", "choppy"]
    volatility: Literal["low", "normal", "high"]
    vix: float | None = Field(description="The close of `vix_date`; null: not known.")
    vix_date: Date | None
    confidence: float | None = Field(description="0 to 100.")
    summary: str = Field(examples=["SPY bullish; VIX 17.70 (normal)."])
    evidence: list[str]
    analyst: str = Field(examples=["rules.v1"])
    status: Status
    degraded_reason: str


class Check(Answer):
    """One line of a risk decision; for a size cap `before` and `after` are shares."""

    name: str
    before: float | None
    after: float | None
    outcome: Literal["pass", "reduce", "block", "not_applicable"]


class Plan(Answer):
    """What risk made of a signal."""

    quantity: int = Field(description="Shares ordered; 0: nothing was ordered.")
    blocked_by: str = Field(description="The check that refused it; empty when none did.")
    checks: list[Check]


class Verdict(Answer):
    """The validator's ruling on a signal. It can only let pass, reduce or refuse."""

    ruling: Literal["approve", "reduce", "veto", "abstain"]
    size_factor: float
    confidence: float | None
    reasoning: str
    evidence: list[str]
    validator: str
    status: Status
    degraded_reason: str


class Signal(Answer):
    """A setup that triggered, with its verdict and plan: why it became a trade, or why not."""

    id: RecordId
    known_at: datetime
    symbol: str
    time: datetime = Field(description="The bar whose close triggered.")
    setup: Setup
    side: Side
    price: Price
    stop: Price
    target: Price
    z: float | None
    plan: Plan
    verdict: Verdict | None = Field(description="null: nobody was asked.")


class SignalVerdict(Verdict):
    """A verdict with the signal that it is about; `id` is the signal's."""

    id: RecordId
    known_at: datetime
    symbol: str = Field(examples=["NVDA"])
    time: datetime = Field(description="The bar whose close triggered.")
    setup: Setup
    side: Side
    quantity: int = Field(description="Shares that were ordered in the end; 0 for none.")


class Transition(Answer):
    """A symbol was armed, or went back to idle without a trigger."""

    id: RecordId
    known_at: datetime
    symbol: str
    time: datetime
    state: SymbolState
    side: Side | None
    z: float | None
    reason: str


class Fill(Answer):
    """Shares that changed hands: an entry, or an exit or part of one."""

    id: RecordId
    known_at: datetime
    symbol: str
    time: datetime
    side: Side = Field(description="long: bought; short: sold.")
    quantity: int
    price: Price
    fees: Money
    reason: str


class OrderRejection(Answer):
    """An order, or the rest of one, that did not fill."""

    id: RecordId
    known_at: datetime
    symbol: str
    time: datetime
    quantity: int
    reason: str


class RiskChange(Answer):
    """The account's risk state changed."""

    id: RecordId
    known_at: datetime
    time: datetime
    state: RiskState
    reason: str
    equity: Money


class Day(Answer):
    """A lane's account at the end of a session."""

    id: RecordId
    known_at: datetime
    date: Date
    start_equity: Money
    end_equity: Money
    trades: int
    signals: int
    risk_state: RiskState
    notes: list[str]


class TradeStory(Located):
    """A trade from what armed it to its outcome, each part as the ledger has it."""

    trade: Trade
    armed: Transition | None
    analysis: Analysis | None = Field(description="The newest analysis when the signal came.")
    signal: Signal | None
    fills: list[Fill]


EntryKind = Literal[
    "trade",
    "signal",
    "analysis",
    "transition",
    "fill",
    "order_rejection",
    "risk",
    "day",
    "bias",
    "market_context",
    "model_call",
    "finding",
]
EntryRecord = (
    Trade
    | Signal
    | Analysis
    | Transition
    | Fill
    | OrderRejection
    | RiskChange
    | Day
    | DailyBias
    | MarketContext
    | ModelCallEntry
    | Finding
)


class LogEntry(Answer):
    """One entry of the decision log, or one event of the stream."""

    id: RecordId
    kind: EntryKind
    known_at: datetime
    record: EntryRecord


class Alert(Answer):
    """Something a person should know: a risk stop, or an opinion that did not come about."""

    id: RecordId
    known_at: datetime
    severity: Literal["critical", "warning"]
    source: Literal["risk", "analysis", "validation", "premarket"]
    symbol: str | None
    message: str


# The market as the core saw it


class Candle(Answer):
    """Minute closes gathered into a bar, with the band and the state at its last minute.

    The ledger keeps closes, not whole bars: open, high and low are those of the minute closes.
    """

    time: datetime
    open: Price
    high: Price
    low: Price
    close: Price
    mean: Price = Field(description="Band mean μ of the last 120 minute closes.")
    deviation: Price = Field(description="Band deviation σ.")
    z: float | None
    state: SymbolState
    side: Side | None


class Candles(Located):
    """One symbol through one session."""

    symbol: str
    date: Date
    timeframe: Literal["1min", "5min", "15min", "1hour"]
    basis: Literal["closes"] = Field("closes", description="What the bars are made of.")
    data: list[Candle]


class TickRow(Answer):
    """One symbol's newest minute."""

    symbol: str
    time: datetime
    price: Price
    mean: Price
    deviation: Price
    z: float | None
    state: SymbolState
    side: Side | None


class Tick(Answer):
    """The newest minute of every symbol: the stream's event `minutes`."""

    now: datetime = Field(description="The end of the newest minute.")
    rows: list[TickRow]


class Snapshot(Answer):
    """What was known of a symbol before its session opened."""

    symbol: str
    date: Date
    ema_slope_daily: float | None
    ema_slope_hourly: float | None
    hh_ll_tag: Literal["HH", "LL", "mixed"]
    atr_percentile: float | None
    sessions: int = Field(description="Sessions behind `atr_percentile`.")
    htf_trend: Literal[-1, 0, 1]
    mean_5m: Price
    deviation_5m: Price
    atr_5m: Price
    average_volume: float | None
    previous_close: Price
    incomplete: list[str] = Field(description="What is missing; such a symbol does not arm.")


class DailyBiases(Listing[DailyBias]):
    """The biases of one session, in watchlist order, with the market's context."""

    date: Date | None = Field(description="null: no session was prepared.", examples=["2025-01-08"])
    context: MarketContext | None


class NewsItem(Answer):
    """A headline that a premarket read, in the words of its source."""

    id: RecordId
    known_at: datetime = Field(description="The later of publication and arrival.")
    published_at: datetime
    source: str
    title: str
    summary: str
    symbols: list[str] = Field(description="Empty: the market as a whole.")


class ChartAlert(Answer):
    """What a chart's indicators saw; shown to models as an opinion, never an order."""

    id: RecordId
    known_at: datetime = Field(description="From when the run knew it.")
    symbol: str
    time: datetime = Field(description="Of its bar, which its age is counted from.")
    direction: Side
    grade: Literal["A+", "A", "B+", "B"]
    score: float = Field(description="-10 to 10.")
    confidence: float = Field(description="Percent.")
    entry: Price
    stop: Price
    targets: list[float]
    components: dict[str, float] = Field(description="Each -1 to 1.")


class AlertTaken(Answer):
    """An alert that waits for the session; again the same id for a repetition."""

    id: str
    symbol: str


class News(Listing[NewsItem]):
    """What the premarket of one session read, newest first."""

    date: Date | None = Field(description="null: no session was prepared.", examples=["2025-01-08"])
    total: int = Field(description="How many there are; `data` has the newest of them.")


class WatchlistRow(Answer):
    """One symbol of the watchlist, now."""

    symbol: str
    time: datetime | None = Field(description="Bar of the last close; null: no bar yet.")
    price: Price
    change: Ratio = Field(description="Against the previous session's close.")
    mean: Price
    deviation: Price
    z: float | None
    ready: bool = Field(description="Whether the band is complete.")
    state: SymbolState
    side: Side | None = Field(description="The side that is armed or held.")
    htf_trend: Literal[-1, 0, 1]
    age_seconds: float | None = Field(
        description="Seconds since the bar closed, by the lane's newest minute."
    )
    incomplete: list[str] = Field(description="Why the symbol cannot arm today; empty: it can.")
    position: Position | None


class Watchlist(Listing[WatchlistRow]):
    """The watchlist grid with what is in force for all of it."""

    now: datetime | None = Field(description="The end of the newest minute; null: no minute yet.")
    date: Date | None
    market_open: bool = Field(description="Whether the session goes on at `now`.")
    equity: Money
    pnl_today: Money = Field(description="Equity now less equity at the open.")
    risk_state: RiskState
    multipliers: MultipliersInForce
    thresholds: dict[str, float] = Field(description="The z thresholds before multipliers.")
    next_analysis: datetime | None = Field(description="null: this lane has no analyst.")


# Lanes, runs, the program


class LaneSummary(Answer):
    """What one lane achieved up to `as_of`."""

    lane: str
    sessions: int
    start_equity: Money
    equity: Money = Field(description="At the end of the last closed session.")
    total_return: Ratio
    max_drawdown: Ratio = Field(description="On session-end equity, at most 0.")
    pnl: Money
    trades: int
    win_rate: Ratio
    profit_factor: float | None
    fees: Money
    signals: int
    blocked: dict[str, int] = Field(description="Signals that were not ordered, by reason.")
    rulings: dict[str, int] = Field(description="Verdicts, by ruling.")
    analyses: int
    degraded: int = Field(description="Analyses that did not come about as intended.")
    model_cost: ModelCost = Field(
        description="Questions to models; those of the premarket are charged to the advised lane."
    )


class LaneDifference(Answer):
    """Advised minus another lane on the same sessions, dollars a session, 95 % interval."""

    against: str
    sessions: int
    mean: Money
    total: Money
    low: Money
    high: Money
    verdict: str = Field(
        examples=["not distinguishable from zero"],
        description="What the interval allows to be said.",
    )


class LaneComparison(Answer):
    """Does the advice add value? All lanes of a run, and the paired differences."""

    run: str
    as_of: datetime | None
    lanes: list[LaneSummary]
    differences: list[LaneDifference]


class Run(Answer):
    """One replay or live run in the ledger."""

    run: str
    kind: str
    status: Literal["running", "finished"]
    config_hash: str
    code_version: str
    created_at: datetime
    lanes: list[str]
    symbols: list[str]
    first_date: Date | None
    last_date: Date | None
    chain_heads: dict[str, str]


class Runs(Answer):
    """Every run of the ledger, newest first."""

    data: list[Run]


class Setting(Answer):
    """One setting in force, where it came from, and what the run was made with."""

    key: str = Field(examples=["risk.max_positions"])
    value: Any
    source: str = Field(description="`default`, the settings file, or the variable's name.")
    in_run: Any = Field(None, description="The value in the newest run; null where it has none.")


class SettingsAnswer(Answer):
    """Effective settings; no secret is ever among them."""

    run: str | None
    data: list[Setting]


ComponentState = Literal["ok", "degraded", "down", "not_configured"]


class Component(Answer):
    """One part of the program."""

    name: str = Field(examples=["ledger"])
    state: ComponentState
    detail: str


class HaltRequest(BaseModel):
    """A halt: no new entries; positions keep their stops and targets, or are closed at market."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"reason": "fed day", "flatten": False}]},
    )

    reason: str = Field("", max_length=500, description="Why; the ledger keeps it.")
    flatten: bool = Field(False, description="Also close every position at market.")


class Control(Answer):
    """What a person asked of the session, and whether it has been done."""

    asked: Literal["halt", "resume"]
    by: str = Field(examples=["ann"])
    at: datetime
    reason: str = Field(description="Empty for a resume.", examples=["fed day"])
    flatten: bool = Field(description="Whether positions are closed as well.")
    applied: bool = Field(
        description="false: the session has not done it yet, or does not run; it will at its start."
    )


class Health(Answer):
    """Whether the parts work; `ok` overall when none that is configured is degraded or down."""

    status: Literal["ok", "degraded", "down"]
    version: str
    time: datetime
    components: list[Component]
    control: Control | None = Field(
        None, description="The halt that is in force, or a resume that waits; null: neither."
    )
    halted: bool = Field(
        False, description="Whether the newest run's account is HALTED, whoever halted it."
    )
    can_halt: bool = Field(
        False, description="Whether there is a session that POST /api/halt would halt."
    )


# Chat


class ChatTurn(Answer):
    """One earlier turn of a conversation."""

    role: Literal["user", "assistant"]
    text: str = Field(max_length=16_000)


class ChatRequest(BaseModel):
    """A question in plain language."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"question": "What was the P/L over the last 5 days?", "stream": False}]
        },
    )

    question: str = Field(min_length=1, max_length=4_000)
    conversation: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="Continue this conversation; the answer names the one to continue with.",
    )
    history: list[ChatTurn] = Field(
        default_factory=list, max_length=20,
        description="What was said before; its questions stand in for a conversation that was "
        "forgotten. Its answers are not believed.",
    )  # fmt: skip
    run: str | None = Field(None, pattern=r"^[A-Za-z0-9._-]{1,64}$")
    lane: str | None = Field(None, pattern=r"^[a-z_]{1,32}$")
    as_of: AwareDatetime | None = None
    stream: bool = Field(False, description="Answer as `text/event-stream` of ChatEvent.")


class Citation(Answer):
    """A row that a statement of the answer rests on: a record, or a figure made of records."""

    kind: str = Field(examples=["trade"])
    lane: str
    id: int | None = Field(None, description="The record's number; null for what is no record.")
    row: str = Field("", examples=["trade:advised:NVDA:20250108T1438Z"])
    label: str
    path: str | None = Field(
        None, description="Where this API shows it.", examples=["/api/trades/412?lane=advised"]
    )
    known_at: datetime | None = None


class ChatAnswer(Answer):
    """An answer of which every number, date and symbol stands in a cited row, or a refusal."""

    text: str
    refused: bool = False
    reason: str = Field("", description="Why it was refused; empty otherwise.")
    citations: list[Citation] = Field(default_factory=list)
    more_citations: int = Field(0, description="Rows it also rests on that are not listed.")
    follow_ups: list[str] = Field(default_factory=list)
    conversation: str | None = None
    as_of: datetime | None = Field(None, description="The moment that it is true of.")
    writer: Literal["code", "model"] = Field("code", description="Who worded it.")


class ChatEvent(Answer):
    """One event of a streamed answer; the SSE event's name is `kind`.

    `step` events tell what has been done, `text` events carry pieces in order; exactly one `answer`
    (the whole, verified answer, which replaces the pieces) or one `error` ends the stream.
    """

    kind: Literal["step", "text", "answer", "error"]
    text: str = ""
    answer: ChatAnswer | None = None
    problem: Problem | None = None
