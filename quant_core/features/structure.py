"""Smart-money concepts: swings, breaks of structure, sweeps, displacement and premium/discount.

Definitions. None repaints: each is decided at a bar's close from closed bars, and stands.

- **Swing high**: a high strictly above the highs of the 2 bars on each side. It is known 2 bars
  later, at the close of the second bar after it. Swing low mirrored. (DOMAIN.md: fractal width 2.)
- **Ceiling, floor**: the latest swing high that no close has gone above since it became known, the
  latest swing low that no close has gone below. A newer swing replaces an older one.
- **Break up**: close above the ceiling, which is then used up; break down mirrored. The first
  break, and one in the direction of the structure, is a *break of structure* (`bos`); one against
  it is a *change of character* (`choch`) and turns the structure.
- **Liquidity sweep**: the high goes above the ceiling and the close comes back below it
  (`sweep_high`, bearish); mirrored at the floor (`sweep_low`, bullish). The level stays.
- **Displacement**: a body of at least 1.5 times the ATR-14 of the bar before and at least 60 % of
  its own bar's range, in the direction of the body.
- **Premium/discount**: where the close lies between the latest swing low (-1) and the latest swing
  high (+1), broken or not; clipped; 0 while there is no such range.

Fair value gaps and order blocks are in `quant_core.features.zones`. Distances are in ATR-14 and 0
while there is nothing to measure to.
"""

from typing import Any

import numpy as np

from quant_core.compiled import compiled
from quant_core.features.feature import COUNT, FLAG, RATIO, SIGN, Feature
from quant_core.features.smoothing import at, in_units

FAMILY = "smart money"
LONG_AGO = 100

FEATURES = (
    Feature("structure_trend", SIGN, 5, "direction of the latest break; 0 before any", "ICT"),
    Feature("bos", SIGN, 5, "+1 break of structure up on this bar, -1 down", "ICT"),
    Feature("choch", SIGN, 5, "+1 change of character up on this bar, -1 down", "ICT"),
    Feature(
        "bars_since_bos", COUNT, 5, "bars since the latest bos; 100 for more or none", "ICT",
        high=LONG_AGO,
    ),
    Feature(
        "bars_since_choch", COUNT, 5, "bars since the latest choch; 100 for more or none", "ICT",
        high=LONG_AGO,
    ),
    Feature("swing_high_distance", RATIO, 15, "(latest swing high - close) / atr_14", "ICT"),
    Feature("swing_low_distance", RATIO, 15, "(close - latest swing low) / atr_14", "ICT"),
    Feature("sweep_high", FLAG, 5, "1 when the high swept the ceiling, the close fell back", "ICT"),
    Feature("sweep_low", FLAG, 5, "1 when the low swept the floor, the close came back", "ICT"),
    Feature(
        "bars_since_sweep", COUNT, 5, "bars since either sweep; 100 for more or none", "ICT",
        high=LONG_AGO,
    ),
    Feature("displacement", SIGN, 16, "direction of a displacement bar, else 0", "ICT"),
    Feature(
        "displacement_size", RATIO, 16, "(close - open) / atr_14 of the bar before", "ICT",
    ),
    Feature(
        "premium_discount", RATIO, 5, "close in the swing range, -1 at its low, +1 at its high",
        "ICT", low=-1.0, high=1.0,
    ),
)  # fmt: skip

_DISPLACEMENT_ATR = 1.5
_DISPLACEMENT_BODY = 0.6

# `swing_*` 0: none yet; `ceiling`, `floor` 0: used up or none. `new_high`, `new_low`: a swing
# became known on this bar. `bos_bar` and the like are bar counts, 0 for never.
STATE = np.dtype(
    [
        ("swing_high", np.float64),
        ("swing_low", np.float64),
        ("ceiling", np.float64),
        ("floor", np.float64),
        ("trend", np.int64),
        ("broke", np.int64),
        ("new_high", np.int64),
        ("new_low", np.int64),
        ("bos_bar", np.int64),
        ("choch_bar", np.int64),
        ("sweep_bar", np.int64),
        ("atr_before", np.float64),
    ]
)


