"""The best combination, and what may be said of it.

The objective picks; `quant_core.selection` judges the pick among *all* that were tried, on the
matrix of their daily returns. Costs are the other doubt: the best one is run again with slippage
and fees multiplied.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from advisor.sweep.space import Chosen
from advisor.sweep.work import score_one
from quant_core.backtest import Course
from quant_core.bars import Floats
from quant_core.parameters import FillRules
from quant_core.scores import metrics_of_row
from quant_core.selection.verdict import FOLDS

OBJECTIVES = (
    "sharpe", "sortino", "calmar", "total_return", "profit_factor", "average_r",
    "information_ratio_buy_and_hold", "information_ratio_baseline",
)  # fmt: skip
SEED = 20_250_102
STRESS = (0.0, 1.0, 2.0, 3.0, 5.0)
COMMON_FEE = 0.005
MOST_PLACES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Stress:
    """The same settings under other costs; `times` multiplies slippage and fees."""

    name: str
    fills: FillRules
    metrics: dict[str, float]


def best_of(values: Floats, trades: np.ndarray) -> int | None:
    """The row with the highest defined objective among those that traded; the first of equals."""
    shown = np.where(np.isfinite(values) & (trades > 0), values, -np.inf)
    if len(shown) == 0 or not np.isfinite(shown.max()):
        return None
    return int(np.argmax(shown))


@dataclass(frozen=True, slots=True, kw_only=True)
class Folds:
    """How walk-forward cuts the sessions: how many tests, and what is left out before each."""

    count: int = FOLDS
    purge: int = 0
    embargo: int = 1


AS_JUDGED = Folds()


def judged(
    returns: Floats, best: int | None, trades: np.ndarray, folds: Folds = AS_JUDGED
) -> dict[str, Any]:
    """The verdict on row `best` of daily returns (combinations, sessions), as plain values.

    `trades` (combinations,) is how often each one traded.
    """
    if best is None:
        return {"finding": "cannot be judged", "headline": _nothing(returns, trades),
                "evidence": []}  # fmt: skip
    from quant_core.selection import judge

    found = judge(
        returns.T, best, trades=int(trades[best]), seed=SEED,
        folds=folds.count, purge=folds.purge, embargo=folds.embargo,
    )  # fmt: skip
    return {
        "finding": found.finding,
        "headline": found.headline,
        "evidence": [asdict(one) for one in found.evidence],
    }


def _nothing(returns: Floats, trades: np.ndarray) -> str:
    """Why none could be chosen."""
    if not np.any(trades):
        return "Cannot be judged: no combination made a trade."
    sessions = returns.shape[1]
    if sessions < 2:
        return "Cannot be judged: one session has no ratio; name more with --from and --to."
    return (
        f"Cannot be judged: none of the {len(returns):,} combinations has a defined objective on "
        f"these {sessions:,} sessions."
    )


def walked(
    returns: Floats, numbers: Sequence[int], sessions: Sequence[str], folds: Folds
) -> list[dict[str, Any]]:
    """Each fold of the walk-forward: its dates, the combination chosen, and what that did after.

    `combination` None: nothing had traded yet. Empty where the question cannot be asked (the
    verdict says why). What fell to nothing cannot be chosen, as in the verdict.
    """
    from quant_core.selection.folds import NOTHING, out_of_sample, walk_forward

    usable = np.flatnonzero(np.isfinite(returns).all(axis=1))
    if len(usable) < 2:
        return []
    try:
        made = walk_forward(len(sessions), folds.count, folds.purge, folds.embargo)
    except ValueError:
        return []
    found = out_of_sample(returns[usable].T, made)
    ends = np.cumsum([len(fold.test) for fold in made])
    return [
        {
            "train_from": sessions[fold.train[0]], "train_to": sessions[fold.train[-1]],
            "test_from": sessions[fold.test[0]], "test_to": sessions[fold.test[-1]],
            "combination": None if chosen == NOTHING else numbers[usable[chosen]],
            "in_sample_sharpe": float(inside), "out_of_sample_sharpe": float(outside),
            "test_return": float(np.prod(1.0 + found.returns[end - len(fold.test) : end]) - 1.0),
        }
        for fold, chosen, inside, outside, end in zip(
            made, found.chosen, found.in_sample, found.out_of_sample, ends, strict=True
        )
    ]  # fmt: skip


def costs(fills: FillRules) -> list[tuple[str, FillRules]]:
    """Slippage and fees multiplied, and a common commission where there is no fee."""
    base = fills.slippage_bps or 1.0
    found = [
        (
            f"costs × {times:g}",
            replace(
                fills,
                slippage_bps=min(base * times, 1000.0),
                fee_per_share=min(fills.fee_per_share * times, 100.0),
            ),
        )
        for times in STRESS
    ]
    if fills.fee_per_share == 0.0:
        found.append((f"with ${COMMON_FEE} a share", replace(fills, fee_per_share=COMMON_FEE)))
    return found


def stressed(course: Course, chosen: Chosen, start_equity: float) -> list[Stress]:
    """One combination under each of the `costs`."""
    found = []
    for name, fills in costs(chosen.fills):
        returns, figures = score_one(course, replace(chosen, fills=fills), start_equity)
        metrics = asdict(metrics_of_row(returns, figures))
        found.append(Stress(name=name, fills=fills, metrics=metrics))
    return found


def neighbours(table: Floats, row: int, values: Floats) -> tuple[float, float, int]:
    """How the objective falls off around a row: median and least of its neighbours, and how many.

    A neighbour differs in one value, by one step of the values that were tried.
    """
    steps = [np.unique(table[:, k]) for k in range(table.shape[1])]
    places = np.stack([np.searchsorted(s, table[:, k]) for k, s in enumerate(steps)], axis=1)
    near = np.flatnonzero(np.abs(places - places[row]).sum(axis=1) == 1)
    known = values[near][np.isfinite(values[near])]
    if len(known) == 0:
        return np.nan, np.nan, len(near)
    return float(np.median(known)), float(known.min()), len(near)


def places(values: Floats, most: int = 8) -> tuple[np.ndarray, Floats]:
    """The place of each value among those tried, and where each place begins.

    More than `MOST_PLACES` different values are put into `most` equally wide ranges.
    """
    distinct = np.unique(values)
    if len(distinct) <= MOST_PLACES:
        return np.searchsorted(distinct, values), distinct
    edges = np.linspace(distinct[0], distinct[-1], most + 1)
    return np.clip(np.searchsorted(edges, values, side="right") - 1, 0, most - 1), edges[:-1]


def importance(keys: Sequence[str], table: Floats, values: Floats) -> dict[str, float]:
    """Share of the objective's variance that lies between the places of each key.

    Kelley's ε² (1935), the η² corrected for what chance alone puts between the groups; NaN where
    the objective does not vary or no group has a second member.
    """
    known = np.isfinite(values)
    shown = values[known]
    spread = float(np.sum((shown - shown.mean()) ** 2)) if len(shown) else 0.0
    found = {}
    for k, key in enumerate(keys):
        group, _ = places(table[known, k]) if len(shown) else (np.zeros(0), None)
        names = np.unique(group)
        within = sum(
            float(np.sum((shown[group == g] - shown[group == g].mean()) ** 2)) for g in names
        )
        free = len(shown) - len(names)
        if free < 1 or not spread > 1e-12 * max(1.0, float(np.sum(shown**2))):
            found[key] = float("nan")
            continue
        chance = (len(names) - 1) * within / free
        found[key] = max(0.0, (spread - within - chance) / spread)
    return found
