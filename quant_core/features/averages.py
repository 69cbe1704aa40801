"""Moving averages, the close's distance from them, their slopes, and the order of the ribbon."""

from typing import Any

import numpy as np

from quant_core.compiled import compiled
from quant_core.features.feature import PRICE, RATIO, Feature
from quant_core.features.smoothing import back, exponential, in_units, mean, same

FAMILY = "moving averages"
_PERIODS = (5, 10, 20, 50, 100, 200)
_SLOPE = "({0} - {0} 3 bars ago) / atr_14; 0 when atr_14 is 0"

FEATURES = (
    *(Feature(f"sma_{n}", PRICE, n, f"mean of {n} closes", "TA-Lib SMA") for n in _PERIODS),
    *(
        Feature(f"ema_{n}", PRICE, n, f"EMA of close, factor 2/{n + 1}, seeded by SMA", "TA-Lib EMA")
        for n in _PERIODS
    ),
    Feature(
        "vwma_20",
        PRICE,
        20,
        "sum(close * volume, 20) / sum(volume, 20); sma_20 when there is no volume",
        "TA-Lib VWMA",
        uses_volume=True,
    ),
    *(
        Feature(f"price_to_{name}", RATIO, n, f"close / {name} - 1", "standard", low=-1.0)
        for name, n in (("sma_20", 20), ("sma_50", 50), ("sma_200", 200), ("ema_20", 20))
    ),
    Feature(
        "price_to_vwma_20",
        RATIO,
        20,
        "close / vwma_20 - 1",
        "standard",
        low=-1.0,
        uses_volume=True,
    ),
    Feature("sma_20_slope", RATIO, 23, _SLOPE.format("sma_20"), "DOMAIN.md 2, R16"),
    Feature("sma_50_slope", RATIO, 53, _SLOPE.format("sma_50"), "DOMAIN.md 2, R16"),
    Feature("ema_20_slope", RATIO, 23, _SLOPE.format("ema_20"), "DOMAIN.md 2, R16"),
    Feature(
        "ribbon_count",
        RATIO,
        200,
        "of the 5 neighbours in EMA 5, 10, 20, 50, 100, 200: pairs with the shorter above, "
        "less pairs with the shorter below",
        "Guppy ribbon",
        low=-5.0,
        high=5.0,
    ),
)

_MONEY, _VOLUME = 6, 7
_SMA_20, _SMA_50, _EMA_20 = range(3)
_SLOPE_BARS = 3

STATE = np.dtype(
    [("sum", np.float64, (8,)), ("ema", np.float64, (6,)), ("past", np.float64, (3, 4))]
)


@compiled
def step(window: Any, state: Any, row: Any) -> None:
    """Fill the moving averages of the newest bar; `row.atr_14` is already there."""
    count, close, ring = window.count, window.close, window.closes
    row.sma_5 = mean(state.sum, 0, count, close, back(ring, count, 4), 5)
    row.sma_10 = mean(state.sum, 1, count, close, back(ring, count, 9), 10)
    row.sma_20 = mean(state.sum, 2, count, close, back(ring, count, 19), 20)
    row.sma_50 = mean(state.sum, 3, count, close, back(ring, count, 49), 50)
    row.sma_100 = mean(state.sum, 4, count, close, back(ring, count, 99), 100)
    row.sma_200 = mean(state.sum, 5, count, close, back(ring, count, 199), 200)
    row.ema_5 = exponential(state.ema, 0, count, close, 5)
    row.ema_10 = exponential(state.ema, 1, count, close, 10)
    row.ema_20 = exponential(state.ema, 2, count, close, 20)
    row.ema_50 = exponential(state.ema, 3, count, close, 50)
    row.ema_100 = exponential(state.ema, 4, count, close, 100)
    row.ema_200 = exponential(state.ema, 5, count, close, 200)
    row.vwma_20 = _volume_weighted(window, state, row.sma_20)
    row.price_to_sma_20 = close / row.sma_20 - 1.0
    row.price_to_sma_50 = close / row.sma_50 - 1.0
    row.price_to_sma_200 = close / row.sma_200 - 1.0
    row.price_to_ema_20 = close / row.ema_20 - 1.0
    row.price_to_vwma_20 = close / row.vwma_20 - 1.0
    row.sma_20_slope = _slope(window, state, _SMA_20, row.sma_20, row.atr_14, 20)
    row.sma_50_slope = _slope(window, state, _SMA_50, row.sma_50, row.atr_14, 50)
    row.ema_20_slope = _slope(window, state, _EMA_20, row.ema_20, row.atr_14, 20)
    row.ribbon_count = (
        _order(row.ema_5, row.ema_10)
        + _order(row.ema_10, row.ema_20)
        + _order(row.ema_20, row.ema_50)
        + _order(row.ema_50, row.ema_100)
        + _order(row.ema_100, row.ema_200)
    )


@compiled
def _volume_weighted(window: Any, state: Any, plain: float) -> float:
    count = window.count
    old_volume = back(window.volumes, count, 19)
    old_money = back(window.closes, count, 19) * old_volume
    money = mean(state.sum, _MONEY, count, window.close * window.volume, old_money, 20)
    volume = mean(state.sum, _VOLUME, count, window.volume, old_volume, 20)
    if window.idle >= 20:
        state.sum[_MONEY] = 0.0
        state.sum[_VOLUME] = 0.0
        return plain
    return money / volume


@compiled
def _slope(window: Any, state: Any, line: int, value: float, atr: float, period: int) -> float:
    """Change of a line over 3 bars per ATR; the line is first known at `period` bars."""
    count = window.count
    before = state.past[line, (count - _SLOPE_BARS) & _SLOPE_BARS]
    state.past[line, count & _SLOPE_BARS] = value
    if count < period + _SLOPE_BARS:
        return np.nan
    return in_units(value - before, atr, window.close)


@compiled
def _order(shorter: float, longer: float) -> float:
    """+1 when the shorter average is above, -1 below, 0 equal; NaN while the longer is unknown."""
    if np.isnan(longer):
        return np.nan
    if same(shorter, longer):
        return 0.0
    return 1.0 if shorter > longer else -1.0
