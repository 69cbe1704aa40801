"""Advice beside the loop: asked in a thread of its own, so that no minute waits for it.

Invariants: a lane has at most one analysis in flight, and so at most one thread; what falls due
while one is stuck is recorded as DEGRADED and not asked. An answer counts from the first bar that
closes after it. One that has not come by its deadline has not come: its analysis is DEGRADED at
that minute, and what arrives afterwards is dropped. Threads are daemons: a hanging socket keeps
no process alive.

A verdict is different: the order waits for it, so `within` bounds the wait instead.
"""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Generic, TypeVar

from advisor.asking import abstention, degraded, opinion
from graph.ports import Event, Progress
from quant_core.calendar import new_york
from quant_core.market_view import MarketView
from quant_core.types import Analysis, Signal, Status, Verdict
from tools.clock import Clock
from tools.ports import Analyst, Validator

R = TypeVar("R")
Start = Callable[[Callable[[], None]], None]
CLOSING_SECONDS = 1.0


class _Task(Generic[R]):
    """A piece of work in a thread: what came of it, and when."""

    def __init__(self, work: Callable[[], R], clock: Clock) -> None:
        self._work, self._clock = work, clock
        self._over = threading.Event()
        self._result: list[R] = []
        self._error: BaseException | None = None
        self.at: datetime | None = None
        self.began = clock.monotonic()
        self.seconds = 0.0

    def run(self) -> None:
        try:
            self._result.append(self._work())
        except BaseException as error:
            self._error = error
        self.at, self.seconds = self._clock.now(), self._clock.monotonic() - self.began
        self._over.set()

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    def wait(self, seconds: float) -> bool:
        return self._over.wait(seconds)

    def result(self) -> R:
        if self._error is not None:
            raise self._error
        return self._result[0]


class _Question:
    """One analysis that was asked for; `settled` when its one record has been made.

    `given_up` when that record says that no answer came: one that still comes is dropped.
    """

    def __init__(self, as_of: datetime, task: _Task[Analysis]) -> None:
        self.as_of, self.task = as_of, task
        self.settled = self.given_up = False


class Beside:
    """Asks one lane's analyst in a thread. Close it when the lane is done.

    `clock.now()` is the market's time, by which bars close; `clock.monotonic()` measures the
    deadline. `watch` is told of answers that came too late to count.
    """

    def __init__(
        self,
        deadline: float,
        clock: Clock,
        *,
        watch: Progress | None = None,
        start: Start | None = None,
    ) -> None:
        """`deadline` in seconds from the question; `start` runs the work (default: a thread)."""
        self._deadline, self._clock = deadline, clock
        self._watch, self._start = watch, start or _in_a_thread
        self._questions: list[_Question] = []
        self._refused: list[Analysis] = []

    def ask(self, analyst: Analyst, view: MarketView) -> None:
        """Put a question and return; a DEGRADED analysis while the one before is running."""
        for question in self._questions:
            if not question.task.is_over:
                told = f"the analysis of {_time(question.as_of)} is still running"
                self._refused.append(degraded(view.as_of, told))
                return
        task = _Task(lambda: opinion(analyst, view), self._clock)
        try:
            self._start(task.run)
        except RuntimeError as error:  # the system gives us no thread
            self._refused.append(degraded(view.as_of, f"it could not be asked: {error}"))
            return
        self._questions.append(_Question(view.as_of, task))

    def answers(self, closed: datetime) -> list[Analysis]:
        """What was answered before `closed`, came too late, or was not asked; by its moment."""
        found, self._refused = self._refused, []
        for question in list(self._questions):
            analysis = self._outcome(question, closed)
            if analysis is not None:
                question.settled = True
                found.append(analysis)
        self._forget()
        return sorted(found, key=lambda analysis: analysis.as_of)

    def give_up(self) -> list[Analysis]:
        """DEGRADED for what is open at the end of a session; a thread may still be running."""
        found, self._refused = self._refused, []
        for question in self._questions:
            if not question.settled:
                question.settled = question.given_up = True
                found.append(degraded(question.as_of, "the session ended before its answer came"))
        self._forget()
        return found

    def held(self) -> str:
        """Nothing: a thread cannot be handed over."""
        return ""

    def take_up(self, held: str) -> bool:  # noqa: ARG002
        """What was under way died with its process."""
        return False

    def close(self) -> None:
        """Wait a moment for a thread that is about to end, and leave it behind otherwise."""
        for question in self._questions:
            question.task.wait(CLOSING_SECONDS)
        self._questions = []

    def _outcome(self, question: _Question, closed: datetime) -> Analysis | None:
        """The analysis that a question ends in, once there is one."""
        task = question.task
        if question.settled:
            return None
        if not task.is_over:
            if self._clock.monotonic() - task.began <= self._deadline:
                return None
            question.given_up = True
            return degraded(question.as_of, f"no answer within {self._deadline:g} s")
        analysis = task.result()
        # A machine that gave up by itself knows best why, and its reason is never late.
        if task.seconds > self._deadline and analysis.status is Status.OK:
            told = f"the answer came after {task.seconds:.1f} s and was dropped"
            return degraded(question.as_of, f"{told}; the deadline is {self._deadline:g} s")
        return analysis if task.at is not None and task.at < closed else None

    def _forget(self) -> None:
        """Let go of questions that are settled and whose threads have ended."""
        for question in list(self._questions):
            if question.settled and question.task.is_over:
                self._questions.remove(question)
                if question.given_up and self._watch:
                    told = f"its answer came after {question.task.seconds:.1f} s and was dropped"
                    self._watch(
                        Event(
                            machine="market_analysis",
                            step="late",
                            outcome=told,
                            about=_time(question.as_of),
                        )
                    )


def within(seconds: float, validator: Validator, clock: Clock) -> Validator:
    """A validator for which the loop waits no longer than `seconds`; then it abstains.

    One that is stuck is not asked again before it has ended: the verdict abstains at once.
    """
    running: list[_Task[Verdict]] = []

    def give(signal: Signal, view: MarketView) -> Verdict:
        if running and not running[0].is_over:
            return abstention("an earlier validation is still running")
        task = _Task(lambda: validator(signal, view), clock)
        _in_a_thread(task.run)
        running[:] = [task]
        if not task.wait(seconds):
            return abstention(f"no verdict within {seconds:g} s")
        return task.result()

    return give


def _in_a_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="advice", daemon=True).start()


def _time(moment: datetime) -> str:
    return new_york(moment)[11:]
