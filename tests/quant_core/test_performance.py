"""Metrics: hand-worked tables, agreement with empyrical, and the laws they obey."""

import math
from datetime import date, timedelta
from itertools import pairwise

import empyrical
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from quant_core.calendar import to_datetime
from quant_core.cycles import CycleRows
from quant_core.performance import (
    against,
    annual_return,
    cvar_95,
    daily_returns,
    measure,
    r_multiples,
    sharpe,
    sortino,
    total_return,
)
from quant_core.types import (
    Decision,
    ExitReason,
    Fill,
    LaneDay,
    Plan,
    RiskState,
    Setup,
    Signal,
    Trade,
)

NONE = np.array([])
MINUTE = 28_000_000


def samples(seed, count, scale=0.01):
    return np.random.Generator(np.random.PCG64(seed)).normal(0.0005, scale, count)


def returns_of(minimum, maximum=60):
    """Returns down to a millionth; what is below 1e-14 counts as rounding."""
    values = st.integers(-200_000, 200_000).map(lambda millionths: millionths / 1e6)
    return arrays(np.float64, st.integers(minimum, maximum), elements=values)


def lane_day(number, start, end):
    return LaneDay(
        date=date(2025, 1, 2) + timedelta(days=number),
        start_equity=start,
        end_equity=end,
        trades=0,
        signals=0,
        risk_state=RiskState.ACTIVE,
    )


def days_of(*equities):
    return [lane_day(i, *pair) for i, pair in enumerate(pairwise(equities))]


def cycles_of(closes, first=MINUTE):
    """One symbol, one row a minute."""
    rows = len(closes)
    nothing = np.full(rows, np.nan)
    return CycleRows(
        symbols=("SPY",),
        minute=np.arange(first, first + rows),
        symbol=np.zeros(rows, np.int16),
        close=np.array(closes, np.float64),
        mean=nothing,
        deviation=nothing,
        z=nothing,
        ready=np.zeros(rows, np.bool_),
        htf_trend=np.zeros(rows, np.int8),
        state=np.zeros(rows, np.int8),
        side=np.zeros(rows, np.int8),
    )


def fill(minute, side, quantity, price, fees=0.0, reason="entry"):
    return Fill(
        symbol="SPY",
        start=to_datetime(minute),
        side=side,
        quantity=quantity,
        price=price,
        fees=fees,
        reason=reason,
    )


def trade(signal, quantity, pnl, stop, entry_price=100.0):
    return Trade(
        symbol="SPY",
        setup=Setup.MEAN_REVERSION,
        side=1,
        quantity=quantity,
        entry_time=to_datetime(signal + 1),
        entry_price=entry_price,
        exit_time=to_datetime(signal + 9),
        exit_price=entry_price + pnl / quantity,
        exit_reason=ExitReason.TARGET,
        pnl=pnl,
        fees=0.0,
        stop=stop,
        target=stop + 5.0,
        signal_start=to_datetime(signal),
    )


def decision(minute, price, stop):
    signal = Signal(
        symbol="SPY",
        start=to_datetime(minute),
        setup=Setup.MEAN_REVERSION,
        side=1,
        price=price,
        stop=stop,
        target=stop + 5.0,
        z=-0.5,
    )
    return Decision(signal=signal, plan=Plan(quantity=10, blocked_by="", checks=()))


def lane(days=(), decisions=(), trades=(), fills=(), closes=(), start_equity=1000.0, **others):
    return measure(
        start_equity=start_equity,
        days=days,
        decisions=decisions,
        trades=trades,
        fills=fills,
        cycles=cycles_of(closes),
        **others,
    )


# Nothing, one session, no variance, no losses: undefined is NaN.


def test_a_lane_that_never_ran_has_counts_and_costs_and_nothing_else():
    metrics = lane(llm_cost=0.25)
    numbers = {name: getattr(metrics, name) for name in metrics.__slots__}
    assert {name: value for name, value in numbers.items() if not math.isnan(value)} == {
        "sessions": 0,
        "trades": 0,
        "fees": 0.0,
        "llm_cost": 0.25,
    }


