"""How many requests a caller may make: a bucket of tokens for each, filled evenly.

A caller may use its minute's requests at once and then one each time a token comes back. The number
of buckets is bounded, so that a flood of wrong keys from many addresses costs no memory.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

MOST_CALLERS = 10_000


class RateLimit:
    """Requests a minute, caller by caller."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = monotonic) -> None:
        """`per_minute` holds for every caller that brings no allowance of its own."""
        self.per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str, per_minute: int | None = None) -> float:
        """Use one request; 0 when it is granted, else the seconds until the next one is."""
        size = per_minute or self.per_minute
        rate = size / 60.0
        now = self._clock()
        with self._lock:
            tokens, then = self._buckets.pop(caller, (float(size), now))
            tokens = min(float(size), tokens + (now - then) * rate)
            granted = tokens >= 1.0
            self._buckets[caller] = (tokens - 1.0 if granted else tokens, now)
            if len(self._buckets) > MOST_CALLERS:
                self._buckets.popitem(last=False)
        return 0.0 if granted else (1.0 - tokens) / rate
