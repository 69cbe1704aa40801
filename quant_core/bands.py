"""The z-score band of closed minutes, and the 5-minute ATR that sizes its stops.

Both are causal step by step: the value at a bar depends on that bar and earlier ones only, so a
history computed at once and one computed a minute at a time agree to the last bit. That is what
lets replay prepare a whole month while live adds one row a minute.
"""

from typing import Any

import numpy as np

from quant_core.bars import BarSeries, Floats, Ints
from quant_core.calendar import Calendar
from quant_core.compiled import compiled

WINDOW = 120
MINIMUM = 30
FLAT = 1e-6


@compiled
def _add(total: float, rest: float, value: float) -> tuple[float, float]:
    """Add to a sum kept as total + rest, rest being what rounding left (Knuth's two-sum)."""
    grown = total + value
    kept = grown - total
    return grown, rest + ((total - (grown - kept)) + (value - kept))


@compiled
def band(closes: Floats, first: int, window: int, minimum: int) -> tuple[Floats, Floats, Floats]:
    """Mean, population deviation and z of each close from index `first` on.

    The window holds the last `window` closes, the current one included, running across sessions
    (R5). Two passes with the rounding errors carried along: the result does not depend on where
    the computation began, nor on the order of the closes in the window (a plain sum's does, and TC
    compares z with the bar before without a margin). Fewer than `minimum` closes: all NaN. A
    deviation below 1e-6 of the close: z is NaN. Shapes (len(closes) - first,).
    """
    count = len(closes) - first
    mean = np.full(count, np.nan)
    deviation = np.full(count, np.nan)
    z = np.full(count, np.nan)
    for i in range(first, len(closes)):
        low = max(0, i + 1 - window)
        size = i + 1 - low
        if size < minimum:
            continue
        total, rest = 0.0, 0.0
        for j in range(low, i + 1):
            total, rest = _add(total, rest, closes[j])
        average = (total + rest) / size
        squares, rest = 0.0, 0.0
        for j in range(low, i + 1):
            squares, rest = _add(squares, rest, (closes[j] - average) ** 2)
        spread = np.sqrt((squares + rest) / size)
        mean[i - first] = average
        deviation[i - first] = spread
        if spread >= FLAT * closes[i]:
            z[i - first] = (closes[i] - average) / spread
    return mean, deviation, z


FIVE_MINUTE = np.dtype(
    [
        ("end", np.int64),
        ("high", np.float64),
        ("low", np.float64),
        ("close", np.float64),
        ("previous", np.float64),
        ("ranges", np.int64),
        ("sum", np.float64),
        ("atr", np.float64),
    ]
)


def new_five_minute() -> np.ndarray:
    """State of one symbol's 5-minute ATR before any bar: a record array of shape (1,)."""
    state = np.zeros(1, FIVE_MINUTE)
    state["previous"] = np.nan
    state["atr"] = np.nan
    return state


@compiled
def _close_bucket(state: Any, period: int) -> None:
    """Fold the finished 5-minute bar into Wilder's ATR (R15)."""
    if not np.isnan(state.previous):
        true_range = max(
            state.high - state.low,
            max(abs(state.high - state.previous), abs(state.low - state.previous)),
        )
        state.ranges += 1
        if state.ranges <= period:
            state.sum += true_range
            if state.ranges == period:
                state.atr = state.sum / period
        else:
            state.atr = ((period - 1) * state.atr + true_range) / period
    state.previous = state.close
    state.end = 0


@compiled
def _atr_known(
    period: int,
    states: np.ndarray,
    start: Ints,
    opens: Ints,
    closes: Ints,
    high: Floats,
    low: Floats,
    close: Floats,
) -> Floats:
    state = states[0]
    known = np.empty(len(start))
    for i in range(len(start)):
        bucket = opens[i] + (start[i] - opens[i]) // 5 * 5
        end = min(bucket + 5, closes[i])
        if state.end != 0 and state.end != end:
            _close_bucket(state, period)
        if state.end == 0:
            state.end = end
            state.high = high[i]
            state.low = low[i]
        else:
            state.high = max(state.high, high[i])
            state.low = min(state.low, low[i])
        state.close = close[i]
        if end <= start[i] + 1:
            _close_bucket(state, period)
        known[i] = state.atr
    return known


def atr_5m_known(
    minutes: BarSeries, calendar: Calendar, state: np.ndarray, period: int = 14
) -> Floats:
    """ATR of the last 5-minute bar known at each minute's close; NaN up to `period` bars.

    `state` (from `new_five_minute`) is advanced in place, so the series may come in pieces. A
    bucket is known at its end; a bucket whose last minute never traded is folded in when the
    symbol's next bar arrives, which is the first moment anything could ask for it (R3, R23).
    """
    return _atr_known(
        period,
        state,
        minutes.start,
        calendar.opens[minutes.session],
        calendar.closes[minutes.session],
        minutes.high,
        minutes.low,
        minutes.close,
    )
