"""The kinds of record a lane appends: how each becomes a row, when it was known, what is hashed.

A record's row is the tuple of its columns in stored form (`tools.store.columns`), made straight
from the domain object; its content, the bytes that the chain hashes, is the canonical JSON of
that same row. Reading is the way back, so "what is stored" and "what is hashed" cannot differ.

`known_at` decides what a query with `as_of` may see. A record that is dated by its bar's start is
known when that one-minute bar has closed; a snapshot from the beginning of its New York day (it
is made of earlier sessions only); a headline when it had been published and had reached us, a chart
alert when its run had it; what
a model was asked and said as of the moment of the market it was asked about, an analysis that came
late when it applied; a lane's day when the last minute of its session has closed (a session without
minutes: at 16:00 New York).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime, time, timedelta
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec

from quant_core.calendar import NEW_YORK, to_datetime
from quant_core.types import (
    Analysis,
    AnswerFinding,
    ChartAlert,
    DailyBias,
    Decision,
    Fill,
    Headline,
    LaneDay,
    MarketContext,
    Multipliers,
    Order,
    OrderRejection,
    Plan,
    RiskChange,
    Signal,
    Snapshot,
    Trade,
    Transition,
    Verdict,
)
from tools.errors import BadInput
from tools.llm.calls import KeptCall
from tools.store import record_tables, tables
from tools.store.columns import Kept, Moment, json_number
from tools.store.dialect import Unreadable

R = TypeVar("R")
Fields = dict[str, Any]
Stored = tuple[Kept, ...]
_encode = msgspec.json.Encoder(order="sorted").encode
_moment = Moment()


class Kind(Generic[R]):
    """One kind of record: its domain type, its table, and the way between them.

    `values` gives a record's values in the order of the table's columns after the key. The last
    columns may be left out: then the ledger itself supplies them (`lane_days`). `known_at` takes
    the record and what was supplied.
    """

    def __init__(
        self,
        model: type[record_tables.Record],
        known_at: Callable[..., datetime],
        values: Callable[[R], tuple[Any, ...]],
        build: Callable[[Fields], R],
    ) -> None:
        """Take the columns, and how each is kept and read, from the table."""
        self.table = tables.of(model)
        self.name = str(self.table.name)
        self.known_at = known_at
        own = list(self.table.columns)[3:]
        self.columns = tuple(str(column.name) for column in own)
        self._later = frozenset(str(column.name) for column in own if column.info.get("later"))
        self._required = frozenset(str(column.name) for column in own if not column.nullable)
        self._values = values
        self._build = build
        self._keep = tuple(column.type.keep for column in own)  # type: ignore[attr-defined]
        self._read = tuple(column.type.read for column in own)  # type: ignore[attr-defined]

    def stored(self, record: R, *supplied: Any) -> tuple[str, Stored]:
        """(known at, row) of a record; BadInput names the record when a value cannot be kept."""
        try:
            at = str(_moment.keep(self.known_at(record, *supplied)))
            values = (*self._values(record), *supplied)
            row = tuple([keep(v) for keep, v in zip(self._keep, values, strict=True)])
            if None in row and (gaps := self._gaps(row)):
                raise ValueError(f"{', '.join(gaps)} must not be None")
        except (TypeError, ValueError, OverflowError) as error:
            raise BadInput(f"{record} cannot be kept in the ledger: {error}") from error
        return at, row

    def _gaps(self, row: Stored) -> list[str]:
        return [
            name
            for name, kept in zip(self.columns, row, strict=True)
            if kept is None and name in self._required
        ]

    def values(self, row: Sequence[Any]) -> Fields:
        """A row's values by column; Unreadable for a value that was never written."""
        return {
            name: read(stored)
            for name, read, stored in zip(self.columns, self._read, row, strict=True)
        }

    def record(self, row: Sequence[Any]) -> R:
        """The record; Unreadable for a row that was never written."""
        try:
            return self._build(self.values(row))
        except ValueError as error:
            raise Unreadable(f"{self.name}: {error}") from error

    def restored(self, row: Sequence[Any]) -> Stored:
        """A row that came from a database, in stored form again, whatever its native types."""
        values = self.values(row)
        return tuple(
            keep(values[name]) for keep, name in zip(self._keep, self.columns, strict=True)
        )

    def content(self, at: str, row: Stored) -> bytes:
        """What the chain hashes: canonical JSON of kind, moment and row (stored form).

        A column that came with a later schema is part of it only where it says something.
        """
        named = {
            name: json_number(value) if isinstance(value, float) else value
            for name, value in zip(self.columns, row, strict=True)
            if value is not None or name not in self._later
        }
        try:
            return _encode({"kind": self.name, "at": at, "row": named})
        except UnicodeEncodeError as error:
            raise BadInput(f"a text in {self.name} is not valid Unicode: {error}") from error


