"""How a lane grows: records in order, each chained to the one before, whole cycles or nothing.

Each record's hash is SHA-256 over the hash before it and the record's content (`Kind.content`).
The first link of a lane is made from the lane's name alone: neither the run's name nor a clock is
in any hash, so two runs that decided the same have the same heads, and that is how "replay is
identity" is checked. What binds the heads to the run is the seal in `runs`.

A hash chain without a secret shows every change that does not redo the whole chain. Against one
who does, keep a finished run's heads somewhere else.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Table

from quant_core.cycles import CycleRows
from tools.errors import BadInput
from tools.ports import LedgerRecord
from tools.store import cycles as cycle_rows
from tools.store import tables
from tools.store.codec import KINDS, LANE_DAYS, Kind
from tools.store.columns import Lines
from tools.store.cycles import OpenSession
from tools.store.statements import Statements

_CHAIN = tables.of(tables.Decisions)
_LANES = tables.of(tables.Lanes)
_lines = Lines()


def first_link(lane: str) -> str:
    """What stands in for the hash before a lane's first record."""
    return hashlib.sha256(b"advisor ledger 1 " + lane.encode()).hexdigest()


def link(before: str, content: bytes) -> str:
    """The hash of a record that follows the record with hash `before`."""
    return hashlib.sha256(before.encode() + content).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """Where a lane of a run stands: the head of its chain and the session that is open.

    `exists` says whether the database has a row for it yet.
    """

    run: int
    name: str
    seq: int
    hash: str
    session: OpenSession
    exists: bool

    @classmethod
    def new(cls, run: int, name: str) -> "Lane":
        """A lane before its first cycle."""
        return cls(
            run=run,
            name=name,
            seq=0,
            hash=first_link(name),
            session=OpenSession(),
            exists=False,
        )


@dataclass(slots=True, kw_only=True)
class Growth:
    """One cycle of a lane, ready to be written: rows in stored form, and the lane after it."""

    before: Lane
    after: Lane
    cycles: list[tuple[Any, ...]]
    chain: list[tuple[Any, ...]] = field(default_factory=list)
    records: dict[Table, list[tuple[Any, ...]]] = field(default_factory=dict)


def grown(lane: Lane, cycles: CycleRows | None, records: Sequence[LedgerRecord]) -> Growth:
    """Check and prepare one cycle; BadInput when something in it cannot be kept."""
    session, rows = lane.session, []
    if cycles is not None:
        session = session.extended(cycles)
        rows = cycle_rows.stored(lane.run, lane.name, cycles)
    growth = Growth(before=lane, after=lane, cycles=rows)
    seq, head = lane.seq, lane.hash
    for seq, record in enumerate(records, start=lane.seq + 1):
        kind = _kind_of(record)
        supplied: tuple[Any, ...] = ()
        if kind is LANE_DAYS:
            supplied, session = session.sealed(), session.closed()
        at, row = kind.stored(record, *supplied)
        before, head = head, link(head, kind.content(at, row))
        growth.chain.append((lane.run, lane.name, seq, kind.name, at, before, head))
        growth.records.setdefault(kind.table, []).append((lane.run, lane.name, seq, *row))
    growth.after = replace(lane, seq=seq, hash=head, session=session, exists=True)
    return growth


def _kind_of(record: LedgerRecord) -> Kind[Any]:
    try:
        return KINDS[type(record)]
    except KeyError:
        raise BadInput(f"the ledger keeps no {type(record).__name__}") from None


def write(
    connection: Connection, sql: Statements, growth: Growth, checkpoint: bytes | None
) -> None:
    """Write a cycle inside the caller's transaction.

    Raises BadInput when the lane no longer stands where this process left it.
    """
    _move(connection, sql, growth, checkpoint)
    sql.insert_cycles(connection, growth.cycles)
    sql.insert[_CHAIN].many(connection, growth.chain)
    for table, rows in growth.records.items():
        sql.insert[table].many(connection, rows)


def _move(
    connection: Connection, sql: Statements, growth: Growth, checkpoint: bytes | None
) -> None:
    lane = growth.after
    values = {
        "symbols": _lines.keep(lane.session.symbols),
        "seq": lane.seq,
        "hash": lane.hash,
        "open_rows": lane.session.rows,
        "open_digest": lane.session.digest.hexdigest(),
        "checkpoint": checkpoint,
    }
    if not growth.before.exists:
        sql.insert[_LANES].run(connection, run=lane.run, lane=lane.name, **values)
        return
    moved = sql.move_lane.run(
        connection, of_run=lane.run, of_lane=lane.name, from_seq=growth.before.seq, **values
    )
    if moved.rowcount != 1:
        raise BadInput(
            f"lane {lane.name} no longer stands at record {growth.before.seq}, where this process "
            "left it; something else has changed the ledger: verify the run"
        )
