"""Moving averages, the close's distance from them, their slopes, and the order of the ribbon."""

from typing import Any

import numpy as np

from quant_core.compiled import compiled
from quant_core.features.feature import COUNT, PRICE, RATIO, Feature
from quant_core.features.smoothing import CELL, at, exponential, in_units, mean, same

FAMILY = "moving averages"
_PERIODS = (5, 10, 20, 50, 100, 200)
_SLOPE = "({0} - {0} 3 bars ago) / atr_14; 0 when atr_14 is 0"

FEATURES = (
    *(Feature(f"sma_{n}", PRICE, n, f"mean of {n} closes", "TA-Lib SMA") for n in _PERIODS),
    *(
        Feature(
            f"ema_{n}", PRICE, n, f"EMA of close, factor 2/{n + 1}, seeded by SMA", "TA-Lib EMA"
        )
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
        COUNT,
        200,
        "of the 5 neighbours in EMA 5, 10, 20, 50, 100, 200: pairs with the shorter above, "
        "less pairs with the shorter below",
        "Guppy ribbon",
        low=-5.0,
        high=5.0,
    ),
)

_SLOPE_BARS = 3

# A line's last values: the slot of a bar is its number modulo 4.
_LINE = np.dtype([("past", np.float64, (4,))])

STATE = np.dtype(
    [
        *((f"sma_{n}", CELL) for n in _PERIODS),
        *((f"ema_{n}", CELL) for n in _PERIODS),
        ("money", CELL),
        ("volume", CELL),
        ("sma_20_line", _LINE),
        ("sma_50_line", _LINE),
        ("ema_20_line", _LINE),
    ]
)


@compiled
def step(window: Any, state: Any, row: Any) -> None:
    """Fill the moving averages of the newest bar; `row.atr_14` is already there."""
    count, now, close, ring = window.count, window.now, window.close, window.closes
    row.sma_5 = mean(state.sma_5, count, close, at(ring, now - 4), 5.0)
    row.sma_10 = mean(state.sma_10, count, close, at(ring, now - 9), 10.0)
    row.sma_20 = mean(state.sma_20, count, close, at(ring, now - 19), 20.0)
    row.sma_50 = mean(state.sma_50, count, close, at(ring, now - 49), 50.0)
    row.sma_100 = mean(state.sma_100, count, close, at(ring, now - 99), 100.0)
    row.sma_200 = mean(state.sma_200, count, close, at(ring, now - 199), 200.0)
    row.ema_5 = exponential(state.ema_5, count, close, 5.0)
    row.ema_10 = exponential(state.ema_10, count, close, 10.0)
    row.ema_20 = exponential(state.ema_20, count, close, 20.0)
    row.ema_50 = exponential(state.ema_50, count, close, 50.0)
    row.ema_100 = exponential(state.ema_100, count, close, 100.0)
    row.ema_200 = exponential(state.ema_200, count, close, 200.0)
    row.vwma_20 = _volume_weighted(window, state, row.sma_20)
    row.price_to_sma_20 = close / row.sma_20 - 1.0
    row.price_to_sma_50 = close / row.sma_50 - 1.0
    row.price_to_sma_200 = close / row.sma_200 - 1.0
    row.price_to_ema_20 = close / row.ema_20 - 1.0
    row.price_to_vwma_20 = close / row.vwma_20 - 1.0
    row.sma_20_slope = _slope(window, state.sma_20_line, row.sma_20, row.atr_14, 20.0)
    row.sma_50_slope = _slope(window, state.sma_50_line, row.sma_50, row.atr_14, 50.0)
    row.ema_20_slope = _slope(window, state.ema_20_line, row.ema_20, row.atr_14, 20.0)
    row.ribbon_count = (
        _order(row.ema_5, row.ema_10)
        + _order(row.ema_10, row.ema_20)
        + _order(row.ema_20, row.ema_50)
        + _order(row.ema_50, row.ema_100)
        + _order(row.ema_100, row.ema_200)
    )


@compiled
def _volume_weighted(window: Any, state: Any, plain: float) -> float:
    old_volume = at(window.volumes, window.now - 19)
    old_money = at(window.closes, window.now - 19) * old_volume
    money = mean(state.money, window.count, window.close * window.volume, old_money, 20.0)
    volume = mean(state.volume, window.count, window.volume, old_volume, 20.0)
    if window.idle >= 20:
        state.money.value = 0.0
        state.volume.value = 0.0
        return plain
    return money / volume


@compiled
def _slope(window: Any, line: Any, value: float, atr: float, period: float) -> float:
    """Change of a line over 3 bars per ATR; the line is first known at `period` bars."""
    before = line.past[(window.now - _SLOPE_BARS) & 3]
    line.past[window.now & 3] = value
    if window.count < period + _SLOPE_BARS:
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
