"""Random factors behind the synthetic market: their sessions, and the minutes inside a session.

A factor is one source of returns: the market, or what is a symbol's own. Each has regimes,
clustered volatility, overnight gaps and jumps, by session and by minute.

What is drawn for a day depends only on (seed, factor, day): every session has a random stream of
its own, keyed by a digest of the factor's name, and what spans days (volatility, regimes) is a
function of the draws of the last year or so, kept by civil day. Hence a session's returns are the
same whatever range is asked for. A chain walked from the first requested day would not have that.

The session's open-to-close return is drawn first and the minutes are bridged to it, so that the
level of prices over years never needs the minutes of those years.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from quant_core.bars import Floats, Ints
from quant_core.calendar import Session

MINUTES = 390
MARKET = "the market factor"
MARKET_VOLATILITY = 0.13  # annual, close to close
REGIMES = ("trend_up", "trend_down", "range", "volatile")

# Which stream of a name: by civil year, by session, price anchors by year, a symbol's traits.
YEAR, SESSION, ANCHOR, TRAITS = range(4)

# Sessions. A regime is drawn anew on one civil day in 18, which makes a Markov chain whose state
# is known from the latest such day. Drift and scale are in open-to-close deviations.
_ODDS = np.array([0.28, 0.22, 0.30, 0.20])
_NEW_REGIME = 1 / 18
_DRIFT = np.array([0.15, -0.15, 0.0, 0.0])
_SCALE = np.array([0.90, 1.0, 0.75, 1.45])
_LEVEL_DEVIATION = 0.33
_LEVEL_MEMORY = 0.95 ** np.arange(120)
TRADED_SHARE = 0.70  # of a session's variance happens between open and close
_GAP_JUMP = 1 / 25
_JUMP = 1 / 6

# Minutes. Odds of each regime inside a session, one row per regime of the session.
_ODDS_INSIDE = np.array(
    [
        [0.55, 0.10, 0.25, 0.10],
        [0.10, 0.55, 0.25, 0.10],
        [0.12, 0.12, 0.66, 0.10],
        [0.22, 0.22, 0.18, 0.38],
    ]
)
_NEW_REGIME_INSIDE = 1 / 50
_DRIFT_INSIDE = np.array([0.10, -0.10, 0.0, 0.0])
_SCALE_INSIDE = np.array([1.0, 1.0, 0.85, 1.30])
# Share of the variance that is transient: it decays by 30 % a minute, which is mean reversion.
_TRANSIENT = np.array([0.05, 0.05, 0.30, 0.15])
_TRANSIENT_MEMORY = 0.70
_CLUSTER_DEVIATION = 0.27
_CLUSTER_MEMORY = 0.97


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorDays:
    """One factor by session; arrays of shape (sessions,), returns are logarithmic.

    `gap` is close to open, `move` open to close without `jump`, which happens in the minute at
    `jump_place` (0–1) of the session. `deviation` is that of `move`; `regime` indexes REGIMES.
    """

    gap: Floats
    move: Floats
    jump: Floats
    jump_place: Floats
    deviation: Floats
    regime: Ints

    def total(self) -> Floats:
        """Close-to-close return of each session."""
        return self.gap + self.move + self.jump

    def part(self, where: slice) -> "FactorDays":
        """A contiguous part, as views."""
        return FactorDays(**{name: getattr(self, name)[where] for name in self.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorMinutes:
    """One factor by minute; arrays of shape (sessions, MINUTES), zero past an early close.

    `deviation` is the standard deviation with which each return was drawn.
    """

    returns: Floats
    deviation: Floats


@lru_cache(maxsize=4096)
def _words(name: str) -> tuple[int, int]:
    """A name as two 32-bit words; `hash()` would differ from one process to the next."""
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little")


def stream(seed: int, name: str, kind: int, number: int) -> np.random.Generator:
    """The random stream of one name and one year or day."""
    key = (*_words(name), kind, number)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def session_draws(
    seed: int, name: str, sessions: Sequence[Session], normals: int, exponentials: int = 0
) -> tuple[Floats, Floats, Floats]:
    """Uniforms (sessions, MINUTES), normals and exponentials (sessions, columns, MINUTES)."""
    uniform = np.empty((len(sessions), MINUTES))
    normal = np.empty((len(sessions), normals, MINUTES))
    exponential = np.empty((len(sessions), exponentials, MINUTES))
    for i, session in enumerate(sessions):
        generator = stream(seed, name, SESSION, session.date.toordinal())
        generator.random(out=uniform[i])
        generator.standard_normal(out=normal[i])
        generator.standard_exponential(out=exponential[i])
    return uniform, normal, exponential


def factor_days(seed: int, name: str, volatility: float, sessions: Sequence[Session]) -> FactorDays:
    """Returns and regimes of a factor by session; `volatility` is annual, close to close."""
    first_year, last_year = sessions[0].date.year - 1, sessions[-1].date.year
    normals, uniforms = _civil_days(seed, name, range(first_year, last_year + 1))
    day = np.array([session.date.toordinal() for session in sessions], np.int64)
    place = day - date(first_year, 1, 1).toordinal()
    regime = _redrawn(uniforms[0] < _NEW_REGIME, _picked(uniforms[1], np.cumsum(_ODDS)))[place]
    innovations = normals[0] * _LEVEL_DEVIATION / np.sqrt(np.sum(_LEVEL_MEMORY**2))
    level = np.convolve(innovations, _LEVEL_MEMORY)[place]
    daily = volatility / np.sqrt(252.0) * np.exp(level - _LEVEL_DEVIATION**2) * _SCALE[regime]
    daily *= np.sqrt(np.array([session.minutes for session in sessions]) / MINUTES)
    deviation = daily * np.sqrt(TRADED_SHARE)
    _, gap_noise, move_noise, gap_size, jump_size = normals[:, place]
    leap = np.where(uniforms[2, place] < _GAP_JUMP, 2.0 * gap_size, 0.0)
    sizes = np.sign(jump_size) * (0.18 + 0.13 * np.abs(jump_size))
    return FactorDays(
        gap=daily * (np.sqrt(1.0 - TRADED_SHARE) * gap_noise + leap),
        move=deviation * (move_noise + _DRIFT[regime]),
        jump=np.where(uniforms[3, place] < _JUMP, sizes, 0.0) * deviation,
        jump_place=uniforms[4, place],
        deviation=deviation,
        regime=regime,
    )


def factor_minutes(
    uniforms: Floats, normals: Floats, days: FactorDays, minutes: Ints, profile: Floats
) -> FactorMinutes:
    """Minutes whose returns add up to the move and the jump of each session.

    Uniforms and (at least three columns of) normals are those of `session_draws`; `profile` is
    the relative volatility of each minute, from `volatility_profile`.
    """
    new = uniforms < _NEW_REGIME_INSIDE
    new[:, 0] = True
    # A uniform that is small enough to mean "anew" is, rescaled, still a uniform.
    choosing = uniforms / _NEW_REGIME_INSIDE
    choosing[:, 0] = uniforms[:, 0]
    regime = _redrawn(new, _picked(choosing, np.cumsum(_ODDS_INSIDE, axis=1)[days.regime]))
    shocks = normals[:, 1] * (_CLUSTER_DEVIATION * np.sqrt(1.0 - _CLUSTER_MEMORY**2))
    shocks[:, 0] = normals[:, 1, 0] * _CLUSTER_DEVIATION
    cluster = np.exp(_decaying_sum(shocks, _CLUSTER_MEMORY) - _CLUSTER_DEVIATION**2)
    scale = days.deviation / np.sqrt(np.sum(profile**2, axis=1))
    deviation = profile * cluster * _SCALE_INSIDE[regime] * scale[:, None]
    pull = _decaying_sum(normals[:, 2].copy(), _TRANSIENT_MEMORY)
    reverting = normals[:, 2].copy()
    reverting[:, 1:] -= (1.0 - _TRANSIENT_MEMORY) * pull[:, :-1]
    share = _TRANSIENT[regime]
    noise = np.sqrt(1.0 - share) * normals[:, 0] + np.sqrt(share) * reverting
    returns = deviation * (noise + _DRIFT_INSIDE[regime])
    weight = deviation**2
    missing = (days.move - returns.sum(axis=1)) / weight.sum(axis=1)
    returns += weight * missing[:, None]
    rows = np.arange(len(minutes))
    returns[rows, (days.jump_place * minutes).astype(np.int64)] += days.jump
    return FactorMinutes(returns=returns, deviation=deviation)


def volatility_profile(minutes: Ints, opening: float, fade: float) -> Floats:
    """The volatility smile: high after the open, flat at midday, up towards the close.

    The first minute is `1 + opening` times midday and the excess fades over `fade` minutes.
    Shape (sessions, MINUTES).
    """
    since = np.arange(MINUTES)
    left = minutes[:, None] - 1 - since
    ending = 0.45 * np.exp(-since / 25.0)
    smile = 1.0 + opening * np.exp(-since / fade) + ending[np.maximum(left, 0)]
    return np.where(left >= 0, smile, 0.0)


def _civil_days(seed: int, name: str, years: range) -> tuple[Floats, Floats]:
    """Normals and uniforms of every civil day of some years; shapes (5, days)."""
    normals, uniforms = [], []
    for year in years:
        generator = stream(seed, name, YEAR, year)
        count = (date(year + 1, 1, 1) - date(year, 1, 1)).days
        normals.append(generator.standard_normal((366, 5)).T[:, :count])
        uniforms.append(generator.random((366, 5)).T[:, :count])
    return np.concatenate(normals, axis=1), np.concatenate(uniforms, axis=1)


def _picked(uniforms: Floats, cumulative: Floats) -> Ints:
    """Index of the outcome for each uniform; `cumulative` may have one row per uniform row."""
    choice = np.zeros(uniforms.shape, np.int64)
    for bound in np.moveaxis(cumulative[..., :-1], -1, 0):
        choice += uniforms >= (bound if bound.ndim == 0 else bound[:, None])
    return choice


def _redrawn(new: NDArray[np.bool_], choice: Ints) -> Ints:
    """The choice made at the latest `new` place, along the last axis."""
    places = np.where(new, np.arange(new.shape[-1]), 0)
    return np.take_along_axis(choice, np.maximum.accumulate(places, axis=-1), axis=-1)


def _decaying_sum(values: Floats, memory: float) -> Floats:
    """y[t] = values[t] + memory · y[t-1] along the last axis, in place, by doubling the reach."""
    reach = 1
    while reach < values.shape[-1]:
        values[:, reach:] += memory**reach * values[:, :-reach]
        reach *= 2
    return values
