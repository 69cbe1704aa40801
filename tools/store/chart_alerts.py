"""Looking up a run's chart alerts by more than their place: the young ones, and those of some ids.

A session that is taken up again every minute needs the alerts of the last minutes only, however
many its run has.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from quant_core.types import ChartAlert
from tools.store.codec import CHART_ALERTS

_TABLE = CHART_ALERTS.table
_BETWEEN = (
    select(*(_TABLE.c[name] for name in CHART_ALERTS.columns))
    .where(_TABLE.c.run == bindparam("of_run"), _TABLE.c.lane == bindparam("of_lane"))
    .where(_TABLE.c.known_at > bindparam("since"), _TABLE.c.known_at <= bindparam("as_of"))
    .order_by(_TABLE.c.seq)
)


def between(
    connection: Connection, run: int, lane: str, since: datetime, as_of: datetime
) -> list[ChartAlert]:
    """Alerts known in (since, as_of], in the order in which they were written."""
    given = {"of_run": run, "of_lane": lane, "since": since, "as_of": as_of}
    return [ChartAlert(**row) for row in connection.execute(_BETWEEN, given).mappings()]


def among(connection: Connection, run: int, ids: Collection[str]) -> set[str]:
    """Those of some ids that a run has."""
    if not ids:
        return set()
    wanted = select(_TABLE.c.id).where(_TABLE.c.run == run, _TABLE.c.id.in_(ids))
    return set(connection.execute(wanted).scalars())
