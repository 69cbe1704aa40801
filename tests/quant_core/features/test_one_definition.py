"""Where other parts of the core compute the same thing, the features have their value."""

from pathlib import Path

import numpy as np

from quant_core.bands import atr_5m_known, new_five_minute
from quant_core.bars import aggregate
from quant_core.features import compute
from quant_core.premarket import SymbolHistory
from tests.quant_core.features.worlds import CALENDAR, recorded, walk


def test_the_five_minute_atr_is_that_of_the_stdev_playbook(market_data: Path) -> None:
    for minutes in (walk(4, 2000, missing=0.2), recorded(market_data, "us-2025-11", "QQQ")):
        table = compute(aggregate(minutes, CALENDAR, 5), "5min", CALENDAR)
        known = atr_5m_known(minutes, CALENDAR, new_five_minute())
        place = np.searchsorted(table.end, minutes.end, side="right") - 1
        ours = np.where(place >= 0, table["atr_14"][np.maximum(place, 0)], np.nan)
        np.testing.assert_allclose(ours, known, rtol=1e-12)


def test_the_hourly_slope_is_that_of_the_premarket_snapshot() -> None:
    minutes = walk(5, 390 * 12)
    table = compute(aggregate(minutes, CALENDAR, 60), "1hr", CALENDAR)
    hour = SymbolHistory.of("WALK", minutes, None, CALENDAR).hour
    want = [hour.slope(count, 3) for count in range(1, len(table) + 1)]
    np.testing.assert_allclose(table["ema_20_slope"], want, rtol=1e-9)
