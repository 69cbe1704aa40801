"""Looking a request up with the tools: the same for whoever made the request.

A single minute means something else to each tool: the trades that were open in it, the signal of
its bar (or the one that closed as it began), the analysis in force, the positions held. Where
nothing happened in that minute, what stands nearest is found, and the answer says that it is so.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Literal, Protocol

from graph.requests import Refusal, Request
from quant_core.calendar import NEW_YORK, new_york
from tools.errors import Transient
from tools.evidence import Row, facts, moment, text, word
from tools.scopes import Scope
from tools.toolbox import Found, Toolbox
from tools.trade_sums import EVERY, EXTREME, NONE, TooManyRecords, Want

MINUTE = timedelta(minutes=1)
NEAR = timedelta(minutes=30)
HITS = 5


class Library(Protocol):
    """Where reasons are searched: documents about the ledger, as of a moment."""

    def search(self, request: Request, *, as_of: datetime, k: int) -> list[Row]:
        """The k documents that fit best and were known at `as_of`, best first, as rows."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What was found for a request. `near` are rows beside the minute asked for, not in it."""

    request: Request
    found: Found
    near: tuple[Row, ...] = ()
    documents: tuple[Row, ...] = ()

    def all(self) -> dict[str, Row]:
        """Every row by its id."""
        more = (*self.near, *self.documents)
        return {**self.found.all(), **{row.id: row for row in more}}


def look_up(request: Request, box: Toolbox, library: Library | None) -> Looked:
    """Run a request's tool, and search for reasons where they are asked for."""
    try:
        looked = _looked(request, box)
    except TooManyRecords as error:
        if request.tool == "skipped" and request.reason and not request.measure:
            # The reasons of more signals than can be told: how often each was the reason.
            return look_up(replace(request, measure="skipped", by="blocked_by"), box, library)
        raise Refusal("too_many", f"{error}.") from error
    if request.reason and library is not None:
        try:
            return replace(looked, documents=tuple(_documents(request, box, library)))
        except Transient as error:
            if request.tool == "search":
                raise Refusal("no_index", f"The index cannot be searched now: {error}.") from error
    elif request.tool == "search":
        raise Refusal(
            "no_index",
            "Searching needs an index of the ledger: build it with `advisor index build`.",
        )
    return looked


def _looked(request: Request, box: Toolbox) -> Looked:
    scope, tool = request.scope, request.tool
    at = _moment(request, box)
    if tool in ("account", "lanes") and at is not None:
        raise Refusal("not_understood", "Equity and lanes are kept by session; leave out the time.")
    if tool == "positions":
        return _positions(request, box, at)
    if at is None:
        return Looked(request=request, found=_found(request, box))
    if tool == "trades" and request.measure:
        until = replace(scope, before=request.period.at)
        return _looked(_untimed(request, until), box)
    if tool == "analyses":
        return _in_force(request, box, at)
    found = _found(request, box)
    here = tuple(row for row in found.rows if _is_at(row, at))
    near: tuple[Row, ...] = ()
    if not here and tool in ("signals", "skipped"):
        near = _near(scope, box, at)
    # The figure is of the whole day: what it is made of stays with it.
    found = replace(found, rows=here, basis=(*found.basis, *found.rows))
    return Looked(request=request, found=found, near=near)


def _untimed(request: Request, scope: Scope) -> Request:
    period = replace(request.period, at=None, before=scope.before)
    return replace(request, scope=scope, period=period)


def _found(request: Request, box: Toolbox) -> Found:
    scope, by = request.scope, request.by
    if request.tool == "trades":
        return box.trades(scope, by, _wanted(request))
    if request.tool == "signals":
        return box.signals(scope, by, _wanted(request))
    if request.tool == "skipped":
        return box.skipped(scope, by, _wanted(request))
    if request.tool == "analyses":
        return box.analyses(scope, _wanted(request))
    if request.tool == "account":
        return box.account(scope)
    if request.tool == "biases":
        return box.biases(scope)
    return box.compare_lanes(scope) if request.tool == "lanes" else Found()


