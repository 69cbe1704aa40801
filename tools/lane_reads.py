"""What the tools read of a run: only the sessions that are asked about, as of one moment.

A `LaneDay` closes each session, so the records of some dates are those between two of them and a
question about a week costs a week, however long the ledger is. The run's lanes are looked up once
and nothing beyond their newest record then is read: a ledger that grows meanwhile cannot give two
answers to one question.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from typing import Any, TypeVar

from quant_core.calendar import NEW_YORK
from quant_core.types import Analysis, Decision, Fill, LaneDay, Order, Trade, Transition
from tools.errors import BadInput
from tools.evidence import Row
from tools.records_as_rows import as_rows
from tools.session_sums import AnalysisDay, AnalysisSums, SignalDay, SignalSums
from tools.store import codec
from tools.store.holdings import Holdings
from tools.store.paging import Entry, Pages, Place, RunPlace, Span
from tools.store.store import Store
from tools.trade_sums import Session, TooManyRecords, TradeSums, summed

R = TypeVar("R")
T = TypeVar("T")
LANES = ("advised", "baseline", "placebo")
MARKET = "market"  # where the ledger keeps what all lanes share
MOST_RECORDS = 10_000


@dataclass(frozen=True, slots=True)
class Reads:
    """The reads of an open ledger that questions share; threads may share it too."""

    pages: Pages
    holdings: Holdings
    sums: TradeSums
    signals: SignalSums
    analyses: AnalysisSums

    @classmethod
    def of(cls, store: Store) -> "Reads":
        """The reads of a store, which stays the caller's to close."""
        pages = Pages(store)
        return cls(pages, Holdings(store), TradeSums(pages), SignalSums(pages), AnalysisSums(pages))