def test_one_session_has_a_return_and_a_drawdown_but_no_annual_figure():
    metrics = lane(days=days_of(1000.0, 990.0), closes=[5.0, 6.0])
    assert metrics.total_return == pytest.approx(-0.01)
    assert (metrics.max_drawdown, metrics.max_drawdown_sessions) == (pytest.approx(-0.01), 1)
    for name in ("annual_return", "sharpe", "sortino", "calmar"):
        assert math.isnan(getattr(metrics, name)), name


def test_a_lane_that_did_not_trade_has_no_exposure_and_no_trade_statistics():
    metrics = lane(days=days_of(1000.0, 1000.0, 1000.0), closes=[5.0, 6.0, 5.0])
    assert (metrics.total_return, metrics.annual_return) == (0.0, 0.0)
    assert (metrics.exposure, metrics.gross_exposure, metrics.turnover) == (0.0, 0.0, 0.0)
    assert (metrics.max_drawdown, metrics.max_drawdown_sessions) == (0.0, 0.0)
    assert (metrics.max_drawdown_by_minute, metrics.max_drawdown_minutes) == (0.0, 0.0)
    undefined = ("sharpe", "sortino", "calmar", "profit_factor", "win_rate", "average_r")
    for name in undefined:
        assert math.isnan(getattr(metrics, name)), name


@pytest.mark.parametrize("value", [0.0, 0.01, 0.1, -0.003])
def test_returns_that_do_not_vary_have_no_sharpe_although_rounding_says_they_do(value):
    equities = 100_000.0 * (1.0 + value) ** np.arange(12)
    assert math.isnan(sharpe(daily_returns(days_of(*equities))))


def test_a_loss_that_is_only_rounding_makes_no_sortino():
    assert math.isnan(sortino(np.array([0.01, -2.2e-16, 0.02])))
    assert sortino(np.array([0.01, -2.2e-6, 0.02])) > 1000.0


def test_gains_alone_have_a_sharpe_but_no_sortino():
    gains = np.array([0.01, 0.02, 0.0])
    assert sharpe(gains) == pytest.approx(math.sqrt(252))
    assert math.isnan(sortino(gains))


def test_an_account_below_zero_has_no_yearly_growth_and_no_next_return():
    returns = daily_returns(days_of(1000.0, -500.0, -400.0))
    assert returns[0] == pytest.approx(-1.5)
    assert math.isnan(returns[1])
    assert math.isnan(annual_return(np.array([-1.5, 0.1])))
    assert annual_return(np.array([-1.0, 0.1])) == -1.0


def test_without_losses_there_is_no_profit_factor_and_without_gains_it_is_zero():
    signals = [decision(MINUTE, 100.0, 99.0), decision(MINUTE + 20, 100.0, 99.0)]
    pairs = [(5.0, 7.0, math.nan, 1.0), (-5.0, -7.0, 0.0, 0.0), (5.0, 0.0, math.nan, 0.5)]
    for first, second, factor, rate in pairs:
        trades = [trade(MINUTE, 10, first, 99.0), trade(MINUTE + 20, 10, second, 99.0)]
        metrics = lane(decisions=signals, trades=trades)
        assert metrics.profit_factor == pytest.approx(factor, nan_ok=True)
        assert metrics.win_rate == rate


# Hand-worked.


