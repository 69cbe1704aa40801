"""The step of the feature engine: one closed bar into the state, one row of features out.

`advance` is the only definition of a row. A history computed at once, a live bar and a state
rebuilt after a restart all run it, bar by bar, on the same records, so they agree to the last bit.
The state of a symbol is one record array, a frame per timeframe; it starts as zeros and does not
grow with history.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant_core.bars import Floats, Ints
from quant_core.compiled import compiled
from quant_core.features import (
    averages,
    candles,
    derived,
    divergence,
    momentum,
    multi_timeframe,
    price_action,
    session_time,
    structure,
    volatility,
    volume,
    vwap,
    window,
    zones,
)
from quant_core.features.catalogue import BASE, ROW, TIMEFRAMES, longer

_FIELDS = np.dtype(
    [
        ("window", window.WINDOW),
        ("averages", averages.STATE),
        ("momentum", momentum.STATE),
        ("volatility", volatility.STATE),
        ("volume", volume.STATE),
        ("candles", candles.STATE),
        ("price_action", price_action.STATE),
        ("structure", structure.STATE),
        ("zones", zones.STATE),
        ("vwap", vwap.STATE),
        ("divergence", divergence.STATE),
        ("derived", derived.STATE),
        ("bucket", multi_timeframe.BUCKET),
        ("row", ROW),
    ]
)
WIDTH = len(BASE)
# `values` is `row` seen as numbers: the same memory under a second name.
FRAME = np.dtype(
    {
        "names": [*(_FIELDS.names or ()), "values"],
        "formats": [*(_FIELDS[name] for name in _FIELDS.names or ()), (np.float64, (WIDTH,))],
        "offsets": [
            *(_FIELDS.fields[name][1] for name in _FIELDS.names or ()),
            _FIELDS.fields["row"][1],
        ],
    }
)


def new_frames(timeframe: str) -> np.ndarray:
    """State before any bar: records of dtype FRAME, the row's own timeframe first."""
    names = (timeframe, *longer(timeframe))
    frames = np.zeros(len(names), FRAME)
    frames["bucket"]["timeframe"] = [TIMEFRAMES[name] for name in names]
    frames["values"] = np.nan
    return frames


@compiled
def _fill_row(frame: Any) -> None:
    """All 139 features of the newest bar of a frame; families that others read come first."""
    bars, row = frame.window, frame.row
    volatility.step(bars, frame.volatility, row)
    averages.step(bars, frame.averages, row)
    momentum.step(bars, frame.momentum, row)
    volume.step(bars, frame.volume, row)
    candles.step(bars, frame.candles, row)
    price_action.step(bars, frame.price_action, row)
    session_time.step(bars, row)
    structure.step(bars, frame.structure, row)
    zones.step(bars, frame.zones, frame.structure.broke, row)
    vwap.step(bars, frame.vwap, row)
    divergence.step(
        bars, frame.divergence, frame.structure.new_low, frame.structure.new_high, row
    )
    derived.step(bars, frame.derived, row)


@compiled
def _close(frame: Any) -> None:
    """A frame's bar is known: it becomes the newest of its window, and makes the frame's row."""
    window.push(frame.window, frame.bucket.bar)
    frame.bucket.bars = 0
    _fill_row(frame)


@compiled
def _warm(frames: Any) -> bool:
    """Whether no feature can still be NaN."""
    warm = frames[0].window.count >= WARM_UP and frames[0].window.sessions > 1
    for k in range(1, len(frames)):
        warm = warm and frames[k].window.count >= LONGER_WARM_UP
    return warm


@compiled
def advance(frames: Any, bars: Any, out: Floats, quality: NDArray[np.uint8]) -> None:
    """Take accepted bars, oldest first, into `frames`; write their rows to `out`.

    `bars` are records of dtype BAR, `out` has shape (bars, features), `quality` (bars,). Every
    frame, the row's own included, builds its bar in a bucket. A bucket whose last minutes did not
    trade is closed before the next bar is added, one that ends with the bar right after it.
    """
    for i in range(len(bars)):
        bar = bars[i]
        for late in (True, False):
            moment = bar.start if late else bar.end
            for k in range(len(frames)):
                if not late:
                    multi_timeframe.add(frames[k].bucket, bar)
                if frames[k].bucket.bars > 0 and frames[k].bucket.bar.end <= moment:
                    _close(frames[k])
        values = frames[0].values
        for k in range(WIDTH):
            out[i, k] = values[k]
        multi_timeframe.write(frames, out[i, WIDTH:])
        quality[i] = 0 if _warm(frames) else Quality.WARM_UP
        if frames[0].window.hole > STALE_AFTER:
            quality[i] |= Quality.STALE
