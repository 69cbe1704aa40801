"""What a request reads: which run, which lane, up to which moment, from which page on.

The moment defaults to now. A replay's rows are all in the past of whoever reads them, whatever
dates they carry, so "now" of a replay is its own newest minute: everything it has written.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from advisor.api.problems import bad_request, not_found
from advisor.api.sums import SessionSums
from quant_core.calendar import NEW_YORK, to_minute
from tools.errors import NoData
from tools.store import codec
from tools.store.columns import Day
from tools.store.paging import END, Pages, Place, RunPlace, Span

_PREFERRED = ("advised", "baseline")
_NOT_TRADED = "market"
_day = Day()
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One lane of a run as it was known at a moment; `asked` is the moment if one was named."""

    place: Place
    run: RunPlace
    as_of: datetime
    asked: datetime | None

    @property
    def where(self) -> dict[str, object]:
        """The fields of `schemas.Located`."""
        return {"run": self.run.run.run_id, "lane": self.place.lane, "as_of": self.asked}


class LedgerView:
    """A ledger as the API's handlers see it."""

    def __init__(self, pages: Pages) -> None:
        """Over the paged reads of an open ledger."""
        self.pages = pages
        self.sums = SessionSums(pages)

    def find_run(self, run_id: str | None) -> RunPlace | None:
        """A run, the newest without a name; None when there is none."""
        try:
            return self.pages.place(run_id)
        except NoData:
            return None

    def run(self, run_id: str | None) -> RunPlace:
        """A run, the newest without a name; a problem that says what there is."""
        try:
            return self.pages.place(run_id)
        except NoData as error:
            if run_id is None:
                raise not_found(
                    "no-run",
                    "The ledger holds no run yet: `advisor demo` or `advisor replay` makes one.",
                ) from error
            known = [run.run_id for run in self.pages.runs()][-5:]
            raise not_found(
                "unknown-run", f"There is no run {run_id}; the newest are {', '.join(known)}."
            ) from error

    def version(self, found: RunPlace) -> str:
        """Changes whenever an answer about a run may.

        A lane moves with its records and minutes; what is known of a live run, with time too.
        """
        lanes = [(one.lane, one.head, one.open_rows) for one in found.lanes.values()]
        run = found.run
        clock = "" if run.kind == "replay" else f"{datetime.now(UTC):%Y%m%d%H%M%S}"
        return f"{found.key} {run.run_id} {run.created_at} {run.status} {lanes} {clock}"

    def scope(
        self, run_id: str | None = None, lane: str | None = None, as_of: datetime | None = None
    ) -> Scope:
        """The lane a request means: the advised one, or the first, unless it names another."""
        run = self.run(run_id)
        return self.scope_of(run, lane, as_of)

    def scope_of(self, run: RunPlace, lane: str | None, as_of: datetime | None) -> Scope:
        """A lane of a run that was looked up before."""
        traded = [name for name in run.lanes if name != _NOT_TRADED]
        chosen = lane or next((name for name in (*_PREFERRED, *traded) if name in traded), None)
        moment = _moment(run.run.kind, as_of)
        place = run.lanes.get(chosen) if chosen else None
        if place is None and (lane is not None and run.lanes):
            known = ", ".join(traded) or "none yet"
            raise not_found("unknown-lane", f"There is no lane {lane}; this run has: {known}.")
        if place is None:  # a run that has only begun
            place = Place(key=run.key, run=run.run, lane=chosen or _PREFERRED[0])
        return Scope(place=place, run=run, as_of=moment, asked=as_of)

    def market(self, scope: Scope) -> Place:
        """The lane that holds what all lanes share: the premarket."""
        found = scope.run.lanes.get(_NOT_TRADED)
        return found or Place(key=scope.run.key, run=scope.run.run, lane=_NOT_TRADED)

    def symbols(self, scope: Scope) -> tuple[str, ...]:
        """The watchlist; of what has not traded (a premarket), the symbols that were prepared."""
        if scope.place.symbols:
            return scope.place.symbols
        prepared = self.pages.columns(
            codec.SNAPSHOTS, self.market(scope), ("symbol",), as_of=scope.as_of
        )
        return tuple(dict.fromkeys(row[0] for row in prepared))

    def symbol(self, scope: Scope, symbol: str | None) -> str | None:
        """A symbol as the watchlist writes it; a problem for one that is not on it."""
        if symbol is None:
            return None
        name, watched = symbol.upper(), self.symbols(scope)
        if name not in watched:
            known = ", ".join(watched) or "empty"
            raise not_found(
                "unknown-symbol", f"{name} is not on the watchlist of this run: {known}."
            )
        return name

    def span(self, scope: Scope, first: date | None, last: date | None) -> Span:
        """The records of the sessions asked for."""
        if first is not None and last is not None and first > last:
            raise bad_request(
                "impossible-dates", f"start_date {first} lies after end_date {last}; swap them."
            )
        if scope.place.lane == _NOT_TRADED:
            return self._prepared(scope, first, last)
        return self.sums.span(scope.place, first, last, as_of=scope.as_of)

    def _prepared(self, scope: Scope, first: date | None, last: date | None) -> Span:
        """The records of premarkets: each begins with the snapshots of its session."""
        rows = self.pages.columns(codec.SNAPSHOTS, scope.place, ("seq", "date"), as_of=scope.as_of)
        starts = [(_day.read(day), int(seq)) for seq, day in rows]
        after = 0 if first is None else next((q - 1 for d, q in starts if d >= first), END)
        through = END if last is None else next((q - 1 for d, q in starts if d > last), END)
        return Span(after, through)


def _moment(kind: str, asked: datetime | None) -> datetime:
    if asked is None:
        return LATEST if kind == "replay" else datetime.now(UTC)
    try:
        return min(max(asked.astimezone(UTC), _EARLIEST), LATEST)
    except OverflowError:
        return LATEST if asked.year > _EARLIEST.year else _EARLIEST


def minutes_of(day: date, begin: time = time()) -> tuple[int, int]:
    """From a clock time of a New York day to its end, minutes since the epoch, both included.

    Nothing is recorded at the ends of the calendar, where a day may not exist everywhere.
    """
    if not _EARLIEST.year <= day.year < LATEST.year:
        return 0, -1
    first = to_minute(datetime.combine(day, begin, NEW_YORK))
    return first, to_minute(datetime.combine(day, time(23, 59), NEW_YORK))


def cursor(scope: Scope, seq: int) -> str:
    """The opaque cursor of what stands before a record of a lane."""
    text = f"{scope.place.run.run_id}/{scope.place.lane}/{seq}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def after_cursor(scope: Scope, text: str | None) -> int | None:
    """The record a cursor stands at; a problem when it is not one of this lane's."""
    if text is None:
        return None
    try:
        plain = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        run, lane, seq = plain.rsplit("/", 2)
        number = int(seq)
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise bad_request("bad-cursor", "This is no cursor; take `next` of a page.") from error
    if (run, lane) != (scope.place.run.run_id, scope.place.lane) or not 0 < number < 2**62:
        raise bad_request(
            "bad-cursor", "This cursor is of another run or lane; begin again without a cursor."
        )
    return number
