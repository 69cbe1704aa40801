"""Single dates and clock times in plain English, as New York dates and wall-clock times.

An atom is one expression ("last week", "October 27th", "2025-01-08", "10:41 am") read as a span
of dates or a time. A date without its year is the latest that is not after today. What cannot be,
February 30th, and what has not happened yet is refused by name: `NoSuchTime` says which and why.
"""

import calendar
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Literal, NamedTuple

from quant_core.calendar import Calendar
from tools.errors import BadInput

Trouble = Literal["impossible", "future", "closed"]
MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_name) if name}
MONTHS |= {name[:3]: number for name, number in MONTHS.items()} | {"sept": 9}
DAYS = {name.lower(): number for number, name in enumerate(calendar.day_name)}
_SMALL = "one two three four five six seven eight nine ten eleven twelve"
NUMBERS = {word: number for number, word in enumerate(_SMALL.split(" "), start=1)}
NUMBERS |= {"twenty": 20, "thirty": 30}
_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_UNMISTAKABLE = "|".join(m for m in _MONTH.split("|") if m not in ("may", "march", "mar"))
_DAY = "|".join(DAYS)
_MANY = rf"(?P<many>\d{{1,9}}|{'|'.join(NUMBERS)})"
_NTH = r"(?P<d>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?:,?\s+(?:of\s+)?(?P<y>\d{4})(?![\d:]))?"
MOST_SESSIONS = 10_000


class NoSuchTime(BadInput):
    """A date or time that a question names and that does not exist, or not yet."""

    def __init__(self, trouble: Trouble, message: str) -> None:
        """Keep what kind of trouble it is."""
        self.trouble = trouble
        super().__init__(message)


class Days(NamedTuple):
    """Dates from first to last, both included. `explicit`: somebody wrote the dates themselves."""

    first: date
    last: date
    explicit: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Today:
    """What reading needs: today in New York, the sessions, and whether one has begun today."""

    day: date
    calendar: Calendar
    begun: bool

    def sessions_back(self, many: int) -> list[date]:
        """The last sessions that have begun, oldest first; fewer where the calendar ends."""
        last = self.day if self.begun else self.day - timedelta(days=1)
        known = self.calendar.days
        end = bisect_right(known, (last - date(1970, 1, 1)).days)
        return [self.calendar.session(i).date for i in range(max(0, end - many), end)]


def _day(found: re.Match[str], today: Today) -> Days:
    if found["word"] == "today":
        return Days(today.day, today.day, explicit=True)
    day = today.day - timedelta(days=1 if found["word"] == "yesterday" else 2)
    if today.calendar.on(day):
        return Days(day, day)
    back = today.calendar.around(day)[0]
    if back is None:
        raise NoSuchTime("closed", f"{day} was no session, and none is known before it")
    said = f"{found['word']} was no session"
    return Days(back, back, note=f"{said}; the last one before it was {back}")


def _last_many(found: re.Match[str], today: Today) -> Days:
    many = int(found["many"]) if found["many"].isdigit() else NUMBERS[found["many"]]
    unit = found["unit"].removesuffix("s")
    if not 1 <= many <= MOST_SESSIONS:
        raise NoSuchTime("impossible", f"{found[0]!r} is no span of time: ask for 1 or more")
    if unit == "week":
        return Days(today.day - timedelta(days=min(7 * many, 365_000) - 1), today.day)
    if unit == "month":
        return Days(_months_back(today.day, many) + timedelta(days=1), today.day)
    dates = today.sessions_back(many)
    if not dates:
        raise NoSuchTime("closed", f"no session is known before {today.day}")
    return Days(dates[0], dates[-1])


def _months_back(day: date, many: int) -> date:
    years, month = divmod(day.year * 12 + day.month - 1 - many, 12)
    years = max(years, 1)
    return date(years, month + 1, min(day.day, calendar.monthrange(years, month + 1)[1]))


def _last_session(found: re.Match[str], today: Today) -> Days:  # noqa: ARG001
    dates = today.sessions_back(1)
    if not dates:
        raise NoSuchTime("closed", f"no session is known before {today.day}")
    return Days(dates[0], dates[0])


def _span(found: re.Match[str], today: Today) -> Days:
    which, unit, day = found["which"], found["unit"], today.day
    if unit == "week":
        monday = day - timedelta(days=day.weekday())
        return Days(monday, day) if which == "this" else _before(monday, 7)
    if unit == "month":
        first = day.replace(day=1)
        return Days(first, day) if which == "this" else _before(first, (first - timedelta(1)).day)
    first = day.replace(month=1, day=1)
    if which == "this":
        return Days(first, day)
    return Days(first.replace(year=day.year - 1), first - timedelta(days=1))


