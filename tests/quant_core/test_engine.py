"""The loop over minutes: multipliers in force, verdicts, blocks, and what holds in any market."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_core.calendar import to_minute
from quant_core.desk import HALTED, Desk
from quant_core.engine import (
    AWAITS_VERDICT,
    DONE,
    LOG_FULL,
    advance,
    session_clock,
)
from quant_core.events import MOST_PER_SYMBOL_MINUTE, EventLog, signal_of_last
from quant_core.parameters import FillRules, RiskLimits, StdevParameters, pack
from quant_core.types import (
    Decision,
    ExitReason,
    Fill,
    RiskChange,
    Signal,
    Trade,
    Transition,
)
from tests.quant_core.worlds import (
    FLAT,
    FULL_DAY,
    HALF_DAY,
    NAN,
    NEXT_DAY,
    NOON,
    Day,
    Played,
    Runner,
    long_day,
    names,
    put_in_force,
    random_day,
    random_limits,
    short_day,
)

BLOCK = RiskLimits(max_positions=0)
seeds = st.integers(0, 2**32 - 1)


# ------------------------------------------------------------- multipliers in force (R10)


@pytest.mark.parametrize(
    ("multipliers", "trend", "z", "story"),
    [
        ((1.5, 1, 1, 1), 0, [1.79, 1.8], ".m"),
        ((0.5, 1, 1, 1), 0, [0.59, 0.6], ".m"),
        ((1, 0.5, 1, 1), 0, [1.3, 0.31, 0.3], "mm!"),
        ((1, 1.5, 1, 1), 0, [1.3, 0.91, 0.89], "mm!"),
        ((1, 1, 0.5, 1), 1, [0.89, 0.91], ".t"),
        ((1, 1, 2.0, 1), 1, [3.59, 3.6], ".t"),
        ((1, 1, 1, 0.5), 1, [2.0, 1.71, 1.69, 1.7], "ttt!"),
        ((1, 1, 1, 2.0), 1, [2.0, 0.81, 0.82, 0.8, 0.81], "tttt!"),
    ],
)
def test_r10_each_factor_scales_its_own_threshold(multipliers, trend, z, story):
    day = Day(trend=trend).z(z).advise(0, multipliers)
    assert day.play(limits=BLOCK).story(last=len(z)) == story


def test_r10_advice_applies_to_symbols_armed_before_it():
    """Armed under a trigger of 0.6; from row 3 on it is 0.9, and 0.8 triggers."""
    day = Day().z([1.3, 0.8, 0.8, 0.8]).advise(3, (1, 1.5, 1, 1))
    assert day.play(limits=BLOCK).story(last=4) == "mmm!"
    tightened = Day().z([1.3, 1.0, 0.5, 0.3]).advise(2, (1, 0.5, 1, 1))
    assert tightened.play(limits=BLOCK).story(last=4) == "mmm!"


def test_r10_a_harder_arm_does_not_disarm():
    day = Day().z([1.3, 1.3, 0.5]).advise(1, (2, 1, 1, 1))
    assert day.play(limits=BLOCK).story(last=3) == "mm!"


def test_multipliers_expire_and_the_base_thresholds_return():
    day = Day().z([1.3] * 6).advise(0, (2, 1, 1, 1), until=3)
    assert day.play(limits=BLOCK).story(last=5) == "...mm"
    easy = Day().z([0.7] * 3, at=3).advise(0, (0.5, 0.5, 1, 1), until=4)
    assert easy.play(limits=BLOCK).story(first=2, last=6) == "mmmm"
    late = Day().z([0.7] * 3, at=3).advise(0, (0.5, 0.5, 1, 1), until=3)
    late.columns["z"][:3, 0] = 0.0
    assert late.play(limits=BLOCK).story(last=6) == "......"


def test_multipliers_do_not_outlive_their_session():
    first = Day().advise(0, (0.5, 1, 1, 1)).play(limits=BLOCK)
    second = Day(session=NEXT_DAY).z([0.7]).play(first.desk, limits=BLOCK)
    assert second.story() == ""


def loss_day(loss: float, multipliers: tuple[float, float, float, float], trend: int = 0) -> Day:
    """A holds 100 shares marked `loss` dollars under its fill; B meets the multipliers at row 20.

    A's bracket is far away (ATR $20); B's z is set by the test.
    """
    day = long_day(symbols=2, trend=[0, trend])
    day.columns["atr_5m"][:, 0] = 20.0
    day.level(100.01 - loss / 100.0, at=10)
    return day.advise(0, multipliers)


HOLD_ON = RiskLimits(max_risk_per_trade=5.0, trailing_stop=100.0)


@pytest.mark.parametrize(
    ("loss", "z", "armed"),
    [
        (249.0, 0.7, True),  # half of $500 is not passed: 0.5 × 1.2 = 0.6
        (251.0, 0.7, False),
        (251.0, 1.19, False),
        (251.0, 1.2, True),
    ],
)
def test_in_drawdown_an_arm_multiplier_below_one_becomes_one(loss, z, armed):
    day = loss_day(loss, (0.5, 1, 0.5, 1))
    day.columns["z"][:20, 1] = 0.0
    played = day.z([z], symbol=1, at=20).play(limits=HOLD_ON)
    assert (played.story(1, first=20, last=21) == "m") is armed


@pytest.mark.parametrize(("loss", "armed"), [(249.0, True), (251.0, False)])
def test_in_drawdown_the_tc_arm_tightens_too(loss, armed):
    day = loss_day(loss, (1, 1, 0.5, 1), trend=1)
    day.columns["z"][:20, 1] = 0.0
    played = day.z([1.5], symbol=1, at=20).play(limits=HOLD_ON)
    assert (played.story(1, first=20, last=21) == "t") is armed


def test_in_drawdown_an_arm_multiplier_above_one_stays():
    day = loss_day(300.0, (1.5, 1, 1, 1))
    played = day.z([1.7, 1.8], symbol=1, at=20).play(limits=HOLD_ON)
    assert played.story(1, first=20, last=22) == ".m"


def test_in_drawdown_the_trigger_multipliers_stand():
    day = loss_day(300.0, (1, 1.5, 1, 1)).z([1.3, 0.85], symbol=1, at=20)
    assert day.play(limits=HOLD_ON).story(1, first=20, last=22) == "m!"


def test_in_drawdown_the_smaller_of_the_two_loss_limits_counts():
    """5 % of $4,000 is $200, so $101 is beyond half of the limit."""
    for loss, armed in ((99.0, True), (101.0, False)):
        day = loss_day(0.0, (0.5, 1, 1, 1))
        day.columns["z"][:20, 1] = 0.0
        day.level(100.01 - loss / 4.0, at=10)  # 4 shares: 10 % of $4,000
        played = day.z([0.7], symbol=1, at=20).play(limits=HOLD_ON, equity=4_000.0)
        assert played.entries[0].quantity == 4
        assert (played.story(1, first=20, last=21) == "m") is armed


# ------------------------------------------------------------------------------- verdicts


def test_a_validator_is_asked_with_the_signal_and_its_factor_sizes_the_order():
    asked: list[Signal] = []

    def halve(signal: Signal) -> float:
        asked.append(signal)
        return 0.5

    played = long_day().play(validator=halve)
    assert [(s.symbol, s.price, s.stop, s.side) for s in asked] == [("A", 100.0, 98.6, 1)]
    assert asked == [played.decision.signal]
    assert played.entries[0].quantity == 50
    assert played.decision.verdict is not None
    assert played.decision.verdict.size_factor == 0.5


def test_a_signal_that_risk_refuses_is_not_shown_to_the_validator():
    asked = []
    played = long_day().play(limits=BLOCK, validator=lambda s: asked.append(s) or 1.0)
    assert asked == []
    assert played.decision.plan.blocked_by == "positions"
    assert played.decision.verdict is None


def test_a_veto_frees_the_slot_for_the_next_symbol_of_the_minute():
    day = Day(3)
    for symbol in range(3):
        day.z([-1.3, -0.5], symbol)
    played = day.play(
        limits=RiskLimits(max_positions=1),
        validator=lambda s: 0.0 if s.symbol == "A" else 1.0,
    )
    assert [d.plan.blocked_by for d in played.decisions] == ["validation", "", "positions"]
    assert [d.verdict is None for d in played.decisions] == [False, False, True]


def test_a_verdict_that_approves_is_as_if_nobody_had_been_asked():
    for seed in range(20):
        day, limits = random_day(seed), random_limits(seed)
        assert outcome(day.play(limits=limits)) == outcome(
            day.play(limits=limits, validator=lambda s: 1.0)
        )


def test_while_a_verdict_is_awaited_nothing_is_committed():
    """The desk between question and answer holds no order; asking twice gives the same."""
    day = long_day(symbols=2).z([-1.3, -0.5], symbol=1)
    desk = day.begin()
    clock, rules = session_clock(day.session, StdevParameters()), pack_defaults()
    log = EventLog.with_room_for(2)
    states, sides = np.zeros((390, 2), np.int8), np.zeros((390, 2), np.int8)
    result = advance(desk, day.grid, clock, rules, log, states, sides, 0, 390, validate=True)
    assert result == (AWAITS_VERDICT, 1, 0)
    assert desk.slots["entry_quantity"].tolist() == [0, 0]
    assert desk.account["trades_today"][0] == 0
    assert signal_of_last(log, ("A", "B")).symbol == "A"
    result = advance(
        desk,
        day.grid,
        clock,
        rules,
        log,
        states,
        sides,
        1,
        390,
        resume=0,
        size_factor=0.5,
        validate=True,
    )
    assert result == (AWAITS_VERDICT, 1, 1)
    assert desk.slots["entry_quantity"].tolist() == [50, 0]


def test_a_late_verdict_is_too_old():
    day = long_day()
    desk = day.begin()
    clock, rules = session_clock(day.session, StdevParameters()), pack_defaults()
    log = EventLog.with_room_for(1)
    states, sides = np.zeros((390, 1), np.int8), np.zeros((390, 1), np.int8)
    _, row, symbol = advance(desk, day.grid, clock, rules, log, states, sides, 0, 2, validate=True)
    advance(
        desk,
        day.grid,
        clock,
        rules,
        log,
        states,
        sides,
        row,
        2,
        resume=symbol,
        size_factor=1.0,
        age=121.0,
        validate=True,
    )
    assert desk.slots["entry_quantity"][0] == 0
    assert states[1, 0] == 3


def pack_defaults() -> np.ndarray:
    return pack(StdevParameters(), RiskLimits(), FillRules())


# ----------------------------------------------------------------- blocks, logs, restarts


def outcome(played: Played) -> tuple[object, ...]:
    """Everything a day leaves behind, comparable; verdicts aside."""
    events = [
        repr(replace(event, verdict=None) if isinstance(event, Decision) else event)
        for event in played.events
    ]
    return (
        events,
        played.states.tobytes(),
        played.sides.tobytes(),
        played.desk.slots.tobytes(),
        played.desk.account.tobytes(),
    )


def opinion(seed: int):
    """A validator that approves, halves or refuses by the signal alone."""

    def validate(signal: Signal) -> float:
        turn = (to_minute(signal.start) * 31 + ord(signal.symbol) + seed) % 4
        return (1.0, 0.5, 0.0, 0.25)[turn]

    return validate


@settings(max_examples=150)
@given(
    seed=seeds,
    cuts=st.lists(st.integers(1, 389), max_size=8),
    asked=st.booleans(),
    half=st.booleans(),
)
def test_the_result_does_not_depend_on_how_minutes_are_cut_into_blocks(seed, cuts, asked, half):
    day = random_day(seed, session=HALF_DAY if half else FULL_DAY)
    limits, validator = random_limits(seed), opinion(seed) if asked else None
    whole = day.play(limits=limits, validator=validator)
    assert outcome(day.play(limits=limits, validator=validator, cuts=cuts)) == outcome(whole)


@settings(max_examples=15)
@given(seed=seeds, asked=st.booleans())
def test_minute_by_minute_is_the_same_as_all_at_once(seed, asked):
    day, limits = random_day(seed), random_limits(seed)
    validator = opinion(seed) if asked else None
    whole = day.play(limits=limits, validator=validator)
    live = day.play(limits=limits, validator=validator, cuts=range(1, 390))
    assert outcome(live) == outcome(whole)


@settings(max_examples=100)
@given(seed=seeds, restarts=st.lists(st.integers(1, 389), min_size=1, max_size=5))
def test_a_desk_that_was_dumped_and_loaded_mid_session_goes_on_identically(seed, restarts):
    day, limits = random_day(seed), random_limits(seed)
    whole = day.play(limits=limits)
    assert outcome(day.play(limits=limits, restart_at=restarts)) == outcome(whole)


@settings(max_examples=50)
@given(seed=seeds, room=st.integers(0, 40))
def test_a_small_log_only_ends_a_block_early(seed, room):
    """The least a log may hold is one minute's worst case; the result is that of a large one."""
    day, limits = random_day(seed), random_limits(seed)
    small = day.play(limits=limits, room=4 * MOST_PER_SYMBOL_MINUTE + room)
    assert outcome(small) == outcome(day.play(limits=limits))


