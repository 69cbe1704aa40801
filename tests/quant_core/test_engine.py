"""The loop over minutes: multipliers in force, verdicts, blocks, and what holds in any market."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_core.calendar import to_datetime, to_minute
from quant_core.desk import Desk
from quant_core.engine import (
    AWAITS_VERDICT,
    DONE,
    LOG_FULL,
    advance,
)
from quant_core.events import MOST_PER_SYMBOL_MINUTE, DomainEvent, EventLog, signal_of_last
from quant_core.grid import session_clock
from quant_core.parameters import FillRules, RiskLimits, StdevParameters, pack
from quant_core.types import (
    Decision,
    ExitReason,
    Fill,
    RiskChange,
    Signal,
    State,
    Trade,
)
from tests.quant_core.worlds import (
    FLAT,
    FULL_DAY,
    HALF_DAY,
    NAN,
    NEXT_DAY,
    Day,
    Played,
    Runner,
    Validator,
    long_day,
    names,
    put_in_force,
    random_day,
    random_limits,
)
from tests.reference.stdev_reference import Machine, Snapshot, Thresholds

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
        unasked = outcome(day.play(limits=limits))
        approved = outcome(day.play(limits=limits, validator=lambda s: 1.0))
        assert approved[1:] == unasked[1:]


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
    result = advance(desk, day.grid, clock, rules, small, states, sides, 2, FLAT)
    assert result == (DONE, FLAT, -1)


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
        alone.columns["atr_5m"] = np.minimum(alone.columns["atr_5m"], alone.columns["close"] * 0.02)
        played = alone.play(limits=free, equity=1e7)
        trades = [repr(t) for t in together.all(Trade) if t.symbol == names(3)[symbol]]
        assert trades == [repr(t) for t in played.all(Trade)]
        mine = day.present[:, symbol]
        assert np.array_equal(together.states[mine, symbol], played.states[mine, symbol])


# --------------------------------------------------------------------- in any market

READY = Snapshot(
    ema_slope_daily=0.0,
    ema_slope_hourly=0.0,
    hh_ll_tag="mixed",
    atr_percentile=50.0,
    sessions=252,
    htf_trend=0,
    atr_5m=1.0,
    average_volume=1e7,
)


@dataclass
class Held:
    """A position in the auditor's books."""

    decision: Decision
    entry_row: int
    entry_price: float
    shares: int
    best: float
    waiting: str = ""

    @property
    def side(self) -> int:
        return self.decision.signal.side


