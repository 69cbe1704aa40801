"""Followed alone, a signal makes the trade that the engine made of it."""

from dataclasses import replace
from datetime import date

import numpy as np

from advisor.bootstrap import Advisers, ReplayOptions, make_lanes
from advisor.replay import replay
from advisor.session import enter, trading_day
from quant_core.calendar import to_minute
from quant_core.counterfactual import follow, in_r, signals_under
from quant_core.grid import session_clock
from quant_core.parameters import pack
from quant_core.types import Multipliers, Signal
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


def test_under_base_thresholds_from_the_open_the_signals_are_the_baselines() -> None:
    """Whole sessions at once, and cut in the middle with the desk that had come that far."""
    made = market(FIRST, FIRST)
    lane = replay(
        request(FIRST, FIRST), ReplayOptions(analyst="none", validation="off"), SETTINGS, made, None
    ).main
    taken = [d.signal for d in lane.decisions if d.plan.quantity > 0]
    assert len(taken) > 2
    session = made.sessions[0]
    day = trading_day(made, session, SETTINGS)
    rules = pack(SETTINGS.stdev, SETTINGS.risk, SETTINGS.fills)
    alone = make_lanes(len(SYMBOLS), ReplayOptions(analyst="none"), SETTINGS, Advisers(None, None))
    enter(alone[0], day, SETTINGS)
    before = alone[0].desk.dump()

    def signals(multipliers: Multipliers, rows: range) -> list[Signal]:
        found = signals_under(alone[0].desk, multipliers, rows, day.grid, day.clock, rules, SYMBOLS)
        assert alone[0].desk.dump() == before
        return found

    assert signals(Multipliers(), range(session.minutes)) == taken
    half = [s for s in taken if to_minute(s.start) < session.open + 60]
    assert signals(Multipliers(), range(60)) == half
    assert len(signals(Multipliers(mr_arm=2.0, tc_arm=2.0), range(session.minutes))) < len(taken)


def test_a_followed_trade_in_r_is_its_profit_over_the_planned_risk() -> None:
    lane = replay(
        request(FIRST, FIRST), ReplayOptions(analyst="none", validation="off"), SETTINGS,
        market(FIRST, FIRST), None,
    ).main  # fmt: skip
    trade = lane.trades[0]
    signal = next(d.signal for d in lane.decisions if d.signal.start == trade.signal_start)
    assert in_r(trade, signal) == trade.pnl / (trade.quantity * abs(signal.price - signal.stop))
    assert np.isnan(in_r(trade, replace(signal, stop=signal.price)))
