"""What conversations are about, for as long as they go on.

A conversation is known by a name that only its answers carry: it is drawn here, never taken from a
caller, so nobody can guess or plant one. It holds what was asked and never what was found, for one
run; it is forgotten some time after its last question, and the oldest when there are too many.
A server keeps them in its memory; a process that has siblings keeps them where all can look.
"""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from graph.requests import Topic


class Topics(Protocol):
    """Where the topics of conversations are kept."""

    def topic(self, name: str | None, run: str) -> Topic | None:
        """What a conversation about a run is about; None when it is not known (any more)."""
        ...

    def keep(self, name: str | None, run: str, topic: Topic) -> str:
        """Go on with a conversation, under its name, or under a new one if it is not known."""
        ...


class Conversations:
    """The topics of conversations, the least recently continued first."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        """At most so many, each for so long after its last question."""
        self._most, self._seconds, self._clock = most, seconds, clock
        self._lock = threading.Lock()
        self._held: OrderedDict[str, tuple[float, str, Topic]] = OrderedDict()

    def topic(self, name: str | None, run: str) -> Topic | None:
        """What a conversation about a run is about; None when it is not known (any more)."""
        with self._lock:
            self._forget()
            held = self._held.get(name) if name else None
            return held[2] if held is not None and held[1] == run else None

    def keep(self, name: str | None, run: str, topic: Topic) -> str:
        """Go on with a conversation, under its name, or under a new one if it is not known."""
        with self._lock:
            if name is None or name not in self._held:
                name = new_name()
            self._held[name] = (self._clock() + self._seconds, run, topic)
            self._held.move_to_end(name)
            self._forget()
            return name

    def _forget(self) -> None:
        now = self._clock()
        while self._held:
            until, *_ = next(iter(self._held.values()))
            if until > now and len(self._held) <= self._most:
                return
            self._held.popitem(last=False)


def new_name() -> str:
    """A name that nobody can guess."""
    return secrets.token_urlsafe(16)