@dataclass
class Auditor:
    """Keeps its own books of a day, minute by minute, and expects the engine's to be the same.

    Plain Python by the rules, for any limits, fills, advice and verdicts; the state machine is
    the reference's. Carried from one day to the next: cash, peak, and whether it was halted.
    """

    limits: RiskLimits
    fills: FillRules
    validator: Validator
    symbols: tuple[str, ...] = names(4)
    equity: float = 100_000.0
    peak: float = 100_000.0
    halted: str = ""

    def follow(self, day: Day, desk: Desk) -> None:
        """Run a day on a desk and compare after every minute."""
        self.day, self.desk = day, day.begin(desk=desk)
        self.start = self.equity
        self.cash = 0.0
        self.held: dict[str, Held] = {}
        self.waiting: dict[str, Decision] = {}
        self.marks: dict[str, float] = {}
        self.trades_of = dict.fromkeys(self.symbols, 0)
        self.machines = {symbol: Machine() for symbol in self.symbols}
        trends = np.broadcast_to(day.trend, len(self.symbols)).tolist()
        self.snapshots = {
            symbol: replace(READY, htf_trend=trend)
            for symbol, trend in zip(self.symbols, trends, strict=True)
        }
        self.advice = ((1.0, 1.0, 1.0, 1.0), 0)
        clock = session_clock(day.session, StdevParameters())
        self.flat = 195 if day.session.minutes < 390 else FLAT
        rules = pack(StdevParameters(), self.limits, self.fills)
        runner = Runner(day.grid, clock, rules, self.symbols, validator=self.validator)
        advice = {row: (factors, until) for row, factors, until in day.advice}
        for row in range(day.session.minutes):
            if row in advice:
                self.advice = advice[row]
                factors, until = advice[row]
                put_in_force(self.desk, factors, day.session.open + until)
            runner.events = []
            runner.run(self.desk, row, row + 1)
            self.minute(row, runner.events)
            self.compare_states(row, runner)
        assert not self.desk.slots["quantity"].any()
        assert not self.desk.slots["entry_quantity"].any()

    # ---- one minute

    def bars(self, row: int) -> list[str]:
        return [s for s, here in zip(self.symbols, self.day.present[row], strict=True) if here]

    def cell(self, name: str, row: int, symbol: str) -> float:
        return float(self.day.columns[name][row, self.symbols.index(symbol)])

    def cap(self, row: int, symbol: str) -> int:
        volume = self.cell("volume", row, symbol)
        return int(self.fills.max_participation / 100 * volume)

    def minute(self, row: int, events: list[DomainEvent]) -> None:
        self.ordered = 0
        self.moment = to_datetime(self.day.session.open + row)
        bars = self.bars(row)
        expected = [self.enter(row, symbol) for symbol in bars]
        expected += [self.leave(row, symbol) for symbol in bars]
        self.marks |= {symbol: self.cell("close", row, symbol) for symbol in bars}
        self.equity = self.worth()
        stopped = self.judge()
        changes = [event for event in events if isinstance(event, RiskChange)]
        assert len(changes) == (1 if stopped else 0)
        self.decide(row, events)
        if row == self.day.session.minutes - 1:
            expected += [self.close(symbol) for symbol in self.symbols]
            self.equity = self.worth()
        fills = [event for event in events if isinstance(event, Fill)]
        assert [(f.symbol, f.reason, f.side, f.quantity, f.price) for f in fills] == [
            (*line[:4], pytest.approx(line[4], rel=1e-12)) for line in expected if line
        ]
        equity = float(self.desk.account["equity"][0])
        assert math.isclose(equity, self.equity, rel_tol=1e-11), (equity, self.equity)
        for symbol, slot in zip(self.symbols, self.desk.slots, strict=True):
            shares = self.held[symbol].shares if symbol in self.held else 0
            assert slot["quantity"] == shares, "the engine holds something else"
            assert shares == 0 or slot["side"] * (slot["reference"] - slot["stop"]) > 0

    def worth(self) -> float:
        """Start, plus every dollar that moved, plus what is held at its last closes (R36)."""
        worth = [h.side * h.shares * self.marks[symbol] for symbol, h in self.held.items()]
        return self.start + self.cash + math.fsum(worth)

    def book(
        self, symbol: str, reason: str, side: int, shares: int, price: float
    ) -> tuple[str, str, int, int, float]:
        self.cash -= side * shares * price + shares * self.fills.fee_per_share
        return symbol, reason, side, shares, price

    def slipped(self, price: float, side: int) -> float:
        return price * (1 + side * self.fills.slippage_bps / 10_000)

    def enter(self, row: int, symbol: str) -> tuple[str, str, int, int, float] | None:
        decision = self.waiting.pop(symbol, None)
        if decision is None:
            return None
        shares = min(decision.plan.quantity, self.cap(row, symbol))
        if row >= self.flat or shares < 1:
            self.trades_of[symbol] -= 1
            self.machines[symbol].reset()
            return None
        side = decision.signal.side
        price = self.slipped(self.cell("open", row, symbol), side)
        self.held[symbol] = Held(decision, row, price, shares, best=price)
        self.machines[symbol].enter_trade()
        return self.book(symbol, "entry", side, shares, price)

    def leave(self, row: int, symbol: str) -> tuple[str, str, int, int, float] | None:
        held = self.held.get(symbol)
        if held is None:
            return None
        reason, price = self.exit_of(held, row, symbol)
        shares = min(held.shares, self.cap(row, symbol)) if reason else 0
        held.shares -= shares
        held.waiting = reason
        extreme = self.cell("high" if held.side > 0 else "low", row, symbol)
        held.best = max(held.best, extreme) if held.side > 0 else min(held.best, extreme)
        if held.shares == 0:
            del self.held[symbol]
            self.machines[symbol].trade_closed(self.moment)
        return self.book(symbol, reason, -held.side, shares, price) if shares else None

    def exit_of(self, held: Held, row: int, symbol: str) -> tuple[str, float]:
        """R40-R43, and a waiting reason first."""
        side, signal = held.side, held.decision.signal
        open_, high, low = (self.cell(name, row, symbol) for name in ("open", "high", "low"))
        if held.waiting or row >= self.flat:
            return held.waiting or "end_of_day", self.slipped(open_, -side)
        trail = held.best * (1 - side * self.limits.trailing_stop / 100)
        stop, reason = signal.stop, "stop"
        if side * trail > side * stop:
            stop, reason = trail, "trailing_stop"
        if (low <= stop) if side > 0 else (high >= stop):
            base = min(open_, stop) if side > 0 else max(open_, stop)
            return reason, self.slipped(base, -side)
        if (high >= signal.target) if side > 0 else (low <= signal.target):
            return "target", max(open_, signal.target) if side > 0 else min(open_, signal.target)
        return "", NAN

    def close(self, symbol: str) -> tuple[str, str, int, int, float] | None:
        self.waiting.pop(symbol, None)
        held = self.held.pop(symbol, None)
        if held is None:
            return None
        price = self.slipped(self.marks[symbol], -held.side)
        return self.book(symbol, held.waiting or "end_of_day", -held.side, held.shares, price)

    def judge(self) -> str:
        """R48; returns why the account stopped in this minute, if it did."""
        self.peak = max(self.peak, self.equity)
        if self.halted:
            return ""
        if self.start - self.equity > self.limits.kill_loss_percent / 100 * self.start:
            self.halted = "kill"
        elif self.peak - self.equity > self.limits.max_drawdown_percent / 100 * self.peak:
            self.halted = "drawdown"
        else:
            return ""
        for symbol in self.waiting:
            self.trades_of[symbol] -= 1
            self.machines[symbol].reset()
        self.waiting.clear()
        for held in self.held.values():
            held.waiting = held.waiting or self.halted
        return self.halted

    # ---- the playbook and risk

    def thresholds(self, row: int) -> Thresholds:
        """R10: multipliers until they expire; beyond half the daily limit they only tighten."""
        factors, until = self.advice
        mr_arm, mr_trigger, tc_arm, tc_trigger = factors if row < until else (1.0,) * 4
        percent = self.limits.max_daily_loss_percent / 100 * self.start
        if self.start - self.equity > min(self.limits.max_daily_loss, percent) / 2:
            mr_arm, tc_arm = max(mr_arm, 1.0), max(tc_arm, 1.0)
        return Thresholds(1.2 * mr_arm, 0.6 * mr_trigger, 1.8 * tc_arm, 0.6 * tc_trigger)

    def decide(self, row: int, events: list[DomainEvent]) -> None:
        decisions = [event for event in events if isinstance(event, Decision)]
        for symbol in self.bars(row):
            z = self.cell("z", row, symbol)
            if math.isnan(z):
                continue
            machine = self.machines[symbol]
            if not machine.step(self.moment, z, self.snapshots[symbol], self.thresholds(row)):
                continue
            assert decisions, f"{symbol} triggers and the engine does not know"
            decision = decisions.pop(0)
            self.check_signal(decision.signal, symbol, machine, row)
            blocked, shares = self.plan(decision.signal)
            assert (decision.plan.blocked_by, decision.plan.quantity) == (blocked, shares)
            if shares:
                self.waiting[symbol] = decision
                self.trades_of[symbol] += 1
                self.ordered += 1
        assert not decisions, "the engine triggers and nothing should"

    def check_signal(self, signal: Signal, symbol: str, machine: Machine, row: int) -> None:
        price = self.cell("close", row, symbol)
        distance = 1.4 * self.cell("atr_5m", row, symbol)
        assert (signal.symbol, signal.start, str(signal.setup), signal.side, signal.price) == (
            symbol,
            self.moment,
            machine.setup,
            machine.side,
            price,
        )
        stop, target = price - signal.side * distance, price + signal.side * 1.5 * distance
        assert signal.stop == pytest.approx(stop, rel=1e-12, nan_ok=True)
        assert signal.target == pytest.approx(target, rel=1e-12, nan_ok=True)

    def plan(self, signal: Signal) -> tuple[str, int]:
        """The first refusal in the engine's order, or the size and what the verdict leaves."""
        lim, equity = self.limits, self.equity
        risk = abs(signal.price - signal.stop)
        loss = self.start - equity
        percent = lim.max_daily_loss_percent / 100 * self.start
        used = len(self.held) + len(self.waiting)
        refusals = {
            "risk_state": bool(self.halted),
            "atr_5m_known": not risk > 0.0,
            "daily_loss": loss > lim.max_daily_loss,
            "daily_loss_percent": loss > percent,
            "positions": used >= lim.max_positions,
            "trades_per_day": sum(self.trades_of.values()) >= lim.max_trades_per_day,
            "trades_per_symbol": self.trades_of[signal.symbol] >= lim.max_trades_per_symbol,
            "orders_per_minute": self.ordered >= lim.max_orders_per_minute,
        }
        blocked = next((name for name, refused in refusals.items() if refused), "")
        if blocked:
            return blocked, 0
        exposure = [h.shares * self.marks[s] for s, h in self.held.items()]
        exposure += [d.plan.quantity * d.signal.price for d in self.waiting.values()]
        at_risk = [(h.shares, h.decision.signal) for h in self.held.values()]
        at_risk += [(d.plan.quantity, d.signal) for d in self.waiting.values()]
        open_risk = math.fsum(n * abs(s.price - s.stop) for n, s in at_risk)
        caps = {
            "risk_per_trade": equity * lim.max_risk_per_trade / 100 / risk,
            "position_size": lim.max_position / 100 * equity / signal.price,
            "symbol_exposure": lim.max_symbol_exposure / signal.price,
            "total_exposure": (lim.max_total_exposure - math.fsum(exposure)) / signal.price,
            "open_risk": (lim.max_open_risk / 100 * equity - open_risk) / risk,
        }
        blocked = next((name for name, cap in caps.items() if cap < 1.0), "")
        if blocked:
            return blocked, 0
        shares = math.floor(math.floor(min(caps.values())) * self.validator(signal))
        return ("", shares) if shares else ("validation", 0)

    def compare_states(self, row: int, runner: Runner) -> None:
        codes = {state: number for number, state in enumerate(State)}
        for symbol in self.bars(row):
            s, machine = self.symbols.index(symbol), self.machines[symbol]
            assert runner.states[row, s] == codes[State(machine.state)]
            assert runner.sides[row, s] == machine.side