def test_a_small_lane_by_hand():
    """Two trades, two sessions of three minutes: 1000 → 1015 → 1008, with a fee of 1 each way.

    Equity by minute: 1000, 999 + 10·(101 - 100) = 1009, 1015, 1015, 1014 - 10 = 1004, 1008.
    """
    metrics = lane(
        days=days_of(1000.0, 1015.0, 1008.0),
        closes=[100.0, 101.0, 102.0, 100.0, 99.0, 98.0],
        decisions=[decision(MINUTE, 100.0, 98.0), decision(MINUTE + 3, 100.0, 97.0)],
        trades=[trade(MINUTE, 10, 15.0, 98.0), trade(MINUTE + 3, 10, -7.0, 97.0)],
        fills=[
            fill(MINUTE + 1, 1, 10, 100.0, 1.0),
            fill(MINUTE + 2, -1, 10, 101.7, 1.0, "target"),
            fill(MINUTE + 4, 1, 10, 100.0, 1.0),
            fill(MINUTE + 5, -1, 10, 99.5, 1.0, "stop"),
        ],
        llm_cost=0.5,
    )
    returns = np.array([0.015, 1008.0 / 1015.0 - 1.0])
    deviation = (returns[0] - returns[1]) / math.sqrt(2.0)
    assert (metrics.sessions, metrics.trades, metrics.fees, metrics.llm_cost) == (2, 2, 4.0, 0.5)
    assert metrics.total_return == pytest.approx(0.008)
    assert metrics.annual_return == pytest.approx(1.008**126 - 1.0)
    assert metrics.sharpe == pytest.approx(returns.mean() / deviation * math.sqrt(252))
    downside = abs(returns[1]) / math.sqrt(2.0)
    assert metrics.sortino == pytest.approx(returns.mean() / downside * math.sqrt(252))
    assert metrics.max_drawdown == pytest.approx(-7.0 / 1015.0)
    assert metrics.max_drawdown_sessions == 1
    assert metrics.calmar == pytest.approx((1.008**126 - 1.0) / (7.0 / 1015.0))
    assert metrics.max_drawdown_by_minute == pytest.approx(-11.0 / 1015.0)
    assert metrics.max_drawdown_minutes == 2
    assert metrics.profit_factor == pytest.approx(15.0 / 7.0)
    assert metrics.win_rate == 0.5
    assert metrics.average_r == pytest.approx((15.0 / 20.0 - 7.0 / 30.0) / 2.0)
    assert metrics.exposure == pytest.approx(2.0 / 6.0)
    assert metrics.gross_exposure == pytest.approx((1010.0 / 1009.0 + 990.0 / 1004.0) / 6.0)
    equity = [1000.0, 1009.0, 1015.0, 1015.0, 1004.0, 1008.0]
    assert metrics.turnover == pytest.approx(4012.0 / np.mean(equity))


def test_a_lane_that_only_ever_lost_fell_from_where_it_began():
    lost = lane(closes=[9.0, 8.0], fills=[fill(MINUTE, 1, 10, 10.0)], start_equity=100.0)
    assert lost.max_drawdown_by_minute == pytest.approx(-0.2)
    assert lost.max_drawdown_minutes == 2


def test_a_trade_is_measured_against_the_risk_its_signal_planned_not_the_fill():
    decisions = [decision(MINUTE, 100.0, 98.0), decision(MINUTE + 50, 100.0, 100.0)]
    slipped = trade(MINUTE, 10, -30.0, 98.0, entry_price=98.1)
    aimless = trade(MINUTE + 50, 10, 5.0, 100.0)
    assert r_multiples([], decisions).shape == (0,)
    assert r_multiples([slipped, aimless], decisions) == pytest.approx(
        [-1.5, math.nan], nan_ok=True
    )
    with pytest.raises(ValueError, match=r"SPY entered at .* has no decision"):
        r_multiples([slipped], decisions[1:])


def test_money_paid_in_between_sessions_is_no_return():
    returns = daily_returns([lane_day(0, 1000.0, 1100.0), lane_day(1, 5000.0, 4500.0)])
    assert returns == pytest.approx([0.1, -0.1])
    assert total_return(returns) == pytest.approx(-0.01)


