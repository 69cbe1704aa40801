"""The same stored rows as they were at an earlier moment, or with a future that is noise.

A moment is a number of minutes since the epoch, UTC; a minute bar is known at its end, a daily bar
at its session's close. Rows arrive in stored order, so what was there at a moment is everything
before the first accepted row that was not known yet: also a refused row has its place in the
arrival, and is refused for the same reason in both.
"""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from advisor.market import MarketRequest
from quant_core.bars import ACCEPTED, BarSeries, RawBars, accept_days, accept_minutes
from quant_core.calendar import Calendar

Rows = tuple[dict[str, RawBars], dict[str, RawBars]]
_Accept = Callable[[RawBars, Calendar], tuple[BarSeries, NDArray[np.int8]]]

JUMP, STEP = 0.01, 0.001
_PRICES = ("open", "high", "low", "close")


def until(rows: Rows, calendar: Calendar, moment: int) -> Rows:
    """Minute and daily rows that had arrived by a moment."""

    def cut(raw: RawBars, accept: _Accept) -> RawBars:
        known = _arrived(raw, accept, calendar, moment)
        arrays = {
            one.name: getattr(raw, one.name)[:known]
            for one in fields(raw)
            if one.name not in ("symbol", "files", "feed")
        }
        return replace(raw, **arrays)

    return _each(rows, cut)


def with_noise_after(rows: Rows, calendar: Calendar, moment: int, seed: int) -> Rows:
    """All rows, those after a moment multiplied by a random walk and their volumes by chance.

    A bar's prices share one factor, so a row that was a possible bar remains one.
    """
    random = np.random.Generator(np.random.PCG64([seed, moment]))

    def disturb(raw: RawBars, accept: _Accept) -> RawBars:
        known = _arrived(raw, accept, calendar, moment)
        unknown = len(raw.start) - known
        walk = np.exp(JUMP + np.cumsum(random.normal(0.0, STEP, unknown)))
        factor = np.r_[np.ones(known), walk]
        volume = np.r_[np.ones(known), np.exp(random.normal(0.0, 1.0, unknown))]
        prices = {name: getattr(raw, name) * factor for name in _PRICES}
        return replace(raw, **prices, volume=np.floor(raw.volume * volume))

    return _each(rows, disturb)


def up_to(request: MarketRequest, calendar: Calendar, moment: int) -> MarketRequest:
    """The request as it could have been made at a moment: no session after it."""
    index = int(np.searchsorted(calendar.opens, moment, side="left")) - 1
    return replace(request, last=calendar.session(index).date)


def _each(rows: Rows, change: Callable[[RawBars, _Accept], RawBars]) -> Rows:
    minutes, days = rows
    return (
        {symbol: change(raw, accept_minutes) for symbol, raw in minutes.items()},
        {symbol: change(raw, accept_days) for symbol, raw in days.items()},
    )


def _arrived(raw: RawBars, accept: _Accept, calendar: Calendar, moment: int) -> int:
    """How many stored rows had arrived by a moment."""
    bars, codes = accept(raw, calendar)
    late = np.flatnonzero(codes == ACCEPTED)[np.flatnonzero(bars.end > moment)]
    return int(late[0]) if len(late) else len(raw.start)