def audit(seed: int) -> None:
    """Two days in a row of a random market under random rules."""
    rng = np.random.default_rng(seed)
    fills = FillRules(
        fee_per_share=float(rng.choice([0.0, 0.01])),
        slippage_bps=float(rng.choice([0.0, 1.0, 25.0])),
        max_participation=float(rng.choice([1.0, 10.0, 50.0])),
    )
    validator = opinion(seed) if rng.random() < 0.3 else lambda signal: 1.0
    auditor = Auditor(random_limits(seed), fills, validator)
    desk = Desk.new(4, 100_000.0)
    auditor.follow(random_day(seed, session=HALF_DAY if seed % 4 == 0 else FULL_DAY), desk)
    auditor.follow(random_day(seed + 1, session=NEXT_DAY), desk)


@settings(max_examples=60)
@given(seed=seeds)
def test_in_any_market_the_engine_does_what_an_auditor_expects(seed):
    audit(seed)


@pytest.mark.slow
@settings(max_examples=3000)
@given(seed=seeds)
def test_in_very_many_markets_the_engine_does_what_an_auditor_expects(seed):
    audit(seed)


@settings(max_examples=60)
@given(seed=seeds, asked=st.booleans())
def test_a_flat_book_has_earned_the_sum_of_its_trades(seed, asked):
    day, limits = random_day(seed), random_limits(seed)
    played = day.play(
        limits=limits,
        validator=opinion(seed) if asked else None,
        fills=FillRules(fee_per_share=0.02),
    )
    earned = math.fsum(trade.pnl for trade in played.all(Trade))
    assert played.equity == pytest.approx(100_000.0 + earned, rel=1e-12)
    for trade in played.all(Trade):
        assert trade.fees == pytest.approx(2 * 0.02 * trade.quantity)
        gross = trade.side * trade.quantity * (trade.exit_price - trade.entry_price)
        assert trade.pnl == pytest.approx(gross - trade.fees, rel=1e-9, abs=1e-6)


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
        "entry_cancelled_no_bar_before_the_close",
    } <= seen
