"""Everything the page knows, as one plain value: a result and its summary, made small.

The order of keys and of list items is read by `assets/js/model.js`. Nothing here depends on a
clock, a locale or the order of a set, so the same result gives the same payload.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from advisor.report.bars import lane_states, shared_bars
from advisor.report.figures import differences, headline, lane_figures, period
from advisor.report.packing import number, pack, pack_differences
from advisor.report.premises import bias_rows, context_rows, data_quality, snapshot_rows
from advisor.report.records import Shared, lane_records
from advisor.report.rules import ReportRules, daily_loss, loss_limit, steps_of_session
from advisor.results import LaneResult, ReplayResult
from quant_core.authority import limited
from quant_core.bars import Floats, Ints
from quant_core.calendar import NEW_YORK, Session, to_datetime, to_minute
from quant_core.cycles import STATES
from quant_core.equity import equity_curve

CENT = 0.01


def build_payload(result: ReplayResult, summary: Mapping[str, Any]) -> dict[str, Any]:
    """The page's data."""
    rules = ReportRules.of(summary)
    shared = Shared(result.symbols)
    accounts = summary.get("lanes") or {}
    lanes = [
        _lane(lane, result, accounts.get(name, {}), rules, shared)
        for name, lane in result.lanes.items()
    ]
    payload = {
        "run": _run(result, summary),
        "rules": rules.plain(),
        "symbols": list(result.symbols),
        "states": [str(state) for state in STATES],
        "sessions": [[str(s.date), s.open, s.minutes, _utc_offset(s)] for s in result.sessions],
        "bars": shared_bars(result.main.cycles, result.sessions),
        "lanes": lanes,
        "differences": [
            [d.against, d.words, *(number(value) for value in _interval(d.measured))]
            for d in differences(result)
        ],
        "snapshots": snapshot_rows(result, rules.stdev.atr_percentile_cap, shared.texts),
        "contexts": context_rows(result, shared.texts),
        "biases": bias_rows(result, shared.texts),
        "quality": data_quality(result, shared.texts),
    }
    payload["checks"] = shared.checks()
    payload["texts"] = shared.texts.listed()
    return payload


def _run(result: ReplayResult, summary: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": result.run_id,
        "config": result.config_hash,
        "code": result.code_version,
        "feed": result.feed,
        "analyst": result.analyst,
        "validation": result.validation,
        "period": period(result),
        "headline": headline(result, summary),
        "chains": dict(result.chain_heads),
        "notes": list(result.notes),
    }


def _interval(measured: Any) -> tuple[float, ...]:
    return measured.mean, measured.low, measured.high, measured.total, measured.sessions


def _utc_offset(session: Session) -> int:
    """Minutes that New York is ahead of UTC in this session (negative)."""
    offset = to_datetime(session.open).astimezone(NEW_YORK).utcoffset() or timedelta()
    return round(offset.total_seconds() / 60)


def _lane(
    lane: LaneResult,
    result: ReplayResult,
    account: Mapping[str, Any],
    rules: ReportRules,
    shared: Shared,
) -> dict[str, Any]:
    minutes, equity = _curve(lane)
    return {
        "name": lane.name,
        "start": number(lane.start_equity),
        "figures": [
            [figure.label, figure.text, figure.why, figure.tone]
            for figure in lane_figures(lane, account)
        ],
        "minutes": pack(minutes - _shifted(minutes)),
        "equity": pack_differences(equity - lane.start_equity, CENT),
        "states": lane_states(lane.cycles, result.sessions),
        "steps": _steps(lane, result, rules, minutes, equity),
        "days": [
            [str(day.date), number(day.start_equity), number(day.end_equity), day.trades,
             day.signals, shared.texts.add(day.risk_state),
             [shared.texts.add(note) for note in day.notes]]
            for day in lane.days
        ],
        **lane_records(lane, shared),
    }  # fmt: skip


def _curve(lane: LaneResult) -> tuple[Ints, Floats]:
    if len(lane.cycles) == 0:
        return lane.cycles.minute, lane.cycles.close
    return equity_curve(lane.start_equity, lane.fills, lane.cycles)


def _shifted(minutes: Ints) -> Ints:
    """Each minute's predecessor plus one, so that an unbroken run differs by 0."""
    shifted = minutes.copy()
    shifted[1:] = minutes[:-1] + 1
    shifted[:1] = 0
    return shifted


def _steps(
    lane: LaneResult, result: ReplayResult, rules: ReportRules, minutes: Ints, equity: Floats
) -> list[list[Any]]:
    """Multipliers in force: [session, row, analysis or -1, reason, the four factors]."""
    began = {day.date: day.start_equity for day in lane.days}
    granted = bool(result.authority) and lane.name != "shadow"
    found: list[list[Any]] = []
    for position, session in enumerate(result.sessions):
        reach = result.authority[position].value if granted else 1.0
        mine = [
            (number_, replace(analysis, multipliers=limited(analysis.multipliers, reach)))
            for number_, analysis in enumerate(lane.analyses)
            if session.open <= to_minute(analysis.as_of) < session.close
        ]
        start = began.get(session.date, lane.start_equity)
        loss = daily_loss(session, start, minutes, equity)
        for step in steps_of_session(session, mine, loss, loss_limit(start, rules.risk), rules):
            factors = [number(factor, 6) for factor in step.factors]
            found.append([position, step.row, step.analysis, step.reason, factors])
    return found
