"""News that a ledger kept: what an earlier run was shown, as a source of its own."""

from collections.abc import Sequence
from datetime import datetime

from quant_core.types import Headline
from tools.news.shelf import NewsShelf
from tools.store.store import Store


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
