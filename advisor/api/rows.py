"""From domain records to what the API answers, kind by kind; NaN becomes null."""

import math
from typing import Any

from advisor.api import schemas
from quant_core import types
from tools.llm.calls import KeptCall
from tools.store import codec
from tools.store.paging import Entry


def number(value: float) -> float | None:
    """A number, or null when it is undefined or infinite."""
    return value if math.isfinite(value) else None


def side(value: int) -> schemas.Side | None:
    """+1 and -1 in words; null for none."""
    return "long" if value > 0 else "short" if value < 0 else None


def _side(value: int) -> schemas.Side:
    return "long" if value > 0 else "short"


def trade(entry: Entry[types.Trade]) -> schemas.Trade:
    """A closed position."""
    one = entry.record
    return schemas.Trade(
        id=entry.seq,
        known_at=entry.at,
        symbol=one.symbol,
        setup=one.setup.value,
        side=_side(one.side),
        quantity=one.quantity,
        entry_time=one.entry_time,
        entry_price=number(one.entry_price),
        exit_time=one.exit_time,
        exit_price=number(one.exit_price),
        exit_reason=one.exit_reason.value,
        pnl=number(one.pnl),
        fees=number(one.fees),
        stop=number(one.stop),
        target=number(one.target),
        signal_time=one.signal_start,
    )


def analysis(entry: Entry[types.Analysis]) -> schemas.Analysis:
    """An analysis with its multipliers."""
    one = entry.record
    return schemas.Analysis(
        id=entry.seq,
        known_at=entry.at,
        as_of=one.as_of,
        analyst=one.analyst,
        multipliers=multipliers(one.multipliers),
        confidence=number(one.confidence),
        assessment=one.assessment,
        opportunities=list(one.opportunities),
        reasoning=one.reasoning,
        evidence=list(one.evidence),
        status=one.status.value,
        degraded_reason=one.degraded_reason,
        applies_from=one.applies_from,
    )


def multipliers(value: types.Multipliers) -> schemas.Multipliers:
    """The four factors."""
    first, second, third, fourth = value.as_tuple()
    return schemas.Multipliers(
        mr_arm=first, mr_trigger=second, tc_arm=third, tc_trigger=fourth
    )  # fmt: skip


def bias(entry: Entry[types.DailyBias]) -> schemas.DailyBias:
    """What a symbol's day was expected to be."""
    one = entry.record
    return schemas.DailyBias(
        id=entry.seq,
        known_at=entry.at,
        symbol=one.symbol,
        date=one.date,
        bias=one.bias,
        confidence=number(one.confidence),
        reasoning=one.reasoning,
        news_summary=one.news_summary,
        premarket_price=number(one.premarket_price),
        premarket_price_at=one.premarket_price_at,
        price_note=one.price_note,
        evidence=list(one.evidence),
        analyst=one.analyst,
        status=one.status.value,
        degraded_reason=one.degraded_reason,
    )


def news(entry: Entry[types.Headline]) -> schemas.NewsItem:
    """A headline that was read."""
    one = entry.record
    return schemas.NewsItem(
        id=entry.seq,
        known_at=entry.at,
        published_at=one.published_at,
        source=one.source,
        title=one.title,
        summary=one.summary,
        symbols=list(one.symbols),
    )


def chart_alert(entry: Entry[types.ChartAlert]) -> schemas.ChartAlert:
    """An alert of a chart."""
    one = entry.record
    return schemas.ChartAlert(
        id=entry.seq,
        known_at=entry.at,
        symbol=one.symbol,
        time=one.time,
        direction=one.direction,
        grade=one.grade,
        score=one.score,
        confidence=one.confidence,
        entry=number(one.entry),
        stop=number(one.stop),
        targets=list(one.targets),
        components=dict(one.components),
    )


def market_context(entry: Entry[types.MarketContext]) -> schemas.MarketContext:
    """The market as a whole before the open."""
    one = entry.record
    return schemas.MarketContext(
        id=entry.seq,
        known_at=entry.at,
        date=one.date,
        bias=one.bias,
        volatility=one.volatility,
        vix=number(one.vix),
        vix_date=one.vix_date,
        confidence=number(one.confidence),
        summary=one.summary,
        evidence=list(one.evidence),
        analyst=one.analyst,
        status=one.status.value,
        degraded_reason=one.degraded_reason,
    )


def model_call(entry: Entry[KeptCall]) -> schemas.ModelCallEntry:
    """A question to a model, without its texts: those stay in the ledger."""
    kept, call = entry.record, entry.record.call
    return schemas.ModelCallEntry(
        id=entry.seq,
        known_at=entry.at,
        machine=kept.machine,
        about=kept.about,
        prompt=f"{call.prompt.id}.v{call.prompt.version}",
        model=call.model,
        outcome=call.outcome.value,
        tokens_in=call.tokens_in,
        tokens_out=call.tokens_out,
        cost_usd=float(call.cost_usd),
        latency_seconds=number(call.latency),
    )


def finding(entry: Entry[types.AnswerFinding]) -> schemas.Finding:
    """What the bounds made of a claim."""
    one = entry.record
    return schemas.Finding(
        id=entry.seq,
        known_at=entry.at,
        machine=one.machine,
        about=one.about,
        kind=one.kind,
        field=one.field,
        detail=one.detail,
    )


