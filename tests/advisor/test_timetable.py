"""When jobs are due: New York time, sessions only, whatever the clocks do."""

from datetime import UTC, date, datetime, timedelta
from itertools import islice

import pytest

from advisor.timetable import TIMETABLE, due, session_of, upcoming
from quant_core.calendar import NEW_YORK

PREMARKET, START, END, NIGHTLY = TIMETABLE


def new_york(*when: int) -> datetime:
    return datetime(*when, tzinfo=NEW_YORK)  # type: ignore[arg-type, misc]


def days(job: object, after: datetime, count: int) -> list[tuple[date, str]]:
    found = islice(due(job, after), count)  # type: ignore[arg-type]
    return [(one.session.date, f"{one.moment:%m-%d %H:%M}") for one in found]


def test_thanksgiving_is_left_out_and_the_day_after_ends_early() -> None:
    after = new_york(2025, 11, 26, 9, 0)
    assert days(PREMARKET, after, 2) == [
        (date(2025, 11, 28), "11-28 08:30"), (date(2025, 12, 1), "12-01 08:30"),
    ]  # fmt: skip
    assert days(END, after, 3) == [
        (date(2025, 11, 26), "11-26 16:00"), (date(2025, 11, 28), "11-28 13:00"),
        (date(2025, 12, 1), "12-01 16:00"),
    ]  # fmt: skip


def test_the_night_begins_at_the_same_hour_of_a_half_day_and_ends_before_midnight() -> None:
    after = new_york(2025, 11, 27, 12, 0)  # Thanksgiving, then a half-day
    assert days(NIGHTLY, after, 2) == [
        (date(2025, 11, 28), "11-28 20:15"), (date(2025, 12, 1), "12-01 20:15"),
    ]  # fmt: skip
    latest = new_york(2025, 11, 28, 20, 15) + NIGHTLY.grace
    found = session_of(latest)
    assert found is not None
    assert found.date == date(2025, 11, 28)


@pytest.mark.parametrize(
    ("friday", "before", "after"),
    [
        (date(2025, 3, 7), "13:30", "12:30"),  # clocks go forward on Sunday
        (date(2025, 10, 31), "12:30", "13:30"),
    ],
)
def test_half_past_eight_stays_half_past_eight_when_clocks_change(
    friday: date, before: str, after: str
) -> None:
    start = new_york(friday.year, friday.month, friday.day)
    moments = [one.moment for one in islice(due(PREMARKET, start), 2)]
    assert [f"{moment:%a %H:%M}" for moment in moments] == ["Fri 08:30", "Mon 08:30"]
    assert [f"{moment.astimezone(UTC):%H:%M}" for moment in moments] == [before, after]


def test_the_year_turns() -> None:
    found = list(islice(upcoming(new_york(2025, 12, 31, 12, 0)), 4))
    assert [(one.name, f"{one.moment:%Y-%m-%d %H:%M}") for one in found] == [
        ("session_end", "2025-12-31 16:00"),
        ("nightly", "2025-12-31 20:15"),
        ("premarket", "2026-01-02 08:30"),
        ("session_start", "2026-01-02 09:30"),
    ]


def test_a_year_has_a_premarket_for_every_session_and_no_other() -> None:
    within = [
        one.moment
        for one in islice(due(PREMARKET, new_york(2024, 1, 1)), 400)
        if one.moment.year == 2024
    ]
    assert len(within) == 252
    assert all(moment.weekday() < 5 for moment in within)
    assert date(2024, 3, 29) not in {moment.date() for moment in within}  # Good Friday


def test_what_is_due_now_is_due_and_a_moment_later_is_tomorrow() -> None:
    now = new_york(2025, 1, 8, 8, 30)
    assert days(PREMARKET, now, 1) == [(date(2025, 1, 8), "01-08 08:30")]
    # 9 January 2025: a day of mourning, the exchange was closed.
    later = now + timedelta(microseconds=1)
    assert days(PREMARKET, later, 1) == [(date(2025, 1, 10), "01-10 08:30")]


def test_the_session_of_a_moment_is_that_of_its_new_york_date() -> None:
    midnight = datetime(2025, 1, 8, 2, 0, tzinfo=UTC)  # 21:00 on the 7th in New York
    found = session_of(midnight)
    assert found is not None
    assert found.date == date(2025, 1, 7)
    assert session_of(new_york(2025, 1, 9, 12, 0)) is None
