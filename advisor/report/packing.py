"""Numbers as text: columns of a report small enough to travel inside the page, exactly.

Neighbouring minutes differ little, so a column is rounded to a quantum, differenced, and written
in base 45 with the least significant digit first: a digit from the upper half of the alphabet has
more to follow. Most differences take one or two characters. The alphabet has no character that
means anything in HTML, JSON or JavaScript. No compression library is involved, so the same column
gives the same text on every machine and every browser reads it. The reader is `assets/js/data.js`.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

BASE = 45
ALPHABET = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in '"\\<>&')
_CODES = np.frombuffer(ALPHABET.encode("ascii"), np.uint8)
_LIMIT = 2**53


def pack(values: ArrayLike) -> str:
    """Integers of either sign as text; sizes beyond 2**52 cannot be read back by a browser."""
    signed = np.asarray(values, np.int64).ravel()
    rest = np.where(signed < 0, -2 * signed - 1, 2 * signed)
    if len(rest) and (rest.min() < 0 or rest.max() >= _LIMIT):
        raise ValueError("a value lies beyond ±2**52; choose a coarser quantum")
    digits: list[NDArray[np.uint8]] = []
    alive: list[NDArray[np.bool_]] = []
    here = np.ones(len(rest), np.bool_)
    while here.any():
        more = rest >= BASE
        digits.append(_CODES[rest % BASE + BASE * more])
        alive.append(here)
        rest, here = rest // BASE, here & more
    if not digits:
        return ""
    return np.stack(digits, axis=1)[np.stack(alive, axis=1)].tobytes().decode("ascii")


def pack_differences(values: ArrayLike, quantum: float) -> str:
    """A column of finite numbers, rounded to multiples of `quantum`, as successive differences."""
    steps = np.rint(np.asarray(values, np.float64) / quantum).astype(np.int64)
    return pack(np.diff(steps, prepend=0))


def pack_runs(flags: ArrayLike) -> str:
    """A column of booleans as lengths of alternating runs, the first one of True."""
    column = np.asarray(flags, np.bool_)
    edges = np.flatnonzero(np.diff(column)) + 1
    lengths = np.diff(np.concatenate(([0], edges, [len(column)])))
    return pack(lengths if len(column) == 0 or column[0] else np.concatenate(([0], lengths)))


class Texts:
    """Every distinct text once; rows refer to it by position. Lanes share most of their prose."""

    def __init__(self) -> None:
        """An empty table."""
        self._positions: dict[str, int] = {}

    def add(self, text: str) -> int:
        """The position of a text."""
        return self._positions.setdefault(str(text), len(self._positions))

    def listed(self) -> list[str]:
        """All texts, by position."""
        return list(self._positions)


def number(value: float, digits: int = 9) -> float | int | str | None:
    """A number as JSON can carry it: `digits` significant, NaN as null, infinity as text."""
    if isinstance(value, int):
        return value
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    rounded = float(f"{value:.{digits}g}")
    return int(rounded) if rounded == int(rounded) and abs(rounded) < _LIMIT else rounded


def embed(payload: Mapping[str, Any] | Sequence[Any]) -> str:
    """JSON that is safe inside a script element: no markup can begin or end in it."""
    text = json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
