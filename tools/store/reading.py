"""From rows back to domain types, and to the state in which a lane was left."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, select

from quant_core.cycles import CycleRows
from tools.errors import BadInput
from tools.store import cycles as cycle_rows
from tools.store import tables
from tools.store.chain import Lane
from tools.store.codec import LANE_DAYS, Kind
from tools.store.columns import Kept, Minute, Moment
from tools.store.cycles import OpenSession
from tools.store.dialect import Unreadable
from tools.store.statements import Statements

R = TypeVar("R")
_CHAIN = tables.of(tables.Decisions)
_LANES = tables.of(tables.Lanes)
_DAYS = LANE_DAYS.table
_minute = Minute()
_moment = Moment()


@dataclass(frozen=True, slots=True)
class Entry(Generic[R]):
    """A record with its number in the lane's chain and the moment at which it became known."""

    seq: int
    known_at: datetime
    record: R


def records(
    connection: Connection, sql: Statements, kind: Kind[R], run: int, lane: str, as_of: Kept
) -> list[R]:
    """A lane's records of a kind known at a moment, in the order in which they were written."""
    return [record for _, _, record in _known(connection, sql, kind, run, lane, as_of)]


def entries(
    connection: Connection, sql: Statements, kind: Kind[R], run: int, lane: str, as_of: Kept
) -> list[Entry[R]]:
    """The same records, each with where it stands and when it became known."""
    return [
        Entry(seq, _moment.read(at), record)
        for seq, at, record in _known(connection, sql, kind, run, lane, as_of)
    ]


def _known(
    connection: Connection, sql: Statements, kind: Kind[R], run: int, lane: str, as_of: Kept
) -> Iterator[tuple[int, Any, R]]:
    rows = sql.known_of_kind[kind.table].run(
        connection, run=run, lane=lane, kind=kind.name, as_of=as_of
    )
    for at, seq, *row in rows:
        try:
            yield seq, at, kind.record(row)
        except Unreadable as error:
            raise Unreadable(f"record {seq} of lane {lane}: {error}") from error


def cycles(connection: Connection, sql: Statements, run: int, lane: str, through: int) -> CycleRows:
    """A lane's minute rows up to a minute."""
    symbols = watchlist(connection, run, lane)
    rows = cycles_between(connection, sql, run, lane, cycle_rows.FIRST, through)
    return cycle_rows.from_stored(symbols, rows)


def cycles_between(
    connection: Connection, sql: Statements, run: int, lane: str, after: int, through: int
) -> Sequence[Sequence[Any]]:
    """Raw minute rows with after < minute <= through; bounds are clipped to those of `cycles`."""
    bounds = (max(after, cycle_rows.FIRST), min(through, cycle_rows.LAST))
    found: Sequence[Sequence[Any]] = sql.cycles.run(
        connection,
        run=run,
        lane=lane,
        after=_minute.keep(bounds[0]),
        through=_minute.keep(bounds[1]),
    ).fetchall()
    return found


def watchlist(connection: Connection, run: int, lane: str) -> tuple[str, ...]:
    """The symbols a lane was started with, in order; none for a lane that never was."""
    of_lane = select(_LANES.c.symbols).where(_LANES.c.run == run, _LANES.c.lane == lane)
    return connection.execute(of_lane).scalar() or ()


def lane(
    connection: Connection, sql: Statements, run: int, name: str, known: Lane | None = None
) -> Lane:
    """A lane as it was left; BadInput when its rows are not what it was left with.

    `known` is the lane as this process left it before: rows that it has read once, or written, are
    not read again while what came since leads to what the lane was left with.
    """
    of_lane = select(_LANES).where(_LANES.c.run == run, _LANES.c.lane == name)
    row = connection.execute(of_lane).mappings().first()
    if row is None:
        return Lane.new(run, name)
    last = connection.execute(
        select(_CHAIN.c.seq, _CHAIN.c.hash)
        .where(_CHAIN.c.run == run, _CHAIN.c.lane == name)
        .order_by(_CHAIN.c.seq.desc())
        .limit(1)
    ).first()
    seq, head = last or (0, Lane.new(run, name).hash)
    left = (row["open_rows"], row["open_digest"])
    session = _open_session(connection, sql, run, name, row["symbols"], known)
    if known is not None and (session.rows, session.digest.hexdigest()) != left:
        session = _open_session(connection, sql, run, name, row["symbols"], None)
    found = (seq, head, session.rows, session.digest.hexdigest())
    if found != (row["seq"], row["hash"], *left):
        raise BadInput(
            f"lane {name} of the ledger was changed since it was last written; "
            "nothing is added to it. Verify the run to see what, or discard the run"
        )
    return Lane(run=run, name=name, seq=seq, hash=head, session=session, exists=True)


def _open_session(
    connection: Connection, sql: Statements, run: int, name: str, symbols: tuple[str, ...],
    known: Lane | None,
) -> OpenSession:  # fmt: skip
    """The rows since the last `LaneDay`; those of `known` are taken to be as they were."""
    through = connection.execute(
        select(_DAYS.c.cycles_through)
        .where(_DAYS.c.run == run, _DAYS.c.lane == name)
        .order_by(_DAYS.c.seq.desc())
        .limit(1)
    ).scalar()
    last = None if through is None else (through, len(symbols))
    after = cycle_rows.FIRST if through is None else through
    session = OpenSession(symbols=symbols, last=last)
    if known is not None and known.session.last is not None and known.session.last[0] > after:
        session, after = known.session, known.session.last[0]
    rows = cycles_between(connection, sql, run, name, after, cycle_rows.LAST)
    return session.extended(cycle_rows.from_stored(symbols, rows))
