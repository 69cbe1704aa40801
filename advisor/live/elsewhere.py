"""Analyses by another process: a question on a board, and its answer, when there is one.

The board is a place in a bucket. A question stands on it under its moment, once, however often it
is put; so does its answer, with the calls and news that led to it and the time at which it came. So
a process that is started anew each minute finds what the one before has asked, and an answer counts
from the first bar that closes after it came, whenever it is looked at. One that did not come within
the deadline has not come, as beside a loop (`advisor.beside`).
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec

from advisor.asking import degraded
from advisor.course import Question
from advisor.kept import Kept
from graph import market_analysis
from quant_core.calendar import new_york
from quant_core.market_view import MarketView
from quant_core.types import Analysis, AnswerFinding, Headline, Status
from tools.aws.objects import Changed, Objects
from tools.clock import Clock
from tools.errors import AdvisorError, Rejected, Transient
from tools.llm.calls import KeptCall
from tools.ports import Analyst, LedgerRecord

T = TypeVar("T")


class Put(msgspec.Struct, frozen=True, kw_only=True):
    """A question: what the market looked like, and when it was put."""

    view: MarketView
    asked_at: datetime


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """Its answer, what led to it, and when it came."""

    analysis: Analysis
    answered_at: datetime
    news: list[Headline] = []
    calls: list[KeptCall] = []
    findings: list[AnswerFinding] = []

    def records(self) -> list[LedgerRecord]:
        """What a ledger keeps of how it came about."""
        return [*self.news, *self.calls, *self.findings]


class Board:
    """The questions of one run, and their answers."""

    def __init__(self, bucket: Objects) -> None:
        """Over a place of the run's own; nothing is asked yet."""
        self._bucket = bucket

    def put(self, question: Put) -> bool:
        """Put a question; False when it stands there already."""
        return self._new(question.view.as_of, "question", question)

    def question(self, as_of: datetime) -> Put | None:
        """The question of a moment."""
        return self._read(as_of, "question", Put)

    def claim(self, as_of: datetime) -> bool:
        """Be the one who answers; False when another one is."""
        return self._new(as_of, "claim", {})

    def answer(self, answered: Answered) -> bool:
        """Give an answer; False when there is one already."""
        return self._new(answered.analysis.as_of, "answer", answered)

    def answered(self, as_of: datetime) -> Answered | None:
        """The answer to the question of a moment."""
        return self._read(as_of, "answer", Answered)

    def _new(self, as_of: datetime, name: str, value: Any) -> bool:
        # Python's JSON keeps NaN, which views hold where nothing is known yet.
        body = json.dumps(msgspec.to_builtins(value)).encode()
        try:
            self._bucket.put(_key(as_of, name), body, "application/json", new=True)
        except Changed:
            return False
        return True

    def _read(self, as_of: datetime, name: str, kind: type[T]) -> T | None:
        found = self._bucket.find(_key(as_of, name))
        if found is None:
            return None
        try:
            return msgspec.convert(json.loads(found.body), kind)
        except (ValueError, msgspec.ValidationError) as error:
            raise Rejected(
                f"{self._bucket.place(_key(as_of, name))} is not what was put there: {error}"
            ) from error


class _PutInstead(Exception):
    """The analyst was reached: the question is for the other process."""


def reached(view: MarketView) -> Analysis:
    """The analyst of a lane that asks elsewhere: whatever guards it lets the question through."""
    raise _PutInstead(view.as_of)


