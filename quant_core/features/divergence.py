"""Regular divergences between price swings and an oscillator, on the bar that makes them known.

Bullish: a swing low becomes known (2 bars after it, see `structure`), it lies at most 60 bars
after the swing low before it and strictly below it, and the oscillator on the swing's own bar is
strictly higher than on the earlier swing's bar. The value is 1 on that bar only and never changes
afterwards. Bearish mirrored on swing highs. A swing at which the oscillator was not yet known
makes no divergence.
"""

from typing import Any

import numpy as np

from quant_core.compiled import compiled
from quant_core.features.feature import FLAG, Feature
from quant_core.features.smoothing import back

FAMILY = "divergence"
FEATURES = tuple(
    Feature(
        f"{name}_divergence_{side}",
        FLAG,
        warm_up,
        f"1 when a {swing} price swing is confirmed with {oscillator} {other}",
        "Wilder; Murphy",
    )
    for name, oscillator, warm_up in (("rsi", "rsi_14", 17), ("macd", "macd", 36))
    for side, swing, other in (("bull", "lower low", "higher"), ("bear", "higher high", "lower"))
)

_REACH = 60
_LOW, _HIGH = range(2)

# Of the latest swing low and high: its bar, price, RSI and MACD; and both oscillators of the
# newest bars.
STATE = np.dtype(
    [
        ("bar", np.int64, (2,)),
        ("price", np.float64, (2,)),
        ("swing_rsi", np.float64, (2,)),
        ("swing_macd", np.float64, (2,)),
        ("rsi", np.float64, (4,)),
        ("macd", np.float64, (4,)),
    ]
)


@compiled
def step(window: Any, state: Any, new_low: int, new_high: int, row: Any) -> None:
    """Fill the divergences; `new_low`, `new_high`: a swing became known on this bar."""
    count = window.count
    state.rsi[count & 3] = row.rsi_14
    state.macd[count & 3] = row.macd
    row.rsi_divergence_bull = 0.0
    row.rsi_divergence_bear = 0.0
    row.macd_divergence_bull = 0.0
    row.macd_divergence_bear = 0.0
    rsi, macd = state.rsi[(count - 2) & 3], state.macd[(count - 2) & 3]
    if new_low:
        price = back(window.lows, count, 2)
        if price < state.price[_LOW] and count - 2 - state.bar[_LOW] <= _REACH:
            row.rsi_divergence_bull = 1.0 if rsi > state.swing_rsi[_LOW] else 0.0
            row.macd_divergence_bull = 1.0 if macd > state.swing_macd[_LOW] else 0.0
        _remember(state, _LOW, count - 2, price, rsi, macd)
    if new_high:
        price = back(window.highs, count, 2)
        if price > state.price[_HIGH] and count - 2 - state.bar[_HIGH] <= _REACH:
            row.rsi_divergence_bear = 1.0 if rsi < state.swing_rsi[_HIGH] else 0.0
            row.macd_divergence_bear = 1.0 if macd < state.swing_macd[_HIGH] else 0.0
        _remember(state, _HIGH, count - 2, price, rsi, macd)
    if count < 17:
        row.rsi_divergence_bull = np.nan
        row.rsi_divergence_bear = np.nan
    if count < 36:
        row.macd_divergence_bull = np.nan
        row.macd_divergence_bear = np.nan


@compiled
def _remember(state: Any, side: int, bar: int, price: float, rsi: float, macd: float) -> None:
    state.bar[side] = bar
    state.price[side] = price
    state.swing_rsi[side] = rsi
    state.swing_macd[side] = macd
