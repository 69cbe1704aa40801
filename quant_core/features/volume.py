"""Volume: how much, against what is usual, and on which side it traded.

On the `iex` feed volume is a small part of the tape; `Quality.VOLUME_UNRELIABLE` says so.
"""

from typing import Any

import numpy as np

from quant_core.compiled import compiled
from quant_core.features.feature import MONEY, RATIO, VOLUME, Feature
from quant_core.features.smoothing import (
    CELL,
    MASK,
    RING,
    ROUNDING,
    at,
    deviation,
    exponential,
    mean,
    quotient,
)

FAMILY = "volume"
_RATIO = "volume / mean volume of the {0} bars before; 0 when they had none"

FEATURES = (
    Feature("volume_sma_20", VOLUME, 20, "mean of 20 volumes", "TA-Lib SMA", low=0.0),
    *(
        Feature(f"volume_ratio_{n}", RATIO, n + 1, _RATIO.format(n), "TA-Lib RVOL", low=0.0)
        for n in (5, 20, 50)
    ),
    Feature(
        "volume_zscore_20",
        RATIO,
        20,
        "(volume - mean) / population deviation of 20 volumes; 0 when all are equal",
        "standard",
    ),
    Feature(
        "obv",
        VOLUME,
        1,
        "running sum of volume, signed by the change of close, from the first bar of the history, "
        "which counts as rising",
        "TA-Lib OBV",
    ),
    Feature(
        "obv_slope_10",
        RATIO,
        11,
        "change of obv over 10 bars / sum of their volumes; 0 when there is none",
        "Granville, scaled",
        low=-1.0,
        high=1.0,
    ),
    Feature(
        "ad_line",
        VOLUME,
        1,
        "running sum of ((close - low) - (high - close)) / (high - low) * volume from the first "
        "bar of the history; a bar without range adds 0",
        "TA-Lib AD",
    ),
    Feature("ad_osc", VOLUME, 10, "EMA-3 - EMA-10 of ad_line", "TA-Lib ADOSC(3, 10)"),
    Feature(
        "cmf_20",
        RATIO,
        20,
        "sum of the 20 terms of ad_line / sum of 20 volumes; 0 when there is none",
        "TA-Lib CMF",
        low=-1.0,
        high=1.0,
    ),
    Feature(
        "vpt",
        VOLUME,
        1,
        "running sum of volume * (close / previous close - 1) from the first bar of the history",
        "TA-Lib PVT",
    ),
    Feature(
        "volume_delta",
        VOLUME,
        1,
        "volume * (close - open) / (high - low), an estimate of buying less selling; 0 for no "
        "range",
        "bar approximation of volume delta",
    ),
    Feature(
        "volume_delta_20",
        RATIO,
        20,
        "sum of 20 volume_delta / sum of 20 volumes; 0 when there is none",
        "bar approximation of volume delta",
        low=-1.0,
        high=1.0,
    ),
    Feature(
        "force_index_13",
        MONEY,
        14,
        "EMA-13 of (close - previous close) * volume",
        "TA-Lib EFI",
    ),
)

# A moving average of volume that remembers its last value.
_AVERAGE = np.dtype([("sum", CELL), ("value", np.float64)])
_SIGNED = np.dtype([("sum", CELL), ("ring", *RING)])

STATE = np.dtype(
    [
        ("last_5", _AVERAGE),
        ("last_10", _AVERAGE),
        ("last_20", _AVERAGE),
        ("last_50", _AVERAGE),
        ("signed", _SIGNED),
        ("flow", _SIGNED),
        ("delta", _SIGNED),
        ("force", CELL),
        ("obv", np.float64),
        ("ad", np.float64),
        ("ad_fast", np.float64),
        ("ad_slow", np.float64),
        ("vpt", np.float64),
    ]
)


@compiled
def step(window: Any, state: Any, row: Any) -> None:
    """Fill the volume features of the newest bar."""
    row.volume_ratio_5 = _ratio(window, state.last_5, 5.0)
    row.volume_ratio_20 = _ratio(window, state.last_20, 20.0)
    row.volume_ratio_50 = _ratio(window, state.last_50, 50.0)
    row.volume_sma_20 = state.last_20.value
    row.volume_zscore_20 = _surprise(window, state.last_20.value)
    _balance(window, state, row)
    _distribution(window, state, row)
    row.force_index_13 = np.nan
    if window.count > 1:
        force = (window.close - window.previous_close) * window.volume
        row.force_index_13 = exponential(state.force, window.now, force, 13.0)


@compiled
def _ratio(window: Any, average: Any, period: float) -> float:
    """Volume over the average before this bar, which is then moved on (exactly 0 when idle)."""
    before = average.value
    oldest = at(window.volumes, window.count - int(period))
    average.value = mean(average.sum, window.count, window.volume, oldest, period)
    if window.idle >= period:
        average.sum.value = 0.0
        average.value = 0.0
    return quotient(window.volume, before, 0.0) if window.count > period else np.nan


@compiled
def _surprise(window: Any, average: float) -> float:
    if window.count < 20:
        return np.nan
    spread = deviation(window.volumes, window.now - 19, window.now, average)
    return (window.volume - average) / spread if spread > ROUNDING * average else 0.0


@compiled
def _share(window: Any, signed: Any, value: float, volume: float, period: float) -> float:
    """Sum of `period` signed volumes as a share of their volume, whose mean is `volume`."""
    signed.ring[window.now & MASK] = value
    oldest = at(signed.ring, window.count - int(period))
    average = mean(signed.sum, window.count, value, oldest, period)
    if window.idle >= period:
        signed.sum.value = 0.0
        return 0.0
    return min(max(average / volume, -1.0), 1.0) if window.count >= period else np.nan


@compiled
def _balance(window: Any, state: Any, row: Any) -> None:
    """OBV, its slope and VPT: volume on the side of the change of close."""
    volume, signed = window.volume, window.volume
    if window.count > 1:
        change = window.close - window.previous_close
        signed = volume if change > 0.0 else (-volume if change < 0.0 else 0.0)
        state.vpt += change / window.previous_close * volume
    state.obv += signed
    row.obv = state.obv
    row.vpt = state.vpt
    _ratio(window, state.last_10, 10.0)
    row.obv_slope_10 = _share(window, state.signed, signed, state.last_10.value, 10.0)
    if window.count < 11:
        row.obv_slope_10 = np.nan


@compiled
def _distribution(window: Any, state: Any, row: Any) -> None:
    """A/D, its oscillator, CMF and volume delta: volume on the side of the close in its bar."""
    spread, volume, flow, delta = window.high - window.low, window.volume, 0.0, 0.0
    if spread > 0.0:
        flow = (window.close - window.low - (window.high - window.close)) / spread * volume
        delta = (window.close - window.open) / spread * volume
    state.ad += flow
    if window.count == 1:
        state.ad_fast = state.ad
        state.ad_slow = state.ad
    else:
        state.ad_fast = (2.0 / 4.0) * state.ad + (1.0 - 2.0 / 4.0) * state.ad_fast
        state.ad_slow = (2.0 / 11.0) * state.ad + (1.0 - 2.0 / 11.0) * state.ad_slow
    row.ad_line = state.ad
    row.ad_osc = state.ad_fast - state.ad_slow if window.count >= 10 else np.nan
    row.volume_delta = delta
    row.cmf_20 = _share(window, state.flow, flow, state.last_20.value, 20.0)
    row.volume_delta_20 = _share(window, state.delta, delta, state.last_20.value, 20.0)
