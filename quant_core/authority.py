"""Authority: how far multipliers may reach, and how an adviser earns that reach.

An authority a in [0, 1] opens the range [2^-a, 2^a]: nothing at 0, [0.5, 2.0] at 1. `limited` is
the one place where it acts, on whoever's multipliers.

`earned` decides it from sessions that are over: the daily differences between a *shadow* lane,
which always takes the advice at full reach and without vetoes, and the baseline. It must be the
shadow: at authority 0 the advised lane is the baseline, and would never earn anything. With n
differences of mean m and sample deviation s,

    bound = m - s/√n · c(n)    c(n)² = 2(nρ² + 1)/(nρ²) · ln(1 + √(nρ² + 1)/(2α))
    a     = min(1, (bound / m) / full_at)   when n ≥ minimum and bound > 0, else 0

`bound` is a one-sided confidence sequence (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024,
the time-uniform central limit theorem): it is looked at before every session, and an ordinary 95 %
bound that is looked at so often finds a skill that is not there sooner or later. This one is wrong
*ever* with probability α. ρ makes it tightest at 60 sessions. `bound / m` is the share of the
measured advantage that the uncertainty leaves (a shrinkage factor): it is free of any unit.

Measured (4,000 histories of 250 sessions, α = 5 %, minimum 20): advice without worth opens the
range in 3.4 % of histories for normal days, 3.0 % for fat tails, and 11 % for days that gain little
often and lose much seldom. An advantage of 0.3 deviations a day has opened it in 48 % of histories
after 60 sessions and 98 % after 250; half of that in 46 % after 250. Skill takes long to show.
"""

import math
from dataclasses import dataclass

import numpy as np

from quant_core.arrays import Floats
from quant_core.types import Multipliers

TIGHTEST_AT = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A share of the full range, and why it is that. NaN where nothing could be measured.

    `mean` and `bound` are the daily difference of returns and its lower confidence bound.
    """

    value: float
    sessions: int
    mean: float
    bound: float
    reason: str

    def in_words(self) -> str:
        """One line for people and for the ledger."""
        return f"authority {self.value:.3f}: {self.reason}"


def full_authority() -> Authority:
    """The whole range, given and not earned."""
    return Authority(value=1.0, sessions=0, mean=math.nan, bound=math.nan, reason="fixed")


def multiplier_range(authority: float) -> tuple[float, float]:
    """The range that an authority in [0, 1] opens: [1, 1] at 0, [0.5, 2.0] at 1."""
    return 2.0**-authority, 2.0**authority


def limited(multipliers: Multipliers, authority: float) -> Multipliers:
    """Multipliers brought into the range of an authority."""
    low, high = multiplier_range(authority)
    asked = multipliers.as_tuple()
    mr_arm, mr_trigger, tc_arm, tc_trigger = (min(max(one, low), high) for one in asked)
    return Multipliers(mr_arm=mr_arm, mr_trigger=mr_trigger, tc_arm=tc_arm, tc_trigger=tc_trigger)


def earned(
    differences: Floats, *, minimum_sessions: int, error_rate: float, full_at: float
) -> Authority:
    """The authority that past daily differences (sessions,) give for the next session.

    `error_rate` is α, `full_at` the share of the advantage that must be certain for authority 1.
    Raises ValueError for a difference that is not finite.
    """
    if not np.all(np.isfinite(differences)):
        raise ValueError("a daily difference is not finite; authority cannot be measured by it")
    count = len(differences)
    mean = float(np.mean(differences)) if count else math.nan
    if count < minimum_sessions:
        return _none(count, mean, math.nan, f"{count} of {minimum_sessions} sessions measured")
    deviation = float(np.std(differences, ddof=1))
    if deviation == 0.0:
        return _none(count, mean, math.nan, f"no variation to judge by in {count} sessions")
    bound = mean - deviation / math.sqrt(count) * critical(count, error_rate)
    measured = (
        f"{count} sessions, {1e4 * mean:+.2f} bp a session, at least {1e4 * bound:+.2f} "
        f"with {100.0 * (1.0 - error_rate):g} % confidence"
    )
    if bound <= 0.0:
        return _none(count, mean, bound, f"no advantage shown ({measured})")
    value = min(1.0, bound / mean / full_at)
    return Authority(value=value, sessions=count, mean=mean, bound=bound, reason=measured)


def critical(count: int, error_rate: float) -> float:
    """c(n): how many standard errors the bound lies below the mean of n differences."""
    wide = -2.0 * math.log(error_rate)
    rho_squared = (wide + math.log(wide) + 1.0) / TIGHTEST_AT
    spread = count * rho_squared + 1.0
    tail = math.log(1.0 + math.sqrt(spread) / (2.0 * error_rate))
    return math.sqrt(2.0 * spread / (count * rho_squared) * tail)


def _none(count: int, mean: float, bound: float, reason: str) -> Authority:
    return Authority(value=0.0, sessions=count, mean=mean, bound=bound, reason=reason)
