"""Where a bar stands in its session, and the VWAP that starts with it: worked by hand."""

from pathlib import Path

import numpy as np
import pytest
import talib

from quant_core.features import compute
from tests.quant_core.features.worlds import CALENDAR, features, recorded, series

FLAT = (100.0, 101.0, 99.0, 100.0)


def test_a_full_session_by_the_minute() -> None:
    table = features([FLAT] * 391)  # 2024-03-26 is a Tuesday
    assert table["minutes_since_open"][[0, 389, 390]].tolist() == [1, 390, 1]
    assert table["minutes_to_close"][[0, 389, 390]].tolist() == [389, 0, 389]
    assert table["session_progress"][[194, 389]].tolist() == [0.5, 1.0]
    assert table["time_cos"][194] == pytest.approx(-1.0)
    assert table["time_sin"][[97, 292]] == pytest.approx([1.0, -1.0], abs=1e-4)
    assert table["day_of_week"][[0, 389, 390]].tolist() == [1, 1, 2]
    assert table["opening_range"].tolist() == [1.0] * 30 + [0.0] * 360 + [1.0]
    assert table["power_hour"].tolist() == [0.0] * 330 + [1.0] * 60 + [0.0]


def test_a_half_day_is_short() -> None:
    table = features([FLAT] * 210, session="2024-07-03")
    assert table["minutes_to_close"][[0, 209]].tolist() == [209, 0]
    assert table["session_progress"][104] == 0.5
    assert table["power_hour"].tolist() == [0.0] * 150 + [1.0] * 60


def test_vwap_by_hand_and_its_reset() -> None:
    """Typical prices 100, 103, 106 with volumes 1, 2, 1; then a new session."""
    rows = [
        (100.0, 100.0, 100.0, 100.0, 1.0),
        (103.0, 103.0, 103.0, 103.0, 2.0),
        (106.0, 106.0, 106.0, 106.0, 1.0),
        (50.0, 51.0, 46.0, 50.0, 7.0),
    ]
    table = features(rows, skip=range(3, 390))
    assert table["vwap"] == pytest.approx([100.0, 102.0, 103.0, 49.0])
    deviation = np.sqrt([0.0, 2.0, 4.5, 0.0])
    assert table["vwap_upper_1"] == pytest.approx(table["vwap"] + deviation)
    assert table["vwap_lower_2"] == pytest.approx(table["vwap"] - 2 * deviation)
    assert table["vwap_position"] == pytest.approx([0.0, 1 / np.sqrt(2.0), 3 / np.sqrt(4.5), 0.0])
    assert table["vwap_run"].tolist() == [0, 1, 2, 1]
    assert table["vwap_distance"] == pytest.approx([0.0, 1 / 102, 3 / 103, 1 / 49])


def test_without_volume_the_vwap_is_the_typical_price() -> None:
    table = features([(100.0, 104.0, 99.0, 103.0, 0.0), (100.0, 101.0, 99.0, 100.0, 5.0)])
    assert table["vwap"] == pytest.approx([102.0, 100.0])
    assert table["vwap_upper_2"] == pytest.approx([102.0, 100.0])


def test_each_session_agrees_with_ta_lib(market_data: Path) -> None:
    bars = recorded(market_data, "us-2025-11", "QQQ")
    vwap = compute(bars, "1min", CALENDAR)["vwap"]
    for session in np.unique(bars.session):
        of = bars.session == session
        want = talib.VWAP(bars.high[of], bars.low[of], bars.close[of], bars.volume[of])
        np.testing.assert_allclose(vwap[of], want, rtol=1e-9)


def test_the_overnight_gap_stays_all_session() -> None:
    rows = [FLAT] * 390 + [(110.0, 111.0, 109.0, 110.0)] * 3
    table = features(rows)
    assert np.isnan(table["session_gap"][:390]).all()
    assert table["session_gap"][390:] == pytest.approx([0.1] * 3)
    assert table["gap"][[389, 390, 391]] == pytest.approx([0.0, 0.1, 0.0])


def test_series_follow_the_calendar() -> None:
    bars = series([FLAT] * 400)
    assert bars.session[389] + 1 == bars.session[390]