def _wanted(request: Request) -> Want:
    """Which trades an answer tells of beside its figures."""
    if not request.measure:
        which: Literal["newest", "oldest"] = "newest" if request.newest else "oldest"
        return Want(which, request.limit) if request.limit else EVERY
    return EXTREME if (request.pick or request.reason) and not request.by else NONE


def _moment(request: Request, box: Toolbox) -> datetime | None:
    """The minute asked for; refused in a day that is no single one, or in the future."""
    at, period = request.period.at, request.period
    if at is None:
        return None
    if period.first is None or period.first != period.last:
        raise Refusal("not_understood", f"At {at:%H:%M} of which day? Name one.")
    moment_asked = _new_york(period.first, at)
    if moment_asked > box.as_of:
        raise Refusal(
            "future", f"{period.in_words()} is after {new_york(box.as_of)} New York: not known yet."
        )
    return moment_asked


def _positions(request: Request, box: Toolbox, at: datetime | None) -> Looked:
    """Positions at a minute or now; for whole past days, the trades that were held in them."""
    scope, period = request.scope, request.period
    today = box.as_of.astimezone(NEW_YORK).date()
    asked_days = period.first is not None and (period.first, period.last) != (today, today)
    whole = (
        period.first == (box.sessions(scope.lane) or (today,))[0]
        and period.last == (box.sessions(scope.lane) or (today,))[-1]
    )
    if at is not None or not asked_days or whole:
        found = box.positions(scope, when=at + MINUTE if at else None)
        return Looked(request=request, found=found)
    trades = replace(request, tool="trades", measure="trades" if request.measure else "")
    return Looked(request=trades, found=_found(trades, box))


def _in_force(request: Request, box: Toolbox, at: datetime) -> Looked:
    """The newest analysis of the session at a minute."""
    found = box.analyses(request.scope)
    before = [row for row in found.rows if (row.moment("time") or at) <= at]
    return Looked(request=request, found=replace(found, rows=tuple(before[-1:])))


def _is_at(row: Row, at: datetime) -> bool:
    """A trade that was open in a minute; a signal whose bar began or closed then."""
    opened, closed = row.moment("entry_time"), row.moment("exit_time")
    if opened and closed:
        return opened <= at <= closed
    return row.moment("time") in (at, at - MINUTE)


def _near(scope: Scope, box: Toolbox, at: datetime) -> tuple[Row, ...]:
    """What happened to the symbols around a minute: signals, arming and disarming."""
    rows = (*box.signals(replace(scope, ruling=None, blocked_by=None)).rows,
            *box.transitions(scope).rows)  # fmt: skip
    close = [row for row in rows if abs((row.moment("time") or at) - at) <= NEAR]
    close.sort(key=lambda row: (abs((row.moment("time") or at) - at), row.id))
    return tuple(close[:3])


def _documents(request: Request, box: Toolbox, library: Library) -> list[Row]:
    return library.search(request, as_of=box.as_of, k=HITS)


def _new_york(day: date, at: time) -> datetime:
    return datetime.combine(day, at, NEW_YORK)


def session_bounds(scope: Scope) -> tuple[datetime, datetime] | None:
    """[begin of the first day, end of the last day) of a scope, for a search."""
    if scope.first is None or scope.last is None:
        return None
    first = datetime.combine(scope.first, time(), NEW_YORK)
    return first, datetime.combine(scope.last + timedelta(days=1), time(), NEW_YORK)


def document_row(
    id: str, kind: str, lane: str, symbols: tuple[str, ...], known_at: datetime, told: str
) -> Row:
    """A document of the index as a row that may be cited."""
    return Row(
        id=id,
        kind="document",
        symbol=symbols[0] if len(symbols) == 1 else "",
        facts=facts(
            kind=word(kind), lane=word(lane), symbols=word(" ".join(symbols)),
            known_at=moment(known_at), text=text(told),
        ),
    )  # fmt: skip
