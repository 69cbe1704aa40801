"""The account minute by minute, rebuilt from what is recorded: fills, and closes of cycle rows.

The ledger keeps no equity per minute; it does not need to. Equity is start equity, plus the cash
that every fill brought or cost, plus the shares held at their last closes (R36), and that is exact
at every minute of which a row is known. Nothing here asks the engine what it believed, so the
curve is also a check on it: at the end of a flat session it must equal the lane's end equity.

- A symbol without a bar in a minute keeps its last close, through missing minutes and over nights.
- A fill counts from the minute of its bar on. A position that had no late bar is closed at its
  symbol's last close by a fill stamped on that bar (R41), so the curve knows of it from then on.
- Between two rows nothing is invented: a fill stamped on a minute without any row counts from the
  next row on, one after the last row counts in the last row.
"""

from collections.abc import Sequence

import numpy as np

from quant_core.arrays import Floats, Ints
from quant_core.calendar import to_minute
from quant_core.cycles import CycleRows
from quant_core.types import Fill


def equity_curve(
    start_equity: float, fills: Sequence[Fill], cycles: CycleRows
) -> tuple[Ints, Floats]:
    """Every minute that has a cycle row, and the account's equity ($) after it; shapes (minutes,).

    Minutes are bar starts since the epoch: the equity of minute m is known at m + 1. Raises
    ValueError for a fill of a symbol of which no close is known by then.
    """
    minutes, closes = _last_closes(cycles)
    at, symbol = _places(fills, cycles.symbols, minutes, closes)
    flows = [-fill.side * fill.quantity * fill.price - fill.fees for fill in fills]
    cash = np.cumsum(np.bincount(at, flows, minlength=len(minutes)))
    holdings = _values(fills, at, symbol, closes).sum(axis=1)
    equity: Floats = start_equity + cash + holdings
    return minutes, equity


def gross_exposure(fills: Sequence[Fill], cycles: CycleRows) -> Floats:
    """Sum of |shares| × last close ($) after each minute of `equity_curve`; shape (minutes,).

    It is above zero exactly when a position is open at the end of the minute: a position that is
    opened and closed inside one bar leaves no trace here.
    """
    minutes, closes = _last_closes(cycles)
    at, symbol = _places(fills, cycles.symbols, minutes, closes)
    gross: Floats = np.abs(_values(fills, at, symbol, closes)).sum(axis=1)
    return gross


def drawdown(equity: Floats) -> tuple[float, float]:
    """The deepest fall from a peak, as a fraction ≤ 0 of the peak, and its duration in steps.

    The duration runs from the last step at the peak to the first step that is back at it, or to
    the end when none is. Of several equally deep falls the first counts. No fall is (0, 0); no
    equity at all is (NaN, NaN).
    """
    if len(equity) == 0:
        return np.nan, np.nan
    peaks = np.maximum.accumulate(equity)
    falls = equity / peaks - 1.0
    trough = int(np.argmin(falls))
    fall, peak = float(falls[trough]), peaks[trough]
    if not fall < 0.0:
        return fall, fall
    left = int(np.flatnonzero(equity[:trough] == peak)[-1])
    recovered = np.flatnonzero(equity[trough:] >= peak)
    back = trough + int(recovered[0]) if len(recovered) else len(equity) - 1
    return fall, float(back - left)


def _last_closes(cycles: CycleRows) -> tuple[Ints, Floats]:
    """The minutes that have a row, and every symbol's last close by then (minutes, symbols)."""
    begins = np.ones(len(cycles), np.bool_)
    begins[1:] = cycles.minute[1:] != cycles.minute[:-1]
    row = np.cumsum(begins) - 1
    minutes: Ints = cycles.minute[begins]
    shape = (len(minutes), len(cycles.symbols))
    latest = np.zeros(shape, np.int64)
    latest[row, cycles.symbol] = row
    closes = np.full(shape, np.nan)
    closes[row, cycles.symbol] = cycles.close
    return minutes, np.take_along_axis(closes, np.maximum.accumulate(latest, axis=0), axis=0)


def _places(
    fills: Sequence[Fill], symbols: tuple[str, ...], minutes: Ints, closes: Floats
) -> tuple[Ints, Ints]:
    """The row and the column of `closes` in which each fill first counts."""
    column = {name: index for index, name in enumerate(symbols)}
    starts = np.array([to_minute(fill.start) for fill in fills], np.int64)
    at = np.minimum(np.searchsorted(minutes, starts), len(minutes) - 1)
    symbol = np.array([column.get(fill.symbol, -1) for fill in fills], np.int64)
    for fill, i, s in zip(fills, at, symbol, strict=True):
        if s < 0 or i < 0 or np.isnan(closes[i, s]):
            raise ValueError(
                f"the fill of {fill.quantity} {fill.symbol} at {fill.start} cannot be valued: "
                "no cycle row gives a close of that symbol by then"
            )
    return at, symbol


def _values(fills: Sequence[Fill], at: Ints, symbol: Ints, closes: Floats) -> Floats:
    """Signed value ($) of each holding after each minute (minutes, symbols); shares are exact."""
    shares = np.zeros(closes.shape, np.int64)
    np.add.at(shares, (at, symbol), [fill.side * fill.quantity for fill in fills])
    shares = np.cumsum(shares, axis=0)
    return np.where(shares != 0, shares * closes, 0.0)
