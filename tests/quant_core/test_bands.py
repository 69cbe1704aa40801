"""The band and the 5-minute ATR: by hand, against numpy and TA-Lib, and causal to the bit."""

import math
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_core.bands import atr_5m_known, band, new_five_minute
from quant_core.bars import BarSeries, accept_minutes, aggregate
from quant_core.calendar import xnys
from quant_core.parameters import StdevParameters
from quant_core.tracks import Track, session_grid
from tests.quant_core.worlds import at, minutes_from, raw, series, stored

CALENDAR = xnys(2013, 2026)
FIRST, SECOND = date(2025, 1, 8), date(2025, 1, 10)
OPEN = at(FIRST, 9, 30)
seeds = st.integers(0, 2**32 - 1)


def prices(seed: int, count: int, scale: float = 0.001, level: float = 100.0) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(0.0, scale, count)
    return np.round(level * np.exp(np.cumsum(steps)), 2)


def same(left: np.ndarray, right: np.ndarray) -> bool:
    """Equal to the last bit, NaN where NaN."""
    return np.array_equal(left, right, equal_nan=True)


# ------------------------------------------------------------------------------- band


def test_band_by_hand():
    """Window 2: of 1 and 3 the mean is 2 and the deviation 1; of 3 and 3 there is none."""
    mean, deviation, z = band(np.array([1.0, 3.0, 3.0, 2.0]), 0, 2, 2)
    assert same(mean, np.array([np.nan, 2.0, 3.0, 2.5]))
    assert same(deviation, np.array([np.nan, 1.0, 0.0, 0.5]))
    assert same(z, np.array([np.nan, 1.0, np.nan, -1.0]))


def test_band_of_nothing_is_nothing():
    for part in band(np.zeros(0), 0, 120, 30):
        assert len(part) == 0


def test_r7_the_minimum_counts_closes_in_the_window():
    mean, deviation, z = band(prices(1, 40), 0, 120, 30)
    assert np.isnan(mean[:29]).all()
    assert np.isnan(deviation[:29]).all()
    assert np.isnan(z[:29]).all()
    assert np.isfinite(z[29:]).all()


def test_r5_the_window_holds_120_closes_the_current_one_included():
    closes = prices(2, 300)
    mean, deviation, z = band(closes, 0, 120, 30)
    assert mean[119] == pytest.approx(closes[:120].mean(), rel=1e-12)
    assert mean[120] == pytest.approx(closes[1:121].mean(), rel=1e-12)
    assert deviation[299] == pytest.approx(np.std(closes[180:]), rel=1e-12)
    assert z[299] == pytest.approx((closes[299] - mean[299]) / deviation[299], rel=1e-12)


def test_r7_between_30_and_119_closes_the_band_uses_what_there_is():
    closes = prices(3, 75)
    mean, deviation, _ = band(closes, 0, 120, 30)
    assert mean[74] == pytest.approx(closes.mean(), rel=1e-12)
    assert deviation[74] == pytest.approx(np.std(closes), rel=1e-12)


def test_r6_the_deviation_is_the_population_one():
    _, deviation, _ = band(np.array([1.0, 2.0, 3.0, 4.0]), 3, 4, 4)
    assert deviation[0] == pytest.approx(math.sqrt(1.25), rel=1e-15)


@pytest.mark.parametrize(("spread", "ready"), [(0.0, False), (0.9e-6, False), (1.1e-6, True)])
def test_a_deviation_below_a_millionth_of_the_close_is_not_ready(spread, ready):
    closes = np.tile([100.0 * (1 - spread), 100.0 * (1 + spread)], 60)
    mean, deviation, z = band(closes, 119, 120, 30)
    assert np.isfinite(z[0]) == ready
    assert np.isfinite(mean[0])
    assert deviation[0] == pytest.approx(100.0 * spread, rel=1e-6, abs=1e-13)


def test_a_deviation_of_exactly_a_millionth_of_the_close_is_ready():
    """Closes 1 - 2**-20 and 1 + 2**-20: the deviation 2**-20 is exact; scaled to the bound."""
    step = 2.0**-20
    closes = np.array([1.0 - step, 1.0 + step])
    _, deviation, z = band(closes, 1, 2, 2)
    assert deviation[0] == step
    assert step < 1e-6 * closes[1]
    assert np.isnan(z[0])
    closes = np.array([1.0 - 2.0**-19, 1.0 + 2.0**-19])
    assert band(closes, 1, 2, 2)[2][0] == 1.0


