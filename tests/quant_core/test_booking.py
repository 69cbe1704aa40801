"""Fills that come from a broker: booked by the same functions, so they make the same day."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_core.booking import entry_filled, entry_given_up, exit_filled
from quant_core.desk import HALTED, IDLE, IN_TRADE, TRIGGERED, Desk
from quant_core.engine import advance
from quant_core.events import BROKER_CANCELLED, BROKER_REFUSED, read
from quant_core.exchange import (
    DRAWDOWN,
    END_OF_DAY,
    MAX_HOLD,
    STOP,
    TARGET,
    TRAILING_STOP,
)
from quant_core.grid import session_clock
from quant_core.parameters import FillRules, RiskLimits, StdevParameters, pack
from quant_core.types import Fill, OrderRejection, RiskChange, Trade
from tests.quant_core.worlds import FLAT, Day, Runner, long_day, names, random_day, random_limits

SLIPPAGE = 1e-4


class AtBroker:
    """A day whose orders are a broker's: rows one by one, fills booked by the test in between."""

    def __init__(
        self,
        day: Day,
        limits: RiskLimits | None = None,
        playbook: StdevParameters | None = None,
        fills: FillRules | None = None,
    ) -> None:
        playbook = playbook or StdevParameters()
        self.day, self.grid, self.desk = day, day.grid, day.begin()
        self.clock = session_clock(day.session, playbook)
        self.rules = pack(playbook, limits or RiskLimits(), fills or FillRules())
        self.runner = Runner(self.grid, self.clock, self.rules, names(day.symbols))
        self.row = 0

    @property
    def slot(self) -> np.void:
        return self.desk.slots[0]

    @property
    def minute(self) -> int:
        return self.day.session.open + self.row

    def to(self, row: int) -> "AtBroker":
        """Close every bar before `row`."""
        runner = self.runner
        while self.row < row:
            advance(
                self.desk, self.grid, self.clock, self.rules, runner.log, runner.states,
                runner.sides, self.row, self.row + 1, external=True,
            )  # fmt: skip
            self.row += 1
        return self

    def buy(self, shares: int, price: float, symbol: int = 0) -> "AtBroker":
        entry_filled(self.desk, self.runner.log, self.rules, symbol, self.minute, price, shares)
        return self

    def sell(self, shares: int, price: float, reason: int, symbol: int = 0) -> "AtBroker":
        exit_filled(
            self.desk, self.runner.log, self.rules, symbol, self.minute, price, shares, reason
        )
        return self

    def give_up(self, reason: int) -> "AtBroker":
        entry_given_up(self.desk, self.runner.log, 0, self.minute, reason)
        return self

    def events(self, kind: type) -> list:
        found = read(self.runner.log, self.runner.symbols, {})
        return [event for event in found if isinstance(event, kind)]


def fill_as_the_simulated_exchange(at: AtBroker, row: int) -> None:
    """What R39-R43 say the bar of this row does, spelled out a second time."""
    grid = at.grid
    for s, slot in enumerate(at.desk.slots):
        if slot["entry_quantity"] > 0 and grid.present[row, s]:
            price = grid.open[row, s] * (1 + slot["side"] * SLIPPAGE)
            at.buy(int(slot["entry_quantity"]), price, s)
    for s, slot in enumerate(at.desk.slots):
        if not grid.present[row, s] or slot["quantity"] == 0:
            continue
        side, shares = int(slot["side"]), int(slot["quantity"])
        open_, high, low = (column[row, s] for column in (grid.open, grid.high, grid.low))
        worst, best = (low, high) if side > 0 else (high, low)
        stop, target = slot["stop"], slot["target"]
        if slot["exit_due"]:
            at.sell(shares, open_ * (1 - side * SLIPPAGE), int(slot["exit_due"]), s)
        elif side * (worst - stop) <= 0:
            base = open_ if side * (open_ - stop) < 0 else stop
            at.sell(shares, base * (1 - side * SLIPPAGE), STOP, s)
        elif side * (best - target) >= 0:
            at.sell(shares, max(side * open_, side * target) * side, TARGET, s)


@pytest.mark.parametrize("max_hold", [np.inf, 20])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_broker_that_fills_as_the_simulated_exchange_makes_the_same_day(seed, max_hold):
    day = random_day(seed)
    day.columns["volume"][:] = 1e9
    day.advice.clear()
    limits = random_limits(seed)
    limits = type(limits)(
        **{name: getattr(limits, name) for name in limits.__slots__ if name != "trailing_stop"},
        trailing_stop=100.0,
    )
    playbook = StdevParameters(max_hold=max_hold)
    simulated = day.play(limits=limits, playbook=playbook, until=FLAT + 1)
    at = AtBroker(day, limits, playbook)
    for row in range(FLAT + 1):
        fill_as_the_simulated_exchange(at, row)
        at.to(row + 1)
        # Entries that a stopped account still has at the broker come back cancelled at once.
        for s, slot in enumerate(at.desk.slots):
            if slot["entry_quantity"] > 0 and slot["exit_due"]:
                entry_given_up(at.desk, at.runner.log, s, at.minute - 1, BROKER_CANCELLED)
    assert at.events(Trade) == simulated.all(Trade)
    assert at.events(Fill) == simulated.all(Fill)
    assert at.events(RiskChange) == simulated.all(RiskChange)
    assert at.desk.account["realised"] == simulated.desk.account["realised"]
    assert at.desk.account["equity"] == simulated.desk.account["equity"]


