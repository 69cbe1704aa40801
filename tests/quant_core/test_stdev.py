"""The state machine of `stdev`, minute by minute: z values in, one letter per minute out.

Letters: . idle, m mr_armed, t tc_armed, ! triggered, T in_trade, c cooldown.
"""

import math

import numpy as np
import pytest

from quant_core.desk import IDLE, IN_TRADE, MR_ARMED, TC_ARMED, TRIGGERED
from quant_core.parameters import RiskLimits, StdevParameters
from quant_core.types import ExitReason, OrderRejection, Setup, State, Trade, Transition
from tests.quant_core.worlds import (
    HALF_DAY,
    NAN,
    NEXT_DAY,
    NOON,
    Day,
    long_day,
    short_day,
)

UP, DOWN, NONE = 1, -1, 0
BLOCK = RiskLimits(max_positions=0)  # nothing is ever bought: only the machine is seen


def blocked_story(z: list[float], trend: int = NONE, first: int = 0, last: int = 12) -> str:
    """What the machine shows when risk refuses everything."""
    return Day(trend=trend).z(z).play(limits=BLOCK).story(first=first, last=last)


# -------------------------------------------------------------------------------- arming


@pytest.mark.parametrize(
    ("trend", "z", "expected", "side"),
    [
        (NONE, 0.0, State.IDLE, 0),
        (NONE, 1.19, State.IDLE, 0),
        (NONE, 1.2, State.MR_ARMED, -1),
        (NONE, -1.2, State.MR_ARMED, +1),
        (NONE, 1.2 - 1e-12, State.IDLE, 0),
        (NONE, 5.0, State.MR_ARMED, -1),
        (DOWN, 1.2, State.MR_ARMED, -1),
        (UP, -1.2, State.MR_ARMED, +1),
        (UP, 1.2, State.IDLE, 0),  # with the trend only TC, and that asks for 1.8
        (UP, 1.79, State.IDLE, 0),
        (UP, 1.8, State.TC_ARMED, +1),
        (UP, 1.8 - 1e-12, State.IDLE, 0),
        (DOWN, -1.8, State.TC_ARMED, -1),
        (DOWN, -1.79, State.IDLE, 0),
        (DOWN, 1.8, State.MR_ARMED, -1),
    ],
)
def test_r6_arming_thresholds_are_inclusive_and_the_trend_decides_the_setup(
    trend, z, expected, side
):
    played = Day(trend=trend).z([z]).play(limits=BLOCK)
    assert tuple(State)[played.states[0, 0]] is expected
    assert played.sides[0, 0] == side


def test_r9_arming_is_on_level_not_on_crossing():
    """z has been far out since before the window's first bar; it arms at once, and again."""
    assert blocked_story([2.0, 2.0, 0.1, 1.5, 1.5], last=6) == "mm!mmm"


def test_r9_a_bar_makes_one_transition_so_arming_and_trigger_never_share_a_bar():
    """mr_trigger doubled to 1.2 equals mr_arm: z = 1.2 arms at one bar and triggers at the next."""
    day = Day().z([1.2, 1.2, 1.2, 1.2]).advise(0, (1.0, 2.0, 1.0, 1.0))
    assert day.play(limits=BLOCK).story(last=5) == "m!m!."


def test_r9_arming_is_evaluated_only_in_idle():
    """While MR is armed neither a greater z nor the other sign re-arms: there is one transition."""
    played = Day().z([1.3, 2.5, -3.0, 1.9, 0.7]).play(limits=BLOCK)
    armed = [t for t in played.all(Transition) if t.reason == "armed"]
    assert [(played.row(t.start), t.side, t.z) for t in armed] == [(0, -1, 1.3)]


def test_r19_a_symbol_that_may_not_arm_stays_idle():
    played = Day(2).z([5.0, 0.0], 0).z([5.0, 0.0], 1).play(armable=[False, True], limits=BLOCK)
    assert played.story(0) == ""
    assert played.story(1) == "m!"


