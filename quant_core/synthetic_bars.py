"""Bars, volumes and spreads along a path of returns, for the synthetic market.

Prices are whole cents and volumes whole shares; a bar's high and low hold its open and close. The
constants were set against recorded minutes of SPY, QQQ, NVDA, TSLA and SNOW (the tests compare).
Spreads have no such ground, for the recorded bars come without quotes: they follow the usual law
(wider with volatility, narrower with turnover, never under a cent).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quant_core.bars import Floats, Ints
from quant_core.synthetic_factors import (
    MARKET_VOLATILITY,
    MINUTES,
    TRADED_SHARE,
    TRAITS,
    FactorMinutes,
    stream,
)

# A minute in which this many shares would trade goes without a bar once in e times.
_THIN_SHARES = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What distinguishes a symbol: dollars, market beta, annual volatility of its own, shares."""

    price: float
    beta: float
    own_volatility: float
    daily_volume: float

    @property
    def volatility(self) -> float:
        """Annual volatility, the market's part included."""
        return float(np.hypot(self.beta * MARKET_VOLATILITY, self.own_volatility))

    @property
    def minute_volatility(self) -> float:
        """Typical standard deviation of a 1-minute return."""
        return self.volatility * float(np.sqrt(TRADED_SHARE / 252.0 / MINUTES))


# Levels of mid-2026 and, over the two years before, beta and residual volatility against SPY.
KNOWN = {
    "SPY": Traits(price=750.0, beta=1.0, own_volatility=0.012, daily_volume=70e6),
    "QQQ": Traits(price=700.0, beta=1.25, own_volatility=0.065, daily_volume=53e6),
    "IWM": Traits(price=290.0, beta=1.10, own_volatility=0.105, daily_volume=35e6),
    "NVDA": Traits(price=205.0, beta=1.95, own_volatility=0.31, daily_volume=170e6),
    "TSLA": Traits(price=370.0, beta=2.20, own_volatility=0.42, daily_volume=66e6),
}


def traits(symbol: str) -> Traits:
    """The known traits of a symbol, or plausible ones that follow from its name alone."""
    if symbol in KNOWN:
        return KNOWN[symbol]
    price, beta, own, shares = stream(0, symbol, TRAITS, 0).random(4)
    return Traits(
        price=float(15.0 * 25.0**price),
        beta=float(0.5 + 1.3 * beta),
        own_volatility=float(0.18 + 0.30 * own),
        daily_volume=float(2e6 * 20.0**shares),
    )


@dataclass(frozen=True, slots=True)
class MinuteGrid:
    """Bars of one symbol as arrays of shape (sessions, MINUTES); `traded` says which exist."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    traded: NDArray[np.bool_]


def bars_along(
    known: Traits,
    opening: Floats,
    path: FactorMinutes,
    minutes: Ints,
    draws: tuple[Floats, Floats],
) -> MinuteGrid:
    """Bars along a path of returns that starts at the log prices `opening` (sessions,).

    Highs and lows have the law of a Brownian path's extremes between a bar's open and close,
    a little tighter because real trades are discrete.
    """
    normals, exponentials = draws
    close = np.exp(opening[:, None] + np.cumsum(path.returns, axis=1))
    before = np.concatenate([np.exp(opening)[:, None], close[:, :-1]], axis=1)
    dollars = path.deviation * before
    # A bar opens a small step from the last close; the difference of two exponentials is one.
    open_ = before + 0.06 * dollars * (exponentials[:, 0] - exponentials[:, 1])
    open_[:, 0] = before[:, 0]
    middle, square = (open_ + close) / 2.0, (close - open_) ** 2
    reach = 2.0 * (0.95 * dollars) ** 2
    high = _cents(middle + 0.5 * np.sqrt(square + reach * exponentials[:, 0]))
    low = _cents(middle - 0.5 * np.sqrt(square + reach * exponentials[:, 1]))
    open_, close = _cents(open_), _cents(close)
    volume = _volumes(known, path, normals[:, 3], _busyness(minutes))
    return MinuteGrid(
        open_,
        np.maximum(high, np.maximum(open_, close)),
        np.minimum(low, np.minimum(open_, close)),
        close,
        volume,
        _traded(volume, exponentials[:, 2], minutes),
    )


def _cents(prices: Floats) -> Floats:
    """Whole cents, at least one."""
    whole = np.rint(prices * 100.0)
    whole = np.maximum(whole, 1.0, out=whole)
    return np.divide(whole, 100.0, out=whole)


def _busyness(minutes: Ints) -> Floats:
    """Relative volume of each minute beyond what its volatility explains: the auctions' pull."""
    since = np.arange(MINUTES)
    opening = 1.0 + 0.9 * np.exp(-since / 12.0) + 1.3 * (since == 0)
    ending = 1.0 + 1.1 * np.exp(-since / 25.0) + 1.7 * np.exp(-since / 3.0) + 4.0 * (since == 0)
    busyness: Floats = opening * ending[np.maximum(minutes[:, None] - 1 - since, 0)]
    return busyness


def _volumes(known: Traits, path: FactorMinutes, noise: Floats, busyness: Floats) -> Floats:
    """Whole shares: more in volatile minutes, on large moves and in the auctions at both ends."""
    surprise = np.abs(path.returns) / np.maximum(path.deviation, 1e-12)
    unusual = noise.copy()
    unusual[:, 1:] += 0.4 * noise[:, :-1]
    shares = np.exp(0.33 * unusual + 0.10 * np.minimum(surprise, 4.0)) * busyness
    typical = 0.79 * known.daily_volume / MINUTES / known.minute_volatility
    whole: Floats = np.maximum(np.rint(shares * path.deviation * typical), 1.0)
    return whole


def _traded(volume: Floats, patience: Floats, minutes: Ints) -> NDArray[np.bool_]:
    """Which minutes have a bar: a thin symbol misses some, never its first and last."""
    since = np.arange(MINUTES)
    last = minutes[:, None] - 1
    always = (since == 0) | (since == last)
    traded: NDArray[np.bool_] = always | (volume > _THIN_SHARES * patience)
    return traded & (since <= last)


def spreads(known: Traits, close: Floats, deviation: Floats, noise: Floats, asked: slice) -> Floats:
    """Ask minus bid in whole cents for the asked sessions; shape (asked, MINUTES).

    A fraction of the daily volatility that falls with the dollars traded. It follows the minute's
    volatility, so it is wide at the open, and is a little tighter in busy minutes.
    """
    turnover = known.price * known.daily_volume / 1e9
    daily = known.minute_volatility * np.sqrt(MINUTES)
    usual = 0.007 * daily * turnover**-0.35
    activity = deviation[asked] / known.minute_volatility
    fraction = usual * np.maximum(activity, 0.3) ** 0.7 * np.exp(-0.2 * noise[asked])
    return _cents(close[asked] * fraction)
