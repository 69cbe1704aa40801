"""Returns, EMA crosses, the trend they make, and interactions of features of other families."""

from typing import Any

import numpy as np

from quant_core.compiled import compiled
from quant_core.features.feature import COUNT, DIFFERENCE, RATIO, SIGN, Feature
from quant_core.features.momentum import change_since
from quant_core.features.smoothing import CELL, exponential, in_units, same

FAMILY = "derived"
_CROSS = "bars since EMA-{0} crossed above (+) or below (-) EMA-{1}, the cross being 1; at most 100"

FEATURES = (
    *(
        Feature(
            f"return_{n}", RATIO, n + 1, f"close / close {n} bars ago - 1", "standard", low=-1.0
        )
        for n in (1, 5, 15)
    ),
    Feature("return_atr", RATIO, 15, "(close - previous close) / atr_14", "standard"),
    Feature("macd_hist_slope", DIFFERENCE, 35, "macd_hist - macd_hist of the bar before", "Elder"),
    *(
        Feature(
            f"ema_cross_{fast}_{slow}",
            COUNT,
            slow,
            _CROSS.format(fast, slow),
            "standard",
            low=-100.0,
            high=100.0,
        )
        for fast, slow in ((5, 20), (12, 26))
    ),
    Feature(
        "trend",
        SIGN,
        50,
        "+1 when close > ema_20 > ema_50, -1 when close < ema_20 < ema_50, else 0",
        "standard",
    ),
    Feature("trend_adx", RATIO, 50, "trend * adx_14 / 100", "interaction", low=-1.0, high=1.0),
    Feature(
        "rsi_volume",
        RATIO,
        21,
        "(rsi_14 - 50) / 50 * volume_ratio_20",
        "interaction",
        uses_volume=True,
    ),
    Feature(
        "vwap_volume",
        RATIO,
        21,
        "vwap_position * volume_ratio_20",
        "interaction",
        uses_volume=True,
    ),
)

_LONGEST = 100.0

STATE = np.dtype(
    [
        ("ema_12", CELL),
        ("ema_26", CELL),
        ("cross_5_20", CELL),
        ("cross_12_26", CELL),
        ("macd_hist", np.float64),
    ]
)


@compiled
def step(window: Any, state: Any, row: Any) -> None:
    """Fill the derived features; every other family of the row is already there."""
    count, close = window.count, window.close
    row.return_1 = change_since(window, 1.0)
    row.return_5 = change_since(window, 5.0)
    row.return_15 = change_since(window, 15.0)
    row.return_atr = in_units(close - window.previous_close, row.atr_14, close)
    row.macd_hist_slope = row.macd_hist - state.macd_hist if count >= 35 else np.nan
    state.macd_hist = row.macd_hist
    fast = exponential(state.ema_12, count, close, 12.0)
    slow = exponential(state.ema_26, count, close, 26.0)
    row.ema_cross_5_20 = _cross(state.cross_5_20, row.ema_5, row.ema_20)
    row.ema_cross_12_26 = _cross(state.cross_12_26, fast, slow)
    row.trend = np.nan
    if count >= 50:
        price_side = _side(close, row.ema_20)
        row.trend = price_side if price_side == _side(row.ema_20, row.ema_50) else 0.0
    row.trend_adx = row.trend * row.adx_14 / 100.0
    row.rsi_volume = (row.rsi_14 - 50.0) / 50.0 * row.volume_ratio_20
    row.vwap_volume = row.vwap_position * row.volume_ratio_20


@compiled
def _side(one: float, other: float) -> float:
    """+1 when the first lies above, -1 below, 0 when they differ by rounding only."""
    if same(one, other):
        return 0.0
    return 1.0 if one > other else -1.0


@compiled
def _cross(age: Any, fast: float, slow: float) -> float:
    """Signed age of the latest crossing; equal averages cross nothing and age it."""
    if np.isnan(slow):
        return np.nan
    side = _side(fast, slow)
    if side == 0.0:
        side = np.sign(age.value)
    bars = age.value + side if age.value * side > 0.0 else side
    age.value = min(max(bars, -_LONGEST), _LONGEST)
    return float(age.value)
