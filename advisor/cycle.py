"""One cycle: from the advice that is due to the committed record. The same in every mode.

A cycle takes one lane from where it stands to the next moment at which something outside the core
must be asked: one minute when live, in replay everything up to the next analysis. Whether the
analyst answers at once or beside the loop is the lane's `asking`. All that a cycle saw and did
becomes one transaction, with the lane's state beside it, so a process that dies between two cycles
loses nothing and one that dies inside a cycle has done nothing.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from advisor.asking import abstention, degraded
from advisor.course import Question
from advisor.execution import order_for
from advisor.lanes import Lane, TradingDay
from advisor.settings import Settings
from advisor.telemetry import SILENT, Telemetry, observed
from graph import market_analysis, trade_validation
from quant_core.authority import limited
from quant_core.calendar import to_datetime, to_minute
from quant_core.cycles import CycleRows
from quant_core.desk import RISK_STATES
from quant_core.engine import AWAITS_VERDICT, advance
from quant_core.events import read, signal_of_last
from quant_core.market_view import view_market
from quant_core.parameters import pack
from quant_core.types import (
    Analysis,
    Decision,
    LaneDay,
    Order,
    Signal,
    Verdict,
)
from tools.errors import BadInput
from tools.outbox import OutboxRow
from tools.ports import Ledger, LedgerRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleDependencies:
    """What a cycle needs besides the lane and the day. `ledger` None keeps nothing on disk."""

    run_id: str
    settings: Settings
    rules: np.ndarray
    ledger: Ledger | None
    telemetry: Telemetry = SILENT


def dependencies(
    run_id: str, settings: Settings, ledger: Ledger | None, telemetry: Telemetry = SILENT
) -> CycleDependencies:
    """The dependencies of every cycle of a run; what is committed is told to `telemetry`."""
    return CycleDependencies(
        run_id=run_id,
        settings=settings,
        rules=pack(settings.stdev, settings.risk, settings.fills),
        ledger=None if ledger is None else telemetry.ledger(ledger),
        telemetry=telemetry,
    )


@observed
def run_cycle(
    lane: Lane, day: TradingDay, until: int, deps: CycleDependencies, age: float = 0.0
) -> None:
    """Take a lane from its row to the next due analysis, `until` at the latest; then commit.

    `age` is the seconds since its bars became known, which is 0 where time does not pass.
    """
    first = lane.row
    ask_if_due(lane, day, deps.settings)
    records: list[LedgerRecord] = [*_answers(lane, day, deps.settings)]
    _apply_pending(lane)
    last = _next_stop(lane, day, until, deps.settings)
    states = np.zeros(day.grid.present.shape, np.int8)
    sides = np.zeros_like(states)
    records += _step(lane, day, deps, states, sides, first, last, age)
    lane.row = last
    if last == day.session.minutes:
        records += _give_up(lane, day, first)
        records.append(_close_day(lane, day, records))
    cycles = _cycle_rows(day, states, sides, first, last)
    # Taken even when nothing is written: it must not pile up.
    kept = lane.kept.take(day.session.open + first)
    if deps.ledger is not None:
        deps.ledger.commit_cycle(
            deps.run_id,
            lane.name,
            cycles,
            [*kept, *records],
            lane.checkpoint(),
            outbox=_to_send(lane, records),
        )
    lane.cycles.append(cycles)
    lane.records += records


def _to_send(lane: Lane, records: list[LedgerRecord]) -> list[OutboxRow]:
    """The orders of this cycle that are a broker's, to be kept before anything is sent."""
    if not lane.external:
        return []
    return [OutboxRow.for_entry(record) for record in records if isinstance(record, Order)]


def ask_if_due(lane: Lane, day: TradingDay, settings: Settings) -> None:
    """Put the question of the moment in which the lane's row begins, if one is due; once."""
    if lane.analyst is None or lane.row % settings.analysis.interval_minutes != 0:
        return
    view = view_market(day.grid, day.session, day.snapshots, lane.desk, lane.row, day.alerts)
    if view.as_of not in lane.asked:
        lane.asked.append(view.as_of)
        lane.asking.ask(lane.analyst, view)


def _answers(lane: Lane, day: TradingDay, settings: Settings) -> list[Analysis]:
    """The analyses that are known by the bar of this row, queued until they apply."""
    found = [degraded(as_of, "the process ended before its answer came") for as_of in lane.lost]
    lane.lost = []
    found += lane.asking.answers(to_datetime(day.session.open + lane.row + 1))
    found = [_timed(analysis, lane, day, settings) for analysis in found]
    rules = settings.analysis
    for analysis in found:
        until = to_minute(analysis.as_of) + rules.expiry_intervals * rules.interval_minutes
        applies = analysis.applies_from or first_bar(analysis, settings)
        row = to_minute(applies) - day.session.open
        lane.pending.append((row, until, analysis.multipliers))
        lane.kept.settled(_question(analysis), day.session.open + lane.row, analysis)
    # A late answer may overtake a younger analysis that was not asked.
    lane.pending.sort(key=lambda advice: advice[0])
    _strike_off(lane, found)
    return found


def _timed(analysis: Analysis, lane: Lane, day: TradingDay, settings: Settings) -> Analysis:
    """An analysis that says from which bar it applies, unless that is the first one it could."""
    now = to_datetime(day.session.open + lane.row)
    if analysis.applies_from is not None or now <= first_bar(analysis, settings):
        return analysis
    return replace(analysis, applies_from=now)


def first_bar(analysis: Analysis, settings: Settings) -> datetime:
    """The start of the first bar that an analysis can apply to, however fast its answer."""
    return analysis.as_of + timedelta(minutes=settings.analysis.latency_bars - 1)


