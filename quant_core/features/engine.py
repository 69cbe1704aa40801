"""The step of the feature engine: one closed bar into the state, one row of features out.

`advance` is the only definition of a row. A history computed at once, a live bar and a state
rebuilt after a restart all run it, bar by bar, on the same records, so they agree to the last bit.
The state of a symbol is one record array, a frame per timeframe; it starts as zeros and does not
grow with history.
"""

from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant_core.bars import (
    ACCEPTED,
    BAD_HIGH,
    BAD_LOW,
    BAD_PRICE,
    BAD_VOLUME,
    DUPLICATE,
    IMPLAUSIBLE,
    LARGEST_PRICE,
    LARGEST_VOLUME,
    OUT_OF_ORDER,
    OUTSIDE,
    Floats,
)
from quant_core.bars import REASONS as BAR_REASONS
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
from quant_core.features.catalogue import BASE, ROW, TIMEFRAMES, catalogue, longer
from quant_core.features.quality import GRACE, Quality

_PARTS = {
    "window": window.WINDOW,
    "averages": averages.STATE,
    "momentum": momentum.STATE,
    "volatility": volatility.STATE,
    "volume": volume.STATE,
    "candles": candles.STATE,
    "price_action": price_action.STATE,
    "structure": structure.STATE,
    "zones": zones.STATE,
    "vwap": vwap.STATE,
    "divergence": divergence.STATE,
    "derived": derived.STATE,
    "bucket": multi_timeframe.BUCKET,
    "row": ROW,
}
WIDTH = len(BASE)
WARM_UP = max(feature.warm_up for feature in BASE)
LONGER_WARM_UP = max(feature.warm_up for feature in catalogue("15min").features[WIDTH:])
_WARMING, _STALE = int(Quality.WARM_UP), int(Quality.STALE)

REASONS = (*BAR_REASONS, "not_on_the_timeframe")
OFF_TIMEFRAME = len(BAR_REASONS)

# The state of one timeframe. `values` is `row` seen as numbers: one memory, two names.
_OFFSETS = [0, *accumulate(part.itemsize for part in _PARTS.values())]
_LAYOUT: Any = {
    "names": [*_PARTS, "values"],
    "formats": [*_PARTS.values(), (np.float64, (WIDTH,))],
    "offsets": [*_OFFSETS[:-1], _OFFSETS[-2]],
}
FRAME = np.dtype(_LAYOUT)


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
    divergence.step(bars, frame.divergence, frame.structure.new_low, frame.structure.new_high, row)
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
    if frames[0].window.count < WARM_UP or frames[0].window.sessions < 2:
        return False
    fewest = LONGER_WARM_UP
    for k in range(1, len(frames)):
        fewest = min(fewest, frames[k].window.count)
    return fewest >= LONGER_WARM_UP


@compiled
def _numbers(bar: Any) -> bool:
    finite: bool = (
        np.isfinite(bar.open)
        and np.isfinite(bar.high)
        and np.isfinite(bar.low)
        and np.isfinite(bar.close)
        and np.isfinite(bar.volume)
    )
    return finite


@compiled
def first_fault(frames: Any, bars: Any) -> tuple[int, int]:
    """Position and reason (see `REASONS`) of the first bar that must not enter; (-1, 0) if none.

    The checks and their order are those of `quant_core.bars`. Only the newest start is remembered,
    so an earlier one is out of order, whether or not it was there before.
    """
    last, timeframe = frames[0].window.start, frames[0].bucket.timeframe
    for i in range(len(bars)):
        bar = bars[i]
        if not _numbers(bar) or min(min(bar.open, bar.high), min(bar.low, bar.close)) <= 0.0:
            return i, BAD_PRICE
        if bar.high < max(bar.open, bar.close):
            return i, BAD_HIGH
        if bar.low > min(bar.open, bar.close):
            return i, BAD_LOW
        if bar.volume < 0.0:
            return i, BAD_VOLUME
        if bar.high > LARGEST_PRICE or bar.volume > LARGEST_VOLUME:
            return i, IMPLAUSIBLE
        if bar.start == last:
            return i, DUPLICATE
        if bar.start < last:
            return i, OUT_OF_ORDER
        if bar.session_open < 0 or not bar.session_open <= bar.start < bar.session_close:
            return i, OUTSIDE
        if (bar.start - bar.session_open) % timeframe != 0:
            return i, OFF_TIMEFRAME
        last = bar.start
    return -1, ACCEPTED


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
        quality[i] = 0 if _warm(frames) else _WARMING
        if frames[0].window.hole > GRACE:
            quality[i] |= _STALE
