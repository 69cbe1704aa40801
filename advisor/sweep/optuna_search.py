"""Optuna proposes, the sweep runs: tree-structured Parzen estimation over the axes.

Only this module knows Optuna. A proposal that was tried before is answered from memory, so every
row of a sweep is a new combination; earlier rows of a resumed sweep are told first.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from advisor.sweep.space import Axis
from quant_core.bars import Floats
from tools.errors import BadInput

PATIENCE = 20


class OptunaSearch:
    """Proposals for a table of combinations; `seed` makes a run from the start repeatable."""

    def __init__(self, axes: Sequence[Axis], seed: int) -> None:
        """A study in memory; BadInput without the extra."""
        try:
            import optuna
        except ImportError as error:
            raise BadInput("--method optuna needs the extra: pip install -e '.[sweep]'") from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._optuna = optuna
        self._axes = axes
        self._space = {axis.key: self._distribution(axis) for axis in axes}
        sampler = optuna.samplers.TPESampler(seed=seed)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._known: dict[tuple[float, ...], float] = {}
        self._open: dict[tuple[float, ...], Any] = {}

    def _distribution(self, axis: Axis) -> Any:
        kinds = self._optuna.distributions
        if axis.values:
            return kinds.CategoricalDistribution(axis.values)
        if axis.whole:
            return kinds.IntDistribution(int(np.ceil(axis.low)), int(np.floor(axis.high)))
        return kinds.FloatDistribution(axis.low, axis.high)

    def remember(self, table: Floats, values: Floats) -> None:
        """Tell what an interrupted run had found."""
        for row, value in zip(table.tolist(), values.tolist(), strict=True):
            self._known[tuple(row)] = value
            if np.isfinite(value):
                params = {
                    axis.key: int(cell) if axis.whole and not axis.values else cell
                    for axis, cell in zip(self._axes, row, strict=True)
                }
                self._study.add_trial(
                    self._optuna.trial.create_trial(
                        params=params, distributions=self._space, value=value
                    )
                )

    def propose(self, count: int) -> Floats:
        """Up to `count` combinations that were not tried; none when it finds nothing new."""
        rows: list[tuple[float, ...]] = []
        for _ in range(count * PATIENCE):
            if len(rows) == count:
                break
            trial = self._study.ask(self._space)
            row = tuple(float(trial.params[axis.key]) for axis in self._axes)
            if row in self._open:
                self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
            elif row in self._known:
                self._tell(trial, self._known[row])
            else:
                self._open[row] = trial
                rows.append(row)
        return np.array(rows).reshape(len(rows), len(self._axes))

    def learn(self, table: Floats, values: Floats) -> None:
        """What the proposed combinations achieved; NaN counts as a failed trial."""
        for row, value in zip(table.tolist(), values.tolist(), strict=True):
            self._known[tuple(row)] = value
            self._tell(self._open.pop(tuple(row)), value)

    def _tell(self, trial: Any, value: float) -> None:
        if np.isfinite(value):
            self._study.tell(trial, value)
        else:
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
