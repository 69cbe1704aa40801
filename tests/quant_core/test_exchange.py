"""The simulated exchange, the marks and the account's test: bars in, fills and money out.

`long_day()`: A is armed long at 09:30, triggers at 09:31 at $100 and fills at 09:32 at 100.01;
stop 98.60, target 102.10, 100 shares. `short_day()` mirrors it: 99.99, 101.40, 97.90.
"""

import pytest

from quant_core.desk import HALTED
from quant_core.parameters import FillRules, RiskLimits, StdevParameters
from quant_core.types import ExitReason, Fill, OrderRejection, RiskChange, RiskState, Trade
from tests.quant_core.worlds import (
    FLAT,
    HALF_DAY,
    NEXT_DAY,
    NO_SLIPPAGE,
    NOON,
    Day,
    Played,
    long_day,
    short_day,
)

DOWN_BP, UP_BP = 0.9999, 1.0001


def outcome(played: Played) -> tuple[int, float, str]:
    """Row, price and reason of the only trade's exit."""
    trade = played.trade
    return played.row(trade.exit_time), trade.exit_price, str(trade.exit_reason)


# --------------------------------------------------------------------------- entries (R39)


@pytest.mark.parametrize(
    ("make", "price"), [(long_day, 101.0 * UP_BP), (short_day, 99.0 * DOWN_BP)]
)
def test_r39_an_entry_fills_at_the_next_open_with_adverse_slippage(make, price):
    level = 101.0 if make is long_day else 99.0
    played = make().level(level, at=2).play()
    entry = played.entries[0]
    assert (played.row(entry.start), entry.quantity) == (2, 100)
    assert entry.price == pytest.approx(price, rel=1e-12)
    assert entry.side == (1 if make is long_day else -1)


def test_r39_the_next_bar_is_the_symbols_next_accepted_one():
    played = long_day().missing(2, 3, 4).play()
    assert played.row(played.entries[0].start) == 5
    assert played.story(last=7) == "m!!!!TT"


def test_r39_without_a_later_bar_the_entry_is_cancelled():
    played = long_day().missing(*range(2, 390)).play()
    refusal = played.one(OrderRejection)
    assert refusal.reason == "entry_cancelled_no_bar_before_the_close"
    assert refusal.quantity == 100
    assert played.all(Fill) == []
    assert played.desk.slots["entry_quantity"][0] == 0
    assert played.desk.account["trades_today"][0] == 0


def test_r39_an_entry_is_never_carried_into_the_next_session():
    first = long_day().missing(*range(2, 390)).play()
    second = Day(session=NEXT_DAY).play(first.desk)
    assert second.events == []


@pytest.mark.parametrize(("session", "flat"), [(None, FLAT), (HALF_DAY, 195)])
def test_r39_a_bar_at_or_after_the_flat_time_cancels_the_entry(session, flat):
    def with_next_bar(row: int) -> Played:
        day = long_day() if session is None else long_day(session=session)
        return day.missing(*range(2, row)).play()

    late = with_next_bar(flat)
    assert late.one(OrderRejection).reason == "entry_cancelled_at_flat_time"
    assert late.row(late.one(OrderRejection).start) == flat
    assert late.all(Fill) == []
    assert late.desk.account["trades_today"][0] == 0
    assert late.desk.slots["trades_today"][0] == 0
    in_time = with_next_bar(flat - 1)
    assert in_time.row(in_time.trade.entry_time) == flat - 1
    assert outcome(in_time)[0] == flat


# --------------------------------------------------------------------- the bracket (R40, R42)


