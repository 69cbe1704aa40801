"""The market's clock in a replay that is watched: recorded minutes at a pace of your choice.

Market time runs evenly from where a session is taken up; who waits for a moment that has passed
does not wait, so a slow minute is caught up with and none is left out.
"""

from datetime import datetime, timedelta

from tools.clock import Clock, SystemClock

SHORTEST_PACE, LONGEST_PACE = 0.001, 3600.0
# In steps, so that an interrupt is noticed while a slow minute passes.
LONGEST_SLEEP = 0.5


class PacedClock:
    """Market time in which a minute takes `seconds_per_minute` of the machine's."""

    def __init__(self, seconds_per_minute: float, machine: Clock | None = None) -> None:
        """A clock that is not started yet."""
        self._pace = seconds_per_minute
        self._machine = machine or SystemClock()
        self._from, self._began = self._machine.now(), self._machine.monotonic()

    def start(self, moment: datetime) -> None:
        """Let it be this moment now."""
        self._from, self._began = moment, self._machine.monotonic()

    def now(self) -> datetime:
        """The moment in the market."""
        minutes = (self._machine.monotonic() - self._began) / self._pace
        return self._from + timedelta(minutes=minutes)

    def monotonic(self) -> float:
        """The machine's seconds: deadlines are not paced."""
        return self._machine.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait, in the machine's seconds."""
        self._machine.sleep(seconds)

    def wait_until(self, moment: datetime) -> None:
        """Wait until it is that moment in the market."""
        while (left := (moment - self.now()) / timedelta(minutes=1) * self._pace) > 0:
            self._machine.sleep(min(left, LONGEST_SLEEP))
