"""The feature engine: 163 features of a 1-minute bar, one definition for training and for live.

- `feature`, `catalogue`: what every feature is; the column order.
- `smoothing`, `window`: the bars that are looked back on and the averages over them.
- `averages`, `momentum`, `volatility`, `volume`, `candles`, `price_action`, `session_time`,
  `structure`, `zones`, `vwap`, `divergence`, `derived`: a family each, its features beside its
  step; `multi_timeframe`: longer bars and what is read from them.
- `engine`: the step that makes a row. `stream`: a history at once, or bar by bar.
- `quality`: flags, and what a history lacks.

Why steps of our own where TA-Lib has the indicator: one step driven by both paths makes streaming
equal batch by construction, its state is a plain record that copies and rebuilds, and it runs four
times as fast live as stream handles. The values are TA-Lib's: the tests compare every one.
"""

from quant_core.features.catalogue import TIMEFRAMES, Catalogue, catalogue
from quant_core.features.feature import Feature
from quant_core.features.quality import Quality, Shortage, TooLittleHistory
from quant_core.features.stream import FeatureStream, FeatureTable, RejectedBar, compute

__all__ = [
    "TIMEFRAMES",
    "Catalogue",
    "Feature",
    "FeatureStream",
    "FeatureTable",
    "Quality",
    "RejectedBar",
    "Shortage",
    "TooLittleHistory",
    "catalogue",
    "compute",
]
