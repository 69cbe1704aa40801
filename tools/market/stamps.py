"""The timestamp column of a bar file, however written, as microseconds since the epoch, UTC.

A column is of one kind: instants with a zone, naive local times, dates, or epoch numbers. The
first row decides; a row of another kind is an error that names it, for a guess about time is the
one mistake that no later check can find. What is never guessed: the zone of naive times, and
whether 01/02/2024 is January or February unless some row of the column proves it.

A date means the New York session date and exists only in daily bars, where a naive midnight means
the same. A naive time that a clock change repeats is taken as its first occurrence; one that the
clock change skips is an error, because it shows that the zone is wrong. XNYS sessions meet neither.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from quant_core.calendar import NEW_YORK
from tools.errors import BadInput
from tools.market.columns import as_numpy, plain

Ints = NDArray[np.int64]

HOUR, DAY = 3_600_000_000, 86_400_000_000
_YEARS = (1900, 2200)
_EARLIEST, _LATEST = (
    int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000 for year in _YEARS
)
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_WRITE = "write 2025-01-02T09:30:00-05:00, 2025-01-02 09:30 with --tz, or (daily) 2025-01-02"

_DATE = r"^\d{4}-\d\d-\d\d$"
_NAIVE = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?$"
_AWARE = _NAIVE[:-1] + r"(Z|[+-]\d\d(:?\d\d)?)$"
_NUMBER = r"^-?\d{9,19}(\.\d+)?$"
_KINDS = ((_DATE, "a date"), (_NAIVE, "naive"), (_AWARE, "with a zone"), (_NUMBER, "a number"))
# Other ways to write the same: applied to the column when its first row matches.
_REWRITES = (
    (r"^(\d{4})(\d\d)(\d\d)($|[T ])", r"\1-\2-\3\4"),
    (r"^(\d{4})/(\d\d)/(\d\d)", r"\1-\2-\3"),
    (r"  +", " "),
    (r" (Z|[+-]\d\d(:?\d\d)?)$", r"\1"),
    (r" ?(UTC|GMT)$", "Z"),
    (r"(\.\d{6})\d{1,3}", r"\1"),
)
_SLASHED = r"^\d{1,2}/\d{1,2}/\d{4}( |$)"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the values of a column stand: their file, and the 1-based row of each."""

    file: str
    rows: Ints

    def error(self, column: pa.Array, position: int, problem: str) -> BadInput:
        """The error that a value of the column deserves."""
        try:  # Arrow's text, for Python's datetime ends where a damaged timestamp does not
            text = column[position : position + 1].cast(pa.string())[0].as_py() or ""
        except pa.ArrowException:
            text = str(column.type)
        return BadInput(
            f"timestamp {text!r} {problem}",
            file=self.file,
            row=int(self.rows[position]),
            value=text,
        )


def utc_micros(column: pa.Array, place: Place, tz: ZoneInfo | None, daily: bool) -> Ints:
    """The instants of a column, shape (rows,); BadInput names the first row that has none.

    `tz` is the zone of naive times, None when the user gave none. `daily` allows dates.
    """
    if len(column) == 0:
        return np.empty(0, np.int64)
    if column.null_count:
        first = pc.index(pc.is_null(column), True).as_py()
        raise place.error(column, first, "is missing; remove the row or fill it in")
    column = plain(column)
    kind = column.type
    if pa.types.is_timestamp(kind):
        micros = _scaled(as_numpy(column.cast(pa.int64())), kind.unit)
        if kind.tz is None:
            micros = _from_local(micros, column, place, tz, daily)
    elif pa.types.is_date(kind):
        micros = _from_dates(column, column, place, daily)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        micros = _from_numbers(column, place, daily)
    elif pa.types.is_string(kind):
        micros = _from_texts(column, place, tz, daily)
    else:
        raise place.error(column, 0, f"is of type {kind}, which holds no time; {_WRITE}")
    outside = (micros < _EARLIEST) | (micros >= _LATEST)
    if outside.any():
        first = int(np.argmax(outside))
        raise place.error(column, first, f"lies outside the years {_YEARS[0]} to {_YEARS[1] - 1}")
    return micros