def test_a_full_log_says_which_row_comes_next():
    day = long_day()
    desk = day.begin()
    log = EventLog.with_room_for(1)
    small = EventLog(log.events[: MOST_PER_SYMBOL_MINUTE + 1], log.checks, log.used)
    states, sides = np.zeros((390, 1), np.int8), np.zeros((390, 1), np.int8)
    clock, rules = session_clock(day.session, StdevParameters()), pack_defaults()
    result = advance(desk, day.grid, clock, rules, small, states, sides, 0, 390)
    assert result == (LOG_FULL, 2, -1)  # armed and signal are in it
    assert small.used[0] == 2
    small.used[0] = 0
    assert advance(desk, day.grid, clock, rules, small, states, sides, 2, 390)[0] == DONE


def test_an_empty_block_does_nothing():
    day = long_day()
    desk = day.begin()
    before = desk.dump()
    states = np.zeros((390, 1), np.int8)
    result = advance(
        desk,
        day.grid,
        session_clock(day.session, StdevParameters()),
        pack_defaults(),
        EventLog.with_room_for(1),
        states,
        states.copy(),
        5,
        5,
    )
    assert result == (DONE, 5, -1)
    assert desk.dump() == before


@settings(max_examples=60)
@given(seed=seeds, row=st.integers(0, 389))
def test_nothing_comes_from_the_future(seed, row):
    """Whatever happens from a row on, everything before it is the same."""
    day, limits = random_day(seed), random_limits(seed)
    before = day.play(limits=limits, until=row)
    other = random_day(seed + 1)
    for name, column in day.columns.items():
        column[row:] = other.columns[name][row:]
    day.present[row:] = other.present[row:]
    assert outcome(day.play(limits=limits, until=row)) == outcome(before)


