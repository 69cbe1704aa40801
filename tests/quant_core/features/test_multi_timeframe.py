"""Longer timeframes: the features of the longer bars, visible when those bars have closed."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_core.bars import BarSeries, aggregate
from quant_core.features import TIMEFRAMES, FeatureTable, compute
from quant_core.features.catalogue import longer
from tests.quant_core.features.worlds import CALENDAR, minutes_of, recorded, series, walk

BLOCK = {
    "trend": "trend",
    "rsi": "rsi_14",
    "adx": "adx_14",
    "squeeze": "squeeze",
    "macd_hist": "macd_hist",
    "volume_ratio": "volume_ratio_20",
    "candle_dir": "candle_dir",
}


def as_of(table: FeatureTable, name: str, moments: np.ndarray) -> np.ndarray:
    """The value of the last longer bar that is known at each moment, NaN before any."""
    place = np.searchsorted(table.end, moments, side="right") - 1
    return np.where(place >= 0, table[name][np.maximum(place, 0)], np.nan)


def assert_as_aggregated(minutes: BarSeries, timeframe: str) -> None:
    bars = aggregate(minutes, CALENDAR, TIMEFRAMES[timeframe])
    table = compute(bars, timeframe, CALENDAR)
    for frame in longer(timeframe):
        whole = compute(aggregate(minutes, CALENDAR, TIMEFRAMES[frame]), frame, CALENDAR)
        for name, source in BLOCK.items():
            np.testing.assert_array_equal(
                table[f"{name}_{frame}"], as_of(whole, source, table.end), err_msg=f"{name}_{frame}"
            )


@pytest.mark.parametrize("timeframe", ["1min", "5min", "15min"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), missing=st.sampled_from([0.0, 0.1, 0.6]))
def test_values_are_those_of_the_aggregated_bars(timeframe: str, seed: int, missing: float) -> None:
    assert_as_aggregated(walk(seed, 1500, missing=missing), timeframe)


@pytest.mark.parametrize("timeframe", ["1min", "5min", "15min"])
def test_recorded_bars_with_gaps_and_a_half_day(market_data: Path, timeframe: str) -> None:
    assert_as_aggregated(recorded(market_data, "us-2025-01", "SNOW"), timeframe)
    assert_as_aggregated(recorded(market_data, "us-2025-11", "SPY"), timeframe)


def changes(table: FeatureTable, name: str) -> list[int]:
    """Minutes after the first session's open at whose close a value is another than before."""
    values = table[name]
    changed = ~((values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1])))
    return (table.end[1:][changed] - table.start[0]).tolist()


def zigzag(count: int, frame: int, **options: object) -> FeatureTable:
    """Bars in which every block of `frame` minutes rises, the next falls, and so on."""
    sides = [1 if k // frame % 2 == 0 else -1 for k in range(count)]
    rows = [(100.0, 102.0, 98.0, 100.0 + side) for side in sides]
    return compute(series(rows, **options), "1min", CALENDAR)  # type: ignore[arg-type]


def test_a_value_changes_at_the_close_of_its_bar_and_at_no_other_minute() -> None:
    table = zigzag(390, 5)
    assert np.isnan(table["candle_dir_5min"][:4]).all()
    assert table["candle_dir_5min"][4] == 1.0
    assert changes(table, "candle_dir_5min") == list(range(5, 391, 5))
    assert zigzag(390, 60)["candle_dir_1hr"][[58, 59]].tolist()[1] == 1.0
    assert changes(zigzag(390, 60), "candle_dir_1hr") == [60, 120, 180, 240, 300, 360, 390]


def test_a_bar_whose_last_minutes_did_not_trade_is_known_at_the_next_row() -> None:
    """Minutes 9:33 and 9:34 are missing: the 9:30 bar ended at 9:35, before the row of 9:35."""
    table = zigzag(385, 5, skip=[3, 4])
    at_932, at_935 = table["candle_dir_5min"][2], table["candle_dir_5min"][3]
    assert np.isnan(at_932)
    assert at_935 == 1.0
    assert table.end[3] - table.start[0] == 6


def test_an_empty_bucket_leaves_the_last_value() -> None:
    table = zigzag(380, 5, skip=range(5, 10))
    assert table["candle_dir_5min"][4:9].tolist() == [1.0] * 5


def test_a_half_day_closes_its_last_hour_bar_early() -> None:
    """2024-07-03 closes at 13:00: the bar from 12:30 ends there, 30 minutes long."""
    rows = [(100.0, 102.0, 98.0, 101.0 if k < 180 else 99.0) for k in range(210)]
    table = compute(series(rows, session="2024-07-03"), "1min", CALENDAR)
    assert table.end[-1] == CALENDAR.closes[int(series(rows, session="2024-07-03").session[0])]
    assert table["candle_dir_1hr"][[179, 208, 209]].tolist() == [1.0, 1.0, -1.0]


def test_a_session_that_ends_early_in_its_last_bar_does_not_leak_into_the_next() -> None:
    """The last trade is at 15:40: the 15:30 bar is known by the next morning's first row."""
    rows = [(100.0, 102.0, 98.0, 101.0)] * 360 + [(100.0, 102.0, 98.0, 99.0)] * 11
    minutes = series([*rows, (100.0, 102.0, 98.0, 101.0)], skip=range(371, 390))
    assert minutes.session[-1] == minutes.session[0] + 1
    table = compute(minutes, "1min", CALENDAR)
    assert table["candle_dir_1hr"][[-2, -1]].tolist() == [1.0, -1.0]


def test_alignment_is_the_mean_over_this_and_every_longer_timeframe() -> None:
    table = compute(walk(5, 4500), "1min", CALENDAR)
    for score, parts in (
        ("align_trend", ["trend", "trend_5min", "trend_15min", "trend_1hr"]),
        ("align_macd", ["macd_hist", "macd_hist_5min", "macd_hist_15min", "macd_hist_1hr"]),
        ("align_rsi", ["rsi_14", "rsi_5min", "rsi_15min", "rsi_1hr"]),
    ):
        values = np.array([table[name] for name in parts])
        if score == "align_macd":
            values = np.sign(values)
        if score == "align_rsi":
            values = (values - 50.0) / 50.0
        np.testing.assert_allclose(table[score], values.mean(axis=0), atol=1e-12)
    assert not np.isnan(table["align_trend"][-1])


def test_the_calendar_has_the_half_day_of_these_tests() -> None:
    assert minutes_of("2024-07-03").shape == (2, 210)
