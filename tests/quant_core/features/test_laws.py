"""Laws that hold for every feature: ranges, warm-up, scale, and what depends on volume."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_core.bars import BarSeries, aggregate
from quant_core.features import TIMEFRAMES, FeatureTable, Quality, catalogue, compute
from tests.quant_core.features.worlds import CALENDAR, features, walk

seeds = st.integers(0, 2**32 - 1)
dull = st.sampled_from([0.0, 0.2, 0.6, 1.0])
PRICES = ("open", "high", "low", "close")


def scaled(bars: BarSeries, price: float, volume: float) -> BarSeries:
    return replace(
        bars,
        **{name: getattr(bars, name) * price for name in PRICES},
        volume=bars.volume * volume,
    )


@settings(max_examples=25, deadline=None)
@given(seed=seeds, flat=dull, idle=dull, missing=st.sampled_from([0.0, 0.5]))
def test_values_lie_in_their_range_and_are_never_infinite(
    seed: int, flat: float, idle: float, missing: float
) -> None:
    table = compute(walk(seed, 1000, flat=flat, idle=idle, missing=missing), "1min", CALENDAR)
    for feature in table.catalogue.features:
        values = table[feature.name]
        low, high = feature.range
        known = values[~np.isnan(values)]
        assert np.isfinite(known).all(), feature.name
        assert (known >= low - 1e-9).all(), feature.name
        assert (known <= high + 1e-9).all(), feature.name


@settings(max_examples=10, deadline=None)
@given(seed=seeds, flat=dull, idle=dull)
def test_own_timeframe_features_are_nan_in_their_warm_up_and_at_no_other_bar(
    seed: int, flat: float, idle: float
) -> None:
    bars = walk(seed, 1000, flat=flat, idle=idle)
    table = compute(bars, "1min", CALENDAR)
    for feature in table.catalogue.features[:139]:
        first = feature.warm_up - 1
        if feature.frame == "session":
            first = int(np.searchsorted(bars.session, bars.session[0] + 1))
        expected = np.arange(len(bars)) < first
        np.testing.assert_array_equal(np.isnan(table[feature.name]), expected, err_msg=feature.name)


@pytest.mark.parametrize("timeframe", ["1min", "5min", "15min"])
def test_multi_timeframe_features_warm_up_in_longer_bars(timeframe: str) -> None:
    minutes = walk(11, 390 * 9)
    table = compute(aggregate(minutes, CALENDAR, TIMEFRAMES[timeframe]), timeframe, CALENDAR)
    for feature in table.catalogue.features[139:]:
        ends = aggregate(minutes, CALENDAR, TIMEFRAMES[feature.frame]).end
        expected = table.end < ends[feature.warm_up - 1]
        np.testing.assert_array_equal(np.isnan(table[feature.name]), expected, err_msg=feature.name)


@pytest.mark.parametrize("timeframe", TIMEFRAMES)
def test_the_warm_up_flag_says_exactly_where_something_is_nan(timeframe: str) -> None:
    minutes = walk(12, 390 * 11 if timeframe != "1hr" else 390 * 32)
    table = compute(aggregate(minutes, CALENDAR, TIMEFRAMES[timeframe]), timeframe, CALENDAR)
    flagged = (table.quality & Quality.WARM_UP) != 0
    np.testing.assert_array_equal(flagged, np.isnan(table.values).any(axis=1))
    assert 0 < flagged.sum() < len(flagged)


def assert_scales(bars: BarSeries, price: float, volume: float, tolerance: float) -> None:
    before = compute(bars, "1min", CALENDAR)
    after = compute(scaled(bars, price, volume), "1min", CALENDAR)
    for feature in before.catalogue.features:
        of_price, of_volume = feature.scaling
        factor = price**of_price * volume**of_volume
        want = before[feature.name] * factor
        size = np.abs(np.nan_to_num(want)).max() or 1.0
        np.testing.assert_allclose(
            after[feature.name] / size, want / size, rtol=0, atol=tolerance, err_msg=feature.name
        )


@settings(max_examples=20, deadline=None)
@given(seed=seeds, flat=dull, price=st.integers(-6, 6), volume=st.integers(-6, 6))
def test_scale_laws_are_exact_for_powers_of_two(
    seed: int, flat: float, price: int, volume: int
) -> None:
    assert_scales(walk(seed, 800, flat=flat, idle=0.1), 2.0**price, 2.0**volume, 0.0)


def test_scale_laws_hold_for_other_factors_where_nothing_hangs_on_a_tie() -> None:
    """Prices with many digits have no ties; in cents, rounding may decide a candle pattern."""
    bars = walk(21, 3000)
    rng = np.random.default_rng(0)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0, 1e-3, len(bars))))
    open = close * np.exp(rng.normal(0, 5e-4, len(bars)))
    bars = replace(
        bars,
        open=open,
        close=close,
        high=np.maximum(open, close) * np.exp(np.abs(rng.normal(0, 4e-4, len(bars)))),
        low=np.minimum(open, close) * np.exp(-np.abs(rng.normal(0, 4e-4, len(bars)))),
    )
    assert_scales(bars, 3.7, 0.3, 1e-9)


def test_oscillators_never_leave_their_range_by_rounding() -> None:
    for seed in range(5):
        table = compute(walk(seed, 2000), "1min", CALENDAR)
        for name in ("stoch_k", "stoch_d", "stochrsi_k", "stochrsi_d", "willr_14"):
            low, high = table.catalogue[name].range
            assert low <= np.nanmin(table[name]) <= np.nanmax(table[name]) <= high, name


def differing(one: FeatureTable, other: FeatureTable) -> set[str]:
    return {
        name
        for name in one.catalogue.names
        if not np.array_equal(one[name], other[name], equal_nan=True)
    }


def test_exactly_the_marked_features_depend_on_volume() -> None:
    bars = walk(31, 6000)
    other = replace(bars, volume=np.random.default_rng(1).integers(1, 9999, len(bars)) * 1.0)
    changed = differing(compute(bars, "1min", CALENDAR), compute(other, "1min", CALENDAR))
    marked = {feature.name for feature in catalogue("1min").features if feature.uses_volume}
    assert changed == marked


def test_flat_and_idle_bars_have_the_documented_values() -> None:
    """600 bars at one price without volume: nothing is infinite, nothing is NaN once warm."""
    table = compute(walk(1, 600, flat=1.0, idle=1.0), "1min", CALENDAR)
    last = {name: table[name][-1] for name in table.catalogue.names[:139]}
    price = table["sma_5"][-1]
    assert last["bb_percent_b"] == 0.5
    assert last["close_position"] == 0.5
    assert last["vwma_20"] == last["sma_20"]
    assert last["vwap"] == pytest.approx(price, rel=1e-12)
    assert last["bars_since_bos"] == 100.0
    for name in (
        "rsi_14", "stoch_k", "stochrsi_k", "cci_20", "willr_14", "mfi_14", "adx_14", "atr_14",
        "volume_ratio_20", "volume_zscore_20", "cmf_20", "obv", "vwap_position", "vwap_run",
        "body_ratio", "upper_wick", "run_length", "return_atr", "sma_20_slope", "ribbon_count",
        "trend", "ema_cross_5_20", "squeeze", "structure_trend", "premium_discount", "kc_position",
    ):  # fmt: skip
        assert last[name] == 0.0, name


def test_an_idle_hour_leaves_no_rounding_of_the_volumes_before_it() -> None:
    """Sums of huge volumes leave a residue, which tiny volumes after a pause must not see."""

    def after(volume: float) -> FeatureTable:
        bars = walk(41, 150)
        volumes = np.r_[np.full(40, volume), np.zeros(60), np.full(50, 1e-6)]
        volumes[:40] *= 1.0 + 0.37 * np.arange(40)
        return compute(replace(bars, volume=volumes), "1min", CALENDAR)

    huge, small = after(1.7e12), after(1.0)
    for name in ("volume_ratio_5", "volume_ratio_20", "cmf_20", "obv_slope_10", "volume_delta_20",
                 "vwma_20", "mfi_14", "volume_sma_20"):  # fmt: skip
        np.testing.assert_allclose(huge[name][100:], small[name][100:], rtol=1e-9, err_msg=name)


def test_bands_close_exactly_on_the_twentieth_equal_close() -> None:
    closes = [523.01 + k for k in range(30)] + [523.27] * 21
    table = features([(c, c + 1.0, c - 1.0, c) for c in closes])
    assert table["bb_width"][48] > 0.0
    assert table["bb_width"][49:].tolist() == [0.0, 0.0]
    assert table["bb_percent_b"][49:].tolist() == [0.5, 0.5]
