"""Quality flags of a row, and what a history still lacks.

A feature is NaN while it warms up and at no other time; everything else that can be wrong with a
row is said by a flag beside it, not by a value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntFlag

from quant_core.features.feature import Feature

GRACE = 1  # minutes that a bar may be late before what is known is stale


class Quality(IntFlag):
    """What is wrong with a row.

    WARM_UP: some feature is still NaN. STALE: more than a minute without a bar lies right before
    the row's bar in its session, so that values had outlived the freshness limit and bar-to-bar
    features span a hole; of a live stream also: no bar has come for the length of a bar and a
    minute. VOLUME_UNRELIABLE: the feed carries a small part of the volume, so features marked
    `uses_volume` are not what they seem.
    """

    WARM_UP = 1
    STALE = 2
    VOLUME_UNRELIABLE = 4


PARTIAL_VOLUME_FEEDS = frozenset({"iex"})


class TooLittleHistory(ValueError):
    """A feature was asked for that the bars so far cannot give."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """A feature that is still warming up: what it counts, how many it has, how many it needs."""

    feature: str
    unit: str
    seen: int
    needed: int

    def __str__(self) -> str:
        """In words, for a message."""
        return f"{self.feature} needs {self.needed} {self.unit} and has {self.seen}"


def shortages(features: Sequence[Feature], seen: Mapping[str, int]) -> list[Shortage]:
    """What the features lack, the greatest lack first.

    `seen` counts bars by timeframe, the row's own under "", and sessions under "session".
    """
    lacking = [
        Shortage(
            feature.name,
            _unit(feature.frame),
            seen[feature.frame],
            feature.warm_up,
        )
        for feature in features
        if seen[feature.frame] < feature.warm_up
    ]
    return sorted(lacking, key=lambda one: one.seen - one.needed)


def _unit(frame: str) -> str:
    if frame == "session":
        return "sessions"
    return f"bars of {frame}" if frame else "bars"
