"""Longer timeframes seen from a shorter one: 7 features of each, and how far they agree.

A longer bar is built from the shorter ones as `quant_core.bars.aggregate` does: aligned to the
session's open, clipped at its close, known at the bucket's end whether or not its last minute
traded. Its features are those of its own timeframe, computed by the same kernels on the same kind
of state, so `rsi_5min` on a 1-minute row *is* `rsi_14` of the 5-minute catalogue at the last
closed 5-minute bar, and changes only when one closes.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from quant_core.bars import Floats
from quant_core.compiled import compiled
from quant_core.features.feature import RATIO, Feature
from quant_core.features.smoothing import ROUNDING
from quant_core.features.window import BAR

FAMILY = "multi-timeframe"
_BLOCK = {
    "trend": "trend",
    "rsi": "rsi_14",
    "adx": "adx_14",
    "squeeze": "squeeze",
    "macd_hist": "macd_hist",
    "volume_ratio": "volume_ratio_20",
    "candle_dir": "candle_dir",
}
_SCORES = {
    "align_trend": ("trend", "mean of trend over this and every longer timeframe"),
    "align_macd": ("macd_hist", "mean sign of macd_hist over this and every longer timeframe"),
    "align_rsi": ("rsi_14", "mean of (rsi_14 - 50) / 50 over this and every longer timeframe"),
}
_WIDTH = len(_BLOCK)

# The longer bar in the making: `bars` shorter ones are in it, 0 for none yet.
BUCKET = np.dtype([("timeframe", np.int64), ("bars", np.int64), ("bar", BAR)])


def features(frames: tuple[str, ...], base: Mapping[str, Feature]) -> tuple[Feature, ...]:
    """The multi-timeframe features of a timeframe that has `frames` above it."""
    block = [
        replace(
            base[source],
            name=f"{name}_{frame}",
            formula=f"{source} of the last closed {frame} bar",
            family=FAMILY,
            frame=frame,
        )
        for frame in frames
        for name, source in _BLOCK.items()
    ]
    scores = [
        Feature(
            name,
            RATIO,
            base[source].warm_up,
            formula,
            "standard",
            low=-1.0,
            high=1.0,
            frame=frames[-1],
            family=FAMILY,
        )
        for name, (source, formula) in _SCORES.items()
        if frames
    ]
    return (*block, *scores)


@compiled
def add(bucket: Any, bar: Any) -> None:
    """Put a shorter bar into the longer one, which is empty or still open at its start."""
    whole = bucket.bar
    if bucket.bars == 0:
        since_open = bar.start - bar.session_open
        whole.start = bar.start - since_open % bucket.timeframe
        whole.end = min(whole.start + bucket.timeframe, bar.session_close)
        whole.session_open = bar.session_open
        whole.session_close = bar.session_close
        whole.close_before = bar.close_before
        whole.open = bar.open
        whole.high = bar.high
        whole.low = bar.low
        whole.volume = 0.0
    whole.high = max(whole.high, bar.high)
    whole.low = min(whole.low, bar.low)
    whole.close = bar.close
    whole.volume += bar.volume
    bucket.bars += 1


@compiled
def write(frames: Any, out: Floats) -> None:
    """Fill the multi-timeframe columns from the rows of all frames, the shortest first."""
    longer = len(frames) - 1
    if longer == 0:
        return
    for k in range(longer):
        row = frames[k + 1].row
        at = k * _WIDTH
        out[at] = row.trend
        out[at + 1] = row.rsi_14
        out[at + 2] = row.adx_14
        out[at + 3] = row.squeeze
        out[at + 4] = row.macd_hist
        out[at + 5] = row.volume_ratio_20
        out[at + 6] = row.candle_dir
    trend, momentum, strength = 0.0, 0.0, 0.0
    for frame in frames:
        trend += frame.row.trend
        momentum += _sign(frame.row.macd_hist, frame.row.ema_20)
        strength += (frame.row.rsi_14 - 50.0) / 50.0
    at = longer * _WIDTH
    out[at] = trend / len(frames)
    out[at + 1] = momentum / len(frames)
    out[at + 2] = strength / len(frames)


@compiled
def _sign(difference: float, price: float) -> float:
    """Sign of a price difference, 0 where it is rounding of the price; NaN passes through."""
    return 0.0 if abs(difference) <= ROUNDING * price else np.sign(difference)