def test_an_entry_in_parts_is_one_trade_at_the_weighted_price():
    at = AtBroker(long_day(), fills=FillRules(fee_per_share=0.01)).to(2)
    assert (at.slot["entry_quantity"], at.slot["state"]) == (100, TRIGGERED)
    at.buy(30, 100.0)
    assert (at.slot["entry_quantity"], at.slot["quantity"], at.slot["state"]) == (70, 30, IN_TRADE)
    at.to(3).buy(70, 101.0).to(5).sell(40, 102.0, TARGET).sell(60, 102.0, TARGET)
    trade = at.events(Trade)[0]
    assert trade.quantity == 100
    assert trade.entry_price == pytest.approx(100.7)
    assert trade.exit_price == pytest.approx(102.0)
    assert trade.fees == pytest.approx(2.0)
    assert trade.pnl == pytest.approx(130.0 - 2.0)
    assert [fill.quantity for fill in at.events(Fill)] == [30, 70, 40, 60]


def test_the_rest_of_an_entry_that_does_not_come_leaves_the_filled_part():
    at = AtBroker(long_day()).to(2).buy(30, 100.0).give_up(BROKER_CANCELLED)
    assert (at.slot["entry_quantity"], at.slot["quantity"]) == (0, 30)
    assert at.desk.account["trades_today"] == 1
    rejection = at.events(OrderRejection)[0]
    assert (rejection.quantity, rejection.reason) == (70, "entry_rest_cancelled_at_broker")
    at.to(4).sell(30, 98.6, STOP)
    assert at.events(Trade)[0].quantity == 30


def test_a_refused_entry_gives_its_place_in_the_day_back():
    at = AtBroker(long_day()).to(2).give_up(BROKER_REFUSED)
    assert (at.slot["state"], at.slot["side"], at.slot["trades_today"]) == (IDLE, 0, 0)
    assert at.desk.account["trades_today"] == 0


def test_while_an_entry_waits_nothing_else_is_ordered_in_its_symbol():
    at = AtBroker(long_day().z([-1.3, -0.5] * 20, at=2)).to(40)
    assert (at.slot["entry_quantity"], at.slot["state"]) == (100, TRIGGERED)
    assert at.slot["trades_today"] == 1


def test_a_position_sold_before_its_entry_is_whole_takes_the_rest_as_a_new_one():
    at = AtBroker(long_day()).to(2).buy(30, 100.0).to(3).sell(30, 98.6, STOP)
    assert at.slot["entry_quantity"] == 70
    at.to(20).buy(70, 99.0).to(21).sell(70, 99.5, TARGET)
    assert [(trade.quantity, trade.side) for trade in at.events(Trade)] == [(30, 1), (70, 1)]
    assert at.desk.account["realised"][0] == pytest.approx(-42.0 + 35.0)


def test_positions_go_at_market_at_the_end_of_the_day_and_after_the_longest_hold():
    at = AtBroker(long_day()).to(2).buy(100, 100.0).to(FLAT - 1)
    assert at.slot["exit_due"] == 0
    assert at.to(FLAT).slot["exit_due"] == END_OF_DAY
    at = AtBroker(long_day(), playbook=StdevParameters(max_hold=10)).to(2).buy(100, 100.0)
    assert at.to(11).slot["exit_due"] == 0
    assert at.to(12).slot["exit_due"] == MAX_HOLD


def test_a_waiting_entry_is_to_be_cancelled_when_it_is_time_to_be_flat():
    at = AtBroker(long_day()).to(FLAT)
    assert (at.slot["entry_quantity"], at.slot["exit_due"]) == (100, END_OF_DAY)
    at.give_up(BROKER_CANCELLED)
    assert (at.slot["entry_quantity"], at.slot["exit_due"]) == (0, 0)


def test_the_trailing_stop_is_judged_at_the_close():
    limits = RiskLimits(trailing_stop=1.0)
    day = long_day().bar(5, high=102.0).bar(6, low=100.9)
    at = AtBroker(day, limits).to(2).buy(100, 100.0).to(6)
    assert (at.slot["exit_due"], at.slot["best"]) == (0, 102.0)
    assert at.to(7).slot["exit_due"] == TRAILING_STOP


def test_a_drawdown_halts_and_orders_every_position_out_and_waiting_entries_back():
    day = long_day(symbols=2).z([-1.3, -0.5], symbol=1)
    day.level(80.0, at=4)
    at = AtBroker(day, RiskLimits(max_drawdown_percent=1.0)).to(2).buy(100, 100.0).to(5)
    assert at.desk.account["risk_state"] == HALTED
    assert at.slot["exit_due"] == at.desk.slots[1]["exit_due"] == DRAWDOWN
    assert at.desk.slots[1]["entry_quantity"] == 100
    assert len(at.events(RiskChange)) == 1


def test_what_is_left_overnight_goes_at_the_next_open():
    at = AtBroker(long_day()).to(2).buy(100, 100.0).to(390)
    assert at.slot["quantity"] == 100
    desk = at.day.begin(desk=Desk.load(at.desk.dump()))
    slot = desk.slots[0]
    assert (slot["quantity"], slot["state"], slot["exit_due"]) == (100, IN_TRADE, END_OF_DAY)
    assert slot["side"] == 1


@pytest.mark.parametrize("shares", [0, -1, 101])
def test_more_than_was_ordered_or_held_is_not_booked(shares):
    at = AtBroker(long_day()).to(2)
    with pytest.raises(ValueError, match="100 wait"):
        at.buy(shares, 100.0)
    at.buy(100, 100.0)
    with pytest.raises(ValueError, match="position of 100"):
        at.sell(shares, 100.0, STOP)
    with pytest.raises(ValueError, match="no entry waits"):
        at.give_up(BROKER_REFUSED)
