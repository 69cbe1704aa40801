"""What each kind of record says in the log. The id of a decision is that of the order it asks for.

Minutes of bars are no events of their own: they are counted, and the ledger keeps them.
"""

import logging
from datetime import UTC, datetime
from functools import singledispatch
from typing import Any

from advisor.execution import entry_id
from advisor.telemetry.logs import event
from quant_core.types import (
    Analysis,
    Decision,
    Fill,
    LaneDay,
    Order,
    OrderRejection,
    RiskChange,
    RiskState,
    Signal,
    Status,
    Trade,
)
from tools.llm.calls import KeptCall, Outcome


def instant(moment: datetime) -> str:
    """A minute as the log names it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")


def decision_id(lane: str, signal: Signal) -> str:
    """The id of a decision: that of the entry it asks for, if it asks for one."""
    return entry_id(lane, signal.start, signal.symbol, signal.setup)


def write(record: object, lane: str) -> None:
    """Write the event of a record; kinds without one are only counted."""
    _line(record, lane)


@singledispatch
def _line(record: object, lane: str) -> None:
    """Nothing: this kind is in the ledger and in the counts."""


def _opinion(record: Any) -> dict[str, Any]:
    shown = {"status": record.status.value}
    return shown | ({"reason": record.degraded_reason} if record.degraded_reason else {})


@_line.register
def _(record: Analysis, lane: str) -> None:  # noqa: ARG001
    degraded = record.status is Status.DEGRADED
    event(
        "analysis", logging.WARNING if degraded else logging.INFO,
        as_of=instant(record.as_of), analyst=record.analyst, confidence=record.confidence,
        multipliers=record.multipliers.as_tuple(), **_opinion(record),
    )  # fmt: skip


@_line.register
def _(record: Decision, lane: str) -> None:
    signal, plan, verdict = record.signal, record.plan, record.verdict
    event(
        "decision", decision=decision_id(lane, signal), symbol=signal.symbol,
        setup=signal.setup.value, side=signal.side, price=signal.price, z=signal.z,
        quantity=plan.quantity, blocked_by=plan.blocked_by,
        ruling=verdict.ruling if verdict else "",
        verdict_status=verdict.status.value if verdict else "",
    )  # fmt: skip


@_line.register
def _(record: Order, lane: str) -> None:  # noqa: ARG001
    event(
        "order", decision=record.client_order_id, order=record.client_order_id,
        symbol=record.symbol, side=record.side, quantity=record.quantity,
        reference=record.reference, stop=record.stop, target=record.target,
    )  # fmt: skip


@_line.register
def _(record: Fill, lane: str) -> None:  # noqa: ARG001
    event(
        "fill", symbol=record.symbol, side=record.side, quantity=record.quantity,
        price=record.price, fees=record.fees, exit_reason=record.reason,
    )  # fmt: skip


@_line.register
def _(record: OrderRejection, lane: str) -> None:  # noqa: ARG001
    event(
        "order rejected", logging.WARNING, symbol=record.symbol, quantity=record.quantity,
        reason=record.reason,
    )  # fmt: skip


@_line.register
def _(record: Trade, lane: str) -> None:
    event(
        "trade", decision=entry_id(lane, record.signal_start, record.symbol, record.setup),
        symbol=record.symbol, side=record.side, quantity=record.quantity, pnl=record.pnl,
        exit_reason=record.exit_reason.value,
    )  # fmt: skip


@_line.register
def _(record: RiskChange, lane: str) -> None:  # noqa: ARG001
    level = logging.INFO if record.state is RiskState.ACTIVE else logging.ERROR
    event("risk state", level, state=record.state.value, reason=record.reason, equity=record.equity)


@_line.register
def _(record: LaneDay, lane: str) -> None:  # noqa: ARG001
    event(
        "session over", date=record.date.isoformat(), start_equity=record.start_equity,
        end_equity=record.end_equity, trades=record.trades, signals=record.signals,
        risk_state=record.risk_state.value,
    )  # fmt: skip


@_line.register
def _(record: KeptCall, lane: str) -> None:  # noqa: ARG001
    call = record.call
    answered = call.outcome is Outcome.ANSWER
    event(
        "model call", logging.INFO if answered else logging.WARNING, machine=record.machine,
        model=call.model, prompt=f"{call.prompt.id}.v{call.prompt.version}",
        outcome=call.outcome.value, tokens_in=call.tokens_in, tokens_out=call.tokens_out,
        cost_usd=str(call.cost_usd), seconds=call.latency,
    )  # fmt: skip
