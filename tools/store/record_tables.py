"""The tables of records: one for each kind, under the key of its row in `decisions`.

Columns follow the domain types field by field; see `tools.store.columns` for how each is kept and
`tools.store.codec` for the way between row and domain type.
"""

import datetime as dt

from sqlalchemy import Index, Integer, Text, UniqueConstraint
from sqlmodel import Field

from tools.store import columns as col
from tools.store.tables import IN_KEY, Row, kept, later, number, owned_by


class Record(Row):
    """Base of the record tables: the key that its `decisions` row has."""

    run: int = Field(primary_key=True, sa_type=Integer)
    lane: str = Field(primary_key=True, sa_type=Text)
    seq: int = Field(primary_key=True, sa_type=col.Whole)


_KEY = ("run", "lane", "seq")


class PremarketSnapshots(Record, table=True):
    """A `Snapshot`."""

    __tablename__ = "premarket_snapshots"
    __table_args__ = (owned_by("decisions", *_KEY), IN_KEY)
    symbol: str = kept(col.Line)
    date: dt.date = kept(col.Day)
    ema_slope_daily: float = number(col.Real)
    ema_slope_hourly: float = number(col.Real)
    hh_ll_tag: str = kept(col.Line)
    atr_percentile: float = number(col.Real)
    sessions: int = kept(col.Whole)
    htf_trend: int = kept(col.Whole)
    mean_5m: float = number(col.Money)
    deviation_5m: float = number(col.Money)
    atr_5m: float = number(col.Money)
    average_volume: float = number(col.Real)
    previous_close: float = number(col.Money)
    incomplete: tuple[str, ...] = kept(col.Lines)


class News(Record, table=True):
    """A `Headline`."""

    __tablename__ = "news"
    __table_args__ = (owned_by("decisions", *_KEY),)
    id: str = kept(col.Line)
    published_at: dt.datetime = kept(col.Moment)
    received_at: dt.datetime = kept(col.Moment)
    source: str = kept(col.Line)
    title: str = kept(col.Line)
    summary: str = kept(col.Line)
    symbols: tuple[str, ...] = kept(col.Lines)


class ChartAlerts(Record, table=True):
    """A `ChartAlert`; a run keeps each once."""

    __tablename__ = "chart_alerts"
    __table_args__ = (
        owned_by("decisions", *_KEY),
        UniqueConstraint("run", "id"),
        Index("ix_chart_alerts_known", "run", "known_at"),
        IN_KEY,
    )
    id: str = kept(col.Line)
    symbol: str = kept(col.Line)
    time: dt.datetime = kept(col.Moment)
    known_at: dt.datetime = kept(col.Moment)
    direction: str = kept(col.Line)
    grade: str = kept(col.Line)
    score: float = number(col.Real)
    confidence: float = number(col.Real)
    entry: float = number(col.Money)
    stop: float = number(col.Money)
    targets: tuple[float, ...] = kept(col.Numbers)
    components: dict[str, float] = kept(col.NamedNumbers)


class DailyBiases(Record, table=True):
    """A `DailyBias`."""

    __tablename__ = "daily_bias"
    __table_args__ = (owned_by("decisions", *_KEY),)
    as_of: dt.datetime = kept(col.Moment)
    symbol: str = kept(col.Line)
    date: dt.date = kept(col.Day)
    bias: str = kept(col.Line)
    confidence: float = number(col.Real)
    reasoning: str = kept(col.Line)
    news_summary: str = kept(col.Line)
    premarket_price: float = number(col.Money)
    premarket_price_at: dt.datetime | None = kept(col.Moment, null=True)
    price_note: str = kept(col.Line)
    evidence: tuple[str, ...] = kept(col.Lines)
    analyst: str = kept(col.Line)
    status: str = kept(col.StatusWord)
    degraded_reason: str = kept(col.Line)


