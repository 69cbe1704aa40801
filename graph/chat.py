"""The chat: read, plan, look up, write, verify — and nothing that is not verified is said.

    read → plan → look → write (model) ─┬→ verify → done
                    └──→ word (code) ───┘    ├→ write   corrected once
    refuse ← any of them                     └→ word    then worded by code

With a model, it chooses the lookups and writes the answer; without one, or where it fails, the
parser and the wording by code do the same. Tools only read, so there is no way from a question to
an order or a setting, and nobody writes SQL. A question is not resumed after a crash, it is asked
again: so the state may hold the frozen objects of this package, and is never kept.
"""

from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypedDict

from graph.asking import ask
from graph.chat_model import (
    Unusable,
    answer_prompt,
    given,
    plan_prompt,
    requests_of,
    sentences_of,
    short_ids,
)
from graph.course import END, Course
from graph.guards import LONGEST, guard, plain
from graph.looking import Looked, look_up
from graph.machine import Machine, State
from graph.ports import Event, Runtime, Wiring
from graph.questions import read_question
from graph.requests import Known, Refusal, Request, Topic, Why
from graph.schemas import ChatAnswer, ChatPlan
from graph.sentences import Sentence, cited
from graph.verification import problems
from graph.wording import word_answers
from quant_core.calendar import NEW_YORK, xnys
from tools.errors import BadInput, NotConfigured
from tools.evidence import Row
from tools.toolbox import Toolbox

NAME = "chat"
CODE, MODEL = "code", "model"
ON, REFUSED, HOLDS, AGAIN, BY_CODE = (
    "goes on", "refused", "every statement holds", "corrected once", "worded by code",
)  # fmt: skip
TRIES = 2


class ChatState(TypedDict, total=False):
    """`question`, `topic` and `lane` are given; every node adds its part."""

    question: str
    topic: Topic
    lane: str
    known: Known
    requests: tuple[Request, ...]
    looked: tuple[Looked, ...]
    sentences: list[Sentence]
    writer: str
    tries: int
    wrong: list[str]
    notes: list[str]
    calls: list[Mapping[str, Any]]
    refusal: tuple[Why, str]
    outcome: str


def read(state: ChatState, runtime: Runtime) -> ChatState:
    """The question as one line, what the run holds, and what is refused at once."""
    box = _ledger(runtime)
    try:
        text = plain(state["question"])
        guard(text)
    except Refusal as refusal:
        return _refused(refusal)
    return {"question": text, "known": known_of(box, state["lane"]), "outcome": ON}


def plan(state: ChatState, runtime: Runtime) -> ChatState:
    """What to look up: the model's choice, or the parser's."""
    wiring, known, topic = runtime.context, state["known"], state["topic"]
    added: ChatState = {}
    try:
        if wiring.model is not None:
            asked = ask(wiring, plan_prompt(state["question"], known, topic), ChatPlan)
            added = {"calls": [asked["call"]], "notes": []}
            try:
                return {**added, "requests": _planned(asked, state), "outcome": ON}
            except Unusable as trouble:
                added["notes"] = [f"the question was read by code: {trouble}"]
        requests = read_question(state["question"], known, topic)
    except Refusal as refusal:
        return {**added, **_refused(refusal)}
    return {**added, "requests": requests, "outcome": ON}


def _planned(asked: Mapping[str, Any], state: ChatState) -> tuple[Request, ...]:
    if asked["failure"]:
        raise Unusable(f"no plan from the model ({asked['failure']})")
    return requests_of(given(ChatPlan, asked["answer"]), state["question"], state["known"])


def look(state: ChatState, runtime: Runtime) -> ChatState:
    """Run the tools."""
    box, library = _ledger(runtime), runtime.context.library
    try:
        found = tuple(look_up(request, box, library) for request in state["requests"])
    except Refusal as refusal:
        return _refused(refusal)
    way = ON if runtime.context.model is not None else BY_CODE
    return {"looked": found, "tries": 0, "wrong": [], "outcome": way}


def write(state: ChatState, runtime: Runtime) -> ChatState:
    """The model's sentences about what was found."""
    named = short_ids(_rows(state))
    prompt = answer_prompt(state["question"], state["known"], named, state["wrong"])
    asked = ask(runtime.context, prompt, ChatAnswer)
    calls = [*state.get("calls", []), asked["call"]]
    if asked["failure"]:
        said = f"the answer was worded by code: {asked['failure']}"
        return {"calls": calls, "notes": [*state.get("notes", []), said], "outcome": BY_CODE}
    sentences = sentences_of(given(ChatAnswer, asked["answer"]), named)
    return {
        "sentences": sentences,
        "writer": MODEL,
        "calls": calls,
        "tries": state["tries"] + 1,
        "outcome": ON,
    }


def word(state: ChatState, runtime: Runtime) -> ChatState:  # noqa: ARG001
    """The sentences that code makes of what was found."""
    try:
        return {"sentences": word_answers(state["looked"]), "writer": CODE, "outcome": ON}
    except Refusal as refusal:
        return _refused(refusal)


