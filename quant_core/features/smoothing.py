"""The moving sums and averages of the kernels: one value in, one out, NaN while warming up.

Each keeps its running value in a CELL of the state and is told how many values it has seen, the
present one included. Orders of addition and seeds are TA-Lib's. A running sum's rounding error
grows like the square root of its age: 1e-13 of the sum after a year of minutes.

Surprise recorded here: numba compiles a function anew for every integer literal it is called with.
Periods are therefore passed as floats and positions as bar numbers, which cut the engine's
compilation by half.
"""

import math
from typing import Any

import numpy as np

from quant_core.bars import Floats
from quant_core.compiled import compiled

DEPTH = 256
MASK = DEPTH - 1
RING = (np.float64, (DEPTH,))
ROUNDING = 1e-12  # a difference below this share of its operands is rounding, not movement
CELL = np.dtype([("value", np.float64)])


@compiled
def at(ring: Floats, bar: int) -> float:
    """What a ring holds for a bar, counted from 0 at the first of the history."""
    value: float = ring[bar & MASK]
    return value


@compiled
def mean(cell: Any, seen: int, value: float, oldest: float, period: float) -> float:
    """Simple moving average; `oldest` is the value that leaves after this bar (TA-Lib SMA)."""
    total: float = cell.value + value
    if seen < period:
        cell.value = total
        return np.nan
    cell.value = total - oldest
    return total / period


@compiled
def exponential(cell: Any, seen: int, value: float, period: float) -> float:
    """Exponential average, factor 2/(period + 1), first value the plain mean (TA-Lib EMA)."""
    if seen > period:
        average: float = cell.value + (value - cell.value) * (2.0 / (period + 1.0))
        cell.value = average
        return average
    return _seed(cell, seen, value, period)


@compiled
def wilder(cell: Any, seen: int, value: float, period: float) -> float:
    """Wilder's average, factor 1/period, first value the plain mean (TA-Lib ATR, RSI)."""
    if seen > period:
        average: float = (cell.value * (period - 1.0) + value) / period
        cell.value = average
        return average
    return _seed(cell, seen, value, period)


@compiled
def _seed(cell: Any, seen: int, value: float, period: float) -> float:
    total: float = cell.value + value
    if seen < period:
        cell.value = total
        return np.nan
    cell.value = total / period
    return total / period


@compiled
def highest(ring: Floats, first: int, last: int) -> float:
    """The largest value of the bars `first` to `last`."""
    best: float = ring[last & MASK]
    for bar in range(first, last):
        value = ring[bar & MASK]
        if value > best:
            best = value
    return best


@compiled
def lowest(ring: Floats, first: int, last: int) -> float:
    """The smallest value of the bars `first` to `last`."""
    best: float = ring[last & MASK]
    for bar in range(first, last):
        value = ring[bar & MASK]
        if value < best:
            best = value
    return best


@compiled
def deviation(ring: Floats, first: int, last: int, average: float) -> float:
    """Population deviation of the bars `first` to `last` about their mean, in two passes.

    The second sum corrects for the rounding of `average`; there is no difference of squares.
    """
    squares = 0.0
    drift = 0.0
    for bar in range(first, last + 1):
        away = ring[bar & MASK] - average
        squares += away * away
        drift += away
    size = last + 1 - first
    return math.sqrt(max(squares - drift * drift / size, 0.0) / size)


@compiled
def quotient(top: float, bottom: float, otherwise: float) -> float:
    """`top / bottom`, or `otherwise` where the bottom is zero. NaN passes through."""
    return otherwise if bottom == 0.0 else top / bottom


@compiled
def same(one: float, other: float) -> bool:
    """Whether two values of like size differ by rounding only (TA-Lib's scaled zero test)."""
    return abs(one - other) <= 1e-14 * (abs(one) + abs(other))


@compiled
def in_units(top: float, unit: float, price: float) -> float:
    """`top / unit`, or 0 where the unit is lost in the rounding of a price. NaN passes through.

    An ATR or a channel decays towards 0 on a flat tape without reaching it; below 1e-12 of the
    price the quotient would be noise over noise.
    """
    return 0.0 if unit <= ROUNDING * price else top / unit


@compiled
def balance(up: bool, down: bool) -> float:
    """+1 for up alone, -1 for down alone, 0 for neither or both."""
    return (1.0 if up else 0.0) - (1.0 if down else 0.0)
