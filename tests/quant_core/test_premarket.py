"""The premarket snapshot (R11-R19): worked by hand, and nothing from the session itself."""

import math
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_core.bars import BarSeries, accept_days, accept_minutes, aggregate
from quant_core.calendar import xnys
from quant_core.parameters import PremarketParameters
from quant_core.premarket import SymbolHistory, atr_percentile, htf_trend, swing_tag
from quant_core.types import Snapshot
from tests.quant_core.worlds import NAN, days, series, stored

CALENDAR = xnys(2024, 2026)
ALL = [CALENDAR.session(i) for i in range(len(CALENDAR.days))]
FIRST = next(i for i, s in enumerate(ALL) if s.date == date(2025, 1, 2))
seeds = st.integers(0, 2**32 - 1)


def daily(closes: list[float], width: float = 1.0, **columns) -> BarSeries:
    """Consecutive daily bars from 2025-01-02 on, `width` above and below the close."""
    close = np.asarray(closes, float)
    given_columns = {
        "high": close + width,
        "low": close - width,
        "volume": np.full(len(close), 1e6),
    }
    dates = [ALL[FIRST + i].date for i in range(len(close))]
    return days(CALENDAR, dates, close, **{**given_columns, **columns})


def minutes(closes: list[float], width: float = 1.0) -> BarSeries:
    """Whole sessions from 2025-01-02 on whose hours (seven a session) close at these prices."""
    starts, close = [], []
    for i, price in enumerate(closes):
        session = ALL[FIRST + i // 7]
        hour = range(session.open + i % 7 * 60, min(session.open + (i % 7 + 1) * 60, session.close))
        starts += list(hour)
        close += [price] * len(hour)
    values = np.asarray(close)
    return series(CALENDAR, starts, values, high=values + width, low=values - width)


def snapshot(
    daily_closes: list[float], hourly_closes: list[float], before: int | None = None
) -> Snapshot:
    """The snapshot of the session after all of these bars (or of the `before`-th one)."""
    history = SymbolHistory.of("A", minutes(hourly_closes), daily(daily_closes), CALENDAR)
    return history.snapshot(FIRST + (30 if before is None else before), CALENDAR)


LINE = [float(100 + i) for i in range(28)]


# --------------------------------------------------------------------- slopes (R14-R16)


def test_r14_r16_slope_of_a_straight_line_by_hand():
    """Closes 100, 101, …: EMA-20 starts at 109.5 = mean(100…119) and gains 1 a bar; TR is 2
    (high 1 above the close, that 1 above the last): (EMA[last] - EMA[last-3]) / ATR = 3 / 2."""
    found = snapshot(LINE, LINE)
    assert found.ema_slope_daily == pytest.approx(1.5, rel=1e-12)
    assert found.ema_slope_hourly == pytest.approx(1.5, rel=1e-12)
    assert found.htf_trend == 1


def test_r14_the_seed_is_the_simple_mean_of_the_first_20_closes():
    """Twenty closes alternate 90 and 110 (mean 100), then 121, 100, 100."""
    closes = [90.0, 110.0] * 10 + [121.0, 100.0, 100.0]
    found = snapshot(closes, LINE)
    first = 100.0
    second = first + 2 / 21 * (121.0 - first)  # 102
    third = second + 2 / 21 * (100.0 - second)
    last = third + 2 / 21 * (100.0 - third)
    atr = atr_by_hand(closes)
    assert found.ema_slope_daily == pytest.approx((last - first) / atr, rel=1e-12)


def atr_by_hand(closes: list[float], width: float = 1.0) -> float:
    ranges = [
        max(2 * width, abs(now + width - then), abs(now - width - then))
        for then, now in pairwise(closes)
    ]
    atr = sum(ranges[:14]) / 14
    for true_range in ranges[14:]:
        atr = (13 * atr + true_range) / 14
    return atr


@pytest.mark.parametrize(("count", "missing"), [(22, True), (23, False)])
def test_r16_a_slope_needs_23_bars(count, missing):
    daily_missing = snapshot(LINE[:count], LINE)
    assert math.isnan(daily_missing.ema_slope_daily) == missing
    hourly_missing = snapshot(LINE, LINE[:count])
    assert math.isnan(hourly_missing.ema_slope_hourly) == missing
    for found in (daily_missing, hourly_missing):
        assert bool(found.incomplete) == missing
        assert (found.htf_trend == 0) == missing


def test_r15_the_overnight_gap_counts_in_daily_and_hourly_ranges():
    """One day jumps from 100 to 150: its true range is 51, not 2."""
    closes = [100.0] * 15 + [150.0] * 10
    found = snapshot(closes, closes)
    emas = [sum(closes[:20]) / 20]
    for close in closes[20:]:
        emas.append(emas[-1] + 2 / 21 * (close - emas[-1]))
    expected = (emas[-1] - emas[-4]) / atr_by_hand(closes)
    assert found.ema_slope_daily == pytest.approx(expected, rel=1e-12)
    assert found.ema_slope_hourly == pytest.approx(expected, rel=1e-12)


def test_r13_hours_are_built_from_minutes_with_a_short_last_one():
    """Seven hourly bars a session: 21 bars are three sessions, 28 are four."""
    assert len(aggregate(minutes(LINE[:21]), CALENDAR, 60)) == 21
    assert math.isnan(snapshot(LINE, LINE[:21]).ema_slope_hourly)


# ----------------------------------------------------------------------- swings (R17)


@pytest.mark.parametrize(
    ("high", "tag"),
    [
        ([], "mixed"),
        ([1.0] * 20, "mixed"),
        ([0, 1, 5, 1, 0, 1, 2, 7, 2, 1], "HH"),
        ([0, 1, 7, 1, 0, 1, 2, 5, 2, 1], "LL"),
        ([0, 1, 5, 1, 0, 1, 2, 5, 2, 1], "mixed"),  # equal highs are neither
        ([0, 1, 5, 1, 0, 1, 2, 7, 2], "mixed"),  # one bar after the second peak: not known yet
        ([0, 1, 5, 5, 1, 0, 1, 2, 7, 2, 1], "mixed"),  # a double top is no swing
        ([9, 1, 0, 5, 1, 0, 1, 7, 1, 0], "HH"),  # the oldest two bars cannot be swings
        ([0, 1, 9, 1, 0, 1, 5, 1, 0, 1, 7, 1, 0], "HH"),  # only the last two count
    ],
)
def test_r17_swing_highs_and_lows(high, tag):
    """The lows have two swings, rising (falling for LL), so that the highs decide."""
    highs, lows = np.asarray(high, float), np.full(len(high), -10.0)
    if len(lows):
        lows[[2, 6]] = (-14.0, -12.0) if tag != "LL" else (-12.0, -14.0)
    assert swing_tag(highs, lows) == tag


@pytest.mark.parametrize(
    ("highs", "lows", "tag"),
    [
        ((5, 7), (1, 2), "HH"),
        ((7, 5), (2, 1), "LL"),
        ((5, 7), (2, 1), "mixed"),
        ((7, 5), (1, 2), "mixed"),
        ((5, 7), (1, 1), "mixed"),
        ((5, 5), (1, 2), "mixed"),
        ((5,), (1, 2), "mixed"),
        ((5, 7), (1,), "mixed"),
        ((9, 5, 7), (0, 1, 2), "HH"),
        ((1, 7, 5), (9, 2, 1), "LL"),
    ],
)
def test_r17_both_sides_must_agree(highs, lows, tag):
    """Swings far apart from each other: highs on an even field, lows on another."""
    high, low = np.full(30, 4.0), np.full(30, 3.0)
    for i, value in enumerate(highs):
        high[4 + 5 * i] = 10.0 + value
    for i, value in enumerate(lows):
        low[6 + 5 * i] = -10.0 + value
    assert swing_tag(high, low) == tag


def test_r17_a_swing_is_strictly_above_two_bars_on_each_side():
    low = np.full(20, 3.0)
    low[3], low[8] = 1.0, 2.0
    for shape, counts in (
        ([5, 6, 9, 6, 5], True),
        ([5, 9, 9, 6, 5], False),
        ([9, 6, 9, 6, 5], False),
        ([5, 6, 9, 6, 9], False),
        ([5, 6, 9, 9, 5], False),
        ([8, 6, 9, 6, 8], True),
    ):
        high = np.full(20, 4.0)
        high[2] = 6.0
        high[10:15] = shape
        assert (swing_tag(high, low) == "HH") == counts, shape


@settings(max_examples=25)
@given(seeds, st.integers(0, 60))
def test_r17_swings_do_not_repaint(seed, later):
    """A tag is a function of the bars known; the tag as of a day does not change afterwards."""
    rng = np.random.default_rng(seed)
    high = np.round(rng.normal(100, 3, 60), 1)
    low = high - rng.random(60) * 4
    tags = [swing_tag(high[:n], low[:n]) for n in range(later)]
    high[later:], low[later:] = 999.0, 1.0
    assert [swing_tag(high[:n], low[:n]) for n in range(later)] == tags


# -------------------------------------------------------------------- percentile (R18)


@pytest.mark.parametrize(
    ("values", "percentile", "sample"),
    [
        ([], NAN, 0),
        ([NAN] * 14, NAN, 0),
        ([NAN, 1.0], NAN, 1),
        ([1.0, 2.0], 100.0, 2),
        ([2.0, 1.0], 0.0, 2),
        ([1.0, 1.0], 0.0, 2),  # strictly below
        ([1.0, 2.0, 3.0, 4.0, 2.5], 50.0, 5),
        ([NAN] * 14 + [3.0, 1.0, 2.0], 50.0, 3),
        ([9.0] + [float(i) for i in range(252)], 100.0, 252),  # the 253rd value back is forgotten
        ([9.0] * 253 + [9.0], 0.0, 252),
    ],
)
def test_r18_percentile(values, percentile, sample):
    rank, count = atr_percentile(np.asarray(values, float))
    assert rank == pytest.approx(percentile, nan_ok=True)
    assert count == sample


def test_r18_in_a_snapshot_the_sample_is_the_number_of_atr_values():
    found = snapshot([100.0 + i % 3 for i in range(28)], LINE)
    assert found.sessions == 28 - 14


@pytest.mark.parametrize(("count", "missing"), [(15, True), (16, False)])
def test_r18_fewer_than_two_values_are_missing(count, missing):
    found = snapshot(LINE[:count], LINE)
    assert math.isnan(found.atr_percentile) == missing
    assert ("atr_percentile needs 16 daily bars" in found.incomplete) == missing


# ----------------------------------------------------------------------------- trend


@pytest.mark.parametrize(
    ("daily_slope", "hourly_slope", "tag", "trend"),
    [
        (0.1, 0.1, "HH", 1),
        (0.1, 0.1, "mixed", 1),
        (0.1, 0.1, "LL", 0),
        (-0.1, -0.1, "LL", -1),
        (-0.1, -0.1, "mixed", -1),
        (-0.1, -0.1, "HH", 0),
        (0.1, -0.1, "HH", 0),
        (-0.1, 0.1, "LL", 0),
        (0.0, 0.1, "HH", 0),
        (0.1, 0.0, "HH", 0),
        (0.0, -0.1, "LL", 0),
        (NAN, 0.1, "HH", 0),
        (0.1, NAN, "HH", 0),
    ],
)
def test_htf_trend(daily_slope, hourly_slope, tag, trend):
    assert htf_trend(daily_slope, hourly_slope, tag) == trend


# -------------------------------------------------------------------- incomplete (R19)


def test_r19_without_daily_bars_the_snapshot_says_so():
    history = SymbolHistory.of("A", minutes(LINE), None, CALENDAR)
    found = history.snapshot(FIRST + 30, CALENDAR)
    assert "no daily bars" in found.incomplete
    assert found.htf_trend == 0
    assert math.isnan(found.average_volume)
    assert found.hh_ll_tag == "mixed"


def test_r19_before_any_bar_everything_is_missing_and_nothing_breaks():
    history = SymbolHistory.of("A", minutes(LINE), daily(LINE), CALENDAR)
    found = history.snapshot(FIRST, CALENDAR)
    assert len(found.incomplete) == 3
    for name in ("mean_5m", "deviation_5m", "atr_5m", "average_volume", "previous_close"):
        assert math.isnan(getattr(found, name))


def test_r19_a_symbol_without_minutes():
    empty = minutes(LINE).part(slice(0, 0))
    found = SymbolHistory.of("A", empty, daily(LINE), CALENDAR).snapshot(FIRST + 30, CALENDAR)
    assert found.incomplete == ("ema_slope_hourly needs 23 hourly bars",)
    assert found.ema_slope_daily == pytest.approx(1.5)


def test_r19_a_market_without_any_range_has_no_slope():
    """ATR 0: the slope would be 0/0; the symbol does not arm, instead of trading on noise."""
    still = SymbolHistory.of(
        "A", minutes([100.0] * 28, 0.0), daily([100.0] * 28, 0.0), CALENDAR
    ).snapshot(FIRST + 30, CALENDAR)
    assert math.isnan(still.ema_slope_daily)
    assert still.incomplete


# --------------------------------------------------------------- the rest of the snapshot


def test_r45_average_volume_is_the_mean_of_the_last_20_days():
    volumes = [float(i) for i in range(28)]
    history = SymbolHistory.of("A", minutes(LINE), daily(LINE, volume=volumes), CALENDAR)
    assert history.snapshot(FIRST + 28, CALENDAR).average_volume == np.mean(volumes[-20:])
    assert history.snapshot(FIRST + 3, CALENDAR).average_volume == 1.0


def test_r11_r12_five_minute_values_are_those_of_the_last_session():
    bars = minutes(LINE)
    five = aggregate(bars, CALENDAR, 5)
    found = SymbolHistory.of("A", bars, daily(LINE), CALENDAR).snapshot(FIRST + 4, CALENDAR)
    window = five.close[-120:]
    assert found.mean_5m == pytest.approx(window.mean(), rel=1e-12)
    assert found.deviation_5m == pytest.approx(np.std(window), rel=1e-12)
    assert found.atr_5m == pytest.approx(2.0, rel=1e-3)
    assert found.previous_close == LINE[3]


def test_r11_fewer_than_30_five_minute_closes_have_no_band():
    bars = minutes(LINE[:2])  # 24 five-minute bars
    found = SymbolHistory.of("A", bars, daily(LINE), CALENDAR).snapshot(FIRST + 1, CALENDAR)
    assert math.isnan(found.mean_5m)
    assert found.atr_5m > 0


def test_a_snapshot_names_its_symbol_and_date():
    found = snapshot(LINE, LINE)
    assert (found.symbol, found.date) == ("A", ALL[FIRST + 30].date)


# ------------------------------------------------------ nothing from the future (R12)


def test_r12_the_sessions_own_bars_change_nothing():
    """The tenth session's snapshot with and without that session and the ones after it."""
    long = [100.0 + 3 * math.sin(i) for i in range(7 * 10)]
    with_all = SymbolHistory.of("A", minutes(long), daily(long[:28]), CALENDAR)
    cut = SymbolHistory.of("A", minutes(long[: 7 * 9]), daily(long[:9]), CALENDAR)
    assert repr(with_all.snapshot(FIRST + 9, CALENDAR)) == repr(cut.snapshot(FIRST + 9, CALENDAR))


@settings(max_examples=40)
@given(seed=seeds, position=st.integers(0, 40))
def test_r12_whatever_bars_on_and_after_the_date_say_the_snapshot_stays(seed, position):
    rng = np.random.default_rng(seed)
    walk = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 40)))
    hours = 100 * np.exp(np.cumsum(rng.normal(0, 0.005, 7 * 40)))
    day_bars, minute_bars = daily(list(walk)), minutes(list(hours), 0.3)
    before = SymbolHistory.of("A", minute_bars, day_bars, CALENDAR)
    changed = SymbolHistory.of(
        "A", disturbed(minute_bars, position, rng), disturbed(day_bars, position, rng), CALENDAR
    )
    for session in (FIRST + position, FIRST + max(0, position - 3)):
        expected = before.snapshot(session, CALENDAR)
        assert repr(changed.snapshot(session, CALENDAR)) == repr(expected)