def _scaled(values: Ints, unit: str) -> Ints:
    """Counts of a unit since the epoch as whole microseconds, rounded down."""
    per_second = _PER_SECOND[unit]
    if per_second > 1_000_000:
        return values // (per_second // 1_000_000)
    return values * (1_000_000 // per_second)


def _from_numbers(column: pa.Array, place: Place, daily: bool) -> Ints:
    """Epoch counts, their unit known by magnitude; integers such as 20250102 are dates."""
    exact = pa.types.is_integer(column.type)
    values = as_numpy(column.cast(pa.int64() if exact else pa.float64(), safe=False))
    if not np.isfinite(values).all():
        first = int(np.argmin(np.isfinite(values)))
        raise place.error(column, first, f"is not a time; {_WRITE}")
    if ((values >= 19_000_101) & (values <= 21_991_231)).all() and exact:
        return _from_texts(column.cast(pa.string()), place, None, daily)
    largest = float(np.abs(values).max())
    limits = (("s", 1e11), ("ms", 1e14), ("us", 1e17), ("ns", np.inf))
    unit = next(unit for unit, limit in limits if largest < limit)
    if exact:
        return _scaled(values, unit)
    scaled = np.clip(np.rint(values * (1_000_000 / _PER_SECOND[unit])), -(2.0**62), 2.0**62)
    micros: Ints = scaled.astype(np.int64)
    return micros


def _from_texts(column: pa.Array, place: Place, tz: ZoneInfo | None, daily: bool) -> Ints:
    text = column
    if _matches(text[:1], _SLASHED)[0]:
        text = _slashes_to_iso(text, column, place)
    for pattern, replacement in _REWRITES:
        if _matches(text[:1], pattern)[0]:
            text = pc.replace_substring_regex(text, pattern, replacement)
    found = next((kind for kind in _KINDS if _matches(text[:1], kind[0])[0]), None)
    if found is None:
        raise place.error(column, 0, f"is not a time this program can read; {_WRITE}")
    pattern, word = found
    fits = _matches(text, pattern)
    if not fits.all():
        first = int(np.argmin(fits))
        raise place.error(
            column,
            first,
            f"is not written like the first one, {str(column[0])!r} ({word}); "
            "write all of them the same way",
        )
    if pattern == _NUMBER:
        number = pa.float64() if pc.any(pc.match_substring(text, ".")).as_py() else pa.int64()
        return _from_numbers(_cast(text, number, column, place), place, daily)
    if pattern == _DATE:
        return _from_dates(_cast(text, pa.date32(), column, place), column, place, daily)
    kind = pa.timestamp("us", None if pattern == _NAIVE else "UTC")
    micros: Ints = as_numpy(_cast(text, kind, column, place).cast(pa.int64()))
    return _from_local(micros, column, place, tz, daily) if pattern == _NAIVE else micros


def _matches(text: pa.Array, pattern: str) -> NDArray[np.bool_]:
    return as_numpy(pc.match_substring_regex(text, pattern))


def _cast(text: pa.Array, kind: pa.DataType, column: pa.Array, place: Place) -> pa.Array:
    """Text as a type; the first value that is none (a 13th month) is found by halving."""
    try:
        return text.cast(kind)
    except pa.ArrowInvalid:
        low, high = 0, len(text)
        while high - low > 1:
            middle = (low + high) // 2
            try:
                text[low:middle].cast(kind)
            except pa.ArrowInvalid:
                high = middle
            else:
                low = middle
        raise place.error(column, low, f"is no valid date and time; {_WRITE}") from None


def _slashes_to_iso(text: pa.Array, column: pa.Array, place: Place) -> pa.Array:
    """1/31/2024 or 31/1/2024 as 2024-01-31, if the column proves which of the two it is."""
    fits = _matches(text, _SLASHED)
    if not fits.all():
        first = int(np.argmin(fits))
        raise place.error(column, first, "is not written like the first one; use 2025-01-02")
    padded = pc.replace_substring_regex(text, r"\b(\d)\b", r"0\1")
    left, right = (
        as_numpy(pc.utf8_slice_codeunits(padded, start, start + 2).cast(pa.int64()))
        for start in (0, 3)
    )
    month_first, day_first = bool((right > 12).any()), bool((left > 12).any())
    if month_first == day_first:
        first = int(np.argmax(left > 12)) if day_first else 0
        raise place.error(column, first, "may be month/day or day/month; write it as 2025-01-02")
    order = r"\3-\1-\2" if month_first else r"\3-\2-\1"
    return pc.replace_substring_regex(padded, r"^(\d\d)/(\d\d)/(\d{4})", order)


def _from_dates(dates: pa.Array, column: pa.Array, place: Place, daily: bool) -> Ints:
    """Dates as the New York midnights with which they begin."""
    if not daily:
        raise place.error(
            column,
            0,
            "is a date without a time of day; daily bars belong to --daily (`advisor data` takes "
            "--timeframe 1day)",
        )
    days = as_numpy(dates.cast(pa.date32()).cast(pa.int32())).astype(np.int64)
    return _localised(days * DAY, NEW_YORK, column, place)


def _from_local(
    micros: Ints, column: pa.Array, place: Place, tz: ZoneInfo | None, daily: bool
) -> Ints:
    if daily and not (micros % DAY).any():
        return _localised(micros, NEW_YORK, column, place)
    if tz is None:
        raise place.error(
            column,
            0,
            "has no time zone; name it in the settings, for example bars.timezone = "
            "'America/New_York' (`advisor data` also takes --tz)",
        )
    return _localised(micros, tz, column, place)


def _localised(micros: Ints, tz: ZoneInfo, column: pa.Array, place: Place) -> Ints:
    """Local wall-clock times as UTC; the offset is looked up once for each hour that occurs."""
    hours, where = np.unique(micros // HOUR, return_inverse=True)
    offsets = np.zeros(len(hours), np.int64)
    for i, hour in enumerate(hours.tolist()):
        if _EARLIEST + DAY <= hour * HOUR < _LATEST - DAY:
            wall = datetime.fromtimestamp(hour * 3600, UTC).replace(tzinfo=tz)
            offset = wall.utcoffset()
            there_and_back = wall.astimezone(UTC).astimezone(tz)
            if there_and_back.replace(tzinfo=None) != wall.replace(tzinfo=None):
                first = int(np.argmax(where == i))
                raise place.error(column, first, f"does not exist in {tz.key}: is that its zone?")
            offsets[i] = round(offset.total_seconds() * 1e6) if offset is not None else 0
    shifted: Ints = micros - offsets[where]
    return shifted
