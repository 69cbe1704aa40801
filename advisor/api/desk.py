"""Where questions wait: threads of their own, so that the chat takes none from other requests.

A question holds a place from its arrival until its work has ended, also when nobody waits for it
any more: what abandoned questions cost is bounded with the rest. The threads are daemons, because
a model that is slow to answer must not keep the server from stopping.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from queue import SimpleQueue

from advisor.api.chat import Chat, Question
from advisor.api.limits import RateLimit
from advisor.api.problems import ProblemError, too_many
from advisor.api.schemas import ChatEvent
from advisor.settings import ApiSettings

Heard = ChatEvent | Exception | None  # None: that was all


class Desk:
    """The questions in hand, and how many a caller may ask."""

    def __init__(self, settings: ApiSettings, patience: Callable[[], float] | None = None) -> None:
        """No thread is started before the first question; `patience` as in `Parts`."""
        self._patience = patience
        self._allowance = RateLimit(settings.chat_per_minute)
        self._at_once = settings.chat_at_once
        self._most = settings.chat_at_once + settings.chat_waiting
        self.in_hand = 0
        self._work: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def admit(self, caller: str) -> None:
        """Use one question of a caller's allowance; a problem when there is none left."""
        if wait := self._allowance.take(caller):
            raise too_many(wait, "questions to the chat")

    def ask(self, chat: Chat, question: Question) -> AsyncIterator[ChatEvent]:
        """The events of an answer as they come; a problem when too many questions wait."""
        with self._lock:
            if self.in_hand >= self._most:
                raise ProblemError(
                    503, "chat-busy", "Too many questions wait already; ask again in a moment.",
                    {"Retry-After": "2"},
                )  # fmt: skip
            self.in_hand += 1
        loop = asyncio.get_running_loop()
        heard: asyncio.Queue[Heard] = asyncio.Queue()
        gone = threading.Event()

        def tell(said: Heard) -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody listens
                loop.call_soon_threadsafe(heard.put_nowait, said)

        def work() -> None:
            try:
                _through(chat, question, gone, tell)
                tell(None)
            except Exception as error:
                tell(error)
            finally:
                with self._lock:
                    self.in_hand -= 1

        self._start()
        self._work.put(work)
        return _told(heard, gone, self._patience() if self._patience else None)

    def _start(self) -> None:
        with self._lock:
            if len(self._threads) < self._at_once:
                name = f"chat-{len(self._threads)}"
                self._threads.append(threading.Thread(target=self._serve, name=name, daemon=True))
                self._threads[-1].start()

    def _serve(self) -> None:
        while True:
            self._work.get()()


def _through(
    chat: Chat, question: Question, gone: threading.Event, tell: Callable[[ChatEvent], None]
) -> None:
    if gone.is_set():
        return
    with contextlib.closing(chat.ask(question)) as events:
        for one in events:
            if gone.is_set():
                return
            tell(one)


async def _told(
    heard: asyncio.Queue[Heard], gone: threading.Event, seconds: float | None
) -> AsyncIterator[ChatEvent]:
    until = None if seconds is None else asyncio.get_running_loop().time() + seconds
    try:
        while (said := await _next(heard, until)) is not None:
            if isinstance(said, Exception):
                raise said
            yield said
    finally:
        gone.set()


async def _next(heard: asyncio.Queue[Heard], until: float | None) -> Heard:
    try:
        async with asyncio.timeout_at(until):
            return await heard.get()
    except TimeoutError as late:
        raise ProblemError(
            504, "took-too-long",
            "The answer took longer than can be waited for here; ask again, or ask for less.",
        ) from late  # fmt: skip
