"""One session laid out for the engine: its bars and bands on a grid, and its landmarks.

Nothing here depends on a decision, so every lane of a session reads the same grid.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant_core.arrays import Floats, Ints
from quant_core.calendar import Session
from quant_core.parameters import StdevParameters


class Grid(NamedTuple):
    """One session's bars and bands: arrays of shape (minutes, symbols), row 0 is the open.

    `present` says where a symbol has an accepted bar; elsewhere the numbers mean nothing. `mean`,
    `deviation`, `z` are the band at that close (z is NaN when not ready), `atr_5m` the 5-minute
    ATR known by then.
    """

    present: NDArray[np.bool_]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    mean: Floats
    deviation: Floats
    z: Floats
    atr_5m: Floats


CLOCK = np.dtype(
    [
        ("open", np.int64),
        ("minutes", np.int64),
        ("entry_from", np.int64),
        ("entry_until", np.int64),
        ("flat_from", np.int64),
    ]
)


def session_clock(session: Session, playbook: StdevParameters) -> np.ndarray:
    """The session's landmarks as minutes after the open, shape (1,) and dtype CLOCK (R20, R41)."""
    return session_clocks(np.array([session.open]), np.array([session.minutes]), playbook)


def session_clocks(opens: Ints, minutes: Ints, playbook: StdevParameters) -> np.ndarray:
    """The landmarks of many sessions; `opens` and `minutes` (sessions,), dtype CLOCK."""
    clocks = np.zeros(len(opens), CLOCK)
    clocks["open"] = opens
    clocks["minutes"] = minutes
    opening = 9 * 60 + 30
    clocks["entry_from"] = playbook.entry_from - opening
    clocks["entry_until"] = playbook.entry_until - opening
    flat = playbook.flat_from - opening
    early = np.minimum(flat, minutes - playbook.flat_before_early_close)
    clocks["flat_from"] = np.where(minutes < 390, early, flat)
    return clocks