@given(seeds)
def test_r25_a_window_that_turns_over_equal_closes_keeps_its_z(seed):
    """A close leaves the window, an equal one enters, and the last price stands still: μ, σ and z
    are the same numbers. If their sums depend on the order of the window, z moves by rounding
    noise, and an armed TC triggers on it, because "greater than on the bar before" has no margin.
    """
    closes = prices(seed, 121, scale=0.0005, level=3.0)
    closes[[0, 119, 120]] = closes[0]
    assert sorted(closes[:120]) == sorted(closes[1:])
    mean, deviation, z = band(closes, 119, 120, 30)
    assert (mean[0], deviation[0], z[0]) == (mean[1], deviation[1], z[1])


@given(seeds, st.sampled_from([1e-5, 1e-3, 0.05]), st.sampled_from([0.5, 100.0, 90_000.0]))
def test_r6_band_agrees_with_numpy_over_windows(seed, scale, level):
    closes = prices(seed, 260, scale, level)
    mean, deviation, z = band(closes, 0, 120, 30)
    for i in range(29, 260, 7):
        window = closes[max(0, i - 119) : i + 1].astype(np.longdouble)
        exact = float(window.mean())
        spread = float(window.std())
        assert mean[i] == pytest.approx(exact, rel=1e-9)
        if spread < 1e-6 * closes[i]:
            continue
        assert deviation[i] == pytest.approx(spread, rel=1e-9)
        assert z[i] == pytest.approx((closes[i] - exact) / spread, rel=1e-9, abs=1e-9)


def test_r6_stays_exact_where_a_sum_of_squares_would_not():
    """A penny of movement on a price of a million: x² loses all of it, two passes nothing."""
    closes = 1_000_000.0 + np.random.default_rng(4).integers(-300, 300, 120) / 100.0
    mean, deviation, _ = band(closes, 119, 120, 30)
    exact = math.fsum(closes) / 120
    spread = math.sqrt(math.fsum((c - exact) ** 2 for c in closes) / 120)
    assert mean[0] == pytest.approx(exact, rel=1e-12)
    assert deviation[0] == pytest.approx(spread, rel=1e-9)


@given(seeds, st.integers(0, 300), st.integers(2, 150))
def test_band_is_causal_and_independent_of_where_it_begins(seed, cut, window):
    closes = prices(seed, 300)
    minimum = min(30, window)
    whole = band(closes, 0, window, minimum)
    prefix = band(closes[:cut], 0, window, minimum)
    tail = band(closes, cut, window, minimum)
    for part in range(3):
        assert same(prefix[part], whole[part][:cut])
        assert same(tail[part], whole[part][cut:])


@given(seeds, st.integers(0, 299))
def test_a_live_window_gives_the_same_bits_as_the_whole_history(seed, i):
    closes = prices(seed, 300)
    whole = band(closes, 0, 120, 30)
    live = closes[max(0, i - 119) : i + 1]
    for part, value in enumerate(band(live, len(live) - 1, 120, 30)):
        assert same(value, whole[part][i : i + 1])


# -------------------------------------------------------------------------- tracks


def test_r5_the_window_runs_over_the_night_without_reset():
    closes = np.r_[prices(5, 390), prices(6, 390, level=104.0)]
    minutes = series(
        CALENDAR, minutes_from(OPEN, 390) + minutes_from(at(SECOND, 9, 30), 390), closes
    )
    track = Track.of(minutes, CALENDAR, StdevParameters(), int(minutes.session[-1]))
    assert len(track.bars) == 390
    window = closes[390 - 119 : 391]
    assert track.mean[0] == pytest.approx(window.mean(), rel=1e-12)
    assert track.z[0] == pytest.approx((closes[390] - window.mean()) / np.std(window), rel=1e-9)


def test_r5_missing_minutes_are_not_filled():
    keep = [i for i in range(390) if i % 3]
    closes = prices(7, len(keep))
    minutes = series(CALENDAR, [OPEN + timedelta(minutes=i) for i in keep], closes)
    track = Track.of(minutes, CALENDAR, StdevParameters(), 0)
    assert track.mean[-1] == pytest.approx(closes[-120:].mean(), rel=1e-12)


def test_the_window_is_a_parameter():
    minutes = series(CALENDAR, minutes_from(OPEN, 100), prices(8, 100))
    track = Track.of(minutes, CALENDAR, StdevParameters(window=10, minimum_closes=5), 0)
    assert np.isnan(track.z[:4]).all()
    assert track.mean[99] == pytest.approx(minutes.close[90:].mean(), rel=1e-12)


