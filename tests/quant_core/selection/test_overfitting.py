"""Probability of overfitting: by hand, by brute force, and where the answer is known."""

import math
from itertools import combinations, pairwise

import numpy as np
import pytest

from quant_core.performance import sharpe
from quant_core.selection import overfitting_probability


def noise(seed, sessions, columns):
    return np.random.Generator(np.random.PCG64(seed)).normal(0.0, 0.01, (sessions, columns))


def by_brute_force(matrix, blocks):
    """Every half by name, every Sharpe ratio on its own: the paper's steps as they are written."""
    edges = np.linspace(0, len(matrix), blocks + 1).astype(int)
    parts = [matrix[a:b] for a, b in pairwise(edges)]
    found = []
    for chosen in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[k] for k in chosen])
        outside = np.concatenate([parts[k] for k in range(blocks) if k not in chosen])
        ratios = [sharpe(column) for column in inside.T]
        others = [sharpe(column) for column in outside.T]
        best = int(np.argmax(ratios))
        rank = 1 + sum(other < others[best] for other in others)
        relative = rank / (len(others) + 1)
        found.append((math.log(relative / (1 - relative)), ratios[best], others[best]))
    return sorted(found)


def test_two_blocks_by_hand():
    """A is best first and worst later, B the reverse, C in the middle: both choices fail."""
    up, flat, down = [0.02, 0.04], [0.01, -0.01], [-0.02, -0.04]
    matrix = np.array([up + down, down + up, flat + flat]).T
    found = overfitting_probability(matrix, blocks=2)
    # Each winner ranks 1 of 3 in the other half: relative rank 1/4, logit ln(1/3).
    np.testing.assert_allclose(found.logits, np.log([1 / 3, 1 / 3]))
    assert found.probability == 1.0
    assert found.probability_of_loss == 1.0
    # mean 0.03, deviation (ddof 1) 0.01·√2, √252 to the year
    ratio = 3.0 / math.sqrt(2.0) * math.sqrt(252.0)
    np.testing.assert_allclose(found.in_sample, [ratio, ratio])
    np.testing.assert_allclose(found.out_of_sample, [-ratio, -ratio])
    assert math.isnan(found.slope)


@pytest.mark.parametrize(("sessions", "columns", "blocks"), [(24, 7, 4), (61, 12, 6), (50, 2, 8)])
def test_equals_brute_force(sessions, columns, blocks):
    matrix = noise(sessions, sessions, columns) + 0.002
    found = overfitting_probability(matrix, blocks)
    ours = sorted(
        zip(
            found.logits.tolist(),
            found.in_sample.tolist(),
            found.out_of_sample.tolist(),
            strict=True,
        )
    )
    np.testing.assert_allclose(ours, by_brute_force(matrix, blocks), rtol=1e-9, atol=1e-9)
    slope, intercept = np.polyfit(found.in_sample, found.out_of_sample, 1)
    assert found.slope == pytest.approx(slope)
    assert found.intercept == pytest.approx(intercept)
    assert found.explained == pytest.approx(
        np.corrcoef(found.in_sample, found.out_of_sample)[0, 1] ** 2
    )
    assert found.splits == math.comb(blocks, blocks // 2)


def test_noise_is_overfitted_about_half_of_the_time():
    shares = [overfitting_probability(noise(seed, 128, 30), 8).probability for seed in range(40)]
    assert 0.4 < np.mean(shares) < 0.65


def test_one_true_edge_is_found_in_every_half():
    matrix = noise(1, 320, 50)
    matrix[:, 17] += 0.01
    found = overfitting_probability(matrix)
    assert found.probability == 0.0
    assert found.probability_of_loss == 0.0
    assert found.splits == 12_870


def test_many_combinations_are_worked_in_pieces():
    matrix = noise(2, 40, 3000)
    whole = overfitting_probability(matrix, 10)
    few = overfitting_probability(matrix[:, :3], 10)
    assert whole.splits == few.splits == 252
    assert np.all(np.isfinite(whole.logits))


def test_what_never_traded_is_neither_good_nor_bad():
    matrix = np.c_[np.zeros(16), noise(3, 16, 1)]
    matrix[8:, 1] = 0.0
    found = overfitting_probability(matrix, 2)
    assert np.all(np.isfinite(found.logits))
    assert 0.0 in found.out_of_sample


def test_equal_combinations_share_their_rank():
    matrix = np.repeat(noise(4, 32, 1), 5, axis=1)
    found = overfitting_probability(matrix, 4)
    np.testing.assert_allclose(found.logits, 0.0, atol=1e-12)


def test_scale_and_order_of_combinations_do_not_matter():
    matrix = noise(5, 64, 9)
    found = overfitting_probability(matrix, 8)
    np.testing.assert_allclose(
        np.sort(overfitting_probability(3.0 * matrix[:, ::-1], 8).logits), np.sort(found.logits)
    )


@pytest.mark.parametrize(
    ("shape", "blocks", "words"),
    [
        ((40, 1), 4, "1 combination"),
        ((40, 3), 5, "blocks is 5"),
        ((40, 3), 0, "blocks is 0"),
        ((7, 3), 4, "7 sessions make no 4 blocks"),
    ],
)
def test_unusable_questions_are_refused(shape, blocks, words):
    with pytest.raises(ValueError, match=words):
        overfitting_probability(noise(0, *shape), blocks)


def test_unknown_returns_are_refused():
    matrix = noise(0, 40, 3)
    matrix[5, 1] = np.nan
    with pytest.raises(ValueError, match="position 5"):
        overfitting_probability(matrix, 4)
