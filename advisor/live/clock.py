"""Time for the loop: waiting that an event ends early."""

import threading
from datetime import datetime
from typing import Protocol

from tools.clock import Clock, SystemClock

# A sleeping computer stops the timer but not the clock: look at the clock again this often.
LONGEST_WAIT = 1.0


class LiveClock(Clock, Protocol):
    """A clock that can be waited with."""

    def wait(self, event: threading.Event, until: datetime) -> None:
        """Return when the event is set, or when it is that moment, or a while before."""
        ...


class WallClock(SystemClock):
    """The machine's clock."""

    def wait(self, event: threading.Event, until: datetime) -> None:
        """Wait, a second at most."""
        seconds = (until - self.now()).total_seconds()
        event.wait(min(max(seconds, 0.0), LONGEST_WAIT))
