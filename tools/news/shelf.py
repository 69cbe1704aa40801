"""News in memory: sorted by when each item was known, so that a read is two binary searches."""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from quant_core.types import Headline
from tools.ports import NewsReader


class NewsShelf:
    """Headlines as a `NewsReader`; of items with one id the first known counts."""

    def __init__(self, items: Iterable[Headline]) -> None:
        """Sort the items."""
        unique: dict[str, Headline] = {}
        for item in sorted(items, key=_order):
            unique.setdefault(item.id, item)
        self.items = tuple(unique.values())
        self._known_at = [item.known_at for item in self.items]

    def news(
        self, symbols: Sequence[str], *, as_of: datetime, since: datetime
    ) -> Sequence[Headline]:
        """Items on any of the symbols, or on the market, known in (since, as_of]."""
        first, last = bisect_right(self._known_at, since), bisect_right(self._known_at, as_of)
        return [item for item in self.items[first:last] if concerns(item, symbols)]

    def digest(self) -> str:
        """Identity of the items (16 hexadecimal digits)."""
        return hashlib.sha256(msgspec.json.encode(self.items)).hexdigest()[:16]


class JoinedNews:
    """Several sources as one; of items with one id the first source's counts."""

    def __init__(self, sources: Sequence[NewsReader]) -> None:
        """In the order in which they are believed."""
        self._sources = sources

    def news(
        self, symbols: Sequence[str], *, as_of: datetime, since: datetime
    ) -> Sequence[Headline]:
        """Items of all sources, in the order in which they became known."""
        found: dict[str, Headline] = {}
        for source in self._sources:
            for item in source.news(symbols, as_of=as_of, since=since):
                found.setdefault(item.id, item)
        return sorted(found.values(), key=_order)


def concerns(item: Headline, symbols: Sequence[str]) -> bool:
    """Whether an item is on one of the symbols, or on the market as a whole."""
    return not item.symbols or not set(symbols).isdisjoint(item.symbols)


def _order(item: Headline) -> tuple[datetime, str]:
    return item.known_at, item.id