@dataclass(slots=True)
class LaneReads:
    """One run as of a moment, read piece by piece; every piece once."""

    reads: Reads
    run_id: str
    as_of: datetime
    _kept: dict[Hashable, Any] = field(default_factory=dict)

    def lanes(self) -> tuple[str, ...]:
        """The run's lanes that can be asked about, the main one first."""
        return tuple(lane for lane in LANES if lane in self._run().lanes)

    def symbols(self) -> tuple[str, ...]:
        """The watchlists of the lanes, in order; empty when nothing was ever recorded."""
        places = (self._run().lanes[lane] for lane in self.lanes())
        return tuple(dict.fromkeys(symbol for place in places for symbol in place.symbols))

    def days(self, lane: str) -> list[Entry[LaneDay]]:
        """The sessions that had ended."""
        return self._once(("days", lane), partial(self._entries, LaneDay, lane, Span()))

    def newest(self, kind: type[R], lane: str) -> R | None:
        """The last record of a kind."""
        found = self.reads.pages.newest(
            codec.KINDS[kind], self._place(lane), as_of=self.as_of, limit=1,
            span=self._known(lane, Span()),
        )  # fmt: skip
        return found[0].record if found else None

    def sessions(self, lane: str) -> tuple[date, ...]:
        """New York dates on which the lane has recorded anything, in order."""
        return self._once(("sessions", lane), partial(self._sessions, lane))

    def rows(
        self, kind: type[R], lane: str, make: Callable[[str, R], Row], first: date | None = None,
        last: date | None = None, where: Mapping[str, Any] | None = None,
    ) -> list[Row]:  # fmt: skip
        """The records of the sessions from `first` to `last`, both included, as rows."""
        span = self._span(lane, first, last)
        name = ("rows", kind, lane, span, tuple((where or {}).items()))
        return self._once(name, partial(self._rows, kind, lane, make, span, where))

    def days_within(self, lane: str, first: date | None, last: date | None) -> list[Entry[LaneDay]]:
        """The sessions from `first` to `last` that had ended."""
        days = self.days(lane)
        return days[
            bisect_left(days, first, key=_date) if first else 0 :
            bisect_right(days, last, key=_date) if last else len(days)
        ]  # fmt: skip

    def trade_sums(self, lane: str, first: date | None, last: date | None) -> list[Session]:
        """The sums of the trades of each session, the one that is still open included."""
        days = self.days(lane)
        closed = self.reads.sums.sessions(self._place(lane), days)
        found = [
            one
            for one in closed
            if (not first or one.day >= first) and (not last or one.day <= last)
        ]
        after = days[-1].seq if days else 0
        running: dict[date, list[Trade]] = {}
        for entry in self._entries(Trade, lane, Span(after)):
            day = entry.record.exit_time.astimezone(NEW_YORK).date()
            running.setdefault(day, []).append(entry.record)
        found += [
            Session.of(day, summed(trades))
            for day, trades in sorted(running.items())
            if (not first or day >= first) and (not last or day <= last)
        ]
        return found

    def signal_sums(self, lane: str, first: date | None, last: date | None) -> list[SignalDay]:
        """The signals of each session that had ended, counted."""
        days = self.reads.signals.sessions(self._place(lane), self.days(lane))
        return [one for one in days if _between(one.day, first, last)]

    def analysis_sums(self, lane: str, first: date | None, last: date | None) -> list[AnalysisDay]:
        """The analyses of each session that had ended, counted."""
        days = self.reads.analyses.sessions(self._place(lane), self.days(lane))
        return [one for one in days if _between(one.day, first, last)]

    def running(
        self, kind: type[R], lane: str, make: Callable[[str, R], Row], first: date | None,
        last: date | None,
    ) -> list[Row]:  # fmt: skip
        """The records since the last session that had ended, as rows; they are of the dates too."""
        days = self.days(lane)
        rows = self._rows(kind, lane, make, Span(days[-1].seq if days else 0), None)
        return [row for row in rows if _between(_day_of(row), first, last)]

    def fills_of_holdings(self, lane: str, moment: datetime) -> list[Fill]:
        """The fills that what was held at a moment may be made of, in order.

        Those of its session, and all of symbols that were carried into it.
        """
        today = moment.astimezone(NEW_YORK).date()
        span = self._span(lane, today, today)
        carried = self.reads.holdings.after(self._place(lane), span.after) if span.after else {}
        earlier = Span(0, span.after)
        found = [
            entry
            for symbol in carried
            for entry in self._entries(Fill, lane, earlier, {"symbol": symbol})
        ]
        return [entry.record for entry in (*found, *self._entries(Fill, lane, span))]

    def last_order(self, lane: str, symbol: str, moment: datetime) -> Order | None:
        """The last order of a symbol that was decided by a moment."""
        found = self.reads.pages.newest(
            codec.KINDS[Order], self._place(lane), as_of=min(moment, self.as_of), limit=1,
            span=self._known(lane, Span()), where={"symbol": symbol},
        )  # fmt: skip
        return found[0].record if found else None

    def _run(self) -> RunPlace:
        return self._once("run", partial(self.reads.pages.place, self.run_id))

    def _place(self, lane: str) -> Place:
        run = self._run()
        if lane in run.lanes:
            return run.lanes[lane]
        if lane == MARKET:
            return Place(key=run.key, run=run.run, lane=lane)
        there = ", ".join(self.lanes()) or "none"
        raise BadInput(f"this run has no lane {lane!r}; it has {there}")

    def _known(self, lane: str, span: Span) -> Span:
        """A span up to what was the newest record when the run was looked up."""
        return Span(span.after, min(span.through, self._place(lane).head))

    def _span(self, lane: str, first: date | None, last: date | None) -> Span:
        days = self.days(lane)
        before = bisect_left(days, first, key=_date) if first else 0
        ends = bisect_right(days, last, key=_date) if last else len(days)
        after = days[before - 1].seq if before else 0
        # What follows the last closed session is of the one that is still open.
        return Span(after, days[ends - 1].seq) if 0 < ends < len(days) else Span(after)

    def _sessions(self, lane: str) -> tuple[date, ...]:
        dates = {entry.record.date for entry in self.days(lane)}
        moments: dict[type[Any], Callable[[Any], datetime]] = {
            Analysis: lambda one: one.as_of,
            Trade: lambda one: one.exit_time,
            Fill: lambda one: one.start,
            Decision: lambda one: one.signal.start,
            Transition: lambda one: one.start,
        }
        running = [when(one) for kind, when in moments.items() if (one := self.newest(kind, lane))]
        if running:
            dates.add(max(running).astimezone(NEW_YORK).date())
        return tuple(sorted(dates))

    def _rows(
        self, kind: type[R], lane: str, make: Callable[[str, R], Row], span: Span,
        where: Mapping[str, Any] | None,
    ) -> list[Row]:  # fmt: skip
        entries = self._entries(kind, lane, span, where)
        rows = as_rows(make, lane, [entry.record for entry in entries])
        return [
            replace(row, seq=entry.seq, known_at=entry.at)
            for row, entry in zip(rows, entries, strict=True)
        ]

    def _entries(
        self, kind: type[R], lane: str, span: Span, where: Mapping[str, Any] | None = None
    ) -> list[Entry[R]]:
        found = self.reads.pages.following(
            codec.KINDS[kind], self._place(lane), as_of=self.as_of, span=self._known(lane, span),
            where=where, limit=MOST_RECORDS + 1,
        )  # fmt: skip
        if len(found) > MOST_RECORDS:
            raise TooManyRecords(
                f"That is about more than {MOST_RECORDS:,} records; name fewer days, or one symbol"
            )
        return found

    def _once(self, name: Hashable, read: Callable[[], T]) -> T:
        if name not in self._kept:
            self._kept[name] = read()
        found: T = self._kept[name]
        return found


def _between(day: date, first: date | None, last: date | None) -> bool:
    return not ((first and day < first) or (last and day > last))


def _day_of(row: Row) -> date:
    return datetime.fromisoformat(row.text("time")).astimezone(NEW_YORK).date()


def _date(day: Entry[LaneDay]) -> date:
    return day.record.date
