"""A backtest: a replay without a ledger, and what months of sessions allow one to ask of it.

The sessions run through `advisor.replay.replay`, lanes and all, so a backtest's trades are a
replay's by construction. What is added is reading: months, drawdowns, where the money was made
(symbol, setup, hour, exit, regime), what a holding of the same symbols did, how sure the mean is,
and what other costs would have left.

A trade's regime is what was known before its session: the trend is its symbol's `htf_trend`, the
volatility its `atr_percentile` (calm below 33, volatile from 67 on). The hour is that of its
entry, New York. Under stress the advice is held fixed: the multipliers and rulings given in the
run; a signal that only appears under other costs was never ruled on and passes.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from advisor.bootstrap import ReplayOptions
from advisor.cycle import dependencies
from advisor.lanes import Lane
from advisor.market import Market, MarketRequest
from advisor.replay import Progress, replay
from advisor.results import LaneResult, ReplayResult
from advisor.session import run_day, trading_day
from advisor.settings import Settings
from advisor.summary import plain, summarise
from advisor.sweep.judgement import costs
from quant_core.bars import Floats
from quant_core.bootstrap import BOOTSTRAP_SEED, paired_difference
from quant_core.calendar import NEW_YORK
from quant_core.desk import Desk
from quant_core.events import EventLog
from quant_core.market_view import MarketView
from quant_core.performance import daily_returns, measure, r_multiples
from quant_core.types import Analysis, Signal, Snapshot, Trade, Verdict
from tools.errors import BadInput

CALM, VOLATILE = 33.0, 67.0
TRENDS = {1: "trend up", 0: "no trend", -1: "trend down"}
DEEPEST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Trades that have something in common, in figures; undefined is NaN."""

    name: str
    trades: int
    pnl: float
    win_rate: float
    average_r: float
    profit_factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawdown:
    """A fall from a peak of session-end equity; `end` None while it lasts, `depth` < 0."""

    start: date
    trough: date
    end: date | None
    depth: float
    sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one lane's sessions say."""

    months: list[tuple[str, float, int]]
    drawdowns: list[Drawdown]
    groups: dict[str, list[Group]]
    mean_day: dict[str, Any]
    against_holding: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """A replay's result, its summary, and the reading of every lane."""

    result: ReplayResult
    summary: dict[str, Any]
    readings: dict[str, Reading]
    holding_months: list[tuple[str, float]]
    stress: list[dict[str, Any]] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """Everything that `backtest.json` holds."""
        values: dict[str, Any] = plain(
            {
                **self.summary,
                "readings": {name: asdict(one) for name, one in self.readings.items()},
                "buy_and_hold": {"months": self.holding_months},
                "stress": self.stress,
            }
        )
        return values


def backtest(
    request: MarketRequest, options: ReplayOptions, settings: Settings, market: Market,
    *, ledger: Path | None = None, stress: bool = False, progress: Progress | None = None,
) -> Backtest:  # fmt: skip
    """Run every session and read the result; `ledger` is the folder of one, if it is kept."""
    result = _replayed(request, options, settings, market, ledger, progress)
    benchmark = np.array(result.benchmark)
    dates = [session.date for session in result.sessions]
    return Backtest(
        result=result,
        summary=summarise(result, settings),
        readings={name: _read(lane, result, benchmark) for name, lane in result.lanes.items()},
        holding_months=[(month, value) for month, value, _ in by_month(dates, benchmark)],
        stress=_stressed(result, settings, market) if stress else [],
    )


def _replayed(
    request: MarketRequest, options: ReplayOptions, settings: Settings, market: Market,
    ledger: Path | None, progress: Progress | None,
) -> ReplayResult:  # fmt: skip
    if ledger is None and options.asks_model:
        # A model's questions quote the ledger: without one they are not those that were recorded.
        if options.llm != "replay" or options.recordings is None:
            raise BadInput(
                "a backtest does not ask a model; record one with `advisor replay`, then give "
                "--llm replay --recordings FILE"
            )
        with TemporaryDirectory() as place:
            return replay(request, options, settings, market, Path(place), progress)
    return replay(request, options, settings, market, ledger, progress)


def _read(lane: LaneResult, result: ReplayResult, benchmark: Floats) -> Reading:
    returns = daily_returns(lane.days)
    known = np.isfinite(returns) & np.isfinite(benchmark)
    return Reading(
        months=by_month([day.date for day in lane.days], returns),
        drawdowns=drawdowns([day.date for day in lane.days], returns),
        groups=grouped(lane, result.snapshots),
        mean_day=asdict(_interval(returns[np.isfinite(returns)], 0.0)),
        against_holding=asdict(_interval(returns[known], benchmark[known])),
    )


def _interval(returns: Floats, other: Floats | float) -> Any:
    """Mean daily return over another's, with its interval by day blocks."""
    return paired_difference(returns, np.broadcast_to(other, returns.shape), BOOTSTRAP_SEED)


def by_month(dates: Sequence[date], returns: Floats) -> list[tuple[str, float, int]]:
    """Compounded return and number of sessions of each month; an undefined day is left out."""
    found = []
    months = [day.isoformat()[:7] for day in dates]
    for month in dict.fromkeys(months):
        mine = np.array([one == month for one in months])
        known = returns[mine][np.isfinite(returns[mine])]
        value = float(np.prod(1.0 + known)) - 1.0 if len(known) else float("nan")
        found.append((month, value, int(mine.sum())))
    return found


