"""How long formulas remember: closed forms, windows that forget, sums that never do."""

import math

import numpy as np
import pytest

from quant_core.memory import Memory, feature_memories, playbook_memories, remember
from tests.quant_core.features.worlds import CALENDAR, walk

BARS = walk(5, 4200)


@pytest.fixture(scope="module")
def memories() -> dict[str, Memory]:
    return {one.name: one for one in feature_memories(BARS, "1min", CALENDAR)}


def test_an_exponential_average_by_hand():
    """It halves its memory each bar: 0.5^20 is the first power below 1e-6."""
    full = np.full(64, 100.0)
    later = 100.0 + 100.0 * 0.5 ** np.arange(32)
    found = remember("half", "bar", 4, full, [(later, np.arange(1, 33))])
    assert found.settles == 21  # the 21st bar is 0.5^20 away
    assert found.differences == (0.5**3, 0.5**7, 0.5**15)
    assert found.recursive


def test_a_window_forgets_at_once():
    full = np.arange(1.0, 65.0)
    later = np.r_[[np.nan] * 3, full[35:]]
    found = remember("window", "bar", 4, full, [(later, np.arange(1, 33))])
    assert found.settles == 4
    assert found.differences == (0.0, 0.0, 0.0)
    assert not found.recursive


def test_a_sum_never_forgets():
    full = np.arange(1.0, 65.0)
    found = remember("sum", "bar", 1, full, [(full[32:] - 32.0, np.arange(1, 33))])
    assert math.isnan(found.settles)
    assert found.recursive
    assert found.differences[0] == pytest.approx(32.0 / 33.0)


def test_what_is_still_missing_is_infinitely_far_and_what_is_too_short_is_unknown():
    full = np.ones(16)
    later = np.r_[[np.nan] * 6, np.ones(2)]
    found = remember("late", "bar", 5, full, [(later, np.arange(1, 9))])
    assert found.differences[0] == math.inf
    assert math.isnan(found.differences[1])
    assert found.settles == 7


def test_near_zero_the_columns_own_size_counts():
    full = np.r_[np.ones(8), 1e-12, np.ones(7)]
    later = np.r_[1e-12 + 1e-8, np.ones(7)]
    found = remember("zero", "bar", 1, full, [(later, np.arange(1, 9))])
    assert found.differences[0] == pytest.approx(1e-8)
    assert not found.recursive


def test_the_worst_beginning_counts():
    full = np.ones(16)
    good, bad = np.ones(8), np.full(4, 1.5)
    units = np.arange(1, 9)
    found = remember("two", "bar", 1, full, [(good, units), (bad, units[:4])])
    assert found.differences[0] == 0.5
    assert math.isnan(found.settles)


@pytest.mark.parametrize("name", ["sma_20", "sma_200", "roc_10", "willr_14", "return_1"])
def test_windows_need_their_warm_up_alone(memories, name):
    assert not memories[name].recursive


@pytest.mark.parametrize("name", ["obv", "ad_line", "vpt"])
def test_running_totals_depend_on_their_first_bar_for_good(memories, name):
    assert math.isnan(memories[name].settles)


@pytest.mark.parametrize(("name", "factor"), [("ema_20", 19 / 21), ("ema_50", 49 / 51)])
def test_an_average_forgets_at_its_own_rate(memories, name, factor):
    """From one to four warm-ups it keeps factor^(3 warm-ups) of its error, whatever the bars."""
    found = memories[name]
    first, _, last = found.differences
    assert last / first == pytest.approx(factor ** (3 * found.warm_up), rel=0.15)
    assert found.warm_up < found.settles < found.warm_up * 8


def test_wilders_average_remembers_twice_as_long(memories):
    assert memories["rsi_14"].settles > 100
    assert memories["rsi_21"].settles > memories["rsi_14"].settles > memories["rsi_7"].settles


def test_every_feature_is_reported_once_in_order(memories):
    assert len(memories) == 163
    for one in memories.values():
        known = [value for value in one.differences if not math.isnan(value)]
        assert all(value >= 0.0 for value in known)
        assert not math.isinf(known[0]) if known else True, one


def test_what_the_playbook_decides_by():
    found = {one.name: one for one in playbook_memories(BARS, None, CALENDAR)}
    assert list(found) == ["z", "atr_5m", "ema_slope_hourly"]
    assert not found["z"].recursive
    assert found["z"].settles == 120
    assert found["atr_5m"].settles > 100


def test_daily_values_are_reported_where_there_are_daily_bars():
    from quant_core.bars import aggregate

    days = aggregate(walk(9, 120 * 391), CALENDAR, 390)
    found = {one.name: one for one in playbook_memories(BARS, days, CALENDAR)}
    assert found["ema_slope_daily"].unit == "session"
    assert found["ema_slope_daily"].differences[0] > 0.0
    assert "atr_percentile" in found


def test_no_bars_are_no_memories():
    for one in feature_memories(BARS.part(slice(0, 0)), "1min", CALENDAR):
        assert all(math.isnan(value) for value in one.differences)
