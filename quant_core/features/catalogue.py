"""The catalogue: every feature, in the one order that rows, files, documentation and tests use.

139 features describe a bar of any timeframe. A timeframe below one hour has, besides, 7 features
of each longer frame and 3 alignment scores: 163 on 1min, 156 on 5min, 149 on 15min, 139 on 1hr.
"""

import difflib
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

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
    zones,
)
from quant_core.features.feature import Feature

TIMEFRAMES = {"1min": 1, "5min": 5, "15min": 15, "1hr": 60}

_FAMILIES = (
    averages,
    momentum,
    volatility,
    volume,
    candles,
    price_action,
    session_time,
    structure,
    zones,
    vwap,
    divergence,
    derived,
)
_VOLUME_FAMILIES = (volume.FAMILY, vwap.FAMILY)

BASE: tuple[Feature, ...] = tuple(
    replace(
        feature,
        family=module.FAMILY,
        uses_volume=feature.uses_volume or module.FAMILY in _VOLUME_FAMILIES,
    )
    for module in _FAMILIES
    for feature in module.FEATURES
)
ROW = np.dtype([(feature.name, np.float64) for feature in BASE])


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The features of one timeframe in column order."""

    timeframe: str
    features: tuple[Feature, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names."""
        return tuple(feature.name for feature in self.features)

    @property
    def minutes(self) -> int:
        """Length of a bar of this timeframe."""
        return TIMEFRAMES[self.timeframe]

    def index(self, name: str) -> int:
        """Column of a feature; ValueError, with the nearest name if any, for one there is not."""
        try:
            return self.names.index(name)
        except ValueError:
            raise ValueError(self._unknown(name)) from None

    def __getitem__(self, name: str) -> Feature:
        """A feature by name."""
        return self.features[self.index(name)]

    def _unknown(self, name: str) -> str:
        nearest = difflib.get_close_matches(name.lower(), self.names, n=1)
        hint = f"; the nearest name is {nearest[0]!r}" if nearest else ""
        return (
            f"there is no feature {name!r} on {self.timeframe}{hint} "
            "(`advisor features list` shows all)"
        )


def longer(timeframe: str) -> tuple[str, ...]:
    """The timeframes above one."""
    return tuple(TIMEFRAMES)[list(TIMEFRAMES).index(timeframe) + 1 :]


@lru_cache(maxsize=len(TIMEFRAMES))
def catalogue(timeframe: str) -> Catalogue:
    """The catalogue of `1min`, `5min`, `15min` or `1hr`; ValueError for anything else."""
    if timeframe not in TIMEFRAMES:
        raise ValueError(f"timeframe is {timeframe!r}; it must be one of {', '.join(TIMEFRAMES)}")
    frames = longer(timeframe)
    base = {feature.name: feature for feature in BASE}
    return Catalogue(timeframe, BASE + multi_timeframe.features(frames, base))