def drawdowns(dates: Sequence[date], returns: Floats, most: int = DEEPEST) -> list[Drawdown]:
    """The deepest falls from a peak, deepest first; each from its peak's session to recovery.

    A fall that begins with the first session starts there. `sessions` counts from the peak to the
    recovery, or to the last session.
    """
    if len(returns) == 0:
        return []
    equity = np.r_[1.0, np.cumprod(1.0 + np.nan_to_num(returns))]
    peaks = np.maximum.accumulate(equity)
    below = equity < peaks
    edges = np.flatnonzero(np.diff(np.r_[False, below, False].astype(np.int8)))
    found = []
    for begin, end in edges.reshape(-1, 2):
        trough = begin + int(np.argmin(equity[begin:end] / peaks[begin:end]))
        found.append(
            Drawdown(
                start=dates[max(begin - 2, 0)],
                trough=dates[trough - 1],
                end=dates[end - 1] if end < len(equity) else None,
                depth=float(equity[trough] / peaks[trough] - 1.0),
                sessions=int(min(end, len(equity) - 1) - begin + 1),
            )
        )
    return sorted(found, key=lambda one: one.depth)[:most]


def grouped(lane: LaneResult, snapshots: Sequence[Snapshot]) -> dict[str, list[Group]]:
    """The lane's trades by symbol, setup, side, hour, exit, trend and volatility."""
    r = r_multiples(lane.trades, lane.decisions)
    known = {(snapshot.symbol, snapshot.date): snapshot for snapshot in snapshots}
    kinds: dict[str, Callable[[Trade], str]] = {
        "symbol": lambda trade: trade.symbol,
        "setup": lambda trade: str(trade.setup),
        "side": lambda trade: "long" if trade.side > 0 else "short",
        "hour": lambda trade: f"{trade.entry_time.astimezone(NEW_YORK):%H}:00",
        "exit": lambda trade: str(trade.exit_reason),
        "trend": lambda trade: TRENDS[_snapshot(known, trade).htf_trend],
        "volatility": lambda trade: volatility(_snapshot(known, trade)),
    }
    return {
        kind: [
            _group(name, [i for i, trade in enumerate(lane.trades) if of(trade) == name], lane, r)
            for name in sorted({of(trade) for trade in lane.trades})
        ]
        for kind, of in kinds.items()
    }


def _snapshot(known: dict[tuple[str, date], Snapshot], trade: Trade) -> Snapshot:
    return known[trade.symbol, trade.entry_time.astimezone(NEW_YORK).date()]


def volatility(snapshot: Snapshot) -> str:
    """The volatility regime that a snapshot describes."""
    if snapshot.atr_percentile < CALM:
        return "calm"
    return "volatile" if snapshot.atr_percentile >= VOLATILE else "normal"


def _group(name: str, mine: list[int], lane: LaneResult, r: Floats) -> Group:
    pnl = np.array([lane.trades[i].pnl for i in mine])
    lost = float(-pnl[pnl < 0].sum())
    return Group(
        name=name,
        trades=len(mine),
        pnl=float(pnl.sum()),
        win_rate=float(np.mean(pnl > 0)),
        average_r=float(np.mean(r[mine])),
        profit_factor=float(pnl[pnl > 0].sum()) / lost if lost > 0.0 else float("nan"),
    )


def _stressed(result: ReplayResult, settings: Settings, market: Market) -> list[dict[str, Any]]:
    """The first lane, and the baseline, under other costs, with the advice that was given."""
    days = [trading_day(market, session, settings) for session in result.sessions]
    names = dict.fromkeys([result.main.name, "baseline"])
    rows = []
    for label, fills in costs(settings.fills):
        changed = settings.model_copy(update={"fills": fills})
        row: dict[str, Any] = {"name": label, **asdict(fills), "lanes": {}}
        for name in names:
            given = result.lanes[name]
            lane = _lane_with(given, len(market.symbols), settings.account.start_equity)
            deps = dependencies("stress", changed, None)
            for day in days:
                run_day((lane,), day, deps, lambda *_: None)
            found = lane.result()
            row["lanes"][name] = {
                "pnl": float(sum(trade.pnl for trade in found.trades)),
                **asdict(
                    measure(
                        start_equity=found.start_equity, days=found.days,
                        decisions=found.decisions, trades=found.trades, fills=found.fills,
                        cycles=found.cycles, llm_cost=given.llm_cost,
                    )
                ),
            }  # fmt: skip
        rows.append(row)
    return rows


def _lane_with(given: LaneResult, symbols: int, start_equity: float) -> Lane:
    """A fresh lane that gets the advice another one got."""
    analyses = {analysis.as_of: analysis for analysis in given.analyses}
    verdicts = {(d.signal.symbol, d.signal.start): d.verdict for d in given.decisions if d.verdict}

    def analyse(view: MarketView) -> Analysis:
        return replace(analyses[view.as_of])

    def validate(signal: Signal, view: MarketView) -> Verdict:  # noqa: ARG001
        key: tuple[str, datetime] = (signal.symbol, signal.start)
        return verdicts.get(key) or Verdict(ruling="approve")

    return Lane(
        name=given.name,
        desk=Desk.new(symbols, start_equity),
        analyst=analyse if analyses else None,
        validator=validate if verdicts else None,
        log=EventLog.with_room_for(symbols),
    )