@pytest.mark.parametrize(
    ("bar", "price", "reason"),
    [
        ({"low": 98.61}, None, None),
        ({"low": 98.6}, 98.6 * DOWN_BP, "stop"),  # touch is inclusive
        ({"low": 97.0}, 98.6 * DOWN_BP, "stop"),
        ({"open": 97.0, "high": 97.5, "low": 96.0, "close": 97.0}, 97.0 * DOWN_BP, "stop"),
        ({"high": 102.09}, None, None),
        ({"high": 102.1}, 102.1, "target"),  # inclusive, without slippage
        ({"high": 105.0}, 102.1, "target"),
        ({"open": 103.0, "high": 104.0, "low": 102.5, "close": 103.0}, 103.0, "target"),
        ({"high": 103.0, "low": 98.0}, 98.6 * DOWN_BP, "stop"),  # both: the stop
        (
            {"open": 103.0, "high": 104.0, "low": 98.0, "close": 103.0},
            98.6 * DOWN_BP,
            "stop",
        ),  # both, although the open is beyond the target
    ],
)
def test_r40_r42_long_bracket(bar, price, reason):
    day = long_day().bar(5, **bar)
    if reason is None:
        assert day.play().trade.exit_reason is ExitReason.END_OF_DAY
        return
    row, exit_price, exit_reason = outcome(day.play())
    assert (row, exit_reason) == (5, reason)
    assert exit_price == pytest.approx(price, rel=1e-12)


@pytest.mark.parametrize(
    ("bar", "price", "reason"),
    [
        ({"high": 101.39}, None, None),
        ({"high": 101.4}, 101.4 * UP_BP, "stop"),
        ({"open": 103.0, "high": 104.0, "low": 102.5, "close": 103.0}, 103.0 * UP_BP, "stop"),
        ({"low": 97.91}, None, None),
        ({"low": 97.9}, 97.9, "target"),
        ({"open": 97.0, "high": 97.5, "low": 96.0, "close": 97.0}, 97.0, "target"),
        ({"high": 102.0, "low": 97.0}, 101.4 * UP_BP, "stop"),
        ({"open": 97.0, "high": 102.0, "low": 97.0, "close": 97.0}, 101.4 * UP_BP, "stop"),
    ],
)
def test_r40_r42_short_bracket(bar, price, reason):
    day = short_day().bar(5, **bar)
    if reason is None:
        assert day.play().trade.exit_reason is ExitReason.END_OF_DAY
        return
    row, exit_price, exit_reason = outcome(day.play())
    assert (row, exit_reason) == (5, reason)
    assert exit_price == pytest.approx(price, rel=1e-12)


def test_r40_the_bracket_is_live_from_the_entry_bar_on():
    assert outcome(long_day().bar(2, low=98.0).play()) == (
        2,
        pytest.approx(98.6 * DOWN_BP),
        "stop",
    )
    assert outcome(long_day().bar(2, high=102.1).play()) == (2, 102.1, "target")


def test_r40_an_entry_bar_that_opens_beyond_the_stop_is_bought_and_stopped_at_its_open():
    played = long_day().level(98.0, at=2).play()
    assert played.entries[0].price == pytest.approx(98.0 * UP_BP)
    assert outcome(played) == (2, pytest.approx(98.0 * DOWN_BP), "stop")
    assert played.trade.pnl == pytest.approx(-100 * 98.0 * 0.0002)


def test_r40_an_entry_bar_that_opens_beyond_the_target_exits_at_that_open():
    played = long_day().level(103.0, at=2).play()
    assert outcome(played) == (2, 103.0, "target")
    assert played.trade.pnl == pytest.approx(-1.03)  # bought at 103.0103


def test_the_bar_before_the_entry_touches_nothing():
    """The trigger bar itself goes through stop and target; the order is not filled yet."""
    played = long_day().bar(1, high=110.0, low=90.0).play()
    assert outcome(played)[0] == FLAT


# --------------------------------------------------------------------- trailing stop (R43)


def wide_day(atr: float = 10.0) -> Day:
    """Long at 100.01 with an ATR of $10: stop 86, target 121, so the trailing stop leads."""
    day = long_day()
    day.columns["atr_5m"][1, 0] = atr
    return day


def test_r43_the_trailing_stop_starts_5_percent_under_the_fill():
    level = 100.01 * 0.95  # 95.0095
    assert outcome(wide_day().bar(5, low=95.01).play())[2] == "end_of_day"
    assert outcome(wide_day().bar(5, low=95.0095 - 1e-9).play()) == (
        5,
        pytest.approx(level * DOWN_BP),
        "trailing_stop",
    )