def _before(first: date, days: int) -> Days:
    return Days(first - timedelta(days=days), first - timedelta(days=1))


def _to_date(found: re.Match[str], today: Today) -> Days:
    unit = {"w": "week", "m": "month", "y": "year"}[found["unit"][0]]
    since = {
        "week": today.day - timedelta(days=today.day.weekday()),
        "month": today.day.replace(day=1),
        "year": today.day.replace(month=1, day=1),
    }
    return Days(since[unit], today.day)


def _iso(found: re.Match[str], today: Today) -> Days:
    return _one(found[0], int(found["y"]), int(found["m"]), int(found["d"]), today)


def _american(found: re.Match[str], today: Today) -> Days:
    year = int(found["y"]) if found["y"] else None
    if year is not None and year < 100:
        year += 2000
    return _one(found[0], year, int(found["m"]), int(found["d"]), today)


def _named(found: re.Match[str], today: Today) -> Days:
    year = int(found["y"]) if found["y"] else None
    return _one(found[0], year, MONTHS[found["month"].rstrip(".")], int(found["d"]), today)


def _week_of(found: re.Match[str], today: Today) -> Days:
    month, number = found["month"].rstrip("."), int(found["d"])
    year = int(found["y"]) if found["y"] else None
    day = _one(f"{month} {number}", year, MONTHS[month], number, today).first
    monday = day - timedelta(days=day.weekday())
    return Days(monday, monday + timedelta(days=6))


def _nth(found: re.Match[str], today: Today) -> Days:
    """The 8th: of this month, or of the last one that had such a day."""
    number, first = int(found["d"]), today.day.replace(day=1)
    for _ in range(3):
        length = calendar.monthrange(first.year, first.month)[1]
        if 1 <= number <= length and first.replace(day=number) <= today.day:
            day = first.replace(day=number)
            return Days(day, day, explicit=True)
        first = (first - timedelta(days=1)).replace(day=1)
    raise NoSuchTime("impossible", f"there is no {found[0].strip()} of any month")


def _one(said: str, year: int | None, month: int, day: int, today: Today) -> Days:
    """One date, with the latest possible year when none is named."""
    said = re.sub(r"\b[a-z]", lambda first: first[0].upper(), said.strip())
    longest = 29 if month == 2 else calendar.monthrange(2023, month)[1] if 1 <= month <= 12 else 0
    if not 1 <= day <= longest:
        raise NoSuchTime("impossible", f"there is no date {said}")
    for guess in [year] if year is not None else range(today.day.year, today.day.year - 9, -1):
        try:
            found = date(guess, month, day)
        except ValueError:
            if year is not None:
                raise NoSuchTime("impossible", f"there is no date {said}") from None
            continue
        if found <= today.day or year is not None:
            return Days(found, found, explicit=True)
    raise NoSuchTime("impossible", f"there is no date {said}")


def _month(found: re.Match[str], today: Today) -> Days:
    month = MONTHS[found["month"].rstrip(".")]
    named = found.groupdict().get("y")
    year = int(named) if named else today.day.year - (month > today.day.month)
    if not 1 <= year <= 9998:
        raise NoSuchTime("impossible", f"there is no {found[0].strip().title()}")
    first, length = date(year, month, 1), calendar.monthrange(year, month)[1]
    if first > today.day:
        said = f"{first:%B %Y}"
        raise NoSuchTime("future", f"{said} has not begun: it is {today.day} for this question")
    return Days(first, min(first.replace(day=length), today.day))


def _year(found: re.Match[str], today: Today) -> Days:
    year = int(found["y"])
    if year > today.day.year:
        raise NoSuchTime("future", f"{year} has not begun: it is {today.day} for this question")
    return Days(date(year, 1, 1), min(date(year, 12, 31), today.day))


def _weekday(found: re.Match[str], today: Today) -> Days:
    back = (today.day.weekday() - DAYS[found["day"]]) % 7
    if found["which"] in ("last", "past", "previous") and back == 0:
        back = 7
    if found["which"] == "this" and back > today.day.weekday():
        ahead = found["day"].title()
        raise NoSuchTime("future", f"this {ahead} is still to come: it is {today.day:%A %Y-%m-%d}")
    day = today.day - timedelta(days=back)
    return Days(day, day, explicit=True)


def _coming(found: re.Match[str], today: Today) -> Days:
    raise NoSuchTime(
        "future",
        f"{found[0].strip()!r} is in the future: nothing after {today.day} is known, and nothing "
        "is predicted here",
    )


