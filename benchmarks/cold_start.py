"""A container's first call: the process that `benchmarks.handlers` starts for each function.

Nothing but the standard library is imported before the clock runs. The event, the variables and the
time come as JSON on stdin; the seconds and what was answered go to stdout.
"""

import importlib
import json
import os
import sys
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any


class Still:
    """A clock that stands: a first call has nothing to wait for."""

    def __init__(self, now: str) -> None:
        """At a moment."""
        self._now = datetime.fromisoformat(now)

    def now(self) -> datetime:
        """The moment."""
        return self._now

    def monotonic(self) -> float:
        """The machine's seconds."""
        return perf_counter()

    def sleep(self, seconds: float) -> None:
        """Never called."""
        raise AssertionError(f"a first call waits {seconds} s")

    def wait(self, event: Any, until: datetime) -> None:  # noqa: ARG002
        """Never called."""
        raise AssertionError(f"a first call waits until {until}")


class Time:
    """As much of Lambda's context as handlers look at."""

    def get_remaining_time_in_millis(self) -> int:
        """Enough."""
        return 900_000


def start(name: str, told: dict[str, Any]) -> str:
    """Seconds from before a handler's import to the end of its first call, and the answer."""
    clock: Any = Still(told["now"])
    started = perf_counter()
    module = importlib.import_module(f"infra.handlers.{name}")
    from infra.handlers.given import Given

    given = Given(told["environment"], Path(told["folder"]) / f"cold-{os.getpid()}")
    function = getattr(module, "".join(map(str.capitalize, name.split("_"))))
    made = function(given) if name == "api" else function(given, clock)
    answer = made(told["event"], Time())
    return f"{perf_counter() - started:.3f} {json.dumps(answer, default=str)}"


if __name__ == "__main__":
    print(start(sys.argv[1], json.load(sys.stdin)))
