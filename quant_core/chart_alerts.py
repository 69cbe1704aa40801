"""Which chart alerts count at a moment: of each symbol the latest, while it is young.

An alert was known to a decision when it was known *before* its moment: what comes in the instant
in which a question is put was not part of it, live or in a replay. Age is counted from the alert's
bar, so that a delivery that took long makes nothing fresher; which alert is the latest is a matter
of bars too, and so they may come in any order.

Advisers are shown them as facts. No threshold, size or price of the `stdev` playbook reads them:
the synergy of DOMAIN.md section 5 (points by grade, halved when aged) is for the playbook
`confluence`, which is not built yet.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from quant_core.types import ChartAlert

AGED = timedelta(minutes=5)  # from here on it weighs half
IGNORED = timedelta(minutes=10)  # up to here it is shown


def in_force(
    alerts: Iterable[ChartAlert], symbols: Collection[str], as_of: datetime
) -> tuple[ChartAlert, ...]:
    """Of each of `symbols` the latest alert known before `as_of`, unless it is too old; by symbol.

    A later alert takes the place of an earlier one for good, whatever it says.
    """
    latest: dict[str, ChartAlert] = {}
    for one in alerts:
        if one.known_at < as_of and one.symbol in symbols:
            known = latest.get(one.symbol)
            if known is None or _order(known) < _order(one):
                latest[one.symbol] = one
    young = (one for one in latest.values() if as_of - one.time <= IGNORED)
    return tuple(sorted(young, key=lambda one: one.symbol))


def is_aged(alert: ChartAlert, as_of: datetime) -> bool:
    """Whether it weighs half."""
    return as_of - alert.time > AGED


def _order(alert: ChartAlert) -> tuple[datetime, datetime, str]:
    return alert.time, alert.known_at, alert.id
