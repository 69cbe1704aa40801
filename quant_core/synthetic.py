"""A market made of numbers: minutes, days and spreads for any symbols and sessions, from a seed.

It is what the demo, the simulations and the tests trade on where no recorded data is at hand. It
looks like recorded minutes in what the playbooks feel (smile, tails, clustering, regimes, jumps,
correlation, reversion at the minute); nothing learned on it says anything about the real market.

Invariants:
- Same arguments, same arrays. Prices are whole cents and volumes whole shares, so a last bit in
  which two processors' `exp` differ does not survive.
- A symbol's bars of a session depend on (seed, symbol, session) and on the calendar of the years
  touched; adding symbols, or sessions before or after, changes none of them. Prices need no walk
  from a first day because each New Year's level is drawn on its own and the year's returns
  are tilted (by some hundredths of a deviation a day) to lead from one to the next.
- A daily bar is the aggregate of its session's minutes, also in the history before `first`, whose
  minutes are made and thrown away. Opens continue from the last close by the night's gap.

The factors, and why minutes are bridged to days, are in `quant_core.synthetic_factors`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from quant_core.bars import Floats, Ints, RawBars
from quant_core.calendar import NEW_YORK, Calendar, Session
from quant_core.synthetic_factors import (
    ANCHOR,
    MINUTES,
    SESSION,
    TRAITS,
    FactorDays,
    FactorMinutes,
    factor_days,
    factor_minutes,
    lengths,
    stream,
    volatility_profile,
)

HISTORY_SESSIONS = 300
MARKET = "the market factor"
MARKET_VOLATILITY = 0.14
# Opening excess and its fade in minutes: measured on SPY, and on single stocks.
_MARKET_SMILE = (1.15, 25.0)
_OWN_SMILE = (3.4, 16.0)
_THIN_SHARES = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What distinguishes a symbol: dollars, market beta, annual volatility of its own, shares."""

    price: float
    beta: float
    own_volatility: float
    daily_volume: float


# Levels of mid-2026 and, over the two years before, beta and residual volatility against SPY.
KNOWN = {
    "SPY": Traits(price=750.0, beta=1.0, own_volatility=0.012, daily_volume=70e6),
    "QQQ": Traits(price=700.0, beta=1.25, own_volatility=0.065, daily_volume=53e6),
    "IWM": Traits(price=290.0, beta=1.10, own_volatility=0.105, daily_volume=35e6),
    "NVDA": Traits(price=205.0, beta=1.95, own_volatility=0.31, daily_volume=170e6),
    "TSLA": Traits(price=370.0, beta=2.20, own_volatility=0.42, daily_volume=66e6),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticMarket:
    """Bars by symbol, unchecked like any stored rows (feed `synthetic`).

    `minutes` covers the requested sessions, `daily` also HISTORY_SESSIONS before them. `spread` is
    ask minus bid in dollars for each row of `minutes`. `regime` is the symbol's own for each row
    of `daily` and `market_regime` the common one; both index `synthetic_factors.REGIMES`.
    """

    minutes: Mapping[str, RawBars]
    daily: Mapping[str, RawBars]
    spread: Mapping[str, Floats]
    regime: Mapping[str, Ints]
    market_regime: Ints


def synthetic_market(
    symbols: Iterable[str], first: date, last: date, calendar: Calendar, seed: int
) -> SyntheticMarket:
    """Minutes of the sessions from `first` to `last`, days of those and HISTORY_SESSIONS before.

    Raises ValueError when there is no session in the range, or when the calendar does not hold
    the history (give it two years before `first`). Years that the calendar holds only in part
    would be tilted differently: build it of whole years, as `calendar.xnys` does.
    """
    span = _Span.of(first, last, calendar)
    market = _Market.of(seed, span)
    parts = {symbol: _symbol(seed, symbol, span, market) for symbol in symbols}
    return SyntheticMarket(
        minutes={symbol: part.minutes for symbol, part in parts.items()},
        daily={symbol: part.daily for symbol, part in parts.items()},
        spread={symbol: part.spread for symbol, part in parts.items()},
        regime={symbol: part.regime for symbol, part in parts.items()},
        market_regime=market.days.regime[span.shown],
    )