@compiled
def step(window: Any, state: Any, row: Any) -> None:
    """Fill the structure features of the newest bar; `row.atr_14` is already there."""
    count = window.count
    find_swings(window, state)
    _sweeps(window, state, row)
    _breaks(window, state, row)
    _displacement(window, state, row)
    atr, close = row.atr_14, window.close
    row.swing_high_distance = np.nan
    row.swing_low_distance = np.nan
    if count >= 15:
        high, low = state.swing_high, state.swing_low
        row.swing_high_distance = in_units(high - close, atr, close) if high > 0.0 else 0.0
        row.swing_low_distance = in_units(close - low, atr, close) if low > 0.0 else 0.0
    row.premium_discount = _position(state, close)
    row.structure_trend = state.trend
    row.bars_since_bos = _since(count, state.bos_bar)
    row.bars_since_choch = _since(count, state.choch_bar)
    row.bars_since_sweep = _since(count, state.sweep_bar)
    if count < 5:
        _blank(row)


@compiled
def find_swings(window: Any, state: Any) -> None:
    """Note the swing, if any, that this bar makes known: the bar two before it."""
    state.new_high = 0
    state.new_low = 0
    if window.count < 5:
        return
    high, low = at(window.highs, window.now - 2), at(window.lows, window.now - 2)
    is_high, is_low = True, True
    for k in (0, 1, 3, 4):
        is_high = is_high and high > at(window.highs, window.now - k)
        is_low = is_low and low < at(window.lows, window.now - k)
    if is_high:
        state.swing_high = high
        state.ceiling = high
        state.new_high = 1
    if is_low:
        state.swing_low = low
        state.floor = low
        state.new_low = 1


@compiled
def _sweeps(window: Any, state: Any, row: Any) -> None:
    row.sweep_high = 0.0
    row.sweep_low = 0.0
    if state.ceiling > 0.0 and window.high > state.ceiling and window.close < state.ceiling:
        row.sweep_high = 1.0
        state.sweep_bar = window.count
    if state.floor > 0.0 and window.low < state.floor and window.close > state.floor:
        row.sweep_low = 1.0
        state.sweep_bar = window.count


@compiled
def _breaks(window: Any, state: Any, row: Any) -> None:
    row.bos = 0.0
    row.choch = 0.0
    state.broke = 0
    if state.ceiling > 0.0 and window.close > state.ceiling:
        state.broke = 1
        state.ceiling = 0.0
    elif state.floor > 0.0 and window.close < state.floor:
        state.broke = -1
        state.floor = 0.0
    if state.broke == 0:
        return
    if state.trend == -state.broke:
        row.choch = state.broke
        state.choch_bar = window.count
    else:
        row.bos = state.broke
        state.bos_bar = window.count
    state.trend = state.broke


@compiled
def _displacement(window: Any, state: Any, row: Any) -> None:
    before = state.atr_before
    state.atr_before = row.atr_14
    row.displacement = np.nan
    row.displacement_size = np.nan
    if window.count < 16:
        return
    body = window.close - window.open
    row.displacement_size = in_units(body, before, window.close)
    strong = (
        body != 0.0
        and abs(body) >= _DISPLACEMENT_ATR * before
        and abs(body) >= _DISPLACEMENT_BODY * (window.high - window.low)
    )
    row.displacement = np.sign(body) if strong else 0.0


@compiled
def _position(state: Any, close: float) -> float:
    high, low = state.swing_high, state.swing_low
    if low <= 0.0 or high <= low:
        return 0.0
    position: float = 2.0 * (close - low) / (high - low) - 1.0
    return min(max(position, -1.0), 1.0)


@compiled
def _since(count: int, bar: int) -> float:
    return float(min(count - bar, LONG_AGO)) if bar > 0 else float(LONG_AGO)


@compiled
def _blank(row: Any) -> None:
    row.structure_trend = np.nan
    row.bos = np.nan
    row.choch = np.nan
    row.bars_since_bos = np.nan
    row.bars_since_choch = np.nan
    row.bars_since_sweep = np.nan
    row.sweep_high = np.nan
    row.sweep_low = np.nan
    row.premium_discount = np.nan