def test_r43_the_level_uses_finished_bars_only():
    """Bar 5 runs to 110 and back to 96: 104.5 is not in force yet. Bar 6 finds it."""
    day = wide_day().bar(5, high=110.0, low=96.0)
    played = day.level(108.0, at=6).bar(8, low=104.5).play()
    assert outcome(played) == (8, pytest.approx(104.5 * DOWN_BP), "trailing_stop")


def test_r43_the_entry_bars_own_high_counts_from_the_next_bar_on():
    day = wide_day().bar(2, high=110.0).level(106.0, at=3).bar(3, low=104.4)
    assert outcome(day.play()) == (3, pytest.approx(104.5 * DOWN_BP), "trailing_stop")


def test_r43_a_gap_through_the_trailing_level_fills_at_the_open():
    day = wide_day().bar(5, high=110.0)  # then the flat 100.0: below 104.5 at once
    assert outcome(day.play()) == (6, pytest.approx(100.0 * DOWN_BP), "trailing_stop")


def test_r43_short_trails_from_the_lows():
    day = short_day()
    day.columns["atr_5m"][1, 0] = 10.0
    day.bar(5, low=90.0).level(93.0, at=6).bar(8, high=94.5)
    assert outcome(day.play()) == (8, pytest.approx(94.5 * UP_BP), "trailing_stop")


def test_r43_the_tighter_stop_is_active_and_names_the_reason():
    """ATR 3: stop 95.8 is tighter than 95.0095."""
    assert outcome(wide_day(3.0).bar(5, low=95.0).play()) == (
        5,
        pytest.approx(95.8 * DOWN_BP),
        "stop",
    )


def test_r43_an_equal_level_is_called_the_stop():
    """Fill 100 without slippage, trailing 1.4 %: both levels stand at 98.6."""
    limits = RiskLimits(trailing_stop=1.4)
    played = long_day().bar(5, low=90.0).play(limits=limits, fills=NO_SLIPPAGE)
    assert played.trade.stop == 98.6
    assert 100.0 * (1.0 - 1.4 / 100.0) == 98.6
    assert outcome(played) == (5, 98.6, "stop")


def test_r43_a_new_trade_does_not_inherit_the_old_best():
    """A first trade saw 104 and left by the target; a second one trails from its own fill."""
    day = wide_day().bar(5, high=121.5).z([-1.3, -0.5], at=20)
    day.columns["atr_5m"][21, 0] = 10.0
    played = day.bar(30, low=96.0).play()
    first, second = played.all(Trade)
    assert first.exit_reason is ExitReason.TARGET
    assert second.exit_reason is ExitReason.END_OF_DAY  # 96 is above 95.0095


# ------------------------------------------------------------------------- end of day (R41)


def test_r41_end_of_day_is_the_open_of_the_first_bar_from_15_50_before_any_stop_test():
    played = long_day().bar(FLAT, open=97.0, high=97.0, low=90.0, close=95.0).play()
    assert outcome(played) == (FLAT, pytest.approx(97.0 * DOWN_BP), "end_of_day")


def test_r41_end_of_day_comes_before_the_target_too():
    played = long_day().bar(FLAT, open=101.0, high=105.0, low=101.0, close=104.0).play()
    assert outcome(played) == (FLAT, pytest.approx(101.0 * DOWN_BP), "end_of_day")


def test_r41_the_stop_still_works_in_the_minute_before():
    assert outcome(long_day().bar(FLAT - 1, low=98.0).play())[::2] == (FLAT - 1, "stop")


def test_r41_missing_bars_from_15_50_wait_for_the_first_one():
    played = long_day().missing(FLAT, FLAT + 1).bar(FLAT + 2, open=100.5, close=100.5).play()
    assert outcome(played) == (FLAT + 2, pytest.approx(100.5 * DOWN_BP), "end_of_day")


def test_r41_on_a_half_day_it_is_15_minutes_before_the_close():
    played = long_day(session=HALF_DAY).level(100.2, at=195).play()
    assert outcome(played) == (195, pytest.approx(100.2 * DOWN_BP), "end_of_day")
    assert str(played.trade.exit_time) == "2025-11-28 17:45:00+00:00"  # 12:45 New York


