"""Sums by session. A closed session never changes, so what was summed of it once is kept.

Only the open session, and what an earlier `as_of` cuts off, is read for each request. A run that is
discarded and made anew is another run here: its start is part of the key.
"""

import threading
from bisect import bisect_left, bisect_right
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, Generic, TypeVar

from quant_core.calendar import NEW_YORK
from quant_core.types import LaneDay
from tools.store import codec
from tools.store.paging import END, Entry, Pages, Place, Span

V = TypeVar("V")
_ALWAYS = datetime(9999, 1, 1, tzinfo=UTC)
_MOST_LANES = 32
_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class TradeSum:
    """Trades added up exactly, in dollars."""

    trades: int = 0
    wins: int = 0
    won: Decimal = Decimal(0)
    lost: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)

    @property
    def pnl(self) -> Decimal:
        """What was won less what was lost."""
        return self.won - self.lost

    @classmethod
    def total(cls, values: Sequence["TradeSum"]) -> "TradeSum":
        """All of them together."""
        return cls(
            sum(one.trades for one in values),
            sum(one.wins for one in values),
            sum((one.won for one in values), Decimal(0)),
            sum((one.lost for one in values), Decimal(0)),
            sum((one.fees for one in values), Decimal(0)),
        )


@dataclass(frozen=True, slots=True)
class CallSum:
    """Questions to models added up exactly, in dollars."""

    calls: int = 0
    usd: Decimal = Decimal(0)
    tokens_in: int = 0
    tokens_out: int = 0

    @classmethod
    def total(cls, values: Sequence["CallSum"]) -> "CallSum":
        """All of them together."""
        return cls(
            sum(one.calls for one in values),
            sum((one.usd for one in values), Decimal(0)),
            sum(one.tokens_in for one in values),
            sum(one.tokens_out for one in values),
        )


@dataclass(frozen=True, slots=True)
class Fold(Generic[V]):
    """How the rows of a kind in one session become a value; rows are (seq, *names), stored."""

    kind: codec.Kind[Any]
    names: tuple[str, ...]
    value: Callable[[Sequence[Any]], V]


