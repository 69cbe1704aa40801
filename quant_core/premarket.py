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
from quant_core.parameters import PremarketParameters
from quant_core.types import Side, Snapshot

DEFAULTS = PremarketParameters()


@dataclass(frozen=True, slots=True)
class _Series:
    """Bars of one timeframe with EMA and ATR over the whole stored history (R14, R15)."""

    session: Ints
    close: Floats
    ema: Floats
    atr: Floats

    @classmethod
    def of(cls, bars: BarSeries, parameters: PremarketParameters) -> "_Series":
        ema = atr = np.full(len(bars), np.nan)
        if len(bars) >= parameters.ema_period:
            ema = talib.EMA(bars.close, parameters.ema_period)
        if len(bars) > parameters.atr_period:
            atr = talib.ATR(bars.high, bars.low, bars.close, parameters.atr_period)
        return cls(bars.session, bars.close, ema, atr)

    def count_before(self, session: int) -> int:
        return int(np.searchsorted(self.session, session, side="left"))

    def slope(self, count: int, bars: int) -> float:
        """EMA change over `bars` bars per ATR at bar `count - 1`; NaN before both exist (R16)."""
        if count <= bars or self.atr[count - 1] == 0.0:
            return float("nan")
        change = self.ema[count - 1] - self.ema[count - 1 - bars]
        return float(change / self.atr[count - 1])


@dataclass(frozen=True, slots=True)
class SymbolHistory:
    """Everything a symbol's snapshots are read from. `daily` may be None: no daily source."""

    symbol: str
    daily: BarSeries | None
    day: _Series
    hour: _Series
    five: _Series
    parameters: PremarketParameters

    @classmethod
    def of(
        cls,
        symbol: str,
        minutes: BarSeries,
        daily: BarSeries | None,
        calendar: Calendar,
        parameters: PremarketParameters = DEFAULTS,
    ) -> "SymbolHistory":
        """Prepare the series behind the snapshots of one symbol."""
        empty = minutes.part(slice(0, 0))
        return cls(
            symbol,
            daily,
            _Series.of(daily if daily is not None else empty, parameters),
            _Series.of(aggregate(minutes, calendar, 60), parameters),
            _Series.of(aggregate(minutes, calendar, 5), parameters),
            parameters,
        )

    def snapshot(self, session: int, calendar: Calendar) -> Snapshot:
        """The snapshot for a session (position in the calendar), from earlier sessions only."""
        days = self.day.count_before(session)
        fives = self.five.count_before(session)
        periods = self.parameters
        daily_slope = self.day.slope(days, periods.slope_bars)
        hourly_slope = self.hour.slope(self.hour.count_before(session), periods.slope_bars)
        tag = self._tag(days)
        percentile, sample = atr_percentile(self.day.atr[:days], periods.percentile_sessions)
        for_slope = max(periods.ema_period + periods.slope_bars, periods.atr_period + 1)
        mean, deviation, _ = band(self.five.close[:fives], max(0, fives - 1), WINDOW, MINIMUM)
        missing = []
        if self.daily is None:
            missing.append("no daily bars")
        for value, name in (
            (daily_slope, f"ema_slope_daily needs {for_slope} daily bars, has {days}"),
            (hourly_slope, f"ema_slope_hourly needs {for_slope} hourly bars"),
            (percentile, f"atr_percentile needs {periods.atr_period + 2} daily bars"),
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
        return swing_tag(
            self.daily.high[:days], self.daily.low[:days], self.parameters.fractal_width
        )

    def _average_volume(self, days: int) -> float:
        """Mean of the last daily volumes (R45); of those there are when fewer."""
        if self.daily is None or days == 0:
            return float("nan")
        first = max(0, days - self.parameters.volume_sessions)
        return float(np.mean(self.daily.volume[first:days]))


def swing_tag(
    high: Floats, low: Floats, width: int = DEFAULTS.fractal_width
) -> Literal["HH", "LL", "mixed"]:
    """HH, LL or mixed from the last two swing highs and the last two swing lows (R17).

    A swing high is strictly above the highs of the `width` bars on each side, so it is known
    `width` bars later and never moves.
    """
    last_highs = _last_swings(high, width)
    last_lows = _last_swings(-low, width)
    if len(last_highs) < 2 or len(last_lows) < 2:
        return "mixed"
    higher_high, higher_low = last_highs[0] > last_highs[1], last_lows[0] < last_lows[1]
    lower_high, lower_low = last_highs[0] < last_highs[1], last_lows[0] > last_lows[1]
    if higher_high and higher_low:
        return "HH"
    if lower_high and lower_low:
        return "LL"
    return "mixed"


def _last_swings(values: Floats, width: int) -> list[float]:
    """The latest two swing maxima, newest first."""
    found: list[float] = []
    for i in range(len(values) - width - 1, width - 1, -1):
        around = np.r_[values[i - width : i], values[i + 1 : i + 1 + width]]
        if np.all(values[i] > around):
            found.append(float(values[i]))
            if len(found) == 2:
                break
    return found


def atr_percentile(atr: Floats, sessions: int = DEFAULTS.percentile_sessions) -> tuple[float, int]:
    """Share (0–100) of the other values strictly below the latest, and the sample size (R18).

    Over the last `sessions` available values, the latest included; fewer than two: NaN.
    """
    known = atr[~np.isnan(atr)][-sessions:]
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
