"""The language of dates, asked on Friday 31 January 2025 after the close."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.date_atoms import NoSuchTime
from graph.dates import read_periods
from quant_core.calendar import xnys

CALENDAR = xnys(2015, 2026)
NOW = datetime(2025, 1, 31, 21, 1, tzinfo=UTC)


def read(text: str, now: datetime = NOW) -> list[str]:
    return [period.in_words() for period in read_periods(text.lower(), now, CALENDAR).periods]


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("today", "2025-01-31"),
        ("yesterday", "2025-01-30"),
        ("the last 5 days", "2025-01-27 to 2025-01-31"),
        ("over the past ten sessions", "2025-01-17 to 2025-01-31"),
        ("this week", "2025-01-27 to 2025-01-31"),
        ("last week", "2025-01-20 to 2025-01-26"),
        ("this month", "2025-01-01 to 2025-01-31"),
        ("last month", "2024-12-01 to 2024-12-31"),
        ("in January", "2025-01-01 to 2025-01-31"),
        ("in February", "2024-02-01 to 2024-02-29"),
        ("on October 28th", "2024-10-28"),
        ("28 Oct 2024", "2024-10-28"),
        ("Monday, January 27th, 2025", "2025-01-27"),
        ("2025-01-08", "2025-01-08"),
        ("1/8/2025", "2025-01-08"),
        ("on Monday", "2025-01-27"),
        ("last Friday", "2025-01-24"),
        ("on the 8th", "2025-01-08"),
        ("since January 20", "2025-01-20 to 2025-01-31"),
        ("before January 10", "until 2025-01-09"),
        ("January 8 to 10", "2025-01-08 to 2025-01-10"),
        ("from Jan 8 until Jan 10", "2025-01-08 to 2025-01-10"),
        ("at 10:41", "at 10:41"),
        ("at 10:41 am on January 8", "2025-01-08, at 10:41"),
        ("yesterday at 3:45", "2025-01-30, at 15:45"),
        ("between 10:00 and 11:00 on the 8th", "2025-01-08, between 10:00 and 11:00"),
        ("from 10 to 11:30 today", "2025-01-31, between 10:00 and 11:30"),
        ("2025-01-08T10:41", "2025-01-08, at 10:41"),
        ("ytd", "2025-01-01 to 2025-01-31"),
    ],
)
def test_periods(text: str, period: str) -> None:
    assert read(text) == [period]


@pytest.mark.parametrize(
    ("text", "trouble", "named"),
    [
        ("February 30th", "impossible", "February 30th"),
        ("2025-02-29", "impossible", "2025-02-29"),
        ("the 32nd", "impossible", "32nd"),
        ("at 25:61", "impossible", "25:61"),
        ("between 11:00 and 10:00", "impossible", "not before"),
        ("last 0 days", "impossible", "1 or more"),
        ("tomorrow", "future", "tomorrow"),
        ("next week", "future", "next week"),
        ("2025-02-03", "future", "2025-02-03"),
        ("from Jan 8 to Feb 10 2025", "future", "2025-02-10"),
        ("March 2025", "future", "March 2025"),
        ("January 20th", "closed", "holiday"),
        ("Sunday", "closed", "Sunday"),
        ("December 25", "closed", "2024-12-24"),
    ],
)
def test_what_is_no_time_is_refused_by_name(text: str, trouble: str, named: str) -> None:
    with pytest.raises(NoSuchTime, match=named) as caught:
        read(text)
    assert caught.value.trouble == trouble


def test_the_day_after_a_holiday() -> None:
    tuesday = datetime(2025, 1, 21, 15, 0, tzinfo=UTC)
    found = read_periods("yesterday", tuesday, CALENDAR).periods[0]
    assert found.in_words() == "2025-01-17"
    assert found.note == "yesterday was no session; the last one before it was 2025-01-17"


def test_before_the_open_the_last_sessions_are_those_that_have_begun() -> None:
    early = datetime(2025, 1, 31, 13, 0, tzinfo=UTC)
    assert read("last 2 days", early) == ["2025-01-29 to 2025-01-30"]


def test_several_dates_are_several_periods() -> None:
    assert read("compare January 8 with January 10") == ["2025-01-08", "2025-01-10"]
    assert read_periods("p/l of nvda", NOW, CALENDAR).periods == ()


def test_a_modal_verb_is_no_month() -> None:
    assert read("may we march on") == []
    assert read("in may") == ["2024-05-01 to 2024-05-31"]


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = read_periods(text.lower(), NOW, CALENDAR).periods
    except NoSuchTime:
        found = ()
    assert all(period.last is None or period.last <= NOW.date() for period in found)