class MarketContexts(Record, table=True):
    """A `MarketContext`."""

    __tablename__ = "market_context"
    __table_args__ = (owned_by("decisions", *_KEY),)
    as_of: dt.datetime = kept(col.Moment)
    date: dt.date = kept(col.Day)
    bias: str = kept(col.Line)
    volatility: str = kept(col.Line)
    vix: float = number(col.Real)
    vix_date: dt.date | None = kept(col.Day, null=True)
    confidence: float = number(col.Real)
    summary: str = kept(col.Line)
    evidence: tuple[str, ...] = kept(col.Lines)
    analyst: str = kept(col.Line)
    status: str = kept(col.StatusWord)
    degraded_reason: str = kept(col.Line)


class LlmCalls(Record, table=True):
    """A `KeptCall`: `call` is all of it, the columns before it are what one asks for in SQL."""

    __tablename__ = "llm_calls"
    __table_args__ = (owned_by("decisions", *_KEY),)
    as_of: dt.datetime = kept(col.Moment)
    machine: str = kept(col.Line)
    about: str = kept(col.Line)
    key: str = kept(col.Line)
    sequence: int = kept(col.Whole)
    prompt: str = kept(col.Line)
    schema_hash: str = kept(col.Line)
    model: str = kept(col.Line)
    outcome: str = kept(col.Line)
    tokens_in: int = kept(col.Whole)
    tokens_out: int = kept(col.Whole)
    cost_usd: str = kept(col.Exact)
    latency: float = number(col.Real)
    asked_at: dt.datetime = kept(col.Moment)
    call: str = kept(col.Verbatim)


class LlmFindings(Record, table=True):
    """An `AnswerFinding`."""

    __tablename__ = "llm_findings"
    __table_args__ = (owned_by("decisions", *_KEY), IN_KEY)
    as_of: dt.datetime = kept(col.Moment)
    machine: str = kept(col.Line)
    about: str = kept(col.Line)
    kind: str = kept(col.Line)
    field: str = kept(col.Line)
    detail: str = kept(col.Line)


class MarketAnalysis(Record, table=True):
    """An `Analysis`, its multipliers one by one. Ledgers before 0005 have no `applies_from`."""

    __tablename__ = "market_analysis"
    __table_args__ = (owned_by("decisions", *_KEY),)
    as_of: dt.datetime = kept(col.Moment)
    analyst: str = kept(col.Line)
    mr_arm: float = number(col.Real)
    mr_trigger: float = number(col.Real)
    tc_arm: float = number(col.Real)
    tc_trigger: float = number(col.Real)
    confidence: float = number(col.Real)
    assessment: str = kept(col.Line)
    opportunities: tuple[str, ...] = kept(col.Lines)
    reasoning: str = kept(col.Line)
    evidence: tuple[str, ...] = kept(col.Lines)
    status: str = kept(col.StatusWord)
    degraded_reason: str = kept(col.Line)
    applies_from: dt.datetime | None = later(col.Moment)


class TradeSignals(Record, table=True):
    """A `Decision`: signal, plan and verdict (`ruling` is NULL when there was none)."""

    __tablename__ = "trade_signals"
    __table_args__ = (owned_by("decisions", *_KEY),)
    symbol: str = kept(col.Line)
    start: dt.datetime = kept(col.Moment)
    setup: str = kept(col.SetupWord)
    side: int = kept(col.Whole)
    price: float = number(col.Money)
    stop: float = number(col.Money)
    target: float = number(col.Money)
    z: float = number(col.Real)
    quantity: int = kept(col.Whole)
    blocked_by: str = kept(col.Line)
    checks: str = kept(col.Checks)
    ruling: str | None = kept(col.Line, null=True)
    size_factor: float | None = number(col.Real)
    verdict_confidence: float | None = number(col.Real)
    verdict_reasoning: str | None = kept(col.Line, null=True)
    verdict_evidence: str | None = kept(col.Lines, null=True)
    validator: str | None = kept(col.Line, null=True)
    verdict_status: str | None = kept(col.StatusWord, null=True)
    verdict_degraded_reason: str | None = kept(col.Line, null=True)


