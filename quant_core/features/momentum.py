"""Momentum oscillators. Zero ranges and flat windows give TA-Lib's values: 0 in all of them."""

from typing import Any

import numpy as np

from quant_core.compiled import compiled
from quant_core.features.feature import DIFFERENCE, PERCENT, RATIO, Feature
from quant_core.features.smoothing import (
    MASK,
    back,
    exponential,
    highest,
    lowest,
    same,
    wilder,
)

FAMILY = "momentum"
_RSI = "100 * average gain / (average gain + average loss), Wilder {}; 0 when nothing moved"
_STOCH = "100 * (close - lowest low) / (highest high - lowest low) of 14, 0 for no range"
_STOCHRSI = "100 * (rsi_14 - lowest) / (highest - lowest) of 14 values of rsi_14, 0 for no range"

FEATURES = (
    *(Feature(f"rsi_{n}", PERCENT, n + 1, _RSI.format(n), "TA-Lib RSI") for n in (7, 14, 21)),
    Feature(
        "macd", DIFFERENCE, 34, "EMA-12 - EMA-26 of close, both from bar 26 on", "TA-Lib MACD"
    ),
    Feature("macd_signal", DIFFERENCE, 34, "EMA-9 of macd", "TA-Lib MACD"),
    Feature("macd_hist", DIFFERENCE, 34, "macd - macd_signal", "TA-Lib MACD"),
    Feature("stoch_k", PERCENT, 18, f"mean of 3 of: {_STOCH}", "TA-Lib STOCH(14, 3, 3)"),
    Feature("stoch_d", PERCENT, 18, "mean of 3 values of stoch_k", "TA-Lib STOCH(14, 3, 3)"),
    Feature("stochrsi_k", PERCENT, 30, _STOCHRSI, "TA-Lib STOCHRSI(14, 14, 3)"),
    Feature("stochrsi_d", PERCENT, 30, "mean of 3 values of stochrsi_k", "TA-Lib STOCHRSI"),
    Feature(
        "cci_20",
        RATIO,
        20,
        "(typical - mean) / (0.015 * mean absolute deviation) of 20; 0 when flat",
        "TA-Lib CCI",
    ),
    Feature(
        "willr_14",
        RATIO,
        14,
        "-100 * (highest high - close) / (highest high - lowest low) of 14; 0 for no range",
        "TA-Lib WILLR",
        low=-100.0,
        high=0.0,
    ),
    *(
        Feature(f"roc_{n}", RATIO, n + 1, f"100 * (close / close {n} ago - 1)", "TA-Lib ROC", -100.0)
        for n in (10, 20)
    ),
    Feature(
        "mfi_14",
        PERCENT,
        15,
        "100 * money flow of rising bars / all money flow of 14 bars, money flow = typical * "
        "volume; 0 when there is none",
        "TA-Lib MFI",
        uses_volume=True,
    ),
    Feature(
        "adx_14", PERCENT, 28, "Wilder average of 100 |+DI - -DI| / (+DI + -DI)", "TA-Lib ADX"
    ),
    Feature(
        "plus_di_14", PERCENT, 15, "100 * smoothed +DM / smoothed true range", "TA-Lib PLUS_DI"
    ),
    Feature(
        "minus_di_14", PERCENT, 15, "100 * smoothed -DM / smoothed true range", "TA-Lib MINUS_DI"
    ),
)

_FAST, _SLOW, _SIGNAL = range(3)
_PLUS, _MINUS, _RANGE, _DX = range(4)

STATE = np.dtype(
    [
        ("gain", np.float64, (3,)),
        ("loss", np.float64, (3,)),
        ("ema", np.float64, (3,)),
        ("fast_k", np.float64, (4,)),
        ("slow_k", np.float64, (4,)),
        ("rsi", np.float64, (MASK + 1,)),
        ("rsi_k", np.float64, (4,)),
        ("flow", np.float64, (16,)),
        ("rising", np.float64),
        ("falling", np.float64),
        ("quiet", np.int64),
        ("directional", np.float64, (4,)),
        ("adx", np.float64),
    ]
)


@compiled
def step(window: Any, state: Any, row: Any) -> None:
    """Fill the momentum features of the newest bar."""
    change = window.close - window.previous_close
    row.rsi_7 = _relative_strength(state, 0, window.count - 1, change, 7)
    row.rsi_14 = _relative_strength(state, 1, window.count - 1, change, 14)
    row.rsi_21 = _relative_strength(state, 2, window.count - 1, change, 21)
    _convergence(window, state, row)
    _stochastic(window, state, row)
    _stochastic_of_rsi(window.count, state, row)
    row.cci_20 = _channel_index(window)
    row.roc_10 = _rate_of_change(window, 10)
    row.roc_20 = _rate_of_change(window, 20)
    row.mfi_14 = _money_flow(window, state)
    _directional(window, state, row)


@compiled
def _relative_strength(state: Any, cell: int, seen: int, change: float, period: int) -> float:
    if seen < 1:
        return np.nan
    gain = wilder(state.gain, cell, seen, max(change, 0.0), period)
    loss = wilder(state.loss, cell, seen, max(-change, 0.0), period)
    return 100.0 * gain / (gain + loss) if gain + loss != 0.0 else 0.0


