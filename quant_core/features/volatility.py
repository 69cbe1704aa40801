"""Volatility: true range and its averages, Bollinger and Keltner channels, the squeeze."""

import math
from typing import Any

import numpy as np

from quant_core.compiled import compiled
from quant_core.features.feature import COUNT, DIFFERENCE, FLAG, PERCENT, PRICE, RATIO, Feature
from quant_core.features.smoothing import (
    CELL,
    ROUNDING,
    at,
    deviation,
    exponential,
    in_units,
    mean,
    quotient,
    wilder,
)

FAMILY = "volatility"
FEATURES = (
    Feature(
        "true_range",
        DIFFERENCE,
        2,
        "max(high, previous close) - min(low, previous close)",
        "TA-Lib TRANGE",
        low=0.0,
    ),
    Feature("atr_14", DIFFERENCE, 15, "Wilder average of true_range, 14", "TA-Lib ATR", low=0.0),
    Feature("natr_14", PERCENT, 15, "100 * atr_14 / close", "TA-Lib NATR", high=math.inf),
    Feature(
        "bb_upper",
        PRICE,
        20,
        "sma_20 + 2 population deviations of 20 closes",
        "TA-Lib BBANDS(20, 2)",
    ),
    Feature(
        "bb_lower",
        PRICE,
        20,
        "sma_20 - 2 population deviations of 20 closes",
        "TA-Lib BBANDS(20, 2)",
        low=-math.inf,
    ),
    Feature("bb_width", RATIO, 20, "(bb_upper - bb_lower) / sma_20", "Bollinger", low=0.0),
    Feature(
        "bb_percent_b",
        RATIO,
        20,
        "(close - bb_lower) / (bb_upper - bb_lower); 0.5 when the closes are all equal",
        "Bollinger",
    ),
    Feature(
        "kc_upper",
        PRICE,
        20,
        "EMA-20 of typical price + 1.5 * Wilder ATR-10",
        "TA-Lib KC(20, 10, 1.5)",
    ),
    Feature(
        "kc_lower",
        PRICE,
        20,
        "EMA-20 of typical price - 1.5 * Wilder ATR-10",
        "TA-Lib KC(20, 10, 1.5)",
        low=-math.inf,
    ),
    Feature(
        "kc_position",
        RATIO,
        20,
        "(close - middle) / (kc_upper - middle); 0 when the channel has no width",
        "Keltner, Raschke",
    ),
    Feature(
        "squeeze",
        FLAG,
        20,
        "1 when bb_upper < kc_upper and bb_lower > kc_lower",
        "Carter, TTM squeeze",
    ),
    Feature(
        "squeeze_bars",
        COUNT,
        20,
        "bars the squeeze has been on, this one included; at most 100",
        "Carter, TTM squeeze",
        high=100.0,
    ),
)

STATE = np.dtype(
    [
        ("atr_14", CELL),
        ("atr_10", CELL),
        ("closes", CELL),
        ("typical", CELL),
        ("squeezed", np.int64),
    ]
)


@compiled
def step(window: Any, state: Any, row: Any) -> None:
    """Fill the volatility features of the newest bar."""
    count, now, close = window.count, window.now, window.close
    true_range, atr_14, atr_10 = np.nan, np.nan, np.nan
    if count > 1:
        previous = window.previous_close
        true_range = max(window.high, previous) - min(window.low, previous)
        atr_14 = wilder(state.atr_14, now, true_range, 14.0)
    if count > 10:  # TA-Lib's KC starts its ATR with the EMA's first value, at bar 20
        atr_10 = wilder(state.atr_10, count - 10, true_range, 10.0)
    row.true_range = true_range
    row.atr_14 = atr_14
    row.natr_14 = 100.0 * atr_14 / close

    average = mean(state.closes, count, close, at(window.closes, now - 19), 20.0)
    spread = np.nan
    if count >= 20:
        spread = deviation(window.closes, now - 19, now, average)
        if spread <= ROUNDING * average:
            spread = 0.0
    row.bb_upper = average + 2.0 * spread
    row.bb_lower = average - 2.0 * spread
    row.bb_width = 4.0 * spread / average
    row.bb_percent_b = 0.5 + quotient(close - average, 4.0 * spread, 0.0)

    middle = exponential(state.typical, count, window.typical, 20.0)
    half = 1.5 * atr_10
    row.kc_upper = middle + half
    row.kc_lower = middle - half
    row.kc_position = in_units(close - middle, half, close)
    _squeeze(count, state, row)


@compiled
def _squeeze(count: int, state: Any, row: Any) -> None:
    row.squeeze = np.nan
    row.squeeze_bars = np.nan
    if count >= 20:
        squeezed = row.bb_upper < row.kc_upper and row.bb_lower > row.kc_lower
        state.squeezed = min(state.squeezed + 1, 100) if squeezed else 0
        row.squeeze = 1.0 if squeezed else 0.0
        row.squeeze_bars = state.squeezed