def _plain(domain: type[R]) -> tuple[Callable[[R], tuple[Any, ...]], Callable[[Fields], R]]:
    """Both ways for a type whose fields are the first columns of its table, in order."""
    names = [field.name for field in fields(domain)]  # type: ignore[arg-type]

    def build(row: Fields) -> R:
        return domain(**{name: row[name] for name in names})

    return attrgetter(*names), build


def _minute_after(bar_start: datetime) -> datetime:
    # In UTC: a minute after 01:59 New York may be 01:00 or 03:00 there.
    return bar_start.astimezone(UTC) + timedelta(minutes=1)


def _bar_closed(record: Any) -> datetime:
    return _minute_after(record.start)


def _session_over(day: LaneDay, rows: int, through: int | None, _digest: str) -> datetime:
    if rows and through is not None:
        return to_datetime(through + 1)
    return _in_new_york(day.date, time(16))


def _in_new_york(day: date, clock: time) -> datetime:
    return datetime.combine(day, clock, NEW_YORK)


_FACTORS = ("mr_arm", "mr_trigger", "tc_arm", "tc_trigger")
_OPINION = (
    "confidence",
    "assessment",
    "opportunities",
    "reasoning",
    "evidence",
    "status",
    "degraded_reason",
    "applies_from",
)
_SIGNAL = ("symbol", "start", "setup", "side", "price", "stop", "target", "z")
_PLAN = ("quantity", "blocked_by", "checks")
_NUMBERS = ("size_factor", "verdict_confidence")
_VERDICT = {
    "ruling": "ruling",
    "size_factor": "size_factor",
    "verdict_confidence": "confidence",
    "verdict_reasoning": "reasoning",
    "verdict_evidence": "evidence",
    "validator": "validator",
    "verdict_status": "status",
    "verdict_degraded_reason": "degraded_reason",
}


def _build_analysis(row: Fields) -> Analysis:
    factors = {name: row.pop(name) for name in _FACTORS}
    return Analysis(multipliers=Multipliers(**factors), **row)


_signal_and_plan = attrgetter(
    *(f"signal.{name}" for name in _SIGNAL), *(f"plan.{name}" for name in _PLAN)
)
_verdict = attrgetter(*_VERDICT.values())
_NO_VERDICT = tuple(math.nan if name in _NUMBERS else None for name in _VERDICT)


def _decision_values(decision: Decision) -> tuple[Any, ...]:
    if decision.verdict is None:
        return (*_signal_and_plan(decision), *_NO_VERDICT)
    return (*_signal_and_plan(decision), *_verdict(decision.verdict))


def _build_decision(row: Fields) -> Decision:
    verdict = None
    if row["ruling"] is not None:
        verdict = Verdict(**{name: row[column] for column, name in _VERDICT.items()})
    return Decision(
        signal=Signal(**{name: row[name] for name in _SIGNAL}),
        plan=Plan(**{name: row[name] for name in _PLAN}),
        verdict=verdict,
    )