def test_r33_every_session_starts_idle():
    """Armed late with a long window, the symbol is idle at the next open."""
    late = StdevParameters(entry_until=16 * 60)
    first = Day().z([1.3, *[0.9] * 4], at=385).play(playbook=late, limits=BLOCK)
    assert first.story(first=385) == "mmmmm"
    second = Day(session=NEXT_DAY).z([0.5]).play(first.desk, playbook=late, limits=BLOCK)
    assert second.story() == ""
    assert second.events == []


# --------------------------------------------------------------------------- not ready (R8)


def test_r8_on_a_bar_that_is_not_ready_nothing_moves():
    """No arming, no trigger, no expiry count, no cooldown count; the state shown stands still."""
    assert blocked_story([NAN, 1.3, NAN, 0.5, 0.0]) == ".mm!........"


def test_r8_expiry_does_not_count_bars_that_are_not_ready():
    z = [1.3, *[1.0] * 30, *[NAN] * 20, *[1.0] * 30, 1.0]
    # 60 ready bars after the arming bar: rows 1-30 and 51-80.
    played = Day().z(z).play(limits=BLOCK)
    assert played.story() == "m" * 80
    assert played.row(played.all(Transition)[-1].start) == 80


def test_r8_cooldown_does_not_count_bars_that_are_not_ready():
    day = long_day().bar(2, low=98.0).z([NAN] * 5, at=3).z([1.3] * 20, at=8)
    # Stopped at 2 (bar 0); not ready 3-7; bars 1-10 are rows 8-17; row 18 arms.
    assert day.play().story(last=20) == "m!" + "c" * 16 + "mm"


def test_r8_exits_of_an_open_position_run_on_bars_that_are_not_ready():
    played = long_day().z([NAN] * 10, at=2).bar(4, low=98.0).play()
    assert played.trade.exit_reason is ExitReason.STOP
    assert played.row(played.trade.exit_time) == 4
    assert played.story(last=6) == "m!TTcc"


def test_r39_an_entry_fills_on_a_bar_that_is_not_ready():
    played = long_day().z([NAN], at=2).play()
    assert played.row(played.entries[0].start) == 2


# ------------------------------------------------------------------------------ window (R20)


def test_r20_the_window_is_from_the_open_to_the_bar_of_11_59():
    arms_first = Day().z([1.3]).play(limits=BLOCK)
    assert arms_first.story() != ""
    at_noon = Day().z([1.3], at=NOON).play(limits=BLOCK)
    assert at_noon.story() == ""
    last = Day().z([1.3, 0.5], at=NOON - 2).play()
    assert last.story(first=NOON - 2, last=NOON + 2) == "m!TT"
    assert last.row(last.entries[0].start) == NOON  # the order of 11:59 fills at the 12:00 open


def test_r20_the_window_is_the_same_on_a_half_day():
    inside = Day(session=HALF_DAY).z([1.3, 0.5], at=NOON - 2).play()
    assert inside.story(first=NOON - 2, last=NOON + 1) == "m!T"
    assert Day(session=HALF_DAY).z([1.3] * 5, at=NOON).play().story() == ""


def test_r21_the_first_bar_outside_the_window_disarms_before_any_trigger_test():
    played = Day().z([1.3, 0.5], at=NOON - 1).play(limits=BLOCK)
    assert played.story(first=NOON - 1, last=NOON + 2) == "m.."
    last = played.all(Transition)[-1]
    assert (last.reason, played.row(last.start), last.state) == ("window_end", NOON, State.IDLE)
    assert last.side == -1
    assert played.decisions == []


def test_r21_holds_for_tc_and_waits_for_a_ready_bar():
    day = Day(trend=UP).z([2.0, 1.0], at=NOON - 2).z([NAN, NAN, 1.5], at=NOON)
    played = day.play(limits=BLOCK)
    assert played.story(first=NOON - 2, last=NOON + 4) == "tttt.."


