"""Documents about a day and a week of a lane: totals first, then what made them.

A day is known when its session is over, a week when the last session that the exchange holds in it
is over; a week that is not over has no document, and one in which the lane missed sessions says so.
Totals are sums over the records, in the order in which they were written.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from quant_core.calendar import NEW_YORK, to_datetime, xnys
from quant_core.types import (
    Analysis,
    DailyBias,
    Decision,
    LaneDay,
    MarketContext,
    OrderRejection,
    RiskChange,
    Status,
    Trade,
)
from rag.documents import Document, Source
from rag.telling import SETUPS, clock, count, day, dollars, result, side
from tools.store import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneHistory:
    """What a lane's ledger says, by type, in the order in which it was written."""

    source: Source
    biases: Sequence[Entry[DailyBias]] = ()
    contexts: Sequence[Entry[MarketContext]] = ()
    analyses: Sequence[Entry[Analysis]] = ()
    decisions: Sequence[Entry[Decision]] = ()
    order_rejections: Sequence[Entry[OrderRejection]] = ()
    trades: Sequence[Entry[Trade]] = ()
    risk_changes: Sequence[Entry[RiskChange]] = ()
    days: Sequence[Entry[LaneDay]] = ()


@dataclass(slots=True)
class _Day:
    """One session's records."""

    entry: Entry[LaneDay]
    decisions: list[Entry[Decision]] = field(default_factory=list)
    trades: list[Entry[Trade]] = field(default_factory=list)
    analyses: list[Entry[Analysis]] = field(default_factory=list)
    risk_changes: list[Entry[RiskChange]] = field(default_factory=list)

    @property
    def pnl(self) -> float:
        return self.entry.record.end_equity - self.entry.record.start_equity


def summaries(history: LaneHistory, as_of: datetime) -> list[Document]:
    """The days of a lane, and its weeks that were over at `as_of`."""
    days = _by_day(history)
    weeks: dict[tuple[int, int], list[_Day]] = {}
    for one in days:
        year, week, _ = one.entry.record.date.isocalendar()
        weeks.setdefault((year, week), []).append(one)
    found = [_day_document(history.source, one) for one in days]
    for (year, week), members in weeks.items():
        document = _week_document(history.source, year, week, members)
        if document.known_at <= as_of:
            found.append(document)
    return found


def _by_day(history: LaneHistory) -> list[_Day]:
    """Records belong to the session on whose New York date they became known."""
    days = {entry.record.date: _Day(entry) for entry in history.days}
    for name in ("decisions", "trades", "analyses", "risk_changes"):
        for entry in getattr(history, name):
            of_day = days.get(entry.known_at.astimezone(NEW_YORK).date())
            if of_day is not None:
                getattr(of_day, name).append(entry)
    return list(days.values())


def _day_document(source: Source, one: _Day) -> Document:
    record = one.entry.record
    skipped = [entry.record for entry in one.decisions if not entry.record.plan.quantity]
    parts = [
        f"Day summary of {day(record.date)}, lane {source.lane}. How the day went, in summary: "
        f"{result(one.pnl)} on {day(record.date)}, equity from "
        f"{dollars(record.start_equity)} to {dollars(record.end_equity)}.",
        f"{count(record.signals, 'signal')}, {count(len(skipped), 'skipped signal')}, "
        f"{_won_and_lost(one.trades)}.",
    ]
    if one.trades:
        parts.append(f"Trades: {'; '.join(_trade(entry.record) for entry in one.trades)}.")
    if skipped:
        parts.append(f"Skipped: {'; '.join(_skip(decision) for decision in skipped)}.")
    degraded = sum(entry.record.status is Status.DEGRADED for entry in one.analyses)
    if one.analyses:
        parts.append(
            f"{count(len(one.analyses), 'market analysis', 'market analyses')}, {degraded} of them "
            "DEGRADED."
        )
    parts += [
        f"Risk state became {change.record.state} at {clock(change.known_at)}: "
        f"{change.record.reason.replace('_', ' ')}."
        for change in one.risk_changes
    ]
    parts.append(f"Risk state at the close {record.risk_state}.")
    parts += [f"Note: {note}." for note in record.notes]
    symbols = {entry.record.symbol for entry in one.trades}
    symbols |= {entry.record.signal.symbol for entry in one.decisions}
    seqs = [one.entry.seq, *(e.seq for e in one.trades), *(e.seq for e in one.decisions)]
    seqs += [entry.seq for entry in one.risk_changes]
    return Document(
        id=source.id("day", record.date.isoformat()),
        kind="day",
        run=source.run,
        lane=source.lane,
        symbols=tuple(sorted(symbols)),
        known_at=one.entry.known_at,
        text=" ".join(parts),
        cites=tuple(map(source.row, seqs)),
    )


