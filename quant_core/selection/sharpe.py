"""How sure is a Sharpe ratio, and how much of it is owed to having tried often?

Probabilistic Sharpe ratio and minimum track record length: Bailey and López de Prado, "The Sharpe
Ratio Efficient Frontier" (2012). Deflated Sharpe ratio: the same, "The Deflated Sharpe Ratio"
(2014). Skewness and kurtosis are population moments, kurtosis 3 for a normal distribution.

Surprise recorded here: the deviation of the trials' Sharpe ratios is measured across the trials.
Where trials are alike (neighbours on a grid), that deviation is small already, and deflating by an
*effective* number of trials besides would count their likeness twice. `deflated_sharpe` therefore
counts every trial unless it is told otherwise; the effective number is for trials whose deviation
comes from elsewhere, and for people who want both figures.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from quant_core.bars import Floats
from quant_core.performance import ROUNDING, SESSIONS_PER_YEAR, sharpe

_YEAR = math.sqrt(SESSIONS_PER_YEAR)
_NORMAL = NormalDist()
EULER_GAMMA = 0.5772156649015329


@dataclass(frozen=True, slots=True, kw_only=True)
class DeflatedSharpe:
    """A chosen Sharpe ratio held against the best that worthless trials would have shown.

    `probability` that the true Sharpe exceeds `expected_maximum`; `trials` counts those with a
    Sharpe ratio, `effective_trials` is the number that was deflated by, `trial_deviation` their
    deviation (ddof 1). `needed_sessions`: how many sessions would make this Sharpe exceed
    `expected_maximum` with 95 % confidence, inf where it does not exceed it at all.
    """

    probability: float
    sharpe: float
    expected_maximum: float
    trials: int
    effective_trials: float
    trial_deviation: float
    skew: float
    kurtosis: float
    sessions: int
    needed_sessions: float


def probabilistic_sharpe(returns: Floats, benchmark: float = 0.0) -> float:
    """Probability that the true Sharpe ratio exceeds `benchmark`, both annualised.

    `returns` has shape (sessions,). NaN where the Sharpe ratio is undefined (fewer than two
    returns, no variance). Raises ValueError for a return that is not finite.
    """
    refuse_unknown(returns)
    skew, kurtosis = moments(returns)
    return confidence(sharpe(returns) / _YEAR, benchmark / _YEAR, len(returns), skew, kurtosis)


def deflated_sharpe(
    returns: Floats, trial_sharpes: Floats, *, effective: float | None = None
) -> DeflatedSharpe:
    """The probabilistic Sharpe ratio of the chosen returns against the luck of so many trials.

    `returns` (sessions,) are those of the chosen trial, `trial_sharpes` (trials,) the annualised
    Sharpe ratios of all that were tried, the chosen one included. Trials without a Sharpe ratio
    (NaN: they never traded) could not have been chosen and do not count. `effective` replaces
    their number (see `effective_trials` and the module's remark). One trial needs no deflation.
    Raises ValueError when no trial has a Sharpe ratio, or `effective` is below 1.
    """
    refuse_unknown(returns)
    known = trial_sharpes[np.isfinite(trial_sharpes)]
    if len(known) == 0:
        raise ValueError("no trial has a Sharpe ratio; there is nothing to deflate by")
    deviation = float(np.std(known, ddof=1)) if len(known) > 1 else 0.0
    count = float(len(known)) if effective is None else effective
    expected = expected_maximum_sharpe(deviation, count)
    skew, kurtosis = moments(returns)
    return DeflatedSharpe(
        probability=probabilistic_sharpe(returns, expected),
        sharpe=sharpe(returns),
        expected_maximum=expected,
        trials=len(known),
        effective_trials=count,
        trial_deviation=deviation,
        skew=skew,
        kurtosis=kurtosis,
        sessions=len(returns),
        needed_sessions=minimum_track_record(returns, expected),
    )


def expected_maximum_sharpe(deviation: float, trials: float) -> float:
    """The best Sharpe ratio to expect of `trials` worthless ones that deviate by `deviation`.

    deviation · ((1 - γ)·Φ⁻¹(1 - 1/n) + γ·Φ⁻¹(1 - 1/(n·e))), γ Euler's constant, in the unit of
    the deviation; 0 of one trial. Never below 0: between one and two (effective) trials the
    approximation would be. Raises ValueError below one trial.
    """
    if not trials >= 1.0:
        raise ValueError(f"the number of trials is {trials}; it must be at least 1")
    if trials == 1.0:
        return 0.0
    quantile = _NORMAL.inv_cdf
    middle = (1.0 - EULER_GAMMA) * quantile(1.0 - 1.0 / trials)
    return deviation * max(0.0, middle + EULER_GAMMA * quantile(1.0 - 1.0 / (trials * math.e)))


def minimum_track_record(
    returns: Floats, benchmark: float = 0.0, confidence_level: float = 0.95
) -> float:
    """Sessions until this Sharpe ratio exceeds `benchmark` (annualised) at a confidence.

    inf where it does not exceed it; NaN where it is undefined.
    """
    refuse_unknown(returns)
    skew, kurtosis = moments(returns)
    return track_record(
        sharpe(returns) / _YEAR, benchmark / _YEAR, skew, kurtosis, confidence_level
    )


def effective_trials(matrix: Floats) -> float:
    """How many independent trials the columns of returns are worth: ρ̄ + (1 - ρ̄)·n.

    ρ̄ is their mean correlation, taken as 0 where it is negative (Bailey and López de Prado 2014,
    appendix 3). Columns without variance are left out; NaN where none is left. Their pairs need
    not be formed: the variance of the sum of standardised columns holds all correlations.
    """
    deviations = matrix.std(axis=0)
    varied = matrix[:, deviations > ROUNDING]
    count = varied.shape[1]
    if count < 2:
        return float(count) if count else np.nan
    standard = (varied - varied.mean(axis=0)) / varied.std(axis=0)
    total = float(np.mean(standard.sum(axis=1) ** 2))
    mean = max(0.0, (total - count) / (count * (count - 1)))
    return float(mean + (1.0 - mean) * count)


def sharpes(matrix: Floats) -> Floats:
    """Annualised Sharpe ratio of every column, shape (combinations,); NaN where undefined."""
    if len(matrix) < 2:
        return np.full(matrix.shape[1], np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        deviation = matrix.std(axis=0, ddof=1)
        found: Floats = matrix.mean(axis=0) / np.where(deviation < ROUNDING, np.nan, deviation)
    return found * _YEAR


def confidence(
    sharpe: float, benchmark: float, sessions: int, skew: float, kurtosis: float
) -> float:
    """Φ of the distance between two Sharpe ratios per session in standard errors; NaN if unknown.

    (SR - SR*)·√(n - 1) / √(1 - skew·SR + (kurtosis - 1)/4·SR²).
    """
    variance = _variance(sharpe, skew, kurtosis)
    if not variance > 0.0:
        return np.nan
    return _NORMAL.cdf((sharpe - benchmark) * math.sqrt((sessions - 1) / variance))


def track_record(
    sharpe: float, benchmark: float, skew: float, kurtosis: float, confidence_level: float
) -> float:
    """1 + variance · (Φ⁻¹(confidence) / (SR - SR*))², Sharpe ratios per session, in sessions."""
    variance = _variance(sharpe, skew, kurtosis)
    if not variance > 0.0:
        return np.nan
    if sharpe <= benchmark:
        return math.inf
    return 1.0 + variance * (_NORMAL.inv_cdf(confidence_level) / (sharpe - benchmark)) ** 2


def moments(returns: Floats) -> tuple[float, float]:
    """Skewness and kurtosis (3 when normal), population moments; NaN without variance."""
    if len(returns) < 2:
        return np.nan, np.nan
    away = returns - returns.mean()
    variance = float(np.mean(away**2))
    if variance < ROUNDING**2:
        return np.nan, np.nan
    return float(np.mean(away**3)) / variance**1.5, float(np.mean(away**4)) / variance**2


def refuse_unknown(returns: Floats) -> None:
    """ValueError for returns that are not finite, naming the first."""
    unknown = np.flatnonzero(~np.isfinite(returns).all(axis=tuple(range(1, returns.ndim))))
    if len(unknown):
        raise ValueError(
            f"{len(unknown)} of {len(returns)} sessions have a return that is not finite, the "
            f"first at position {unknown[0]}; leave that combination out (its equity was not "
            "positive)"
        )


def _variance(sharpe: float, skew: float, kurtosis: float) -> float:
    """(n - 1) times the variance of the estimate of a Sharpe ratio per session."""
    return 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
