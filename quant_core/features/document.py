"""The catalogue as a page for people: `docs/features.md`. The tests compare the two."""

import math
from itertools import groupby

from quant_core.features.catalogue import TIMEFRAMES, Catalogue, catalogue
from quant_core.features.feature import Feature
from quant_core.features.quality import Quality

_INTRODUCTION = """# Features

*Generated from the catalogue by `advisor features docs`; edit `quant_core/features/`, not this
page.*

A row of features belongs to one closed bar and is known at the bar's end. The same step computes
it for a history and live, so what a model trains on is what it will see.

{counts}

- Columns stand in the order below. A timeframe has the multi-timeframe features of the longer ones
  only.
- **Warm-up** is the number of bars until the first value, that bar included; `x 1hr` counts bars of
  that timeframe, `x session` sessions. Before that a value is NaN, and never afterwards: the
  formula says what stands for a zero range, a flat window or no volume.
- **Unit** says how a value scales: *price* and *price difference* with the price, *volume* with the
  volume, *price x volume* with both, all others with neither.
- **V** marks what needs the whole tape's volume: unreliable on `iex` (flag `VOLUME_UNRELIABLE`).
- Windows run across sessions without reset, except VWAP and the time features. OBV, A/D and VPT
  start at the first bar given; recursive averages forget it exponentially.
- `obv`, `ad_line` and `vpt` depend on the first bar, and recursive values of 15min and 1hr need
  long histories: rebuild a stream from the same first bar as the training set.
- Longer bars are aligned to the session's open, clipped at its close, and known at their end,
  whether or not the last minute traded. A value of a longer timeframe changes only then.
- Quality flags of a row: {flags}.
"""


def page() -> str:
    """The whole page, Markdown."""
    widest = catalogue("1min")
    parts = [_INTRODUCTION.format(counts=_counts(), flags=_flags())]
    for family, members in groupby(widest.features, key=lambda feature: feature.family):
        features = list(members)
        lines = [
            f"## {family.capitalize()} ({len(features)})",
            "",
            "| Feature | Formula | Unit | Range | Warm-up | V | Source |",
            "|---|---|---|---|---|---|---|",
            *map(_line, features),
        ]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _counts() -> str:
    def row(entries: Catalogue) -> str:
        return f"{len(entries.features)} on {entries.timeframe}"

    return "There are " + ", ".join(row(catalogue(name)) for name in TIMEFRAMES) + "."


def _flags() -> str:
    return ", ".join(f"`{flag.name}` ({flag.value})" for flag in Quality)


def _line(feature: Feature) -> str:
    cells = (
        f"`{feature.name}`",
        feature.formula.replace("|", "\\|"),
        feature.unit,
        extent(feature),
        warm_up(feature),
        "V" if feature.uses_volume else "",
        feature.source,
    )
    return f"| {' | '.join(cells)} |"


def extent(feature: Feature) -> str:
    """The range in words."""
    low, high = feature.range
    if math.isinf(low) and math.isinf(high):
        return "any"
    if math.isinf(high):
        return f"from {low:g}"
    return f"to {high:g}" if math.isinf(low) else f"{low:g} … {high:g}"


def warm_up(feature: Feature) -> str:
    """The warm-up with what it counts."""
    return f"{feature.warm_up} {feature.frame}".strip()
