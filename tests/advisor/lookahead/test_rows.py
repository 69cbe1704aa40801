"""Data as of a moment: rows arrive in stored order, and a false future is still a possible one."""

from dataclasses import replace

import numpy as np
import pytest

from advisor.lookahead.rows import until, up_to, with_noise_after
from quant_core.bars import ACCEPTED, RawBars, accept_days, accept_minutes
from quant_core.calendar import xnys
from tests.advisor.lookahead.worlds import REQUEST, rows

CALENDAR = xnys(2022, 2025)
SESSION = CALENDAR.on(REQUEST.last)
NOON = SESSION.open + 150


def raw(*minutes, close=10.0):
    count = len(minutes)
    price = np.full(count, close)
    return RawBars(
        symbol="SPY",
        start=(np.array(minutes) + SESSION.open) * 60_000_000,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=np.full(count, 100.0),
        file=np.zeros(count, np.int64),
        row=np.arange(1, count + 1),
        files=("SPY.csv",),
    )


def minutes_by(moment, stored):
    found = until(({"SPY": stored}, {}), CALENDAR, SESSION.open + moment)[0]["SPY"]
    return (found.start // 60_000_000 - SESSION.open).tolist()


def test_a_bar_is_there_from_its_end_on():
    assert minutes_by(2, raw(0, 1, 2)) == [0, 1]
    assert minutes_by(0, raw(0, 1, 2)) == []
    assert minutes_by(9, raw(0, 1, 2)) == [0, 1, 2]


def test_a_refused_row_has_its_place_in_the_arrival():
    # 3 arrives late and is refused; without 5 before it, it would be taken.
    assert minutes_by(5, raw(0, 1, 5, 3, 6)) == [0, 1]
    assert minutes_by(6, raw(0, 1, 5, 3, 6)) == [0, 1, 5, 3]
    # A row from another century is refused wherever it stands, and hides nothing.
    assert minutes_by(2, raw(0, 9_000_000, 1, 2)) == [0, 9_000_000, 1]


@pytest.mark.parametrize("moment", [SESSION.open + 1, NOON, SESSION.close - 1])
def test_todays_daily_bar_is_there_at_the_close_only(moment):
    days = until(rows(), CALENDAR, moment)[1]["SPY"]
    known, _ = accept_days(days, CALENDAR)
    assert known.end.max() < SESSION.open
    later, _ = accept_days(until(rows(), CALENDAR, SESSION.close)[1]["SPY"], CALENDAR)
    assert later.end.max() == SESSION.close


def test_noise_leaves_the_past_and_replaces_all_of_the_future():
    minutes, days = rows()
    noisy, noisy_days = with_noise_after((minutes, days), CALENDAR, NOON, seed=1)
    true, _ = accept_minutes(minutes["NVDA"], CALENDAR)
    false, codes = accept_minutes(noisy["NVDA"], CALENDAR)
    np.testing.assert_array_equal(true.start, false.start)
    past = true.end <= NOON
    assert past.any()
    assert not past.all()
    for name in ("open", "high", "low", "close"):
        left, right = getattr(true, name), getattr(false, name)
        np.testing.assert_array_equal(left[past], right[past])
        assert np.all(left[~past] != right[~past])
    assert np.count_nonzero(codes == ACCEPTED) == len(true)
    np.testing.assert_array_equal(days["SPY"].close[:-1], noisy_days["SPY"].close[:-1])
    assert days["SPY"].close[-1] != noisy_days["SPY"].close[-1]


def test_noise_depends_on_its_seed_alone():
    one = with_noise_after(rows(), CALENDAR, NOON, seed=1)[0]["SPY"].close
    again = with_noise_after(rows(), CALENDAR, NOON, seed=1)[0]["SPY"].close
    other = with_noise_after(rows(), CALENDAR, NOON, seed=2)[0]["SPY"].close
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_request_ends_with_the_session_of_the_moment():
    assert up_to(replace(REQUEST), CALENDAR, NOON).last == REQUEST.last
    assert up_to(REQUEST, CALENDAR, SESSION.open - 1).last < REQUEST.last
    assert up_to(REQUEST, CALENDAR, SESSION.close).last == REQUEST.last
