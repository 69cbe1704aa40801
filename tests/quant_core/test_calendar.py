"""The exchange's sessions: half-days, clock changes, and which session a minute is in."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_core.calendar import (
    NEW_YORK,
    Session,
    new_york,
    new_york_days,
    to_datetime,
    to_minute,
    xnys,
)
from quant_core.grid import session_clock
from quant_core.parameters import StdevParameters

CALENDAR = xnys(2024, 2026)
EPOCH = date(1970, 1, 1)


def minute(year: int, month: int, day: int, hour: int, minute: int) -> int:
    """A UTC moment as minutes since the epoch."""
    return to_minute(datetime(year, month, day, hour, minute, tzinfo=UTC))


@pytest.mark.parametrize(
    ("day", "opens", "closes"),
    [
        ("2025-01-08", "14:30", "21:00"),
        ("2025-03-07", "14:30", "21:00"),  # Friday before the clocks go forward
        ("2025-03-10", "13:30", "20:00"),
        ("2025-07-03", "13:30", "17:00"),  # half-day in summer
        ("2025-10-31", "13:30", "20:00"),  # Friday before they go back
        ("2025-11-03", "14:30", "21:00"),
        ("2025-11-28", "14:30", "18:00"),  # half-day in winter
        ("2024-12-24", "14:30", "18:00"),
    ],
)
def test_sessions_are_9_30_to_16_00_new_york_also_where_clocks_change(day, opens, closes):
    session = CALENDAR.on(date.fromisoformat(day))
    assert session is not None
    assert to_datetime(session.open).strftime("%Y-%m-%d %H:%M") == f"{day} {opens}"
    assert to_datetime(session.close).strftime("%Y-%m-%d %H:%M") == f"{day} {closes}"
    assert to_datetime(session.open).astimezone(NEW_YORK).strftime("%H:%M") == "09:30"


@pytest.mark.parametrize(
    "day",
    [
        "2025-01-01",
        "2025-01-09",  # national day of mourning
        "2025-01-20",
        "2025-03-09",  # Sundays on which clocks change
        "2025-11-02",
        "2025-04-18",
        "2025-06-19",
        "2025-11-27",
        "2025-12-25",
    ],
)
def test_there_is_no_session_on_holidays_and_weekends(day):
    assert CALENDAR.on(date.fromisoformat(day)) is None


def test_a_year_has_its_sessions_and_half_days():
    year = CALENDAR.between(date(2025, 1, 1), date(2025, 12, 31))
    assert len(year) == 250
    assert [s.date.isoformat() for s in year if s.minutes != 390] == [
        "2025-07-03",
        "2025-11-28",
        "2025-12-24",
    ]
    assert {s.minutes for s in year} == {390, 210}


def test_days_outside_the_calendar_have_no_session():
    assert CALENDAR.on(date(2023, 12, 29)) is None
    assert CALENDAR.on(date(2027, 1, 4)) is None
    assert CALENDAR.between(date(2027, 1, 1), date(2027, 2, 1)) == []
    assert CALENDAR.between(date(2025, 1, 8), date(2025, 1, 7)) == []


def test_between_includes_both_ends():
    dates = [s.date for s in CALENDAR.between(date(2025, 1, 8), date(2025, 1, 10))]
    assert dates == [date(2025, 1, 8), date(2025, 1, 10)]


def test_around_names_the_nearest_sessions():
    assert CALENDAR.around(date(2025, 1, 9)) == (date(2025, 1, 8), date(2025, 1, 10))
    assert CALENDAR.around(date(2025, 1, 8)) == (date(2025, 1, 7), date(2025, 1, 10))
    assert CALENDAR.around(date(2023, 1, 1)) == (None, date(2024, 1, 2))
    assert CALENDAR.around(date(2027, 1, 1)) == (date(2026, 12, 31), None)


@pytest.mark.parametrize(
    ("after_the_open", "day"),
    [(-1, date(2025, 4, 17)), (0, date(2025, 4, 17)), (389, date(2025, 4, 17)),
     (390, date(2025, 4, 21))],  # Good Friday and a weekend lie between
)  # fmt: skip
def test_the_session_that_runs_or_comes(after_the_open, day):
    calendar = xnys(2025, 2025)
    opens = calendar.on(date(2025, 4, 17)).open
    assert calendar.running_or_next(opens + after_the_open).date == day


def test_a_session_is_half_open():
    """R2: the bar labelled with the close belongs to none."""
    session = CALENDAR.on(date(2025, 11, 28))
    assert session is not None
    edges = np.array([session.open - 1, session.open, session.close - 1, session.close])
    index = CALENDAR.session_index(edges)
    assert (index >= 0).tolist() == [False, True, True, False]
    assert CALENDAR.session(int(index[1])) == session


def test_minutes_before_and_after_all_sessions_belong_to_none():
    far = np.array([0, minute(1990, 1, 2, 15, 0), minute(2040, 1, 2, 15, 0)])
    assert CALENDAR.session_index(far).tolist() == [-1, -1, -1]
    assert CALENDAR.session_index(np.zeros(0, np.int64)).tolist() == []


@given(st.lists(st.integers(minute(2023, 12, 1, 0, 0), minute(2027, 1, 31, 0, 0)), max_size=30))
def test_session_index_is_the_only_session_that_contains_the_minute(minutes):
    index = CALENDAR.session_index(np.array(minutes, np.int64))
    for moment, found in zip(minutes, index, strict=True):
        day = to_datetime(moment).astimezone(NEW_YORK).date()
        session = CALENDAR.on(day)
        inside = session is not None and session.open <= moment < session.close
        assert (found >= 0) == inside
        if inside:
            assert CALENDAR.session(int(found)) == session


def test_day_index_finds_sessions_and_refuses_other_days():
    days = [
        date(2023, 12, 31),
        date(2024, 1, 2),
        date(2025, 1, 9),
        date(2026, 12, 31),
        date(2028, 1, 1),
    ]
    numbers = np.array([(day - EPOCH).days for day in days])
    found = CALENDAR.day_index(numbers)
    assert found[[0, 2, 4]].tolist() == [-1, -1, -1]
    assert [CALENDAR.session(int(i)).date for i in found[[1, 3]]] == [days[1], days[3]]


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2025-01-09 04:59", "2025-01-08"),  # 23:59 in winter
        ("2025-01-09 05:00", "2025-01-09"),
        ("2025-07-01 03:59", "2025-06-30"),  # 23:59 in summer
        ("2025-07-01 04:00", "2025-07-01"),
        ("2025-03-09 04:59", "2025-03-08"),  # the night in which clocks go forward
        ("2025-03-10 03:59", "2025-03-09"),
        ("2025-03-10 04:00", "2025-03-10"),
        ("2025-11-02 03:59", "2025-11-01"),  # and the one in which they go back
        ("2025-11-03 04:59", "2025-11-02"),
        ("2025-11-03 05:00", "2025-11-03"),
    ],
)
def test_the_new_york_date_of_a_utc_minute(moment, day):
    utc = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    days = new_york_days(np.array([to_minute(utc)]))
    assert EPOCH + timedelta(days=int(days[0])) == date.fromisoformat(day)


@given(st.integers(minute(1990, 1, 1, 0, 0), minute(2030, 1, 1, 0, 0)))
def test_new_york_days_agree_with_the_standard_library(moment):
    days = new_york_days(np.array([moment]))
    assert EPOCH + timedelta(days=int(days[0])) == to_datetime(moment).astimezone(NEW_YORK).date()


@given(st.integers(0, 60_000_000))
def test_minutes_and_datetimes_are_two_names_of_one_moment(number):
    assert to_minute(to_datetime(number)) == number
    assert to_minute(to_datetime(number) + timedelta(seconds=59.9)) == number
    assert to_datetime(number).tzinfo is UTC


def test_moments_are_shown_in_new_york():
    assert new_york(datetime(2025, 1, 8, 14, 30, tzinfo=UTC)) == "2025-01-08 09:30"
    assert new_york(datetime(2025, 7, 8, 13, 30, tzinfo=UTC)) == "2025-07-08 09:30"


@pytest.mark.parametrize(
    ("day", "flat", "until", "length"),
    [("2025-01-08", 380, 150, 390), ("2025-11-28", 195, 150, 210), ("2025-03-10", 380, 150, 390)],
)
def test_r20_r41_landmarks_of_a_session_in_minutes_after_the_open(day, flat, until, length):
    session = CALENDAR.on(date.fromisoformat(day))
    assert session is not None
    clock = session_clock(session, StdevParameters())[0]
    assert (clock["open"], clock["minutes"]) == (session.open, length)
    assert (clock["entry_from"], clock["entry_until"], clock["flat_from"]) == (0, until, flat)


def test_landmarks_follow_the_parameters():
    playbook = StdevParameters(
        entry_from=10 * 60, entry_until=15 * 60, flat_from=12 * 60, flat_before_early_close=30
    )
    full = Session(date(2025, 1, 8), 1000, 1390)
    half = Session(date(2025, 11, 28), 1000, 1210)
    assert session_clock(full, playbook)[0].item() == (1000, 390, 30, 330, 150)
    assert session_clock(half, playbook)[0].item() == (1000, 210, 30, 330, 150)
    late = StdevParameters(flat_before_early_close=0)
    assert session_clock(half, late)["flat_from"][0] == 210
