"""The language of dates, on the trading calendar: from a question to periods of sessions.

Pure: the text, the moment of the question and the calendar decide. "Last 5 days" are the last five
sessions that have begun. What is read is cut out of the question, so that the rest can be read by
others and nothing is read twice. A period without a session is refused by name, and so is what
cannot be and what is still to come; see `graph.date_atoms`.
"""

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from graph.date_atoms import CLOCK, DATES, Days, NoSuchTime, Today, clock_of
from quant_core.calendar import NEW_YORK, Calendar, to_minute

MOST_PERIODS = 3
_ATOM = "⟦{kind}{number}⟧"
_PLACE = r"⟦{kind}(\d+)⟧"
_D, _T = _PLACE.format(kind="d"), _PLACE.format(kind="t")
_TO = r"\s*(?:to|till|until|through|thru|and|-|–|—)\s*"
_RANGE = rf"(?:from|between)?\s*{_D}{_TO}{_D}"
_BETWEEN = rf"(?:from|between)\s*{_D}{_TO}{_D}|{_D}\s*(?:to|till|until|through|thru|-|–|—)\s*{_D}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Sessions from `first` to `last`, both included, and hours of each: [after, before).

    `at` is a single minute. `note` says what a person should know about how it was read.
    """

    first: date | None = None
    last: date | None = None
    after: time | None = None
    before: time | None = None
    at: time | None = None
    note: str = ""

    def in_words(self) -> str:
        """As answers name it."""
        if self.first is None or self.last is None:
            days = (
                f"until {self.last}" if self.last else f"since {self.first}" if self.first else ""
            )
        else:
            days = f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"
        clock = ""
        if self.at:
            clock = f"at {self.at:%H:%M}"
        elif self.after and self.before:
            clock = f"between {self.after:%H:%M} and {self.before:%H:%M}"
        elif self.after or self.before:
            clock = f"from {self.after:%H:%M}" if self.after else f"before {self.before:%H:%M}"
        return ", ".join(part for part in (days, clock) if part)

    @property
    def names_days(self) -> bool:
        """Whether any date was named, rather than hours alone."""
        return self.first is not None or self.last is not None


@dataclass(frozen=True, slots=True)
class Reading:
    """The periods that a question names, in its order, and the text without them."""

    periods: tuple[Period, ...]
    rest: str


def read_periods(text: str, as_of: datetime, calendar: Calendar) -> Reading:
    """The periods in a text, in lower case. NoSuchTime for what is not, or not yet, a time."""
    now = as_of.astimezone(NEW_YORK)
    session = calendar.on(now.date())
    begun = session is not None and to_minute(as_of) >= session.open
    today = Today(now.date(), calendar, begun)
    rest, dates = _cut_dates(re.sub(r"(\d)t(\d\d:)", r"\1 \2", text), today)
    rest, clocks = _cut_clocks(rest)
    rest, hours = _hours(rest, clocks)
    rest, spans = _spans(rest, dates, today)
    checked = [_checked(span, today) for span in spans]
    if len(checked) > MOST_PERIODS:
        raise NoSuchTime(
            "impossible",
            f"the question names {len(checked)} dates; name a range, or at most {MOST_PERIODS}",
        )
    if hours is None:
        return Reading(tuple(checked), rest)
    timed = checked or [Period()]
    return Reading(
        tuple(
            replace(one, after=hours.after, before=hours.before, at=hours.at) for one in timed
        ),
        rest,
    )  # fmt: skip


def _cut_dates(text: str, today: Today) -> tuple[str, list[Days]]:
    found: list[Days] = []
    for pattern, read in DATES.items():

        def put(match: re.Match[str], read=read) -> str:  # type: ignore[no-untyped-def]
            found.append(read(match, today))
            return _ATOM.format(kind="d", number=len(found) - 1)

        text = re.sub(rf"(?<![\w⟦]){pattern}(?![\w⟧])", put, text)
        if found:
            text = _short_end(text, found, today)
    return text, found


def _short_end(text: str, found: list[Days], today: Today) -> str:  # noqa: ARG001
    """The 10 of "January 8 to 10", the 10 and 13 of "January 8, 10 and 13": days of that month."""

    def put(match: re.Match[str]) -> str:
        first = found[int(match[1])].first
        try:
            last = first.replace(day=int(match[3]))
        except ValueError:
            raise NoSuchTime(
                "impossible", f"there is no {match[3]}. day in {first:%B %Y}"
            ) from None
        found.append(Days(last, last, explicit=True))
        return f"⟦d{match[1]}⟧{match[2]}⟦d{len(found) - 1}⟧"

    ends = rf"{_D}(\s*(?:to|till|until|through|-|–)\s*)(\d{{1,2}})(?:st|nd|rd|th)?(?![\w:/-])"
    text = re.sub(ends, put, text)
    more = (
        rf"{_D}(\s*,\s*(?:and\s+)?|\s+and\s+)(\d{{1,2}})(?:st|nd|rd|th|(?=\s*(?:$|[?.!,]|and\b)))"
    )
    while (longer := re.sub(rf"{more}(?![\w:/-])", put, text)) != text:
        text = longer
    return text


def _cut_clocks(text: str) -> tuple[str, list[time]]:
    found: list[time] = []

    def put(match: re.Match[str]) -> str:
        found.append(clock_of(match))
        return _ATOM.format(kind="t", number=len(found) - 1)

    # The 10 of "between 10 and 11:30", the 10 and 11 of "from 10 to 11 am".
    bare = r"\b(between|from)\s+(\d{1,2})(?=\s+(?:and|to|until)\s+\d{1,2}(?::\d\d|\s*[ap]m))"
    text = re.sub(bare, r"\1 \2:00", text)
    return CLOCK.sub(put, text), found


def _hours(text: str, clocks: list[time]) -> tuple[str, Period | None]:
    """The hours of the day that a text with clock atoms asks for."""
    zone = r"(?:\s*(?:o'?clock|new york(?: time)?|ny|et|est|edt|eastern(?: time)?))?"
    both = re.search(rf"(?:from|between)?\s*{_T}{zone}{_TO}{_T}{zone}", text)
    if both:
        after, before = clocks[int(both[1])], clocks[int(both[2])]
        if after >= before:
            raise NoSuchTime("impossible", f"{after:%H:%M} is not before {before:%H:%M}")
        return _without(text, both), Period(after=after, before=before)
    found: Period | None = None
    for words, name in (
        (r"(?:since|after|from|later than)", "after"),
        (r"(?:before|until|till|up to|earlier than)", "before"),
        (r"(?:at|around|about|by|as of|near)?", "at"),
    ):
        match = re.search(rf"{words}\s*{_T}{zone}", text)
        if not match:
            continue
        if name == "at" and found is not None:
            raise NoSuchTime("impossible", "the question names several times; name one, or a range")
        clock = clocks[int(match[1])]
        found = replace(found or Period(), **{name: clock})  # type: ignore[arg-type]
        text = _without(text, match)
    if re.search(_T, text):
        raise NoSuchTime("impossible", "the question names several times; name one, or a range")
    return text, found


def _spans(text: str, dates: list[Days], today: Today) -> tuple[str, list[Days]]:
    """The spans of dates that a text with date atoms asks for, in its order."""
    found: list[tuple[int, Days]] = []

    def take(match: re.Match[str], span: Days) -> None:
        nonlocal text
        if span.first > span.last:
            raise NoSuchTime("impossible", f"{span.first} is not before {span.last}")
        found.append((match.start(), span))
        text = text[: match.start()] + " " * (match.end() - match.start()) + text[match.end() :]

    while match := re.search(_BETWEEN, text):
        low, high = (dates[int(number)] for number in match.groups() if number)
        take(match, Days(low.first, high.last, explicit=high.explicit))
    while match := re.search(
        rf"(?:ever since|since|starting(?: on)?|from)\s*{_D}(?: on(?:wards?)?)?", text
    ):
        first = dates[int(match[1])]
        _not_coming(first, today)
        take(match, Days(first.first, today.day))
    while match := re.search(rf"after\s*{_D}", text):
        after = dates[int(match[1])].last + timedelta(days=1)
        take(match, Days(after, max(after, today.day), explicit=after > today.day))
    while match := re.search(rf"(?:before|prior to)\s*{_D}", text):
        take(match, Days(date.min, dates[int(match[1])].first - timedelta(days=1)))
    while match := re.search(rf"(?:until|till|up to|through)\s*{_D}", text):
        take(match, Days(date.min, dates[int(match[1])].last, explicit=True))
    while match := re.search(rf"(?:on|in|during|of|for|over|within)?\s*(?:the\s+)?{_D}", text):
        take(match, dates[int(match[1])])
    return text, [span for _, span in sorted(found, key=lambda one: one[0])]


def _without(text: str, match: re.Match[str]) -> str:
    return f"{text[: match.start()]} {text[match.end() :]}"


def _not_coming(days: Days, today: Today) -> None:
    """NoSuchTime for dates that are still to come."""
    last = days.last if days.explicit else days.first
    if last > today.day:
        raise NoSuchTime(
            "future",
            f"{last} is in the future: nothing after {today.day} is known, and nothing is "
            "predicted here",
        )


def _checked(days: Days, today: Today) -> Period:
    """A span as a period of sessions; NoSuchTime for one without any, or in the future."""
    _not_coming(days, today)
    first, last = days.first, min(days.last, today.day)
    if first == date.min:
        return Period(last=last, note=days.note)
    sessions = today.calendar.between(first, last)
    if not sessions:
        raise NoSuchTime("closed", _closed(first, last, today))
    return Period(first=first, last=last, note=days.note)


def _closed(first: date, last: date, today: Today) -> str:
    """What to say about dates without a session."""
    before, after = today.calendar.around(first)[0], today.calendar.around(last)[1]
    near = f"the session before was {before}" if before else "no session is known before"
    if after and after <= today.day:
        near += f", the next one {after}"
    if first != last:
        return f"the exchange was closed from {first} to {last}; {near}"
    weekend = first.weekday() >= 5
    why = f"a {first:%A}" if weekend else f"a {first:%A} on which the exchange was closed (holiday)"
    return f"there was no session on {first}, {why}; {near}"