def _call_values(kept: KeptCall) -> tuple[Any, ...]:
    call = kept.call
    return (
        kept.as_of,
        kept.machine,
        kept.about,
        call.key,
        call.sequence,
        f"{call.prompt.id}.v{call.prompt.version}",
        call.schema_hash,
        call.model,
        str(call.outcome),
        call.tokens_in,
        call.tokens_out,
        call.cost_usd,
        call.latency,
        call.asked_at,
        call,
    )


SNAPSHOTS: Kind[Snapshot] = Kind(
    record_tables.PremarketSnapshots, lambda s: _in_new_york(s.date, time()), *_plain(Snapshot)
)
NEWS: Kind[Headline] = Kind(record_tables.News, attrgetter("known_at"), *_plain(Headline))
CHART_ALERTS: Kind[ChartAlert] = Kind(
    record_tables.ChartAlerts, attrgetter("known_at"), *_plain(ChartAlert)
)
DAILY_BIASES: Kind[DailyBias] = Kind(
    record_tables.DailyBiases, attrgetter("as_of"), *_plain(DailyBias)
)
MARKET_CONTEXTS: Kind[MarketContext] = Kind(
    record_tables.MarketContexts, attrgetter("as_of"), *_plain(MarketContext)
)
LLM_CALLS: Kind[KeptCall] = Kind(
    record_tables.LlmCalls,
    attrgetter("as_of"),
    _call_values,
    lambda row: KeptCall(**{name: row[name] for name in ("as_of", "machine", "about", "call")}),
)
LLM_FINDINGS: Kind[AnswerFinding] = Kind(
    record_tables.LlmFindings, attrgetter("as_of"), *_plain(AnswerFinding)
)
ANALYSES: Kind[Analysis] = Kind(
    record_tables.MarketAnalysis,
    lambda analysis: analysis.applies_from or analysis.as_of,
    attrgetter("as_of", "analyst", *(f"multipliers.{name}" for name in _FACTORS), *_OPINION),
    _build_analysis,
)
DECISIONS: Kind[Decision] = Kind(
    record_tables.TradeSignals,
    lambda d: _minute_after(d.signal.start),
    _decision_values,
    _build_decision,
)
ORDERS: Kind[Order] = Kind(record_tables.Orders, attrgetter("decided_at"), *_plain(Order))
FILLS: Kind[Fill] = Kind(record_tables.Fills, _bar_closed, *_plain(Fill))
ORDER_REJECTIONS: Kind[OrderRejection] = Kind(
    record_tables.OrderRejections, _bar_closed, *_plain(OrderRejection)
)
TRADES: Kind[Trade] = Kind(
    record_tables.Trades, lambda t: _minute_after(t.exit_time), *_plain(Trade)
)
TRANSITIONS: Kind[Transition] = Kind(record_tables.Transitions, _bar_closed, *_plain(Transition))
RISK_CHANGES: Kind[RiskChange] = Kind(record_tables.RiskChanges, _bar_closed, *_plain(RiskChange))
LANE_DAYS: Kind[LaneDay] = Kind(record_tables.LaneDays, _session_over, *_plain(LaneDay))

KINDS: dict[type[Any], Kind[Any]] = {
    Snapshot: SNAPSHOTS,
    Headline: NEWS,
    ChartAlert: CHART_ALERTS,
    DailyBias: DAILY_BIASES,
    MarketContext: MARKET_CONTEXTS,
    KeptCall: LLM_CALLS,
    AnswerFinding: LLM_FINDINGS,
    Analysis: ANALYSES,
    Decision: DECISIONS,
    Order: ORDERS,
    Fill: FILLS,
    OrderRejection: ORDER_REJECTIONS,
    Trade: TRADES,
    Transition: TRANSITIONS,
    RiskChange: RISK_CHANGES,
    LaneDay: LANE_DAYS,
}
BY_NAME = {kind.name: kind for kind in KINDS.values()}
