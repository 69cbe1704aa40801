"""Authority: the range it opens, the bound it rests on, and how seldom it is given for nothing."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_core.authority import critical, earned, limited, multiplier_range
from quant_core.types import Multipliers

RULES = {"minimum_sessions": 20, "error_rate": 0.05, "full_at": 0.5}
ASKED = Multipliers(mr_arm=0.5, mr_trigger=0.9, tc_arm=2.0, tc_trigger=1.0)


def generator(seed):
    return np.random.Generator(np.random.PCG64(seed))


@pytest.mark.parametrize(
    ("authority", "expected"),
    [
        (0.0, (1.0, 1.0, 1.0, 1.0)),
        (0.1, (2**-0.1, 2**-0.1, 2**0.1, 1.0)),
        (0.5, (2**-0.5, 0.9, 2**0.5, 1.0)),
        (1.0, (0.5, 0.9, 2.0, 1.0)),
    ],
)
def test_multipliers_reach_as_far_as_the_authority(authority, expected):
    assert limited(ASKED, authority).as_tuple() == expected


@given(st.floats(0.0, 1.0), st.floats(0.5, 2.0))
def test_a_limit_never_turns_or_enlarges_advice(authority, asked):
    low, high = multiplier_range(authority)
    got = limited(Multipliers(mr_arm=asked), authority).mr_arm
    assert low <= got <= high
    assert (got - 1.0) * (asked - 1.0) >= 0.0
    assert abs(math.log(got)) <= abs(math.log(asked))


def test_the_bound_of_a_hand_worked_sample():
    """25 days of 3 and -1 in turn and one of 1: mean 1, deviation 2·√(24/25)·√(25/24) = 2."""
    days = np.array([3.0, -1.0] * 12 + [1.0]) / 100.0
    found = earned(days, **RULES)
    rho_squared = (2 * math.log(20) + math.log(2 * math.log(20)) + 1) / 60
    spread = 25 * rho_squared + 1
    c = math.sqrt(2 * spread / (spread - 1) * math.log(1 + math.sqrt(spread) / 0.1))
    assert critical(25, 0.05) == pytest.approx(c, rel=1e-12)
    assert found.mean == pytest.approx(0.01)
    assert found.bound == pytest.approx(0.01 - 0.02 / 5.0 * c)
    assert (found.value, found.sessions) == (0.0, 25)
    surer = earned(np.tile(days, 3), **RULES)
    deviation = float(np.std(np.tile(days, 3), ddof=1))
    bound = 0.01 - deviation / math.sqrt(75) * critical(75, 0.05)
    assert surer.value == pytest.approx(bound / 0.01 / 0.5)
    assert 0.0 < surer.value < 1.0


@pytest.mark.parametrize("count", [0, 1, 19])
def test_too_few_sessions_have_no_authority_and_say_so(count):
    found = earned(np.full(count, 0.01), **RULES)
    assert (found.value, found.reason) == (0.0, f"{count} of 20 sessions measured")
    assert math.isnan(found.bound)


def test_days_that_never_differ_leave_nothing_to_judge_by():
    assert earned(np.zeros(50), **RULES).value == 0.0
    assert "no variation" in earned(np.full(50, 0.001), **RULES).reason


def test_an_unknown_day_is_an_error():
    with pytest.raises(ValueError, match="not finite"):
        earned(np.array([0.0] * 30 + [math.nan]), **RULES)


def test_authority_has_no_unit():
    days = generator(3).normal(0.6, 1.0, 60)
    value = earned(days, **RULES).value
    assert 0.0 < value < 1.0
    assert earned(1e-4 * days, **RULES).value == pytest.approx(value, rel=1e-12)


def test_a_skilful_adviser_opens_the_range():
    """An advantage of 0.5 deviations a day: wide open within a year, in every one of 50 years."""
    years = generator(4).normal(0.5, 1.0, (50, 250))
    assert min(earned(days, **RULES).value for days in years) > 0.7
    assert all(earned(-days, **RULES).value == 0.0 for days in years)


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["normal", "fat", "seldom"])
def test_advice_without_worth_ever_opens_the_range_in_at_most_one_history_of_twenty(shape):
    """1,000 histories of 250 sessions, looked at after every session; 5 % ± 2 standard errors."""
    draw, ever = generator(5), 0
    for _ in range(1000):
        days = draw.standard_t(3, 250) if shape == "fat" else draw.normal(0.0, 1.0, 250)
        if shape == "seldom":
            days *= draw.random(250) < 0.3
        ever += any(earned(days[:past], **RULES).value > 0.0 for past in range(20, 250))
    assert ever / 1000 <= 0.05 + 2.0 * math.sqrt(0.05 * 0.95 / 1000)
