"""Reading a ledger page by page, for whoever shows it while it may still be written.

Every query names its moment (`as_of`) and costs what it returns, not what the ledger holds: pages
walk the key (run, lane, seq), newest first, and filters are SQL. Dates need no index of their own:
a `LaneDay` closes each session, so the records of a span of dates are a `Span` of `seq`. Nothing
here writes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import (
    BigInteger,
    Connection,
    Dialect,
    Select,
    Table,
    Text,
    bindparam,
    literal_column,
    select,
    type_coerce,
)

from quant_core.calendar import to_minute
from quant_core.cycles import CycleRows
from quant_core.types import LaneDay
from tools.errors import NoData
from tools.outbox import Sending
from tools.store import codec, cycles, outbox, runs, tables
from tools.store.columns import Moment
from tools.store.runs import Run
from tools.store.statements import Statement
from tools.store.store import Store

R = TypeVar("R")
_CHAIN = tables.of(tables.Decisions)
_LANES = tables.of(tables.Lanes)
_RUNS = tables.of(tables.Runs)
_CYCLES = tables.of(tables.Cycles)
# Looked up for every request: built once, because building costs more than running.
_NEWEST = select(_RUNS.c.run_id).order_by(_RUNS.c.id.desc()).limit(1)
_LANES_OF = (
    select(_LANES.c.lane, _LANES.c.symbols, _LANES.c.hash, _LANES.c.seq, _LANES.c.open_rows)
    .where(_LANES.c.run == bindparam("run"))
    .order_by(_LANES.c.lane)
)
_HEAD = select(_CHAIN.c.at).where(
    _CHAIN.c.run == bindparam("run"),
    _CHAIN.c.lane == bindparam("lane"),
    _CHAIN.c.seq == bindparam("seq"),
)
_moment = Moment()
END = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One lane of one run as a request found it.

    `key` is the run's number in the ledger, `head` the lane's newest `seq`, and `open_rows` counts
    the minutes since the last closed session: while neither moves, the lane has not.
    """

    key: int
    run: Run
    lane: str
    symbols: tuple[str, ...] = ()
    head: int = 0
    open_rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlace:
    """A run with the lanes it has so far, and the hash of the newest record of each."""

    key: int
    run: Run
    lanes: dict[str, Place]
    heads: dict[str, str]


class Span(NamedTuple):
    """The records of a lane with after < seq ≤ through."""

    after: int = 0
    through: int = END

    def before(self, seq: int) -> "Span":
        """Only what stands before a record."""
        return Span(self.after, min(self.through, seq - 1))


@dataclass(frozen=True, slots=True)
class Entry(Generic[R]):
    """A record with its number in the lane and the moment at which it became known."""

    seq: int
    at: datetime
    record: R


