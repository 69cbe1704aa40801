"""The premarket snapshot: what is known of a symbol before a session, constant all day.

Every series below is causal, so the whole history is computed once and a snapshot is a look-up at
the last bar of an earlier session (R12). Daily values come from the supplied daily bars, hourly
and 5-minute ones from the symbol's own regular-session minutes (R13).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import talib

from quant_core.bands import MINIMUM, WINDOW, band
from quant_core.bars import BarSeries, Floats, Ints, aggregate
from quant_core.calendar import Calendar
from quant_core.types import Side, Snapshot

EMA_PERIOD = 20
ATR_PERIOD = 14
SLOPE_BARS = 3
FRACTAL = 2
PERCENTILE_SESSIONS = 252
VOLUME_SESSIONS = 20


@dataclass(frozen=True, slots=True)
class _Series:
    """Bars of one timeframe with EMA-20 and ATR-14 over the whole stored history (R14, R15)."""

    session: Ints
    close: Floats
    ema: Floats
    atr: Floats

    @classmethod
    def of(cls, bars: BarSeries) -> "_Series":
        if len(bars) <= ATR_PERIOD:
            blank = np.full(len(bars), np.nan)
            return cls(bars.session, bars.close, blank, blank)
        ema = talib.EMA(bars.close, EMA_PERIOD)
        atr = talib.ATR(bars.high, bars.low, bars.close, ATR_PERIOD)
        return cls(bars.session, bars.close, ema, atr)

    def count_before(self, session: int) -> int:
        return int(np.searchsorted(self.session, session, side="left"))

    def slope(self, count: int) -> float:
        """EMA change over 3 bars per ATR at bar `count - 1`; NaN with fewer than 23 bars (R16)."""
        if count < EMA_PERIOD + SLOPE_BARS or self.atr[count - 1] == 0.0:
            return float("nan")
        change = self.ema[count - 1] - self.ema[count - 1 - SLOPE_BARS]
        return float(change / self.atr[count - 1])


@dataclass(frozen=True, slots=True)
class SymbolHistory:
    """Everything a symbol's snapshots are read from. `daily` may be None: no daily source."""

    symbol: str
    daily: BarSeries | None
    day: _Series
    hour: _Series
    five: _Series

    @classmethod
    def of(
        cls, symbol: str, minutes: BarSeries, daily: BarSeries | None, calendar: Calendar
    ) -> "SymbolHistory":
        """Prepare the series behind the snapshots of one symbol."""
        empty = minutes.part(slice(0, 0))
        return cls(
            symbol,
            daily,
            _Series.of(daily if daily is not None else empty),
            _Series.of(aggregate(minutes, calendar, 60)),
            _Series.of(aggregate(minutes, calendar, 5)),
        )

    def snapshot(self, session: int, calendar: Calendar) -> Snapshot:
        """The snapshot for a session (position in the calendar), from earlier sessions only."""
        days = self.day.count_before(session)
        fives = self.five.count_before(session)
        daily_slope = self.day.slope(days)
        hourly_slope = self.hour.slope(self.hour.count_before(session))
        tag = self._tag(days)
        percentile, sample = atr_percentile(self.day.atr[:days])
        mean, deviation, _ = band(self.five.close[:fives], max(0, fives - 1), WINDOW, MINIMUM)
        missing = []
        if self.daily is None:
            missing.append("no daily bars")
        for value, name in (
            (daily_slope, f"ema_slope_daily needs 23 daily bars, has {days}"),
            (hourly_slope, "ema_slope_hourly needs 23 hourly bars"),
            (percentile, "atr_percentile needs 16 daily bars"),
        ):
            if np.isnan(value):
                missing.append(name)
        return Snapshot(
            symbol=self.symbol,
            date=calendar.session(session).date,
            ema_slope_daily=daily_slope,
            ema_slope_hourly=hourly_slope,
            hh_ll_tag=tag,
            atr_percentile=percentile,
            sessions=sample,
            htf_trend=0 if missing else htf_trend(daily_slope, hourly_slope, tag),
            mean_5m=float(mean[0]) if fives else float("nan"),
            deviation_5m=float(deviation[0]) if fives else float("nan"),
            atr_5m=float(self.five.atr[fives - 1]) if fives else float("nan"),
            average_volume=self._average_volume(days),
            previous_close=float(self.day.close[days - 1]) if days else float("nan"),
            incomplete=tuple(missing),
        )

    def _tag(self, days: int) -> Literal["HH", "LL", "mixed"]:
        if self.daily is None:
            return "mixed"
        return swing_tag(self.daily.high[:days], self.daily.low[:days])

    def _average_volume(self, days: int) -> float:
        """Mean of the last 20 daily volumes (R45); of those there are when fewer."""
        if self.daily is None or days == 0:
            return float("nan")
        return float(np.mean(self.daily.volume[max(0, days - VOLUME_SESSIONS) : days]))


def swing_tag(high: Floats, low: Floats) -> Literal["HH", "LL", "mixed"]:
    """HH, LL or mixed from the last two swing highs and the last two swing lows (R17).

    A swing high is strictly above the highs of the two bars on each side, so it is known two bars
    later and never moves.
    """
    last_highs = _last_swings(high)
    last_lows = _last_swings(-low)
    if len(last_highs) < 2 or len(last_lows) < 2:
        return "mixed"
    higher_high, higher_low = last_highs[0] > last_highs[1], last_lows[0] < last_lows[1]
    lower_high, lower_low = last_highs[0] < last_highs[1], last_lows[0] > last_lows[1]
    if higher_high and higher_low:
        return "HH"
    if lower_high and lower_low:
        return "LL"
    return "mixed"


def _last_swings(values: Floats) -> list[float]:
    """The latest two swing maxima, newest first."""
    found: list[float] = []
    for i in range(len(values) - FRACTAL - 1, FRACTAL - 1, -1):
        around = np.r_[values[i - FRACTAL : i], values[i + 1 : i + 1 + FRACTAL]]
        if np.all(values[i] > around):
            found.append(float(values[i]))
            if len(found) == 2:
                break
    return found


def atr_percentile(atr: Floats) -> tuple[float, int]:
    """Share (0–100) of the other values strictly below the latest, and the sample size (R18).

    Over the last 252 available values, the latest included; fewer than two: NaN.
    """
    known = atr[~np.isnan(atr)][-PERCENTILE_SESSIONS:]
    sample = len(known)
    if sample < 2:
        return float("nan"), sample
    return float(100.0 * np.count_nonzero(known[:-1] < known[-1]) / (sample - 1)), sample


def htf_trend(daily_slope: float, hourly_slope: float, tag: str) -> Side:
    """+1 if both slopes rise and the swings are not lower, -1 mirrored, else 0."""
    if daily_slope > 0 and hourly_slope > 0 and tag != "LL":
        return 1
    if daily_slope < 0 and hourly_slope < 0 and tag != "HH":
        return -1
    return 0
