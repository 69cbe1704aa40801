"""Cycle records by the column: what the core saw and did, one row per symbol and minute.

A session makes thousands of these rows, so they travel as arrays from the kernel to the ledger and
the exports; `CycleRecord` is one row for people and queries.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quant_core.arrays import Floats, Ints
from quant_core.calendar import to_datetime
from quant_core.types import CycleRecord, State

STATES = tuple(State)


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleRows:
    """Rows ordered by minute, then watchlist order; all arrays have shape (rows,).

    `minute` is the bar's start in minutes since the epoch, `symbol` indexes `symbols`, `state`
    indexes `State` in order of its members, `side` and `htf_trend` are -1, 0 or 1.
    """

    symbols: tuple[str, ...]
    minute: Ints
    symbol: NDArray[np.int16]
    close: Floats
    mean: Floats
    deviation: Floats
    z: Floats
    ready: NDArray[np.bool_]
    htf_trend: NDArray[np.int8]
    state: NDArray[np.int8]
    side: NDArray[np.int8]

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.minute)

    @classmethod
    def joined(cls, parts: "list[CycleRows]") -> "CycleRows":
        """Several blocks, in order, as one."""
        columns = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in cls.__slots__
            if name != "symbols"
        }
        return cls(symbols=parts[0].symbols, **columns)

    def records(self) -> Iterator[CycleRecord]:
        """Row by row as the domain type."""
        for i in range(len(self.minute)):
            yield CycleRecord(
                symbol=self.symbols[self.symbol[i]],
                start=to_datetime(self.minute[i]),
                close=float(self.close[i]),
                mean=float(self.mean[i]),
                deviation=float(self.deviation[i]),
                z=float(self.z[i]),
                ready=bool(self.ready[i]),
                htf_trend=int(self.htf_trend[i]),  # type: ignore[arg-type]
                state=STATES[self.state[i]],
                side=int(self.side[i]),  # type: ignore[arg-type]
            )