def test_a_benchmark_by_hand():
    """r = 2·b + 0.001: beta 2, and 0.1 % a day is earned besides."""
    benchmark = np.array([0.01, -0.02, 0.03, 0.0])
    found = against(2.0 * benchmark + 0.001, benchmark)
    assert found.beta == pytest.approx(2.0)
    assert found.alpha == pytest.approx(1.001**252 - 1.0)
    active = benchmark + 0.001
    assert found.information_ratio == pytest.approx(
        active.mean() / active.std(ddof=1) * math.sqrt(252)
    )


def test_a_benchmark_that_never_moves_has_no_beta_but_an_information_ratio():
    returns = np.array([0.01, 0.03, 0.02])
    for benchmark in (np.full(3, 0.005), np.array([0.005, 0.005 + 1e-17, 0.005 - 1e-17])):
        found = against(returns, benchmark)
        assert math.isnan(found.beta)
        assert math.isnan(found.alpha)
        assert found.information_ratio == pytest.approx(1.5 * math.sqrt(252))


def test_a_lane_against_itself_has_no_information_ratio():
    found = against(samples(1, 30), samples(1, 30))
    assert (found.beta, found.alpha) == (pytest.approx(1.0), pytest.approx(0.0))
    assert math.isnan(found.information_ratio)


def test_one_session_says_nothing_about_a_benchmark_and_unequal_ones_are_an_error():
    found = against(np.array([0.01]), np.array([0.02]))
    assert all(math.isnan(getattr(found, name)) for name in found.__slots__)
    with pytest.raises(ValueError, match="3 daily returns stand against 2"):
        against(np.zeros(3), np.zeros(2))


# CVaR.


@pytest.mark.parametrize("returns", [NONE, np.array([0.01]), np.array([math.nan])])
def test_cvar_of_fewer_than_two_returns_does_not_apply(returns):
    value, basis = cvar_95(returns)
    assert math.isnan(value)
    assert basis == "not_applicable"


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("count", [2, 59, 60, 300])
def test_cvar_with_an_unknown_return_blocks(odd, count):
    returns = samples(2, count)
    returns[-1] = odd
    assert cvar_95(returns) == (math.inf, "unknown")


def test_cvar_forgets_what_lies_before_the_window():
    returns = samples(2, 251)
    returns[0] = math.nan
    assert cvar_95(returns) == cvar_95(returns[1:])


def test_cvar_falls_back_on_the_deviation_below_sixty_samples():
    assert cvar_95(np.array([0.01, -0.01])) == (
        pytest.approx(100.0 * 2.06 * 0.01 * math.sqrt(2.0)),
        "fallback_2.06_sigma",
    )
    assert cvar_95(samples(3, 59))[1] == "fallback_2.06_sigma"
    assert cvar_95(samples(3, 60))[1] == "historical"


def test_cvar_is_the_mean_of_the_worst_returns_in_percent():
    """Of 60 returns the worst 3 count: 9, 8 and 4 %."""
    returns = np.full(60, 0.01)
    returns[[5, 30, 59]] = [-0.09, -0.04, -0.08]
    assert cvar_95(returns) == (pytest.approx(7.0), "historical")
    assert cvar_95(np.full(60, 0.01))[0] == pytest.approx(-1.0)


@pytest.mark.parametrize("count", [60, 61, 80, 81, 100, 249, 250])
def test_cvar_agrees_with_empyrical(count):
    returns = samples(count, count)
    expected = -100.0 * empyrical.conditional_value_at_risk(returns)
    assert cvar_95(returns)[0] == pytest.approx(expected, rel=1e-12)


# Agreement with empyrical wherever it defines the metric in the same way.


@pytest.mark.parametrize("count", [2, 3, 10, 250, 700])
@pytest.mark.parametrize("scale", [1e-4, 0.01, 0.08])
def test_metrics_agree_with_empyrical(count, scale):
    returns, benchmark = samples(count, count, scale), samples(count + 1, count, scale)
    returns[0] = -abs(returns[0])
    agree_with_empyrical(returns, benchmark)


