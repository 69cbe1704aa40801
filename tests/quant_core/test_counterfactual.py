"""A signal followed alone makes the trade that the engine made of it."""

from datetime import date

import numpy as np

from advisor.bootstrap import ReplayOptions
from advisor.replay import replay
from quant_core.counterfactual import follow
from quant_core.grid import session_clock
from quant_core.parameters import pack
from tests.advisor.worlds import SETTINGS, SYMBOLS, market, request

FIRST, LAST = date(2026, 10, 13), date(2026, 10, 15)


def test_every_trade_of_the_baseline_is_found_again_from_its_signal() -> None:
    made = market(FIRST, LAST)
    lane = replay(
        request(FIRST, LAST), ReplayOptions(analyst="none", validation="off"), SETTINGS, made, None
    ).main
    rules = pack(SETTINGS.stdev, SETTINGS.risk, SETTINGS.fills)
    signals = {(d.signal.symbol, d.signal.start): d.signal for d in lane.decisions}
    assert len(lane.trades) > 5
    for trade in lane.trades:
        session = made.calendar.on(trade.signal_start.date())
        assert session is not None
        row = int(trade.signal_start.timestamp() // 60) - session.open
        found = follow(
            signals[trade.symbol, trade.signal_start], made.grid(session),
            session_clock(session, SETTINGS.stdev), rules, SYMBOLS.index(trade.symbol), row,
        )  # fmt: skip
        assert found is not None
        assert (found.entry_price, found.exit_price) == (trade.entry_price, trade.exit_price)
        assert (found.exit_time, found.exit_reason) == (trade.exit_time, trade.exit_reason)
        assert np.isclose(found.pnl / found.quantity, trade.pnl / trade.quantity)
