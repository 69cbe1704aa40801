"""Probabilistic and deflated Sharpe ratios: the papers' own figures, hand-worked cases, laws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_core.performance import sharpe
from quant_core.selection import (
    deflated_sharpe,
    effective_trials,
    expected_maximum_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    sharpes,
)
from quant_core.selection.sharpe import confidence, moments, track_record


def noise(seed, sessions, columns, scale=0.01):
    return np.random.Generator(np.random.PCG64(seed)).normal(0.0, scale, (sessions, columns))


@pytest.mark.parametrize(
    ("trials", "skew", "kurtosis", "probability"),
    [(100, -3.0, 10.0, 0.9004), (46, -3.0, 10.0, 0.9505), (88, 0.0, 3.0, 0.9505)],
)
def test_the_example_of_bailey_and_lopez_de_prado_2014(trials, skew, kurtosis, probability):
    """An annual Sharpe of 2.5 over 1,250 days of 250 a year, trials with a variance of 1/2."""
    luck = expected_maximum_sharpe(math.sqrt(0.5 / 250.0), trials)
    found = confidence(2.5 / math.sqrt(250.0), luck, 1250, skew, kurtosis)
    assert found == pytest.approx(probability, abs=5e-5)
    if trials == 100:
        assert luck == pytest.approx(0.1132, abs=5e-5)


@pytest.mark.parametrize(("a_year", "years"), [(252, 2.73), (52, 2.83), (12, 3.24)])
def test_the_track_records_of_bailey_and_lopez_de_prado_2012(a_year, years):
    """How long a normal Sharpe of 2 takes to exceed 1 with 95 % confidence."""
    sessions = track_record(2.0 / math.sqrt(a_year), 1.0 / math.sqrt(a_year), 0.0, 3.0, 0.95)
    assert sessions / a_year == pytest.approx(years, abs=0.005)


def test_moments_by_hand():
    skew, kurtosis = moments(np.array([0.0, 0.0, 0.0, 4.0]))
    # mean 1, deviations -1 -1 -1 3: squares 12/4, cubes 24/4, fourth powers 84/4
    assert skew == pytest.approx(6.0 / 3.0**1.5)
    assert kurtosis == pytest.approx(21.0 / 9.0)


def test_four_sessions_by_hand():
    returns = np.array([0.01, 0.03, 0.01, 0.03])
    # mean 0.02, deviation (ddof 1) 0.02/√3: Sharpe √3 a session; symmetric, kurtosis 1
    assert probabilistic_sharpe(returns) == pytest.approx(0.5 * (1 + math.erf(3.0 / math.sqrt(2))))
    assert probabilistic_sharpe(returns, sharpe(returns)) == pytest.approx(0.5)


def test_one_trial_needs_no_deflation():
    returns = noise(3, 250, 1)[:, 0] + 0.001
    found = deflated_sharpe(returns, np.array([sharpe(returns)]))
    assert found.expected_maximum == 0.0
    assert found.probability == probabilistic_sharpe(returns)
    assert found.trials == 1


def test_trials_without_a_sharpe_ratio_do_not_count():
    returns = noise(3, 250, 1)[:, 0] + 0.001
    some = deflated_sharpe(returns, np.array([1.0, 2.0, 0.5]))
    more = deflated_sharpe(returns, np.array([1.0, np.nan, 2.0, 0.5, np.nan]))
    assert some == more
    assert some.trials == 3


def test_more_trials_and_a_wider_field_deflate_more():
    returns = noise(3, 250, 1)[:, 0] + 0.001
    few, many = np.array([0.0, 1.0]), np.tile([0.0, 1.0], 50)
    assert deflated_sharpe(returns, many).probability < deflated_sharpe(returns, few).probability
    wide = deflated_sharpe(returns, 3.0 * many)
    assert wide.probability < deflated_sharpe(returns, many).probability
    eased = deflated_sharpe(returns, many, effective=2.0)
    assert eased.probability > deflated_sharpe(returns, many).probability
    assert eased.effective_trials == 2.0


@pytest.mark.parametrize(
    "returns", [[], [0.01], [0.0, 0.0, 0.0], [0.01, 0.01, 0.01]], ids=["none", "one", "0", "flat"]
)
def test_what_has_no_sharpe_ratio_has_no_probability(returns):
    values = np.array(returns)
    assert math.isnan(probabilistic_sharpe(values))
    assert math.isnan(minimum_track_record(values))
    assert math.isnan(deflated_sharpe(values, np.array([1.0, 2.0])).probability)


def test_a_sharpe_below_the_benchmark_never_exceeds_it():
    returns = noise(4, 100, 1)[:, 0]
    assert minimum_track_record(returns, sharpe(returns)) == math.inf
    assert minimum_track_record(returns, sharpe(returns) - 5.0) < math.inf


def test_the_track_record_is_where_the_confidence_is_reached():
    returns = noise(5, 400, 1)[:, 0] + 0.001
    needed = minimum_track_record(returns, 0.5)
    skew, kurtosis = moments(returns)
    ratio = sharpe(returns) / math.sqrt(252)
    assert confidence(ratio, 0.5 / math.sqrt(252), needed, skew, kurtosis) == pytest.approx(0.95)


def test_unknown_returns_are_refused_by_place():
    with pytest.raises(ValueError, match=r"1 of 3 sessions.*position 1"):
        probabilistic_sharpe(np.array([0.01, np.nan, 0.02]))
    with pytest.raises(ValueError, match="no trial has a Sharpe ratio"):
        deflated_sharpe(np.array([0.01, 0.02]), np.array([np.nan]))
    with pytest.raises(ValueError, match=r"number of trials is 0\.5"):
        expected_maximum_sharpe(1.0, 0.5)


@given(st.floats(1.0, 1e6), st.floats(0.0, 10.0))
def test_expected_luck_is_never_negative_and_grows_with_the_trials(trials, deviation):
    luck = expected_maximum_sharpe(deviation, trials)
    assert luck >= 0.0
    assert expected_maximum_sharpe(deviation, 2.0 * trials) >= luck


def test_expected_luck_is_what_worthless_trials_show():
    draws = noise(6, 20_000, 50, scale=1.0).max(axis=1)
    assert expected_maximum_sharpe(1.0, 50) == pytest.approx(draws.mean(), abs=0.03)


def test_effective_trials_between_one_and_all():
    columns = noise(7, 5000, 10)
    assert effective_trials(columns) == pytest.approx(10.0, abs=0.2)
    assert effective_trials(np.repeat(columns[:, :1], 10, axis=1)) == pytest.approx(1.0)
    common = columns[:, :1] + columns[:, 1:]
    corner = np.corrcoef(common.T)
    mean = (corner.sum() - 9) / 72
    assert effective_trials(common) == pytest.approx(mean + (1 - mean) * 9)
    idle = np.c_[columns, np.zeros(5000)]
    assert effective_trials(idle) == effective_trials(columns)
    assert math.isnan(effective_trials(np.zeros((10, 3))))
    assert effective_trials(columns[:, :1]) == 1.0


def test_columns_are_measured_as_one_by_one():
    columns = np.c_[noise(8, 60, 4), np.zeros(60), np.full(60, 0.01)]
    one_by_one = [sharpe(columns[:, k]) for k in range(6)]
    np.testing.assert_allclose(sharpes(columns), one_by_one, rtol=1e-12)
    assert np.all(np.isnan(sharpes(columns[:1])))
