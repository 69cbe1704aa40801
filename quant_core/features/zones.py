"""Smart-money zones: fair value gaps and order blocks, from the bar that makes them until filled.

- **Fair value gap**, bullish: on bar t, low[t] > high[t-2]; the zone is (high[t-2], low[t]). It
  stays open until a later low reaches its lower edge. Bearish mirrored: high[t] < low[t-2], the
  zone (high[t], low[t-2]) is open until a later high reaches its upper edge. The overnight gap
  makes one like any other three bars. The newest 8 open ones of each side are kept.
- **Order block**, bullish: when structure breaks up on bar t, the last black candle (close < open)
  among the 20 bars before t, as the zone [its low, its high]; it replaces the one before and is
  void once a later close is below its low. Bearish mirrored: the last white candle before a break
  down, void once a close is above its high. No such candle: the old block stays.

Nothing repaints: a zone is made at a bar's close and only ever removed by later bars.
"""

from typing import Any

import numpy as np

from quant_core.compiled import compiled
from quant_core.features.feature import COUNT, RATIO, SIGN, Feature
from quant_core.features.smoothing import at, balance, in_units

FAMILY = "smart money"
KEPT = 8
_SEARCH = 20

FEATURES = (
    Feature("fvg", SIGN, 3, "+1 a bullish gap forms on this bar, -1 a bearish one", "ICT"),
    Feature(
        "fvg_size", RATIO, 15, "height of the gap of this bar / atr_14, signed; 0 for none", "ICT"
    ),
    Feature("fvg_bull_open", COUNT, 3, "bullish gaps not yet filled, at most 8", "ICT", high=KEPT),
    Feature("fvg_bear_open", COUNT, 3, "bearish gaps not yet filled, at most 8", "ICT", high=KEPT),
    Feature(
        "fvg_bull_distance",
        RATIO,
        15,
        "(close - upper edge of the newest open bullish gap) / atr_14; 0 for none",
        "ICT",
    ),
    Feature(
        "fvg_bear_distance",
        RATIO,
        15,
        "(lower edge of the newest open bearish gap - close) / atr_14; 0 for none",
        "ICT",
    ),
    Feature(
        "ob_bull_distance",
        RATIO,
        15,
        "(close - high of the bullish order block) / atr_14; 0 for none",
        "ICT",
    ),
    Feature(
        "ob_bear_distance",
        RATIO,
        15,
        "(low of the bearish order block - close) / atr_14; 0 for none",
        "ICT",
    ),
    Feature(
        "in_order_block",
        SIGN,
        5,
        "+1 close inside the bullish block, -1 inside the bearish one, 0 neither or both",
        "ICT",
    ),
)

# Edges of open gaps, oldest first; `near` is the edge that price reaches first. A block with
# `*_high` 0 is none.
STATE = np.dtype(
    [
        ("bull_near", np.float64, (KEPT,)),
        ("bull_far", np.float64, (KEPT,)),
        ("bull_open", np.int64),
        ("bear_near", np.float64, (KEPT,)),
        ("bear_far", np.float64, (KEPT,)),
        ("bear_open", np.int64),
        ("bull_low", np.float64),
        ("bull_high", np.float64),
        ("bear_low", np.float64),
        ("bear_high", np.float64),
    ]
)


@compiled
def step(window: Any, state: Any, broke: int, row: Any) -> None:
    """Fill the zone features; `broke` is the direction of this bar's break of structure."""
    size = _gaps(window, state)
    _blocks(window, state, broke)
    count, close, atr = window.count, window.close, row.atr_14
    row.fvg = np.sign(size) if count >= 3 else np.nan
    row.fvg_bull_open = state.bull_open if count >= 3 else np.nan
    row.fvg_bear_open = state.bear_open if count >= 3 else np.nan
    inside = balance(
        state.bull_low <= close <= state.bull_high, state.bear_low <= close <= state.bear_high
    )
    row.in_order_block = inside if count >= 5 else np.nan
    row.fvg_size = in_units(size, atr, close)
    row.fvg_bull_distance = np.nan
    row.fvg_bear_distance = np.nan
    row.ob_bull_distance = np.nan
    row.ob_bear_distance = np.nan
    if count >= 15:
        bull = state.bull_near[state.bull_open - 1] if state.bull_open > 0 else close
        bear = state.bear_near[state.bear_open - 1] if state.bear_open > 0 else close
        row.fvg_bull_distance = in_units(close - bull, atr, close)
        row.fvg_bear_distance = in_units(bear - close, atr, close)
        bull = state.bull_high if state.bull_high > 0.0 else close
        bear = state.bear_low if state.bear_high > 0.0 else close
        row.ob_bull_distance = in_units(close - bull, atr, close)
        row.ob_bear_distance = in_units(bear - close, atr, close)


@compiled
def _gaps(window: Any, state: Any) -> float:
    """Drop the gaps this bar fills, keep the one it makes; the new gap's signed height."""
    kept = 0
    for k in range(state.bull_open):
        if window.low > state.bull_far[k]:
            state.bull_near[kept] = state.bull_near[k]
            state.bull_far[kept] = state.bull_far[k]
            kept += 1
    state.bull_open = kept
    kept = 0
    for k in range(state.bear_open):
        if window.high < state.bear_far[k]:
            state.bear_near[kept] = state.bear_near[k]
            state.bear_far[kept] = state.bear_far[k]
            kept += 1
    state.bear_open = kept
    if window.count < 3:
        return 0.0
    high, low = at(window.highs, window.now - 2), at(window.lows, window.now - 2)
    size: float = 0.0
    if window.low > high:
        state.bull_open = _keep(state.bull_near, state.bull_far, state.bull_open, window.low, high)
        size = window.low - high
    elif window.high < low:
        state.bear_open = _keep(state.bear_near, state.bear_far, state.bear_open, window.high, low)
        size = window.high - low
    return size


@compiled
def _keep(near: Any, far: Any, count: int, near_edge: float, far_edge: float) -> int:
    """Append a gap, dropping the oldest when there are 8 already; the new count."""
    if count == KEPT:
        for k in range(1, KEPT):
            near[k - 1] = near[k]
            far[k - 1] = far[k]
        count -= 1
    near[count] = near_edge
    far[count] = far_edge
    return count + 1


@compiled
def _blocks(window: Any, state: Any, broke: int) -> None:
    if window.close < state.bull_low:
        state.bull_low = 0.0
        state.bull_high = 0.0
    if window.close > state.bear_high:
        state.bear_low = 0.0
        state.bear_high = 0.0
    if broke == 0:
        return
    for bar in range(window.now - 1, max(window.now - _SEARCH, 0) - 1, -1):
        body = at(window.closes, bar) - at(window.opens, bar)
        if broke > 0 and body < 0.0:
            state.bull_low = at(window.lows, bar)
            state.bull_high = at(window.highs, bar)
            return
        if broke < 0 and body > 0.0:
            state.bear_low = at(window.lows, bar)
            state.bear_high = at(window.highs, bar)
            return
