"""Doing something that may hang without hanging with it.

The work runs in a thread of its own. When the time is up the caller goes on and the thread is
left behind, a daemon that ends when its socket does. It keeps its place until then, so the number
of threads left behind is bounded by the number of places.
"""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

R = TypeVar("R")


class Abandoned(Exception):
    """The work did not end in time; whether it took effect is not known."""


class NoPlace(Exception):
    """Every place is taken, and none became free in time; the work did not begin."""


class _Job(Generic[R]):
    def __init__(self, work: Callable[[], R], places: threading.Semaphore) -> None:
        self._work, self._places = work, places
        self._over = threading.Event()
        self._result: list[R] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._result.append(self._work())
        except BaseException as error:
            self._error = error
        finally:
            self._places.release()
            self._over.set()

    def result(self, seconds: float) -> R:
        if not self._over.wait(max(0.0, seconds)):
            raise Abandoned
        if self._error is not None:
            raise self._error
        return self._result[0]


def call_within(seconds: float, work: Callable[[], R], places: threading.Semaphore) -> R:
    """The result of `work`, or its exception; Abandoned or NoPlace after `seconds`."""
    end = time.monotonic() + seconds
    if not places.acquire(timeout=max(0.0, seconds)):
        raise NoPlace
    job = _Job(work, places)
    try:
        threading.Thread(target=job.run, name="llm-request", daemon=True).start()
    except BaseException:
        places.release()
        raise
    return job.result(end - time.monotonic())
