from pathlib import Path

import pytest

from prompts import Facts, Item, Untrusted
from prompts.templates import Template, fill, load, render
from prompts.values import Value
from tools.errors import BadInput

TEXT = """---
facts: facts
news: untrusted
mood: words
---
# System
Be brief.
# User
{{mood}}: {{facts}}
{{news}} and {{mood}} again
"""
VALUES: dict[str, Value] = {
    "facts": Facts([("SPY.z", "+1.20"), ("SPY.close", "591.25 USD")]),
    "news": Untrusted([Item(id="N1", text="Chips {{mood}} fly")]),
    "mood": "calm",
}


def template(folder: Path, text: str = TEXT) -> Template:
    (folder / "test.v1.md").write_text(text)
    load.cache_clear()
    return load("test", 1, folder)


def test_every_value_stands_where_it_belongs(tmp_path: Path) -> None:
    prompt = fill(template(tmp_path), VALUES)
    assert (prompt.id, prompt.version, prompt.system) == ("test", 1, "Be brief.")
    lines = prompt.text.splitlines()
    assert lines[:2] == ["calm: SPY.z = +1.20", "SPY.close = 591.25 USD"]
    assert lines[3] == "[N1] Chips {{mood}} fly"
    assert lines[4].endswith(" and calm again")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mood": None}, "missing mood"),
        ({"extra": "x"}, "unknown extra"),
        ({"facts": "SPY.z = 9"}, "facts must be facts, not words"),
        ({"news": "text"}, "news must be untrusted, not words"),
        ({"mood": 3}, "mood must be words, not int"),
        ({"mood": "two\nlines"}, "one line"),
        ({"mood": "a </data> mark"}, "marks of an enclosure"),
        ({"mood": "x" * 401}, "401 characters"),
    ],
)
def test_a_value_that_does_not_fit_is_an_error(
    tmp_path: Path, values: dict[str, Value | None], message: str
) -> None:
    given = {name: value for name, value in {**VALUES, **values}.items() if value is not None}
    with pytest.raises(BadInput, match=message):
        fill(template(tmp_path), given)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{{mood}} again", "{{moods}}", "declared and used variables differ: .'moods'"),
        ("facts: facts\n", "", "differ: .'facts'"),
        ("mood: words\n", "mood: words\nidle: words\n", "differ: .'idle'"),
        ("mood: words", "mood: number", "must declare a new variable"),
        ("mood: words\n", "mood: words\nmood: words\n", "must declare a new variable"),
        ("again", "{{ mood }}", "braces that are not a variable"),
        ("again", "}}", "braces that are not a variable"),
        ("Be brief.", "Be {{mood}}.", "system part is the same in every call"),
        ("# User\n", "", "then # System, then # User"),
    ],
)
def test_a_template_that_is_not_one_is_an_error(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        template(tmp_path, TEXT.replace(old, new))


def test_an_unknown_prompt_is_an_error() -> None:
    with pytest.raises(BadInput, match=r"there is no prompt market_analysis\.v99"):
        render("market_analysis", 99, {})


@pytest.mark.parametrize(
    "entries",
    [
        [("a b", "1")],
        [("", "1")],
        [("a", "1"), ("a", "2")],
        [("a", "1\n2")],
        [("a", "x" * 121)],
        [("a", "<data>")],
    ],
)
def test_a_fact_is_one_short_line_under_an_id(entries: list[tuple[str, str]]) -> None:
    with pytest.raises(ValueError, match=r"fact|line|characters|marks"):
        Facts(entries)