def verify(state: ChatState, runtime: Runtime) -> ChatState:  # noqa: ARG001
    """Whether every statement holds; if not, once more, then by code, then not at all."""
    by_model = state["writer"] == MODEL
    wrong = problems(state["sentences"], _rows(state), state["known"].symbols, marked=by_model)
    if not wrong:
        return {"wrong": [], "outcome": HOLDS}
    if state["writer"] == CODE:
        said = "The answer could not be verified against the ledger, so it is not given"
        return {**_refused(Refusal("not_verified", f"{said}: {wrong[0]}.")), "wrong": wrong}
    if state["tries"] < TRIES:
        return {"wrong": wrong, "outcome": AGAIN}
    note = f"the model's answer did not hold and was replaced: {wrong[0]}"[:300]
    notes = [*state.get("notes", []), note]
    return {"wrong": [], "notes": notes, "outcome": BY_CODE}


def refuse(state: ChatState, runtime: Runtime) -> ChatState:  # noqa: ARG001
    """No answer, and why; it was said where it was found."""
    return {"sentences": [], "outcome": state["refusal"][0]}


def known_of(box: Toolbox, lane: str = "") -> Known:
    """What is known of a run when a question is read; BadInput for a lane it has not."""
    lanes = box.lanes()
    main = lane or (lanes[0] if lanes else "advised")
    if lane and lane not in lanes:
        raise BadInput(f"this run has no lane {lane!r}; it has {', '.join(lanes) or 'none'}")
    year = box.as_of.astimezone(NEW_YORK).year
    return Known(
        as_of=box.as_of,
        calendar=xnys(max(year - 10, 1990), year + 1),
        symbols=box.symbols(),
        lanes=lanes,
        sessions=box.sessions(main) if lanes else (),
        lane=main,
    )


def _ledger(runtime: Runtime) -> Toolbox:
    box = runtime.context.ledger
    if box is None:
        raise NotConfigured("the chat needs a ledger to answer from")
    return box


def _refused(refusal: Refusal) -> ChatState:
    return {"refusal": (refusal.why, str(refusal)), "outcome": REFUSED}


def _rows(state: ChatState) -> dict[str, Row]:
    return {name: row for one in state["looked"] for name, row in one.all().items()}


COURSE = Course(
    NAME,
    ChatState,
    (read, plan, look, write, word, verify, refuse),
    {
        "read": {ON: "plan", REFUSED: "refuse"},
        "plan": {ON: "look", REFUSED: "refuse"},
        "look": {ON: "write", BY_CODE: "word", REFUSED: "refuse"},
        "write": {ON: "verify", BY_CODE: "word"},
        "word": {ON: "verify", REFUSED: "refuse"},
        "verify": {HOLDS: END, AGAIN: "write", BY_CODE: "word", REFUSED: "refuse"},
    },
)
MACHINE = Machine(NAME, COURSE.build)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, or a refusal with its reason. `rows` are all rows that were looked up.

    `notes` say what a model did not do well; `why` is empty for an answer.
    """

    question: str
    as_of: datetime
    sentences: tuple[Sentence, ...] = ()
    rows: Mapping[str, Row] = field(default_factory=dict)
    why: Why | None = None
    message: str = ""
    writer: str = CODE
    notes: tuple[str, ...] = ()
    calls: tuple[Mapping[str, Any], ...] = ()
    topic: Topic = field(default_factory=Topic)

    @property
    def text(self) -> str:
        """What is said to a person."""
        return "\n".join(one.text for one in self.sentences) if self.why is None else self.message

    @property
    def citations(self) -> tuple[Row, ...]:
        """The rows that the answer rests on."""
        return cited(self.sentences, self.rows)


def answer(question: str, wiring: Wiring, topic: Topic = Topic(), lane: str = "") -> Reply:  # noqa: B008
    """Answer a question from the wired ledger, as of its moment."""
    steps = answering(question, wiring, topic, lane)
    while True:
        try:
            event = next(steps)
        except StopIteration as end:
            reply: Reply = end.value
            return reply
        with suppress(Exception):  # whoever watches must not disturb
            if wiring.progress:
                wiring.progress(event)


def answering(
    question: str,
    wiring: Wiring,
    topic: Topic = Topic(),  # noqa: B008
    lane: str = "",
) -> Generator[Event, None, Reply]:
    """The same, step by step: yields each step that has ended and returns the reply."""
    state: State = {"question": question, "topic": topic, "lane": lane}
    walk = COURSE.walk if wiring.model is None else MACHINE.steps
    end = yield from walk(state, wiring)
    return _reply(end, wiring, topic)


def _reply(end: State, wiring: Wiring, topic: Topic) -> Reply:
    assert wiring.ledger is not None, "a machine without a ledger does not end"
    why, message = end.get("refusal", (None, ""))
    rows = {name: row for one in end.get("looked", ()) for name, row in one.all().items()}
    asked = end.get("requests", ())
    return Reply(
        question=end["question"][:LONGEST],
        as_of=wiring.ledger.as_of,
        sentences=tuple(end.get("sentences", ())) if why is None else (),
        rows=rows,
        why=why,
        message=message,
        writer=end.get("writer", CODE),
        notes=tuple(end.get("notes", ())),
        calls=tuple(call for call in end.get("calls", ()) if "key" in call),
        topic=topic.continued(asked) if why is None else topic,
    )


@dataclass(slots=True)
class Conversation:
    """Questions one after the other; remembers what was asked about, never what was found."""

    wiring: Wiring
    lane: str = ""
    topic: Topic = field(default_factory=Topic)

    def ask(self, question: str) -> Reply:
        """The answer to the next question."""
        reply = answer(question, self.wiring, self.topic, self.lane)
        self.topic = reply.topic
        return reply
