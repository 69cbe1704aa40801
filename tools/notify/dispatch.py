"""Sending beside the loop: a queue, one thread, and a few attempts for each channel."""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tools.errors import AdvisorError, Transient
from tools.notify.alerts import Alert, Channel, Severity
from tools.notify.policy import AlertLimits, Policy

ATTEMPTS = 3
PAUSE = 2.0
ROOM = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """How a channel fares, for the health page."""

    name: str
    sent: int = 0
    failed: int = 0
    last_error: str = ""


class Waiting(Protocol):
    """How the thread pauses between attempts: True when it is to stop."""

    def __call__(self, seconds: float) -> bool:
        """Wait so long at most."""
        ...


class Alerts:
    """Takes alerts from anywhere and delivers them in order; close it to deliver the rest.

    A channel that fails for good does not keep an alert from the others. When more than ROOM wait,
    the oldest that is not critical is dropped and counted.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        limits: AlertLimits | None = None,
        pause: Waiting | None = None,
    ) -> None:
        """Over channels; without any, alerts go nowhere and cost nothing."""
        self._channels = tuple(channels)
        self._policy = Policy(limits or AlertLimits())
        self._stop = threading.Event()
        self._pause = pause or self._stop.wait
        self._queue: deque[Alert] = deque()
        self._changed = threading.Condition()
        self._states = {channel.name: ChannelState(name=channel.name) for channel in channels}
        self._dropped = 0
        self._busy = False
        self._thread: threading.Thread | None = None

    def tell(self, alert: Alert) -> None:
        """Queue an alert; returns at once and raises nothing."""
        if not self._channels:
            return
        with self._changed:
            admitted = self._policy.admit(alert)
            if admitted is None or self._stop.is_set():
                return
            self._queue.append(admitted)
            self._make_room()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def states(self) -> list[ChannelState]:
        """How each channel fares."""
        with self._changed:
            return list(self._states.values())

    @property
    def dropped(self) -> int:
        """Alerts that were never sent because too many waited."""
        return self._dropped

    def flush(self, seconds: float) -> bool:
        """Wait until everything is delivered or given up; False when time runs out."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue and not self._busy, seconds)

    def close(self, seconds: float = 5.0) -> None:
        """Deliver what waits, for so long at most, and stop."""
        self.flush(seconds)
        self._stop.set()
        with self._changed:
            self._changed.notify_all()

    def _make_room(self) -> None:
        if len(self._queue) <= ROOM:
            return
        victim = next((a for a in self._queue if a.severity is not Severity.CRITICAL), None)
        self._queue.remove(victim if victim is not None else self._queue[0])
        self._dropped += 1

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._stop.is_set())
                if self._stop.is_set():
                    return
                alert, self._busy = self._queue.popleft(), True
            for channel in self._channels:
                self._deliver(channel, alert)
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _deliver(self, channel: Channel, alert: Alert) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                channel.send(alert)
            except Transient as error:
                self._note(channel, error=str(error) if attempt == ATTEMPTS else None)
                if attempt == ATTEMPTS or self._pause(PAUSE * 2 ** (attempt - 1)):
                    return
            except AdvisorError as error:
                self._note(channel, error=str(error))
                return
            except Exception as error:  # a defect in a channel must not end the thread
                self._note(channel, error=f"{type(error).__name__}: {error}")
                return
            else:
                self._note(channel, sent=1)
                return

    def _note(self, channel: Channel, sent: int = 0, error: str | None = None) -> None:
        with self._changed:
            state = self._states[channel.name]
            self._states[channel.name] = replace(
                state,
                sent=state.sent + sent,
                failed=state.failed + (error is not None),
                last_error=error if error is not None else state.last_error,
            )