def _ago(found: re.Match[str], today: Today) -> Days:
    many = int(found["many"]) if found["many"].isdigit() else NUMBERS[found["many"]]
    if many > MOST_SESSIONS:
        raise NoSuchTime("impossible", f"{found[0]!r} is out of reach: name the date")
    days = many * (7 if found["unit"].startswith("week") else 1)
    day = today.day - timedelta(days=days)
    return Days(day, day, explicit=True)


# In this order: an expression is read by the first pattern that fits it.
DATES: Mapping[str, Callable[[re.Match[str], Today], Days]] = {
    r"(?:tomorrow|(?:next|coming|upcoming|following)\s+(?:\w+\s+)?"
    rf"(?:days?|sessions?|weeks?|months?|quarters?|years?|{_DAY}))": _coming,
    r"(?P<word>day before yesterday|yesterday|today)(?:'s)?": _day,
    rf"{_MANY}\s+(?P<unit>days?|weeks?)\s+ago": _ago,
    rf"(?:last|past|previous|latest|recent)\s+{_MANY}\s+(?:trading\s+)?"
    r"(?P<unit>days?|sessions?|weeks?|months?)": _last_many,
    r"(?:last|latest|most recent|previous)\s+(?:session|trading day|day)": _last_session,
    r"(?P<which>this|last|past|previous)\s+(?P<unit>week|month|year)(?:'s)?": _span,
    r"(?<=of the )(?P<unit>week|month|year)(?! of)": _to_date,
    r"(?P<unit>week|month|year)[\s-]to[\s-]date": _to_date,
    r"(?P<unit>[wmy])td": _to_date,
    rf"(?:the\s+)?week\s+(?:of|starting|beginning)\s+(?:on\s+)?(?:(?:{_DAY}),?\s+)?"
    rf"(?P<month>(?:{_MONTH})\.?)\s+(?:the\s+)?{_NTH}(?!\d){_YEAR}": _week_of,
    r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})": _iso,
    r"(?P<m>\d{1,2})/(?P<d>\d{1,2})(?:/(?P<y>\d{4}|\d{2}))?": _american,
    rf"(?:(?:{_DAY}),?\s+)?(?P<month>(?:{_MONTH})\.?)\s+(?:the\s+)?{_NTH}(?!\d){_YEAR}": _named,
    rf"(?:(?:{_DAY}),?\s+)?(?:the\s+)?{_NTH}\s+(?:of\s+)?(?P<month>(?:{_MONTH})\.?){_YEAR}": _named,
    rf"(?P<month>(?:{_MONTH})\.?),?\s+(?:of\s+)?(?P<y>\d{{4}})(?![\d:])": _month,
    rf"(?P<month>(?:{_UNMISTAKABLE})\.?)": _month,
    r"(?<=in )(?P<month>may|march|mar)": _month,
    rf"(?:(?P<which>this|last|past|previous)\s+)?(?P<day>{_DAY})(?:'s)?": _weekday,
    r"the\s+(?P<d>\d{1,2})(?:st|nd|rd|th)": _nth,
    r"(?:(?<=in )|(?<=of )|(?<=during )|(?<=for ))(?P<y>(?:19|20)\d{2})": _year,
}
CLOCK = re.compile(
    r"(?<![\d:.$])(?P<h>\d{1,2}):(?P<min>\d{2})(?::\d{2})?(?:\s*(?P<half>am|pm|a\.m\.|p\.m\.))?"
    r"(?![\d:])|(?<![\d:.$])(?P<h2>\d{1,2})\s*(?P<half2>am|pm|a\.m\.|p\.m\.)(?!\w)"
    r"|(?P<noon>\bnoon\b)|(?P<open>\bthe open\b)|(?P<close>\bthe close\b)"
)


def clock_of(found: re.Match[str]) -> time:
    """The wall-clock time of a match of CLOCK; NoSuchTime for 25:61."""
    for name, fixed in (("noon", time(12)), ("open", time(9, 30)), ("close", time(16))):
        if found[name]:
            return fixed
    hour = int(found["h"] or found["h2"])
    minute = int(found["min"] or 0)
    half = (found["half"] or found["half2"] or "").replace(".", "")
    if (half and not 1 <= hour <= 12) or hour > 23 or minute > 59:
        raise NoSuchTime("impossible", f"there is no time {found[0].strip()}")
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    elif hour < 7 and found["h"] and len(found["h"]) == 1:
        hour += 12  # 3:45 is the afternoon: nobody trades before seven
    return time(hour, minute)