def close_to_close(bars, symbol):
    """Daily returns by New York date of one symbol's recorded daily bars."""
    rows = pq.read_table(bars / f"{symbol}.parquet", columns=["timestamp", "close"]).to_pandas()
    return rows.set_index("timestamp")["close"].sort_index().pct_change().dropna()


@pytest.mark.parametrize("source", ["us-2024-2026", "lean"])
def test_metrics_agree_with_empyrical_on_recorded_spy(market_data, source):
    """Two years, then twenty with two crashes, against QQQ on the sessions that both have."""
    bars = market_data / "bars" / "1day" / source
    spy, qqq = close_to_close(bars, "SPY"), close_to_close(bars, "QQQ")
    both = spy.index.intersection(qqq.index)
    assert len(both) > 400
    agree_with_empyrical(spy[both].to_numpy().copy(), qqq[both].to_numpy().copy())


def agree_with_empyrical(returns, benchmark):
    equities = 100_000.0 * np.r_[1.0, np.cumprod(1.0 + returns)]
    metrics = lane(days=days_of(*equities), start_equity=100_000.0)
    found = against(returns, benchmark)
    pairs = {
        "total": (metrics.total_return, empyrical.cum_returns_final(returns)),
        "annual": (metrics.annual_return, empyrical.annual_return(returns)),
        "sharpe": (metrics.sharpe, empyrical.sharpe_ratio(returns)),
        "sortino": (metrics.sortino, empyrical.sortino_ratio(returns)),
        "calmar": (metrics.calmar, empyrical.calmar_ratio(returns)),
        "drawdown": (metrics.max_drawdown, empyrical.max_drawdown(returns)),
        "alpha": (found.alpha, empyrical.alpha(returns, benchmark)),
        "beta": (found.beta, empyrical.beta(returns, benchmark)),
        "information": (
            found.information_ratio,
            empyrical.excess_sharpe(returns, benchmark) * math.sqrt(252),
        ),
    }
    for name, (ours, theirs) in pairs.items():
        assert ours == pytest.approx(theirs, rel=1e-8, abs=1e-12), name
    if len(returns) >= 60:
        tail = -100.0 * empyrical.conditional_value_at_risk(returns[-250:])
        assert cvar_95(returns)[0] == pytest.approx(tail, rel=1e-12)


# Laws.


@given(returns_of(2), st.floats(1e-3, 1e3))
def test_scaling_all_returns_leaves_sharpe_and_sortino(returns, factor):
    assume(np.std(returns) > 1e-6)
    assert sharpe(factor * returns) == pytest.approx(sharpe(returns), rel=1e-6, abs=1e-9)
    assert sortino(factor * returns) == pytest.approx(
        sortino(returns), rel=1e-6, abs=1e-9, nan_ok=True
    )


@given(returns_of(2))
def test_turning_returns_around_turns_the_sharpe_around(returns):
    assert sharpe(-returns) == pytest.approx(-sharpe(returns), nan_ok=True)


@given(returns_of(2), st.floats(-3.0, 3.0), st.floats(-0.01, 0.01))
def test_beta_and_alpha_find_the_line_that_made_the_returns(benchmark, slope, daily):
    assume(np.std(benchmark) > 1e-4)
    found = against(slope * benchmark + daily, benchmark)
    assert found.beta == pytest.approx(slope, abs=1e-8)
    assert found.alpha == pytest.approx((1.0 + daily) ** 252 - 1.0, rel=1e-6, abs=1e-6)


@given(returns_of(60, 300))
def test_cvar_lies_between_the_median_loss_and_the_worst_loss(returns):
    value, _ = cvar_95(returns)
    recent = returns[-250:]
    assert -100.0 * np.median(recent) - 1e-9 <= value <= -100.0 * recent.min() + 1e-9
