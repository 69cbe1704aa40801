"""Every minute of the session: the minutes that are over and not decided yet.

Safe to be called twice for one minute, and after minutes that nobody was called for: what is
decided is in the ledger, and the next call takes up from there. One call at a time is the writer.
"""

from datetime import timedelta
from typing import Any

from advisor.live.clock import LiveClock, WallClock
from advisor.timetable import session_of
from infra.handlers.given import Given, soon
from infra.handlers.invocation import Context, Limited, ended, scheduled, when_free
from quant_core.calendar import Session, to_datetime

PATIENCE_SECONDS = 15.0  # executor and monitor hold the ledger for a second or two
AFTER_THE_CLOSE = timedelta(minutes=15)


class LiveCycle:
    """The function."""

    def __init__(self, given: Given | None = None, clock: LiveClock | None = None) -> None:
        """Cold: nothing is read before the first call."""
        self._given, self._clock = given or Given(), clock or WallClock()

    def __call__(self, event: Any, context: Context) -> dict[str, Any]:
        """One call of EventBridge Scheduler."""
        scheduled(event)
        clock = Limited(self._clock, context)
        now = clock.now()
        session = session_of(now)
        if session is None:
            return ended("no session today")
        if now < to_datetime(session.open):
            return ended("the session has not opened")
        if now > to_datetime(session.close) + AFTER_THE_CLOSE:
            return ended("the session is over")
        opening = self._given.opening(session, clock, clock.stop)

        def work() -> dict[str, Any]:
            with opening.open() as running:
                taken = running.catch_up()
                return {"minutes": taken, "row": running.row, "run": running.run_id}

        done = when_free(work, clock, soon(clock, PATIENCE_SECONDS))
        if done is None:
            return ended("another call is at work")
        return ended(_told(done, session, stopped=clock.stop.is_set()), **done)


def _told(done: dict[str, Any], session: Session, *, stopped: bool) -> str:
    if stopped:
        return "out of time: the next call goes on"
    if done["row"] >= session.minutes:
        return "closed"
    return "decided" if done["minutes"] else "nothing to decide"


handler = LiveCycle()
