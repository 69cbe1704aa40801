"""From accepted bars to a session's grid: the part of a session that no decision can change.

A track is one symbol's minutes with the band and the 5-minute ATR beside them. All of it is
causal, so replay computes it once for the sessions it trades and every lane reads the same grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quant_core.bands import atr_5m_known, band, new_five_minute
from quant_core.bars import BarSeries, Floats
from quant_core.calendar import Calendar
from quant_core.grid import Grid
from quant_core.parameters import StdevParameters

_BAR_COLUMNS = ("open", "high", "low", "close", "volume")
_BAND_COLUMNS = ("mean", "deviation", "z", "atr_5m")


@dataclass(frozen=True, slots=True)
class Track:
    """Minutes of one symbol from some session on, with band and ATR; arrays of shape (bars,)."""

    bars: BarSeries
    mean: Floats
    deviation: Floats
    z: Floats
    atr_5m: Floats

    @classmethod
    def of(
        cls,
        minutes: BarSeries,
        calendar: Calendar,
        playbook: StdevParameters,
        first_session: int,
        atr_period: int = 14,
    ) -> "Track":
        """The track from `first_session` on, seeded from all earlier bars (R5, R15)."""
        begin = int(np.searchsorted(minutes.session, first_session))
        mean, deviation, z = band(
            minutes.close, begin, int(playbook.window), int(playbook.minimum_closes)
        )
        atr = atr_5m_known(minutes, calendar, new_five_minute(), atr_period)
        return cls(minutes.part(slice(begin, len(minutes))), mean, deviation, z, atr[begin:])


def session_grid(tracks: Sequence[Track], calendar: Calendar, session: int) -> Grid:
    """Lay one session's minutes of all symbols on a grid (minutes, symbols)."""
    opening = int(calendar.opens[session])
    shape = (int(calendar.closes[session]) - opening, len(tracks))
    present = np.zeros(shape, np.bool_)
    columns = {name: np.full(shape, np.nan) for name in _BAR_COLUMNS + _BAND_COLUMNS}
    for s, track in enumerate(tracks):
        where = slice(*np.searchsorted(track.bars.session, [session, session + 1]))
        rows = track.bars.start[where] - opening
        present[rows, s] = True
        for name in _BAR_COLUMNS:
            columns[name][rows, s] = getattr(track.bars, name)[where]
        for name in _BAND_COLUMNS:
            columns[name][rows, s] = getattr(track, name)[where]
    return Grid(present=present, **columns)
