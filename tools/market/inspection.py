"""What is in a symbol's rows: how many are accepted, why the others are not, and what is missing.

Besides counting it recognises the two mistakes that leave every single row looking fine: bars
labelled with their end, and times in the wrong zone. Both are hints with their evidence, never
corrections: only the person who has the files can know.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from quant_core.bars import (
    OUTSIDE,
    REASONS,
    BarSeries,
    RawBars,
    accept_days,
    accept_minutes,
    gaps,
)
from quant_core.calendar import Calendar, to_datetime, xnys
from tools.market.files import MINUTE, rejection_table

_HOURS = sorted(range(-12, 13), key=abs)
_ENOUGH = 20  # rows below which a pattern in the times proves nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """One symbol's rows on one page; `accepted` are its usable bars, `refused` the other rows.

    Gaps are minutes without a bar inside sessions that have any (1-minute bars), or sessions
    without a bar between the first and the last (daily bars). `absent` are the dates of those
    sessions, whatever the timeframe.
    """

    symbol: str
    rows: int
    accepted: BarSeries
    refused: pa.Table
    reasons: dict[str, int]
    sessions: int
    gap_sessions: int
    missing: int
    longest_gap: int
    absent: tuple[date, ...]
    first: datetime | None
    last: datetime | None
    zero_volume: int
    hints: tuple[str, ...]


def calendar_of(bars: Iterable[RawBars]) -> Calendar:
    """The exchange calendar for the years in which the rows lie."""
    starts = np.concatenate([raw.start for raw in bars])
    return xnys(*(to_datetime(edge // MINUTE).year for edge in (starts.min(), starts.max())))


def inspect_bars(
    raw: RawBars, calendar: Calendar, timeframe: Literal["1min", "1day"]
) -> Inspection:
    """Judge the rows of a symbol and describe them."""
    accept = accept_days if timeframe == "1day" else accept_minutes
    accepted, codes = accept(raw, calendar)
    there = np.unique(accepted.session)
    absent = np.setdiff1d(np.arange(there[0], there[-1]), there) if len(there) else there
    if timeframe == "1day":
        gap_sessions = missing = len(absent)
        longest = int((np.diff(there) - 1).max(initial=0))
    else:
        found = gaps(accepted, calendar)
        gap_sessions, missing = len(found), sum(gap.missing for gap in found)
        longest = max((gap.longest for gap in found), default=0)
    counts = np.bincount(codes, minlength=len(REASONS)).tolist()
    some = len(accepted) > 0
    return Inspection(
        symbol=raw.symbol,
        rows=len(raw.start),
        accepted=accepted,
        refused=rejection_table(raw, codes, "bar" if timeframe == "1min" else "daily_bar"),
        reasons={name: n for name, n in zip(REASONS[1:], counts[1:], strict=True) if n},
        sessions=len(there),
        gap_sessions=gap_sessions,
        missing=missing,
        longest_gap=longest,
        absent=tuple(calendar.session(int(index)).date for index in absent),
        first=to_datetime(accepted.start[0]) if some else None,
        last=to_datetime(accepted.start[-1]) if some else None,
        zero_volume=int(np.count_nonzero(accepted.volume == 0.0)),
        hints=_hints(raw, codes, calendar, timeframe),
    )


def _hints(
    raw: RawBars, codes: NDArray[np.int8], calendar: Calendar, timeframe: Literal["1min", "1day"]
) -> tuple[str, ...]:
    if timeframe == "1day":
        found = _previous_date(raw, codes)
    else:
        found = _end_labels(raw, calendar) or _wrong_zone(raw, calendar)
    return (found,) if found else ()


def _previous_date(raw: RawBars, codes: NDArray[np.int8]) -> str:
    """Daily bars stamped at midnight UTC belong to the evening before in New York."""
    at_midnight = raw.start % (1440 * MINUTE) == 0
    refused = int(np.count_nonzero(at_midnight & (codes == OUTSIDE)))
    if not refused or not at_midnight.all():
        return ""
    return (
        f"all timestamps are midnight UTC, which is the evening of the day before in New York "
        f"({refused} rows fall on no session): write the dates without a time of day"
    )


def _end_labels(raw: RawBars, calendar: Calendar) -> str:
    """Bars at the closing minute of sessions, but none at the opening minute or after the close."""
    minutes = np.unique(raw.start // MINUTE)
    at_open, at_close, later = (
        int(np.isin(minutes, edges).sum())
        for edges in (calendar.opens, calendar.closes, calendar.closes + 1)
    )
    if at_open or later or not at_close or len(minutes) < _ENOUGH:
        return ""
    return (
        f"{at_close} sessions have a bar at their close (16:00 New York) and none has one at its "
        "open (09:30): the timestamps look like the ends of the bars; try --label end (settings: "
        "bars.label)"
    )


def _wrong_zone(raw: RawBars, calendar: Calendar) -> str:
    """More of the volume would fall into sessions if all times were some hours later."""
    weight = np.where(np.isfinite(raw.volume) & (raw.volume > 0), raw.volume, 0.0)
    if len(weight) < _ENOUGH or weight.sum() == 0.0:
        return ""
    shares = {
        hours: float(weight[calendar.session_index(raw.start // MINUTE + 60 * hours) >= 0].sum())
        / float(weight.sum())
        for hours in _HOURS
    }
    best = max(shares, key=lambda hours: shares[hours])
    if shares[best] - shares[0] < 0.25:
        return ""
    return (
        f"only {shares[0]:.0%} of the volume falls into sessions, but {shares[best]:.0%} would if "
        f"the times were {abs(best)} h {'later' if best > 0 else 'earlier'}: they look like times "
        "of another zone; name it with --tz if they are naive, else correct the file"
    )
