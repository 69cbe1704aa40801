"""Which rows become bars, and how minutes become longer bars (DOMAIN section 1, R1-R3)."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_core.bars import REASONS, accept_days, accept_minutes, aggregate, gaps
from quant_core.calendar import to_datetime, xnys
from tests.quant_core.worlds import NAN, at, minutes_from, raw, series, stored

CALENDAR = xnys(2018, 2026)
DAY = date(2025, 1, 8)
OPEN = at(DAY, 9, 30)
HALF_OPEN = at(date(2025, 11, 28), 9, 30)
GOOD = {"open": 100.0, "high": 101.0, "low": 99.0, "close": 100.5, "volume": 10.0}


def judged(rows: list[dict[str, object]]) -> list[str]:
    """The reason of each row; a row says what differs from a good one at 09:30."""
    full = [{"start": OPEN, **GOOD, **row} for row in rows]
    columns = {name: [row[name] for row in full] for name in GOOD}
    closes = columns.pop("close")
    accepted, codes = accept_minutes(
        raw([row["start"] for row in full], closes, **columns), CALENDAR
    )
    assert len(accepted) == np.count_nonzero(codes == 0)
    return [REASONS[code] for code in codes]


# ------------------------------------------------------------------------------ R1


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({}, "accepted"),
        ({"open": NAN}, "nan_or_non_positive_price"),
        ({"high": NAN}, "nan_or_non_positive_price"),
        ({"low": NAN}, "nan_or_non_positive_price"),
        ({"close": NAN}, "nan_or_non_positive_price"),
        ({"volume": NAN}, "nan_or_non_positive_price"),
        ({"open": 0.0}, "nan_or_non_positive_price"),
        ({"low": -1.0}, "nan_or_non_positive_price"),
        ({"close": 0.0, "low": 0.0}, "nan_or_non_positive_price"),
        ({"high": np.inf}, "nan_or_non_positive_price"),
        ({"high": 100.4}, "high_below_open_or_close"),
        ({"high": 99.9, "close": 99.5}, "high_below_open_or_close"),
        ({"high": 100.5}, "accepted"),
        ({"low": 100.1}, "low_above_open_or_close"),
        ({"low": 100.4, "open": 100.45}, "accepted"),
        ({"low": 100.2, "close": 100.1}, "low_above_open_or_close"),
        ({"low": 100.0}, "accepted"),
        ({"volume": -1.0}, "negative_volume"),
        ({"volume": 0.0}, "accepted"),
        ({"start": OPEN - timedelta(minutes=1)}, "outside_calendar"),
        ({"start": OPEN + timedelta(seconds=30)}, "not_on_a_minute"),
        # Several things wrong: the first in the order of section 1 is counted.
        ({"open": NAN, "high": 1.0, "volume": -1.0}, "nan_or_non_positive_price"),
        ({"high": 99.0, "low": 101.0, "volume": -1.0}, "high_below_open_or_close"),
        ({"low": 100.4, "volume": -1.0}, "low_above_open_or_close"),
        ({"volume": -1.0, "start": OPEN - timedelta(hours=3)}, "negative_volume"),
    ],
)
def test_r1_a_row_is_refused_for_the_first_reason_that_fails(row, reason):
    assert judged([row]) == [reason]


def test_r1_no_rows_are_no_bars():
    accepted, codes = accept_minutes(raw([], []), CALENDAR)
    assert len(accepted) == 0
    assert len(codes) == 0


def test_r1_a_duplicate_is_a_second_accepted_start_and_the_first_stays():
    times = [OPEN, OPEN, OPEN + timedelta(minutes=1), OPEN]
    accepted, codes = accept_minutes(raw(times, [1.0, 2.0, 3.0, 4.0]), CALENDAR)
    assert [REASONS[c] for c in codes] == ["accepted", "duplicate", "accepted", "duplicate"]
    assert accepted.close.tolist() == [1.0, 3.0]


def test_r1_a_refused_row_does_not_make_the_next_one_a_duplicate():
    assert judged([{"open": NAN}, {}]) == ["nan_or_non_positive_price", "accepted"]
    assert judged([{"volume": -1.0}, {}, {}]) == ["negative_volume", "accepted", "duplicate"]


def test_r1_out_of_order_is_measured_against_the_last_accepted_row():
    early, late, far = OPEN, OPEN + timedelta(minutes=5), OPEN + timedelta(minutes=9)
    assert judged([{"start": late}, {"start": early}, {"start": far}]) == [
        "accepted",
        "out_of_order",
        "accepted",
    ]
    # The row from the future was refused, so it holds nobody up.
    assert judged([{"start": far, "open": NAN}, {"start": early}])[1] == "accepted"


def test_r1_a_row_that_is_both_late_and_double_is_a_duplicate():
    rows = [{"start": OPEN}, {"start": OPEN + timedelta(minutes=3)}, {"start": OPEN}]
    assert judged(rows)[2] == "duplicate"
    missing = [{"start": OPEN}, {"start": OPEN + timedelta(minutes=3)}]
    assert judged([*missing, {"start": OPEN + timedelta(minutes=1)}])[2] == "out_of_order"


def test_r1_a_bad_price_is_counted_before_the_order():
    rows = [{"start": OPEN + timedelta(minutes=5)}, {"start": OPEN, "open": NAN}]
    assert judged(rows)[1] == "nan_or_non_positive_price"


@given(
    st.lists(
        st.tuples(st.integers(-3, 12), st.sampled_from([None, "price", "high", "low", "volume"])),
        max_size=25,
    )
)
def test_r1_against_a_literal_reading(rows):
    faults = {
        None: {},
        "price": {"close": NAN},
        "high": {"high": 100.2},
        "low": {"low": 100.2},
        "volume": {"volume": -1.0},
    }
    names = {
        "price": "nan_or_non_positive_price",
        "high": "high_below_open_or_close",
        "low": "low_above_open_or_close",
        "volume": "negative_volume",
    }
    seen: list[int] = []
    expected = []
    for offset, fault in rows:
        if fault:
            expected.append(names[fault])
        elif offset in seen:
            expected.append("duplicate")
        elif seen and offset < seen[-1]:
            expected.append("out_of_order")
        elif offset < 0:
            expected.append("outside_calendar")
        else:
            expected.append("accepted")
            seen.append(offset)
    given_rows = [{"start": OPEN + timedelta(minutes=o), **faults[f]} for o, f in rows]
    assert judged(given_rows) == expected


# ------------------------------------------------------------------------------ R2


@pytest.mark.parametrize(
    ("start", "accepted"),
    [
        (at(DAY, 9, 29), False),
        (at(DAY, 9, 30), True),
        (at(DAY, 15, 59), True),
        (at(DAY, 16, 0), False),
        (at(DAY, 4, 0), False),
        (at(DAY, 19, 59), False),
        (at(date(2025, 1, 9), 10, 0), False),  # a day of mourning
        (at(date(2025, 1, 11), 10, 0), False),  # a Saturday
        (at(date(2025, 11, 28), 12, 59), True),
        (at(date(2025, 11, 28), 13, 0), False),  # after the early close
        (at(date(2025, 11, 28), 15, 0), False),
        (datetime(2025, 3, 7, 14, 30, tzinfo=UTC), True),
        (datetime(2025, 3, 7, 13, 30, tzinfo=UTC), False),
        (datetime(2025, 3, 10, 13, 30, tzinfo=UTC), True),
        (datetime(2025, 3, 10, 13, 29, tzinfo=UTC), False),
        (datetime(2025, 3, 10, 20, 0, tzinfo=UTC), False),
        (datetime(2025, 10, 31, 13, 30, tzinfo=UTC), True),
        (datetime(2025, 11, 3, 13, 30, tzinfo=UTC), False),
        (datetime(2025, 11, 3, 14, 30, tzinfo=UTC), True),
        (datetime(2025, 11, 3, 20, 59, tzinfo=UTC), True),
    ],
)
def test_r2_a_bar_belongs_to_a_session_when_it_starts_inside_it(start, accepted):
    assert judged([{"start": start}]) == ["accepted" if accepted else "outside_calendar"]


def test_a_bar_is_known_at_its_end_and_not_before():
    bars = series(CALENDAR, minutes_from(OPEN, 3), [1.0, 2.0, 3.0])
    assert (bars.end - bars.start).tolist() == [1, 1, 1]
    assert len(bars.known_by(int(bars.start[0]))) == 0
    assert bars.known_by(int(bars.start[0]) + 1).close.tolist() == [1.0]
    assert bars.known_by(int(bars.end[-1])).close.tolist() == [1.0, 2.0, 3.0]


def test_r2_real_files_keep_exactly_the_regular_session(market_data):
    """2018's AAPL has a 16:00 row in each of 44 sessions; SNOW's file is mostly extended hours."""
    apple, codes = read(market_data / "bars/1min/us-2018/AAPL.parquet")
    assert len(apple) == 390 * 44
    assert np.count_nonzero(codes == REASONS.index("outside_calendar")) == 44
    assert len(codes) == len(apple) + 44
    snow, _ = read(market_data / "bars/1min/us-2025-01/SNOW.parquet")
    opens = CALENDAR.opens[snow.session]
    assert ((snow.start >= opens) & (snow.start < CALENDAR.closes[snow.session])).all()


def test_r2_the_half_day_of_the_real_data_ends_at_13_00(market_data):
    spy, _ = read(market_data / "bars/1min/us-2025-11/SPY.parquet")
    half = spy.session == spy.session[-1]
    assert CALENDAR.session(int(spy.session[-1])).date == date(2025, 11, 28)
    assert half.sum() == 210
    assert to_datetime(int(spy.end[-1])) == at(date(2025, 11, 28), 13, 0)


def read(path: Path):
    return accept_minutes(stored([path], "A"), CALENDAR)


# ------------------------------------------------------------------------- daily bars (R13)


def test_r13_a_daily_bar_belongs_to_the_new_york_date_of_its_timestamp():
    stamps = [
        datetime(2025, 1, 8, 5, 0, tzinfo=UTC),  # midnight New York
        datetime(2025, 1, 11, 4, 59, tzinfo=UTC),  # still the 10th in New York
        datetime(2025, 3, 10, 4, 0, tzinfo=UTC),  # midnight, summer time
    ]
    days, codes = accept_days(raw(stamps, [1.0, 2.0, 3.0]), CALENDAR)
    assert not codes.any()
    assert [CALENDAR.session(int(i)).date.isoformat() for i in days.session] == [
        "2025-01-08",
        "2025-01-10",
        "2025-03-10",
    ]
    assert days.start.tolist() == [int(CALENDAR.opens[i]) for i in days.session]
    assert days.end.tolist() == [int(CALENDAR.closes[i]) for i in days.session]


def test_r13_daily_rows_are_judged_like_others():
    stamps = [datetime(2025, 1, day, 5, 0, tzinfo=UTC) for day in (8, 8, 9, 11, 10, 7, 13)]
    days, codes = accept_days(raw(stamps, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, NAN]), CALENDAR)
    assert [REASONS[c] for c in codes] == [
        "accepted",
        "duplicate",
        "outside_calendar",  # the day of mourning
        "outside_calendar",  # a Saturday
        "accepted",
        "out_of_order",
        "nan_or_non_positive_price",
    ]
    assert days.close.tolist() == [1.0, 5.0]


def test_r13_no_daily_rows_are_no_days():
    days, codes = accept_days(raw([], []), CALENDAR)
    assert len(days) == len(codes) == 0


# ------------------------------------------------------------------------ aggregation (R3)


def test_r3_buckets_are_aligned_to_the_open_and_need_one_minute():
    """09:30-09:35 has three of its minutes, 09:35-09:40 none, 09:40-09:45 its last only."""
    times = [OPEN, OPEN + timedelta(minutes=1), OPEN + timedelta(minutes=4)]
    times.append(OPEN + timedelta(minutes=14))
    bars = series(
        CALENDAR,
        times,
        [10.0, 12.0, 11.0, 20.0],
        open=[9.5, 10.0, 12.0, 19.0],
        high=[10.5, 13.0, 12.5, 21.0],
        low=[9.0, 9.9, 10.8, 18.0],
        volume=[1.0, 2.0, 3.0, 4.0],
    )
    five = aggregate(bars, CALENDAR, 5)
    start = int(bars.start[0])
    assert five.start.tolist() == [start, start + 10]
    assert five.end.tolist() == [start + 5, start + 15]
    assert five.open.tolist() == [9.5, 19.0]
    assert five.high.tolist() == [13.0, 21.0]
    assert five.low.tolist() == [9.0, 18.0]
    assert five.close.tolist() == [11.0, 20.0]
    assert five.volume.tolist() == [6.0, 4.0]


@pytest.mark.parametrize(
    ("opening", "length", "timeframe", "ends"),
    [
        (OPEN, 390, 60, [60, 120, 180, 240, 300, 360, 390]),  # the last hour bar has 30 minutes
        (HALF_OPEN, 210, 60, [60, 120, 180, 210]),
        (HALF_OPEN, 210, 15, list(range(15, 211, 15))),
        (OPEN, 390, 390, [390]),
        (OPEN, 390, 1440, [390]),
        (OPEN, 390, 100, [100, 200, 300, 390]),
    ],
)
def test_r3_buckets_are_clipped_at_the_close(opening, length, timeframe, ends):
    bars = series(CALENDAR, minutes_from(opening, length), np.arange(1.0, length + 1))
    longer = aggregate(bars, CALENDAR, timeframe)
    assert (longer.end - bars.start[0]).tolist() == ends
    assert longer.close.tolist() == [float(end) for end in ends]
    assert longer.volume.sum() == bars.volume.sum()


def test_r3_buckets_do_not_run_into_the_next_session():
    times = [at(DAY, 15, 58), at(DAY, 15, 59), at(date(2025, 1, 10), 9, 30)]
    hours = aggregate(series(CALENDAR, times, [1.0, 2.0, 3.0]), CALENDAR, 60)
    assert hours.close.tolist() == [2.0, 3.0]
    assert len(set(hours.session.tolist())) == 2


@pytest.mark.parametrize("days", [("2025-03-07", "2025-03-10"), ("2025-10-31", "2025-11-03")])
def test_r3_both_sides_of_a_clock_change_have_the_same_buckets(days):
    times = [t for day in days for t in minutes_from(at(date.fromisoformat(day), 9, 30), 390)]
    hours = aggregate(series(CALENDAR, times, np.arange(1.0, 781.0)), CALENDAR, 60)
    assert len(hours) == 14
    opens = CALENDAR.opens[hours.session]
    assert (hours.start - opens).tolist() == [0, 60, 120, 180, 240, 300, 360] * 2


def test_aggregating_nothing_is_nothing_and_a_timeframe_below_a_minute_is_an_error():
    empty, _ = accept_minutes(raw([], []), CALENDAR)
    assert len(aggregate(empty, CALENDAR, 5)) == 0
    with pytest.raises(ValueError, match="timeframe is 0"):
        aggregate(empty, CALENDAR, 0)


@st.composite
def sparse_minutes(draw):
    """Bars of two sessions (one of them a half-day) with random holes and prices."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    keep = rng.random(600) < draw(st.sampled_from([0.02, 0.5, 0.98]))
    times = minutes_from(HALF_OPEN, 210) + minutes_from(at(date(2025, 12, 1), 9, 30), 390)
    chosen = [t for t, here in zip(times, keep, strict=True) if here] or times[:1]
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.002, len(chosen)))), 2)
    open_ = np.round(close * np.exp(rng.normal(0, 0.001, len(chosen))), 2)
    return series(
        CALENDAR,
        chosen,
        close,
        open=open_,
        high=np.maximum(open_, close) + 0.05,
        low=np.minimum(open_, close) - 0.05,
        volume=rng.integers(0, 1000, len(chosen)),
    )