@given(seed=seeds)
@settings(max_examples=60)
def test_what_stands_under_a_missing_bar_does_not_matter(seed):
    day, limits = random_day(seed), random_limits(seed)
    day.trend = [0, 1, -1, 0]
    first = outcome(day.play(limits=limits))
    rng = np.random.default_rng(seed)
    for column in day.columns.values():
        holes = ~day.present
        column[holes] = rng.choice([0.0, -1.0, 1e9, np.inf, NAN], int(holes.sum()))
    assert outcome(day.play(limits=limits)) == first


@given(seed=seeds)
@settings(max_examples=60)
def test_long_and_short_are_mirror_images(seed):
    """z and trend negated: the machine shows the same states and the other side."""
    day = random_day(seed)
    plain = day.play(limits=BLOCK)
    day.columns["z"] = -day.columns["z"]
    day.trend = [-side for side in day.trend]
    mirrored = day.play(limits=BLOCK)
    assert np.array_equal(plain.states, mirrored.states)
    assert np.array_equal(plain.sides, -mirrored.sides)


@given(seed=seeds)
@settings(max_examples=40)
def test_symbols_only_meet_in_the_account(seed):
    """With limits out of the way, three symbols together trade as each of them alone."""
    free = RiskLimits(
        max_positions=100,
        max_trades_per_day=1000,
        max_orders_per_minute=100,
        max_total_exposure=np.inf,
        max_open_risk=100.0,
        max_daily_loss=np.inf,
        max_daily_loss_percent=100.0,
        kill_loss_percent=100.0,
        max_drawdown_percent=100.0,
        max_position=25.0,
        max_symbol_exposure=5_000.0,
        max_risk_per_trade=5.0,
    )
    day = random_day(seed, symbols=3)
    day.advice = []
    day.columns["atr_5m"] = np.minimum(day.columns["atr_5m"], day.columns["close"] * 0.02)
    together = day.play(limits=free, equity=1e7)
    for symbol in range(3):
        alone = random_day(seed, symbols=3)
        for other in range(3):
            if other != symbol:
                alone.missing(*range(390), symbol=other)
        alone.advice = []
        alone.columns["atr_5m"] = np.minimum(
            alone.columns["atr_5m"], alone.columns["close"] * 0.02
        )
        played = alone.play(limits=free, equity=1e7)
        trades = [repr(t) for t in together.all(Trade) if t.symbol == names(3)[symbol]]
        assert trades == [repr(t) for t in played.all(Trade)]
        mine = day.present[:, symbol]
        assert np.array_equal(together.states[mine, symbol], played.states[mine, symbol])


