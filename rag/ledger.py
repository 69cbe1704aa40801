"""Reading a ledger into documents: every lane of every run, nothing that is not known yet.

The documents of a lane come in the order in which they became known, a session's summary after
everything that it sums up. So an index that holds the summary of a session, batch by batch in that
order, holds the session: `of_lane_since` goes on from there (`rag.keeping`).
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar

from quant_core.types import (
    Analysis,
    DailyBias,
    Decision,
    LaneDay,
    MarketContext,
    OrderRejection,
    RiskChange,
    Trade,
)
from rag import records
from rag.documents import Document, Source
from rag.summaries import LaneHistory, summaries
from tools.store import Entry, Store, codec
from tools.store.paging import Pages, Place, Span

R = TypeVar("R")
_LAST = ("day", "week")


def of_ledger(store: Store, *, as_of: datetime) -> Iterator[Document]:
    """The documents of every run in a ledger, lane by lane."""
    for run in store.runs():
        for lane in sorted(store.heads(run.run_id)):
            yield from of_lane(store, run.run_id, lane, as_of=as_of)


def of_lane(store: Store, run: str, lane: str, *, as_of: datetime) -> list[Document]:
    """The documents of one lane that were true at `as_of`; NoData when there is no such run."""
    source = Source(run, lane, store.watchlist(run, lane))
    history = LaneHistory(
        source=source,
        biases=store.entries(run, lane, DailyBias, as_of=as_of),
        contexts=store.entries(run, lane, MarketContext, as_of=as_of),
        analyses=store.entries(run, lane, Analysis, as_of=as_of),
        decisions=store.entries(run, lane, Decision, as_of=as_of),
        order_rejections=store.entries(run, lane, OrderRejection, as_of=as_of),
        trades=store.entries(run, lane, Trade, as_of=as_of),
        risk_changes=store.entries(run, lane, RiskChange, as_of=as_of),
        days=store.entries(run, lane, LaneDay, as_of=as_of),
    )
    return of_history(history, as_of=as_of)


def of_lane_since(
    pages: Pages, place: Place, since: date | None, *, as_of: datetime
) -> list[Document]:
    """Those of `of_lane` that are of the week of a session, or later: the same documents.

    A week is summed up from its sessions, so it is read from its first one on. All of them without
    a session, or with one that the lane does not have: then its run began again.
    """
    days = _entries(pages, place, LaneDay, as_of, 0)
    monday = date.min
    if since is not None and any(entry.record.date == since for entry in days):
        monday = since - timedelta(days=since.weekday())
    before = [entry for entry in days if entry.record.date < monday]
    after = before[-1].seq if before else 0
    history = LaneHistory(
        source=Source(place.run.run_id, place.lane, place.symbols),
        biases=_entries(pages, place, DailyBias, as_of, after),
        contexts=_entries(pages, place, MarketContext, as_of, after),
        analyses=_entries(pages, place, Analysis, as_of, after),
        decisions=_entries(pages, place, Decision, as_of, after),
        order_rejections=_entries(pages, place, OrderRejection, as_of, after),
        trades=_entries(pages, place, Trade, as_of, after),
        risk_changes=_entries(pages, place, RiskChange, as_of, after),
        days=days[len(before) :],
    )
    earlier = _signals_before(pages, place, history, as_of)
    return of_history(history, as_of=as_of, earlier=earlier)


def _signals_before(
    pages: Pages, place: Place, history: LaneHistory, as_of: datetime
) -> list[Entry[Decision]]:
    """The signals of trades that were held over from before a history begins."""
    known = {(one.record.signal.symbol, one.record.signal.start) for one in history.decisions}
    asked = {(one.record.symbol, one.record.signal_start) for one in history.trades} - known
    found = []
    for symbol, start in sorted(asked):
        where = {"symbol": symbol, "start": start}
        found += pages.newest(codec.DECISIONS, place, as_of=as_of, limit=1, where=where)
    return [Entry(one.seq, one.at, one.record) for one in found]


def _entries(
    pages: Pages, place: Place, kind: type[R], as_of: datetime, after: int
) -> list[Entry[R]]:
    """A lane's records behind a record, up to what was its newest when it was looked up."""
    span = Span(after, place.head)
    found = pages.following(codec.KINDS[kind], place, as_of=as_of, span=span)
    return [Entry(one.seq, one.at, one.record) for one in found]


def of_history(
    history: LaneHistory, *, as_of: datetime, earlier: Sequence[Entry[Decision]] = ()
) -> list[Document]:
    """The documents of a lane's records, in the order in which they became known. Pure.

    `earlier` are signals of before these records, of trades that are among them.
    """
    source = history.source
    by_signal: dict[tuple[str, datetime], Entry[Decision]] = {
        (entry.record.signal.symbol, entry.record.signal.start): entry
        for entry in (*earlier, *history.decisions)
    }
    told = [
        *(records.from_bias(source, entry) for entry in history.biases),
        *(records.from_context(source, entry) for entry in history.contexts),
        *(records.from_analysis(source, entry) for entry in history.analyses),
        *(records.from_decision(source, entry) for entry in history.decisions),
        *(records.from_order_rejection(source, entry) for entry in history.order_rejections),
        *(
            records.from_trade(
                source, entry, by_signal.get((entry.record.symbol, entry.record.signal_start))
            )
            for entry in history.trades
        ),
        *summaries(history, as_of),
    ]
    return sorted(told, key=lambda one: (one.known_at, one.kind in _LAST))