def test_the_window_is_a_parameter():
    late = StdevParameters(entry_from=10 * 60, entry_until=10 * 60 + 2)
    played = Day().z([1.3] * 40).play(playbook=late, limits=BLOCK)
    assert played.story(first=29, last=34) == ".mm.."


# --------------------------------------------------------------------- mean reversion (R22)


@pytest.mark.parametrize(
    ("z", "expected"),
    [
        ([1.3, 0.6], "m!"),
        ([1.3, 0.6 + 1e-12], "mm"),
        ([1.3, -0.6], "m!"),  # either side of the mean
        ([1.3, -0.61], "mm"),  # jumped across the band: no trigger
        ([1.3, -2.0, 0.61, 0.0], "mmm!"),
        ([-1.3, 0.6], "m!"),
        ([-1.3, -0.6], "m!"),
    ],
)
def test_r22_mr_triggers_inside_the_band_on_either_side(z, expected):
    assert blocked_story(z, last=len(z)) == expected


def test_r26_side_and_setup_are_fixed_at_arming():
    """Armed short at +1.3; z goes to -2 (where the other side would arm) and comes back."""
    played = Day().z([1.3, -2.0, 0.5]).play(limits=BLOCK)
    assert played.sides[:4, 0].tolist() == [-1, -1, -1, 0]
    assert played.decision.signal.side == -1
    assert played.decision.signal.setup is Setup.MEAN_REVERSION


def test_r26_tc_stays_tc_when_mr_conditions_come():
    """Armed TC long at +2; z at -1.5 would arm MR, and |z| ≤ 0.6 would trigger MR."""
    played = Day(trend=UP).z([2.0, -1.5, -1.6, 0.0]).play(limits=BLOCK)
    # pulled back at row 1 (3.5 from the extreme); row 2 is lower; row 3 is higher: triggers
    assert played.story(last=5) == "ttt!."
    assert played.decision.signal.setup is Setup.TREND_CONTINUATION
    assert played.decision.signal.side == 1


# ------------------------------------------------------------------ trend continuation (R25)


@pytest.mark.parametrize(
    ("z", "expected"),
    [
        ([2.0, 1.4, 1.5], "tt!"),  # pullback 0.6 exactly, then up
        ([2.0, 1.4 + 1e-9, 1.5], "ttt"),  # pullback not reached: rising is nothing
        ([2.0, 1.4, 1.4, 1.3, 1.31], "tttt!"),  # equal is not greater
        ([2.0, 1.0, 3.0], "tt!"),
        ([2.0, 1.9, 2.5, 1.95, 1.9, 1.91], "ttttt!"),  # the extreme moves up to 2.5
        ([2.0, 2.6, 2.0, 2.1], "ttt!"),  # 2.6 - 2.0 is 0.6 from the new extreme
        ([2.0, -1.0, -0.9], "tt!"),  # crossing zero does not cancel
        ([2.0, 1.3, NAN, 1.35], "ttt!"),  # compared with the last ready bar
        ([2.0, 1.3, NAN, 1.25], "tttt"),
    ],
)
def test_r25_tc_tracks_the_extreme_waits_for_the_pullback_and_triggers_on_the_turn(z, expected):
    assert blocked_story(z, trend=UP, last=len(z)) == expected
    mirrored = [-value for value in z]
    assert blocked_story(mirrored, trend=DOWN, last=len(z)) == expected


def test_r25_the_pullback_may_be_a_long_slide():
    z = [2.0, 1.9, 1.8, 1.7, 1.6, 1.5, 1.4, 1.3]
    assert blocked_story([*z, 1.31], trend=UP, last=9) == "tttttttt!"


def test_r25_the_pullback_once_done_stays_done():
    """The threshold in force doubles after the pullback was made: it is not asked again (R10)."""
    day = Day(trend=UP).z([2.0, 1.3, 1.25, 1.3]).advise(2, (1.0, 1.0, 1.0, 2.0))
    assert day.play(limits=BLOCK).story(last=5) == "ttt!."


