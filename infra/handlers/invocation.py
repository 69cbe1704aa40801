"""One call of a function: what its event says, and how much time it has left."""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from advisor.live.clock import LiveClock
from tools.errors import BadInput, Occupied

log = logging.getLogger("advisor.lambda")
R = TypeVar("R")
MARGIN_MS = 6_000  # what closing a ledger and telling AWS may take


class Context(Protocol):
    """What AWS hands to a function beside the event."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until it is ended by force."""
        ...


class Limited:
    """A clock that sets `stop` when the call's time is about to be over, whoever looks at it."""

    def __init__(self, clock: LiveClock, context: Context) -> None:
        """Over another clock; `context` is that of the call."""
        self._clock, self._context = clock, context
        self.stop = threading.Event()

    @property
    def is_short(self) -> bool:
        """Whether it is time to end."""
        if self._context.get_remaining_time_in_millis() < MARGIN_MS:
            self.stop.set()
        return self.stop.is_set()

    @property
    def seconds_left(self) -> float:
        """Until it is ended by force."""
        return self._context.get_remaining_time_in_millis() / 1000

    def now(self) -> datetime:
        """The time."""
        _ = self.is_short
        return self._clock.now()

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait whole."""
        self._clock.sleep(seconds)

    def wait(self, event: threading.Event, until: datetime) -> None:
        """Wait, no longer than the call may."""
        if not self.is_short:
            self._clock.wait(event, until)


def scheduled(event: Any) -> datetime:
    """The moment for which EventBridge Scheduler started a function; BadInput for another event."""
    told = event.get("scheduled") if isinstance(event, Mapping) else None
    try:
        moment = datetime.fromisoformat(told) if isinstance(told, str) else None
    except ValueError:
        moment = None
    if moment is None:
        shown = repr(event)
        raise BadInput(
            'a schedule sends {"scheduled": "2025-03-12T13:31:00Z"}, this event is '
            f"{shown[:200]}{'…' if len(shown) > 200 else ''}"
        )
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def when_free(work: Callable[[], R], clock: Limited, patience_until: datetime) -> R | None:
    """Do what needs the ledger's only writer, as soon as no other call is it; None when one stays.

    The others are done within seconds: each holds it for one piece of work.
    """
    from datetime import timedelta

    while True:
        try:
            return work()
        except Occupied as error:
            now = clock.now()
            if now >= patience_until or clock.stop.is_set():
                log.info("stepped aside: %s", error)
                return None
            clock.wait(clock.stop, now + timedelta(milliseconds=200))


def ended(outcome: str, **facts: Any) -> dict[str, Any]:
    """The answer of a call, which is logged too."""
    told = {"outcome": outcome, **facts}
    log.info("%s", outcome, extra={"facts": facts})
    return told
