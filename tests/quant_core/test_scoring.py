"""Scores of probabilities: hand-worked values, what is undefined, and what honesty looks like."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_core.scoring import brier_score, log_score, reliability_table, score, wilson

# Four days of rain forecasts, worked by hand.
STATED = np.array([0.9, 0.7, 0.3, 0.6])
RAINED = np.array([1.0, 0.0, 0.0, 1.0])

probabilities = st.lists(
    st.tuples(st.floats(0.0, 1.0), st.booleans()), min_size=1, max_size=40
)  # fmt: skip


def arrays(pairs):
    return np.array([p for p, _ in pairs]), np.array([float(o) for _, o in pairs])


def test_four_forecasts_worked_by_hand():
    found = score(STATED, RAINED)
    assert found.count == 4
    assert found.base_rate == 0.5
    assert found.mean_forecast == pytest.approx(0.625)
    # (0.01 + 0.49 + 0.09 + 0.16) / 4, against 0.5·0.5
    assert found.brier == pytest.approx(0.1875)
    assert found.brier_of_base_rate == pytest.approx(0.25)
    assert found.brier_skill == pytest.approx(0.25)
    # -ln(0.9 · 0.3 · 0.7 · 0.6) / 4, against ln 2
    assert found.log_score == pytest.approx(-math.log(0.1134) / 4)
    assert found.log_of_base_rate == pytest.approx(math.log(2))
    assert found.log_skill == pytest.approx(1 + math.log(0.1134) / 4 / math.log(2))
    # Σ(o-p)(1-2p) = -0.08 + 0.28 - 0.12 - 0.08; Σ(1-2p)²p(1-p) = 0.0576 + 2·0.0336 + 0.0096
    assert found.calibration_z == pytest.approx(0.0 / math.sqrt(0.1344), abs=1e-12)
    assert found.calibration == "too few forecasts to tell"


def test_murphys_parts_of_a_sample_worked_by_hand():
    """Ten of 0.2 with 3 events, ten of 0.8 with 7: reliability 0.01, resolution 0.04."""
    stated = np.repeat([0.2, 0.8], 10)
    happened = np.array([1.0] * 3 + [0.0] * 7 + [1.0] * 7 + [0.0] * 3)
    found = score(stated, happened)
    assert found.reliability == pytest.approx(0.01)
    assert found.resolution == pytest.approx(0.04)
    assert found.uncertainty == pytest.approx(0.25)
    assert found.brier == pytest.approx(0.01 - 0.04 + 0.25)
    assert [(b.count, b.forecast, b.observed) for b in found.bins if b.count] == [
        (10, pytest.approx(0.2), pytest.approx(0.3)),
        (10, pytest.approx(0.8), pytest.approx(0.7)),
    ]


@pytest.mark.parametrize("tenth", range(11))
def test_a_round_forecast_stands_at_the_lower_edge_of_its_bin(tenth):
    table = reliability_table(np.array([tenth / 10]), np.array([1.0]))
    assert [bin.count for bin in table].index(1) == min(tenth, 9)


def test_nothing_has_no_score():
    found = score(np.array([]), np.array([]))
    assert found.count == 0
    for name in ("base_rate", "brier", "brier_skill", "log_score", "reliability", "calibration_z"):
        assert math.isnan(getattr(found, name)), name
    assert len(found.bins) == 10
    assert found.calibration == "too few forecasts to tell"


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_where_the_event_always_or_never_happens_there_is_no_skill_to_have(outcome):
    found = score(np.array([0.6, 0.7]), np.full(2, outcome))
    assert math.isnan(found.brier_skill)
    assert math.isnan(found.log_skill)


def test_a_certain_error_is_infinitely_bad_and_counted():
    found = score(np.array([1.0, 0.5]), np.array([0.0, 1.0]))
    assert found.log_score == math.inf
    assert found.certain_errors == 1
    assert brier_score(np.array([1.0]), np.array([0.0])) == 1.0
    assert log_score(np.array([1.0, 0.0]), np.array([1.0, 0.0])) == 0.0


def test_always_one_half_says_nothing_about_calibration():
    assert math.isnan(score(np.full(50, 0.5), np.tile([0.0, 1.0], 25)).calibration_z)


def test_wilsons_interval_of_a_published_example():
    """Newcombe 1998, table I: 81 of 263 is 0.2553 to 0.3662; 0 of 20 is 0 to 0.1611."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


@pytest.mark.parametrize(
    ("stated", "happened", "words"),
    [
        ([0.5, 0.5], [1.0], "2 forecasts stand against 1"),
        ([1.1], [1.0], "not a probability"),
        ([math.nan], [1.0], "not a probability"),
        ([0.5], [0.5], "neither 0 nor 1"),
    ],
)
def test_what_is_no_forecast_is_refused(stated, happened, words):
    with pytest.raises(ValueError, match=words):
        score(np.array(stated), np.array(happened))


@given(probabilities)
def test_the_base_rate_itself_has_no_skill_and_is_the_best_constant(pairs):
    stated, happened = arrays(pairs)
    found = score(np.full(len(happened), happened.mean()), happened)
    assert found.brier == pytest.approx(found.brier_of_base_rate)
    constant = brier_score(np.full(len(happened), stated[0]), happened)
    assert constant >= found.brier - 1e-12


@given(probabilities)
def test_the_event_and_its_opposite_score_the_same(pairs):
    stated, happened = arrays(pairs)
    one, other = score(stated, happened), score(1.0 - stated, 1.0 - happened)
    assert one.brier == pytest.approx(other.brier)
    assert sum(bin.count for bin in one.bins) == len(pairs)


@pytest.mark.parametrize("seed", range(4))
def test_forecasts_drawn_from_their_own_probabilities_are_calibrated(seed):
    """100 samples a seed: |z| ≤ 1.96 mostly, and so do the intervals of bins hold their mean."""
    draw = np.random.Generator(np.random.PCG64(seed))
    calm, held, bins = 0, 0, 0
    for _ in range(100):
        stated = draw.beta(2.0, 3.0, 200)
        found = score(stated, (draw.random(200) < stated).astype(float))
        calm += found.calibration == "not distinguishable from calibrated"
        for bin in found.bins:
            if bin.count >= 10:
                bins += 1
                held += bin.least <= bin.forecast <= bin.most
    assert 0.88 <= calm / 100 <= 1.0
    assert 0.92 <= held / bins <= 0.98


def test_boasting_is_found_out():
    draw = np.random.Generator(np.random.PCG64(1))
    chance = draw.uniform(0.2, 0.8, 400)
    happened = (draw.random(400) < chance).astype(float)
    honest, boast = score(chance, happened), score(np.where(chance > 0.5, 0.97, 0.03), happened)
    assert honest.brier < boast.brier
    assert boast.calibration == "not calibrated"
    assert boast.reliability > 5 * honest.reliability