class Orders(Record, table=True):
    """An `Order`."""

    __tablename__ = "orders"
    __table_args__ = (owned_by("decisions", *_KEY), IN_KEY)
    client_order_id: str = kept(col.Line)
    symbol: str = kept(col.Line)
    side: int = kept(col.Whole)
    quantity: int = kept(col.Whole)
    reference: float = number(col.Money)
    stop: float = number(col.Money)
    target: float = number(col.Money)
    decided_at: dt.datetime = kept(col.Moment)


class Fills(Record, table=True):
    """A `Fill`."""

    __tablename__ = "fills"
    __table_args__ = (owned_by("decisions", *_KEY), IN_KEY)
    symbol: str = kept(col.Line)
    start: dt.datetime = kept(col.Moment)
    side: int = kept(col.Whole)
    quantity: int = kept(col.Whole)
    price: float = number(col.Money)
    fees: float = number(col.Money)
    reason: str = kept(col.Line)


class OrderRejections(Record, table=True):
    """An `OrderRejection`."""

    __tablename__ = "order_rejections"
    __table_args__ = (owned_by("decisions", *_KEY), IN_KEY)
    symbol: str = kept(col.Line)
    start: dt.datetime = kept(col.Moment)
    quantity: int = kept(col.Whole)
    reason: str = kept(col.Line)


class Trades(Record, table=True):
    """A `Trade`."""

    __tablename__ = "trades"
    __table_args__ = (owned_by("decisions", *_KEY), IN_KEY)
    symbol: str = kept(col.Line)
    setup: str = kept(col.SetupWord)
    side: int = kept(col.Whole)
    quantity: int = kept(col.Whole)
    entry_time: dt.datetime = kept(col.Moment)
    entry_price: float = number(col.Money)
    exit_time: dt.datetime = kept(col.Moment)
    exit_price: float = number(col.Money)
    exit_reason: str = kept(col.ExitReasonWord)
    pnl: float = number(col.Money)
    fees: float = number(col.Money)
    stop: float = number(col.Money)
    target: float = number(col.Money)
    signal_start: dt.datetime = kept(col.Moment)


class Transitions(Record, table=True):
    """A `Transition`."""

    __tablename__ = "transitions"
    __table_args__ = (owned_by("decisions", *_KEY), IN_KEY)
    symbol: str = kept(col.Line)
    start: dt.datetime = kept(col.Moment)
    state: str = kept(col.StateWord)
    side: int = kept(col.Whole)
    z: float = number(col.Real)
    reason: str = kept(col.Line)


class RiskChanges(Record, table=True):
    """A `RiskChange`."""

    __tablename__ = "risk_changes"
    __table_args__ = (owned_by("decisions", *_KEY), IN_KEY)
    start: dt.datetime = kept(col.Moment)
    state: str = kept(col.RiskStateWord)
    reason: str = kept(col.Line)
    equity: float = number(col.Money)


class LaneDays(Record, table=True):
    """A `LaneDay`, sealed: how many minute rows its session has, up to when, and their digest."""

    __tablename__ = "lane_days"
    __table_args__ = (owned_by("decisions", *_KEY), IN_KEY)
    date: dt.date = kept(col.Day)
    start_equity: float = number(col.Money)
    end_equity: float = number(col.Money)
    trades: int = kept(col.Whole)
    signals: int = kept(col.Whole)
    risk_state: str = kept(col.RiskStateWord)
    multiplier_changes: int = kept(col.Whole)
    notes: tuple[str, ...] = kept(col.Lines)
    cycle_rows: int = kept(col.Whole)
    cycles_through: int | None = kept(col.Minute, null=True)
    cycle_digest: str = kept(col.Line)