@compiled
def _convergence(window: Any, state: Any, row: Any) -> None:
    """MACD(12, 26, 9): TA-Lib seeds both averages so that they begin together at bar 26."""
    row.macd = np.nan
    row.macd_signal = np.nan
    row.macd_hist = np.nan
    count, close = window.count, window.close
    slow = exponential(state.ema, _SLOW, count, close, 26)
    if count <= 14:
        return
    fast = exponential(state.ema, _FAST, count - 14, close, 12)
    if count < 26:
        return
    signal = exponential(state.ema, _SIGNAL, count - 25, fast - slow, 9)
    if count < 34:
        return
    row.macd = fast - slow
    row.macd_signal = signal
    row.macd_hist = fast - slow - signal


@compiled
def _stochastic(window: Any, state: Any, row: Any) -> None:
    row.stoch_k = np.nan
    row.stoch_d = np.nan
    row.willr_14 = np.nan
    count = window.count
    if count < 14:
        return
    top = highest(window.highs, count, 0, 14)
    bottom = lowest(window.lows, count, 0, 14)
    fast = 0.0
    row.willr_14 = 0.0
    if not same(top, bottom):
        fast = 100.0 * (window.close - bottom) / (top - bottom)
        row.willr_14 = -100.0 * (top - window.close) / (top - bottom)
    state.fast_k[count & 3] = fast
    slow = _last_three(state.fast_k, count)
    state.slow_k[count & 3] = slow
    if count >= 18:
        row.stoch_k = slow
        row.stoch_d = _last_three(state.slow_k, count)


@compiled
def _last_three(ring: Any, count: int) -> float:
    return (ring[count & 3] + ring[(count - 1) & 3] + ring[(count - 2) & 3]) / 3.0


@compiled
def _stochastic_of_rsi(count: int, state: Any, row: Any) -> None:
    row.stochrsi_k = np.nan
    row.stochrsi_d = np.nan
    if count < 15:
        return
    state.rsi[(count - 1) & MASK] = row.rsi_14
    if count < 28:
        return
    top = highest(state.rsi, count, 0, 14)
    bottom = lowest(state.rsi, count, 0, 14)
    fast = 100.0 * (row.rsi_14 - bottom) / (top - bottom) if not same(top, bottom) else 0.0
    state.rsi_k[count & 3] = fast
    if count >= 30:
        row.stochrsi_k = fast
        row.stochrsi_d = _last_three(state.rsi_k, count)


@compiled
def _channel_index(window: Any) -> float:
    count = window.count
    if count < 20:
        return np.nan
    total = 0.0
    for k in range(20):
        total += back(window.typicals, count, k)
    average = total / 20.0
    if same(window.typical, average):
        return 0.0
    away = 0.0
    for k in range(20):
        away += abs(back(window.typicals, count, k) - average)
    return (window.typical - average) / (0.015 * (away / 20.0))


@compiled
def _rate_of_change(window: Any, bars: int) -> float:
    if window.count <= bars:
        return np.nan
    return 100.0 * (window.close / back(window.closes, window.count, bars) - 1.0)


@compiled
def _money_flow(window: Any, state: Any) -> float:
    """MFI: signed money flows in a ring; a window without any is recognised by counting."""
    count = window.count
    if count < 2:
        return np.nan
    slot = (count - 2) % 14
    leaving = state.flow[slot]
    state.rising -= max(leaving, 0.0)
    state.falling -= max(-leaving, 0.0)
    change = window.typical - window.previous_typical
    flow = window.typical * window.volume
    if same(window.typical, window.previous_typical):
        flow = 0.0
    state.flow[slot] = flow if change >= 0.0 else -flow
    state.quiet = state.quiet + 1 if flow == 0.0 else 0
    if change >= 0.0:
        state.rising += flow
    else:
        state.falling += flow
    if state.quiet >= 14:
        state.rising = 0.0
        state.falling = 0.0
    total = state.rising + state.falling
    if count < 15:
        return np.nan
    return 100.0 * min(max(state.rising, 0.0), total) / total if total > 0.0 else 0.0


@compiled
def _directional(window: Any, state: Any, row: Any) -> None:
    """Wilder's directional movement as TA-Lib seeds it: sums of 13 bars, then decay by 1/14."""
    row.plus_di_14 = np.nan
    row.minus_di_14 = np.nan
    row.adx_14 = np.nan
    count, sums = window.count, state.directional
    if count < 2:
        return
    up = window.high - window.previous_high
    down = window.previous_low - window.low
    decay = 1.0 if count <= 14 else 13.0 / 14.0
    sums[_PLUS] = sums[_PLUS] * decay + (up if up > 0.0 and up > down else 0.0)
    sums[_MINUS] = sums[_MINUS] * decay + (down if down > 0.0 and down > up else 0.0)
    sums[_RANGE] = sums[_RANGE] * decay + row.true_range
    if count < 15:
        return
    plus = 100.0 * sums[_PLUS] / sums[_RANGE] if sums[_RANGE] != 0.0 else 0.0
    minus = 100.0 * sums[_MINUS] / sums[_RANGE] if sums[_RANGE] != 0.0 else 0.0
    row.plus_di_14 = plus
    row.minus_di_14 = minus
    moving = plus + minus != 0.0
    index = 100.0 * abs(plus - minus) / (plus + minus) if moving else 0.0
    if count <= 28:
        sums[_DX] += index
        if count == 28:
            state.adx = sums[_DX] / 14.0
    elif moving:
        state.adx = (state.adx * 13.0 + index) / 14.0
    if count >= 28:
        row.adx_14 = state.adx
