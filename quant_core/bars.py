"""Bars: which rows are accepted, and how accepted minutes become longer bars.

A row passes every check below or is refused under the name of the first check it fails; refusals
keep their row number so that a person can find them. Nothing is repaired and a missing minute is
never invented: a gap is only counted.

Checks run in stored order, per symbol (DOMAIN.md section 1, readings R1 and R2). A row that fails
leaves no trace: a duplicate is a second *accepted* start, and out-of-order is measured against the
last accepted one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from quant_core.arrays import Floats as Floats
from quant_core.arrays import Ints as Ints
from quant_core.calendar import Calendar, new_york_days
from quant_core.compiled import compiled

REASONS = (
    "accepted",
    "nan_or_non_positive_price",
    "high_below_open_or_close",
    "low_above_open_or_close",
    "negative_volume",
    "duplicate",
    "out_of_order",
    "outside_calendar",
    "not_on_a_minute",
    "implausible_magnitude",
)
(
    ACCEPTED,
    BAD_PRICE,
    BAD_HIGH,
    BAD_LOW,
    BAD_VOLUME,
    DUPLICATE,
    OUT_OF_ORDER,
    OUTSIDE,
    OFF_MINUTE,
    IMPLAUSIBLE,
) = range(len(REASONS))
# No share costs or trades this much; a feed's sentinel would stay in every running sum for good.
LARGEST_PRICE = 1e9
LARGEST_VOLUME = 1e15
SPACING_BARS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RawBars:
    """Rows of one symbol as stored, unchecked; all arrays have shape (rows,).

    `start` is microseconds since the epoch, UTC. `file` indexes `files` and `row` is the 1-based
    row in that file.
    """

    symbol: str
    start: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    file: Ints
    row: Ints
    files: tuple[str, ...]
    feed: str = "replay"


@dataclass(frozen=True, slots=True, kw_only=True)
class BarSeries:
    """Accepted bars of one symbol and timeframe, strictly increasing; arrays of shape (bars,).

    `start` and `end` are minutes since the epoch, UTC; a bar is known at `end` and not before.
    `session` is the position of the bar's session in the calendar.
    """

    symbol: str
    start: Ints
    end: Ints
    session: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    feed: str = "replay"

    def __len__(self) -> int:
        """Number of bars."""
        return len(self.start)

    def part(self, where: slice) -> "BarSeries":
        """A contiguous part, as views."""
        arrays = {
            f.name: getattr(self, f.name)[where]
            for f in fields(self)
            if f.name not in ("symbol", "feed")
        }
        return BarSeries(symbol=self.symbol, feed=self.feed, **arrays)

    def followed_by(self, later: "BarSeries") -> "BarSeries":
        """These bars and the later ones of the same symbol."""
        arrays = {
            f.name: np.concatenate([getattr(self, f.name), getattr(later, f.name)])
            for f in fields(self)
            if f.name not in ("symbol", "feed")
        }
        return BarSeries(symbol=self.symbol, feed=later.feed, **arrays)

    def known_by(self, minute: int) -> "BarSeries":
        """The bars that are closed at a moment (minutes since the epoch)."""
        return self.part(slice(0, int(np.searchsorted(self.end, minute, side="right"))))


@compiled
def _judge(
    start: Ints,
    open: Floats,
    high: Floats,
    low: Floats,
    close: Floats,
    volume: Floats,
    session: Ints,
    aligned: NDArray[np.bool_],
) -> NDArray[np.int8]:
    """The code of the first failed check per row (index into REASONS), in stored order."""
    codes = np.zeros(len(start), np.int8)
    accepted = np.empty(len(start), np.int64)
    count = 0
    for i in range(len(start)):
        prices_fine = (
            np.isfinite(open[i])
            and np.isfinite(high[i])
            and np.isfinite(low[i])
            and np.isfinite(close[i])
            and np.isfinite(volume[i])
            and min(min(open[i], high[i]), min(low[i], close[i])) > 0.0
        )
        if not prices_fine:
            codes[i] = BAD_PRICE
        elif high[i] < max(open[i], close[i]):
            codes[i] = BAD_HIGH
        elif low[i] > min(open[i], close[i]):
            codes[i] = BAD_LOW
        elif volume[i] < 0.0:
            codes[i] = BAD_VOLUME
        elif high[i] > LARGEST_PRICE or volume[i] > LARGEST_VOLUME:
            codes[i] = IMPLAUSIBLE
        elif count > 0 and start[i] <= accepted[count - 1]:
            place = np.searchsorted(accepted[:count], start[i])
            codes[i] = DUPLICATE if accepted[place] == start[i] else OUT_OF_ORDER
        elif session[i] < 0:
            codes[i] = OUTSIDE
        elif not aligned[i]:
            codes[i] = OFF_MINUTE
        else:
            accepted[count] = start[i]
            count += 1
    return codes


def accept_minutes(raw: RawBars, calendar: Calendar) -> tuple[BarSeries, NDArray[np.int8]]:
    """Split 1-minute rows into accepted regular-session bars and one reason code per row."""
    minute = raw.start // 60_000_000
    session = calendar.session_index(minute)
    codes = _judge(
        raw.start,
        raw.open,
        raw.high,
        raw.low,
        raw.close,
        raw.volume,
        session,
        raw.start % 60_000_000 == 0,
    )
    keep = codes == ACCEPTED
    return _series(raw, keep, minute, minute + 1, session), codes


def accept_days(raw: RawBars, calendar: Calendar) -> tuple[BarSeries, NDArray[np.int8]]:
    """Split daily rows into accepted sessions and one reason code per row.

    The session is the New York date of the timestamp (R13); a bar is known at that session's
    close, and `start` becomes its open.
    """
    session = calendar.day_index(new_york_days(raw.start // 60_000_000))
    opens = np.where(session >= 0, calendar.opens[session], raw.start // 60_000_000)
    codes = _judge(
        opens,
        raw.open,
        raw.high,
        raw.low,
        raw.close,
        raw.volume,
        session,
        np.ones(len(session), np.bool_),
    )
    keep = codes == ACCEPTED
    return _series(raw, keep, opens, calendar.closes[session], session), codes


def _series(
    raw: RawBars, keep: NDArray[np.bool_], start: Ints, end: Ints, session: Ints
) -> BarSeries:
    return BarSeries(
        symbol=raw.symbol,
        feed=raw.feed,
        start=start[keep],
        end=end[keep],
        session=session[keep],
        open=raw.open[keep],
        high=raw.high[keep],
        low=raw.low[keep],
        close=raw.close[keep],
        volume=raw.volume[keep],
    )


def aggregate(minutes: BarSeries, calendar: Calendar, timeframe: int) -> BarSeries:
    """Bars of `timeframe` minutes aligned to each session's open (R3).

    A bucket needs at least one minute, is clipped at the session's close and is known at its end,
    whether or not its last minute traded. A timeframe longer than a session gives daily bars.
    """
    if timeframe < 1:
        raise ValueError(f"timeframe is {timeframe}; it must be at least 1 minute")
    if len(minutes) == 0:
        return minutes
    opens = calendar.opens[minutes.session]
    start = opens + (minutes.start - opens) // timeframe * timeframe
    first = np.flatnonzero(np.r_[True, np.diff(start) != 0])
    last = np.r_[first[1:], len(start)] - 1
    session = minutes.session[first]
    return BarSeries(
        symbol=minutes.symbol,
        feed=minutes.feed,
        start=start[first],
        end=np.minimum(start[first] + timeframe, calendar.closes[session]),
        session=session,
        open=minutes.open[first],
        close=minutes.close[last],
        high=np.maximum.reduceat(minutes.high, first),
        low=np.minimum.reduceat(minutes.low, first),
        volume=np.add.reduceat(minutes.volume, first),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Minutes of a session for which a symbol has no accepted bar; `first` is the earliest."""

    symbol: str
    session: int
    missing: int
    first: int
    longest: int


