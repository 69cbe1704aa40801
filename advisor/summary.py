"""`summary.json`: the figures of a replay, lane by lane. The same result gives the same bytes.

An undefined figure is null, never 0 (JSON has no NaN). Nothing here is measured by a clock.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from enum import Enum
from typing import Any

import numpy as np

from advisor.results import LaneResult, ReplayResult
from advisor.settings import Settings
from quant_core.bars import Floats
from quant_core.bootstrap import BOOTSTRAP_SEED, paired_difference
from quant_core.calendar import to_datetime
from quant_core.performance import against, daily_returns, measure
from quant_core.types import Status


def summarise(result: ReplayResult, settings: Settings) -> dict[str, Any]:
    """Everything that `summary.json` holds, as plain values."""
    baseline = result.lanes.get("baseline")
    summary = {
        "run_id": result.run_id,
        "config_hash": result.config_hash,
        "code_version": result.code_version,
        "feed": result.feed,
        "symbols": list(result.symbols),
        "sessions": [str(session.date) for session in result.sessions],
        "analyst": result.analyst,
        "validation": result.validation,
        "main_lane": result.main.name,
        "lanes": {
            name: _lane(lane, result, baseline) for name, lane in result.lanes.items()
        },
        "advised_minus_baseline": _paired(result),
        "authority": [
            {"date": str(session.date), **asdict(one)}
            for session, one in zip(result.sessions, result.authority, strict=True)
        ] if result.authority else None,
        "premarket": _premarket(result),
        "news": result.news.counts(),
        "bars": _bars(result),
        "gaps": [
            {
                "symbol": gap.symbol, "date": str(day), "missing_minutes": gap.missing,
                "longest": gap.longest, "first": to_datetime(gap.first).isoformat(),
            }
            for day, gap in result.gaps
        ],
        "chain_heads": result.chain_heads,
        "settings": settings.deciding(),
        "notes": result.notes,
    }  # fmt: skip
    values: dict[str, Any] = plain(summary)
    return values


def plain(value: Any) -> Any:
    """Plain JSON values; NaN and infinities become null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Enum) else value


def daily_results(lane: LaneResult) -> Floats:
    """Dollars won or lost in each session."""
    return np.array([day.end_equity - day.start_equity for day in lane.days])


def _lane(lane: LaneResult, result: ReplayResult, baseline: LaneResult | None) -> dict[str, Any]:
    """Account, activity and metrics of one lane."""
    returns = daily_returns(lane.days)
    metrics = measure(
        start_equity=lane.start_equity,
        days=lane.days,
        decisions=lane.decisions,
        trades=lane.trades,
        fills=lane.fills,
        cycles=lane.cycles,
        llm_cost=lane.llm_cost,
    )
    other = None
    if baseline is not None and baseline is not lane:
        other = asdict(against(returns, daily_returns(baseline.days)))
    return {
        "start_equity": lane.start_equity,
        "end_equity": lane.days[-1].end_equity if lane.days else lane.start_equity,
        "pnl": math.fsum(trade.pnl for trade in lane.trades),
        "cycles": len(lane.cycles),
        "analyses": len(lane.analyses),
        "degraded_analyses": sum(a.status is Status.DEGRADED for a in lane.analyses),
        "signals": len(lane.decisions),
        "blocked": _counts(d.plan.blocked_by for d in lane.decisions if d.plan.quantity == 0),
        "order_rejections": _counts(rejection.reason for rejection in lane.order_rejections),
        "exits": _counts(str(trade.exit_reason) for trade in lane.trades),
        "risk_state": str(lane.days[-1].risk_state) if lane.days else "ACTIVE",
        "risk_changes": [asdict(change) for change in lane.risk_changes],
        "metrics": asdict(metrics),
        "against_buy_and_hold": asdict(against(returns, np.array(result.benchmark))),
        "against_baseline": other,
        "daily_pnl": [float(value) for value in daily_results(lane)],
    }


def _counts(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))


def _paired(result: ReplayResult) -> dict[str, Any] | None:
    """Advised minus baseline on the same bars, with its interval; None without both lanes."""
    if not {"advised", "baseline"} <= result.lanes.keys():
        return None
    return asdict(
        paired_difference(
            daily_results(result.lanes["advised"]),
            daily_results(result.lanes["baseline"]),
            BOOTSTRAP_SEED,
        )
    )


def _premarket(result: ReplayResult) -> list[dict[str, Any]]:
    """What each session was expected to be, before it opened."""
    return [
        {
            "date": str(context.date),
            "bias": context.bias,
            "volatility": context.volatility,
            "vix": context.vix,
            "vix_date": str(context.vix_date) if context.vix_date else None,
            "status": context.status,
            "degraded_reason": context.degraded_reason,
            "biases": {
                one.symbol: {"bias": one.bias, "confidence": one.confidence}
                for one in result.biases
                if one.date == context.date
            },
        }
        for context in result.contexts
    ]


def _bars(result: ReplayResult) -> dict[str, Any]:
    """What was read, accepted, and refused by reason."""
    table = result.bar_rejections
    counted = table.group_by(["kind", "symbol", "reason"]).aggregate([("reason", "count")])
    rejected = sorted(
        counted.to_pylist(), key=lambda row: (row["kind"], row["symbol"], row["reason"])
    )
    return {
        "read": result.bars_read,
        "accepted": result.bars_accepted,
        "rejected": [
            {**{k: row[k] for k in ("kind", "symbol", "reason")}, "count": row["reason_count"]}
            for row in rejected
        ],
    }