def _question(analysis: Analysis) -> Question:
    return Question(market_analysis.NAME, analysis.as_of)


def _give_up(lane: Lane, day: TradingDay, first: int) -> list[Analysis]:
    """What is still open at the close: it applies to no bar of the session."""
    close = to_datetime(day.session.open + day.session.minutes)
    found = [replace(analysis, applies_from=close) for analysis in lane.asking.give_up()]
    for analysis in found:
        minute = day.session.open + first
        lane.kept.settled(_question(analysis), minute, analysis, at_the_end=True)
    _strike_off(lane, found)
    return found


def _strike_off(lane: Lane, answered: list[Analysis]) -> None:
    done = {analysis.as_of for analysis in answered}
    lane.asked = [as_of for as_of in lane.asked if as_of not in done]


def _apply_pending(lane: Lane) -> None:
    """Put the advice that applies by now in force, as far as the lane's authority reaches."""
    while lane.pending and lane.pending[0][0] <= lane.row:
        _, until, multipliers = lane.pending.pop(0)
        lane.desk.take_advice(limited(multipliers, lane.authority.value), until)


def _next_stop(lane: Lane, day: TradingDay, until: int, settings: Settings) -> int:
    """The row before which nothing outside the core has to be asked."""
    stops = [until, day.session.minutes]
    if lane.analyst is not None:
        interval = settings.analysis.interval_minutes
        stops.append((lane.row // interval + 1) * interval)
    stops += [row for row, _, _ in lane.pending]
    if (met := lane.kept.next_stop(day.session.open + lane.row)) is not None:
        stops.append(met - day.session.open)
    return min(stops)


def _step(
    lane: Lane,
    day: TradingDay,
    deps: CycleDependencies,
    states: np.ndarray,
    sides: np.ndarray,
    first: int,
    last: int,
    age: float,
) -> list[LedgerRecord]:
    """Run the engine over rows [first, last), asking for verdicts on the way."""
    records: list[LedgerRecord] = []
    symbols = tuple(snapshot.symbol for snapshot in day.snapshots)
    verdicts: dict[tuple[str, int], Verdict] = {}
    row, resume, size_factor = first, -1, -1.0
    while row < last:
        outcome, row, resume = advance(
            lane.desk,
            day.grid,
            day.clock,
            deps.rules,
            lane.log,
            states,
            sides,
            row,
            last,
            resume=resume,
            size_factor=size_factor,
            age=age,
            validate=lane.validator is not None,
            external=lane.external,
        )
        if outcome == AWAITS_VERDICT:
            signal = signal_of_last(lane.log, symbols)
            verdict = _validate(lane, day, signal, row)
            verdicts[signal.symbol, day.session.open + row] = verdict
            size_factor = _size_factor(verdict, deps.settings)
            continue
        resume = -1
        for event in read(lane.log, symbols, verdicts):
            records.append(event)
            if isinstance(event, Decision) and (order := order_for(event, lane.name)):
                records.append(order)
        lane.log.used[0] = 0
    return records


def _validate(lane: Lane, day: TradingDay, signal: Signal, row: int) -> Verdict:
    """The validator's verdict as of the close of the trigger bar; a failure abstains."""
    assert lane.validator is not None
    view = view_market(day.grid, day.session, day.snapshots, lane.desk, row + 1, day.alerts)
    try:
        verdict = lane.validator(signal, view)
    except BadInput:
        raise
    except Exception as error:
        verdict = abstention(f"{type(error).__name__}: {error}")
    question = Question(trade_validation.NAME, view.as_of, signal.symbol)
    lane.kept.settled(question, day.session.open + row, verdict)
    return verdict


def _size_factor(verdict: Verdict, settings: Settings) -> float:
    """What a verdict leaves of the size: 0 refuses."""
    if verdict.ruling == "veto":
        return 0.0
    if verdict.ruling == "abstain":
        rules = settings.validation
        return {"skip": 0.0, "proceed": 1.0, "reduce": rules.abstain_factor}[rules.on_abstain]
    return verdict.size_factor


def _close_day(lane: Lane, day: TradingDay, latest: list[LedgerRecord]) -> LaneDay:
    """The lane's account at the end of the session."""
    account = lane.desk.account[0]
    opened = to_datetime(day.session.open)
    signals = [
        record
        for record in (*lane.records, *latest)
        if isinstance(record, Decision) and record.signal.start >= opened
    ]
    start, end = float(account["session_equity"]), float(account["equity"])
    lane.daily_returns.append(end / start - 1.0)
    return LaneDay(
        date=day.session.date,
        start_equity=start,
        end_equity=end,
        trades=int(account["trades_today"]),
        signals=len(signals),
        risk_state=RISK_STATES[int(account["risk_state"])],
        notes=(lane.authority.in_words(),) if lane.grant is not None else (),
    )


def _cycle_rows(
    day: TradingDay, states: np.ndarray, sides: np.ndarray, first: int, last: int
) -> CycleRows:
    """The cycle records of rows [first, last), only where a symbol had a bar."""
    grid = day.grid
    minute, symbol = np.nonzero(grid.present[first:last])
    minute += first
    z = grid.z[minute, symbol]
    trend = np.array([snapshot.htf_trend for snapshot in day.snapshots], np.int8)
    return CycleRows(
        symbols=tuple(snapshot.symbol for snapshot in day.snapshots),
        minute=minute + day.session.open,
        symbol=symbol.astype(np.int16),
        close=grid.close[minute, symbol],
        mean=grid.mean[minute, symbol],
        deviation=grid.deviation[minute, symbol],
        z=z,
        ready=~np.isnan(z),
        htf_trend=trend[symbol],
        state=states[minute, symbol],
        side=sides[minute, symbol],
    )
