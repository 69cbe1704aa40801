"""A course is the same machine, walked plainly or run by langgraph."""

from collections.abc import Generator
from dataclasses import replace
from typing import Any, TypedDict

import pytest

from graph.chat import COURSE, MACHINE
from graph.course import END, MOST_STEPS, Course
from graph.ports import Event, Wiring
from graph.requests import Topic
from tests.graph.worlds import Scripted, wiring


class Count(TypedDict, total=False):
    number: int
    outcome: str


def up(state: Count, _: Any) -> Count:
    number = state.get("number", 0) + 1
    return {"number": number, "outcome": "again" if number < 3 else "enough"}


def end(state: Count, _: Any) -> Count:
    return {"outcome": f"at {state['number']}"}


COUNTING = Course("counting", Count, (up, end), {"up": {"again": "up", "enough": "end"}})


def through(steps: Generator[Event, None, dict[str, Any]]) -> tuple[list[Event], dict[str, Any]]:
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as over:
            return seen, over.value


def test_a_loop_ends_where_its_outcome_says() -> None:
    seen, state = through(COUNTING.walk({}, wiring()))
    assert [event.step for event in seen] == ["up", "up", "up", "end"]
    assert state == {"number": 3, "outcome": "at 3"}


def test_a_circle_is_a_defect_and_not_a_hang() -> None:
    circle = Course("circle", Count, (up,), {"up": {"again": "up", "enough": "up"}})
    with pytest.raises(RuntimeError, match=f"within {MOST_STEPS} steps"):
        through(circle.walk({}, wiring()))


def test_a_way_to_nowhere_is_refused_when_it_is_written() -> None:
    with pytest.raises(ValueError, match="counting has no step up2"):
        Course("counting", Count, (up,), {"up": {"again": "up2", "enough": END}})


@pytest.mark.slow
@pytest.mark.parametrize(
    "question",
    ["P/L in January?", "Buy 100 NVDA", "P/L on January 9th", "Why was NVDA skipped?", "x" * 3000,
     "P/L of TSLA", "Show all trades of January 14th"],
)  # fmt: skip
def test_both_ways_take_the_same_steps_to_the_same_end(wired: Wiring, question: str) -> None:
    given = {"question": question, "topic": Topic(), "lane": ""}
    plain = through(COURSE.walk(given, wired))
    assert through(MACHINE.steps(given, wired)) == plain


@pytest.mark.slow
def test_a_model_that_talks_nonsense_takes_the_same_way_too(wired: Wiring) -> None:
    given = {"question": "P/L in January?", "topic": Topic(), "lane": ""}
    ways = []
    for walk in (COURSE.walk, MACHINE.steps):
        asking = replace(wired, model=Scripted(["no plan", "no answer"]))
        seen, state = through(walk(given, asking))
        ways.append(([event.step for event in seen], state["sentences"]))
    assert ways[0] == ways[1]
    assert ways[0][0] == ["read", "plan", "look", "write", "word", "verify"]
