"""What advisers leave behind for the ledger: calls, findings, and the news they were shown.

Advisers give an opinion and change nothing; what led to it waits here until the cycle that commits
the opinion takes it along, in one transaction. Any thread may add, one takes.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from threading import Lock
from typing import Any

from graph.opinions import Opinion, records_of
from quant_core.types import Headline
from tools.ports import LedgerRecord, NewsReader


class Kept:
    """Records that wait for their transaction, in the order in which they came."""

    def __init__(self) -> None:
        """With nothing yet."""
        self._waiting: deque[LedgerRecord] = deque()

    def opinion(self, opinion: Opinion[Any]) -> None:
        """Keep what led to an opinion."""
        self._waiting.extend(records_of(opinion))

    def add(self, records: Iterable[LedgerRecord]) -> None:
        """Keep records."""
        self._waiting.extend(records)

    def take(self) -> list[LedgerRecord]:
        """Everything that waits; it waits no longer."""
        return [self._waiting.popleft() for _ in range(len(self._waiting))]


class NewsOnRecord:
    """A news source whose items are kept when they are first shown to somebody."""

    def __init__(self, source: NewsReader, kept: Kept, known: Iterable[str] = ()) -> None:
        """`known` are the ids that the run's ledger has already."""
        self._source, self._kept = source, kept
        self._known = set(known)
        self._lock = Lock()

    def news(
        self, symbols: Sequence[str], *, as_of: datetime, since: datetime
    ) -> Sequence[Headline]:
        """What the source has, of what was known at `as_of`."""
        found = [
            one
            for one in self._source.news(symbols, as_of=as_of, since=since)
            if one.known_at <= as_of
        ]
        with self._lock:
            self._kept.add(one for one in found if one.id not in self._known)
            self._known.update(one.id for one in found)
        return found