# -------------------------------------------------------------------------- expiry (R27)


def test_r27_bar_60_can_still_trigger():
    played = Day().z([1.3, *[1.0] * 59, 0.5]).play(limits=BLOCK)
    assert played.story() == "m" * 60 + "!"


def test_r27_if_bar_60_does_not_trigger_the_state_at_its_close_is_idle_and_the_next_may_arm():
    played = Day().z([1.3] * 63).play(limits=BLOCK)
    assert played.story(last=63) == "m" * 60 + "." + "mm"
    reasons = [(played.row(t.start), t.reason, t.side) for t in played.all(Transition)]
    assert reasons[:3] == [(0, "armed", -1), (60, "expired", -1), (61, "armed", -1)]


def test_r27_holds_for_tc():
    played = Day(trend=UP).z([2.0] * 63).play(limits=BLOCK)
    assert played.story(last=63) == "t" * 60 + "." + "tt"


# -------------------------------------------------- after the trigger (R29, R30, R31, R32)


def test_r30_a_blocked_trigger_is_idle_on_the_next_bar_and_that_bar_may_arm():
    assert blocked_story([1.3, 0.5, 1.3, 0.5, 0.7], last=6) == "m!m!.."
    played = Day().z([1.3, 0.5, -1.3]).play(limits=BLOCK)
    assert played.sides[:4, 0].tolist() == [-1, -1, 1, 1]
    assert played.decision.plan.blocked_by == "positions"


def test_r29_limits_never_prevent_arming_or_triggering():
    """Everything is refused, every time, and every trigger still writes its signal."""
    played = Day().z([1.3, 0.5] * 20).play(limits=BLOCK)
    assert len(played.decisions) == 20
    assert played.story(last=40) == "m!" * 20


def test_r30_a_veto_causes_no_cooldown():
    played = Day().z([1.3, 0.5, 1.3]).play(validator=lambda signal: 0.0)
    assert played.story(last=4) == "m!mm"
    assert played.decision.plan.blocked_by == "validation"


def test_r31_states_of_a_whole_trade():
    played = short_day().bar(5, high=101.5).play()
    assert played.story() == "m!TTT" + "c" * 11
    assert played.sides[:6, 0].tolist() == [-1, -1, -1, -1, -1, 0]


def test_r31_side_is_zero_in_idle_and_cooldown():
    played = short_day().bar(5, high=101.5).z([2.0] * 30, at=18).play()
    resting = np.isin(played.states[:, 0], [IDLE, list(State).index(State.COOLDOWN)])
    assert not played.sides[resting, 0].any()
    busy = np.isin(played.states[:, 0], [MR_ARMED, TC_ARMED, TRIGGERED, IN_TRADE])
    assert played.sides[busy, 0].all()


def test_r31_a_trade_that_opens_and_closes_in_one_bar_shows_cooldown_there():
    played = long_day().bar(2, low=98.0).play()
    assert played.story(last=4) == "m!cc"
    assert played.sides[2, 0] == 0


def test_r32_bar_0_and_bars_1_to_10_rest_and_bar_11_can_arm():
    played = long_day().bar(2, low=98.0).z([1.3] * 20, at=2).play()
    assert played.story(last=15) == "m!" + "c" * 11 + "mm"
    assert played.row(played.all(Transition)[1].start) == 13


def test_r32_counts_bars_of_the_symbol_not_minutes():
    day = long_day().bar(2, low=98.0).missing(3, 4, 5).z([1.3] * 20, at=6)
    played = day.play()
    assert played.story(first=15, last=18) == "cmm"


def test_r32_cooldown_outside_the_window_ends_in_idle_not_armed():
    played = Day().z([-1.3, -0.5], at=NOON - 2).bar(NOON, low=98.0).z([1.3] * 30, at=NOON).play()
    assert played.story(first=NOON - 2, last=NOON + 13) == "m!" + "c" * 11 + ".."


