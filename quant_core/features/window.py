"""The bars that kernels look back on: the newest one in plain fields, the last 256 in rings.

`now` is the number of the newest bar, counted from 0 at the first of the history; `count` is one
more.

Every state of the engine starts as zeros, so a new stream is `np.zeros` and a copy of the records
is a copy of the stream.
"""

from typing import Any

import numpy as np

from quant_core.compiled import compiled
from quant_core.features.smoothing import MASK, RING

# One closed bar as kernels take it. Times are minutes since the epoch; the session is the bar's,
# `close_before` the close of the session before it, 0 when the calendar has none.
BAR = np.dtype(
    [
        ("start", np.int64),
        ("end", np.int64),
        ("session_open", np.int64),
        ("session_close", np.int64),
        ("close_before", np.int64),
        ("open", np.float64),
        ("high", np.float64),
        ("low", np.float64),
        ("close", np.float64),
        ("volume", np.float64),
    ]
)
WINDOW = np.dtype(
    [
        ("count", np.int64),
        ("now", np.int64),
        ("start", np.int64),
        ("end", np.int64),
        ("session_open", np.int64),
        ("session_close", np.int64),
        ("new_session", np.int64),
        ("sessions", np.int64),
        ("hole", np.int64),
        ("idle", np.int64),
        ("open", np.float64),
        ("high", np.float64),
        ("low", np.float64),
        ("close", np.float64),
        ("volume", np.float64),
        ("typical", np.float64),
        ("previous_high", np.float64),
        ("previous_low", np.float64),
        ("previous_close", np.float64),
        ("previous_typical", np.float64),
        ("opens", *RING),
        ("highs", *RING),
        ("lows", *RING),
        ("closes", *RING),
        ("volumes", *RING),
        ("typicals", *RING),
    ]
)


@compiled
def push(window: Any, bar: Any) -> None:
    """Make a closed bar the newest.

    `idle` counts the newest bars without volume: it tells exactly when a window is empty, which a
    running sum cannot. `hole` is the minutes of trading without a bar right before this one; of
    sessions missed it counts the last.
    """
    typical = (bar.high + bar.low + bar.close) / 3.0
    new_session = bar.session_open != window.session_open
    window.hole = bar.start - (bar.session_open if new_session else window.end)
    if new_session and window.count > 0:
        window.hole += max(bar.close_before - window.end, 0)
    window.new_session = 1 if new_session else 0
    window.sessions += window.new_session
    window.idle = window.idle + 1 if bar.volume == 0.0 else 0
    window.previous_high = window.high
    window.previous_low = window.low
    window.previous_close = window.close
    window.previous_typical = window.typical
    window.start = bar.start
    window.end = bar.end
    window.session_open = bar.session_open
    window.session_close = bar.session_close
    window.open = bar.open
    window.high = bar.high
    window.low = bar.low
    window.close = bar.close
    window.volume = bar.volume
    window.typical = typical
    window.now = window.count
    window.count += 1
    slot = window.now & MASK
    window.opens[slot] = bar.open
    window.highs[slot] = bar.high
    window.lows[slot] = bar.low
    window.closes[slot] = bar.close
    window.volumes[slot] = bar.volume
    window.typicals[slot] = typical
