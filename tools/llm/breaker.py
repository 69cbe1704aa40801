"""A circuit breaker: a provider that keeps failing is left alone for a while.

Closed, every call passes. After so many failures within a window it opens, and no call passes for
a pause. Then one call at a time is let through as a trial: its success closes the circuit, its
failure keeps it open for another pause. Calls that began before it opened no longer matter.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Literal

Entry = Literal["normal", "trial"]


class CircuitBreaker:
    """One provider's breaker."""

    def __init__(
        self, failures: int, window: float, pause: float, monotonic: Callable[[], float]
    ) -> None:
        """Open after `failures` within `window` seconds, for `pause` seconds."""
        self._window, self._pause = window, pause
        self._monotonic = monotonic
        self._failed_at: deque[float] = deque(maxlen=failures)
        self._open_until: float | None = None
        self._on_trial = False
        self._lock = threading.Lock()

    def enter(self) -> Entry | None:
        """Ask to make a call: None while open, else what to `leave` with when the call is over."""
        with self._lock:
            if self._open_until is None:
                return "normal"
            if self._on_trial or self._monotonic() < self._open_until:
                return None
            self._on_trial = True
            return "trial"

    def leave(self, entry: Entry, *, failed: bool) -> None:
        """Say what became of the call, exactly once."""
        with self._lock:
            now = self._monotonic()
            if entry == "trial":
                self._on_trial = False
                self._open_until = now + self._pause if failed else None
                self._failed_at.clear()
            elif not failed:
                self._failed_at.clear()
            elif self._open_until is None:
                self._failed_at.append(now)
                full = len(self._failed_at) == self._failed_at.maxlen
                if full and now - self._failed_at[0] <= self._window:
                    self._open_until = now + self._pause
