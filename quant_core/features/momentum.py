"""Momentum oscillators. Zero ranges and flat windows give TA-Lib's values: 0 in all of them."""

import math
from typing import Any

import numpy as np

from quant_core.compiled import compiled
from quant_core.features.feature import DIFFERENCE, PERCENT, RATIO, Feature
from quant_core.features.smoothing import (
    CELL,
    MASK,
    RING,
    at,
    exponential,
    highest,
    lowest,
    quotient,
    same,
    wilder,
)

FAMILY = "momentum"
_RSI = "100 * average gain / (average gain + average loss), Wilder {}; 0 when nothing moved"
_STOCH = "100 * (close - lowest low) / (highest high - lowest low) of 14, 0 for no range"
_STOCHRSI = "100 * (rsi_14 - lowest) / (highest - lowest) of 14 values of rsi_14, 0 for no range"

FEATURES = (
    *(Feature(f"rsi_{n}", PERCENT, n + 1, _RSI.format(n), "TA-Lib RSI") for n in (7, 14, 21)),
    Feature("macd", DIFFERENCE, 34, "EMA-12 - EMA-26 of close, both from bar 26 on", "TA-Lib MACD"),
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
        PERCENT,
        14,
        "-100 * (highest high - close) / (highest high - lowest low) of 14; 0 for no range",
        "TA-Lib WILLR",
        low=-100.0,
        high=0.0,
    ),
    *(
        Feature(
            f"roc_{n}",
            PERCENT,
            n + 1,
            f"100 * (close / close {n} ago - 1)",
            "TA-Lib ROC",
            low=-100.0,
            high=math.inf,
        )
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
    Feature("adx_14", PERCENT, 28, "Wilder average of 100 |+DI - -DI| / (+DI + -DI)", "TA-Lib ADX"),
    Feature(
        "plus_di_14", PERCENT, 15, "100 * smoothed +DM / smoothed true range", "TA-Lib PLUS_DI"
    ),
    Feature(
        "minus_di_14", PERCENT, 15, "100 * smoothed -DM / smoothed true range", "TA-Lib MINUS_DI"
    ),
)

_STRENGTH = np.dtype([("gain", CELL), ("loss", CELL)])
_LAST = np.dtype([("values", np.float64, (4,))])

STATE = np.dtype(
    [
        ("rsi_7", _STRENGTH),
        ("rsi_14", _STRENGTH),
        ("rsi_21", _STRENGTH),
        ("ema_12", CELL),
        ("ema_26", CELL),
        ("signal", CELL),
        ("fast_k", _LAST),
        ("slow_k", _LAST),
        ("rsi_k", _LAST),
        ("rsi", *RING),
        ("flow", *RING),
        ("rising", np.float64),
        ("falling", np.float64),
        ("quiet", np.int64),
        ("plus", np.float64),
        ("minus", np.float64),
        ("range", np.float64),
        ("index", CELL),
        ("adx", np.float64),
    ]
)


@compiled
def step(window: Any, state: Any, row: Any) -> None:
    """Fill the momentum features of the newest bar."""
    change = window.close - window.previous_close
    row.rsi_7 = _relative_strength(state.rsi_7, window.now, change, 7.0)
    row.rsi_14 = _relative_strength(state.rsi_14, window.now, change, 14.0)
    row.rsi_21 = _relative_strength(state.rsi_21, window.now, change, 21.0)
    _convergence(window, state, row)
    _stochastic(window, state, row)
    _stochastic_of_rsi(window, state, row)
    row.cci_20 = _channel_index(window)
    row.roc_10 = 100.0 * change_since(window, 10.0)
    row.roc_20 = 100.0 * change_since(window, 20.0)
    row.mfi_14 = _money_flow(window, state)
    _directional(window, state, row)


@compiled
def change_since(window: Any, bars: float) -> float:
    """The close over the close some bars ago, less one."""
    if window.count <= bars:
        return np.nan
    change: float = window.close / at(window.closes, window.now - int(bars)) - 1.0
    return change


@compiled
def _relative_strength(state: Any, changes: int, change: float, period: float) -> float:
    if changes < 1:
        return np.nan
    gain = wilder(state.gain, changes, max(change, 0.0), period)
    loss = wilder(state.loss, changes, max(-change, 0.0), period)
    return quotient(100.0 * gain, gain + loss, 0.0)


