"""When the day's jobs are due, from the exchange's calendar: sessions only, New York time.

Half-days end early and clocks are set forward and back; both are in the calendar's minutes, so no
rule for them is written here. A job that was missed (the computer slept) still runs within its
grace: a premarket is of use until the open, a session until entries end, what follows a session
for the rest of its day. The nightly job comes after the last trading of the day, 20:00.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from heapq import merge
from typing import NamedTuple

from quant_core.calendar import NEW_YORK, Session, to_datetime, xnys

PREMARKET_AT = time(8, 30)
NIGHTLY_AT = time(20, 15)


@dataclass(frozen=True, slots=True)
class Timed:
    """A job of every session: when it is due, and how late it may still begin."""

    name: str
    moment: Callable[[Session], datetime]
    grace: timedelta


class Due(NamedTuple):
    """One job of one session; ordered by its moment."""

    moment: datetime
    name: str
    session: Session


def _premarket(session: Session) -> datetime:
    return datetime.combine(session.date, PREMARKET_AT, NEW_YORK)


def _nightly(session: Session) -> datetime:
    return datetime.combine(session.date, NIGHTLY_AT, NEW_YORK)


TIMETABLE = (
    Timed("premarket", _premarket, timedelta(minutes=60)),
    Timed("session_start", lambda session: to_datetime(session.open), timedelta(minutes=150)),
    Timed("session_end", lambda session: to_datetime(session.close), timedelta(hours=6)),
    Timed("nightly", _nightly, timedelta(hours=3, minutes=30)),
)


def due(job: Timed, after: datetime) -> Iterator[Due]:
    """When a job is due, at or after a moment, for ever."""
    for session in _sessions(after.astimezone(NEW_YORK).date()):
        moment = job.moment(session)
        if moment >= after:
            yield Due(moment.astimezone(NEW_YORK), job.name, session)


def upcoming(after: datetime, timetable: Sequence[Timed] = TIMETABLE) -> Iterator[Due]:
    """Everything that is due at or after a moment, in order, for ever."""
    return merge(*(due(job, after) for job in timetable))


def session_of(moment: datetime) -> Session | None:
    """The session of a moment's New York date; None on a day without one."""
    day = moment.astimezone(NEW_YORK).date()
    return xnys(day.year, day.year).on(day)


def _sessions(first: date) -> Iterator[Session]:
    year = first.year
    while True:
        calendar = xnys(year, year)
        yield from calendar.between(max(first, date(year, 1, 1)), date(year, 12, 31))
        year += 1
