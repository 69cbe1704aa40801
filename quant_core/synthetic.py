"""A market made of numbers: minutes, days and spreads for any symbols and sessions, from a seed.

It is what the demo, the simulations and the tests trade on where no recorded data is at hand. It
looks like recorded minutes in what the playbooks feel (smile, tails, clustering, regimes, jumps,
correlation, reversion at the minute); nothing learned on it says anything about the real market.

Invariants:
- Same arguments, same arrays. Prices are whole cents and volumes whole shares, so a last bit in
  which two processors' `exp` differ does not survive. numpy may change how it draws normals in
  another release; the digest in the tests would say so, and DEMO_SEED would be chosen anew.
- A symbol's bars of a session depend on (seed, symbol, session) and on the calendar's sessions in
  that year; adding symbols, or sessions before or after, changes none of them. Prices need no walk
  from a first day, because the level at each New Year is drawn on its own and the year's returns
  are tilted (by some hundredths of a deviation a day) to lead from one to the next.
- A daily bar is the aggregate of its session's minutes, also in the history before `first`, whose
  minutes are made and thrown away. An open continues from the last close by the night's gap.

`synthetic_factors` makes the returns (and says why minutes are bridged to days), `synthetic_bars`
the bars along them; this module asks for both and cuts out what was requested.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import numpy as np

from quant_core.bars import Floats, Ints, RawBars
from quant_core.calendar import NEW_YORK, Calendar, Session
from quant_core.synthetic_bars import MinuteGrid, Traits, bars_along, spreads, traits
from quant_core.synthetic_factors import (
    ANCHOR,
    MARKET,
    MARKET_VOLATILITY,
    MINUTES,
    FactorDays,
    FactorMinutes,
    factor_days,
    factor_minutes,
    session_draws,
    stream,
    volatility_profile,
)

HISTORY_SESSIONS = 300

# The demo's session; the minutes of two weeks before it seed bands and slopes. Among 600 seeds
# this one was taken because much happens: both higher-timeframe trends occur and no symbol's
# volatility is over the cap; before noon every symbol's z goes often beyond 1.2 and 1.8 and comes
# back; both setups trigger and trade, stops and targets are hit, and risk refuses an entry.
# Profit was no criterion: without advice the day ends a little below zero.
DEMO_SYMBOLS = ("SPY", "QQQ", "IWM", "NVDA", "TSLA")
DEMO_DATE = date(2026, 10, 14)
DEMO_SEED = 417

# How much more volatile the first minute is than midday, and over how many minutes that fades:
# SPY's smile, and the steeper one of single stocks.
_MARKET_SMILE = (1.15, 25.0)
_OWN_SMILE = (3.4, 16.0)


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
    """Minutes of the sessions from `first` to `last`; days of those and HISTORY_SESSIONS before.

    The calendar must begin two years before `first` and hold whole years, as `calendar.xnys`
    does: a year known in part would be tilted differently. Raises ValueError when it is too short
    for the history, or has no session in the range.
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


@dataclass(frozen=True, slots=True)
class _Span:
    """Whole years of sessions. `shown` have daily bars, the last `requested` of them minutes."""

    sessions: Sequence[Session]
    shown: slice
    requested: int
    minutes: Ints
    open: Ints
    midnight: Ints
    smile: Floats

    @classmethod
    def of(cls, first: date, last: date, calendar: Calendar) -> "_Span":
        requested = len(calendar.between(first, last))
        if requested == 0:
            raise ValueError(f"no session from {first} to {last} in the calendar")
        until = calendar.between(date.min, last)
        if len(until) < requested + HISTORY_SESSIONS:
            raise ValueError(
                f"the calendar has {len(until) - requested} sessions before {first} and the "
                f"history needs {HISTORY_SESSIONS}; build it from two years earlier"
            )
        shown = until[-requested - HISTORY_SESSIONS :]
        sessions = calendar.between(shown[0].date.replace(month=1, day=1), date(last.year, 12, 31))
        low = sessions.index(shown[0])
        midnights = [
            datetime(s.date.year, s.date.month, s.date.day, tzinfo=NEW_YORK) for s in shown
        ]
        minutes = np.array([session.minutes for session in shown])
        return cls(
            sessions,
            slice(low, low + len(shown)),
            requested,
            minutes,
            np.array([session.open for session in shown]),
            np.array([int(midnight.timestamp()) * 1_000_000 for midnight in midnights]),
            volatility_profile(minutes, *_OWN_SMILE),
        )


