"""Folds in time: what is chosen on one stretch of sessions is measured on another.

Walk-forward rolls: a training window of constant length, then a gap, then the test, and so on; the
tests join without overlap to one record of what choosing as one goes would have earned.
Cross-validation takes every stretch as the test once and trains on both sides of it. *Purge* is
the number of sessions next to a test whose outcome may reach into it (a label or a position that
spans sessions), *embargo* the number left out besides for what is merely dependent in time:
López de Prado, "Advances in Financial Machine Learning" (2018), chapter 7. A training window that
only precedes its test has one side, so walk-forward leaves out the sum of both before the test.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from quant_core.bars import Floats, Ints
from quant_core.selection.sharpe import refuse_unknown, sharpes

WINDOW = 3
NOTHING = -1


@dataclass(frozen=True, slots=True)
class Fold:
    """Positions of the sessions to choose on and of those to measure on, both ascending."""

    train: Ints
    test: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfSample:
    """The record of choosing the best of each training window and holding it over its test.

    `chosen` (folds,) are columns, -1 where no combination had traded: nothing is held then, and
    the return is 0. `returns` and `sessions` have shape (test sessions,), in time. `in_sample` and
    `out_of_sample` (folds,) are the annualised Sharpe ratios of the chosen one; NaN is undefined.
    """

    chosen: Ints
    returns: Floats
    sessions: Ints
    in_sample: Floats
    out_of_sample: Floats


def walk_forward(
    sessions: int, folds: int, purge: int = 0, embargo: int = 0, window: int = WINDOW
) -> list[Fold]:
    """Rolling folds: test stretches follow one another, each trained on the sessions before it.

    A training window is as long as `window` tests together, less `purge + embargo` sessions that
    are left out before the test. Raises ValueError when a fold would have no sessions.
    """
    _check(folds, purge, embargo, least=1)
    if window < 1:
        raise ValueError(f"window is {window}; it must be at least 1 test long")
    edges = np.linspace(0, sessions, folds + window + 1).astype(np.int64)
    made = []
    for k in range(folds):
        first, last = edges[k + window], edges[k + window + 1]
        train = np.arange(edges[k], max(edges[k], first - purge - embargo))
        made.append(Fold(train, np.arange(first, last)))
    return _with_sessions(made, sessions, purge, embargo)


def cross_validation(sessions: int, folds: int, purge: int = 0, embargo: int = 0) -> list[Fold]:
    """Every stretch is the test once; training is the rest, less what touches the test.

    `purge` sessions are left out on both sides of the test, `embargo` more after it. Raises
    ValueError when a fold would have no sessions.
    """
    _check(folds, purge, embargo, least=2)
    edges = np.linspace(0, sessions, folds + 1).astype(np.int64)
    everything = np.arange(sessions)
    made = []
    for first, last in pairwise(edges):
        before = everything < first - purge
        after = everything >= last + purge + embargo
        made.append(Fold(everything[before | after], np.arange(first, last)))
    return _with_sessions(made, sessions, purge, embargo)


def out_of_sample(matrix: Floats, folds: list[Fold]) -> OutOfSample:
    """Choose the best Sharpe ratio of each fold's training and hold it over the test.

    `matrix` has shape (sessions, combinations). Raises ValueError for no fold, a fold without
    sessions or beyond the matrix, or a return that is not finite.
    """
    if not folds:
        raise ValueError("there is no fold; ask for at least one")
    refuse_unknown(matrix)
    _with_sessions(folds, len(matrix), 0, 0)
    last = max(int(max(fold.train[-1], fold.test[-1])) for fold in folds)
    if last >= len(matrix):
        raise ValueError(f"a fold asks for session {last} of {len(matrix)}")
    chosen, held, inside, outside = [], [], [], []
    for fold in folds:
        ratios = sharpes(matrix[fold.train])
        best = NOTHING if np.all(np.isnan(ratios)) else int(np.nanargmax(ratios))
        returns = matrix[fold.test, best] if best != NOTHING else np.zeros(len(fold.test))
        chosen.append(best)
        held.append(returns)
        inside.append(ratios[best] if best != NOTHING else np.nan)
        outside.append(float(sharpes(returns[:, None])[0]))
    return OutOfSample(
        chosen=np.array(chosen),
        returns=np.concatenate(held),
        sessions=np.concatenate([fold.test for fold in folds]),
        in_sample=np.array(inside),
        out_of_sample=np.array(outside),
    )


def _check(folds: int, purge: int, embargo: int, least: int) -> None:
    if folds < least:
        raise ValueError(f"folds is {folds}; it must be at least {least}")
    for name, value in (("purge", purge), ("embargo", embargo)):
        if value < 0:
            raise ValueError(f"{name} is {value}; it must not be negative")


def _with_sessions(folds: list[Fold], sessions: int, purge: int, embargo: int) -> list[Fold]:
    for number, fold in enumerate(folds, start=1):
        for part, rows in (("train on", fold.train), ("test on", fold.test)):
            if len(rows) == 0:
                raise ValueError(
                    f"fold {number} of {len(folds)} has no session to {part}: there are "
                    f"{sessions} sessions, purge {purge}, embargo {embargo}; ask for fewer folds, "
                    "a smaller gap, or give more sessions"
                )
    return folds