def _week_document(source: Source, year: int, week: int, days: list[_Day]) -> Document:
    monday = date.fromisocalendar(year, week, 1)
    sessions = xnys(monday.year, monday.year + 1).between(monday, monday + timedelta(days=6))
    closes = [to_datetime(session.close) for session in sessions]
    trades = [entry for one in days for entry in one.trades]
    first, last = days[0].entry.record, days[-1].entry.record
    parts = [
        f"Week summary of week {week} of {year}, {day(first.date)} to {day(last.date)}, lane "
        f"{source.lane}: {result(math.fsum(one.pnl for one in days))}, equity from "
        f"{dollars(first.start_equity)} to {dollars(last.end_equity)}.",
        f"{len(days)} of {count(len(sessions), 'session')} traded, {_won_and_lost(trades)}.",
        "Days: "
        + "; ".join(f"{day(one.entry.record.date)} {result(one.pnl)}" for one in days)
        + ".",
    ]
    by_symbol = _results_by_symbol(trades)
    if by_symbol:
        told = (f"{symbol} {result(pnl)}" for symbol, pnl in sorted(by_symbol.items()))
        parts.append(f"By symbol: {'; '.join(told)}.")
    refusals = Counter(
        entry.record.plan.blocked_by
        for one in days
        for entry in one.decisions
        if not entry.record.plan.quantity
    )
    if refusals:
        told = (f"{name} {number}" for name, number in sorted(refusals.items()))
        parts.append(f"Skipped signals by the check that refused them: {', '.join(told)}.")
    seqs = [*(one.entry.seq for one in days), *(entry.seq for entry in trades)]
    return Document(
        id=source.id("week", f"{year}-W{week:02d}"),
        kind="week",
        run=source.run,
        lane=source.lane,
        symbols=tuple(sorted(by_symbol)),
        known_at=max([*closes, *(one.entry.known_at for one in days)]),
        text=" ".join(parts),
        cites=tuple(map(source.row, seqs)),
    )


def _results_by_symbol(trades: Sequence[Entry[Trade]]) -> dict[str, float]:
    pnls: dict[str, list[float]] = {}
    for entry in trades:
        pnls.setdefault(entry.record.symbol, []).append(entry.record.pnl)
    return {symbol: math.fsum(amounts) for symbol, amounts in pnls.items()}


def _won_and_lost(trades: Sequence[Entry[Trade]]) -> str:
    won = sum(entry.record.pnl > 0 for entry in trades)
    lost = sum(entry.record.pnl < 0 for entry in trades)
    return f"{count(len(trades), 'trade')}: {won} won, {lost} lost"


def _trade(trade: Trade) -> str:
    return (
        f"{trade.symbol} {side(trade.side)} {SETUPS[trade.setup]} entered in the bar of "
        f"{clock(trade.entry_time)}, {result(trade.pnl)} ({trade.exit_reason})"
    )


def _skip(decision: Decision) -> str:
    signal, verdict = decision.signal, decision.verdict
    vetoed = verdict is not None and verdict.ruling == "veto"
    why = "validation (vetoed)" if vetoed else decision.plan.blocked_by
    return f"{signal.symbol} {side(signal.side)} {SETUPS[signal.setup]} by {why}"
