"""The paired difference: what it refuses to say, its reproducibility, and that 95 % means 95 %."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_core.bootstrap import paired_difference

# By days: Student's 97.5 % quantile at 1.5·days / block - 1 degrees of freedom (scipy 1.17).
STUDENT_975 = {5: 3.35255, 20: 2.26216, 60: 2.07667, 64: 2.06866, 250: 1.99929}


def generator(seed):
    return np.random.Generator(np.random.PCG64(seed))


def against_nothing(days, seed=0, resamples=1000):
    return paired_difference(days, np.zeros(len(days)), seed, resamples=resamples)


def test_no_sessions_have_no_difference():
    found = against_nothing(np.array([]))
    assert (found.sessions, found.block) == (0, 0)
    for name in ("mean", "total", "low", "high"):
        assert math.isnan(getattr(found, name)), name
    assert found.verdict == "too few sessions to tell"


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_fewer_than_five_sessions_have_a_total_and_no_interval(count):
    found = paired_difference(np.full(count, 130.0), np.full(count, 30.0), 0)
    assert (found.sessions, found.mean, found.total) == (count, 100.0, 100.0 * count)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert found.verdict == "too few sessions to tell"


@pytest.mark.parametrize(
    ("advised", "verdict", "interval"),
    [
        ([50.0] * 5, "positive", (50.0, 50.0)),
        ([-50.0] * 5, "negative", (-50.0, -50.0)),
        ([0.0] * 9, "not distinguishable from zero", (0.0, 0.0)),
    ],
)
def test_days_that_do_not_differ_leave_no_room(advised, verdict, interval):
    found = against_nothing(np.array(advised))
    assert (found.low, found.high) == interval
    assert found.verdict == verdict


def test_the_verdict_is_the_sign_only_when_zero_lies_outside():
    noise = generator(5).normal(0.0, 100.0, 40)
    noise -= noise.mean()
    for shift, verdict in [
        (100.0, "positive"),
        (5.0, "not distinguishable from zero"),
        (-5.0, "not distinguishable from zero"),
        (-100.0, "negative"),
    ]:
        assert against_nothing(noise + shift).verdict == verdict


def test_one_lucky_day_is_not_an_effect():
    assert against_nothing(np.array([0.0] * 19 + [900.0])).verdict == (
        "not distinguishable from zero"
    )


def test_unpaired_or_unknown_days_are_an_error():
    with pytest.raises(ValueError, match="6 daily profits stand against 5"):
        paired_difference(np.zeros(6), np.zeros(5), 0)
    with pytest.raises(ValueError, match="not finite"):
        paired_difference(np.array([1.0, math.nan]), np.zeros(2), 0)


def test_a_seed_is_a_result_and_another_seed_is_nearly_the_same_one():
    days = generator(1).normal(3.0, 40.0, 120)
    first, again = (paired_difference(days, np.zeros(120), 7) for _ in range(2))
    other = paired_difference(days, np.zeros(120), 8)
    assert first == again
    assert first.low != other.low
    assert first.low == pytest.approx(other.low, abs=0.03 * (first.high - first.low))


@pytest.mark.parametrize(("count", "block"), [(5, 2), (20, 3), (60, 4), (64, 4), (250, 6)])
def test_resamples_are_blocks_of_days_in_a_circle(count, block):
    """Against loops over the same draws: gather the days one by one, wrapping at the end."""
    days = generator(count).normal(1.0, 10.0, count)
    blocks, resamples = math.ceil(count / block), 400
    draws = generator(3).integers(0, count, (blocks, resamples))
    means = []
    for begins in draws.T:
        indices = [(begin + step) % count for begin in begins for step in range(block)]
        means.append(np.mean(days[indices[:count]]))
    found = against_nothing(days, seed=3, resamples=resamples)
    assert found.block == block
    low, high = np.quantile(means, [0.025, 0.975])
    mean = days.mean()
    stretch = (found.high - mean) / (high - mean)
    assert found.low == pytest.approx(mean + stretch * (low - mean))
    expected = STUDENT_975[count] / 1.959964 / math.sqrt(1.0 - block / count)
    assert stretch == pytest.approx(expected, rel=3e-3)


@pytest.mark.parametrize("count", [5, 8, 20, 60, 250])
@pytest.mark.parametrize("shape", ["normal", "fat"])
def test_the_interval_covers_the_true_mean_nineteen_times_in_twenty(count, shape):
    """600 samples: the coverage found has a standard error of 0.9 %."""
    draw = generator(count)
    covered = 0
    for seed in range(600):
        days = draw.normal(0, 1, count) if shape == "normal" else draw.standard_t(3, count)
        found = against_nothing(30.0 * days + 4.0, seed)
        covered += found.low <= 4.0 <= found.high
    assert 0.92 <= covered / 600 <= 0.985


def test_blocks_keep_a_dependence_that_single_days_would_lose():
    """Each day takes over half of the one before: drawing single days would cover 74 %."""
    draw, covered = generator(2), 0
    for seed in range(300):
        shocks, days = draw.normal(0, 1, 270), np.zeros(270)
        for i in range(1, 270):
            days[i] = 0.5 * days[i - 1] + shocks[i]
        found = against_nothing(days[20:], seed)
        covered += found.low <= 0.0 <= found.high
    assert covered / 300 >= 0.82


@given(
    st.lists(st.floats(-1000.0, 1000.0), min_size=5, max_size=40),
    st.floats(0.1, 10.0),
    st.floats(-100.0, 100.0),
)
def test_the_interval_moves_and_stretches_with_the_days(days, factor, shift):
    plain = against_nothing(np.array(days), resamples=200)
    moved = against_nothing(factor * np.array(days) + shift, resamples=200)
    assert moved.low == pytest.approx(factor * plain.low + shift, abs=1e-6)
    assert moved.high == pytest.approx(factor * plain.high + shift, abs=1e-6)
    assert plain.total == pytest.approx(plain.mean * len(days), abs=1e-6)
