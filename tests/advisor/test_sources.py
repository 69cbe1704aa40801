"""Sectors and earnings, from what a user writes to what risk decides."""

from datetime import date

import numpy as np
import pytest

from advisor.settings import Settings, load_settings
from advisor.sources import earnings, sectors
from quant_core.calendar import xnys
from quant_core.desk import BLACKOUT, CLEAR
from tools.errors import BadInput

SYMBOLS = ("SPY", "NVDA", "AMD", "TSLA")


def named(**sources: object) -> Settings:
    return Settings.model_validate({"sources": sources})


def test_without_a_source_nothing_applies():
    session = xnys(2025, 2025).session(50)
    assert sectors(Settings(), SYMBOLS).tolist() == [0, 0, 0, 0]
    assert earnings(Settings(), SYMBOLS, [session]).tolist() == [[0, 0, 0, 0]]


def test_a_symbol_without_a_sector_is_a_sector_of_its_own():
    found = sectors(named(sectors={"NVDA": "chips", "AMD": "chips"}), SYMBOLS)
    assert found[1] == found[2] != found[0] != found[3] != found[1]
    assert (found > 0).all()


@pytest.mark.parametrize(
    ("reported", "blocked"),
    [
        # Thursday: two sessions to each side, over the weekend
        (date(2025, 3, 13), [11, 12, 13, 14, 17]),
        # Saturday counts as of Monday
        (date(2025, 3, 15), [13, 14, 17, 18, 19]),
    ],
)
def test_earnings_block_two_sessions_before_and_after(reported, blocked):
    settings = named(earnings={"NVDA": [reported.isoformat()]})
    days = xnys(2025, 2025).between(date(2025, 3, 10), date(2025, 3, 20))
    found = earnings(settings, SYMBOLS, days)
    near = [day.date.day for day, f in zip(days, found[:, 1], strict=True) if f == BLACKOUT]
    assert near == blocked
    assert (found[:, [0, 2, 3]] == CLEAR).all()


def test_what_is_no_date_is_refused_by_name(tmp_path):
    file = tmp_path / "advisor.toml"
    file.write_text('[sources]\nearnings = { NVDA = ["soon"] }\n')
    with pytest.raises(BadInput, match=r"sources\.earnings.*soon"):
        load_settings(file, {})


def test_the_numbers_reach_the_desk():
    from advisor.lanes import Lane
    from advisor.session import enter, trading_day
    from quant_core.desk import Desk
    from quant_core.events import EventLog
    from tests.advisor.worlds import market

    day = date(2025, 3, 12)
    settings = named(sectors={"SPY": "index", "QQQ": "index"}, earnings={"NVDA": ["2025-03-14"]})
    made = market(day, day)
    lane = Lane(name="one", desk=Desk.new(3, 1e5), log=EventLog.with_room_for(3))
    enter(lane, trading_day(made, made.sessions[0], settings), settings)
    assert lane.desk.slots["sector"].tolist() == [1, 1, 2]
    assert np.array_equal(lane.desk.slots["earnings"], [CLEAR, CLEAR, BLACKOUT])
