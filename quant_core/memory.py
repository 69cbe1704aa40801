"""How long recursive formulas remember: by how much a value depends on where its history began.

An average over a window forgets what left the window. An exponential or Wilder's average never
does: two histories that end in the same bar give different values, by an amount that shrinks with
every bar. Trained on a long history and started live on a short one, a model would see values that
it never saw. `remember` computes a column from several later beginnings and reports how far it is
from the full history after 1, 2 and 4 times its warm-up, and after how many bars the two are the
same for good.

Differences are relative to the value, or to the column's median size where the value is smaller:
near a crossing of zero every difference would be large. A value still missing is infinitely far.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from quant_core.bands import MINIMUM, WINDOW, atr_5m_known, band, new_five_minute
from quant_core.bars import BarSeries, Floats, Ints, aggregate
from quant_core.calendar import Calendar
from quant_core.features import compute
from quant_core.features.catalogue import TIMEFRAMES
from quant_core.premarket import DEFAULTS, SymbolHistory, atr_percentile

SAME = 1e-6
MULTIPLES = (1, 2, 4)
BEGINNINGS = (0.07, 0.21, 0.38)

Column = tuple[Floats, Ints]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One column's dependence on its history.

    `warm_up` counts `unit`s until the first value. `differences` after MULTIPLES of it, the worst
    of all beginnings; NaN where the data are too short to say. `settles`: units of history after
    which the difference stays below 1e-6, NaN where it did not within the data; `recursive` is
    whether it takes more than the warm-up.
    """

    name: str
    unit: str
    warm_up: int
    differences: tuple[float, ...]
    settles: float

    @property
    def recursive(self) -> bool:
        """Whether the value depends on more than its warm-up."""
        return not self.settles <= self.warm_up


def remember(name: str, unit: str, warm_up: int, full: Floats, later: Sequence[Column]) -> Memory:
    """Compare a column with the same column from later beginnings.

    `full` (bars,) has all history. Each of `later` is (values, units): the last len(values) bars
    of `full` computed from a later beginning, and how many units of history each of them had.
    """
    known = np.abs(full[np.isfinite(full)])
    scale = float(np.median(known)) if len(known) else 0.0
    worst = [np.nan] * len(MULTIPLES)
    settles = 0.0
    for values, units in later:
        apart = _apart(full[len(full) - len(values) :], values, scale)
        for k, multiple in enumerate(MULTIPLES):
            row = int(np.searchsorted(units, multiple * warm_up))
            if row < len(apart):
                worst[k] = float(np.fmax(worst[k], apart[row]))
        settles = max(settles, _settled(apart, units))
    return Memory(
        name=name,
        unit=unit,
        warm_up=warm_up,
        differences=tuple(worst),
        settles=settles if math.isfinite(settles) else np.nan,
    )


def _apart(full: Floats, values: Floats, scale: float) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.abs(values - full) / np.maximum(np.abs(full), scale)
    found[(values == full) | (np.isnan(values) & np.isnan(full))] = 0.0
    found[np.isnan(values) & ~np.isnan(full)] = np.inf
    return found


def _settled(apart: Floats, units: Ints) -> float:
    """Units of history from which on the difference stays below SAME; inf if not by the end."""
    different = np.flatnonzero(apart >= SAME)
    if len(different) == 0:
        return float(units[0]) if len(units) else 0.0
    last = int(different[-1])
    return float(units[last + 1]) if last + 1 < len(units) else math.inf


def feature_memories(bars: BarSeries, timeframe: str, calendar: Calendar) -> list[Memory]:
    """The memory of every feature of a timeframe, in catalogue order, on these bars of it."""
    full = compute(bars, timeframe, calendar)
    parts = [bars.part(slice(begin, len(bars))) for begin in _beginnings(bars)]
    tables = [compute(part, timeframe, calendar) for part in parts]
    counted = {
        frame: [_counted(part, frame, calendar) for part in parts]
        for frame in {feature.frame for feature in full.catalogue.features}
    }
    return [
        remember(
            feature.name,
            feature.frame or "bar",
            feature.warm_up,
            full[feature.name],
            [
                (table[feature.name], units)
                for table, units in zip(tables, counted[feature.frame], strict=True)
            ],
        )
        for feature in full.catalogue.features
    ]


def playbook_memories(
    minutes: BarSeries, daily: BarSeries | None, calendar: Calendar
) -> Iterator[Memory]:
    """The memory of what `stdev` decides by: z, 5-minute ATR, hourly and daily slope, ATR rank."""

    def z_of(bars: BarSeries) -> Floats:
        return band(bars.close, 0, WINDOW, MINIMUM)[2]

    def atr_of(bars: BarSeries) -> Floats:
        return atr_5m_known(bars, calendar, new_five_minute())

    def of_bars(value: Callable[[BarSeries], Floats], frame: str) -> tuple[Floats, list[Column]]:
        parts = [minutes.part(slice(b, len(minutes))) for b in _beginnings(minutes)]
        return value(minutes), [(value(p), _counted(p, frame, calendar)) for p in parts]

    yield remember("z", "bar", WINDOW, *of_bars(z_of, ""))
    yield remember("atr_5m", "5min", DEFAULTS.atr_period + 1, *of_bars(atr_of, "5min"))
    slopes = DEFAULTS.ema_period + DEFAULTS.slope_bars
    hours = aggregate(minutes, calendar, 60)
    yield remember("ema_slope_hourly", "1hr", slopes, *_of_series(hours, calendar, _slope))
    if daily is not None:
        yield remember("ema_slope_daily", "session", slopes, *_of_series(daily, calendar, _slope))
        ranks = _of_series(daily, calendar, _rank)
        yield remember("atr_percentile", "session", DEFAULTS.atr_period + 2, *ranks)


def _of_series(
    bars: BarSeries, calendar: Calendar, value: Callable[[SymbolHistory, int], float]
) -> tuple[Floats, list[Column]]:
    """A value of the premarket snapshot after each bar, from all beginnings."""

    def column(part: BarSeries) -> Floats:
        history = SymbolHistory.of(part.symbol, part.part(slice(0, 0)), part, calendar)
        return np.array([value(history, count) for count in range(1, len(part) + 1)])

    parts = [bars.part(slice(begin, len(bars))) for begin in _beginnings(bars)]
    return column(bars), [(column(part), np.arange(1, len(part) + 1)) for part in parts]


def _slope(history: SymbolHistory, count: int) -> float:
    return history.day.slope(count, DEFAULTS.slope_bars)


def _rank(history: SymbolHistory, count: int) -> float:
    return atr_percentile(history.day.atr[:count])[0]


def _beginnings(bars: BarSeries) -> list[int]:
    """Opens of the sessions that lie at BEGINNINGS: a history begins with a session."""
    inside = [int(share * len(bars)) for share in BEGINNINGS if len(bars)]
    return [int(np.searchsorted(bars.session, bars.session[row])) for row in inside]


def _counted(bars: BarSeries, frame: str, calendar: Calendar) -> Ints:
    """Units of history that each bar has, itself included: bars, sessions, or closed buckets."""
    if frame == "":
        return np.arange(1, len(bars) + 1)
    if frame == "session":
        return np.cumsum(np.r_[True, np.diff(bars.session) != 0])
    opens, closes = calendar.opens[bars.session], calendar.closes[bars.session]
    length = TIMEFRAMES[frame]
    end = np.minimum(opens + (bars.start - opens) // length * length + length, closes)
    closed = np.searchsorted(np.unique(end), bars.end, side="right")
    return closed.astype(np.int64)
