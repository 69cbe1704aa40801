"""The spending of a day: one count for all processes, from which nothing is ever forgotten.

The same on a file and in a database; what is one's alone is in `test_spending_{file,table}`.
"""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from tests.tools.llm.spending_until_refused import opened
from tests.tools.llm.worlds import OPENING, PROMPT, HandClock, View, says, scripted
from tools.llm import BudgetLimits, DailyBudget, Failure, Outcome, Spending, Spent

TODAY = OPENING.date()
DOLLAR = Spent(Decimal(1), 100)
LIMIT = Spent(Decimal("2.5"), 1_000)
OPUS = "anthropic:claude-opus-5-5"


@pytest.fixture(params=["file", "table"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where nothing was ever counted."""
    if request.param == "file":
        return str(tmp_path / "not" / "yet" / "spending.sqlite")
    return str(request.getfixturevalue("database"))


@contextmanager
def count(place: str) -> Iterator[Spending]:
    with closing(opened(place)) as spending:
        yield spending


def spender(place: str, *words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.tools.llm.spending_until_refused", place, *words]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def counted(place: str) -> Spent:
    with count(place) as spending:
        return spending.counted(TODAY)


def test_what_was_spent_and_what_is_held_outlive_the_process(place: str) -> None:
    assert counted(place) == Spent()
    with count(place) as spending:
        assert spending.spent(TODAY) == Spent()
        first = spending.hold(TODAY, DOLLAR, LIMIT)
        assert first is not None
        spending.settle(first, TODAY, Spent(Decimal("0.123456789"), 7))
        assert spending.hold(TODAY, DOLLAR, LIMIT) is not None
    with count(place) as spending:
        assert spending.spent(TODAY) == Spent(Decimal("0.123456789"), 7)
        assert spending.counted(TODAY) == Spent(Decimal("1.123456789"), 107)
        assert spending.hold(TODAY, DOLLAR, LIMIT) is not None
        assert spending.hold(TODAY, DOLLAR, LIMIT) is None


def test_a_limit_is_reached_and_not_passed_in_dollars_and_in_tokens(place: str) -> None:
    cent, token = Decimal("0.01"), Spent(Decimal(0), 1)
    with count(place) as spending:
        for most in (Spent(LIMIT.usd + cent), Spent(Decimal(0), LIMIT.tokens + 1)):
            assert spending.hold(TODAY, most, LIMIT) is None, "the first of a day"
        assert spending.hold(TODAY, Spent(LIMIT.usd, LIMIT.tokens - 1), LIMIT)
        assert spending.hold(TODAY, Spent(cent), LIMIT) is None
        assert spending.hold(TODAY, token, LIMIT)
        assert spending.hold(TODAY, token, LIMIT) is None
        assert spending.hold(TODAY, Spent(), LIMIT), "what costs nothing is always allowed"
        assert spending.counted(TODAY) == LIMIT


def test_another_day_begins_with_nothing_and_leaves_the_first_as_it_was(place: str) -> None:
    clock = HandClock()
    with count(place) as spending:
        assert DailyBudget(BudgetLimits(usd_per_day=1.0), clock, spending).hold(DOLLAR)
    clock.seconds = 15 * 3600.0  # 05:30 UTC, 00:30 in New York
    with count(place) as spending:
        later = DailyBudget(BudgetLimits(usd_per_day=1.0), clock, spending)
        assert later.hold(DOLLAR)
        assert later.hold(DOLLAR) is None
        assert spending.counted(TODAY) == spending.counted(date(2026, 11, 10)) == DOLLAR


def test_processes_at_once_share_one_budget(place: str) -> None:
    """Which none of them has seen before: all of them begin by making it."""
    with spender(place) as one, spender(place) as other, spender(place) as third:
        all_of_them = one, other, third
        for process in all_of_them:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        for process in all_of_them:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        granted = [int(process.communicate()[0]) for process in all_of_them]
    assert sum(granted) == 100
    assert counted(place) == Spent(Decimal("1.00"), 100)


def test_a_call_in_which_the_process_was_killed_counts_in_full(place: str) -> None:
    with spender(place, "and", "hang") as process:
        assert process.stdout
        assert process.stdout.readline() == "asked\n"
        process.kill()
    held = counted(place)
    assert held.tokens > 8_192  # all that the answer could have been
    assert held.usd > Decimal("0.1")
    with count(place) as spending:
        assert spending.spent(TODAY) == Spent()
        assert spending.hold(TODAY, Spent(LIMIT.usd - held.usd, 1), Spent(LIMIT.usd, 10**6))
        assert spending.hold(TODAY, Spent(Decimal("0.000001")), Spent(LIMIT.usd, 10**6)) is None


def breaks(place: str, action: str) -> None:
    """From now on it fails at this action, as a full disk would make it."""
    with count(place) as spending:
        assert spending.hold(TODAY, Spent(), LIMIT)
    if "://" in place:
        with psycopg.connect(place, autocommit=True) as server:
            server.execute(
                "CREATE FUNCTION full_() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE 'the disk is full' USING ERRCODE = '53100'; END $$"
            )
            server.execute(
                f"CREATE TRIGGER full_ BEFORE {action} ON model_holds EXECUTE FUNCTION full_()"
            )
        return
    with closing(sqlite3.connect(place)) as connection:
        connection.execute(
            f"CREATE TRIGGER full BEFORE {action} ON holds "
            "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )


def test_a_hold_that_cannot_be_kept_is_a_failure_and_nothing_is_sent(place: str) -> None:
    model, clients = scripted({OPUS: [says()]})
    breaks(place, "INSERT")
    with count(place) as spending:
        found = model.ask(PROMPT, View, 30.0, DailyBudget(BudgetLimits(), HandClock(), spending))
        assert isinstance(found, Failure)
        assert found.kind is Outcome.BUDGET
        assert "cannot keep what models cost" in found.message
        assert "the disk is full" in found.message
        assert clients[OPUS].sent == []
        assert spending.counted(TODAY) == Spent()


def test_a_cost_that_cannot_be_kept_leaves_the_answer_and_the_hold(place: str) -> None:
    model, _ = scripted({OPUS: [says()]})
    breaks(place, "DELETE")
    with count(place) as spending:
        found = model.ask(PROMPT, View, 30.0, DailyBudget(BudgetLimits(), HandClock(), spending))
        assert not isinstance(found, Failure)
        assert spending.spent(TODAY) == Spent()
        assert spending.counted(TODAY).tokens > 8_192
