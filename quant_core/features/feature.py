"""What is said about one feature: the record that code, documentation and tests share.

A family module lists its features beside the kernel that computes them, so that a formula and its
code are read together; `quant_core.features.catalogue` puts the families in order.
"""

import math
from dataclasses import dataclass

PRICE = "price"
DIFFERENCE = "price difference"
RATIO = "ratio"
PERCENT = "percent"
VOLUME = "volume"
MONEY = "price x volume"
COUNT = "count"
SIGN = "sign"
FLAG = "flag"
PATTERN = "pattern"
MINUTES = "minutes"

# What a value is multiplied by when prices are multiplied by p and volumes by v: p^a * v^b.
EXPONENTS = {PRICE: (1, 0), DIFFERENCE: (1, 0), VOLUME: (0, 1), MONEY: (1, 1)}

_RANGES = {
    PRICE: (0.0, math.inf),
    PERCENT: (0.0, 100.0),
    COUNT: (0.0, math.inf),
    SIGN: (-1.0, 1.0),
    FLAG: (0.0, 1.0),
    PATTERN: (-100.0, 100.0),
}


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature. `warm_up` counts the bars needed for the first value, that bar included.

    `low` and `high` bound every value (None: the unit's own range). `frame` is the timeframe whose
    bars `warm_up` counts, empty for the row's own. `uses_volume` marks what a feed with partial
    volume makes unreliable. `family` is set by the catalogue.
    """

    name: str
    unit: str
    warm_up: int
    formula: str
    source: str
    low: float | None = None
    high: float | None = None
    uses_volume: bool = False
    frame: str = ""
    family: str = ""

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest possible value."""
        low, high = _RANGES.get(self.unit, (-math.inf, math.inf))
        return (
            low if self.low is None else self.low,
            high if self.high is None else self.high,
        )

    @property
    def scaling(self) -> tuple[int, int]:
        """Exponents of price and volume in the value: what the scale laws say."""
        return EXPONENTS.get(self.unit, (0, 0))
