"""Running one of alpaca-py's streams in a thread of its own, and knowing how it fares.

The vendor's streams reconnect by themselves, for ever, and only log what goes wrong. Here each
connection is counted and the last trouble kept, because whoever reads a stream must know that
there was a gap: what was said in between was not heard, and has to be asked for.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")

JOIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """`connections` counts how often the stream was set up; more than one means there was a gap."""

    connected: bool
    connections: int
    trouble: str


class StreamThread(Generic[T]):
    """A stream of alpaca-py in a daemon thread, from `start` to `close`, and what it told.

    What was told waits in a queue until it is drained. A message that cannot be read, or finds no
    room, is counted in `unread`.
    """

    def __init__(self, name: str, make: Callable[["StreamThread[T]"], Any], room: int) -> None:
        """`make` gives the stream with handlers subscribed that `keep` what they are told."""
        self._name, self._make = name, make
        self._told: queue.Queue[T] = queue.Queue(room)
        self.unread = 0
        self._lock = threading.Lock()
        self._state = StreamState(connected=False, connections=0, trouble="")
        self._stream: Any = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Connect, now and whenever the connection is lost."""
        logging.getLogger("alpaca").setLevel(logging.CRITICAL)  # told by `state` instead
        self._stream = self._watched(self._make(self))
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def keep(self, read: Callable[[], T]) -> None:
        """Keep what `read` makes of a message; from the stream's own thread."""
        try:
            self._told.put_nowait(read())
        except (queue.Full, KeyError, TypeError, ValueError, AttributeError):
            self.unread += 1

    def drain(self) -> list[T]:
        """What was told since the last time, in the order in which it arrived."""
        found = []
        while True:
            try:
                found.append(self._told.get_nowait())
            except queue.Empty:
                return found

    def state(self) -> StreamState:
        """How it fares."""
        with self._lock:
            return self._state

    def close(self) -> None:
        """Disconnect; waits for the thread a while."""
        if self._thread is None or not self._thread.is_alive():
            return
        loop = self._stream._loop
        if loop is not None and loop.is_running():
            asyncio.run_coroutine_threadsafe(self._leave(), loop)
        self._thread.join(JOIN_SECONDS)

    async def _leave(self) -> None:
        await self._stream.stop_ws()
        await self._stream.close()  # else it would wait for a message, five seconds

    def _run(self) -> None:
        try:
            asyncio.run(self._stream._run_forever())
        except Exception as error:  # the thread's end is told, not lost
            self._note(connected=False, trouble=f"{type(error).__name__}: {error}")
        else:
            self._note(connected=False)

    def _watched(self, stream: Any) -> Any:
        """The stream, telling of its connections: alpaca-py has no hook for them."""
        connect, disconnect = stream._start_ws, stream.close

        async def start() -> None:
            try:
                await connect()
            except Exception as error:
                self._note(connected=False, trouble=f"{type(error).__name__}: {error}")
                raise
            self._note(connected=True)

        async def close() -> None:
            self._note(connected=False)
            await disconnect()

        stream._start_ws, stream.close = start, close
        return stream

    def _note(self, *, connected: bool, trouble: str | None = None) -> None:
        with self._lock:
            before = self._state
            self._state = StreamState(
                connected=connected,
                connections=before.connections + connected,
                trouble=before.trouble if trouble is None else trouble,
            )
