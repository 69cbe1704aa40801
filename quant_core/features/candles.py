"""Candle patterns, as TA-Lib defines them: +100 bullish, -100 bearish, 80 for a weaker form.

A body or shadow is long or short against a running average of the 10 bars before it (5 for
"near"). All patterns look back only: a value never changes once its bar has closed.

Surprise recorded here: prices in cents make exact ties between a body and an average common, and
the rounding of TA-Lib's running totals decides them. So each total below starts at the bar, and
adds in the order, that TA-Lib's does; `_LATER` totals differ from the first by their start only.
"""

from typing import Any

import numpy as np

from quant_core.compiled import compiled
from quant_core.features.feature import PATTERN, Feature
from quant_core.features.smoothing import back

FAMILY = "price action"
FEATURES = (
    Feature(
        "cdl_doji", PATTERN, 11, "body <= 10 % of the average range", "TA-Lib CDLDOJI", low=0.0
    ),
    Feature(
        "cdl_hammer",
        PATTERN,
        12,
        "short body, lower shadow longer than the body, hardly an upper one, body near the low "
        "before",
        "TA-Lib CDLHAMMER",
        low=0.0,
    ),
    Feature(
        "cdl_shooting_star",
        PATTERN,
        12,
        "short body above the body before, upper shadow longer than the body, hardly a lower one",
        "TA-Lib CDLSHOOTINGSTAR",
        high=0.0,
    ),
    Feature(
        "cdl_engulfing",
        PATTERN,
        3,
        "body engulfs the opposite body before it; 80 when one end is equal",
        "TA-Lib CDLENGULFING",
    ),
    Feature(
        "cdl_harami",
        PATTERN,
        12,
        "short body inside the long body before it; 80 when one end is equal",
        "TA-Lib CDLHARAMI",
    ),
    Feature(
        "cdl_marubozu", PATTERN, 11, "long body, hardly any shadows", "TA-Lib CDLMARUBOZU"
    ),
    Feature(
        "cdl_morning_star",
        PATTERN,
        13,
        "long black body, short body gapping down, white body closing above 30 % of the first",
        "TA-Lib CDLMORNINGSTAR(0.3)",
        low=0.0,
    ),
    Feature(
        "cdl_evening_star",
        PATTERN,
        13,
        "long white body, short body gapping up, black body closing below 30 % of the first",
        "TA-Lib CDLEVENINGSTAR(0.3)",
        high=0.0,
    ),
)

_BODY, _BODY_LATER, _BODY_LATEST, _RANGE, _RANGE_LATER, _NEAR = range(6)
_PENETRATION = 0.3

# `total` sums the bars before the newest one; `before` and `earlier` are the sums of bodies as
# they stood one and two bars ago.
STATE = np.dtype(
    [("total", np.float64, (6,)), ("before", np.float64, (6,)), ("earlier", np.float64, (6,))]
)


@compiled
def step(window: Any, state: Any, row: Any) -> None:
    """Fill the candle patterns of the newest bar, then add the bar to the averages."""
    count = window.count
    row.cdl_doji = np.nan
    row.cdl_marubozu = np.nan
    row.cdl_engulfing = _engulfing(window) if count >= 3 else np.nan
    row.cdl_hammer = np.nan
    row.cdl_shooting_star = np.nan
    row.cdl_harami = np.nan
    row.cdl_morning_star = np.nan
    row.cdl_evening_star = np.nan
    if count >= 11:
        small = _body(window, 0) <= 0.1 * (state.total[_RANGE] / 10.0)
        row.cdl_doji = 100.0 if small else 0.0
        row.cdl_marubozu = _marubozu(window, state)
    if count >= 12:
        row.cdl_hammer = _hammer(window, state)
        row.cdl_shooting_star = _shooting_star(window, state)
        row.cdl_harami = _harami(window, state)
    if count >= 13:
        row.cdl_morning_star = 100.0 if _star(window, state, 1.0) else 0.0
        row.cdl_evening_star = -100.0 if _star(window, state, -1.0) else 0.0
    _add(window, state)


@compiled
def _body(window: Any, bars: int) -> float:
    return abs(back(window.closes, window.count, bars) - back(window.opens, window.count, bars))


@compiled
def _range(window: Any, bars: int) -> float:
    return back(window.highs, window.count, bars) - back(window.lows, window.count, bars)


@compiled
def _color(window: Any, bars: int) -> float:
    """+1 white, -1 black; a bar that closes where it opened is white."""
    rises = back(window.closes, window.count, bars) >= back(window.opens, window.count, bars)
    return 1.0 if rises else -1.0