@given(sparse_minutes(), st.sampled_from([1, 5, 15, 60, 120]))
def test_r3_against_a_literal_grouping(bars, timeframe):
    buckets: dict[tuple[int, int], list[int]] = {}
    for i in range(len(bars)):
        session = int(bars.session[i])
        number = (int(bars.start[i]) - int(CALENDAR.opens[session])) // timeframe
        buckets.setdefault((session, number), []).append(i)
    longer = aggregate(bars, CALENDAR, timeframe)
    assert len(longer) == len(buckets)
    for row, ((session, number), members) in enumerate(buckets.items()):
        opening = int(CALENDAR.opens[session])
        assert longer.start[row] == opening + number * timeframe
        assert longer.end[row] == min(
            opening + (number + 1) * timeframe, int(CALENDAR.closes[session])
        )
        assert longer.open[row] == bars.open[members[0]]
        assert longer.close[row] == bars.close[members[-1]]
        assert longer.high[row] == bars.high[members].max()
        assert longer.low[row] == bars.low[members].min()
        assert longer.volume[row] == bars.volume[members].sum()


@given(sparse_minutes(), st.integers(0, 600), st.sampled_from([5, 60]))
def test_r3_a_closed_bucket_never_changes(bars, cut, timeframe):
    """Whatever comes later, what is known by a moment was known then."""
    part = bars.part(slice(0, min(cut, len(bars))))
    if len(part) == 0:
        return
    now = int(part.end[-1])
    before = aggregate(part, CALENDAR, timeframe).known_by(now)
    after = aggregate(bars, CALENDAR, timeframe).known_by(now)
    for name in ("start", "end", "open", "high", "low", "close", "volume"):
        assert getattr(before, name).tolist() == getattr(after, name).tolist()


