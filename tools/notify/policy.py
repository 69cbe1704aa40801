"""How often a person may be disturbed: repeats are folded, floods are held back, nothing is hidden.

An alert about a matter that was told of a short while ago is counted instead of sent, and the next
one about it says how many there were. Beyond a number an hour, alerts that are not critical are
held back and counted the same way. A critical alert is only ever folded into its own repeats.
"""

import math
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tools.notify.alerts import Alert, Severity

HOUR = timedelta(hours=1)
MATTERS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLimits:
    """Minutes between two alerts on one matter, and how many not critical ones an hour."""

    repeat_minutes: float = 15.0
    per_hour: int = 30

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not (math.isfinite(self.repeat_minutes) and 0 <= self.repeat_minutes <= 1440):
            raise ValueError(f"repeat_minutes is {self.repeat_minutes!r}; it must lie in [0, 1440]")
        if not 1 <= self.per_hour <= 10_000:
            raise ValueError(f"per_hour is {self.per_hour!r}; it must lie in [1, 10000]")


@dataclass(slots=True)
class Policy:
    """Decides on alerts one by one; not safe for threads."""

    limits: AlertLimits
    _told: dict[str, datetime] = field(default_factory=dict)
    _folded: dict[str, int] = field(default_factory=dict)
    _sent: deque[datetime] = field(default_factory=deque)
    _held: int = 0

    def admit(self, alert: Alert) -> Alert | None:
        """The alert as it is to be sent, with what was left out since; None to hold it back."""
        last = self._told.get(alert.matter)
        pause = timedelta(minutes=self.limits.repeat_minutes)
        if last is not None and timedelta(0) <= alert.at - last < pause:
            self._folded[alert.matter] = self._folded.get(alert.matter, 0) + 1
            return None
        while self._sent and not timedelta(0) <= alert.at - self._sent[0] < HOUR:
            self._sent.popleft()
        critical = alert.severity is Severity.CRITICAL
        if not critical and len(self._sent) >= self.limits.per_hour:
            self._held += 1
            return None
        self._remember(alert)
        if not critical:
            self._sent.append(alert.at)
        return self._with_what_was_left_out(alert)

    def _remember(self, alert: Alert) -> None:
        self._told.pop(alert.matter, None)
        self._told[alert.matter] = alert.at
        while len(self._told) > MATTERS:
            oldest = next(iter(self._told))
            del self._told[oldest]
            self._folded.pop(oldest, None)

    def _with_what_was_left_out(self, alert: Alert) -> Alert:
        notes = []
        if count := self._folded.pop(alert.matter, 0):
            notes.append(f"{count} more like this since the last one.")
        if self._held:
            notes.append(f"{self._held} other alerts were held back: too many within an hour.")
            self._held = 0
        return replace(alert, text="\n".join([alert.text, *notes])) if notes else alert