@compiled
def _convergence(window: Any, state: Any, row: Any) -> None:
    """MACD(12, 26, 9): TA-Lib seeds both averages so that they begin together at bar 26."""
    row.macd = np.nan
    row.macd_signal = np.nan
    row.macd_hist = np.nan
    count, close = window.count, window.close
    slow = exponential(state.ema_26, count, close, 26.0)
    if count <= 14:
        return
    fast = exponential(state.ema_12, count - 14, close, 12.0)
    if count < 26:
        return
    signal = exponential(state.signal, count - 25, fast - slow, 9.0)
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
    now = window.now
    if window.count < 14:
        return
    top = highest(window.highs, now - 13, now)
    bottom = lowest(window.lows, now - 13, now)
    fast = 0.0
    row.willr_14 = 0.0
    if not same(top, bottom):
        fast = min(100.0 * (window.close - bottom) / (top - bottom), 100.0)
        row.willr_14 = max(-100.0 * (top - window.close) / (top - bottom), -100.0)
    slow = _last_three(state.fast_k, now, fast)
    slower = _last_three(state.slow_k, now, slow)
    if window.count >= 18:
        row.stoch_k = slow
        row.stoch_d = slower


@compiled
def _last_three(last: Any, now: int, value: float) -> float:
    """Mean of the newest three values, the one of this bar added first."""
    last.values[now & 3] = value
    total: float = value + last.values[(now - 1) & 3] + last.values[(now - 2) & 3]
    return total / 3.0


@compiled
def _stochastic_of_rsi(window: Any, state: Any, row: Any) -> None:
    row.stochrsi_k = np.nan
    row.stochrsi_d = np.nan
    now = window.now
    state.rsi[now & MASK] = row.rsi_14
    if window.count < 28:
        return
    top = highest(state.rsi, now - 13, now)
    bottom = lowest(state.rsi, now - 13, now)
    fast = 0.0
    if not same(top, bottom):
        fast = min(100.0 * (row.rsi_14 - bottom) / (top - bottom), 100.0)
    smooth = _last_three(state.rsi_k, now, fast)
    if window.count >= 30:
        row.stochrsi_k = fast
        row.stochrsi_d = smooth


@compiled
def _channel_index(window: Any) -> float:
    """CCI, adding in TA-Lib's order: by place in a circle of 20, which settles the last digits."""
    now = window.now
    if window.count < 20:
        return np.nan
    turn = now - now % 20
    total = 0.0
    for bar in range(turn, now + 1):
        total += at(window.typicals, bar)
    for bar in range(now - 19, turn):
        total += at(window.typicals, bar)
    average = total / 20.0
    if same(window.typical, average):
        return 0.0
    away = 0.0
    for bar in range(turn, now + 1):
        away += abs(at(window.typicals, bar) - average)
    for bar in range(now - 19, turn):
        away += abs(at(window.typicals, bar) - average)
    index: float = (window.typical - average) / (0.015 * (away / 20.0))
    return index


@compiled
def _money_flow(window: Any, state: Any) -> float:
    """MFI: signed money flows in a ring; a window without any is recognised by counting."""
    if window.count < 2:
        return np.nan
    leaving = at(state.flow, window.now - 14)
    state.rising -= max(leaving, 0.0)
    state.falling -= max(-leaving, 0.0)
    change = window.typical - window.previous_typical
    flow = window.typical * window.volume
    if same(window.typical, window.previous_typical):
        flow = 0.0
    state.flow[window.now & MASK] = flow if change >= 0.0 else -flow
    state.quiet = state.quiet + 1 if flow == 0.0 else 0
    if change >= 0.0:
        state.rising += flow
    else:
        state.falling += flow
    if state.quiet >= 14:
        state.rising = 0.0
        state.falling = 0.0
    total = state.rising + state.falling
    if window.count < 15:
        return np.nan
    return 100.0 * min(max(state.rising, 0.0), total) / total if total > 0.0 else 0.0


@compiled
def _directional(window: Any, state: Any, row: Any) -> None:
    """Wilder's directional movement as TA-Lib seeds it: sums of 13 bars, then decay by 1/14."""
    row.plus_di_14 = np.nan
    row.minus_di_14 = np.nan
    row.adx_14 = np.nan
    count = window.count
    if count < 2:
        return
    up = window.high - window.previous_high
    down = window.previous_low - window.low
    keep = 1.0 if count <= 14 else 13.0 / 14.0
    state.plus = state.plus * keep + (up if up > 0.0 and up > down else 0.0)
    state.minus = state.minus * keep + (down if down > 0.0 and down > up else 0.0)
    state.range = state.range * keep + row.true_range
    if count < 15:
        return
    plus = quotient(100.0 * state.plus, state.range, 0.0)
    minus = quotient(100.0 * state.minus, state.range, 0.0)
    row.plus_di_14 = plus
    row.minus_di_14 = minus
    index = quotient(100.0 * abs(plus - minus), plus + minus, 0.0)
    if count <= 28 or plus + minus != 0.0:
        state.adx = wilder(state.index, min(count - 14, 15), index, 14.0)
    row.adx_14 = state.adx
