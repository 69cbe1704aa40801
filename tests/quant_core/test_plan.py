"""Risk on one signal: every limit just met and just passed, every cap worked by hand.

The plain case: equity $100,000, a long at $100 with its stop at 98.60 and its target at 102.10.
1 % risk allows 714 shares, 10 % of equity 100, the symbol's $10,000 also 100.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quant_core.desk import HALTED, REDUCING, Desk
from quant_core.events import plan_of
from quant_core.parameters import FillRules, RiskLimits, StdevParameters, pack
from quant_core.risk.checks import CHECKS
from quant_core.risk.plan import exposures, plan_entry
from quant_core.types import Plan
from tests.quant_core.worlds import LIFTED, NAN, NEXT_DAY, Day, long_day

NOW = 29_000_000


@dataclass
class Book:
    """A desk of some symbols, and the question that is put to it."""

    symbols: int = 4
    equity: float = 100_000.0
    desk: Desk = field(init=False)

    def __post_init__(self) -> None:
        self.desk = Desk.new(self.symbols, self.equity)
        self.desk.slots["average_volume"] = 1e7

    def holds(
        self, symbol: int, shares: int, close: float, *, reference: float, stop: float
    ) -> "Book":
        return self.slot(symbol, quantity=shares, last_close=close, reference=reference, stop=stop)

    def awaits(self, symbol: int, shares: int, *, reference: float, stop: float) -> "Book":
        return self.slot(symbol, entry_quantity=shares, reference=reference, stop=stop)

    def slot(self, symbol: int, **values: float) -> "Book":
        for name, value in values.items():
            self.desk.slots[name][symbol] = value
        return self

    def account(self, **values: float) -> "Book":
        for name, value in values.items():
            self.desk.account[name] = value
        return self

    def ask(
        self,
        limits: RiskLimits | None = None,
        *,
        price: float = 100.0,
        stop: float = 98.6,
        target: float = 102.1,
        symbol: int = 0,
        size_factor: float = -1.0,
        age: float = 0.0,
        in_window: bool = True,
    ) -> Plan:
        rules = pack(StdevParameters(), limits or RiskLimits(), FillRules())
        table = np.zeros((len(CHECKS), 3))
        shares = plan_entry(
            table,
            self.desk.slots,
            self.desk.account[0],
            rules[0],
            symbol,
            NOW,
            in_window,
            age,
            price,
            stop,
            target,
            size_factor,
        )
        return plan_of(shares, table)


def check(plan: Plan, name: str) -> tuple[float, float, str]:
    line = next(line for line in plan.checks if line.name == name)
    return line.before, line.after, line.outcome


# ------------------------------------------------------------------------------ size (R38)


def test_r38_the_plain_case():
    plan = Book().ask()
    assert (plan.quantity, plan.blocked_by) == (100, "")
    assert check(plan, "risk_per_trade") == (714.0, 714.0, "pass")
    assert check(plan, "position_size") == (714.0, 100.0, "reduce")
    assert check(plan, "symbol_exposure") == (100.0, 100.0, "pass")
    assert check(plan, "quantity") == (100.0, 1.0, "pass")


@pytest.mark.parametrize(
    ("limits", "price", "distance", "shares"),
    [
        # 1 % of 100,000 over $1.40, nothing else binds but the 25 % cap
        (LIFTED, 10.0, 1.4, 714),
        (LIFTED, 100.0, 1.4, 250),
        (RiskLimits(max_risk_per_trade=0.1), 100.0, 1.4, 71),
        (RiskLimits(max_risk_per_trade=0.1), 100.0, 1.0, 100),
        (RiskLimits(max_position=3.0), 100.0, 1.4, 30),
        (RiskLimits(max_symbol_exposure=4_999.99), 100.0, 1.4, 49),
        (RiskLimits(max_symbol_exposure=5_000.0), 100.0, 1.4, 50),
        (RiskLimits(max_total_exposure=1_250.0), 100.0, 1.4, 12),
        (RiskLimits(max_open_risk=0.05), 100.0, 1.4, 35),
        (RiskLimits(), 9_000.0, 20.0, 1),
        (RiskLimits(), 10_000.0, 20.0, 1),
        (RiskLimits(), 10_000.01, 20.0, 0),
        (RiskLimits(), 100.0, 1000.0, 1),
        (RiskLimits(), 100.0, 1000.01, 0),
    ],
)
def test_r38_the_smallest_cap_decides_and_less_than_one_share_blocks(
    limits, price, distance, shares
):
    plan = Book().ask(limits, price=price, stop=price - distance, target=price + 2 * distance)
    assert plan.quantity == shares
    assert (plan.blocked_by == "") == (shares > 0)


def test_r38_caps_follow_equity_now_not_at_the_start():
    plan = Book().account(equity=50_000.0, session_equity=50_000.0).ask()
    assert plan.quantity == 50


def test_r38_total_exposure_counts_positions_at_last_closes_and_orders_at_reference():
    """50,000 - 300 × 110 - 100 × 95 = 7,500 are left: 75 shares. Fills and stops do not matter."""
    book = Book().holds(1, 300, 110.0, reference=100.0, stop=99.9)
    book.slot(1, fill_price=104.0).awaits(2, 100, reference=95.0, stop=94.9)
    assert exposures(book.desk.slots) == (42_500.0, pytest.approx(40.0), 2)
    plan = book.ask()
    assert plan.quantity == 75
    assert check(plan, "total_exposure") == (100.0, 75.0, "reduce")


def test_r38_a_partly_sold_position_counts_what_is_left():
    book = Book().holds(1, 40, 100.0, reference=100.0, stop=98.0).slot(1, opened=100)
    assert exposures(book.desk.slots) == (4_000.0, pytest.approx(80.0), 1)


def test_r38_exposure_over_the_limit_by_price_alone_blocks():
    plan = Book().holds(1, 300, 170.0, reference=100.0, stop=99.9).ask()
    assert plan.blocked_by == "total_exposure"
    assert plan.quantity == 0


def test_r38_open_risk_is_quantity_times_reference_to_stop():
    """10 % of equity is $10,000; 900 × 10 are at risk already: 1,000 / 1.40 = 714, then 71."""
    book = Book().holds(1, 900, 10.0, reference=50.0, stop=40.0)
    assert check(book.ask(), "open_risk")[2] == "pass"
    book.slot(1, quantity=990)
    plan = book.ask()
    assert check(plan, "open_risk") == (100.0, 71.0, "reduce")
    assert plan.quantity == 71
    book.slot(1, quantity=1000)
    assert book.ask().blocked_by == "open_risk"


def test_r38_a_short_is_sized_like_a_long():
    assert Book().ask(price=100.0, stop=101.4, target=97.9).quantity == 100
    wide = Book().ask(price=100.0, stop=150.0, target=25.0)
    assert wide.quantity == 20


def test_the_position_cap_cannot_be_set_above_25_percent():
    with pytest.raises(ValueError, match="max_position"):
        RiskLimits(max_position=25.1)


# -------------------------------------------------------------------- losses (R36)


@pytest.mark.parametrize(
    ("loss", "blocked"), [(499.99, ""), (500.0, ""), (500.01, "daily_loss"), (-3000.0, "")]
)
def test_r36_the_daily_loss_limit_is_strict(loss, blocked):
    plan = Book().account(equity=100_000.0 - loss).ask()
    assert plan.blocked_by == blocked


def test_r36_the_percent_limit_counts_from_the_sessions_equity():
    limits = RiskLimits(max_daily_loss=math.inf)
    for equity, blocked in ((38_000.0, ""), (37_999.99, "daily_loss_percent")):
        plan = Book().account(session_equity=40_000.0, equity=equity).ask(limits)
        assert plan.blocked_by == blocked


def test_the_account_must_be_active():
    for state in (REDUCING, HALTED):
        plan = Book().account(risk_state=state).ask()
        assert (plan.quantity, plan.blocked_by) == (0, "risk_state")


# -------------------------------------------------------------------- counts (R35, R37, R47)


def test_r35_positions_count_open_ones_and_accepted_entries():
    book = Book().holds(1, 1, 1.0, reference=1.0, stop=0.9)
    book.awaits(2, 1, reference=1.0, stop=0.9)
    assert book.ask().blocked_by == ""
    book.awaits(3, 1, reference=1.0, stop=0.9)
    assert book.ask().blocked_by == "positions"
    assert check(book.ask(), "positions")[:2] == (3.0, 3.0)


def test_r37_trades_per_day_and_per_symbol():
    assert Book().account(trades_today=9).ask().blocked_by == ""
    assert Book().account(trades_today=10).ask().blocked_by == "trades_per_day"
    assert Book().slot(0, trades_today=1).ask().blocked_by == ""
    assert Book().slot(0, trades_today=2).ask().blocked_by == "trades_per_symbol"
    assert Book().slot(1, trades_today=2).ask().blocked_by == ""


def test_r47_orders_per_minute_count_this_minutes_entries():
    assert Book().account(order_minute=NOW, orders_in_minute=4).ask().blocked_by == ""
    assert Book().account(order_minute=NOW, orders_in_minute=5).ask().blocked_by == (
        "orders_per_minute"
    )
    assert Book().account(order_minute=NOW - 1, orders_in_minute=5).ask().blocked_by == ""


def test_r47_in_a_minute_of_seven_triggers_five_are_sent():
    day = Day(7)
    for symbol in range(7):
        day.z([-1.3, -0.5], symbol)
    limits = RiskLimits(max_positions=10, max_total_exposure=math.inf)
    played = day.play(limits=limits)
    assert [d.plan.blocked_by for d in played.decisions] == [""] * 5 + ["orders_per_minute"] * 2


def test_r47_the_count_starts_anew_each_minute():
    day = Day(4)
    for symbol in range(4):
        day.z([-1.3, -0.5], symbol, at=symbol // 2)
    limits = RiskLimits(max_positions=10, max_orders_per_minute=2)
    assert [d.plan.blocked_by for d in day.play(limits=limits).decisions] == [""] * 4


def test_r37_a_symbols_third_trade_of_the_day_is_refused_and_tomorrow_is_new():
    day = Day().z([-1.3, -0.5], at=0).z([-1.3, -0.5], at=30).z([-1.3, -0.5], at=60)
    for row in (10, 40):
        day.bar(row, high=103.0)
    played = day.play()
    assert [d.plan.blocked_by for d in played.decisions] == ["", "", "trades_per_symbol"]
    assert long_day(session=NEXT_DAY).play(played.desk).decision.plan.quantity > 0


def test_r37_a_cancelled_entry_gives_its_count_back():
    day = Day().z([-1.3, -0.5] * 3)
    day.bar(2, volume=0.0).bar(4, volume=0.0)
    played = day.play()
    assert [d.plan.blocked_by for d in played.decisions] == ["", "", ""]
    assert len(played.entries) == 1


# ----------------------------------------------------------------- filters (R4, R45, R46)


@pytest.mark.parametrize(
    ("age", "blocked"), [(0.0, ""), (120.0, ""), (120.1, "bar_age"), (300.1, "bar_age")]
)
def test_r4_a_bar_older_than_120_seconds_blocks(age, blocked):
    assert Book().ask(age=age).blocked_by == blocked


@pytest.mark.parametrize(("age", "blocked"), [(300.0, ""), (300.1, "z_age")])
def test_r4_a_z_older_than_300_seconds_blocks_by_itself(age, blocked):
    assert Book().ask(RiskLimits(max_bar_age=1e6), age=age).blocked_by == blocked


def test_r4_age_reaches_the_decision_through_the_engine():
    assert long_day().play(age=121.0).decision.plan.blocked_by == "bar_age"


@pytest.mark.parametrize(
    ("volume", "blocked"),
    [(500_000.0, ""), (499_999.0, "average_volume"), (NAN, "average_volume")],
)
def test_r45_average_volume_and_nan_blocks(volume, blocked):
    assert Book().slot(0, average_volume=volume).ask().blocked_by == blocked


@pytest.mark.parametrize(
    ("spread", "outcome", "blocked"),
    [
        (0.0, "not_applicable", ""),
        (0.0009, "pass", ""),
        (0.001, "block", "spread"),
        (NAN, "block", "spread"),
    ],
)
def test_a_spread_must_be_below_its_limit_and_an_unanswered_one_blocks(spread, outcome, blocked):
    plan = Book().slot(0, spread=spread).ask()
    assert (check(plan, "spread")[2], plan.blocked_by) == (outcome, blocked)


@pytest.mark.parametrize(("earnings", "blocked"), [(1, ""), (2, "earnings_blackout")])
def test_earnings_that_are_near_block(earnings, blocked):
    assert Book().slot(0, earnings=earnings).ask().blocked_by == blocked


@pytest.mark.parametrize(
    ("other", "shares", "outcome"),
    [
        ({"sector": 1, "quantity": 250, "last_close": 100.0}, 50, "reduce"),  # 30,000 - 25,000
        ({"sector": 1, "quantity": 300, "last_close": 100.0}, 0, "block"),
        ({"sector": 1, "entry_quantity": 250}, 50, "reduce"),  # it waits, and counts
        ({"sector": 2, "quantity": 300, "last_close": 100.0}, 100, "pass"),
    ],
)
def test_a_sector_takes_30_percent_of_equity_at_most(other, shares, outcome):
    plan = Book().slot(0, sector=1).slot(1, reference=100.0, stop=99.5, **other).ask()
    assert plan.quantity == shares
    assert check(plan, "sector_exposure")[2] == outcome


def test_r45_checks_without_a_source_are_recorded_as_not_applicable():
    plan = Book().ask()
    outcomes = {line.name: line.outcome for line in plan.checks}
    silent = {name for name, result in outcomes.items() if result == "not_applicable"}
    assert silent == {"spread", "earnings_blackout", "sector_exposure", "cvar_95", "validation"}
    assert [line.name for line in plan.checks] == list(CHECKS)


@pytest.mark.parametrize(
    ("cvar", "limit", "outcome"),
    [
        (3.0, math.inf, "not_applicable"),
        (NAN, 2.0, "not_applicable"),
        (2.0, 2.0, "pass"),
        (2.01, 2.0, "block"),
        (math.inf, 2.0, "block"),
        (-1.0, 2.0, "pass"),
    ],
)
def test_r45_cvar(cvar, limit, outcome):
    plan = Book().account(cvar_95=cvar).ask(RiskLimits(max_cvar_95=limit))
    assert check(plan, "cvar_95")[2] == outcome
    assert plan.blocked_by == ("cvar_95" if outcome == "block" else "")


@pytest.mark.parametrize(
    ("target", "blocked"),
    [(101.2, ""), (101.2 - 5e-10, ""), (101.2 - 1e-8, "reward_risk"), (101.0, "reward_risk")],
)
def test_r46_reward_to_risk_is_tested_on_reference_prices_with_tolerance(target, blocked):
    plan = Book().ask(price=100.0, stop=99.0, target=target)
    assert plan.blocked_by == blocked


def test_r46_is_one_and_a_half_by_construction_for_stdev():
    before, _, outcome = check(long_day().play().decision.plan, "reward_risk")
    assert before == pytest.approx(1.5)
    assert outcome == "pass"


@pytest.mark.parametrize("atr", [NAN, 0.0])
def test_every_entry_has_a_stop_or_is_refused(atr):
    day = long_day()
    day.columns["atr_5m"][1, 0] = atr
    plan = day.play().decision.plan
    assert (plan.quantity, plan.blocked_by) == (0, "atr_5m_known")


def test_a_position_that_cannot_be_valued_blocks():
    """NaN is no room: neither an unknown exposure nor an unknown risk lets an entry pass."""
    unvalued = Book().holds(1, 10, NAN, reference=100.0, stop=99.0).ask()
    assert (unvalued.quantity, unvalued.blocked_by) == (0, "total_exposure")
    unknown = Book().holds(1, 10, 100.0, reference=100.0, stop=NAN).ask()
    assert (unknown.quantity, unknown.blocked_by) == (0, "open_risk")


def test_outside_the_window_nothing_is_planned():
    assert Book().ask(in_window=False).blocked_by == "session_window"


# ---------------------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("factor", "shares", "outcome"),
    [
        (-1.0, 100, "not_applicable"),
        (1.0, 100, "pass"),
        (0.5, 50, "reduce"),
        (0.499, 49, "reduce"),
        (0.01, 1, "reduce"),
        (0.0099, 0, "block"),
        (0.0, 0, "block"),
    ],
)
def test_a_verdict_reduces_the_capped_size_or_refuses(factor, shares, outcome):
    plan = Book().ask(size_factor=factor)
    assert plan.quantity == shares
    assert check(plan, "validation")[2] == outcome
    assert plan.blocked_by == ("" if shares else "validation")


def test_every_check_is_evaluated_for_every_signal():
    """A refusal shows how far each other limit was away, not only the first that was hit."""
    book = Book().account(risk_state=HALTED, equity=99_000.0, trades_today=10)
    book.slot(0, trades_today=2, average_volume=1.0)
    plan = book.ask(age=400.0)
    blocking = [line.name for line in plan.checks if line.outcome == "block"]
    assert blocking == [
        "risk_state",
        "bar_age",
        "z_age",
        "average_volume",
        "daily_loss",
        "trades_per_day",
        "trades_per_symbol",
    ]
    assert plan.blocked_by == "risk_state"
    assert check(plan, "position_size")[1] == 99.0
    assert check(plan, "daily_loss") == (1_000.0, 500.0, "block")


def test_a_loss_blocks_through_the_whole_engine():
    """A loses about $600 in the morning; B's later trigger is refused, A's exits are not."""
    day = long_day(symbols=2).bar(5, open=94.0, low=94.0, high=94.0, close=94.0)
    day.z([-1.3, -0.5], symbol=1, at=10)
    played = day.play()
    assert [d.plan.blocked_by for d in played.decisions] == ["", "daily_loss"]


# ----------------------------------------------------------------------------- laws

positive = st.floats(0.01, 5_000.0)


@given(
    price=positive,
    distance=st.floats(1e-4, 1_000.0),
    equity=st.floats(1_000.0, 1e7),
    held=st.integers(0, 2_000),
    close=positive,
    waiting=st.integers(0, 2_000),
    factor=st.sampled_from([-1.0, 0.0, 0.1, 0.5, 1.0]),
    side=st.sampled_from([-1, 1]),
)
def test_no_cap_is_ever_exceeded(price, distance, equity, held, close, waiting, factor, side):
    stop, target = price - side * distance, price + 2 * side * distance
    assume(stop > 0 and target > 0 and abs(price - stop) > 0)
    limits = RiskLimits()
    book = Book(equity=equity).holds(1, held, close, reference=close, stop=0.9 * close)
    book.awaits(2, waiting, reference=close, stop=1.1 * close)
    plan = book.ask(limits, price=price, stop=stop, target=target, size_factor=factor)
    distance = abs(price - stop)
    exposure, risk, _ = exposures(book.desk.slots)
    shares = plan.quantity
    assert shares >= 0
    assert (shares == 0) == (plan.blocked_by != "")
    if shares == 0:
        return
    room = 1.0 + 1e-12
    assert shares * distance <= 0.01 * equity * room
    assert shares * price <= 0.10 * equity * room
    assert shares * price <= 10_000.0 * room
    assert exposure + shares * price <= 50_000.0 * room
    assert risk + shares * distance <= 0.10 * equity * room


@given(
    price=positive,
    distance=st.floats(1e-3, 100.0),
    equity=st.floats(1_000.0, 1e6),
    factor=st.floats(0.01, 1.0),
)
def test_a_verdict_never_enlarges(price, distance, equity, factor):
    assume(price > distance)
    book = Book(equity=equity)
    question = {"price": price, "stop": price - distance, "target": price + 2 * distance}
    unasked = book.ask(**question).quantity
    assert book.ask(**question, size_factor=factor).quantity <= unasked
    assert book.ask(**question, size_factor=1.0).quantity == unasked
    assert book.ask(**question, size_factor=0.0).quantity == 0