class Pages:
    """The paged reads of an open ledger."""

    def __init__(self, store: Store) -> None:
        """Over a store, which stays the caller's to close."""
        self._store = store
        self._columns: dict[tuple[str, tuple[str, ...]], Select[Any]] = {}

    # Where

    def runs(self) -> list[Run]:
        """All runs, in the order in which they were started."""
        return self._store.runs()

    def place(self, run_id: str | None = None) -> RunPlace:
        """A run and its lanes; the newest run without a name. NoData when there is none."""
        with self._store.reading() as connection:
            if run_id is None:
                run_id = connection.execute(_NEWEST).scalar()
                if run_id is None:
                    raise NoData("the ledger has no run at all")
            kept = runs.get(connection, run_id)
            rows = connection.execute(_LANES_OF, {"run": kept.key}).all()
        lanes = {
            row.lane: Place(
                key=kept.key,
                run=kept.run,
                lane=row.lane,
                symbols=row.symbols,
                head=row.seq,
                open_rows=row.open_rows,
            )
            for row in rows
        }
        heads = {row.lane: row.hash for row in rows}
        return RunPlace(key=kept.key, run=kept.run, lanes=lanes, heads=heads)

    def head_known_at(self, place: Place) -> datetime | None:
        """When the newest record of a lane became known; None for a lane without records."""
        with self._store.reading() as connection:
            moment: datetime | None = connection.execute(
                _HEAD, {"run": place.key, "lane": place.lane, "seq": place.head}
            ).scalar()
            return moment

    # Records

    def newest(
        self,
        kind: codec.Kind[R],
        place: Place,
        *,
        as_of: datetime,
        limit: int,
        span: Span = Span(),  # noqa: B008  (immutable)
        where: Mapping[str, Any] | None = None,
    ) -> list[Entry[R]]:
        """At most `limit` records known at `as_of`, newest first.

        `where` names columns of the kind's table and the value each must have.
        """
        return self._records(kind, place, as_of, limit, span, where or {}, newest_first=True)

    def following(
        self,
        kind: codec.Kind[R],
        place: Place,
        *,
        as_of: datetime,
        limit: int = END,
        span: Span = Span(),  # noqa: B008  (immutable)
        where: Mapping[str, Any] | None = None,
    ) -> list[Entry[R]]:
        """At most `limit` records known at `as_of`, in the order in which they were written."""
        return self._records(kind, place, as_of, limit, span, where or {}, newest_first=False)

    def last_closed(self, place: Place, *, as_of: datetime) -> Entry[LaneDay] | None:
        """The newest session of a lane that was over at `as_of`."""
        found = self.newest(codec.LANE_DAYS, place, as_of=as_of, limit=1)
        return found[0] if found else None

    def columns(
        self, kind: codec.Kind[Any], place: Place, names: Sequence[str], *, as_of: datetime,
        span: Span = Span(),  # noqa: B008  (immutable)
    ) -> list[Any]:  # fmt: skip
        """Some columns of all records in a span known at `as_of`, in order, as they are stored."""
        table, key = kind.table, (kind.name, tuple(names))
        if key not in self._columns:
            chosen: Any = select(*[type_coerce(table.c[name], Text()) for name in names])
            self._columns[key] = _known(chosen, kind).order_by(table.c.seq)
        values = {
            "run": place.key,
            "lane": place.lane,
            "after": span.after,
            "through": span.through,
            "as_of": as_of,
        }
        with self._store.reading() as connection:
            return list(connection.execute(self._columns[key], values))

    def _records(
        self,
        kind: codec.Kind[R],
        place: Place,
        as_of: datetime,
        limit: int,
        span: Span,
        where: Mapping[str, Any],
        *,
        newest_first: bool,
    ) -> list[Entry[R]]:
        columns: dict[str, Any] = {column.name: column.type for column in kind.table.columns}
        values = {_filter(name): columns[name].keep(value) for name, value in where.items()}
        with self._store.reading() as connection:
            statement = _statement(kind, tuple(where), newest_first, connection.dialect)
            found = statement.run(
                connection,
                run=place.key,
                lane=place.lane,
                after=span.after,
                through=span.through,
                as_of=_moment.keep(as_of),
                most=limit,
                **values,
            ).fetchall()
            return [Entry(seq, _moment.read(at), kind.record(values)) for seq, at, *values in found]

    def unfinished_orders(self, run: RunPlace) -> list[tuple[str, Sending, int]]:
        """How many orders of a run are not over: (lane, state, count)."""
        with self._store.reading() as connection:
            return outbox.unfinished(connection, run.key)

    # Minutes

    def minutes(
        self, place: Place, first: int, last: int, *, as_of: datetime, symbol: str | None = None
    ) -> CycleRows:
        """Minute rows with first ≤ minute ≤ last (since the epoch) whose bar closed by `as_of`."""
        clause = _minutes(place, last, as_of).where(_CYCLES.c.minute >= _bounded(first))
        if symbol is not None:
            clause = clause.where(_CYCLES.c.symbol == symbol)
        with self._store.reading() as connection:
            return _rows(connection, place, clause.order_by(_CYCLES.c.minute))

    def last_minute(self, place: Place, *, as_of: datetime) -> int | None:
        """The newest minute of which any row was known at `as_of`."""
        newest = _minutes(place, cycles.LAST, as_of).with_only_columns(_CYCLES.c.minute)
        with self._store.reading() as connection:
            found = connection.execute(newest.order_by(_CYCLES.c.minute.desc()).limit(1))
            minute: int | None = found.scalar()
            return minute

    def latest(self, place: Place, *, as_of: datetime) -> CycleRows:
        """The newest row of every symbol that has one, in watchlist order where minutes agree."""
        with self._store.reading() as connection:
            parts = [
                _rows(
                    connection,
                    place,
                    _minutes(place, cycles.LAST, as_of)
                    .where(_CYCLES.c.symbol == symbol)
                    .order_by(_CYCLES.c.minute.desc())
                    .limit(1),
                )
                for symbol in place.symbols
            ]
            return CycleRows.joined(parts) if parts else cycles.from_stored((), [])