class Elsewhere:
    """Puts a lane's questions on a board. `start` tells another process that there is one."""

    def __init__(
        self, board: Board, kept: Kept, clock: Clock, limit: timedelta,
        start: Callable[[datetime], None],
    ) -> None:  # fmt: skip
        """`limit` is how old a moment may be asked about, and how long its answer may take."""
        self._board, self._kept, self._clock = board, kept, clock
        self._limit, self._start = limit, start
        self._open: list[datetime] = []
        self._refused: list[Analysis] = []

    def ask(self, analyst: Analyst, view: MarketView) -> None:
        """Put a question, unless it stands there; DEGRADED when it is too late to ask at all."""
        if view.as_of in self._open:
            return
        try:
            self._refused.append(analyst(view))
            return
        except _PutInstead:
            pass
        now = self._clock.now()
        try:
            if now - view.as_of > self._limit:
                if self._board.question(view.as_of) is None:
                    minutes = (now - view.as_of).total_seconds() / 60
                    told = f"it was not asked: its moment was {minutes:.0f} minutes ago"
                    self._refused.append(degraded(view.as_of, told))
                    return
            elif self._board.put(Put(view=view, asked_at=now)) or self._waits(view.as_of):
                self._start(view.as_of)
        except AdvisorError as error:
            self._refused.append(degraded(view.as_of, f"it could not be asked: {error}"))
            return
        self._open.append(view.as_of)

    def answers(self, closed: datetime) -> list[Analysis]:
        """What came before `closed`, came too late, or was not asked; by its moment."""
        found, self._refused = self._refused, []
        for as_of in list(self._open):
            analysis = self._outcome(as_of, closed)
            if analysis is not None:
                self._open.remove(as_of)
                found.append(analysis)
        return sorted(found, key=lambda analysis: analysis.as_of)

    def give_up(self) -> list[Analysis]:
        """DEGRADED for what is open at the end of a session."""
        found, self._refused = self._refused, []
        found += [degraded(one, "the session ended before its answer came") for one in self._open]
        self._open = []
        return found

    def held(self) -> str:
        """The moments of the open questions; what they say stands on the board."""
        refused = (one.as_of for one in self._refused)
        return " ".join(one.isoformat() for one in (*self._open, *refused))

    def take_up(self, held: str) -> bool:
        """Go on with them; one that never reached the board ends without an answer."""
        self._open = [datetime.fromisoformat(one) for one in held.split()]
        return True

    def _waits(self, as_of: datetime) -> bool:
        return self._board.answered(as_of) is None

    def _outcome(self, as_of: datetime, closed: datetime) -> Analysis | None:
        """The analysis that a question ends in, once there is one."""
        try:
            put, answered = self._board.question(as_of), self._board.answered(as_of)
        except (Transient, Rejected) as error:
            if closed - as_of <= self._limit:
                return None
            return degraded(as_of, f"its answer could not be read: {error}")
        begun = put.asked_at if put else as_of
        if answered is None:
            if self._clock.now() - begun <= self._limit:
                return None
            return degraded(as_of, f"no answer within {self._limit.total_seconds():g} s")
        if answered.answered_at >= closed:
            return None
        question = Question(market_analysis.NAME, as_of)
        self._kept.brought(question, answered.records())
        took = answered.answered_at - begun
        if took > self._limit and answered.analysis.status is Status.OK:
            told = f"the answer came after {took.total_seconds():.1f} s and was dropped"
            limit = self._limit.total_seconds()
            return degraded(as_of, f"{told}; the deadline is {limit:g} s")
        return answered.analysis


class Bystander:
    """Leaves a lane's questions to the process that asks them, and hands them on as they are."""

    def __init__(self) -> None:
        """Holds nothing yet."""
        self._held = ""

    def ask(self, analyst: Analyst, view: MarketView) -> None:
        """Asks nothing."""

    def answers(self, closed: datetime) -> list[Analysis]:  # noqa: ARG002
        """Takes nothing."""
        return []

    def give_up(self) -> list[Analysis]:
        """Gives nothing up."""
        return []

    def held(self) -> str:
        """What it was given."""
        return self._held

    def take_up(self, held: str) -> bool:
        """Keep it for the next."""
        self._held = held
        return True


def _key(as_of: datetime, name: str) -> str:
    return f"{new_york(as_of).replace(' ', 'T').replace(':', '')}/{name}.json"
