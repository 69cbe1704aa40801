"""The bars that kernels look back on: the newest one in plain fields, the last 256 in rings.

Every state of the engine starts as zeros, so a new stream is `np.zeros` and a copy of the records
is a copy of the stream.
"""

from typing import Any

import numpy as np

from quant_core.compiled import compiled
from quant_core.features.smoothing import DEPTH, MASK

WINDOW = np.dtype(
    [
        ("count", np.int64),
        ("end", np.int64),
        ("session_open", np.int64),
        ("session_close", np.int64),
        ("new_session", np.int64),
        ("flat", np.int64),
        ("idle", np.int64),
        ("open", np.float64),
        ("high", np.float64),
        ("low", np.float64),
        ("close", np.float64),
        ("volume", np.float64),
        ("typical", np.float64),
        ("previous_open", np.float64),
        ("previous_high", np.float64),
        ("previous_low", np.float64),
        ("previous_close", np.float64),
        ("previous_typical", np.float64),
        ("opens", np.float64, (DEPTH,)),
        ("highs", np.float64, (DEPTH,)),
        ("lows", np.float64, (DEPTH,)),
        ("closes", np.float64, (DEPTH,)),
        ("volumes", np.float64, (DEPTH,)),
        ("typicals", np.float64, (DEPTH,)),
    ]
)


@compiled
def push(
    window: Any,
    end: int,
    session_open: int,
    session_close: int,
    open: float,
    high: float,
    low: float,
    close: float,
    volume: float,
) -> None:
    """Make a closed bar the newest. Times are minutes since the epoch.

    `flat` and `idle` count the newest bars with one and the same close, and without volume: they
    tell exactly when a window is flat or empty, which a running sum cannot.
    """
    typical = (high + low + close) / 3.0
    window.flat = window.flat + 1 if close == window.close else 1
    window.idle = window.idle + 1 if volume == 0.0 else 0
    window.new_session = 1 if session_open != window.session_open else 0
    window.previous_open = window.open
    window.previous_high = window.high
    window.previous_low = window.low
    window.previous_close = window.close
    window.previous_typical = window.typical
    window.end = end
    window.session_open = session_open
    window.session_close = session_close
    window.open = open
    window.high = high
    window.low = low
    window.close = close
    window.volume = volume
    window.typical = typical
    slot = window.count & MASK
    window.opens[slot] = open
    window.highs[slot] = high
    window.lows[slot] = low
    window.closes[slot] = close
    window.volumes[slot] = volume
    window.typicals[slot] = typical
    window.count += 1
