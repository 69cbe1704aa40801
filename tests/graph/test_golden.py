"""The golden questions: every number right, everything unanswerable refused.

What is expected is computed here by plain pandas from the exported files and by SQL from the
ledger's tables, never by the tools under test.
"""

import hashlib
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from graph.chat import answer
from graph.ports import Wiring
from tests.graph.january import January

pytestmark = pytest.mark.slow
GOLDEN = tomllib.loads((Path(__file__).parent / "golden" / "questions.toml").read_text())
QUESTIONS: list[dict[str, Any]] = GOLDEN["question"]
ANSWERED = [one for one in QUESTIONS if "finds" not in one]  # those are in test_retrieval
LEAST = 80


def shown(value: Any, form: str) -> str:
    """How an answer must write a value."""
    if form == "usd":
        number = float(value)
        cents = f"{abs(number):,.2f}"
        return f"{'-' if number < 0 and cents != '0.00' else ''}${cents}"
    if form == "percent":
        return f"{value:.1f} %"
    if form == "count":
        return f"{int(value):,}"
    return f"{value:.2f}".rstrip("0").rstrip(".") if form == "number" else str(value)


def measured(rows: pd.DataFrame, value: str) -> Any:
    if value == "count":
        return len(rows)
    operation, column = value.split()
    numbers = rows[column].astype(float)
    return {
        "sum": numbers.sum, "mean": numbers.mean, "max": numbers.max, "min": numbers.min,
        "share": lambda: 100.0 * (numbers > 0).mean(), "last": lambda: numbers.iloc[-1],
    }[operation]()  # fmt: skip


def selected(january: January, table: str, where: str | None) -> pd.DataFrame:
    rows = january.tables[table]
    return rows.query(where) if where else rows


def expected(one: dict[str, Any], january: January) -> list[str]:
    """Everything that an answer must say."""
    said = list(one.get("says", ()))
    if "from" not in one:
        return said
    rows, form = selected(january, one["from"], one.get("where")), one.get("form", "text")
    if "group" in one:
        values = rows.groupby(one["group"]).apply(lambda part: measured(part, one["value"]))
        best = values.idxmax() if one["extreme"] == "max" else values.idxmin()
        return [*said, str(best), shown(values[best], form)]
    if "each" in one:
        said += [shown(value, form) for value in rows[one["each"]]]
    if "value" in one:
        value = measured(rows, one["value"])
        if "minus" in one or "minus_from" in one:
            other = selected(january, one.get("minus_from", one["from"]), one.get("minus"))
            value -= measured(other, one["value"])
        said.append(shown(value, form))
    return said


def says(text: str, part: str) -> bool:
    """Whether a text holds a part that is not a part of a longer word or number."""
    return bool(re.search(rf"(?<![\w.$-]){re.escape(part)}(?![\w%]|\.\d|,\d)", text))


def test_there_are_enough_of_every_kind() -> None:
    refused = [one for one in QUESTIONS if "why" in one]
    assert len(QUESTIONS) >= LEAST
    assert len(refused) >= 30
    assert len({one["ask"] for one in QUESTIONS}) == len(QUESTIONS)


@pytest.mark.parametrize("one", ANSWERED, ids=lambda one: re.sub(r"\W+", "-", one["ask"])[:60])
def test_golden(one: dict[str, Any], january: January, wired: Wiring) -> None:
    reply = answer(one["ask"], wired)
    if "why" in one:
        assert reply.why == one["why"], reply.text
        assert not reply.sentences
        assert not reply.citations
        return
    assert reply.why is None, reply.text
    missing = [part for part in expected(one, january) if not says(reply.text, part)]
    assert not missing, f"{missing} not in:\n{reply.text}"
    assert all(sentence.cites for sentence in reply.sentences)


@pytest.mark.parametrize(
    "one",
    [
        one
        for one in ANSWERED
        if one.get("from")
        in ("trades", "baseline", "placebo", "signals", "verdicts", "skipped", "analyses")
    ],
    ids=lambda one: re.sub(r"\W+", "-", one["ask"])[:60],
)
def test_golden_from_sums(one: dict[str, Any], january: January, wired: Wiring) -> None:
    assert wired.ledger is not None
    summing = replace(wired, ledger=replace(wired.ledger, many=-1))
    reply = answer(one["ask"], summing)
    assert reply.why is None, reply.text
    assert reply.text == answer(one["ask"], wired).text


def test_asking_changes_nothing(january: January, wired: Wiring) -> None:
    ledger = january.folder / "ledger.sqlite"
    before = hashlib.sha256(ledger.read_bytes()).hexdigest()
    for one in QUESTIONS:
        answer(one["ask"], wired)
    assert hashlib.sha256(ledger.read_bytes()).hexdigest() == before