def _at(table: Table) -> Any:
    """When a record became known: a look into the chain for each row that is returned."""
    return (
        select(_CHAIN.c.at)
        .where(
            _CHAIN.c.run == table.c.run, _CHAIN.c.lane == table.c.lane, _CHAIN.c.seq == table.c.seq
        )
        .correlate(table)
        .scalar_subquery()
    )


def _known(clause: Select[Any], kind: codec.Kind[Any]) -> Select[Any]:
    """Only the records of a lane and a span that were known at a moment.

    The look into the chain is a subquery, so that the walk over the kind's own key stays the outer
    loop and a page ends after its last row.
    """
    table = kind.table
    return clause.where(
        table.c.run == bindparam("run"),
        table.c.lane == bindparam("lane"),
        table.c.seq > bindparam("after"),
        table.c.seq <= bindparam("through"),
        _at(table) <= bindparam("as_of", type_=Moment),
    )


_COMPILED: dict[tuple[str, str, str, tuple[str, ...], bool], Statement] = {}


def _statement(
    kind: codec.Kind[Any], where: tuple[str, ...], newest_first: bool, dialect: Dialect
) -> Statement:
    """The query of a kind with these filters, compiled once in a process."""
    key = (dialect.name, dialect.paramstyle, kind.name, where, newest_first)
    if key not in _COMPILED:
        table = kind.table
        own = [table.c[name] for name in kind.columns]
        clause = _known(select(table.c.seq, _at(table), *own), kind)
        for name in where:
            clause = clause.where(table.c[name] == bindparam(_filter(name)))
        clause = clause.order_by(table.c.seq.desc() if newest_first else table.c.seq)
        # SQLite's LIMIT brings an OFFSET along, as a parameter of its own unless it is given.
        clause = clause.limit(bindparam("most", type_=BigInteger)).offset(literal_column("0"))
        _COMPILED[key] = Statement(clause, dialect)
    return _COMPILED[key]


def _filter(name: str) -> str:
    return f"is_{name}"


def _bounded(minute: int) -> int:
    return min(max(minute, cycles.FIRST), cycles.LAST)


def _minutes(place: Place, last: int, as_of: datetime) -> Select[Any]:
    """Minute rows of a lane up to `last` whose bar had closed at a moment; minutes as stored."""
    through = _bounded(min(last, to_minute(as_of) - 1))
    names = list(_CYCLES.columns)[3:]
    return select(type_coerce(_CYCLES.c.minute, Text()).label("at"), *names).where(
        _CYCLES.c.run == place.key, _CYCLES.c.lane == place.lane, _CYCLES.c.minute <= through
    )


def _rows(connection: Connection, place: Place, clause: Select[Any]) -> CycleRows:
    return cycles.from_stored(place.symbols, connection.execute(clause).fetchall())