def gaps(
    minutes: BarSeries, calendar: Calendar, sessions: Iterable[int] | None = None
) -> list[Gap]:
    """Sessions that lack minutes of a symbol, some or all; by default of those it has bars in.

    `sessions` are positions in the calendar.
    """
    found: list[Gap] = []
    if sessions is None:
        sessions = np.unique(minutes.session).tolist()
    for session in sessions:
        low, high = np.searchsorted(minutes.session, [session, session + 1])
        opening, closing = int(calendar.opens[session]), int(calendar.closes[session])
        if high - low == closing - opening:
            continue
        edges = np.r_[opening - 1, minutes.start[low:high], closing]
        jumps = np.diff(edges) - 1
        first = int(np.argmax(jumps > 0))
        found.append(
            Gap(
                symbol=minutes.symbol,
                session=session,
                missing=int(jumps.sum()),
                first=int(edges[first]) + 1,
                longest=int(jumps.max()),
            )
        )
    return found


def spacing(minutes: BarSeries, calendar: Calendar) -> int:
    """Minutes that every start is a multiple of, counted from its open: 1 for 1-minute bars.

    Anything else says that the bars are longer than a minute. Few bars say nothing: 1.
    """
    if len(minutes) < SPACING_BARS:
        return 1
    return max(1, int(np.gcd.reduce(minutes.start - calendar.opens[minutes.session])))
