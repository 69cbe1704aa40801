"""The last price of a symbol before the open, as of a moment, from bars outside the session.

The rules for bars refuse what lies outside regular sessions, and everything downstream may rely on
that. So premarket bars are judged by the same rules against another calendar, whose sessions are
[04:00 New York, moment): the same rows are refused for the same reasons, and a bar that closes
after the moment is not in it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

import numpy as np

from quant_core.bars import RawBars, accept_minutes
from quant_core.calendar import NEW_YORK, Calendar, Session, at_new_york, to_datetime, to_minute

PREMARKET_OPEN = time(4)
_EPOCH_DAY = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PremarketPrice:
    """Dollars, and when the price became known; NaN and None with a `note` that says why."""

    price: float
    at: datetime | None
    note: str = ""


def no_price(why: str) -> PremarketPrice:
    """There is none."""
    return PremarketPrice(price=math.nan, at=None, note=why)


def premarket_prices(
    raw: RawBars, sessions: Sequence[Session], moments: Sequence[datetime]
) -> list[PremarketPrice]:
    """The last close before each session that was known at its moment; both in order of time.

    A moment lies after 04:00 New York of its session's date.
    """
    opens = [to_minute(at_new_york(session.date, PREMARKET_OPEN)) for session in sessions]
    closes = [to_minute(moment) for moment in moments]
    window = Calendar(
        days=np.array([(session.date - _EPOCH_DAY).days for session in sessions], np.int64),
        opens=np.array(opens, np.int64),
        closes=np.array(closes, np.int64),
    )
    bars, _ = accept_minutes(raw, window)
    ends = np.searchsorted(bars.session, np.arange(len(sessions)), side="right")
    return [
        PremarketPrice(price=float(bars.close[end - 1]), at=to_datetime(int(bars.end[end - 1])))
        if end and bars.session[end - 1] == position
        else no_price(f"no bar between 04:00 and {moment.astimezone(NEW_YORK):%H:%M} New York")
        for position, (end, moment) in enumerate(zip(ends.tolist(), moments, strict=True))
    ]