@pytest.mark.parametrize("last", [FLAT - 1, 300, 2])
def test_r41_with_no_such_bar_it_is_the_last_close(last):
    day = long_day().bar(last, close=100.7).missing(*range(last + 1, 390))
    played = day.play()
    assert outcome(played) == (last, pytest.approx(100.7 * DOWN_BP), "end_of_day")
    assert played.desk.slots["quantity"][0] == 0
    assert played.equity == pytest.approx(100_000.0 + played.trade.pnl, abs=1e-9)


def test_r41_short_without_a_late_bar_pays_the_slippage_upwards():
    played = short_day().bar(300, close=99.5).missing(*range(301, 390)).play()
    assert outcome(played) == (300, pytest.approx(99.5 * UP_BP), "end_of_day")


def test_r41_only_the_symbol_without_late_bars_is_closed_at_its_last_close():
    day = long_day(symbols=2).z([-1.3, -0.5], symbol=1).bar(300, symbol=1, close=100.7)
    day.missing(*range(301, 390), symbol=1).level(100.2, at=FLAT)
    ends = {t.symbol: (t.exit_price, t.exit_time) for t in day.play().all(Trade)}
    assert ends["A"][0] == pytest.approx(100.2 * DOWN_BP)
    assert ends["B"][0] == pytest.approx(100.7 * DOWN_BP)


def test_a_flat_time_before_the_open_cancels_every_entry():
    played = long_day().play(playbook=StdevParameters(flat_from=9 * 60))
    assert played.one(OrderRejection).reason == "entry_cancelled_at_flat_time"
    assert played.all(Trade) == []


def test_max_hold_exits_at_the_open_when_it_is_reached():
    played = long_day().level(100.3, at=7).play(playbook=StdevParameters(max_hold=5))
    assert outcome(played) == (7, pytest.approx(100.3 * DOWN_BP), "max_hold")


# ----------------------------------------------------------------------- volume cap (R44)


@pytest.mark.parametrize(
    ("volume", "shares"), [(1000.0, 100), (999.0, 99), (555.0, 55), (59.0, 5), (19.0, 1), (10.0, 1)]
)
def test_r44_an_entry_takes_a_tenth_of_the_bar_and_the_rest_is_cancelled(volume, shares):
    played = long_day().bar(2, volume=volume).play()
    assert played.entries[0].quantity == shares
    assert played.trade.quantity == shares
    rejected = [r for r in played.all(OrderRejection) if r.reason.startswith("entry_rest")]
    assert [r.quantity for r in rejected] == ([100 - shares] if shares < 100 else [])
    assert len(played.entries) == 1


@pytest.mark.parametrize("volume", [0.0, 1.0, 9.99])
def test_r44_an_entry_of_0_shares_is_rejected_and_gives_its_count_back(volume):
    played = long_day().bar(2, volume=volume).play()
    assert played.one(OrderRejection).reason == "entry_rejected_no_volume"
    assert played.all(Trade) == []
    assert played.story(last=4) == "m!.."
    assert played.desk.account["trades_today"][0] == 0
    assert played.desk.slots["trades_today"][0] == 0


def test_r44_the_rest_of_an_exit_goes_out_at_the_next_opens():
    """100 shares; the stop's bar takes 30, the next open 20, a dry bar nothing, then the rest."""
    day = long_day().level(98.0, at=6).bar(5, low=98.5, volume=300.0)
    day.bar(6, open=98.2, high=105.0, volume=205.0)  # the target does not matter any more
    day.bar(7, volume=9.0).bar(8, open=97.5)
    played = day.play()
    exits = [(played.row(f.start), f.quantity, f.price) for f in played.exits]
    assert exits == [
        (5, 30, pytest.approx(98.6 * DOWN_BP)),
        (6, 20, pytest.approx(98.2 * DOWN_BP)),
        (8, 50, pytest.approx(97.5 * DOWN_BP)),
    ]
    trade = played.trade
    mean = (30 * 98.6 + 20 * 98.2 + 50 * 97.5) * DOWN_BP / 100
    assert trade.exit_price == pytest.approx(mean, rel=1e-12)
    assert trade.pnl == pytest.approx(100 * (mean - 100.01), rel=1e-9)
    assert (trade.quantity, trade.exit_reason) == (100, ExitReason.STOP)
    assert played.row(trade.exit_time) == 8
    assert [r.quantity for r in played.all(OrderRejection)] == [70, 50, 50]
    assert {f.reason for f in played.exits} == {"stop"}
    assert played.story(last=21) == "m!" + "T" * 6 + "c" * 11 + ".."


