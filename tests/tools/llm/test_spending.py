"""The spending of a day: one file for all processes, from which nothing is ever forgotten."""

import re
import sqlite3
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tests.tools.llm.worlds import OPENING, PROMPT, HandClock, View, says, scripted
from tools.errors import BadInput
from tools.llm import BudgetLimits, DailyBudget, Failure, Outcome, SpendingFile, Spent

TODAY = OPENING.date()
DOLLAR = Spent(Decimal(1), 100)
LIMIT = Spent(Decimal("2.5"), 1_000)
OPUS = "anthropic:claude-opus-5-5"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "not" / "yet" / "spending.sqlite"


def spender(place: Path, *words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.tools.llm.spending_until_refused", str(place), *words]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def counted(place: Path) -> Spent:
    with SpendingFile.open(place) as file:
        return file.counted(TODAY)


def test_what_was_spent_and_what_is_held_outlive_the_process(place: Path) -> None:
    with SpendingFile.open(place) as file:
        first = file.hold(TODAY, DOLLAR, LIMIT)
        assert first is not None
        file.settle(first, TODAY, Spent(Decimal("0.123456789"), 7))
        assert file.hold(TODAY, DOLLAR, LIMIT) is not None
    with SpendingFile.open(place) as file:
        assert file.spent(TODAY) == Spent(Decimal("0.123456789"), 7)
        assert file.counted(TODAY) == Spent(Decimal("1.123456789"), 107)
        assert file.hold(TODAY, DOLLAR, LIMIT) is not None
        assert file.hold(TODAY, DOLLAR, LIMIT) is None


def test_another_day_begins_with_nothing_and_leaves_the_first_as_it_was(place: Path) -> None:
    clock = HandClock()
    with SpendingFile.open(place) as file:
        assert DailyBudget(BudgetLimits(usd_per_day=1.0), clock, file).hold(DOLLAR)
    clock.seconds = 15 * 3600.0  # 05:30 UTC, 00:30 in New York
    with SpendingFile.open(place) as file:
        later = DailyBudget(BudgetLimits(usd_per_day=1.0), clock, file)
        assert later.hold(DOLLAR)
        assert later.hold(DOLLAR) is None
        assert file.counted(TODAY) == file.counted(date(2026, 11, 10)) == DOLLAR


def test_processes_at_once_share_one_budget(place: Path) -> None:
    with spender(place) as one, spender(place) as other:
        both = one, other
        for process in both:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        for process in both:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        granted = [int(process.communicate()[0]) for process in both]
    assert sum(granted) == 100
    assert counted(place) == Spent(Decimal("1.00"), 100)


def test_a_call_in_which_the_process_was_killed_counts_in_full(place: Path) -> None:
    with spender(place, "and", "hang") as process:
        assert process.stdout
        assert process.stdout.readline() == "asked\n"
        process.kill()
    held = counted(place)
    assert held.tokens > 8_192  # all that the answer could have been
    assert held.usd > Decimal("0.1")
    with SpendingFile.open(place) as file:
        assert file.spent(TODAY) == Spent()
        assert file.hold(TODAY, Spent(LIMIT.usd - held.usd, 1), Spent(LIMIT.usd, 10**6))
        assert file.hold(TODAY, Spent(Decimal("0.000001")), Spent(LIMIT.usd, 10**6)) is None


def test_a_place_that_cannot_keep_it_is_refused_with_what_to_do(tmp_path: Path) -> None:
    other = tmp_path / "notes"
    other.write_text("these are my notes, and they are longer than the head of a database file\n")
    for place in (other / "spending.sqlite", other, tmp_path):
        with pytest.raises(BadInput, match=re.escape(str(place))) as told:
            SpendingFile.open(place)
        assert "no model is asked" in str(told.value)
        assert "spending.file" in str(told.value)
    foreign = tmp_path / "foreign.sqlite"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    before = foreign.read_bytes()
    with pytest.raises(BadInput, match="another kind of file"):
        SpendingFile.open(foreign)
    assert foreign.read_bytes() == before
    assert other.read_text().startswith("these are my notes")


def breaks(place: Path, action: str) -> None:
    """From now on the file fails at this action, as a full disk would make it."""
    with sqlite3.connect(place) as connection:
        connection.execute(
            f"CREATE TRIGGER full BEFORE {action} ON holds "
            "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    connection.close()


def test_a_hold_that_cannot_be_kept_is_a_failure_and_nothing_is_sent(place: Path) -> None:
    model, clients = scripted({OPUS: [says()]})
    with SpendingFile.open(place) as file:
        breaks(place, "INSERT")
        day = DailyBudget(BudgetLimits(), HandClock(), file)
        found = model.ask(PROMPT, View, 30.0, day)
    assert isinstance(found, Failure)
    assert found.kind is Outcome.BUDGET
    assert "spending.sqlite cannot keep what models cost: the disk is full" in found.message
    assert clients[OPUS].sent == []


def test_a_cost_that_cannot_be_kept_leaves_the_answer_and_the_hold(place: Path) -> None:
    model, _ = scripted({OPUS: [says()]})
    with SpendingFile.open(place) as file:
        breaks(place, "DELETE")
        found = model.ask(PROMPT, View, 30.0, DailyBudget(BudgetLimits(), HandClock(), file))
        assert not isinstance(found, Failure)
        assert file.spent(TODAY) == Spent()
        assert file.counted(TODAY).tokens > 8_192