@dataclass(frozen=True, slots=True)
class _Market:
    """The common factor: every session of the span by day, the shown ones by minute."""

    days: FactorDays
    minutes: FactorMinutes

    @classmethod
    def of(cls, seed: int, span: _Span) -> "_Market":
        days = factor_days(seed, MARKET, MARKET_VOLATILITY, span.sessions)
        uniforms, normals, _ = session_draws(seed, MARKET, span.sessions[span.shown], 3)
        profile = volatility_profile(span.minutes, *_MARKET_SMILE)
        shown = days.part(span.shown)
        return cls(days, factor_minutes(uniforms, normals, shown, span.minutes, profile))


@dataclass(frozen=True, slots=True)
class _Symbol:
    """One symbol's part of the market."""

    minutes: RawBars
    daily: RawBars
    spread: Floats
    regime: Ints


def _symbol(seed: int, symbol: str, span: _Span, market: _Market) -> _Symbol:
    """All of one symbol: its own factor on top of the market's, then bars, then what is asked."""
    known = traits(symbol)
    own_days = factor_days(seed, symbol, known.own_volatility, span.sessions)
    returns = known.beta * market.days.total() + own_days.total()
    before, tilt = _levels(seed, symbol, known, returns, span.sessions)
    own = replace(own_days, move=own_days.move + tilt).part(span.shown)
    sessions = span.sessions[span.shown]
    uniforms, normals, exponentials = session_draws(seed, symbol, sessions, 4, 3)
    inside = factor_minutes(uniforms, normals, own, span.minutes, span.smile)
    path = FactorMinutes(
        returns=known.beta * market.minutes.returns + inside.returns,
        deviation=np.hypot(known.beta * market.minutes.deviation, inside.deviation),
    )
    gap = known.beta * market.days.gap[span.shown] + own.gap
    opening = before[span.shown] + gap
    grid = bars_along(known, opening, path, span.minutes, (normals, exponentials))
    asked = slice(len(sessions) - span.requested, None)
    traded = grid.traded[asked]
    return _Symbol(
        minutes=_minute_rows(symbol, seed, grid, span, asked),
        daily=_daily_rows(symbol, seed, grid, span),
        spread=spreads(known, grid.close, path.deviation, normals[:, 3], asked)[traded],
        regime=own.regime,
    )


def _levels(
    seed: int, symbol: str, known: Traits, returns: Floats, sessions: Sequence[Session]
) -> tuple[Floats, Floats]:
    """Log price before each session, and the tilt of its return; both (sessions,)."""
    years = np.array([session.date.year for session in sessions])
    anchors = {
        year: np.log(known.price)
        + 0.4 * known.volatility * stream(seed, symbol, ANCHOR, year).standard_normal()
        for year in range(years[0], years[-1] + 2)
    }
    before, tilt = np.empty(len(returns)), np.empty(len(returns))
    for year in range(years[0], years[-1] + 1):
        inside = years == year
        way = anchors[year + 1] - anchors[year]
        tilt[inside] = (way - np.sum(returns[inside])) / np.count_nonzero(inside)
        tilted = returns[inside] + tilt[inside]
        before[inside] = anchors[year] + np.cumsum(tilted) - tilted
    return before, tilt


def _rows(
    symbol: str, seed: int, start: Ints, prices: tuple[Floats, ...], volume: Floats
) -> RawBars:
    open_, high, low, close = prices
    return RawBars(
        symbol=symbol,
        start=start,
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=volume,
        file=np.zeros(len(start), np.int64),
        row=np.arange(1, len(start) + 1),
        files=(f"synthetic seed {seed}",),
        feed="synthetic",
    )


def _minute_rows(symbol: str, seed: int, grid: MinuteGrid, span: _Span, asked: slice) -> RawBars:
    """The asked sessions' minutes, flat."""
    traded = grid.traded[asked]
    start = (span.open[asked, None] + np.arange(MINUTES)) * 60_000_000
    prices = tuple(p[asked][traded] for p in (grid.open, grid.high, grid.low, grid.close))
    return _rows(symbol, seed, start[traded], prices, grid.volume[asked][traded])


def _daily_rows(symbol: str, seed: int, grid: MinuteGrid, span: _Span) -> RawBars:
    """Each session's minutes as one bar, stamped with midnight in New York."""
    last = (np.arange(len(span.minutes)), span.minutes - 1)
    prices = (
        grid.open[:, 0],
        np.where(grid.traded, grid.high, -np.inf).max(axis=1),
        np.where(grid.traded, grid.low, np.inf).min(axis=1),
        grid.close[last],
    )
    volume = np.where(grid.traded, grid.volume, 0.0).sum(axis=1)
    return _rows(symbol, seed, span.midnight, prices, volume)