def disturbed(bars: BarSeries, position: int, rng: np.random.Generator) -> BarSeries:
    """The same bars with everything from a session on made up, or cut off."""
    first = int(np.searchsorted(bars.session, FIRST + position))
    if rng.random() < 0.3:
        return bars.part(slice(0, first))
    factor = rng.uniform(0.5, 2.0, len(bars) - first)
    names = ("open", "high", "low", "close", "volume")
    columns = {name: getattr(bars, name).copy() for name in names}
    for column in columns.values():
        column[first:] *= factor
    return replace(bars, **columns)


def test_r12_on_real_bars(market_data: Path):
    minute_bars, _ = accept_minutes(
        stored([market_data / "bars/1min/us-2025-01/NVDA.parquet"], "NVDA"), CALENDAR
    )
    day_bars, _ = accept_days(
        stored([market_data / "bars/1day/us-2024-2026/NVDA.parquet"], "NVDA"), CALENDAR
    )
    whole = SymbolHistory.of("NVDA", minute_bars, day_bars, CALENDAR)
    for session in range(FIRST, FIRST + 19):
        cut = SymbolHistory.of(
            "NVDA",
            minute_bars.part(slice(0, int(np.searchsorted(minute_bars.session, session)))),
            day_bars.part(slice(0, int(np.searchsorted(day_bars.session, session)))),
            CALENDAR,
        )
        assert repr(whole.snapshot(session, CALENDAR)) == repr(cut.snapshot(session, CALENDAR))


