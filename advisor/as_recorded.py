"""Asking where a recording says when each answer came: no clock, no thread, the same bytes.

A question is put to the analyst at once, who answers from the recording; the answer is held back
until the minute in which it was settled then. Where no answer counted (too late, none at all, the
one before still running, a process that died), what was said instead is said again, and a question
that nobody answered is not put.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

import msgspec

from advisor.asking import abstention, degraded, opinion
from advisor.course import Course, Question, Settled
from graph import market_analysis, trade_validation
from quant_core.calendar import to_minute
from quant_core.market_view import MarketView
from quant_core.types import Analysis, Signal, Verdict
from tools.errors import BadInput
from tools.ports import Analyst, Validator

Given = TypeVar("Given")


class _Held(msgspec.Struct):
    settled: Settled
    analysis: Analysis


class AsRecorded:
    """Asks one lane's analyst as the recorded run did."""

    def __init__(self, course: Course) -> None:
        """`course` is that of the recording."""
        self._course = course
        self._order = {question: n for n, question in enumerate(course.settled)}
        self._held: list[_Held] = []

    def ask(self, analyst: Analyst, view: MarketView) -> None:
        """Put a question, and hold its outcome back."""
        question = Question(market_analysis.NAME, view.as_of)
        settled = self._course.outcome(question)
        given = opinion(analyst, view) if question in self._course.came else None
        if settled.failed:
            given = replace(degraded(view.as_of, settled.reason), analyst=settled.who)
        self._held.append(_Held(settled, _answered(given, question)))
        self._held.sort(key=lambda one: self._order[one.settled.question])

    def answers(self, closed: datetime) -> list[Analysis]:
        """What was settled before the bar that closed at this moment."""
        last = to_minute(closed) - 1
        return self._take(lambda one: not one.at_the_end and one.minute <= last)

    def give_up(self) -> list[Analysis]:
        """What was given up at the end of the session."""
        return self._take(lambda one: one.at_the_end)

    def held(self) -> str:
        """The outcomes held back, for the process that goes on."""
        return msgspec.json.encode(self._held).decode() if self._held else ""

    def take_up(self, held: str) -> bool:
        """Hold them back again; nothing of a replay is lost with its process."""
        self._held = msgspec.json.decode(held, type=list[_Held]) if held else []
        return True

    def _take(self, is_due: Callable[[Settled], bool]) -> list[Analysis]:
        due = [one for one in self._held if is_due(one.settled)]
        self._held = [one for one in self._held if not is_due(one.settled)]
        return [one.analysis for one in due]


def validator_as_recorded(validator: Validator, course: Course) -> Validator:
    """A validator whose verdicts are those that counted in the recorded run."""

    def give(signal: Signal, view: MarketView) -> Verdict:
        question = Question(trade_validation.NAME, view.as_of, signal.symbol)
        settled = course.outcome(question)
        given = validator(signal, view) if question in course.came else None
        if settled.failed:
            return abstention(settled.reason, settled.who)
        return _answered(given, question)

    return give


def _answered(given: Given | None, question: Question) -> Given:
    if given is None:
        raise BadInput(f"the recording counts an answer to {question.in_words()} and has none")
    return given
