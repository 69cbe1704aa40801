"""XNYS sessions: when the exchange is open, in minutes since the epoch, UTC.

The rules of the calendar (holidays, half-days, one-off closures) come from `exchange_calendars`;
this module turns them into two sorted arrays, so that "which session is this minute in" is one
binary search for a million rows. A session is [open, close): a bar belongs to the session in
which it starts, and the bar labelled with the close belongs to none.
"""

import warnings
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

NEW_YORK = ZoneInfo("America/New_York")
PREMARKET = time(8, 30)
_EPOCH_DAY = date(1970, 1, 1)


class Session(NamedTuple):
    """One trading day: its New York date and [open, close) in minutes since the epoch, UTC."""

    date: date
    open: int
    close: int

    @property
    def minutes(self) -> int:
        """Length in minutes: 390, or 210 on a half-day."""
        return self.close - self.open


@dataclass(frozen=True, slots=True)
class Calendar:
    """The sessions of a span of years, as aligned arrays (days and minutes since the epoch)."""

    days: NDArray[np.int64]
    opens: NDArray[np.int64]
    closes: NDArray[np.int64]

    def session_index(self, minutes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Index of the session each minute starts in, -1 outside every session. Shape kept."""
        index = np.searchsorted(self.opens, minutes, side="right") - 1
        inside = (index >= 0) & (minutes < self.closes[np.maximum(index, 0)])
        return np.where(inside, index, -1)

    def day_index(self, days: NDArray[np.int64]) -> NDArray[np.int64]:
        """Index of the session on each day (days since the epoch), -1 where there is none."""
        index = np.minimum(np.searchsorted(self.days, days), len(self.days) - 1)
        return np.where(self.days[index] == days, index, -1)

    def session(self, index: int) -> Session:
        """The session at a position of this calendar."""
        return Session(
            _EPOCH_DAY + timedelta(days=int(self.days[index])),
            int(self.opens[index]),
            int(self.closes[index]),
        )

    def on(self, day: date) -> Session | None:
        """The session of a New York date, or None when the exchange is closed."""
        index = int(self.day_index(np.array([(day - _EPOCH_DAY).days]))[0])
        return None if index < 0 else self.session(index)

    def running_or_next(self, minute: int) -> Session:
        """The first session that closes after a minute; IndexError after the calendar's last."""
        return self.session(int(np.searchsorted(self.closes, minute, side="right")))

    def between(self, first: date, last: date) -> list[Session]:
        """All sessions from `first` to `last`, both included."""
        low = np.searchsorted(self.days, (first - _EPOCH_DAY).days, side="left")
        high = np.searchsorted(self.days, (last - _EPOCH_DAY).days, side="right")
        return [self.session(i) for i in range(int(low), int(high))]

    def around(self, day: date) -> tuple[date | None, date | None]:
        """The nearest session dates before and after a day, for messages to people."""
        number = (day - _EPOCH_DAY).days
        low = int(np.searchsorted(self.days, number, side="left")) - 1
        high = int(np.searchsorted(self.days, number, side="right"))
        before = self.session(low).date if low >= 0 else None
        after = self.session(high).date if high < len(self.days) else None
        return before, after


@lru_cache(maxsize=8)
def xnys(first_year: int, last_year: int) -> Calendar:
    """The New York Stock Exchange calendar from January of one year to December of another."""
    import exchange_calendars

    with warnings.catch_warnings():
        # exchange_calendars 4.13 still uses what pandas 3.1 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        schedule = exchange_calendars.get_calendar(
            "XNYS", start=f"{first_year}-01-01", end=f"{last_year}-12-31"
        ).schedule
    minute = "datetime64[m]"
    return Calendar(
        days=schedule.index.values.astype("datetime64[D]").astype(np.int64),
        opens=schedule["open"].dt.tz_localize(None).to_numpy().astype(minute).astype(np.int64),
        closes=schedule["close"].dt.tz_localize(None).to_numpy().astype(minute).astype(np.int64),
    )


def at_new_york(day: date, clock: time) -> datetime:
    """A wall-clock time of a New York date, in UTC."""
    return datetime.combine(day, clock, NEW_YORK).astimezone(UTC)


def premarket_moment(session: Session) -> datetime:
    """When the premarket of a session is due: 08:30 New York, summer and winter."""
    return at_new_york(session.date, PREMARKET)


def to_datetime(minute: int) -> datetime:
    """Minutes since the epoch as an aware UTC datetime."""
    return datetime.fromtimestamp(int(minute) * 60, UTC)


def to_minute(moment: datetime) -> int:
    """An aware datetime as whole minutes since the epoch, rounded down."""
    return int(moment.timestamp() // 60)


def new_york(moment: datetime) -> str:
    """How a moment is shown to people: New York time."""
    return moment.astimezone(NEW_YORK).strftime("%Y-%m-%d %H:%M")


def new_york_days(minutes: NDArray[np.int64]) -> NDArray[np.int64]:
    """New York date of each UTC minute, as days since the epoch. Shape kept."""
    import pandas as pd

    stamps = pd.DatetimeIndex(minutes.astype("datetime64[m]").astype("datetime64[s]"), tz="UTC")
    local = stamps.tz_convert(NEW_YORK).tz_localize(None)
    days: NDArray[np.int64] = local.to_numpy().astype("datetime64[D]").astype(np.int64)
    return days