@compiled
def _top(window: Any, bars: int) -> float:
    return max(back(window.closes, window.count, bars), back(window.opens, window.count, bars))


@compiled
def _bottom(window: Any, bars: int) -> float:
    return min(back(window.closes, window.count, bars), back(window.opens, window.count, bars))


@compiled
def _marubozu(window: Any, state: Any) -> float:
    hardly = 0.1 * (state.total[_RANGE] / 10.0)
    found = (
        _body(window, 0) > state.total[_BODY] / 10.0
        and window.high - _top(window, 0) < hardly
        and _bottom(window, 0) - window.low < hardly
    )
    return 100.0 * _color(window, 0) if found else 0.0


@compiled
def _hammer(window: Any, state: Any) -> float:
    body = _body(window, 0)
    found = (
        body < state.total[_BODY_LATER] / 10.0
        and _bottom(window, 0) - window.low > body
        and window.high - _top(window, 0) < 0.1 * (state.total[_RANGE_LATER] / 10.0)
        and _bottom(window, 0) <= window.previous_low + 0.2 * (state.total[_NEAR] / 5.0)
    )
    return 100.0 if found else 0.0


@compiled
def _shooting_star(window: Any, state: Any) -> float:
    body = _body(window, 0)
    found = (
        _bottom(window, 0) > _top(window, 1)
        and body < state.total[_BODY_LATER] / 10.0
        and window.high - _top(window, 0) > body
        and _bottom(window, 0) - window.low < 0.1 * (state.total[_RANGE_LATER] / 10.0)
    )
    return -100.0 if found else 0.0


@compiled
def _engulfing(window: Any) -> float:
    color = _color(window, 0)
    if color == _color(window, 1):
        return 0.0
    top, bottom, top_before, bottom_before = (
        _top(window, 0),
        _bottom(window, 0),
        _top(window, 1),
        _bottom(window, 1),
    )
    engulfs = (top >= top_before and bottom < bottom_before) or (
        top > top_before and bottom <= bottom_before
    )
    if not engulfs:
        return 0.0
    weaker = top == top_before or bottom == bottom_before
    return color * (80.0 if weaker else 100.0)


@compiled
def _harami(window: Any, state: Any) -> float:
    if _body(window, 1) <= state.before[_BODY] / 10.0:
        return 0.0
    if _body(window, 0) > state.total[_BODY_LATER] / 10.0:
        return 0.0
    top, bottom = _top(window, 0), _bottom(window, 0)
    top_before, bottom_before = _top(window, 1), _bottom(window, 1)
    if top < top_before and bottom > bottom_before:
        return -100.0 * _color(window, 1)
    if top <= top_before and bottom >= bottom_before:
        return -80.0 * _color(window, 1)
    return 0.0


@compiled
def _star(window: Any, state: Any, side: float) -> bool:
    """Morning star for side +1, evening star for -1."""
    long_first = _body(window, 2) > state.earlier[_BODY] / 10.0 and _color(window, 2) == -side
    short_second = _body(window, 1) <= state.before[_BODY_LATER] / 10.0
    if side > 0.0:
        gap = _top(window, 1) < _bottom(window, 2)
    else:
        gap = _bottom(window, 1) > _top(window, 2)
    long_third = _body(window, 0) > state.total[_BODY_LATEST] / 10.0 and _color(window, 0) == side
    reach = back(window.closes, window.count, 2) + side * (_body(window, 2) * _PENETRATION)
    closes = window.close > reach if side > 0.0 else window.close < reach
    return long_first and short_second and gap and long_third and closes


@compiled
def _roll(state: Any, cell: int, age: int, size: int, new: float, old: float) -> None:
    """Add the newest value to a total that began `age` bars ago and holds `size` values."""
    state.earlier[cell] = state.before[cell]
    state.before[cell] = state.total[cell]
    if age > size:
        state.total[cell] += new - old
    elif age >= 1:
        state.total[cell] += new


@compiled
def _add(window: Any, state: Any) -> None:
    count = window.count
    body, old_body = _body(window, 0), _body(window, 10)
    spread, old_spread = _range(window, 0), _range(window, 10)
    _roll(state, _BODY, count, 10, body, old_body)
    _roll(state, _BODY_LATER, count - 1, 10, body, old_body)
    _roll(state, _BODY_LATEST, count - 2, 10, body, old_body)
    _roll(state, _RANGE, count, 10, spread, old_spread)
    _roll(state, _RANGE_LATER, count - 1, 10, spread, old_spread)
    _roll(state, _NEAR, count - 6, 5, _range(window, 1), _range(window, 6))