# --------------------------------------------------------------------- in any market


@dataclass
class Auditor:
    """Follows a day minute by minute with its own books, and checks the engine against them."""

    day: Day
    limits: RiskLimits
    desk: Desk
    fee: float = 0.0
    cash: float = 0.0
    held: dict[str, int] = field(default_factory=dict)
    marks: dict[str, float] = field(default_factory=dict)
    planned: dict[str, Decision] = field(default_factory=dict)
    open: dict[str, Decision] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    accepted_today: int = 0
    halted: bool = False
    peak: float = 0.0

    def follow(self) -> None:
        fills = FillRules(fee_per_share=self.fee)
        rules = pack(StdevParameters(), self.limits, fills)
        clock = session_clock(self.day.session, StdevParameters())
        self.symbols = names(self.day.symbols)
        self.start = float(self.desk.account["equity"][0])
        self.peak = max(self.peak, float(self.desk.account["peak"][0]))
        self.day_start = self.start
        self.day.begin(desk=self.desk)
        self.flat = int(clock["flat_from"][0])
        runner = Runner(self.day.grid, clock, rules, self.symbols)
        advice = {row: (factors, until) for row, factors, until in self.day.advice}
        for row in range(self.day.session.minutes):
            if row in advice:
                factors, until = advice[row]
                put_in_force(self.desk, factors, self.day.session.open + until)
            runner.events = []
            runner.run(self.desk, row, row + 1)
            self.states, self.sides = runner.states, runner.sides
            self.minute(row, runner.events)
        self.after_the_close()

    def cell(self, name: str, row: int, symbol: str) -> float:
        return float(self.day.columns[name][row, self.symbols.index(symbol)])

    def minute(self, row: int, events: list[object]) -> None:
        closing = row == self.day.session.minutes - 1
        for event in events:
            if isinstance(event, Fill):
                self.fill(event, row, closing)
            elif isinstance(event, Trade):
                self.close(event, row, closing)
        for s, symbol in enumerate(self.symbols):
            if self.day.present[row, s]:
                self.marks[symbol] = self.cell("close", row, symbol)
                self.bracket_was_kept(symbol, row)
        equity = self.day_start + self.cash + sum(
            shares * self.marks[symbol] for symbol, shares in self.held.items() if shares
        )
        assert float(self.desk.account["equity"][0]) == pytest.approx(equity, rel=1e-9)
        self.account_was_judged(row, equity, events)
        for event in events:
            if isinstance(event, Decision):
                self.decide(event, row, equity)
            elif isinstance(event, Transition) and event.reason == "armed":
                assert row < NOON
        self.limits_hold(equity, [e for e in events if isinstance(e, Decision)])
        self.no_naked_position()

    def fill(self, fill: Fill, row: int, closing: bool) -> None:
        at_close = closing and fill.reason != "entry" and to_minute(fill.start) != self.minute_of(row)
        volume = self.cell("volume", row, fill.symbol)
        last_close = closing and fill.price in self.close_prices(fill)
        if not at_close and not last_close:
            assert fill.quantity <= np.floor(volume / 10)
        before = self.held.get(fill.symbol, 0)
        if fill.reason == "entry":
            decision = self.planned.pop(fill.symbol)
            assert row < self.flat
            assert before == 0
            assert not self.halted
            assert 1 <= fill.quantity <= decision.plan.quantity
            assert fill.side == decision.signal.side
            expected = self.cell("open", row, fill.symbol) * (1 + fill.side * 1e-4)
            assert fill.price == pytest.approx(expected, rel=1e-12)
            self.open[fill.symbol] = decision
            self.best[fill.symbol] = fill.price
        else:
            assert np.sign(before) == -fill.side
            assert fill.quantity <= abs(before)
        self.held[fill.symbol] = before + fill.side * fill.quantity
        self.cash -= fill.side * fill.quantity * fill.price + fill.fees
        assert fill.fees == pytest.approx(self.fee * fill.quantity)

    def minute_of(self, row: int) -> int:
        return self.day.session.open + row

    def close_prices(self, fill: Fill) -> list[float]:
        mark = self.marks.get(fill.symbol, NAN)
        closes = [mark, self.cell("close", self.day.session.minutes - 1, fill.symbol)]
        return [close * (1 + fill.side * 1e-4) for close in closes]

    def close(self, trade: Trade, row: int, closing: bool) -> None:
        assert self.held[trade.symbol] == 0
        decision = self.open.pop(trade.symbol)
        self.trades.append(trade)
        assert trade.stop == decision.signal.stop
        assert trade.target == decision.signal.target
        if trade.exit_reason is ExitReason.TARGET and to_minute(trade.exit_time) == to_minute(
            trade.entry_time
        ):
            adverse = self.cell("low" if trade.side > 0 else "high", row, trade.symbol)
            assert trade.side * (adverse - trade.stop) > 0
        if row >= self.flat or closing:
            assert trade.exit_reason in set(ExitReason) - {ExitReason.TARGET} or (
                self.desk.account["equity"][0] is not None
            )

    def bracket_was_kept(self, symbol: str, row: int) -> None:
        """A position that saw its stop or target in this bar is no longer untouched after it."""
        decision = self.open.get(symbol)
        if decision is None:
            return
        s = self.symbols.index(symbol)
        slot = self.desk.slots[s]
        side, signal = decision.signal.side, decision.signal
        high, low = self.cell("high", row, symbol), self.cell("low", row, symbol)
        trail = self.best[symbol] * (1 - side * self.limits.trailing_stop / 100)
        stop = max(signal.stop, trail) if side > 0 else min(signal.stop, trail)
        adverse, good = (low, high) if side > 0 else (high, low)
        if slot["exit_due"] == 0:
            assert side * (adverse - stop) > 0, "the stop was touched and nothing happened"
            assert side * (good - signal.target) < 0, "the target was touched and nothing happened"
            assert row < self.flat
        self.best[symbol] = max(self.best[symbol], high) if side > 0 else min(
            self.best[symbol], low
        )

    def account_was_judged(self, row: int, equity: float, events: list[object]) -> None:
        if row == self.day.session.minutes - 1:
            return  # the closing fills come after the test
        self.peak = max(self.peak, equity)
        loss = self.day_start - equity
        kill = loss > self.limits.kill_loss_percent / 100 * self.day_start * (1 + 1e-9)
        fall = self.peak - equity > self.limits.max_drawdown_percent / 100 * self.peak * (1 + 1e-9)
        if kill or fall:
            assert self.desk.account["risk_state"][0] == HALTED
        changes = [event for event in events if isinstance(event, RiskChange)]
        assert len(changes) <= (0 if self.halted else 1)
        self.halted = self.halted or bool(changes)
        assert bool(self.desk.account["risk_state"][0] == HALTED) is self.halted

    def decide(self, decision: Decision, row: int, equity: float) -> None:
        signal = decision.signal
        assert row < NOON
        assert signal.price == self.cell("close", row, signal.symbol)
        if decision.plan.quantity == 0:
            assert decision.plan.blocked_by != ""
            return
        assert decision.plan.blocked_by == ""
        assert not self.halted
        assert signal.symbol not in self.planned
        assert self.held.get(signal.symbol, 0) == 0
        distance = abs(signal.price - signal.stop)
        assert distance > 0
        assert signal.side * (signal.price - signal.stop) > 0
        assert abs(signal.target - signal.price) == pytest.approx(1.5 * distance)
        quantity, room = decision.plan.quantity, 1 + 1e-9
        assert quantity * distance <= self.limits.max_risk_per_trade / 100 * equity * room
        assert quantity * signal.price <= self.limits.max_position / 100 * equity * room
        loss = self.day_start - equity
        assert loss <= self.limits.max_daily_loss * room
        assert loss <= self.limits.max_daily_loss_percent / 100 * self.day_start * room
        self.planned[signal.symbol] = decision

    def limits_hold(self, equity: float, decisions: list[Decision]) -> None:
        for symbol in list(self.planned):
            s = self.symbols.index(symbol)
            if self.desk.slots["entry_quantity"][s] == 0:
                del self.planned[symbol]  # cancelled
        accepted = [d for d in decisions if d.plan.quantity > 0]
        if not accepted:
            return
        exposure, risk, room = 0.0, 0.0, 1 + 1e-9
        for symbol in self.symbols:
            mine = abs(self.held.get(symbol, 0)) * self.marks.get(symbol, 0.0)
            decision = self.open.get(symbol)
            shares = abs(self.held.get(symbol, 0))
            if symbol in self.planned:
                decision = self.planned[symbol]
                shares = decision.plan.quantity
                mine = shares * decision.signal.price
                assert mine <= self.limits.max_symbol_exposure * room
            if decision is not None:
                risk += shares * abs(decision.signal.price - decision.signal.stop)
            exposure += mine
        assert exposure <= self.limits.max_total_exposure * room
        assert risk <= self.limits.max_open_risk / 100 * equity * room
        assert len(accepted) <= self.limits.max_orders_per_minute
        used = sum(1 for shares in self.held.values() if shares) + len(self.planned)
        assert used <= self.limits.max_positions
        done = [trade.symbol for trade in self.trades] + list(self.open) + list(self.planned)
        assert len(done) <= self.limits.max_trades_per_day
        for symbol in self.symbols:
            assert done.count(symbol) <= self.limits.max_trades_per_symbol

    def no_naked_position(self) -> None:
        for symbol, shares in self.held.items():
            slot = self.desk.slots[self.symbols.index(symbol)]
            assert slot["quantity"] == abs(shares)
            if shares:
                assert np.isfinite(slot["stop"])
                assert np.isfinite(slot["target"])
                assert slot["side"] * (slot["reference"] - slot["stop"]) > 0

    def after_the_close(self) -> None:
        assert not any(self.held.values())
        assert not self.desk.slots["quantity"].any()
        assert not self.desk.slots["entry_quantity"].any()
        earned = sum(trade.pnl for trade in self.trades)
        equity = float(self.desk.account["equity"][0])
        assert equity == pytest.approx(self.day_start + earned, rel=1e-12)
        assert earned == pytest.approx(self.cash, abs=1e-6 * max(1.0, abs(equity)) * 1e-3)


