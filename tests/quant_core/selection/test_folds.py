"""Folds in time: what is trained on never touches what is tested on."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quant_core.selection import Fold, cross_validation, out_of_sample, walk_forward

counts = st.integers(1, 400)
folds = st.integers(1, 12)
gaps = st.integers(0, 6)


def made(build, *numbers):
    try:
        return build(*numbers)
    except ValueError as error:
        assert "no session to" in str(error) or "folds is" in str(error)  # noqa: PT017
        return None


def test_twelve_sessions_by_hand():
    found = walk_forward(12, folds=3, window=3)
    assert [(fold.train.tolist(), fold.test.tolist()) for fold in found] == [
        ([0, 1, 2, 3, 4, 5], [6, 7]),
        ([2, 3, 4, 5, 6, 7], [8, 9]),
        ([4, 5, 6, 7, 8, 9], [10, 11]),
    ]
    gapped = walk_forward(12, folds=3, purge=1, embargo=2, window=3)
    assert gapped[0].train.tolist() == [0, 1, 2]
    assert gapped[0].test.tolist() == [6, 7]


def test_cross_validation_by_hand():
    found = cross_validation(9, folds=3, purge=1, embargo=1)
    assert [fold.test.tolist() for fold in found] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert [fold.train.tolist() for fold in found] == [[5, 6, 7, 8], [0, 1, 8], [0, 1, 2, 3, 4]]


@given(counts, folds, gaps, gaps, st.integers(1, 5))
def test_training_ends_before_the_gap_and_tests_follow_one_another(
    sessions, number, purge, embargo, window
):
    found = made(walk_forward, sessions, number, purge, embargo, window)
    assume(found is not None)
    for fold in found:
        assert fold.train[-1] < fold.test[0] - purge - embargo
        assert fold.train[0] >= 0
    tests = np.concatenate([fold.test for fold in found])
    assert tests.tolist() == list(range(tests[0], sessions))


@given(counts, st.integers(2, 12), gaps, gaps)
def test_cross_validation_tests_everything_once_and_keeps_its_distance(
    sessions, number, purge, embargo
):
    found = made(cross_validation, sessions, number, purge, embargo)
    assume(found is not None)
    assert np.concatenate([fold.test for fold in found]).tolist() == list(range(sessions))
    for fold in found:
        touched = range(fold.test[0] - purge, fold.test[-1] + purge + embargo + 1)
        assert not set(touched) & set(fold.train.tolist())
        rest = set(range(sessions)) - set(touched)
        assert rest == set(fold.train.tolist())


@pytest.mark.parametrize(
    ("build", "numbers", "words"),
    [
        (walk_forward, (3, 3), "fold 2 of 3 has no session to test on"),
        (walk_forward, (12, 3, 4, 2), "no session to train on.*purge 4, embargo 2"),
        (walk_forward, (0, 1), "no session to"),
        (walk_forward, (12, 0), "folds is 0"),
        (walk_forward, (12, 2, -1), "purge is -1"),
        (walk_forward, (12, 2, 0, 0, 0), "window is 0"),
        (cross_validation, (3, 5), "no session to"),
        (cross_validation, (9, 1), "folds is 1"),
        (cross_validation, (9, 3, 5), "no session to train on"),
        (cross_validation, (9, 3, 0, -2), "embargo is -2"),
    ],
)
def test_a_fold_without_sessions_is_an_error_that_says_so(build, numbers, words):
    with pytest.raises(ValueError, match=words):
        build(*numbers)


def test_the_best_of_the_training_is_held_over_the_test():
    matrix = np.zeros((12, 2))
    matrix[:, 0] = np.tile([0.01, 0.02], 6)
    matrix[:, 1] = np.tile([0.03, 0.01], 6)
    matrix[6:, 1] = -np.tile([0.03, 0.01], 3)
    found = out_of_sample(matrix, walk_forward(12, folds=3))
    # In the first two windows A has the Sharpe ratio of means 0.015 against 0.02 and deviations
    # 0.5 against 1 (times the same): A is best; B's collapse keeps it so.
    assert found.chosen.tolist() == [0, 0, 0]
    np.testing.assert_array_equal(found.returns, matrix[6:, 0])
    assert found.sessions.tolist() == list(range(6, 12))
    assert np.all(found.in_sample > 0)


def test_what_was_good_once_is_held_until_it_is_seen_to_fail():
    good, bad = [0.02, 0.03], [-0.03, -0.02]
    matrix = np.array([good * 3 + bad * 3, bad * 3 + good * 3]).T
    found = out_of_sample(matrix, walk_forward(12, folds=3, window=1))
    assert found.chosen.tolist() == [0, 0, 1]
    assert found.out_of_sample[1] < 0 < found.out_of_sample[0]


def test_nothing_is_held_where_nothing_had_traded():
    matrix = np.zeros((12, 3))
    matrix[10:, 1] = 0.01
    found = out_of_sample(matrix, walk_forward(12, folds=3))
    assert found.chosen.tolist() == [-1, -1, -1]
    assert np.all(found.returns == 0.0)
    assert np.all(np.isnan(found.in_sample))


def test_the_test_sessions_do_not_influence_the_choice():
    random = np.random.Generator(np.random.PCG64(0))
    matrix = random.normal(0.0, 0.01, (60, 8))
    fold = walk_forward(60, folds=1)
    before = out_of_sample(matrix, fold).chosen
    matrix[fold[0].test] = random.normal(0.0, 1.0, (len(fold[0].test), 8))
    assert out_of_sample(matrix, fold).chosen == before


def test_unusable_folds_are_refused():
    matrix = np.zeros((4, 2))
    with pytest.raises(ValueError, match="no fold"):
        out_of_sample(matrix, [])
    with pytest.raises(ValueError, match="session 7 of 4"):
        out_of_sample(matrix, [Fold(np.array([0, 1]), np.array([7]))])
    with pytest.raises(ValueError, match="no session to test on"):
        out_of_sample(matrix, [Fold(np.array([0, 1]), np.array([], dtype=np.int64))])
