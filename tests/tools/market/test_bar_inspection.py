"""An inspection counts, finds what is missing, and recognises wrong labels and zones."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from quant_core.bars import RawBars
from tests.tools.market.bars_on_disk import calendar, micros, raw_bars, session_minutes
from tools.market.inspection import Inspection, calendar_of, inspect_bars

MINUTE = 60_000_000
DAYS = (date(2025, 1, 2), date(2025, 1, 3), date(2025, 7, 3))
# 3 July 2025 is a half-day


def sessions(*days: date, before: int = 0, after: int = 0) -> list[int]:
    """Starts of all minutes of sessions, with some before the open and after the close."""
    found = []
    for day in days:
        session = calendar().on(day)
        assert session is not None
        minutes = range(session.open - before, session.close + after)
        found += [minute * MINUTE for minute in minutes]
    return found


def inspected(starts: list[int], **values: object) -> Inspection:
    return inspect_bars(raw_bars(starts, **values), calendar(), "1min")


def test_whole_sessions_have_nothing_to_report() -> None:
    found = inspected(sessions(*DAYS))
    assert (found.rows, len(found.accepted), found.sessions) == (990, 990, 3)
    assert (found.reasons, found.refused.num_rows) == ({}, 0)
    assert (found.gap_sessions, found.missing, found.longest_gap) == (0, 0, 0)
    assert (found.first, found.last) == (
        datetime(2025, 1, 2, 14, 30, tzinfo=UTC),
        datetime(2025, 7, 3, 16, 59, tzinfo=UTC),
    )
    assert (found.zero_volume, found.hints) == (0, ())


def test_missing_minutes_are_counted_and_never_filled() -> None:
    starts = sessions(*DAYS)
    kept = starts[:10] + starts[13:400] + starts[401:]
    found = inspected(kept)
    assert (found.gap_sessions, found.missing, found.longest_gap) == (2, 4, 3)
    assert len(found.accepted) == 986


def test_sessions_without_any_minute_are_named() -> None:
    found = inspected(sessions(date(2025, 1, 7), date(2025, 1, 8), date(2025, 1, 13)))
    # On the 9th the exchange was closed, on the 11th and 12th it was the weekend.
    assert found.absent == (date(2025, 1, 10),)
    assert (found.gap_sessions, found.missing) == (0, 0)
    assert inspected([]).absent == ()


def test_refused_rows_and_bars_without_volume_are_counted() -> None:
    starts = sessions(DAYS[0], before=30, after=60)
    volume = np.ones(len(starts))
    volume[40:45] = 0
    volume[50] = -1
    found = inspected(starts, volume=volume)
    assert found.reasons == {"negative_volume": 1, "outside_calendar": 90}
    assert (found.rows, len(found.accepted), found.zero_volume) == (480, 389, 5)
    assert found.hints == ()


def test_a_symbol_without_a_usable_row_is_described_too() -> None:
    found = inspected([0, MINUTE, 2 * MINUTE])
    assert (len(found.accepted), found.sessions, found.first, found.last) == (0, 0, None, None)
    assert found.reasons == {"outside_calendar": 3}


def test_bars_labelled_with_their_ends_are_recognised() -> None:
    ends = [start + MINUTE for start in sessions(*DAYS)]
    (hint,) = inspected(ends).hints
    assert "3 sessions have a bar at their close" in hint
    assert "--label end" in hint


@pytest.mark.parametrize("after", [1, 240])
def test_a_closing_auction_or_late_trading_is_not_taken_for_end_labels(after: int) -> None:
    assert inspected(sessions(*DAYS, after=after)).hints == ()
    late = [start for start in sessions(*DAYS, after=after) if start // MINUTE % 390]
    assert inspected(late).hints == ()


def test_a_thin_symbol_that_skips_the_open_is_not_taken_for_end_labels() -> None:
    opens = {session // MINUTE for day in DAYS for session in sessions(day)[:1]}
    thin = [start for start in sessions(*DAYS, after=200) if start // MINUTE not in opens]
    assert inspected(thin).hints == ()


@pytest.mark.parametrize("extended", [0, 60])
@pytest.mark.parametrize(("day", "hours"), [(DAYS[0], 5), (date(2025, 7, 1), 4)])
def test_new_york_times_taken_for_utc_are_recognised(day: date, hours: int, extended: int) -> None:
    shift = round(timedelta(hours=hours).total_seconds()) * 1_000_000
    true = np.array(sessions(day, before=extended, after=extended))
    session = calendar().on(day)
    assert session is not None
    inside = (true >= session.open * MINUTE) & (true < session.close * MINUTE)
    found = inspected([int(t) - shift for t in true], volume=np.where(inside, 1000.0, 10.0))
    (hint,) = found.hints
    assert f"{hours} h later" in hint
    assert "--tz" in hint


def test_daily_bars_that_begin_at_midnight_utc_are_recognised() -> None:
    days = [datetime(2025, 1, day, tzinfo=UTC) for day in (2, 3, 6, 7)]
    raw = raw_bars(micros(days))
    (hint,) = inspect_bars(raw, calendar(), "1day").hints
    assert "midnight UTC" in hint


def daily(*days: date) -> RawBars:
    return raw_bars([micros([m.replace(hour=0, minute=0)])[0] for d in days for m in _first(d)])


def _first(day: date) -> list[datetime]:
    return session_minutes(day, 1)


def test_missing_sessions_of_daily_bars_are_counted() -> None:
    raw = daily(date(2025, 1, 2), date(2025, 1, 3), date(2025, 1, 8), date(2025, 1, 10))
    found = inspect_bars(raw, calendar(), "1day")
    # 6 and 7 January are missing; on the 9th the exchange was closed
    assert (found.sessions, found.missing, found.longest_gap) == (4, 2, 2)
    assert found.absent == (date(2025, 1, 6), date(2025, 1, 7))
    assert found.hints == ()


def test_the_calendar_covers_the_years_of_the_rows() -> None:
    made = calendar_of([daily(date(2025, 1, 2)), daily(date(2019, 7, 1))])
    assert made.on(date(2019, 1, 2)) is not None
    assert made.on(date(2025, 12, 31)) is not None
    assert made.on(date(2018, 12, 31)) is None
