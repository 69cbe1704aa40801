"""What closed sessions add up to, made once and kept: for questions about more than can be cited.

A session that a `LaneDay` has closed never changes, so whatever is made of its records is kept for
the life of the reader; only the sessions that are new are read, a few at a time.
"""

import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

from quant_core.types import LaneDay
from tools.evidence import exact
from tools.records_as_rows import SIDES
from tools.store import codec
from tools.store.paging import Entry, Pages, Place, Span

S = TypeVar("S")
_MOST_LANES = 8
_AT_ONCE = 50
ALWAYS = datetime(9999, 1, 1, tzinfo=UTC)  # the caller knows that these sessions were over


@dataclass(slots=True)
class _Lane(Generic[S]):
    through: int = 0
    sessions: list[S] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class SessionSums(Generic[S]):
    """The sums of every closed session of the lanes that were asked about."""

    def __init__(self, pages: Pages) -> None:
        """Nothing is read before it is asked for."""
        self._pages = pages
        self._lock = threading.Lock()
        self._lanes: OrderedDict[tuple[Any, ...], _Lane[S]] = OrderedDict()

    def sessions(self, place: Place, days: Sequence[Entry[LaneDay]]) -> list[S]:
        """The sums of the first sessions of a lane, which `days` closed; those are kept."""
        key = (place.key, place.run.created_at, place.lane)
        with self._lock:
            lane = self._lanes.setdefault(key, _Lane())
            self._lanes.move_to_end(key)
            if len(self._lanes) > _MOST_LANES:
                self._lanes.popitem(last=False)
        with lane.lock:
            missing = days[len(lane.sessions) :]
            for first in range(0, len(missing), _AT_ONCE):
                block = missing[first : first + _AT_ONCE]
                lane.sessions += self._read(place, lane.through, block)
                lane.through = block[-1].seq
            return lane.sessions[: len(days)]

    def _read(self, place: Place, after: int, days: Sequence[Entry[LaneDay]]) -> Iterator[S]:
        """A few sessions, from their records behind one of them."""
        raise NotImplementedError


class SignalKind(NamedTuple):
    """What signals are counted by."""

    symbol: str
    setup: str
    side: str
    ruling: str
    blocked_by: str
    outcome: str


class SignalDay(NamedTuple):
    """The signals of a session, by kind."""

    day: date
    counts: Counter[SignalKind]


class SignalSums(SessionSums[SignalDay]):
    """Signals counted by session and kind; what was not ordered is `skipped`."""

    def _read(
        self, place: Place, after: int, days: Sequence[Entry[LaneDay]]
    ) -> Iterator[SignalDay]:
        for day, rows in _by_session(self._pages, codec.DECISIONS, place, _SIGNAL, after, days):
            yield SignalDay(day, Counter(_signal_kind(*row) for row in rows))


_SIGNAL = ("symbol", "setup", "side", "ruling", "blocked_by", "quantity")


@lru_cache(maxsize=4096)
def _kind(symbol: str, setup: str, side: str, ruling: str, blocked_by: str, out: str) -> SignalKind:
    """The same object for every session: there are few kinds, and they are kept by session."""
    return SignalKind(symbol, setup, side, ruling, blocked_by, out)


def _signal_kind(
    symbol: str, setup: str, side: str, ruling: str | None, blocked_by: str, quantity: str
) -> SignalKind:
    outcome = "ordered" if int(quantity) else "skipped"
    return _kind(symbol, setup, SIDES[int(side)], ruling or "", blocked_by, outcome)


class AnalysisDay(NamedTuple):
    """The analyses of a session. `rated` counts those that state a confidence."""

    day: date
    analyses: int
    degraded: int
    rated: int
    confidence: Decimal


class AnalysisSums(SessionSums[AnalysisDay]):
    """Analyses counted by session."""

    def _read(
        self, place: Place, after: int, days: Sequence[Entry[LaneDay]]
    ) -> Iterator[AnalysisDay]:
        names = ("status", "confidence")
        for day, rows in _by_session(self._pages, codec.ANALYSES, place, names, after, days):
            known = [exact(float(confidence)) for _, confidence in rows if confidence is not None]
            degraded = sum(status == "DEGRADED" for status, _ in rows)
            yield AnalysisDay(day, len(rows), degraded, len(known), sum(known, Decimal(0)))


def _by_session(
    pages: Pages, kind: codec.Kind[Any], place: Place, names: Sequence[str], after: int,
    days: Sequence[Entry[LaneDay]],
) -> Iterator[tuple[date, list[Any]]]:  # fmt: skip
    """Some columns of the records of each session, as they are stored."""
    span = Span(after, days[-1].seq)
    found = iter(pages.columns(kind, place, ("seq", *names), as_of=ALWAYS, span=span))
    row = next(found, None)
    for day in days:
        rows = []
        while row is not None and int(row[0]) <= day.seq:
            rows.append(tuple(row)[1:])
            row = next(found, None)
        yield day.record.date, rows
