"""Is the best of one half of the sessions any good in the other half?

Combinatorially symmetric cross-validation: Bailey, Borwein, López de Prado and Zhu, "The
Probability of Backtest Overfitting" (2017). The sessions are cut into an even number of blocks in
time; each way of taking half of the blocks chooses a best combination there, and its rank among
all combinations in the other half is looked up.

A half is only needed as sums and sums of squares, so all halves are two matrix products of the
selections with the blocks' sums, and the other half is the total minus the one. Memory is bounded
by working through the splits in pieces.
"""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from quant_core.bars import Floats
from quant_core.performance import ROUNDING, SESSIONS_PER_YEAR
from quant_core.selection.sharpe import refuse_unknown

BLOCKS = 16
_NUMBERS_AT_ONCE = 50_000
_ROUNDED = 1e-9  # what sums over halves keep of a Sharpe ratio, and then some


@dataclass(frozen=True, slots=True, kw_only=True)
class Overfitting:
    """What became of the best combination of each half in the other half.

    `probability`: share of splits in which it did no better there than the median combination.
    `logits`, `in_sample`, `out_of_sample` have shape (splits,); Sharpe ratios are annualised.
    `slope` of out-of-sample on in-sample Sharpe (1: kept in full; below 0: the better it looked,
    the worse it went), with the share of variance explained. `probability_of_loss`: share of splits
    in which the best one lost in the other half.
    """

    probability: float
    probability_of_loss: float
    slope: float
    intercept: float
    explained: float
    blocks: int
    logits: Floats
    in_sample: Floats
    out_of_sample: Floats

    @property
    def splits(self) -> int:
        """How many halves there were."""
        return len(self.logits)


def overfitting_probability(matrix: Floats, blocks: int = BLOCKS) -> Overfitting:
    """Probability of backtest overfitting of choosing by Sharpe ratio; shape (sessions, columns).

    Blocks are as equal as the number of sessions allows. In a half in which a combination never
    traded its Sharpe ratio is ranked as 0: it neither won nor lost. Equal combinations share their
    mean rank. Raises ValueError for fewer than two combinations, an odd or unusable number of
    blocks, or a return that is not finite.
    """
    sessions, count = matrix.shape
    if count < 2:
        raise ValueError(
            f"there is {count} combination; overfitting needs at least 2 to choose from"
        )
    if blocks < 2 or blocks % 2:
        raise ValueError(f"blocks is {blocks}; it must be even and at least 2")
    if sessions < 2 * blocks:
        raise ValueError(
            f"{sessions} sessions make no {blocks} blocks of at least 2; use fewer blocks "
            "or more sessions"
        )
    refuse_unknown(matrix)
    edges = np.linspace(0, sessions, blocks + 1).astype(np.int64)
    centre = matrix.mean(axis=0)
    away = matrix - centre
    sums = np.add.reduceat(away, edges[:-1], axis=0)
    squares = np.add.reduceat(away**2, edges[:-1], axis=0)
    halves = _halves(blocks)
    sizes = halves @ np.diff(edges)
    parts = [
        _both_ways(halves[rows], sizes[rows], sessions, sums, squares, centre)
        for rows in _pieces(len(halves), count)
    ]
    best, found, rank = (np.concatenate(column) for column in zip(*parts, strict=True))
    relative = rank / (count + 1.0)
    return _summary(blocks, np.log(relative / (1.0 - relative)), best, found)


def _halves(blocks: int) -> Floats:
    """One of each complementary pair of halves: the selections that hold block 0."""
    rest = combinations(range(1, blocks), blocks // 2 - 1)
    chosen = np.zeros((math.comb(blocks, blocks // 2) // 2, blocks))
    chosen[:, 0] = 1.0
    for row, others in enumerate(rest):
        chosen[row, list(others)] = 1.0
    return chosen


def _pieces(rows: int, columns: int) -> list[slice]:
    step = max(1, _NUMBERS_AT_ONCE // columns)
    return [slice(first, min(first + step, rows)) for first in range(0, rows, step)]


def _both_ways(
    halves: Floats, sizes: Floats, sessions: int, sums: Floats, squares: Floats, centre: Floats
) -> tuple[Floats, Floats, Floats]:
    """Choose in each half and look in the other, both ways: Sharpe chosen, found, and its rank."""
    total, total_squares = halves @ sums, halves @ squares
    one = _sharpe(total, total_squares, sizes, centre)
    other = _sharpe(
        sums.sum(axis=0) - total, squares.sum(axis=0) - total_squares, sessions - sizes, centre
    )
    ways = [_chosen(one, other), _chosen(other, one)]
    best, found, rank = (np.concatenate(column) for column in zip(*ways, strict=True))
    return best, found, rank


def _sharpe(total: Floats, squares: Floats, sizes: Floats, centre: Floats) -> Floats:
    """Annualised Sharpe ratios of halves, from sums about `centre`; (halves, combinations).

    A half without a trade has the deviation that rounding leaves of `centre`: below 1e-7 of it.
    """
    size = sizes[:, None]
    mean = total / size
    variance = np.maximum(squares - total * mean, 0.0) / (size - 1.0)
    deviation = np.sqrt(variance)
    steady = deviation < np.maximum(ROUNDING, 1e-6 * np.abs(centre))
    ratio = (mean + centre) / np.where(steady, 1.0, deviation)
    return np.where(steady, 0.0, ratio) * math.sqrt(SESSIONS_PER_YEAR)


def _chosen(inside: Floats, outside: Floats) -> tuple[Floats, Floats, Floats]:
    rows = np.arange(len(inside))
    winner: NDArray[np.int64] = np.argmax(inside, axis=1)
    found = outside[rows, winner]
    below = np.count_nonzero(outside < found[:, None], axis=1)
    equal = np.count_nonzero(outside == found[:, None], axis=1)
    return inside[rows, winner], found, below + (equal + 1.0) / 2.0


def _summary(blocks: int, logits: Floats, best: Floats, found: Floats) -> Overfitting:
    moves = best - best.mean()
    spread, total = float(np.mean(moves**2)), float(np.var(found))
    varies = spread > (_ROUNDED * float(np.abs(best).max())) ** 2
    slope = float(np.mean(moves * found)) / spread if varies else np.nan
    explained = slope**2 * spread / total if varies and total > 0.0 else np.nan
    return Overfitting(
        probability=float(np.mean(logits <= 0.0)),
        probability_of_loss=float(np.mean(found < 0.0)),
        slope=slope,
        intercept=float(found.mean() - slope * best.mean()),
        explained=explained,
        blocks=blocks,
        logits=logits,
        in_sample=best,
        out_of_sample=found,
    )
