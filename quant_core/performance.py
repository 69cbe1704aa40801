"""What a lane achieved: the metrics of DOMAIN.md section 3, each defined once, here.

Undefined stays NaN and never becomes 0 or infinity: a ratio whose denominator is nothing (no
variance, no loss, no trade) has no value, and neither has an annualised figure of one session.
Ratios and returns are fractions (0.01 is one percent), money is dollars.

Conventions, those of empyrical-reloaded 0.5 unless said otherwise, and compared with it in the
tests: returns are per session, from session-end equity, and compound (so money paid in or out
between sessions is no return); a year is 252 sessions; the risk-free rate and the minimum
acceptable return are 0; deviations of a sample have ddof 1; the downside deviation is the root of
the mean over *all* sessions of min(return, 0)². Deviations from empyrical: it gives an infinite
Sortino where nothing was lost, an annual return of one session, and does not annualise the
information ratio.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from quant_core.arrays import Floats
from quant_core.cycles import CycleRows
from quant_core.equity import drawdown, equity_curve, gross_exposure
from quant_core.types import Decision, Fill, LaneDay, Trade

SESSIONS_PER_YEAR = 252
CVAR_WINDOW = 250
CVAR_MINIMUM = 60
CVAR_TAIL = 0.05
CVAR_SIGMAS = 2.06
# The rounding of end / start - 1 is about 1e-16: a deviation of returns below this is noise.
ROUNDING = 1e-14

CvarBasis = Literal["historical", "fallback_2.06_sigma", "not_applicable", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """One lane over a run. NaN is undefined.

    `max_drawdown` (≤ 0) is on session-end equity, `max_drawdown_by_minute` on the minute curve;
    their durations count sessions and recorded minutes from the peak to the recovery, or to the
    end. `calmar` uses the former. A trade's profit is after fees. `exposure` is the share of
    recorded session minutes that end with a position open, `gross_exposure` the mean over all of
    them of gross exposure / equity. `turnover` is the notional of all fills, entries and exits,
    over the mean equity of the minute curve; it is not annualised. `llm_cost` stands beside the
    account, it is not taken out of it.
    """

    sessions: int
    trades: int
    total_return: float
    annual_return: float
    sharpe: float
    sortino: float
    calmar: float
    max_drawdown: float
    max_drawdown_sessions: float
    max_drawdown_by_minute: float
    max_drawdown_minutes: float
    profit_factor: float
    win_rate: float
    average_r: float
    exposure: float
    gross_exposure: float
    turnover: float
    fees: float
    llm_cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkMetrics:
    """A lane against something else that could have been held on the same sessions."""

    alpha: float
    beta: float
    information_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The account minute by minute, in figures; NaN where no minute is recorded.

    Means and shares are over the recorded minutes; `fall` (≤ 0) is the deepest drawdown and
    `fall_minutes` its duration in recorded minutes.
    """

    mean_equity: float
    exposure: float
    gross_exposure: float
    fall: float
    fall_minutes: float

    @classmethod
    def of(cls, start_equity: float, fills: Sequence[Fill], cycles: CycleRows) -> "Curve":
        """From fills and the closes of cycle rows."""
        _, equity = equity_curve(start_equity, fills, cycles)
        gross = gross_exposure(fills, cycles)
        fall, minutes = drawdown(np.r_[start_equity, equity])
        return cls(
            mean_equity=_mean(equity),
            exposure=_mean(gross > 0.0),
            gross_exposure=_mean(gross / equity),
            fall=fall if len(equity) else np.nan,
            fall_minutes=minutes if len(equity) else np.nan,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Trades and fills in figures: profits won and lost (both ≥ 0), mean R, money traded, fees."""

    trades: int
    wins: int
    won: float
    lost: float
    average_r: float
    notional: float
    fees: float


def measure(
    *,
    start_equity: float,
    days: Sequence[LaneDay],
    decisions: Sequence[Decision],
    trades: Sequence[Trade],
    fills: Sequence[Fill],
    cycles: CycleRows,
    llm_cost: float = 0.0,
) -> Metrics:
    """The metrics of one lane. `decisions` must contain the signal of every trade."""
    pnl = np.array([trade.pnl for trade in trades])
    tally = Tally(
        trades=len(trades),
        wins=int(np.count_nonzero(pnl > 0)),
        won=float(pnl[pnl > 0].sum()),
        lost=float(-pnl[pnl < 0].sum()),
        average_r=_mean(r_multiples(trades, decisions)),
        notional=math.fsum(fill.quantity * fill.price for fill in fills),
        fees=math.fsum(fill.fees for fill in fills),
    )
    return metrics_of(
        daily_returns(days), Curve.of(start_equity, fills, cycles), tally, llm_cost=llm_cost
    )


def metrics_of(returns: Floats, curve: Curve, tally: Tally, *, llm_cost: float = 0.0) -> Metrics:
    """The metrics of daily returns (sessions,), a minute curve, and what was traded."""
    fall, sessions_down = drawdown(np.r_[1.0, np.cumprod(1.0 + returns)])
    annual = annual_return(returns)
    return Metrics(
        sessions=len(returns),
        trades=tally.trades,
        total_return=total_return(returns),
        annual_return=annual,
        sharpe=sharpe(returns),
        sortino=sortino(returns),
        calmar=_ratio(annual, -fall),
        max_drawdown=fall if len(returns) else np.nan,
        max_drawdown_sessions=sessions_down if len(returns) else np.nan,
        max_drawdown_by_minute=curve.fall,
        max_drawdown_minutes=curve.fall_minutes,
        profit_factor=_ratio(tally.won, tally.lost),
        win_rate=_ratio(tally.wins, tally.trades),
        average_r=tally.average_r,
        exposure=curve.exposure,
        gross_exposure=curve.gross_exposure,
        turnover=_ratio(tally.notional, curve.mean_equity),
        fees=tally.fees,
        llm_cost=llm_cost,
    )


def daily_returns(days: Sequence[LaneDay]) -> Floats:
    """Return of each session on the equity it began with; NaN where that was not positive."""
    start = np.array([day.start_equity for day in days], np.float64)
    end = np.array([day.end_equity for day in days], np.float64)
    return end / np.where(start > 0.0, start, np.nan) - 1.0


def total_return(returns: Floats) -> float:
    """Compounded return of all sessions; NaN without any."""
    return float(np.prod(1.0 + returns)) - 1.0 if len(returns) else np.nan


def annual_return(returns: Floats) -> float:
    """The yearly growth rate that gives the total return, (1 + total)^(252/n) - 1.

    NaN for one session, and for an account that fell below zero.
    """
    growth = 1.0 + total_return(returns)
    if len(returns) < 2 or not growth >= 0.0:
        return np.nan
    return float(growth ** (SESSIONS_PER_YEAR / len(returns))) - 1.0


def sharpe(returns: Floats) -> float:
    """Mean over sample deviation, annualised by √252 (Sharpe 1994, risk-free rate 0)."""
    if len(returns) < 2:
        return np.nan
    return _ratio(_mean(returns), _deviation(returns)) * math.sqrt(SESSIONS_PER_YEAR)


def sortino(returns: Floats) -> float:
    """Mean over downside deviation, annualised by √252 (Sortino and Price 1994, target 0)."""
    if len(returns) < 2:
        return np.nan
    downside = _beyond_rounding(math.sqrt(_mean(np.minimum(returns, 0.0) ** 2)))
    return _ratio(_mean(returns), downside) * math.sqrt(SESSIONS_PER_YEAR)


def against(returns: Floats, benchmark: Floats) -> BenchmarkMetrics:
    """Alpha, beta and information ratio of daily returns against a benchmark's, same sessions.

    beta = cov(r, b) / var(b); alpha is the mean of r - beta·b compounded over 252 sessions (Jensen
    1968, risk-free rate 0); the information ratio is the mean of r - b over its sample deviation,
    times √252 (Grinold and Kahn 1999). A benchmark that never moves has neither beta nor alpha.
    Raises ValueError when the numbers of sessions differ.
    """
    if returns.shape != benchmark.shape:
        raise ValueError(
            f"{len(returns)} daily returns stand against {len(benchmark)} of the benchmark; "
            "both must cover the same sessions"
        )
    if len(returns) < 2:
        return BenchmarkMetrics(alpha=np.nan, beta=np.nan, information_ratio=np.nan)
    moves = benchmark - np.mean(benchmark)
    varies = _deviation(benchmark) > 0.0
    beta = _ratio(_mean(moves * returns), _mean(moves**2)) if varies else np.nan
    return BenchmarkMetrics(
        alpha=float((1.0 + _mean(returns - beta * benchmark)) ** SESSIONS_PER_YEAR) - 1.0,
        beta=beta,
        information_ratio=sharpe(returns - benchmark),
    )


def r_multiples(trades: Sequence[Trade], decisions: Sequence[Decision]) -> Floats:
    """Profit of each trade in units of the risk that was planned for it (Tharp's R); (trades,).

    R = pnl / (quantity × |signal price - stop|). The signal's price, not the fill's, is the
    reference: size and stop were computed from it (R24, R38), and a fill that slipped close to the
    stop would make a small loss look like many R. NaN where that distance is zero. Raises
    ValueError for a trade whose signal is not among the decisions.
    """
    prices = {(d.signal.symbol, d.signal.start): d.signal.price for d in decisions}
    found = np.empty(len(trades))
    for i, trade in enumerate(trades):
        price = prices.get((trade.symbol, trade.signal_start))
        if price is None:
            raise ValueError(
                f"the trade of {trade.symbol} entered at {trade.entry_time} has no decision at "
                f"{trade.signal_start}; its planned risk is unknown"
            )
        found[i] = _ratio(trade.pnl, trade.quantity * abs(price - trade.stop))
    return found


def cvar_95(returns: Floats) -> tuple[float, CvarBasis]:
    """Expected loss of a session among the worst 5 %, in percent of equity, and how it was found.

    `historical`: minus the mean of the worst ⌊0.05·(n - 1)⌋ + 1 of the last 250 daily returns
    (empyrical's definition). `fallback_2.06_sigma`: under 60 samples, that many deviations (ddof
    1), the figure of a normal distribution with mean 0. `not_applicable`: fewer than 2 samples,
    NaN. `unknown`: a return is not finite; the loss is then infinite, because the risk plan reads
    NaN as "not configured" and an unknown risk has to block. Negative when even the tail gained.
    """
    sample = returns[-CVAR_WINDOW:]
    if len(sample) < 2:
        return np.nan, "not_applicable"
    if not np.all(np.isfinite(sample)):
        return math.inf, "unknown"
    if len(sample) < CVAR_MINIMUM:
        return 100.0 * CVAR_SIGMAS * float(np.std(sample, ddof=1)), "fallback_2.06_sigma"
    worst = np.sort(sample)[: int(CVAR_TAIL * (len(sample) - 1)) + 1]
    return -100.0 * _mean(worst), "historical"


def _deviation(returns: Floats) -> float:
    return _beyond_rounding(float(np.std(returns, ddof=1)))


def _beyond_rounding(deviation: float) -> float:
    return 0.0 if deviation < ROUNDING else deviation


def _mean(values: Floats | np.typing.NDArray[np.bool_]) -> float:
    return float(np.mean(values)) if len(values) else np.nan


def _ratio(numerator: float, denominator: float) -> float:
    """NaN unless the denominator is positive."""
    return numerator / denominator if denominator > 0.0 else np.nan