# ------------------------------------------------------------------------------- gaps


def test_a_gap_is_counted_and_never_filled():
    missing = {3, 10, 11, 12, 389}
    times = [OPEN + timedelta(minutes=i) for i in range(390) if i not in missing]
    bars = series(CALENDAR, times, np.ones(385))
    (gap,) = gaps(bars, CALENDAR)
    assert (gap.symbol, gap.missing, gap.longest) == ("A", 5, 3)
    assert to_datetime(gap.first) == OPEN + timedelta(minutes=3)
    assert len(bars) == 385


def test_whole_sessions_have_no_gap():
    times = minutes_from(OPEN, 390) + minutes_from(HALF_OPEN, 210)
    assert gaps(series(CALENDAR, times, np.ones(600)), CALENDAR) == []


def test_a_late_first_bar_is_a_gap_at_the_open_and_one_session_does_not_hide_another():
    times = minutes_from(OPEN + timedelta(minutes=7), 383)
    times += minutes_from(HALF_OPEN, 100)
    first, second = gaps(series(CALENDAR, times, np.ones(483)), CALENDAR)
    assert (first.missing, first.longest) == (7, 7)
    assert to_datetime(first.first) == OPEN
    assert (second.missing, to_datetime(second.first)) == (110, HALF_OPEN + timedelta(minutes=100))


def test_a_symbol_without_any_bar_has_no_gap_to_report():
    """`Sessions among those with any bar`: there is none, so the answer is an empty list."""
    empty, _ = accept_minutes(raw([], []), CALENDAR)
    assert gaps(empty, CALENDAR) == []


@given(sparse_minutes())
def test_gaps_and_bars_add_up_to_the_sessions(bars):
    found = {gap.session: gap.missing for gap in gaps(bars, CALENDAR)}
    for session in set(bars.session.tolist()):
        length = int(CALENDAR.closes[session] - CALENDAR.opens[session])
        assert np.count_nonzero(bars.session == session) + found.get(session, 0) == length
