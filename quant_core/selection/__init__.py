"""Choosing among many tries without fooling oneself: how much of the best result is luck.

`sharpe` asks what the best of so many worthless tries would have shown, `overfitting` whether
being best in one half of the sessions means anything in the other, `folds` what choosing as one
goes would have earned, and `verdict` says in words what all of it allows one to say.

Everywhere: a matrix of returns has shape (sessions, combinations), one daily return a session and
combination on that session's opening equity; Sharpe ratios are annualised as in
`quant_core.performance` (√252, ddof 1, risk-free rate 0). Undefined is NaN, never 0.
"""

from quant_core.selection.folds import (
    Fold,
    OutOfSample,
    cross_validation,
    out_of_sample,
    walk_forward,
)
from quant_core.selection.overfitting import Overfitting, overfitting_probability
from quant_core.selection.sharpe import (
    DeflatedSharpe,
    deflated_sharpe,
    effective_trials,
    expected_maximum_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    sharpes,
)
from quant_core.selection.verdict import Evidence, Verdict, judge

__all__ = [
    "DeflatedSharpe",
    "Evidence",
    "Fold",
    "OutOfSample",
    "Overfitting",
    "Verdict",
    "cross_validation",
    "deflated_sharpe",
    "effective_trials",
    "expected_maximum_sharpe",
    "judge",
    "minimum_track_record",
    "out_of_sample",
    "overfitting_probability",
    "probabilistic_sharpe",
    "sharpes",
    "walk_forward",
]
