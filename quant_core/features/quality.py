"""Quality flags of a row, and what a history still lacks.

A feature is NaN while it warms up and at no other time; everything else that can be wrong with a
row is said by a flag beside it, not by a value.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntFlag

from quant_core.features.feature import Feature

GRACE = 1  # minutes that a bar may be late before what is known is stale


class Quality(IntFlag):
    """What is wrong with a row.

    WARM_UP: some feature is still NaN. STALE: more than a minute of trading without a bar
    lies right before the row's bar, be it in its session, at the end of the session before or all
    of it, so that values had outlived the freshness limit and bar-to-bar
    features span a hole; of a live stream also: no bar has come for the length of a bar and a
    minute. VOLUME_UNRELIABLE: the feed carries a small part of the volume, so features marked
    `uses_volume` are not what they seem.
    """

    WARM_UP = 1
    STALE = 2
    VOLUME_UNRELIABLE = 4


FEEDS = ("iex", "sip", "delayed", "replay", "synthetic")
PARTIAL_VOLUME_FEEDS = frozenset({"iex"})


def feed_label(label: str) -> str:
    """One of `FEEDS`, whatever its capitals; ValueError for anything else."""
    known = label.strip().lower()
    if known in FEEDS:
        return known
    nearest = difflib.get_close_matches(known, FEEDS, n=1)
    hint = f"; the nearest is {nearest[0]!r}" if nearest else ""
    raise ValueError(f"feed is {label!r}; it must be one of {', '.join(FEEDS)}{hint}")


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
