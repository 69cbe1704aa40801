"""The chat behind `POST /api/chat`: the machine of `graph.chat` over the ledger that is served.

Each question gets tools of its own, held to the moment it is asked of, so what a ledger gains while
it is answered is not seen. An index beside the ledger is used as soon as there is one. Pieces are
sent only of an answer that has been verified, so a piece is never taken back.
"""

import contextlib
import logging
import threading
from collections.abc import Generator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from advisor.api import schemas
from advisor.api.chat import Question
from advisor.api.citing import cite
from advisor.api.conversations import Conversations, Topics
from advisor.api.problems import ProblemError, not_found
from advisor.api.schemas import ChatAnswer, ChatEvent, ChatTurn
from advisor.api.view import LATEST, LedgerView
from advisor.chatting import end_of
from advisor.indexing import Library as Searched
from advisor.indexing import open_library
from advisor.settings import Settings
from advisor.spending import open_spending
from graph.chat import CODE, MACHINE, Reply, answering, known_of
from graph.library import IndexLibrary, NoLibrary
from graph.looking import Library
from graph.ports import Event, Wiring
from graph.questions import read_question
from graph.requests import Refusal, Topic
from graph.suggesting import suggestions
from tools.clock import SystemClock
from tools.errors import AdvisorError, NoData
from tools.lane_reads import Reads
from tools.llm import DailyBudget, LanguageModel
from tools.store.paging import RunPlace
from tools.store.store import Store
from tools.toolbox import Toolbox

MOST_CITATIONS = 100
UNUSABLE = (
    "The index cannot be searched: it is of another version or embedder, damaged, or not to be "
    "reached; `advisor index verify` says which"
)
_EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)  # the exchange's calendar is kept from 1990 on
_log = logging.getLogger("advisor.api.chat")


class LedgerChat:
    """Answers questions about an open ledger; by code, or with a model under the same checks."""

    def __init__(
        self, store: Store, view: LedgerView, settings: Settings, *, folder: Path | None = None,
        model: LanguageModel | None = None, conversations: Topics | None = None,
    ) -> None:  # fmt: skip
        """`folder` is where an index of the ledger would stand; `model` is ready to be asked.

        Without `conversations` they are kept in this process.
        """
        self._store, self._view, self._settings = store, view, settings
        self._folder, self._model = folder, model
        self._reads = Reads.of(store)
        self._spending = open_spending(settings) if model else None
        self._budget = DailyBudget(settings.llm_budget, SystemClock(), self._spending)
        self._conversations = conversations or Conversations(
            settings.api.chat_conversations, 60 * settings.api.chat_forget_minutes
        )
        self._index: Searched | None = None
        self._opening = threading.Lock()
        self._trouble = ""

    def ask(self, question: Question) -> Generator[ChatEvent, None, None]:
        """The steps as they end, then the verified answer, in pieces and whole."""
        found = self._view.run(question.run)
        moment = self._moment(found, question.as_of)
        box = Toolbox(self._store, question.run, moment, self._reads)
        lane = _lane(box, question.lane)
        topic = self._conversations.topic(question.conversation, question.run)
        if topic is None:
            topic = _spoken_of(question.history, box, lane)
        wiring = Wiring(
            model=self._model,
            budget=self._budget,
            seconds=self._settings.analysis.deadline_seconds,
            namespace=question.run,
            ledger=box,
            library=self._library(question.run),
        )
        reply = yield from _steps(answering(question.text, wiring, topic, lane))
        for note in reply.notes:
            _log.info("question about %s: %s", question.run, note)
        for number, sentence in enumerate(reply.sentences):
            yield ChatEvent(kind="text", text=f"\n{sentence.text}" if number else sentence.text)
        name = self._conversations.keep(question.conversation, question.run, reply.topic)
        further = suggestions(question.text, reply.topic, known_of(box, lane))
        yield ChatEvent(kind="answer", answer=_whole(reply, question, lane, name, further))

    def prepare(self) -> None:
        """Load what the first question would wait for: the machine, the calendar, the sums."""
        if self._model is not None:
            MACHINE.graph()
        with contextlib.suppress(ProblemError):
            found = self._view.run(None)
            moment = self._moment(found, LATEST)
            box = Toolbox(self._store, found.run.run_id, moment, self._reads)
            if box.lanes():
                box.warm(known_of(box).lane)

    def close(self) -> None:
        """Close what was opened: the index, and the spending."""
        if self._spending is not None:
            self._spending.close()
        with self._opening:
            if self._index is not None:
                self._index.close()
                self._index = None

    def _moment(self, found: RunPlace, asked: datetime) -> datetime:
        """The moment asked of, within what there can be: now, or the end of a replay."""
        latest = end_of(self._view.pages, found) or datetime.now(UTC)
        return max(min(asked, latest), _EARLIEST)

    def _library(self, run: str) -> Library | None:
        if self._folder is None and self._settings.rag.index is None:
            return None
        with self._opening:
            if self._index is None:
                try:
                    self._index = open_library(self._settings, self._folder)
                except NoData:
                    return None
                except AdvisorError as error:
                    if str(error) != self._trouble:
                        _log.warning("the index is not used: %s", error)
                    self._trouble = str(error)
                    return NoLibrary(f"{UNUSABLE}.")
            self._trouble = ""
            return IndexLibrary(self._index, run)

    def index_state(self) -> schemas.Component:
        """How the index is that reasons are searched in, for health; a remote one is not asked."""
        if self._settings.rag.index is None:
            self._library("")
        if self._index is not None:
            return _component("ok", "reasons are searched in it")
        if self._trouble:
            return _component("degraded", UNUSABLE)
        return _component("not_configured", "none is in use; `advisor index build` makes one")


def _component(state: schemas.ComponentState, detail: str) -> schemas.Component:
    return schemas.Component(name="index", state=state, detail=detail)


def _lane(box: Toolbox, named: str) -> str:
    """The lane a question is about; the main one of a run that has none yet."""
    lanes = box.lanes()
    if lanes and named not in lanes:
        raise not_found(
            "unknown-lane", f"Questions are answered about the lanes {', '.join(lanes)}."
        )
    return named if lanes else ""


def _spoken_of(history: Sequence[ChatTurn], box: Toolbox, lane: str) -> Topic:
    """What the questions of a history were about; what was answered to them is not believed."""
    topic, known = Topic(), known_of(box, lane)
    for turn in history:
        if turn.role == "user":
            with contextlib.suppress(Refusal):
                topic = topic.continued(read_question(turn.text, known, topic))
    return topic


def _steps(steps: Generator[Event, None, Reply]) -> Generator[ChatEvent, None, Reply]:
    while True:
        try:
            event = next(steps)
        except StopIteration as end:
            reply: Reply = end.value
            return reply
        yield ChatEvent(kind="step", text=f"{event.step}: {event.outcome}")


def _whole(
    reply: Reply, question: Question, lane: str, conversation: str, further: Sequence[str]
) -> ChatAnswer:
    asked = question.as_of if question.as_of < LATEST else None
    cited = reply.citations
    return ChatAnswer(
        text=reply.text,
        refused=reply.why is not None,
        reason=(reply.why or "").replace("_", " "),
        citations=[cite(row, question.run, lane, asked) for row in cited[:MOST_CITATIONS]],
        more_citations=max(len(cited) - MOST_CITATIONS, 0),
        follow_ups=list(further),
        conversation=conversation,
        as_of=reply.as_of,
        writer="code" if reply.writer == CODE else "model",
    )
