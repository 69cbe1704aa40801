"""Reading answers: every text ends in a valid, bounded value or in a problem told in words."""

import math

import pytest
from pydantic import BaseModel, field_validator

from tests.tools.llm.garbage import spoilt
from tests.tools.llm.worlds import GOOD, VIEW, View
from tools.llm.answers import LARGEST_NUMBER, PROBLEM_CHARACTERS, Problem, read_answer

CAP = 20_000

BAD = {
    "empty": ("", "empty"),
    "blank": ("  \n", "empty"),
    "prose": ("The market is up.", "not one JSON value"),
    "prose around": (f"Sure! {GOOD}", "not one JSON value"),
    "prose after": (f"{GOOD} Enjoy!", "not one JSON value"),
    "fenced": (f"```json\n{GOOD}\n```", "not one JSON value"),
    "two answers": (GOOD + GOOD, "not one JSON value"),
    "cut": (GOOD[:-5], "not one JSON value"),
    "another shape": ("[1, 2]", "should be an object"),
    "NaN": (GOOD.replace("1.25", "NaN"), "NaN is not a number"),
    "infinite": (GOOD.replace("1.25", "-Infinity"), "-Infinity is not a number"),
    "overflows": (GOOD.replace("1.25", "1e999"), "too large"),
    "huge integer": (GOOD.replace("5,", "9" * 400 + ","), "too large"),
    "number as text": (GOOD.replace("1.25", '"1.25"'), "arm: Input should be a valid number"),
    "text for a number": (GOOD.replace("1.25", '"high"'), "arm: Input should be a valid number"),
    "fraction for a count": (GOOD.replace(":5,", ":5.5,"), "symbols"),
    "true for a count": (GOOD.replace(":5,", ":true,"), "symbols"),
    "out of range": (GOOD.replace("1.25", "2.01"), "arm: Input should be less than or equal to 2"),
    "unknown word": (GOOD.replace('"up"', '"moon"'), "mood: Input should be 'up', 'down'"),
    "missing": (GOOD.replace('"mood":"up",', ""), "mood: Field required"),
    "extra": (GOOD[:-1] + ',"order":"buy"}', "order: Extra inputs are not permitted"),
    "extra inside": (
        GOOD.replace('"weight":0.5', '"weight":0.5,"price":9'),
        "claims.0.price: Extra",
    ),
    "too many": (GOOD.replace("[{", "[" + '{"fact":"a","weight":0},' * 5 + "{"), "claims: List"),
    "key twice": (GOOD.replace('"mood":"up"', '"mood":"up","mood":"down"'), "occurs twice"),
    "deep": ("[" * 10_000, "nested too deeply"),
    "half a character": (GOOD.replace("null", '"\\ud800"'), "hex escape"),
    "ten megabytes": ("x" * 10_000_000, "at most 20000 are read"),
}


def test_a_valid_answer_is_read():
    assert read_answer(GOOD, View, CAP) == VIEW
    assert read_answer(f"\n {GOOD} \n", View, CAP) == VIEW


@pytest.mark.parametrize("name", BAD)
def test_a_bad_answer_is_a_problem_in_words(name: str):
    text, told = BAD[name]
    found = read_answer(text, View, CAP)
    assert isinstance(found, Problem)
    assert told in found.message
    assert len(found.message) <= PROBLEM_CHARACTERS


def test_the_problem_lists_every_fault_of_a_modest_number():
    found = read_answer('{"mood":"x","arm":9,"symbols":-1,"note":1,"claims":1}', View, CAP)
    assert isinstance(found, Problem)
    for field in ("mood", "arm", "symbols", "note", "claims"):
        assert f"{field}: " in found.message


def test_a_schema_without_bounds_still_yields_bounded_numbers():
    class Loose(BaseModel):
        number: float
        count: int

    largest = f"{LARGEST_NUMBER:.0f}"
    assert isinstance(read_answer(f'{{"number":{largest},"count":-{largest}}}', Loose, CAP), Loose)
    assert isinstance(read_answer(f'{{"number":{largest}1,"count":0}}', Loose, CAP), Problem)
    assert isinstance(read_answer(f'{{"number":0,"count":{largest}1}}', Loose, CAP), Problem)


def test_a_validator_that_raises_anything_is_a_problem():
    class Odd(BaseModel):
        number: float

        @field_validator("number")
        @classmethod
        def check(cls, value: float) -> float:
            return 1.0 / value

    found = read_answer('{"number":0}', Odd, CAP)
    assert isinstance(found, Problem)
    assert "ZeroDivisionError" in found.message


def bounded(view: View) -> bool:
    return (
        math.isfinite(view.arm)
        and 0.5 <= view.arm <= 2.0
        and 0 <= view.symbols <= 100
        and view.mood in ("up", "down", "mixed")
        and len(view.note or "") <= 200
        and len(view.claims) <= 5
        and all(0.0 <= claim.weight <= 1.0 and len(claim.fact) <= 40 for claim in view.claims)
    )


def test_ten_thousand_spoilt_answers_end_in_a_bounded_value_or_a_problem():
    outcomes = {"value": 0, "problem": 0}
    for seed in range(10_000):
        found = read_answer(spoilt(seed), View, CAP)
        if isinstance(found, Problem):
            assert 0 < len(found.message) <= PROBLEM_CHARACTERS
            outcomes["problem"] += 1
        else:
            assert bounded(found), spoilt(seed)
            outcomes["value"] += 1
    assert outcomes["problem"] > 8_000
    assert outcomes["value"] > 50  # some of the spoiling does no harm
