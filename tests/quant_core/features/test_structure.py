"""Smart-money concepts and divergences: worked by hand, and against their definitions in words.

The hand-worked rows are (open, high, low, close); a dull bar is one that touches nothing.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_core.bars import BarSeries
from quant_core.features import FeatureTable, compute
from tests.quant_core.features.worlds import CALENDAR, features, walk

DULL = (100.0, 101.0, 99.0, 100.0)
walks = st.builds(walk, st.integers(0, 2**32 - 1), st.just(500), flat=st.sampled_from([0.0, 0.3]))


def bar(high: float, low: float, close: float, open: float | None = None) -> tuple[float, ...]:
    return (close if open is None else open, high, low, close)


# A swing high of 105 (bar 3, known at 5), a swing low of 95 (bar 7, known at 9).
SWINGS = [
    bar(101, 99, 100),
    bar(102, 99, 101),
    bar(103, 100, 102),
    bar(105, 101, 103),
    bar(103, 99, 101),
    bar(102, 98, 100),
    bar(101, 97, 99),
    bar(100, 95, 98),
    bar(101, 96, 99),
    bar(102, 97, 100),
]


def test_a_swing_is_known_two_bars_later_and_not_before() -> None:
    table = features([*SWINGS, *[bar(103, 97, 100)] * 6])
    # With both swings known, 100 is the middle of 95..105; before, there is no range.
    assert table["premium_discount"][5:9].tolist() == [0.0] * 4
    assert table["premium_discount"][9] == 0.0
    up = features([*SWINGS[:-1], bar(102, 97, 101.5)])
    assert up["premium_discount"][9] == pytest.approx(2 * 6.5 / 10 - 1)
    assert table["swing_high_distance"][15] == pytest.approx(5 / table["atr_14"][15])
    assert table["swing_low_distance"][15] == pytest.approx(5 / table["atr_14"][15])


def test_break_of_structure_then_change_of_character() -> None:
    rows = [
        *SWINGS,
        bar(106, 99, 105.5),  # 10: closes above 105: first break up = bos
        bar(107, 100, 106.5),  # 11: the ceiling is used up: nothing
        bar(104, 94.5, 94.8),  # 12: closes below the floor of 95: against the trend = choch
        bar(96, 94, 94.5),  # 13: nothing
    ]
    table = features(rows)
    assert table["bos"][5:].tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0]
    assert table["choch"][5:].tolist() == [0, 0, 0, 0, 0, 0, 0, -1, 0]
    assert table["structure_trend"][5:].tolist() == [0, 0, 0, 0, 0, 1, 1, -1, -1]
    assert table["bars_since_bos"][9:].tolist() == [100, 0, 1, 2, 3]
    assert table["bars_since_choch"][11:].tolist() == [100, 0, 1]


def test_a_wick_beyond_a_level_that_closes_back_is_a_sweep_and_breaks_nothing() -> None:
    rows = [
        *SWINGS,
        bar(106, 99, 104),  # 10: above 105, back below it
        bar(103, 94, 96),  # 11: below 95, back above it
        bar(105, 99, 105),  # 12: touches 105 exactly: neither
        bar(106, 99, 105),  # 13: above, and closes on the level: neither
    ]
    table = features(rows)
    assert table["sweep_high"][9:].tolist() == [0, 1, 0, 0, 0]
    assert table["sweep_low"][9:].tolist() == [0, 0, 1, 0, 0]
    assert table["bars_since_sweep"][9:].tolist() == [100, 0, 0, 1, 2]
    assert not table["bos"][5:].any()


def test_equal_highs_are_no_swing() -> None:
    flat_top = [bar(101, 99, 100), bar(102, 99, 100), bar(105, 99, 100), bar(105, 99, 100)]
    table = features(
        [*flat_top, *[bar(101, 98 + k / 10, 100) for k in range(6)], bar(107, 99, 106)]
    )
    assert not table["bos"][5:].any()


def test_displacement_needs_a_body_of_one_and_a_half_atr() -> None:
    rows = [DULL] * 16  # ATR-14 is 2
    for close, expected in ((103.0, 1.0), (102.9, 0.0), (97.0, -1.0)):
        table = features([*rows, bar(max(close, 100), min(close, 100), close, open=100.0)])
        assert table["displacement"][-1] == expected
        assert table["displacement_size"][-1] == pytest.approx((close - 100) / 2)
    long_wick = features([*rows, (100.0, 106.0, 100.0, 103.0)])  # body is half of the range
    assert long_wick["displacement"][-1] == 0.0


def test_a_fair_value_gap_from_its_bar_to_its_fill() -> None:
    rows = [
        *[DULL] * 15,
        bar(104, 100, 103.5, open=100.5),  # 15
        bar(106, 103, 105, open=103.5),  # 16: low 103 > high 101 of bar 14: bullish gap 101..103
        bar(106, 102, 104),  # 17: enters the gap
        bar(105, 101.5, 102),  # 18: deeper
        bar(103, 101, 102),  # 19: reaches 101: filled
        bar(103, 101, 102),  # 20
    ]
    table = features(rows)
    assert table["fvg"][15:].tolist() == [0, 1, 0, 0, 0, 0]
    assert table["fvg_size"][16] == pytest.approx(2 / table["atr_14"][16])
    assert table["fvg_bull_open"][15:].tolist() == [0, 1, 1, 1, 0, 0]
    distance = table["fvg_bull_distance"] * table["atr_14"]
    assert distance[15:] == pytest.approx([0, 2, 1, -1, 0, 0])
    assert not table["fvg_bear_open"][2:].any()


def test_a_bearish_gap_mirrors_a_bullish_one() -> None:
    rows = [*[DULL] * 15, bar(100, 96, 96.5), bar(97, 94, 95), bar(99, 94, 96)]
    table = features(rows)
    assert table["fvg"][15:].tolist() == [0, -1, 0]  # 16: high 97 < low 99: 97..99
    assert table["fvg_bear_open"][15:].tolist() == [0, 1, 0]  # 17 reaches 99
    assert (table["fvg_bear_distance"] * table["atr_14"])[16] == pytest.approx(97 - 95)


def test_the_newest_eight_gaps_are_kept() -> None:
    rows = [bar(100.5 + 2 * k, 99.5 + 2 * k, 100 + 2 * k) for k in range(20)]
    table = features(rows)
    assert table["fvg_bull_open"][2:].tolist() == [min(k, 8) for k in range(1, 19)]


def test_the_order_block_is_the_last_black_candle_before_the_break() -> None:
    rows = [
        *[DULL] * 8,
        *SWINGS,  # 8..17
        (101.0, 103.0, 98.0, 99.0),  # 18: black, zone 98..103
        bar(104, 99, 103.5, open=99.0),  # 19: white
        bar(106, 103, 105.5, open=103.5),  # 20: breaks 105
        bar(106, 101, 102),  # 21: inside the block
        bar(103, 97, 98),  # 22: closes on its low: still valid
        bar(99, 97, 97.5),  # 23: closes below its low: void
    ]
    table = features(rows)
    distance = table["ob_bull_distance"] * table["atr_14"]
    assert distance[19:] == pytest.approx([0, 105.5 - 103, 102 - 103, 98 - 103, 0])
    assert table["in_order_block"][19:].tolist() == [0, 0, 1, 1, 0]
    assert not table["ob_bear_distance"][14:].any()


@pytest.mark.parametrize(("ago", "found"), [(20, True), (21, False)])
def test_the_order_block_lies_at_most_twenty_bars_before_the_break(ago: int, found: bool) -> None:
    rows = [
        *[DULL] * 14,
        (100.5, 101.0, 99.0, 99.5),  # the only black candle
        *SWINGS,
        *[bar(103, 97, 100)] * (ago - 11),
        bar(106, 99, 105.5),  # breaks 105
    ]
    table = features(rows)
    assert table["bos"][-1] == 1.0
    away = table["ob_bull_distance"][-1] * table["atr_14"][-1]
    assert away == pytest.approx(105.5 - 101 if found else 0.0)


# --- The definitions in words, each evaluated from scratch at every bar ---------------------------


def swings(values: np.ndarray) -> list[tuple[int, int, float]]:
    """(bar, bar at which it is known, price) of strict maxima with two bars on each side."""
    return [
        (k, k + 2, float(values[k]))
        for k in range(2, len(values) - 2)
        if all(values[k] > values[k + d] for d in (-2, -1, 1, 2))
    ]


def level(known: list[tuple[int, int, float]], closes: np.ndarray, now: int) -> float | None:
    """The latest swing known by now, unless a close since it became known has gone above it."""
    latest = [swing for swing in known if swing[1] <= now]
    if not latest:
        return None
    _, since, price = latest[-1]
    return None if (closes[since:now] > price).any() else price


def breaks(bars: BarSeries) -> tuple[list[int], list[int], list[int]]:
    """Per bar: direction of a break, and whether the high and the low are swept."""
    ups, downs = swings(bars.high), swings(-bars.low)
    broke, swept_high, swept_low = [], [], []
    for now in range(len(bars)):
        ceiling, floor = level(ups, bars.close, now), level(downs, -bars.close, now)
        close = bars.close[now]
        up = ceiling is not None and close > ceiling
        down = floor is not None and -close > floor
        broke.append(1 if up else -1 if down else 0)
        swept_high.append(int(ceiling is not None and bars.high[now] > ceiling > close))
        swept_low.append(int(floor is not None and -bars.low[now] > floor > -close))
    return broke, swept_high, swept_low


@settings(max_examples=20, deadline=None)
@given(bars=walks)
def test_breaks_and_sweeps_are_those_of_the_definition(bars: BarSeries) -> None:
    table = compute(bars, "1min", CALENDAR)
    broke, swept_high, swept_low = breaks(bars)
    trend, bos, choch, trends = 0, [], [], []
    for side in broke:
        choch.append(side if side == -trend else 0)
        bos.append(side - choch[-1])
        trend = side or trend
        trends.append(trend)
    for name, want in (
        ("bos", bos),
        ("choch", choch),
        ("structure_trend", trends),
        ("sweep_high", swept_high),
        ("sweep_low", swept_low),
    ):
        np.testing.assert_array_equal(table[name][4:], want[4:], err_msg=name)
    assert any(bos)


@settings(max_examples=20, deadline=None)
@given(bars=walks)
def test_zones_are_those_of_the_definition(bars: BarSeries) -> None:
    table = compute(bars, "1min", CALENDAR)
    broke, _, _ = breaks(bars)
    gaps: list[tuple[float, float]] = []
    block: tuple[float, float] | None = None
    for now in range(len(bars)):
        gaps = [gap for gap in gaps if bars.low[now] > gap[0]]
        if now >= 2 and bars.low[now] > bars.high[now - 2]:
            gaps = [*gaps, (bars.high[now - 2], bars.low[now])][-8:]
        if block is not None and bars.close[now] < block[0]:
            block = None
        if broke[now] == 1:
            black = [k for k in range(max(now - 20, 0), now) if bars.close[k] < bars.open[k]]
            block = (bars.low[black[-1]], bars.high[black[-1]]) if black else block
        if now < 14:
            continue
        atr = table["atr_14"][now]
        assert table["fvg_bull_open"][now] == len(gaps)
        away = bars.close[now] - gaps[-1][1] if gaps else 0.0
        assert table["fvg_bull_distance"][now] * atr == pytest.approx(away, abs=1e-9)
        away = bars.close[now] - block[1] if block else 0.0
        assert table["ob_bull_distance"][now] * atr == pytest.approx(away, abs=1e-9)


def mirrored(bars: BarSeries) -> BarSeries:
    """The walk upside down about 1000: what rises falls."""
    return replace(
        bars,
        open=1000.0 - bars.open,
        high=1000.0 - bars.low,
        low=1000.0 - bars.high,
        close=1000.0 - bars.close,
    )


@settings(max_examples=10, deadline=None)
@given(bars=walks)
def test_bearish_features_are_the_bullish_ones_of_the_mirrored_bars(bars: BarSeries) -> None:
    """In quarters of a dollar the mirror is exact, so not even ties can differ."""
    quarters = {
        name: np.round(getattr(bars, name) * 4) / 4 for name in ("open", "high", "low", "close")
    }
    bars = replace(bars, **quarters)
    up, down = compute(bars, "1min", CALENDAR), compute(mirrored(bars), "1min", CALENDAR)
    for name in (
        "bos",
        "choch",
        "structure_trend",
        "fvg",
        "fvg_size",
        "displacement",
        "in_order_block",
    ):
        np.testing.assert_allclose(up[name], -down[name], atol=1e-9, err_msg=name)
    for one, other in (
        ("swing_high_distance", "swing_low_distance"),
        ("fvg_bull_open", "fvg_bear_open"),
        ("fvg_bull_distance", "fvg_bear_distance"),
        ("ob_bull_distance", "ob_bear_distance"),
        ("sweep_high", "sweep_low"),
    ):
        np.testing.assert_allclose(up[one], down[other], atol=1e-6, err_msg=one)
        np.testing.assert_allclose(up[other], down[one], atol=1e-6, err_msg=other)


@settings(max_examples=20, deadline=None)
@given(bars=walks)
def test_divergences_are_those_of_the_definition(bars: BarSeries) -> None:
    table = compute(bars, "1min", CALENDAR)
    for prices, side, sign in ((-bars.low, "bull", 1), (bars.high, "bear", -1)):
        known = swings(prices)
        for oscillator, first in (("rsi_14", 16), ("macd", 35)):
            want = np.zeros(len(bars))
            values = table[oscillator]
            for (before, _, price_before), (now, seen, price) in pairwise(known):
                further = price > price_before and now - before <= 60
                if further and sign * (values[now] - values[before]) > 0:
                    want[seen] = 1.0
            name = f"{oscillator.split('_')[0]}_divergence_{side}"
            np.testing.assert_array_equal(table[name][first:], want[first:], err_msg=name)


def falls(apart: int) -> tuple[FeatureTable, int, int]:
    """A fast fall to 90, a bounce, a slow slide to 89.5 some bars after: lower low, higher RSI."""
    closes = [100.0 + 0.1 * (k % 2) for k in range(40)]
    closes += [98.0, 96.0, 94.0, 92.0, 90.0, 92.0, 94.0]
    closes += [94.1 - 0.1 * (k % 2) for k in range(apart - 20)]
    closes += [93.75 - 0.25 * k for k in range(18)]  # ... 89.5
    closes += [91.0, 92.0, 93.0]
    table = features([bar(c + 0.2, c - 0.2, c) for c in closes])
    return table, closes.index(90.0), closes.index(89.5)


def test_a_divergence_by_hand() -> None:
    table, first, second = falls(30)
    assert second == first + 30
    assert table["rsi_14"][second] > table["rsi_14"][first]
    assert table["macd"][second] > table["macd"][first]
    for name in ("rsi_divergence_bull", "macd_divergence_bull"):
        assert table[name][first + 3 :].tolist() == [0] * (second - first - 1) + [1, 0], name
    for name in ("rsi_divergence_bear", "macd_divergence_bear"):
        assert not table[name][first + 3 :].any(), name


@pytest.mark.parametrize(("apart", "found"), [(60, 1.0), (61, 0.0)])
def test_a_divergence_reaches_back_sixty_bars(apart: int, found: float) -> None:
    table, first, second = falls(apart)
    assert second == first + apart
    assert table["rsi_divergence_bull"][second + 2] == found
    assert table["macd_divergence_bull"][second + 2] == found


@settings(max_examples=10, deadline=None)
@given(bars=walks)
def test_nothing_repaints(bars: BarSeries) -> None:
    """What was said at a bar stays, whatever comes: the row of each bar as history grows."""
    whole = compute(bars, "1min", CALENDAR).values
    for known in range(1, len(bars), 37):
        part = compute(bars.part(slice(0, known)), "1min", CALENDAR).values
        np.testing.assert_array_equal(part[-1], whole[known - 1])
