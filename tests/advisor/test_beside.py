"""Advice beside the loop: what counts when, what is given up, and that nobody waits."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from advisor.asking import AtOnce
from advisor.beside import Beside, within
from graph.ports import Event
from quant_core.types import Analysis, Multipliers, Status, Verdict
from tests.graph.worlds import signal, view
from tests.tools.llm.worlds import HandClock
from tools.errors import BadInput

MINUTE = timedelta(minutes=1)


class Market:
    """A hand-moved clock, a Beside whose work is done when told, and what was announced."""

    def __init__(self, deadline: float = 45.0) -> None:
        self.clock = HandClock()
        self.waiting: list[Callable[[], None]] = []
        self.events: list[Event] = []
        self.beside = Beside(
            deadline, self.clock, watch=self.events.append, start=self.waiting.append
        )

    def ask(self) -> datetime:
        """Ask about this moment; returns it."""
        as_of = self.clock.now()
        self.beside.ask(lambda seen: analysis(seen.as_of), view(as_of=as_of))
        return as_of

    def answer(self) -> None:
        self.waiting.pop(0)()

    def bar_closes(self, seconds: float = 60.0) -> list[Analysis]:
        """Let time pass to the close of a bar; what counts from this bar on."""
        self.clock.sleep(seconds)
        return self.beside.answers(self.clock.now())


def analysis(as_of: datetime, **differs: object) -> Analysis:
    values: dict[str, object] = {
        "analyst": "test", "multipliers": Multipliers(mr_arm=0.8), "confidence": 50.0,
        "assessment": "", "opportunities": (), "reasoning": "", "evidence": (),
    }  # fmt: skip
    return Analysis(as_of=as_of, **{**values, **differs})  # type: ignore[arg-type]


def test_an_answer_counts_from_the_first_bar_that_closes_after_it() -> None:
    market = Market(deadline=100.0)
    as_of = market.ask()
    assert market.bar_closes() == []
    closed = market.clock.now()
    market.clock.sleep(2.0)
    market.answer()
    # The bar that closed two seconds ago is taken only now: it closed before the answer.
    assert market.beside.answers(closed) == []
    assert market.bar_closes(58.0) == [analysis(as_of)]
    assert market.bar_closes() == []


def test_without_an_answer_by_the_deadline_it_is_degraded_once_and_the_late_one_is_dropped() -> (
    None
):
    market = Market()
    as_of = market.ask()
    [given] = market.bar_closes()
    assert (given.as_of, given.status) == (as_of, Status.DEGRADED)
    assert given.degraded_reason == "no answer within 45 s"
    assert given.multipliers == Multipliers()
    assert market.bar_closes() == []
    market.answer()
    assert market.bar_closes() == []
    [event] = market.events
    assert (event.step, event.outcome) == ("late", "its answer came after 120.0 s and was dropped")
    assert market.bar_closes() == []
    assert len(market.events) == 1


def test_an_answer_after_the_deadline_but_before_the_bar_is_dropped_and_says_so() -> None:
    market = Market()
    market.ask()
    market.clock.sleep(51.0)
    market.answer()
    [given] = market.bar_closes(9.0)
    assert given.degraded_reason == (
        "the answer came after 51.0 s and was dropped; the deadline is 45 s"
    )
    assert given.multipliers == Multipliers()


def test_a_machine_that_gave_up_by_itself_says_why_even_if_late() -> None:
    market = Market()
    own = {"status": Status.DEGRADED, "degraded_reason": "timeout: no answer in time"}
    market.beside.ask(lambda seen: analysis(seen.as_of, **own), view())
    market.clock.sleep(45.1)
    market.answer()
    assert [one.degraded_reason for one in market.bar_closes(14.9)] == [
        "timeout: no answer in time"
    ]


def test_while_one_is_stuck_the_next_is_not_asked_and_says_which_is_running() -> None:
    market = Market()
    first = market.ask()
    market.bar_closes(900.0)
    second = market.ask()
    assert len(market.waiting) == 1
    [given] = market.bar_closes()
    hour = first.astimezone(UTC)
    assert given.as_of == second
    assert given.degraded_reason.startswith("the analysis of ")
    assert given.degraded_reason.endswith(" is still running")
    assert f":{hour:%M} " in given.degraded_reason
    market.answer()
    market.bar_closes()
    third = market.ask()
    market.answer()
    assert [(one.as_of, one.status) for one in market.bar_closes()] == [(third, Status.OK)]


def test_a_failing_analyst_is_degraded_and_a_missing_recording_stops_the_run() -> None:
    market = Market()

    def fails(error: Exception) -> None:
        def raises(seen: object) -> Analysis:
            raise error

        market.beside.ask(raises, view())
        market.answer()

    fails(OSError("the line is cut"))
    assert [one.degraded_reason for one in market.bar_closes()] == ["OSError: the line is cut"]
    fails(BadInput("never recorded"))
    with pytest.raises(BadInput, match="never recorded"):
        market.bar_closes()


def test_what_is_open_at_the_end_of_a_session_ends_with_it() -> None:
    market = Market()
    market.ask()
    assert [one.degraded_reason for one in market.beside.give_up()] == [
        "the session ended before its answer came"
    ]
    assert market.beside.give_up() == []
    market.answer()
    assert market.bar_closes() == []
    assert market.events[0].step == "late"


def test_a_system_without_threads_to_give_degrades() -> None:
    def refuses(work: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    beside = Beside(45.0, HandClock(), start=refuses)
    beside.ask(lambda seen: analysis(seen.as_of), view())
    [given] = beside.answers(HandClock().now())
    assert given.degraded_reason == "it could not be asked: can't start new thread"


def test_at_once_hands_every_answer_over_once() -> None:
    asking = AtOnce()
    asking.ask(lambda seen: analysis(seen.as_of), view())
    assert asking.answers(view().as_of) == [analysis(view().as_of)]
    assert asking.answers(view().as_of) == asking.give_up() == []


def test_a_real_thread_is_one_and_is_left_behind_when_it_hangs() -> None:
    release, asked = threading.Event(), threading.Event()

    def hangs(seen: object) -> Analysis:
        asked.set()
        release.wait()
        raise OSError("too late")

    clock = HandClock()
    beside = Beside(45.0, clock)
    before = threading.active_count()
    for _ in range(5):
        beside.ask(hangs, view())
    assert asked.wait(10.0)
    assert threading.active_count() == before + 1
    clock.sleep(60.0)
    reasons = [one.degraded_reason for one in beside.answers(clock.now())]
    assert len(reasons) == 5
    assert reasons.count("no answer within 45 s") == 1
    release.set()
    beside.close()


def test_a_verdict_is_waited_for_no_longer_than_its_deadline() -> None:
    release, ended = threading.Event(), threading.Event()

    def hangs(asked: object, seen: object) -> Verdict:
        release.wait()
        ended.set()
        return Verdict(ruling="approve")

    bounded = within(0.02, hangs, HandClock())
    first = bounded(signal(), view())
    assert (first.ruling, first.degraded_reason) == ("abstain", "no verdict within 0.02 s")
    second = bounded(signal(), view())
    assert second.degraded_reason == "an earlier validation is still running"
    release.set()
    assert ended.wait(10.0)


def test_a_verdict_in_time_is_the_validators_own_and_its_errors_pass() -> None:
    good = Verdict(ruling="veto", confidence=70.0)
    assert within(30.0, lambda asked, seen: good, HandClock())(signal(), view()) is good

    def raises(asked: object, seen: object) -> Verdict:
        raise BadInput("never recorded")

    with pytest.raises(BadInput, match="never recorded"):
        within(30.0, raises, HandClock())(signal(), view())
