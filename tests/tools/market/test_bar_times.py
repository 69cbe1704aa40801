"""Laws of bar times, on any session of any year."""

from datetime import UTC, date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_core.bars import accept_minutes
from quant_core.calendar import Session, xnys
from tests.tools.market.bars_on_disk import NEW_YORK, micros, prices, session_minutes, write_csv
from tools.market.files import BarFormat, read_bars

CALENDAR = xnys(1995, 2030)
SESSIONS = st.integers(0, len(CALENDAR.days) - 1).map(CALENDAR.session)
COUNT = 210  # a half-day, so that every session has as many


@settings(max_examples=40, deadline=None)
@given(SESSIONS)
def test_every_way_to_write_a_session_gives_the_same_accepted_bars(
    tmp_path_factory: pytest.TempPathFactory, session: Session
) -> None:
    folder = tmp_path_factory.mktemp("ways")
    starts = session_minutes(session.date, COUNT)
    ends = [start + timedelta(minutes=1) for start in starts]
    ways = {
        "UTC": ([s.astimezone(UTC).replace(tzinfo=None) for s in starts], BarFormat(tz="UTC")),
        "New York": (
            [s.replace(tzinfo=None) for s in starts],
            BarFormat(tz="America/New_York"),
        ),
        "Berlin": (
            [s.astimezone(UTC).isoformat() for s in starts],
            BarFormat(tz="Europe/Berlin"),  # of no effect on times that carry their zone
        ),
        "ends": (
            [e.replace(tzinfo=None) for e in ends],
            BarFormat(tz="America/New_York", label="end"),
        ),
        "epoch": ([s // 1000 for s in micros(starts)], BarFormat()),
    }
    for name, (times, form) in ways.items():
        file = write_csv(folder / f"{name}.csv", {"time": times, **prices(COUNT)})
        raw = read_bars([file], [name.upper()], form)[name.upper()]
        bars, _ = accept_minutes(raw, CALENDAR)
        assert len(bars) == COUNT, name
        assert bars.start[0] == session.open, name
        assert np.array_equal(bars.open, prices(COUNT)["open"]), name


@settings(max_examples=100, deadline=None)
@given(st.dates(date(1995, 1, 1), date(2030, 12, 31)))
def test_a_daily_date_is_read_as_the_midnight_that_begins_it_in_new_york(
    tmp_path_factory: pytest.TempPathFactory, day: date
) -> None:
    file = write_csv(tmp_path_factory.mktemp("daily") / "X.csv", {"date": [day], **prices(1)})
    start = read_bars([file], None, BarFormat(timeframe="1day"))["X"].start
    midnight = session_minutes(day, 1)[0].replace(hour=0, minute=0)
    assert midnight.tzinfo is NEW_YORK
    assert start.tolist() == micros([midnight])


def test_the_label_does_not_move_daily_bars(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "X.csv", {"date": ["2025-01-02"], **prices(1)})
    by_label = [
        read_bars([file], None, BarFormat(timeframe="1day", label=label))["X"].start.tolist()
        for label in ("start", "end")
    ]
    assert by_label[0] == by_label[1]
