"""Minute rows: from arrays to stored rows and back, and the digest that chains them by session.

A session's rows are chained by one SHA-256 that goes into the session's `LaneDay` record. It is
over the watchlist and then the rows in binary, in the order of `CycleRows` (minute, then watchlist
position), so it does not matter in which batches they came. A lane keeps the watchlist it started
with, and rows must come in that order: both make "the rows as read back" and "the rows as written"
the same sequence.
"""

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from quant_core.cycles import STATES, CycleRows
from tools.errors import BadInput
from tools.store.columns import Minute
from tools.store.dialect import Unreadable

_WORDS = tuple(state.value for state in STATES)
_STATE_OF = {word: number for number, word in enumerate(_WORDS)}
_READINGS = ("close", "mean", "deviation", "z")
_PACKED = np.dtype(
    [
        ("minute", "<i8"),
        ("symbol", "<i2"),
        *((name, "<f8") for name in _READINGS),
        ("ready", "u1"),
        ("htf_trend", "i1"),
        ("state", "i1"),
        ("side", "i1"),
    ]
)
# Bounds for "from the first row" and "to the last one".
FIRST, LAST = -1_000_000_000, 4_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """The rows of a lane since its last `LaneDay`: how many, up to where, and their digest.

    `last` is the (minute, watchlist position) of the newest row the lane has ever written.
    """

    symbols: tuple[str, ...] = ()
    rows: int = 0
    last: tuple[int, int] | None = None
    digest: Any = field(default_factory=hashlib.sha256)

    def extended(self, rows: CycleRows) -> "OpenSession":
        """With more rows; BadInput when they do not continue this lane."""
        if not len(rows):
            return self
        self._check(rows)
        digest = self.digest.copy()
        if not self.rows:
            digest.update(msgspec.json.encode(rows.symbols))
        digest.update(packed(rows))
        return replace(
            self,
            symbols=rows.symbols,
            rows=self.rows + len(rows),
            last=(int(rows.minute[-1]), int(rows.symbol[-1])),
            digest=digest,
        )

    def sealed(self) -> tuple[int, int | None, str]:
        """What the session's `lane_days` record holds of it: rows, newest minute, digest."""
        through = None if self.last is None else self.last[0]
        return self.rows, through, self.digest.hexdigest()

    def closed(self) -> "OpenSession":
        """The next session: no rows yet, and none of the minute that was last."""
        last = None if self.last is None else (self.last[0], len(self.symbols))
        return replace(self, rows=0, last=last, digest=hashlib.sha256())

    def _check(self, rows: CycleRows) -> None:
        if self.symbols and rows.symbols != self.symbols:
            raise BadInput(
                f"the lane was started with the watchlist {', '.join(self.symbols)} and cannot "
                f"go on with {', '.join(rows.symbols)}; start another run"
            )
        width = len(rows.symbols)
        if rows.symbol.min() < 0 or rows.symbol.max() >= width:
            raise BadInput(f"a cycle row names a symbol outside its watchlist of {width}")
        if rows.state.min() < 0 or rows.state.max() >= len(STATES):
            raise BadInput("a cycle row names a state that there is not")
        place = rows.minute * (width + 1) + rows.symbol
        before = -1 if self.last is None else self.last[0] * (width + 1) + self.last[1]
        if place[0] <= before or (len(place) > 1 and (place[1:] <= place[:-1]).any()):
            raise BadInput(
                "cycle rows must come in order of minute, then watchlist, and only once; "
                f"got {Minute().keep(int(rows.minute[0]))} to {Minute().keep(int(rows.minute[-1]))}"
                + (f" after {Minute().keep(self.last[0])}" if self.last else "")
            )


def packed(rows: CycleRows) -> bytes:
    """The rows as little-endian records, with one NaN and one zero: what the digest is over."""
    block = np.empty(len(rows), _PACKED)
    for name in _PACKED.names or ():
        block[name] = getattr(rows, name)
    for name in _READINGS:
        column = block[name]
        column += 0.0
        column[np.isnan(column)] = np.nan
    return block.tobytes()


def stored(run: int, lane: str, rows: CycleRows) -> list[tuple[Any, ...]]:
    """The rows as the `cycles` table keeps them."""
    minutes = np.datetime_as_string(rows.minute.astype("datetime64[m]"), timezone="UTC")
    readings = (_or_null(getattr(rows, name)) for name in _READINGS)
    return list(
        zip(
            repeat(run, len(rows)),
            repeat(lane),
            minutes.tolist(),
            map(rows.symbols.__getitem__, rows.symbol.tolist()),
            *readings,
            rows.ready.tolist(),
            rows.htf_trend.tolist(),
            map(_WORDS.__getitem__, rows.state.tolist()),
            rows.side.tolist(),
            strict=False,
        )
    )


def _or_null(column: NDArray[np.float64]) -> Iterable[float | None]:
    values: list[float] = column.tolist()
    if not np.isnan(column).any():
        return values
    return [None if value != value else value for value in values]


def from_stored(symbols: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> CycleRows:
    """Stored rows as arrays, in watchlist order inside a minute; Unreadable if never written."""
    try:
        return _in_order(_arrays(symbols, rows))
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise Unreadable(f"cycles: {error}") from error


def _arrays(symbols: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> CycleRows:
    columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * 10
    minute, symbol, close, mean, deviation, z, ready, htf_trend, state, side = columns
    moments = {text: Minute().read(text) for text in set(minute)}
    position = {name: number for number, name in enumerate(symbols)}
    if not set(ready) <= {0, 1}:
        raise ValueError("a cycle row is neither ready nor not ready")
    return CycleRows(
        symbols=symbols,
        minute=np.array([moments[text] for text in minute], dtype=np.int64),
        symbol=np.array([position[name] for name in symbol], dtype=np.int16),
        close=np.array(close, dtype=np.float64),
        mean=np.array(mean, dtype=np.float64),
        deviation=np.array(deviation, dtype=np.float64),
        z=np.array(z, dtype=np.float64),
        ready=np.array(ready, dtype=np.bool_),
        htf_trend=_small(htf_trend),
        state=_small([_STATE_OF[word] for word in state]),
        side=_small(side),
    )


def _small(values: Sequence[int]) -> NDArray[np.int8]:
    """Exact: `array` refuses a fraction, which numpy would cut off."""
    return np.array(array("b", values), dtype=np.int8)


def _in_order(rows: CycleRows) -> CycleRows:
    order = np.lexsort((rows.symbol, rows.minute))
    columns = {
        name: getattr(rows, name)[order] for name in CycleRows.__slots__ if name != "symbols"
    }
    return CycleRows(symbols=rows.symbols, **columns)