# ----------------------------------------------------------------------------- other periods


def test_every_period_can_be_set():
    closes = [100.0 + 5.0 * math.sin(i * 1.7) + i for i in range(28)]
    volume = np.arange(1000.0, 1028.0)
    bars, table = minutes(closes), daily(closes, volume=volume)
    periods = PremarketParameters(
        ema_period=5, slope_bars=2, atr_period=4, percentile_sessions=6, volume_sessions=3
    )
    found = SymbolHistory.of("A", bars, table, CALENDAR, periods).snapshot(FIRST + 30, CALENDAR)
    ema = talib.EMA(table.close, 5)
    atr = talib.ATR(table.high, table.low, table.close, 4)
    assert found.ema_slope_daily == pytest.approx((ema[-1] - ema[-3]) / atr[-1])
    assert found.sessions == 6
    assert found.average_volume == 1026.0
    five = aggregate(bars, CALENDAR, 5)
    assert found.atr_5m == pytest.approx(talib.ATR(five.high, five.low, five.close, 4)[-1])


def test_a_wider_fractal_asks_for_more_neighbours():
    bar = np.arange(24)
    high = 100.0 + 0.2 * bar + np.array([0.0, 3.0, 0.0, -3.0])[bar % 4]
    assert swing_tag(high, high - 1.0) == "HH"
    assert swing_tag(high, high - 1.0, 4) == "mixed"  # four bars on, the next swing is higher


def test_too_little_history_names_what_the_periods_need():
    periods = PremarketParameters(ema_period=40, atr_period=30)
    history = SymbolHistory.of("A", minutes(LINE), daily(LINE), CALENDAR, periods)
    found = history.snapshot(FIRST + 30, CALENDAR)
    assert found.incomplete == (
        "ema_slope_daily needs 43 daily bars, has 28",
        "ema_slope_hourly needs 43 hourly bars",
        "atr_percentile needs 32 daily bars",
    )


@pytest.mark.parametrize("values", [{"ema_period": 1}, {"fractal_width": 0}, {"atr_period": 2.5}])
def test_a_period_that_is_none_is_refused_by_name(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        PremarketParameters(**values)