def test_r44_the_rest_of_a_target_leaves_at_market():
    day = long_day().bar(5, high=102.5, volume=400.0).bar(6, open=101.0)
    played = day.play()
    assert [(f.quantity, f.price, f.reason) for f in played.exits] == [
        (40, 102.1, "target"),
        (60, pytest.approx(101.0 * DOWN_BP), "target"),
    ]


def test_r44_a_dry_end_of_day_is_closed_at_the_last_close():
    """Every bar from 15:50 on has 90 shares: 9 a minute for ten minutes, 10 are left over."""
    day = long_day()
    day.columns["volume"][FLAT:, 0] = 90.0
    day.bar(389, close=99.0)
    played = day.play()
    assert [f.quantity for f in played.exits] == [9] * 10 + [10]
    assert played.exits[-1].price == pytest.approx(99.0 * DOWN_BP)
    assert played.trade.exit_reason is ExitReason.END_OF_DAY
    assert played.row(played.trade.exit_time) == 389
    assert played.equity == pytest.approx(100_000.0 + played.trade.pnl, abs=1e-9)


def test_r44_a_waiting_exit_keeps_its_reason_into_the_end_of_day():
    day = long_day().bar(FLAT - 1, low=98.0, volume=9.0)
    played = day.play()
    assert outcome(played) == (FLAT, pytest.approx(100.0 * DOWN_BP), "stop")


def test_r44_participation_is_a_parameter():
    played = long_day().bar(2, volume=100.0).play(fills=FillRules(max_participation=50.0))
    assert played.trade.quantity == 50


def test_r44_each_fill_is_capped_by_itself_also_on_the_entry_bar():
    """Entry and stop share a bar of 500 shares: 50 in, 50 out."""
    played = long_day().bar(2, low=98.0, volume=500.0).play()
    assert [f.quantity for f in played.all(Fill)] == [50, 50]
    assert played.story(last=4) == "m!cc"


@pytest.mark.parametrize("percent", [1, 7, 28, 29, 55, 57, 58, 99, 100])
def test_r44_whole_percents_of_whole_hundreds_are_exact(percent):
    """29 % of 100 shares is 29, not 28.999…; floor must not lose a share to rounding."""
    fills = FillRules(max_participation=float(percent))
    assert long_day().bar(2, volume=100.0).play(fills=fills).trade.quantity == percent


# ------------------------------------------------------------- what the last rows show (R31)


def test_r31_a_position_closed_at_the_last_close_is_shown_alike_whenever_that_bar_was():
    """Both are closed after their last bar, at its close: once at 14:30, once at 15:59."""
    early = long_day().missing(*range(301, 390)).play()
    dry = long_day()
    dry.columns["volume"][FLAT:, 0] = 0.0
    late = dry.play()
    assert outcome(early)[2] == outcome(late)[2] == "end_of_day"
    assert [early.row(early.trade.exit_time), late.row(late.trade.exit_time)] == [300, 389]
    assert early.story(first=300, last=301) == late.story(first=389, last=390)


def test_r31_a_trigger_on_the_sessions_last_bar_is_shown_as_triggered():
    """The window is a parameter: open to the close, the 15:59 bar may trigger. Its row says so,
    although the entry can only be cancelled."""
    played = Day().z([-1.3, -0.5], at=388).play(playbook=StdevParameters(entry_until=16 * 60))
    assert played.decision.plan.quantity == 100
    assert played.one(OrderRejection).reason == "entry_cancelled_no_bar_before_the_close"
    assert played.story(first=388, last=390) == "m!"


# ------------------------------------------------------------------------------- fees, marks


