"""Session VWAP: reset at each session's first bar, with volume-weighted deviation bands.

A session's variance is accumulated by West's weighted update, so there is no difference of
squares. While a session has no volume, the VWAP is the newest bar's typical price and the
deviation 0.
"""

import math
from typing import Any

import numpy as np

from quant_core.compiled import compiled
from quant_core.features.feature import COUNT, PRICE, RATIO, Feature
from quant_core.features.smoothing import ROUNDING, in_units

FAMILY = "vwap"
FEATURES = (
    Feature(
        "vwap",
        PRICE,
        1,
        "sum(typical * volume) / sum(volume) since the session's open",
        "TA-Lib VWAP on the session's bars",
    ),
    *(
        Feature(
            f"vwap_{name}_{n}",
            PRICE,
            1,
            f"vwap {sign} {n} volume-weighted deviation of the session's typical prices",
            "standard",
            low=-math.inf,
        )
        for n in (1, 2)
        for name, sign in (("upper", "+"), ("lower", "-"))
    ),
    Feature("vwap_distance", RATIO, 1, "close / vwap - 1", "standard", low=-1.0),
    Feature(
        "vwap_position",
        RATIO,
        1,
        "(close - vwap) / deviation; 0 while the deviation is 0",
        "standard",
    ),
    Feature(
        "vwap_run",
        COUNT,
        1,
        "bars in a row of this session closing above (+) or below (-) vwap; 0 on it",
        "standard",
        low=-390.0,
        high=390.0,
    ),
)

STATE = np.dtype(
    [
        ("weight", np.float64),
        ("mean", np.float64),
        ("squares", np.float64),
        ("run", np.int64),
    ]
)


@compiled
def step(window: Any, state: Any, row: Any) -> None:
    """Fill the VWAP features of the newest bar."""
    if window.new_session:
        state.weight = 0.0
        state.squares = 0.0
        state.run = 0
    if window.volume > 0.0:
        state.weight += window.volume
        step_away = window.typical - state.mean
        if state.weight == window.volume:
            state.mean = window.typical
        else:
            state.mean += step_away * (window.volume / state.weight)
            state.squares += window.volume * step_away * (window.typical - state.mean)
    vwap, spread = window.typical, 0.0
    if state.weight > 0.0:
        vwap = state.mean
        spread = math.sqrt(max(state.squares, 0.0) / state.weight)
    away = window.close - vwap
    if abs(away) <= ROUNDING * vwap:
        state.run = 0
    else:
        state.run = max(state.run, 0) + 1 if away > 0.0 else min(state.run, 0) - 1
    row.vwap = vwap
    row.vwap_upper_1 = vwap + spread
    row.vwap_lower_1 = vwap - spread
    row.vwap_upper_2 = vwap + 2.0 * spread
    row.vwap_lower_2 = vwap - 2.0 * spread
    row.vwap_distance = window.close / vwap - 1.0
    row.vwap_position = in_units(away, spread, vwap)
    row.vwap_run = state.run
