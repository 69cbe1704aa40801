"""The outbox's table: where orders stand, replaced in place and not hashed.

What was decided, and what was filled, are records of the chain. This is how far the requests in
between have come, written in the same transaction as those records.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Index, Integer, Text, bindparam, func, insert, select, update
from sqlmodel import Field

from tools.outbox import OutboxRow, Purpose, Sending
from tools.store import columns as col
from tools.store import tables
from tools.store.tables import Row, kept, number, owned_by


class PurposeWord(col.Word):
    """A `Purpose`."""

    cache_ok = True
    words = Purpose


class SendingWord(col.Word):
    """A `Sending`."""

    cache_ok = True
    words = Sending


class Outbox(Row, table=True):
    """An `OutboxRow`. The key holds over all runs: an account knows an id only once."""

    __tablename__ = "outbox"
    __table_args__ = (owned_by("lanes", "run", "lane"), Index("ix_outbox_lane", "run", "lane"))
    client_order_id: str = Field(primary_key=True, sa_type=col.Line)
    run: int = Field(sa_type=Integer)
    lane: str = Field(sa_type=Text)
    kind: Purpose = kept(PurposeWord)
    symbol: str = kept(col.Line)
    side: int = kept(col.Whole)
    quantity: int = kept(col.Whole)
    decided_at: dt.datetime = kept(col.Moment)
    changed_at: dt.datetime = kept(col.Moment)
    reference: float = number(col.Money)
    stop: float = number(col.Money)
    target: float = number(col.Money)
    parent: str = kept(col.Line)
    state: Sending = kept(SendingWord)
    broker_id: str = kept(col.Line)
    reason: str = kept(col.Line)
    attempts: int = kept(col.Whole)
    filled: int = kept(col.Whole)
    value: float = number(col.Real)


_TABLE = tables.of(Outbox)
_OVER = [state for state in Sending if state.is_over]
_NAMES = [field.name for field in fields(OutboxRow)]
# Asked with every step of trading: building it would take longer than running it.
_OF_LANE = (
    select(*(_TABLE.c[name] for name in _NAMES))
    .where(_TABLE.c.run == bindparam("of_run"), _TABLE.c.lane == bindparam("of_lane"))
    .order_by(_TABLE.c.decided_at, _TABLE.c.client_order_id)
)
_SINCE = _OF_LANE.where(
    _TABLE.c.state.not_in(_OVER)
    | (_TABLE.c.changed_at >= bindparam("since"))
    | ((_TABLE.c.attempts > 0) & (_TABLE.c.broker_id == ""))
)


def write(connection: Connection, run: int, lane: str, rows: Sequence[OutboxRow]) -> None:
    """Put rows in place of those with the same id, or beside the others."""
    for row in rows:
        values: dict[str, Any] = {name: getattr(row, name) for name in _NAMES}
        changed = connection.execute(
            update(_TABLE)
            .where(_TABLE.c.client_order_id == row.client_order_id)
            .where(_TABLE.c.run == run, _TABLE.c.lane == lane)
            .values(**values)
        )
        if changed.rowcount == 0:
            connection.execute(insert(_TABLE).values(run=run, lane=lane, **values))


def read(
    connection: Connection, run: int, lane: str, since: dt.datetime | None = None
) -> list[OutboxRow]:
    """Rows of a lane, in the order of their decisions; all, or what `Store.outbox` says."""
    asked: dict[str, Any] = {"of_run": run, "of_lane": lane}
    if since is not None:
        asked["since"] = since
    found = connection.execute(_OF_LANE if since is None else _SINCE, asked)
    return [OutboxRow(**dict(zip(_NAMES, row, strict=True))) for row in found]


def unfinished(connection: Connection, run: int) -> list[tuple[str, Sending, int]]:
    """How many orders of a run are not over: (lane, state, count)."""
    counted = (
        select(_TABLE.c.lane, _TABLE.c.state, func.count())
        .where(_TABLE.c.run == run, _TABLE.c.state.not_in(_OVER))
        .group_by(_TABLE.c.lane, _TABLE.c.state)
        .order_by(_TABLE.c.lane, _TABLE.c.state)
    )
    return [(lane, state, int(count)) for lane, state, count in connection.execute(counted)]
