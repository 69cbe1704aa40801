"""Reading a ledger into documents: every lane of every run, nothing that is not known yet."""

from collections.abc import Iterator
from datetime import datetime

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
from tools.store import Entry, Store


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


def of_history(history: LaneHistory, *, as_of: datetime) -> list[Document]:
    """The documents of a lane's records, in order of kind and then of the records. Pure."""
    source = history.source
    by_signal: dict[tuple[str, datetime], Entry[Decision]] = {
        (entry.record.signal.symbol, entry.record.signal.start): entry
        for entry in history.decisions
    }
    return [
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
