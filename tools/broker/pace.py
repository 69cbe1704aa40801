"""Staying under a request limit without making bursts wait that the limit allows."""

import threading
from collections import deque

from tools.clock import Clock

WINDOW = 60.0


class Pace:
    """At most `requests` in any 60 seconds; who comes too early waits."""

    def __init__(self, requests: int, clock: Clock) -> None:
        """Counts from now on."""
        self._requests, self._clock = requests, clock
        self._sent: deque[float] = deque()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Take a place, after a pause if there is none."""
        while True:
            with self._lock:
                now = self._clock.monotonic()
                while self._sent and now - self._sent[0] >= WINDOW:
                    self._sent.popleft()
                if len(self._sent) < self._requests:
                    self._sent.append(now)
                    return
                pause = WINDOW - (now - self._sent[0])
            self._clock.sleep(pause)
