"""How good were stated probabilities? Scores, skill and reliability, each defined once, here.

A forecast is a probability in [0, 1], its outcome 0 or 1. Lower Brier and log scores are better.
The reference is the base rate: the forecast of somebody who knows how often the event happened and
nothing else. It is measured on the same sample, so it is a little better than anyone could have
been, and skill against it is understated. Undefined is NaN and never 0: every score of no
forecast, and the skill where the event always or never happened.

    Brier score   mean (p - o)²                      (Brier 1950)
    log score     mean -ln(p of what happened)       (Good 1952), infinite after a certain error
    skill         1 - score / score of the base rate
    Murphy 1973   Brier = reliability - resolution + uncertainty, up to the width of the bins
    calibration   Spiegelhalter's z (1986), normal with deviation 1 when the forecasts are honest
"""

import math
from dataclasses import dataclass

import numpy as np

from quant_core.arrays import Floats

BINS = 10
Z_975 = 1.959963984540054
# Below this many forecasts the normal law of Spiegelhalter's z is not to be trusted.
LEAST_TO_JUDGE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Forecasts in [low, high) (the last one closed): how many, their mean, and what happened.

    `least` and `most` are the 95 % interval of the observed frequency (Wilson 1927).
    """

    low: float
    high: float
    count: int
    forecast: float
    observed: float
    least: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """The scores of a set of forecasts. `certain_errors` counts forecasts of 0 or 1 that failed."""

    count: int
    base_rate: float
    mean_forecast: float
    brier: float
    brier_of_base_rate: float
    brier_skill: float
    log_score: float
    log_of_base_rate: float
    log_skill: float
    certain_errors: int
    reliability: float
    resolution: float
    uncertainty: float
    calibration_z: float
    bins: tuple[Bin, ...]

    @property
    def calibration(self) -> str:
        """The verdict on calibration, claiming no more than the sample allows."""
        if self.count < LEAST_TO_JUDGE or math.isnan(self.calibration_z):
            return "too few forecasts to tell"
        if abs(self.calibration_z) <= Z_975:
            return "not distinguishable from calibrated"
        return "not calibrated"


def score(forecasts: Floats, outcomes: Floats, bins: int = BINS) -> Scores:
    """Score probabilities (forecasts,) against outcomes (forecasts,) of 0 or 1.

    Raises ValueError when they do not pair, or are not probabilities and outcomes.
    """
    _check(forecasts, outcomes)
    if len(forecasts) == 0:
        return _of_nothing(bins)
    base = float(np.mean(outcomes))
    table = reliability_table(forecasts, outcomes, bins)
    filled = [one for one in table if one.count]
    weights = np.array([one.count for one in filled]) / len(forecasts)
    stated = np.array([one.forecast for one in filled])
    seen = np.array([one.observed for one in filled])
    brier, brier_base = brier_score(forecasts, outcomes), base * (1.0 - base)
    log, log_base = (
        log_score(forecasts, outcomes),
        log_score(np.full(len(outcomes), base), outcomes),
    )
    return Scores(
        count=len(forecasts),
        base_rate=base,
        mean_forecast=float(np.mean(forecasts)),
        brier=brier,
        brier_of_base_rate=brier_base,
        brier_skill=_skill(brier, brier_base),
        log_score=log,
        log_of_base_rate=log_base,
        log_skill=_skill(log, log_base),
        certain_errors=int(np.sum(np.abs(forecasts - outcomes) == 1.0)),
        reliability=float(np.sum(weights * (stated - seen) ** 2)),
        resolution=float(np.sum(weights * (seen - base) ** 2)),
        uncertainty=brier_base,
        calibration_z=_spiegelhalter(forecasts, outcomes),
        bins=table,
    )


def brier_score(forecasts: Floats, outcomes: Floats) -> float:
    """Mean squared error of probabilities; NaN of none."""
    return float(np.mean((forecasts - outcomes) ** 2)) if len(forecasts) else math.nan


def log_score(forecasts: Floats, outcomes: Floats) -> float:
    """Mean of -ln of the probability given to what happened; NaN of none."""
    if len(forecasts) == 0:
        return math.nan
    given = np.where(outcomes == 1.0, forecasts, 1.0 - forecasts)
    with np.errstate(divide="ignore"):
        # + 0.0: a perfect forecast scores 0, not -0.
        return float(np.mean(-np.log(given))) + 0.0


def reliability_table(forecasts: Floats, outcomes: Floats, bins: int = BINS) -> tuple[Bin, ...]:
    """Forecasts in bins of equal width, each with what happened; empty bins say NaN."""
    # i / bins, not linspace: a forecast of 0.6 must find the edge 0.6 and not 0.6000000000000001.
    edges = np.arange(bins + 1) / bins
    places = np.clip(np.searchsorted(edges, forecasts, side="right") - 1, 0, bins - 1)
    found = []
    for i in range(bins):
        inside = places == i
        count = int(np.count_nonzero(inside))
        happened = int(outcomes[inside].sum())
        least, most = wilson(happened, count)
        found.append(
            Bin(
                low=float(edges[i]),
                high=float(edges[i + 1]),
                count=count,
                forecast=float(np.mean(forecasts[inside])) if count else math.nan,
                observed=happened / count if count else math.nan,
                least=least,
                most=most,
            )
        )
    return tuple(found)


def wilson(happened: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a frequency (Wilson 1927); NaN of nothing."""
    if count == 0:
        return math.nan, math.nan
    z2 = Z_975**2
    middle = (happened + z2 / 2.0) / (count + z2)
    half = Z_975 / (count + z2) * math.sqrt(happened * (count - happened) / count + z2 / 4.0)
    return max(0.0, middle - half), min(1.0, middle + half)


def _spiegelhalter(forecasts: Floats, outcomes: Floats) -> float:
    """Σ (o - p)(1 - 2p) over its deviation; NaN where every forecast is 0, ½ or 1."""
    lean = 1.0 - 2.0 * forecasts
    spread = math.sqrt(float(np.sum(lean**2 * forecasts * (1.0 - forecasts))))
    return float(np.sum((outcomes - forecasts) * lean)) / spread if spread > 0.0 else math.nan


def _skill(score: float, reference: float) -> float:
    return 1.0 - score / reference if reference > 0.0 else math.nan


def _check(forecasts: Floats, outcomes: Floats) -> None:
    if forecasts.shape != outcomes.shape:
        raise ValueError(f"{len(forecasts)} forecasts stand against {len(outcomes)} outcomes")
    if not np.all((forecasts >= 0.0) & (forecasts <= 1.0)):
        raise ValueError("a forecast is not a probability in [0, 1]")
    if not np.all((outcomes == 0.0) | (outcomes == 1.0)):
        raise ValueError("an outcome is neither 0 nor 1")


def _of_nothing(bins: int) -> Scores:
    nothing = np.array([])
    return Scores(
        count=0, base_rate=math.nan, mean_forecast=math.nan, brier=math.nan,
        brier_of_base_rate=math.nan, brier_skill=math.nan, log_score=math.nan,
        log_of_base_rate=math.nan, log_skill=math.nan, certain_errors=0, reliability=math.nan,
        resolution=math.nan, uncertainty=math.nan, calibration_z=math.nan,
        bins=reliability_table(nothing, nothing, bins),
    )  # fmt: skip
