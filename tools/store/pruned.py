"""What retention took out of a lane: which session's minute rows, which calls' texts.

A marker stands under the number of the record that vouches for what is gone: the `LaneDay` that
sealed the session, or the call itself. The chain of hashes is never touched. A pruned session is
still vouched for by its digest in the chain (an archive can be held against it); a pruned call
keeps its place in the chain, and what is left of it is checked against the marker's own hash.
Markers are not chained: who can write the database can set one, and then what is gone is *reported*
as pruned with its count, never as verified. Keep a count, or the archive, elsewhere to notice.
"""

import datetime as dt
from typing import Any, NamedTuple

from sqlalchemy import Connection, Integer, Text, insert, select
from sqlmodel import Field

from tools.store import columns as col
from tools.store import tables
from tools.store.tables import Row, kept, owned_by

MINUTES = "cycles"
TEXTS = "llm_calls"


class Pruned(Row, table=True):
    """A marker. `rows` counts minute rows; `digest` is the session's, or the call's as it is now.

    `archive` is the file into which it was written, empty when it was thrown away.
    """

    __tablename__ = "pruned"
    __table_args__ = (owned_by("lanes", "run", "lane"),)
    run: int = Field(primary_key=True, sa_type=Integer)
    lane: str = Field(primary_key=True, sa_type=Text)
    seq: int = Field(primary_key=True, sa_type=col.Whole)
    kind: str = kept(col.Line)
    rows: int = kept(col.Whole)
    digest: str = Field(sa_type=Text)
    archive: str = kept(col.Line)
    at: dt.datetime = kept(col.Moment)


_TABLE = tables.of(Pruned)


class Marker(NamedTuple):
    """What a marker says."""

    kind: str
    rows: int
    digest: str


def read(connection: Connection, run: int, lane: str) -> dict[int, Marker]:
    """The markers of a lane, by the number of the record that vouches."""
    found = connection.execute(
        select(_TABLE.c.seq, _TABLE.c.kind, _TABLE.c.rows, _TABLE.c.digest).where(
            _TABLE.c.run == run, _TABLE.c.lane == lane
        )
    )
    return {seq: Marker(kind, rows, digest) for seq, kind, rows, digest in found}


def mark(
    connection: Connection, run: int, lane: str, markers: dict[int, Marker], archive: str,
    at: dt.datetime,
) -> None:  # fmt: skip
    """Write markers, inside the transaction that takes the rows out."""
    values: list[dict[str, Any]] = [
        {"run": run, "lane": lane, "seq": seq, **one._asdict(), "archive": archive, "at": at}
        for seq, one in markers.items()
    ]
    if values:
        connection.execute(insert(_TABLE), values)