@dataclass(slots=True)
class _Lane:
    """What is kept of a lane up to record `head`: its closed sessions, a value each by kind."""

    head: int = 0
    days: list[Entry[LaneDay]] = field(default_factory=list)
    values: dict[str, list[Any]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class SessionSums:
    """Sums by session of every lane that was asked for, the least recent forgotten first."""

    def __init__(self, pages: Pages) -> None:
        """Nothing is read before it is asked for."""
        self._pages = pages
        self._lock = threading.Lock()
        self._lanes: OrderedDict[tuple[Any, ...], _Lane] = OrderedDict()

    def days(self, place: Place, *, as_of: datetime) -> list[Entry[LaneDay]]:
        """The sessions that had ended at a moment, oldest first."""
        lane = self._lane(place)
        with lane.lock:
            return lane.days[: _known(lane.days, as_of)]

    def span(self, place: Place, first: date | None, last: date | None, *, as_of: datetime) -> Span:
        """The records of the sessions from `first` to `last`, both included; None is unbounded.

        What was recorded after a session's `LaneDay` belongs to the next one, so nothing beyond
        the session of `as_of` can have been known then.
        """
        days = self._lane(place).days
        today = as_of.astimezone(NEW_YORK).date()
        last = today if last is None else min(last, today)
        before = 0 if first is None else bisect_left(days, first, key=_date)
        within = bisect_right(days, last, key=_date)
        return Span(
            days[before - 1].seq if before else 0,
            END if within == len(days) else days[within - 1].seq if within else 0,
        )

    def trades(self, place: Place, *, as_of: datetime) -> list[tuple[date, TradeSum]]:
        """The trades of every session, the open one last if it has any."""
        days, values, rest = self._folded(place, _TRADES, as_of)
        found = [(day.record.date, value) for day, value in zip(days, values, strict=True)]
        if rest.trades:
            found.append((self._open_date(place, days, as_of), rest))
        return found

    def rulings(self, place: Place, *, as_of: datetime) -> tuple[int, Counter[str], Counter[str]]:
        """(signals, verdicts by ruling, signals that were not ordered by reason)."""
        _, values, rest = self._folded(place, _SIGNALS, as_of)
        total: Counter[str] = sum([*values, rest], Counter())
        return (
            total["signals"],
            Counter({k[7:]: n for k, n in total.items() if k.startswith("ruling:")}),
            Counter({k[8:]: n for k, n in total.items() if k.startswith("blocked:")}),
        )

    def analyses(self, place: Place, *, as_of: datetime) -> tuple[int, int]:
        """(analyses, degraded ones)."""
        _, values, rest = self._folded(place, _ANALYSES, as_of)
        total: Counter[str] = sum([*values, rest], Counter())
        return total.total(), total["DEGRADED"]

    def model_calls(self, place: Place, *, as_of: datetime) -> CallSum:
        """The questions to models of a lane."""
        _, values, rest = self._folded(place, _CALLS, as_of)
        return CallSum.total([*values, rest])

    def _open_date(self, place: Place, days: list[Entry[LaneDay]], as_of: datetime) -> date:
        span = Span(days[-1].seq if days else 0)
        trade = self._pages.following(codec.TRADES, place, as_of=as_of, limit=1, span=span)[0]
        # A session lies inside one day of UTC.
        return trade.record.exit_time.date()

    def _lane(self, place: Place) -> _Lane:
        key = (place.key, place.run.run_id, place.run.created_at, place.lane)
        with self._lock:
            lane = self._lanes.pop(key, None) or _Lane()
            self._lanes[key] = lane
            if len(self._lanes) > _MOST_LANES:
                self._lanes.popitem(last=False)
        with lane.lock:
            if place.head > lane.head:
                lane.days += self._pages.following(
                    codec.LANE_DAYS, place, as_of=_ALWAYS, span=Span(lane.head, place.head)
                )
                lane.head = place.head
        return lane

    def _folded(
        self, place: Place, fold: Fold[V], as_of: datetime
    ) -> tuple[list[Entry[LaneDay]], list[V], V]:
        """The sessions closed by `as_of`, a value for each, and one for what came after."""
        lane = self._lane(place)
        with lane.lock:
            values = lane.values.setdefault(fold.kind.name, [])
            if len(values) < len(lane.days):
                values += self._closed(place, fold, lane.days, len(values))
            known = _known(lane.days, as_of)
            after = lane.days[known - 1].seq if known else 0
            through = lane.days[known].seq if known < len(lane.days) else END
            days, closed = lane.days[:known], values[:known]
        rows = self._rows(place, fold, as_of, Span(after, through))
        return days, closed, fold.value(rows)

    def _closed(
        self, place: Place, fold: Fold[V], days: list[Entry[LaneDay]], done: int
    ) -> Iterator[V]:
        """A value for each session after the first `done`; a few sessions are read at a time."""
        for first in range(done, len(days), _AT_ONCE):
            block = days[first : first + _AT_ONCE]
            after = days[first - 1].seq if first else 0
            rows = self._rows(place, fold, _ALWAYS, Span(after, block[-1].seq))
            edges = [0, *(bisect_left(rows, day.seq, key=_number) for day in block)]
            for begin, end in pairwise(edges):
                yield fold.value(rows[begin:end])

    def _rows(self, place: Place, fold: Fold[V], as_of: datetime, span: Span) -> list[Any]:
        names = ("seq", *fold.names)
        return self._pages.columns(fold.kind, place, names, as_of=as_of, span=span)


def _number(row: Any) -> int:
    return int(row[0])


def _date(day: Entry[LaneDay]) -> date:
    return day.record.date


def _known(days: list[Entry[LaneDay]], as_of: datetime) -> int:
    return bisect_right(days, as_of, key=lambda day: day.at)


def _sum_trades(rows: Sequence[Any]) -> TradeSum:
    pnl = [Decimal(row[1]) for row in rows]
    return TradeSum(
        trades=len(rows),
        wins=sum(value > 0 for value in pnl),
        won=sum((value for value in pnl if value > 0), Decimal(0)),
        lost=-sum((value for value in pnl if value < 0), Decimal(0)),
        fees=sum((Decimal(row[2]) for row in rows), Decimal(0)),
    )


def _count_signals(rows: Sequence[Any]) -> Counter[str]:
    found: Counter[str] = Counter(signals=len(rows))
    for _, ruling, blocked_by, quantity in rows:
        if ruling is not None:
            found[f"ruling:{ruling}"] += 1
        if int(quantity) == 0:
            found[f"blocked:{blocked_by}"] += 1
    return found


def _sum_calls(rows: Sequence[Any]) -> CallSum:
    return CallSum(
        calls=len(rows),
        usd=sum((Decimal(row[1]) for row in rows), Decimal(0)),
        tokens_in=sum(int(row[2]) for row in rows),
        tokens_out=sum(int(row[3]) for row in rows),
    )


_TRADES = Fold(codec.TRADES, ("pnl", "fees"), _sum_trades)
_SIGNALS = Fold(codec.DECISIONS, ("ruling", "blocked_by", "quantity"), _count_signals)
_CALLS = Fold(codec.LLM_CALLS, ("cost_usd", "tokens_in", "tokens_out"), _sum_calls)
_ANALYSES = Fold(codec.ANALYSES, ("status",), lambda rows: Counter(row[1] for row in rows))