@settings(max_examples=80)
@given(seed=seeds, half=st.booleans(), fee=st.sampled_from([0.0, 0.01]))
def test_in_any_market_limits_hold_and_the_books_agree(seed, half, fee):
    day = random_day(seed, session=HALF_DAY if half else FULL_DAY)
    desk = Desk.new(4, 100_000.0)
    Auditor(day, random_limits(seed), desk, fee).follow()
    tomorrow = random_day(seed + 1, session=NEXT_DAY)
    halted = bool(desk.account["risk_state"][0] == HALTED)
    Auditor(tomorrow, random_limits(seed), desk, fee, halted=halted).follow()


def test_the_random_days_reach_every_corner():
    """What the properties above are worth: every reason and refusal happens in them."""
    seen: set[str] = set()
    for seed in range(400):
        played = random_day(seed).play(limits=random_limits(seed))
        seen |= {str(trade.exit_reason) for trade in played.all(Trade)}
        seen |= {decision.plan.blocked_by for decision in played.decisions}
        seen |= {event.reason for event in played.events if hasattr(event, "reason")}
    assert {str(reason) for reason in ExitReason} - {"max_hold"} <= seen
    assert {
        "risk_state",
        "atr_5m_known",
        "daily_loss",
        "daily_loss_percent",
        "positions",
        "trades_per_day",
        "trades_per_symbol",
        "orders_per_minute",
        "position_size",
        "total_exposure",
        "open_risk",
        "armed",
        "expired",
        "window_end",
        "entry_cancelled_at_flat_time",
        "entry_rejected_no_volume",
        "entry_rest_cancelled_volume_cap",
        "exit_rest_delayed_volume_cap",
        "entry_cancelled_risk_stop",
        "entry_cancelled_no_bar_before_the_close",
    } <= seen
