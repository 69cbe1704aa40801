"""The moving sums and averages of the kernels: one bar in, one value out, NaN while warming up.

Each keeps its running value in one cell of a state array and is told how many values it has seen,
the present one included. Orders of addition and seeds are TA-Lib's. A running sum's rounding error
grows like the square root of its age: 1e-13 of the sum after a year of minutes.
"""

import numpy as np

from quant_core.bars import Floats
from quant_core.compiled import compiled

DEPTH = 256
MASK = DEPTH - 1


@compiled
def back(ring: Floats, count: int, bars: int) -> float:
    """The value `bars` before the newest of `count` written to a ring of DEPTH."""
    return ring[(count - 1 - bars) & MASK]


@compiled
def mean(cells: Floats, cell: int, seen: int, value: float, oldest: float, period: int) -> float:
    """Simple moving average; `oldest` is the value that leaves after this bar (TA-Lib SMA)."""
    if seen < period:
        cells[cell] += value
        return np.nan
    total = cells[cell] + value
    cells[cell] = total - oldest
    return total / period


@compiled
def exponential(cells: Floats, cell: int, seen: int, value: float, period: int) -> float:
    """Exponential average, factor 2/(period + 1), first value the plain mean (TA-Lib EMA)."""
    if seen < period:
        cells[cell] += value
        return np.nan
    if seen == period:
        cells[cell] = (cells[cell] + value) / period
    else:
        cells[cell] += (value - cells[cell]) * (2.0 / (period + 1))
    return cells[cell]


@compiled
def wilder(cells: Floats, cell: int, seen: int, value: float, period: int) -> float:
    """Wilder's average, factor 1/period, first value the plain mean (TA-Lib ATR, RSI)."""
    if seen < period:
        cells[cell] += value
        return np.nan
    if seen == period:
        cells[cell] = (cells[cell] + value) / period
    else:
        cells[cell] = (cells[cell] * (period - 1) + value) / period
    return cells[cell]


@compiled
def highest(ring: Floats, count: int, skip: int, period: int) -> float:
    """The largest of `period` values of a ring, leaving out the newest `skip`."""
    best = ring[(count - 1 - skip) & MASK]
    for k in range(skip + 1, skip + period):
        value = ring[(count - 1 - k) & MASK]
        if value > best:
            best = value
    return best


@compiled
def lowest(ring: Floats, count: int, skip: int, period: int) -> float:
    """The smallest of `period` values of a ring, leaving out the newest `skip`."""
    best = ring[(count - 1 - skip) & MASK]
    for k in range(skip + 1, skip + period):
        value = ring[(count - 1 - k) & MASK]
        if value < best:
            best = value
    return best


@compiled
def deviation(ring: Floats, count: int, period: int, average: float) -> float:
    """Population deviation of the newest `period` values about their mean, in two passes.

    The second sum corrects for the rounding of `average`; there is no difference of squares.
    """
    squares = 0.0
    drift = 0.0
    for k in range(period):
        step = ring[(count - 1 - k) & MASK] - average
        squares += step * step
        drift += step
    return np.sqrt(max(squares - drift * drift / period, 0.0) / period)


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
    return 0.0 if unit <= 1e-12 * price else top / unit


@compiled
def balance(up: bool, down: bool) -> float:
    """+1 for up alone, -1 for down alone, 0 for neither or both."""
    return (1.0 if up else 0.0) - (1.0 if down else 0.0)
