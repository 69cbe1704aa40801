"""Model drift: hand-worked examples."""

from datetime import date, timedelta

import pytest

from quant_core.drift import Drift, drift

TODAY = date(2025, 3, 12)
RULES = {"fall_percent": 20.0, "sessions": 20, "least_answers": 3}


def before(*medians: float) -> list[tuple[date, float]]:
    """A session for each, the last one yesterday, with answers around a median."""
    days = [TODAY - timedelta(days=len(medians) - i) for i in range(len(medians))]
    return [(day, m + off) for day, m in zip(days, medians, strict=True) for off in (-5, 0, 5)]


def today(*confidences: float) -> list[tuple[date, float]]:
    return [(TODAY, one) for one in confidences]


def test_a_fall_of_more_than_a_fifth_is_drift():
    assert drift(before(*[60] * 5) + today(47, 47, 90), TODAY, **RULES) == Drift(47, 60, 5)


def test_a_fall_of_exactly_a_fifth_is_none():
    assert drift(before(*[60] * 5) + today(48, 48, 48), TODAY, **RULES) is None


@pytest.mark.parametrize(
    "answers",
    [[], today(1, 1, 1), before(*[60] * 4) + today(1, 1, 1), before(*[60] * 9) + today(1, 1)],
)
def test_too_little_says_nothing(answers):
    assert drift(answers, TODAY, **RULES) is None


def test_only_the_last_sessions_count():
    known = before(*[90] * 30, *[50] * 20)
    assert drift(known + today(45, 45, 45), TODAY, **RULES) is None
    assert drift(known + today(39, 39, 39), TODAY, **RULES) == Drift(39, 50, 20)


def test_tomorrow_is_not_looked_at():
    known = before(*[60] * 5) + today(47, 47, 47)
    later = [(TODAY + timedelta(days=1), 1000.0)] * 9
    assert drift(known + later, TODAY, **RULES) == drift(known, TODAY, **RULES)
