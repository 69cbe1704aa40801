"""The shape of the newest bar, runs of bars, higher highs and lower lows, breakouts and gaps."""

import math
from typing import Any

import numpy as np

from quant_core.compiled import compiled
from quant_core.features.feature import COUNT, RATIO, SIGN, Feature
from quant_core.features.smoothing import balance, highest, lowest

FAMILY = "price action"
FEATURES = (
    Feature("candle_dir", SIGN, 1, "sign of close - open", "standard"),
    Feature(
        "body_ratio",
        RATIO,
        1,
        "|close - open| / (high - low); 0 for no range",
        "standard",
        low=0.0,
        high=1.0,
    ),
    Feature(
        "upper_wick",
        RATIO,
        1,
        "(high - max(open, close)) / (high - low); 0 for no range",
        "standard",
        low=0.0,
        high=1.0,
    ),
    Feature(
        "lower_wick",
        RATIO,
        1,
        "(min(open, close) - low) / (high - low); 0 for no range",
        "standard",
        low=0.0,
        high=1.0,
    ),
    Feature(
        "close_position",
        RATIO,
        1,
        "(close - low) / (high - low); 0.5 for no range",
        "standard",
        low=0.0,
        high=1.0,
    ),
    Feature(
        "inside_outside",
        SIGN,
        2,
        "+1 outside bar: high above and low below the bar before; -1 inside bar: neither high "
        "above nor low below it; else 0",
        "Crabel",
    ),
    Feature(
        "run_length",
        COUNT,
        2,
        "closes in a row above (+) or below (-) the one before; an equal close ends the run: 0",
        "standard",
        low=-math.inf,
    ),
    Feature(
        "higher_highs_10",
        COUNT,
        11,
        "of the last 10 bars: those with a high above the bar before",
        "standard",
        high=10.0,
    ),
    Feature(
        "lower_lows_10",
        COUNT,
        11,
        "of the last 10 bars: those with a low below the bar before",
        "standard",
        high=10.0,
    ),
    Feature(
        "breakout_20",
        SIGN,
        21,
        "+1 close above the highest high of the 20 bars before, -1 below their lowest low",
        "Donchian",
    ),
    Feature("gap", RATIO, 2, "open / previous close - 1", "standard", low=-1.0),
    Feature(
        "session_gap",
        RATIO,
        2,
        "the session's first open / last close of the session before - 1, all session long",
        "standard",
        low=-1.0,
        frame="session",
    ),
)

_TEN = 10

STATE = np.dtype(
    [
        ("run", np.int64),
        ("high_bits", np.int64),
        ("low_bits", np.int64),
        ("higher", np.int64),
        ("lower", np.int64),
        ("session_gap", np.float64),
    ]
)


@compiled
def step(window: Any, state: Any, row: Any) -> None:
    """Fill the bar shapes, runs, breakouts and gaps of the newest bar."""
    count = window.count
    _shape(window, row)
    if window.new_session and count > 1:
        state.session_gap = window.open / window.previous_close - 1.0
    row.session_gap = state.session_gap if window.sessions > 1 else np.nan
    row.inside_outside = np.nan
    row.run_length = np.nan
    row.gap = np.nan
    if count > 1:
        above, below = window.high > window.previous_high, window.low < window.previous_low
        row.inside_outside = balance(above and below, not above and not below)
        row.gap = window.open / window.previous_close - 1.0
        _run(window, state)
        row.run_length = state.run
        state.higher += above - (state.high_bits >> (_TEN - 1) & 1)
        state.lower += below - (state.low_bits >> (_TEN - 1) & 1)
        state.high_bits = (state.high_bits << 1 | above) & (1 << _TEN) - 1
        state.low_bits = (state.low_bits << 1 | below) & (1 << _TEN) - 1
    row.higher_highs_10 = state.higher if count > _TEN else np.nan
    row.lower_lows_10 = state.lower if count > _TEN else np.nan
    row.breakout_20 = np.nan
    if count > 20:
        row.breakout_20 = balance(
            window.close > highest(window.highs, window.now - 20, window.now - 1),
            window.close < lowest(window.lows, window.now - 20, window.now - 1),
        )


@compiled
def _shape(window: Any, row: Any) -> None:
    spread = window.high - window.low
    top, bottom = max(window.open, window.close), min(window.open, window.close)
    row.candle_dir = balance(window.close > window.open, window.close < window.open)
    row.body_ratio = (top - bottom) / spread if spread > 0.0 else 0.0
    row.upper_wick = (window.high - top) / spread if spread > 0.0 else 0.0
    row.lower_wick = (bottom - window.low) / spread if spread > 0.0 else 0.0
    row.close_position = (window.close - window.low) / spread if spread > 0.0 else 0.5


@compiled
def _run(window: Any, state: Any) -> None:
    if window.close > window.previous_close:
        state.run = max(state.run, 0) + 1
    elif window.close < window.previous_close:
        state.run = min(state.run, 0) - 1
    else:
        state.run = 0