def test_r42_fees_are_charged_on_every_share_of_both_fills():
    fills = FillRules(fee_per_share=0.02)
    played = long_day().bar(5, high=103.0).play(fills=fills)
    assert [f.fees for f in played.all(Fill)] == [2.0, 2.0]
    assert played.trade.fees == 4.0
    assert played.trade.pnl == pytest.approx(209.0 - 4.0)
    assert played.equity == pytest.approx(100_205.0)


def test_r42_slippage_is_a_parameter():
    played = long_day().bar(5, low=98.0).play(fills=FillRules(slippage_bps=10.0))
    assert played.trade.entry_price == pytest.approx(100.1)
    assert played.trade.exit_price == pytest.approx(98.6 * 0.999)


def test_r36_equity_is_start_plus_realised_plus_unrealised_at_last_closes():
    day = long_day().bar(4, close=100.5)
    assert day.play(until=2).equity == 100_000.0
    assert day.play(until=3).equity == pytest.approx(100_000.0 - 1.0)  # 100.00 against 100.01
    assert day.play(until=5).equity == pytest.approx(100_000.0 + 49.0)
    assert day.play(until=6).equity == pytest.approx(100_000.0 - 1.0)


def test_r36_a_missing_bar_leaves_the_last_close_as_the_mark():
    day = long_day().bar(4, close=100.5).missing(5, 6)
    assert day.play(until=7).equity == pytest.approx(100_049.0)


def test_r36_shorts_and_partial_exits_and_fees_are_marked():
    fills = FillRules(fee_per_share=0.01)
    day = short_day().bar(5, high=101.4, close=101.0, volume=400.0)
    equity = day.play(until=6, fills=fills).equity
    sold = 40 * (99.99 - 101.4 * UP_BP)
    held = 60 * (99.99 - 101.0)
    assert equity == pytest.approx(100_000.0 + sold + held - 0.01 * 140, rel=1e-12)


def test_two_trades_of_one_symbol_add_up():
    """The first loses $150.86, so the second is for 99 shares: 10 % of $99,849."""
    day = long_day().bar(5, low=98.0).z([-1.3, -0.5], at=30).bar(40, high=103.0)
    played = day.play()
    stopped, won = played.all(Trade)
    assert stopped.pnl == pytest.approx(100 * (98.6 * DOWN_BP - 100.01))
    assert won.pnl == pytest.approx(99 * 2.09)
    assert played.equity == pytest.approx(100_000.0 + stopped.pnl + won.pnl, abs=1e-9)


# ------------------------------------------------------------------ the order in a minute (R34)


def test_r34_a_slot_freed_by_an_exit_is_usable_at_that_minutes_close():
    """One position allowed: A's stop at 09:35 frees it for B, which triggers at 09:35."""
    day = long_day(symbols=2).bar(5, low=98.0).z([-1.3, -0.5], symbol=1, at=4)
    played = day.play(limits=RiskLimits(max_positions=1))
    second = next(d for d in played.decisions if d.signal.symbol == "B")
    assert second.plan.quantity > 0
    held = long_day(symbols=2).z([-1.3, -0.5], symbol=1, at=4)
    blocked = held.play(limits=RiskLimits(max_positions=1))
    second = next(d for d in blocked.decisions if d.signal.symbol == "B")
    assert second.plan.blocked_by == "positions"


def test_r34_risk_sees_the_marks_of_the_same_minute():
    """A's close falls at 09:35, B triggers at 09:35: its daily-loss check reads that fall."""
    day = long_day(symbols=2).bar(5, close=99.0).z([-1.3, -0.5], symbol=1, at=4)
    played = day.play()
    second = next(d for d in played.decisions if d.signal.symbol == "B")
    loss = next(check for check in second.plan.checks if check.name == "daily_loss")
    assert loss.before == pytest.approx(101.0)


def test_r34_symbols_are_decided_in_watchlist_order():
    day = Day(4)
    for symbol in range(4):
        day.z([-1.3, -0.5], symbol)
    played = day.play()
    assert [(d.signal.symbol, d.plan.quantity) for d in played.decisions] == [
        ("A", 100),
        ("B", 100),
        ("C", 100),
        ("D", 0),
    ]


