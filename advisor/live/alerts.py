"""Chart alerts on their way into a run: taken from where they wait, put on record, then known.

An alert is in the ledger before any decision may see it, in the lane of what all lanes share, and
it is forgotten where it waited only after that commit; so it is lost nowhere, and one that comes
again is known by its id. It is known from when it came, but never from before the moment that the
run has reached: no view that was made without it may seem to have had it, and a replay of the
record shows every question the alerts that it was asked with. Where nobody answers, minutes go on.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from advisor.replay import MARKET_LANE
from quant_core.chart_alerts import IGNORED
from quant_core.types import ChartAlert
from tools.errors import AdvisorError
from tools.ports import Inbox, Ledger
from tools.store.store import Store

SLACK = timedelta(minutes=5)  # for clocks that differ: an alert that old may still be in force


class ChartAlerts:
    """The alerts of one run."""

    def __init__(
        self, inbox: Inbox, store: Store, ledger: Ledger, run_id: str,
        say: Callable[[str, datetime], None],
    ) -> None:  # fmt: skip
        """Read from `store`, written to `ledger`; `say` is told what came and what went wrong."""
        self._inbox, self._store, self._ledger, self._say = inbox, store, ledger, say
        self._of = (run_id, MARKET_LANE)
        self.known: tuple[ChartAlert, ...] = ()

    def take_up(self, reached: datetime) -> None:
        """Have what the ledger has that may count from a moment on."""
        far = reached + timedelta(days=1)
        self.known = tuple(
            self._store.chart_alerts(*self._of, as_of=far, since=reached - IGNORED - SLACK)
        )

    def take(self, reached: datetime, now: datetime) -> None:
        """Put on record what has arrived. `reached` is the moment of the newest view there may be.

        Raises what the ledger does; of the inbox nothing.
        """
        try:
            arrived = self._inbox.take()
        except AdvisorError as error:
            self._say(f"no chart alerts: {error}", now)
            return
        if not arrived:
            return
        on_record = self._store.chart_alert_ids(self._of[0], {one.id for one in arrived})
        new = [
            replace(one, known_at=max(min(one.known_at, now), reached))
            for one in sorted(arrived, key=lambda one: (one.known_at, one.id))
            if one.id not in on_record
        ]
        if new:
            self._ledger.commit_cycle(*self._of, None, new, None)
            self.known += tuple(new)
        for one in new:
            self._say(_in_words(one), now)
        try:
            self._inbox.done({one.id for one in arrived})
        except AdvisorError as error:
            self._say(f"chart alerts that are on record come again: {error}", now)


def _in_words(one: ChartAlert) -> str:
    return (
        f"chart alert: {one.direction} {one.symbol}, grade {one.grade}, score {one.score:+.1f}, "
        f"confidence {one.confidence:.0f} %"
    )
