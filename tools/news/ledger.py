"""News and chart alerts that a ledger kept: what reached an earlier run, as a source of its own."""

from collections.abc import Sequence
from datetime import UTC, datetime

from quant_core.types import ChartAlert, Headline
from tools.news.shelf import NewsShelf
from tools.store.store import Store

_EVER = datetime(9999, 1, 1, tzinfo=UTC)


def chart_alerts(store: Store) -> list[ChartAlert]:
    """Every chart alert of a ledger, as it was recorded; whoever shows them looks at `known_at`."""
    return [
        alert
        for run in store.runs()
        for lane in store.heads(run.run_id)
        for alert in store.chart_alerts(run.run_id, lane, as_of=_EVER)
    ]


class LedgerNews:
    """The news in every run and lane of an open ledger."""

    def __init__(self, store: Store) -> None:
        """Over a ledger that stays open."""
        self._store = store

    def news(
        self, symbols: Sequence[str], *, as_of: datetime, since: datetime
    ) -> Sequence[Headline]:
        """Items on any of the symbols, or on the market, known in (since, as_of]."""
        kept = [
            item
            for run in self._store.runs()
            for lane in self._store.heads(run.run_id)
            for item in self._store.news(run.run_id, lane, as_of=as_of)
        ]
        return NewsShelf(kept).news(symbols, as_of=as_of, since=since)