def test_r34_entries_fill_before_exits():
    """B's entry and A's stop meet in one minute: the log has the entry first."""
    day = long_day(symbols=2).z([-1.3, -0.5], symbol=1, at=3).bar(5, low=98.0)
    played = day.play()
    at_5 = [(f.symbol, f.reason) for f in played.all(Fill) if played.row(f.start) == 5]
    assert at_5 == [("B", "entry"), ("A", "stop")]


# ------------------------------------------------------- kill switch and drawdown (R48)

# 100 shares, a stop at 72, no trailing stop: only the account's test can close the position.
NERVOUS = RiskLimits(
    max_risk_per_trade=5.0, trailing_stop=100.0, kill_loss_percent=1.0, max_daily_loss=1e9
)
SHAKY = RiskLimits(
    max_risk_per_trade=5.0, trailing_stop=100.0, max_drawdown_percent=1.0, max_daily_loss=1e9
)


def deep_day(symbols: int = 1) -> Day:
    day = long_day(symbols=symbols)
    day.columns["atr_5m"][:] = 20.0
    return day


def test_r48_a_loss_over_the_kill_limit_halts_and_closes_at_the_next_open():
    day = deep_day().bar(5, close=89.0).level(88.0, at=6)
    played = day.play(limits=NERVOUS)
    change = played.one(RiskChange)
    assert (played.row(change.start), change.state) == (5, RiskState.HALTED)
    assert change.reason == "kill: daily loss"
    assert change.equity == pytest.approx(100_000.0 - 1101.0)
    assert outcome(played) == (6, pytest.approx(88.0 * DOWN_BP), "kill")
    assert played.desk.account["risk_state"][0] == HALTED


def test_r48_a_loss_of_exactly_the_limit_does_not_kill():
    day = deep_day().level(90.0, at=5)
    assert day.play(limits=NERVOUS, fills=NO_SLIPPAGE).all(RiskChange) == []
    day = deep_day().level(89.99, at=5)
    assert len(day.play(limits=NERVOUS, fills=NO_SLIPPAGE).all(RiskChange)) == 1


def test_r48_a_fall_from_the_peak_liquidates():
    """Up $1,000 to a peak of 101,000, then down 1,011: more than 1 % of the peak."""
    day = deep_day().level(110.0, at=5, until=8).level(99.89, at=8)
    played = day.play(limits=SHAKY, fills=NO_SLIPPAGE)
    change = played.one(RiskChange)
    assert (played.row(change.start), change.reason) == (8, "liquidation: drawdown from peak")
    assert outcome(played) == (9, 99.89, "drawdown")
    fine = deep_day().level(110.0, at=5, until=8).level(99.90, at=8)
    assert fine.play(limits=SHAKY, fills=NO_SLIPPAGE).all(RiskChange) == []


def test_r48_where_both_limits_are_passed_it_is_called_a_kill():
    limits = RiskLimits(
        max_risk_per_trade=5.0,
        trailing_stop=100.0,
        kill_loss_percent=1.0,
        max_drawdown_percent=1.0,
        max_daily_loss=1e9,
    )
    played = deep_day().level(89.0, at=5).play(limits=limits)
    assert played.one(RiskChange).reason == "kill: daily loss"
    assert outcome(played)[2] == "kill"


def test_r48_the_peak_is_remembered_over_sessions():
    first = deep_day().level(110.0, at=5).play(limits=SHAKY, fills=NO_SLIPPAGE)
    assert first.equity == 101_000.0
    second = long_day(session=NEXT_DAY)
    second.columns["atr_5m"][:] = 20.0
    second.level(89.0, at=5)
    played = second.play(first.desk, limits=SHAKY, fills=NO_SLIPPAGE)
    assert played.one(RiskChange).equity == 101_000.0 - 1_100.0


def test_r48_the_daily_loss_starts_anew_each_session():
    """Each day loses $900 of 1 %: neither kills, although both together would."""
    first = deep_day().level(91.0, at=5).play(limits=NERVOUS, fills=NO_SLIPPAGE)
    assert first.equity == 99_100.0
    day = long_day(session=NEXT_DAY)
    day.columns["atr_5m"][:] = 20.0
    second = day.level(91.0, at=5).play(first.desk, limits=NERVOUS, fills=NO_SLIPPAGE)
    assert second.all(RiskChange) == []
    assert second.desk.account["session_equity"][0] == 99_100.0


