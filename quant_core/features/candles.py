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
from quant_core.features.smoothing import at

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
    Feature("cdl_marubozu", PATTERN, 11, "long body, hardly any shadows", "TA-Lib CDLMARUBOZU"),
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

_PENETRATION = 0.3

# `total` sums the bars before the newest one; `before` and `earlier` are that sum as it stood one
# and two bars ago.
_TOTAL = np.dtype([("total", np.float64), ("before", np.float64), ("earlier", np.float64)])
STATE = np.dtype(
    [
        (name, _TOTAL)
        for name in ("body", "body_later", "body_latest", "range", "range_later", "near")
    ]
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
        small = _body(window, window.now) <= 0.1 * (state.range.total / 10.0)
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
def _body(window: Any, bar: int) -> float:
    return abs(at(window.closes, bar) - at(window.opens, bar))


@compiled
def _range(window: Any, bar: int) -> float:
    return at(window.highs, bar) - at(window.lows, bar)


@compiled
def _color(window: Any, bar: int) -> float:
    """+1 white, -1 black; a bar that closes where it opened is white."""
    rises = at(window.closes, bar) >= at(window.opens, bar)
    return 1.0 if rises else -1.0


@compiled
def _top(window: Any, bar: int) -> float:
    return max(at(window.closes, bar), at(window.opens, bar))


@compiled
def _bottom(window: Any, bar: int) -> float:
    return min(at(window.closes, bar), at(window.opens, bar))


@compiled
def _marubozu(window: Any, state: Any) -> float:
    hardly = 0.1 * (state.range.total / 10.0)
    found = (
        _body(window, window.now) > state.body.total / 10.0
        and window.high - _top(window, window.now) < hardly
        and _bottom(window, window.now) - window.low < hardly
    )
    return 100.0 * _color(window, window.now) if found else 0.0


@compiled
def _hammer(window: Any, state: Any) -> float:
    body = _body(window, window.now)
    found = (
        body < state.body_later.total / 10.0
        and _bottom(window, window.now) - window.low > body
        and window.high - _top(window, window.now) < 0.1 * (state.range_later.total / 10.0)
        and _bottom(window, window.now) <= window.previous_low + 0.2 * (state.near.total / 5.0)
    )
    return 100.0 if found else 0.0


@compiled
def _shooting_star(window: Any, state: Any) -> float:
    body = _body(window, window.now)
    found = (
        _bottom(window, window.now) > _top(window, window.now - 1)
        and body < state.body_later.total / 10.0
        and window.high - _top(window, window.now) > body
        and _bottom(window, window.now) - window.low < 0.1 * (state.range_later.total / 10.0)
    )
    return -100.0 if found else 0.0


@compiled
def _engulfing(window: Any) -> float:
    color = _color(window, window.now)
    if color == _color(window, window.now - 1):
        return 0.0
    top, bottom, top_before, bottom_before = (
        _top(window, window.now),
        _bottom(window, window.now),
        _top(window, window.now - 1),
        _bottom(window, window.now - 1),
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
    if _body(window, window.now - 1) <= state.body.before / 10.0:
        return 0.0
    if _body(window, window.now) > state.body_later.total / 10.0:
        return 0.0
    top, bottom = _top(window, window.now), _bottom(window, window.now)
    top_before, bottom_before = _top(window, window.now - 1), _bottom(window, window.now - 1)
    if top < top_before and bottom > bottom_before:
        return -100.0 * _color(window, window.now - 1)
    if top <= top_before and bottom >= bottom_before:
        return -80.0 * _color(window, window.now - 1)
    return 0.0


@compiled
def _star(window: Any, state: Any, side: float) -> bool:
    """Morning star for side +1, evening star for -1."""
    now, before, first = window.now, window.now - 1, window.now - 2
    if _color(window, first) != -side or _color(window, now) != side:
        return False
    if _body(window, first) <= state.body.earlier / 10.0:
        return False
    if _body(window, before) > state.body_later.before / 10.0:
        return False
    if _body(window, now) <= state.body_latest.total / 10.0:
        return False
    reach = side * (_body(window, first) * _PENETRATION)
    if side > 0.0:
        gaps = _top(window, before) < _bottom(window, first)
        return gaps and window.close > at(window.closes, first) + reach
    gaps = _bottom(window, before) > _top(window, first)
    return gaps and window.close < at(window.closes, first) + reach


@compiled
def _roll(sum: Any, age: int, size: float, new: float, old: float) -> None:
    """Add the newest value to a total that began `age` bars ago and holds `size` values."""
    sum.earlier = sum.before
    sum.before = sum.total
    if age > size:
        sum.total += new - old
    elif age >= 1:
        sum.total += new


@compiled
def _add(window: Any, state: Any) -> None:
    count, now = window.count, window.now
    body, old_body = _body(window, now), _body(window, now - 10)
    spread, old_spread = _range(window, now), _range(window, now - 10)
    _roll(state.body, count, 10.0, body, old_body)
    _roll(state.body_later, count - 1, 10.0, body, old_body)
    _roll(state.body_latest, count - 2, 10.0, body, old_body)
    _roll(state.range, count, 10.0, spread, old_spread)
    _roll(state.range_later, count - 1, 10.0, spread, old_spread)
    _roll(state.near, count - 6, 5.0, _range(window, now - 1), _range(window, now - 6))