def test_a_grid_lays_symbols_side_by_side_and_leaves_holes():
    one = series(CALENDAR, minutes_from(OPEN, 390), prices(9, 390))
    two = series(CALENDAR, [OPEN + timedelta(minutes=3)], [50.0])
    none = one.part(slice(0, 0))
    session = int(one.session[0])
    tracks = [Track.of(bars, CALENDAR, StdevParameters(), session) for bars in (one, two, none)]
    grid = session_grid(tracks, CALENDAR, session)
    assert grid.present.shape == (390, 3)
    assert grid.present.sum(axis=0).tolist() == [390, 1, 0]
    assert same(grid.close[:, 0], one.close)
    assert grid.close[3, 1] == 50.0
    assert np.isnan(grid.close[:3, 1]).all()
    assert np.isnan(grid.z[~grid.present]).all()
    other = session_grid(tracks, CALENDAR, session + 1)
    assert not other.present.any()


def test_a_grid_of_a_half_day_has_210_rows():
    opening = at(date(2025, 11, 28), 9, 30)
    minutes = series(CALENDAR, minutes_from(opening, 210), prices(10, 210))
    session = int(minutes.session[0])
    grid = session_grid(
        [Track.of(minutes, CALENDAR, StdevParameters(), session)], CALENDAR, session
    )
    assert grid.present.shape == (210, 1)
    assert grid.present.all()


# ------------------------------------------------------------------------- 5-minute ATR


def five_minute_bars(ranges: list[float], start=OPEN) -> BarSeries:
    """Minutes whose 5-minute bars each close at 100 and span 100 ± range / 2."""
    count = 5 * len(ranges)
    high = [100.0 + r / 2 for r in ranges for _ in range(5)]
    low = [100.0 - r / 2 for r in ranges for _ in range(5)]
    return series(CALENDAR, minutes_from(start, count), [100.0] * count, high=high, low=low)


def known(minutes: BarSeries) -> np.ndarray:
    return atr_5m_known(minutes, CALENDAR, new_five_minute())


def test_r15_atr_by_hand():
    """The first bar has no true range; the next 14 of 2 make 2; one of 16 makes (26 + 16) / 14."""
    atr = known(five_minute_bars([9.0] + [2.0] * 14 + [16.0]))
    assert np.isnan(atr[:74]).all()  # the 15th bar closes with minute 74
    assert atr[74:79] == pytest.approx(np.full(5, 2.0))
    assert atr[79] == pytest.approx(3.0)


def test_r15_the_seed_is_the_mean_of_the_first_14_true_ranges():
    ranges = [1.0] + [float(i) for i in range(1, 15)]
    assert known(five_minute_bars(ranges))[74] == pytest.approx(7.5)


def test_r3_r23_a_bar_closing_with_the_minute_is_known_and_an_open_one_is_not():
    minutes = five_minute_bars([2.0] * 15 + [16.0, 2.0])
    atr = known(minutes)
    assert atr[78] == pytest.approx(2.0)  # the wide bar is still open at its fourth minute
    assert atr[79] == pytest.approx(3.0)
    assert (atr[80:84] == atr[79]).all()


def test_r3_a_bucket_whose_last_minute_never_traded_is_known_at_the_next_bar():
    minutes = five_minute_bars([2.0] * 15 + [16.0, 2.0])
    keep = np.ones(len(minutes), bool)
    keep[[79, 80, 81]] = False  # the wide bar's last minute and the next bar's first two
    thinned = picked(minutes, keep)
    atr = known(thinned)
    assert atr[78] == pytest.approx(2.0)
    assert atr[79] == pytest.approx(3.0)  # the bar of 10:52, in the bucket after


def picked(minutes: BarSeries, keep: np.ndarray) -> BarSeries:
    return series(
        CALENDAR,
        [int(start) for start in minutes.start[keep]],
        minutes.close[keep],
        **{name: getattr(minutes, name)[keep] for name in ("open", "high", "low", "volume")},
    )


def test_r15_the_overnight_gap_counts():
    """Fourteen ranges of 2, then a night from 100 to 110: high 111 - close 100 = 11."""
    day = five_minute_bars([2.0] * 15, at(FIRST, 14, 45))
    night = series(
        CALENDAR,
        minutes_from(at(SECOND, 9, 30), 5),
        [110.0] * 5,
        high=[111.0] * 5,
        low=[109.0] * 5,
    )
    both = series(
        CALENDAR,
        [int(s) for s in np.r_[day.start, night.start]],
        np.r_[day.close, night.close],
        high=np.r_[day.high, night.high],
        low=np.r_[day.low, night.low],
        open=np.r_[day.open, night.open],
    )
    atr = known(both)
    assert atr[74] == pytest.approx(2.0)
    assert atr[78] == pytest.approx(2.0)
    assert atr[79] == pytest.approx((13 * 2.0 + 11.0) / 14)


