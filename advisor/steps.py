"""The latest steps of a run's machines, where whoever serves its ledger can read them.

One small file beside the ledger, replaced whole with every step, so that a reader sees all of it or
the one before. It is no history: only so many steps are kept, it is in no hash, it goes with the
process, and a step that cannot be written is left out: who watches must not hold up a minute.
"""

import contextlib
import os
import threading
from collections import deque
from datetime import datetime
from pathlib import Path

import msgspec

from graph.ports import Event, Progress
from tools.clock import Clock, SystemClock

STEPS = "steps.json"
MOST = 40


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A step that has ended; `number` counts the run's, `at` is the wall clock."""

    number: int
    at: datetime
    machine: str
    step: str
    outcome: str
    failure: str
    about: str


class _Latest(msgspec.Struct):
    run: str
    steps: list[Step]


class StepsWriter:
    """Leaves the steps of a run in its folder. Any thread may tell it one."""

    def __init__(self, folder: Path, run: str, clock: Clock | None = None) -> None:
        """Goes on with what an earlier process of the same run has left."""
        self._place, self._run = folder / STEPS, run
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._steps = deque(steps_in(folder, run), maxlen=MOST)
        self._is_over = False

    def tell(self, event: Event) -> None:
        """A step has ended."""
        with self._lock:
            if self._is_over:  # a thread that was left behind
                return
            number = self._steps[-1].number + 1 if self._steps else 1
            self._steps.append(
                Step(
                    number=number,
                    at=self._clock.now(),
                    machine=event.machine,
                    step=event.step,
                    outcome=event.outcome,
                    failure=event.failure,
                    about=event.about,
                )
            )
            content = msgspec.json.encode(_Latest(self._run, list(self._steps)))
            new = self._place.with_suffix(".new")
            try:
                new.write_bytes(content)
                os.replace(new, self._place)
            except OSError:
                return  # a full disk stops the ledger, which says so; not the audience

    def close(self) -> None:
        """Nothing goes on any more; what was done is in the ledger."""
        with self._lock:
            self._is_over = True
            with contextlib.suppress(OSError):
                self._place.unlink(missing_ok=True)


def steps_in(folder: Path, run: str) -> list[Step]:
    """The latest steps of a run, oldest first; none where nothing or another run's are kept."""
    try:
        found = msgspec.json.decode((folder / STEPS).read_bytes(), type=_Latest)
    except (OSError, msgspec.MsgspecError):
        return []
    return found.steps if found.run == run else []


def telling_both(first: Progress | None, second: Progress) -> Progress:
    """One who watches for two."""
    if first is None:
        return second

    def tell(event: Event) -> None:
        second(event)
        first(event)

    return tell