def signal(entry: Entry[types.Decision]) -> schemas.Signal:
    """A signal with its plan and verdict."""
    one, plan = entry.record.signal, entry.record.plan
    return schemas.Signal(
        id=entry.seq,
        known_at=entry.at,
        symbol=one.symbol,
        time=one.start,
        setup=one.setup.value,
        side=_side(one.side),
        price=number(one.price),
        stop=number(one.stop),
        target=number(one.target),
        z=number(one.z),
        plan=schemas.Plan(
            quantity=plan.quantity,
            blocked_by=plan.blocked_by,
            checks=[
                schemas.Check(
                    name=check.name,
                    before=number(check.before),
                    after=number(check.after),
                    outcome=check.outcome,
                )
                for check in plan.checks
            ],
        ),
        verdict=_verdict(entry.record.verdict),
    )


def verdict(entry: Entry[types.Decision]) -> schemas.SignalVerdict:
    """A verdict on its own; the decision must have one."""
    one, given = entry.record.signal, _verdict(entry.record.verdict)
    assert given is not None, f"signal {entry.seq} has no verdict"
    return schemas.SignalVerdict(
        **dict(given),
        id=entry.seq,
        known_at=entry.at,
        symbol=one.symbol,
        time=one.start,
        setup=one.setup.value,
        side=_side(one.side),
        quantity=entry.record.plan.quantity,
    )


def _verdict(one: types.Verdict | None) -> schemas.Verdict | None:
    if one is None:
        return None
    return schemas.Verdict(
        ruling=one.ruling,
        size_factor=one.size_factor,
        confidence=number(one.confidence),
        reasoning=one.reasoning,
        evidence=list(one.evidence),
        validator=one.validator,
        status=one.status.value,
        degraded_reason=one.degraded_reason,
    )


def transition(entry: Entry[types.Transition]) -> schemas.Transition:
    """A change of a symbol's state."""
    one = entry.record
    return schemas.Transition(
        id=entry.seq,
        known_at=entry.at,
        symbol=one.symbol,
        time=one.start,
        state=one.state.value,
        side=side(one.side),
        z=number(one.z),
        reason=one.reason,
    )


def fill(entry: Entry[types.Fill]) -> schemas.Fill:
    """Shares that changed hands."""
    one = entry.record
    return schemas.Fill(
        id=entry.seq,
        known_at=entry.at,
        symbol=one.symbol,
        time=one.start,
        side=_side(one.side),
        quantity=one.quantity,
        price=number(one.price),
        fees=number(one.fees),
        reason=one.reason,
    )


def order_rejection(entry: Entry[types.OrderRejection]) -> schemas.OrderRejection:
    """What did not fill."""
    one = entry.record
    return schemas.OrderRejection(
        id=entry.seq,
        known_at=entry.at,
        symbol=one.symbol,
        time=one.start,
        quantity=one.quantity,
        reason=one.reason,
    )


def risk_change(entry: Entry[types.RiskChange]) -> schemas.RiskChange:
    """A change of the account's risk state."""
    one = entry.record
    return schemas.RiskChange(
        id=entry.seq,
        known_at=entry.at,
        time=one.start,
        state=one.state.value,
        reason=one.reason,
        equity=number(one.equity),
    )


def day(entry: Entry[types.LaneDay]) -> schemas.Day:
    """A session that is over."""
    one = entry.record
    return schemas.Day(
        id=entry.seq,
        known_at=entry.at,
        date=one.date,
        start_equity=number(one.start_equity),
        end_equity=number(one.end_equity),
        trades=one.trades,
        signals=one.signals,
        risk_state=one.risk_state.value,
        notes=list(one.notes),
    )


def snapshot(one: types.Snapshot) -> schemas.Snapshot:
    """What was known of a symbol before the open."""
    return schemas.Snapshot(
        symbol=one.symbol,
        date=one.date,
        ema_slope_daily=number(one.ema_slope_daily),
        ema_slope_hourly=number(one.ema_slope_hourly),
        hh_ll_tag=one.hh_ll_tag,
        atr_percentile=number(one.atr_percentile),
        sessions=one.sessions,
        htf_trend=one.htf_trend,
        mean_5m=number(one.mean_5m),
        deviation_5m=number(one.deviation_5m),
        atr_5m=number(one.atr_5m),
        average_volume=number(one.average_volume),
        previous_close=number(one.previous_close),
        incomplete=list(one.incomplete),
    )


# What the decision log and the stream tell of, under the names they tell it.
LOGGED: dict[schemas.EntryKind, tuple[codec.Kind[Any], Any]] = {
    "trade": (codec.TRADES, trade),
    "signal": (codec.DECISIONS, signal),
    "analysis": (codec.ANALYSES, analysis),
    "transition": (codec.TRANSITIONS, transition),
    "fill": (codec.FILLS, fill),
    "order_rejection": (codec.ORDER_REJECTIONS, order_rejection),
    "risk": (codec.RISK_CHANGES, risk_change),
    "day": (codec.LANE_DAYS, day),
    "bias": (codec.DAILY_BIASES, bias),
    "market_context": (codec.MARKET_CONTEXTS, market_context),
    "model_call": (codec.LLM_CALLS, model_call),
    "finding": (codec.LLM_FINDINGS, finding),
}


def log_entry(kind: schemas.EntryKind, entry: Entry[Any]) -> schemas.LogEntry:
    """An entry of the decision log."""
    return schemas.LogEntry(
        id=entry.seq, kind=kind, known_at=entry.at, record=LOGGED[kind][1](entry)
    )
