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
from quant_core.features.smoothing import at

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

# The latest swing of a side: its bar, price and oscillators. A price of 0: none yet.
_SWING = np.dtype(
    [("bar", np.int64), ("price", np.float64), ("rsi", np.float64), ("macd", np.float64)]
)
STATE = np.dtype(
    [
        ("low", _SWING),
        ("high", _SWING),
        ("rsi", np.float64, (4,)),
        ("macd", np.float64, (4,)),
    ]
)


@compiled
def step(window: Any, state: Any, new_low: int, new_high: int, row: Any) -> None:
    """Fill the divergences; `new_low`, `new_high`: a swing became known on this bar."""
    bar = window.now - 2
    state.rsi[window.now & 3] = row.rsi_14
    state.macd[window.now & 3] = row.macd
    rsi, macd = state.rsi[bar & 3], state.macd[bar & 3]
    row.rsi_divergence_bull = 0.0
    row.rsi_divergence_bear = 0.0
    row.macd_divergence_bull = 0.0
    row.macd_divergence_bear = 0.0
    if new_low:
        price, last = at(window.lows, bar), state.low
        if price < last.price and bar - last.bar <= _REACH:
            row.rsi_divergence_bull = 1.0 if rsi > last.rsi else 0.0
            row.macd_divergence_bull = 1.0 if macd > last.macd else 0.0
        _remember(last, bar, price, rsi, macd)
    if new_high:
        price, last = at(window.highs, bar), state.high
        if last.price > 0.0 and price > last.price and bar - last.bar <= _REACH:
            row.rsi_divergence_bear = 1.0 if rsi < last.rsi else 0.0
            row.macd_divergence_bear = 1.0 if macd < last.macd else 0.0
        _remember(last, bar, price, rsi, macd)
    if window.count < 17:
        row.rsi_divergence_bull = np.nan
        row.rsi_divergence_bear = np.nan
    if window.count < 36:
        row.macd_divergence_bull = np.nan
        row.macd_divergence_bear = np.nan


@compiled
def _remember(swing: Any, bar: int, price: float, rsi: float, macd: float) -> None:
    swing.bar = bar
    swing.price = price
    swing.rsi = rsi
    swing.macd = macd