def test_r48_a_waiting_entry_is_cancelled_when_the_account_stops():
    """B triggered at 09:34 and has no bar at 09:35, when A's fall stops the account."""
    day = deep_day(2).bar(5, close=89.0).level(89.0, at=6)
    day.z([-1.3, -0.5], symbol=1, at=3).missing(5, symbol=1)
    played = day.play(limits=NERVOUS)
    refusal = played.one(OrderRejection)
    assert (refusal.symbol, refusal.reason) == ("B", "entry_cancelled_risk_stop")
    assert [t.symbol for t in played.all(Trade)] == ["A"]
    assert played.desk.account["trades_today"][0] == 1
    assert played.desk.slots["trades_today"].tolist() == [1, 0]


def test_r48_nothing_is_bought_while_halted_not_even_in_that_minute():
    day = deep_day(2).bar(5, close=89.0).level(89.0, at=6)
    day.z([-1.3, -0.5], symbol=1, at=4).z([-1.3, -0.5], symbol=1, at=20)
    played = day.play(limits=NERVOUS)
    blocked = [d.plan.blocked_by for d in played.decisions if d.signal.symbol == "B"]
    assert blocked == ["risk_state", "risk_state"]


def test_r48_the_exit_waits_for_the_symbols_next_bar():
    day = deep_day().bar(5, close=89.0).missing(6, 7).level(89.0, at=8)
    assert outcome(day.play(limits=NERVOUS))[::2] == (8, "kill")


def test_r48_without_a_next_bar_the_kill_closes_at_the_last_close():
    day = deep_day().bar(5, close=89.0).missing(*range(6, 390))
    assert outcome(day.play(limits=NERVOUS)) == (5, pytest.approx(89.0 * DOWN_BP), "kill")


def test_r48_every_position_is_closed():
    day = deep_day(3).z([-1.3, -0.5], symbol=1).z([1.3, 0.5], symbol=2)
    day.bar(5, close=89.0).level(89.0, at=6)
    played = day.play(limits=NERVOUS)
    assert {(t.symbol, str(t.exit_reason)) for t in played.all(Trade)} == {
        ("A", "kill"),
        ("B", "kill"),
        ("C", "kill"),
    }
    assert len(played.all(RiskChange)) == 1


def test_halted_persists_across_sessions_and_restarts():
    first = deep_day().bar(5, close=89.0).level(89.0, at=6).play(limits=NERVOUS)
    tomorrow = long_day(session=NEXT_DAY).play(first.desk, limits=NERVOUS, restart_at=[0, 1, 2])
    assert tomorrow.decision.plan.blocked_by == "risk_state"
    assert tomorrow.all(Fill) == []
    assert tomorrow.all(RiskChange) == []
    assert tomorrow.desk.account["risk_state"][0] == HALTED


def test_a_kill_takes_over_from_nothing_but_not_from_a_waiting_stop():
    """The stop's rest is waiting when the account stops: the trade keeps its own reason."""
    day = deep_day().bar(5, low=70.0, close=85.0, volume=100.0).level(85.0, at=6)
    played = day.play(limits=NERVOUS)
    assert played.trade.exit_reason is ExitReason.STOP
    assert [(f.quantity, f.reason) for f in played.exits] == [(10, "stop"), (90, "stop")]


def test_a_stop_that_found_no_volume_keeps_its_reason_when_the_account_stops():
    day = deep_day().bar(5, low=70.0, close=85.0, volume=9.0).level(85.0, at=6)
    played = day.play(limits=NERVOUS)
    assert len(played.all(RiskChange)) == 1
    assert outcome(played) == (6, pytest.approx(85.0 * DOWN_BP), "stop")


def test_the_window_closes_entries_but_not_positions():
    played = Day().z([-1.3, -0.5], at=NOON - 2).bar(200, high=103.0).play()
    assert outcome(played) == (200, 102.1, "target")
