from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from tests.tools.store.examples import CALL
from tools.llm.budget import BudgetLimits, DailyBudget, Spent
from tools.llm.clock import SystemClock
from tools.llm.spending import spent_by_day

CALLED = CALL.call


def test_calls_are_paid_by_the_new_york_day_in_which_they_were_asked() -> None:
    late = replace(CALLED, sequence=2, asked_at=datetime(2026, 1, 6, 4, 59, tzinfo=UTC))
    next_day = replace(CALLED, sequence=3, asked_at=datetime(2026, 1, 6, 5, 0, tzinfo=UTC))
    spent = spent_by_day([CALLED, late, next_day, CALLED])
    assert spent == {
        date(2026, 1, 5): Spent(Decimal("0.0024"), 240),
        date(2026, 1, 6): Spent(Decimal("0.0012"), 120),
    }


def test_a_budget_begins_with_what_was_spent() -> None:
    today = replace(CALLED, asked_at=datetime.now(UTC))
    limits = BudgetLimits(usd_per_day=0.002)
    budget = DailyBudget(limits, SystemClock(), spent_by_day([today]))
    assert budget.hold(Spent(Decimal("0.0009"), 1)) is None
    assert budget.hold(Spent(Decimal("0.0008"), 1)) is not None