def test_cooldown_of_zero_bars_may_arm_on_the_bar_after_the_close():
    played = (
        long_day()
        .bar(2, low=98.0)
        .z([1.3] * 4, at=2)
        .play(playbook=StdevParameters(cooldown_bars=0))
    )
    assert played.story(last=5) == "m!cmm"


def test_r44_an_entry_of_no_shares_is_rejected_and_the_same_bar_may_arm():
    played = long_day().bar(2, volume=9.0).z([1.3], at=2).play()
    assert played.one(OrderRejection).reason == "entry_rejected_no_volume"
    assert played.one(OrderRejection).quantity == 100
    assert played.story(last=4) == "m!mm"
    assert played.all(Trade) == []


# ------------------------------------------------------------------------ the signal (R24)


def test_r24_stop_and_target_come_from_the_close_of_the_trigger_bar_and_stay():
    """Trigger at a close of 100; the fill at 101.0 (+1 bp) does not move 98.60 and 102.10."""
    day = long_day().bar(1, close=100.0).bar(2, open=101.0, high=101.0, close=101.0)
    played = day.level(101.0, at=3).bar(9, low=98.6).play()
    signal = played.decision.signal
    assert (signal.price, signal.stop, signal.target) == (100.0, 98.6, 102.1)
    assert played.trade.entry_price == pytest.approx(101.0101, rel=1e-12)
    assert played.trade.stop == 98.6
    assert played.trade.exit_price == pytest.approx(98.6 * 0.9999, rel=1e-12)


def test_r23_the_atr_of_the_trigger_bar_sizes_the_stop():
    day = long_day()
    day.columns["atr_5m"][:, 0] = 9.0
    day.columns["atr_5m"][1, 0] = 0.5
    signal = day.play().decision.signal
    assert signal.stop == pytest.approx(99.3)
    assert signal.target == pytest.approx(101.05)


def test_r28_prices_are_not_rounded_to_ticks():
    day = long_day(price=33.333)
    day.columns["atr_5m"][1, 0] = 0.123456789
    signal = day.play().decision.signal
    assert signal.stop == 33.333 - 1.4 * 0.123456789
    assert signal.target == 33.333 + 1.5 * (1.4 * 0.123456789)


def test_signal_of_a_short_mirrors_a_long():
    signal = short_day().play().decision.signal
    assert (signal.side, signal.stop, signal.target, signal.z) == (-1, 101.4, 97.9, 0.5)


def test_a_signal_tells_when_and_what():
    played = long_day().play()
    assert played.row(played.decision.signal.start) == 1
    assert played.decision.signal.symbol == "A"
    assert played.trade.signal_start == played.decision.signal.start


# ------------------------------------------------------------------------- symbol gaps


def test_a_missing_minute_moves_nothing_and_hides_garbage():
    """The numbers under a missing bar are NaN; only the bars there are count."""
    played = Day().z([1.3, 0.0, 0.0, 0.5]).missing(1, 2).play(limits=BLOCK)
    assert played.story(last=5) == "mmm!."


def test_a_symbol_without_any_bar_is_idle_all_day():
    day = Day(2).z([-1.3, -0.5])
    day.missing(*range(390), symbol=1)
    played = day.play()
    assert played.story(1) == ""
    assert played.trade.symbol == "A"
    assert math.isclose(played.equity, 100_000.0 + played.trade.pnl)


def test_a_day_without_any_bar_changes_nothing():
    day = Day(2)
    for symbol in range(2):
        day.missing(*range(390), symbol=symbol)
    played = day.play()
    assert played.events == []
    assert played.equity == 100_000.0


def test_a_minute_without_any_bar_is_passed_over():
    day = long_day(symbols=2)
    for symbol in range(2):
        day.missing(2, 3, symbol=symbol)
    played = day.bar(4, open=100.5, close=100.5, high=100.5).play()
    assert played.row(played.entries[0].start) == 4
    assert played.entries[0].price == pytest.approx(100.5 * 1.0001)
