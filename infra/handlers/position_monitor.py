"""Every minute, also after the close: fills booked, stops live, positions agreed with the broker.

The cycle does the same while it runs; this is for when it does not, also because other code was
deployed in the middle of the session: the cycle then waits for the next one, and what is open is
watched here. When the minutes stand still at the time to be flat, positions are closed from here.
"""

from datetime import timedelta
from typing import Any

import numpy as np

from advisor.live.apart import AtBroker
from advisor.live.clock import LiveClock, WallClock
from advisor.timetable import session_of
from infra.handlers.given import Given, soon
from infra.handlers.invocation import Context, Limited, ended, scheduled, when_free
from quant_core.calendar import Session, to_datetime
from quant_core.exchange import END_OF_DAY
from quant_core.grid import session_clock

PATIENCE_SECONDS = 10.0
# The cycle of the minute comes first, and one more may have been missed.
MINUTES_LATE = timedelta(minutes=2)


class PositionMonitor:
    """The function."""

    def __init__(self, given: Given | None = None, clock: LiveClock | None = None) -> None:
        """Cold: nothing is read before the first call."""
        self._given, self._clock = given or Given(), clock or WallClock()

    def __call__(self, event: Any, context: Context) -> dict[str, Any]:
        """One call of EventBridge Scheduler."""
        scheduled(event)
        clock = Limited(self._clock, context)
        session = session_of(clock.now())
        if session is None:
            return ended("no session today")

        def work() -> dict[str, Any]:
            with self._given.at_the_broker(session, clock, clock.stop) as broker:
                return {"run": False} if broker is None else self._look(broker, session, clock)

        done = when_free(work, clock, soon(clock, PATIENCE_SECONDS))
        if done is None:
            return ended("another call is at work")
        if not done.pop("run", True):
            return ended("nothing is traded yet")
        return ended("agreed" if done["agreed"] else "the broker did not answer to all", **done)

    def _look(self, broker: AtBroker, session: Session, clock: Limited) -> dict[str, Any]:
        now, trading = clock.now(), broker.trading
        broker.obey(now)
        flat_from = int(session_clock(session, self._given.settings.stdev)["flat_from"][0])
        closing = False
        if now >= to_datetime(session.open + flat_from) + MINUTES_LATE:
            closing = trading.close_all(END_OF_DAY)
        settled = trading.settle(now)
        agreed = trading.agree(clock.now())
        slots = broker.lane.desk.slots
        return {
            "agreed": settled and agreed,
            "closing": closing,
            "positions": int(np.count_nonzero(slots["quantity"])),
            "trouble": trading.trouble,
        }


handler = PositionMonitor()
