"""What an alert is, and how it reads."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from quant_core.calendar import new_york


class Severity(StrEnum):
    """INFO can wait for the evening, WARNING wants a look today, CRITICAL wants one now."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One matter for a person. Alerts with the same `key` are about the same matter.

    `kind` is what happened in one word (trade, halt, degraded, feed, mismatch, summary …).
    """

    kind: str
    severity: Severity
    title: str
    text: str
    at: datetime
    key: str = ""

    @property
    def matter(self) -> str:
        """What repeats are recognised by."""
        return self.key or f"{self.kind}: {self.title}"

    def subject(self) -> str:
        """One line, without line breaks (a subject of a mail must not become two headers)."""
        line = " ".join(self.title.split())
        mark = "" if self.severity is Severity.INFO else f"[{self.severity.upper()}] "
        return f"Advisor: {mark}{line}"[:200]

    def body(self) -> str:
        """The whole message."""
        return f"{self.text.strip()}\n\n{new_york(self.at)} New York"


class Channel(Protocol):
    """A way to a person. Errors are those of `tools.errors`: Transient is tried again."""

    name: str

    def send(self, alert: Alert) -> None:
        """Deliver one alert, or raise."""
        ...