def test_before_there_are_15_bars_there_is_no_atr():
    assert np.isnan(known(five_minute_bars([2.0] * 14))).all()
    assert len(known(five_minute_bars([2.0]).part(slice(0, 0)))) == 0


def expected_atr(minutes: BarSeries) -> np.ndarray:
    """What R3 and R23 ask for, from longer bars and TA-Lib."""
    five = aggregate(minutes, CALENDAR, 5)
    atr = (
        talib.ATR(five.high, five.low, five.close, 14)
        if len(five) > 14
        else np.full(len(five), np.nan)
    )
    place = np.searchsorted(five.end, minutes.start + 1, side="right") - 1
    return np.where(place >= 0, atr[np.maximum(place, 0)], np.nan)


@pytest.mark.parametrize(
    "file",
    [
        "us-2025-01/SPY",
        "us-2025-01/SNOW",
        "us-2025-11/SPY",
        "us-2025-05/QQQ",
        "us-2018/AMD",
        "us-2024-extended/SPY",
        "lean/GOOG",
    ],
)
def test_r15_atr_equals_aggregation_and_ta_lib_on_real_bars(market_data: Path, file):
    minutes, _ = accept_minutes(stored([market_data / f"bars/1min/{file}.parquet"], "A"), CALENDAR)
    atr = known(minutes)
    assert len(atr) > 300
    np.testing.assert_allclose(atr, expected_atr(minutes), rtol=1e-9, atol=1e-12)


def sparse(seed: int) -> BarSeries:
    """Three sessions around Thanksgiving with holes of every size."""
    rng = np.random.default_rng(seed)
    times = [
        *minutes_from(at(date(2025, 11, 26), 9, 30), 390),
        *minutes_from(at(date(2025, 11, 28), 9, 30), 210),
        *minutes_from(at(date(2025, 12, 1), 9, 30), 390),
    ]
    keep = rng.random(len(times)) < rng.choice([0.1, 0.6, 1.0])
    chosen = [time for time, here in zip(times, keep, strict=True) if here]
    close = prices(seed, len(chosen))
    high, low = close + rng.random(len(chosen)), close - rng.random(len(chosen))
    return series(CALENDAR, chosen, close, high=high, low=low)


@given(seeds)
def test_r3_atr_equals_aggregation_and_ta_lib_with_holes(seed):
    minutes = sparse(seed)
    np.testing.assert_allclose(known(minutes), expected_atr(minutes), rtol=1e-9, atol=1e-12)


@given(seeds, st.lists(st.integers(0, 990), max_size=6))
def test_atr_in_pieces_is_atr_at_once(seed, cuts):
    minutes = sparse(seed)
    edges = [0, *sorted(min(cut, len(minutes)) for cut in cuts), len(minutes)]
    state = new_five_minute()
    pieces = [
        atr_5m_known(minutes.part(slice(low, high)), CALENDAR, state)
        for low, high in pairwise(edges)
    ]
    assert same(np.concatenate(pieces), known(minutes))


@settings(max_examples=50)
@given(seeds, st.integers(0, 990))
def test_atr_takes_nothing_from_the_future(seed, cut):
    minutes = sparse(seed)
    cut = min(cut, len(minutes))
    assert same(known(minutes.part(slice(0, cut))), known(minutes)[:cut])


def test_atr_both_sides_of_a_clock_change():
    for friday, monday in (("2025-03-07", "2025-03-10"), ("2025-10-31", "2025-11-03")):
        times = minutes_from(at(date.fromisoformat(friday), 9, 30), 390)
        times += minutes_from(at(date.fromisoformat(monday), 9, 30), 390)
        minutes = series(CALENDAR, times, prices(11, 780))
        np.testing.assert_allclose(known(minutes), expected_atr(minutes), rtol=1e-12)


def test_no_rows_at_all():
    minutes, _ = accept_minutes(raw([], []), CALENDAR)
    assert len(known(minutes)) == 0
    track = Track.of(minutes, CALENDAR, StdevParameters(), 0)
    assert len(track.bars) == len(track.z) == len(track.atr_5m) == 0
