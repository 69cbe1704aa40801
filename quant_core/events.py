"""What happened inside a block of minutes, as the kernels write it and as the program reads it.

Kernels append fixed-size records to an `EventLog`; `read` turns them into domain types in the
order in which they happened. A signal's risk checks stand in a table beside the log.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from quant_core.calendar import to_datetime
from quant_core.compiled import compiled
from quant_core.desk import RISK_STATES
from quant_core.risk.checks import CHECKS
from quant_core.risk.plan import OUTCOMES
from quant_core.types import (
    Check,
    Decision,
    ExitReason,
    Fill,
    OrderRejection,
    Plan,
    RiskChange,
    Setup,
    Signal,
    State,
    Trade,
    Transition,
    Verdict,
)

TRANSITION, SIGNAL, ENTRY, EXIT, TRADE, REJECTION, RISK = range(7)

# Reasons of a TRANSITION (armed or back to idle) and of a REJECTION.
ARMED, EXPIRED, WINDOW_END = range(3)
TRANSITION_REASONS = ("armed", "expired", "window_end")
NO_BAR, AT_FLAT_TIME, NO_VOLUME, VOLUME_CAP, EXIT_VOLUME_CAP, RISK_STOPPED = range(6)
BROKER_REFUSED, BROKER_CANCELLED, NOT_SENT_IN_TIME = range(6, 9)
REJECTION_REASONS = (
    "entry_cancelled_no_bar_before_the_close",
    "entry_cancelled_at_flat_time",
    "entry_rejected_no_volume",
    "entry_rest_cancelled_volume_cap",
    "exit_rest_delayed_volume_cap",
    "entry_cancelled_risk_stop",
    "entry_refused_by_broker",
    "entry_rest_cancelled_at_broker",
    "entry_not_sent_in_time",
)
RISK_REASONS = ("kill: daily loss", "liquidation: drawdown from peak")

EVENT = np.dtype(
    [
        ("kind", np.int8),
        ("reason", np.int8),
        ("state", np.int8),
        ("setup", np.int8),
        ("side", np.int8),
        ("symbol", np.int16),
        ("minute", np.int64),
        ("signal_minute", np.int64),
        ("entry_minute", np.int64),
        ("quantity", np.int64),
        ("price", np.float64),
        ("entry_price", np.float64),
        ("stop", np.float64),
        ("target", np.float64),
        ("z", np.float64),
        ("pnl", np.float64),
        ("fees", np.float64),
    ]
)
MOST_PER_SYMBOL_MINUTE = 6
SETUPS = tuple(Setup)
EXIT_REASONS = (None, *ExitReason)
STATES = tuple(State)

DomainEvent = Transition | Decision | Fill | Trade | OrderRejection | RiskChange


class EventLog(NamedTuple):
    """A reusable buffer: `events` (capacity,), `checks` (capacity, checks, 3), `used` (1,)."""

    events: np.ndarray
    checks: np.ndarray
    used: np.ndarray

    @classmethod
    def with_room_for(cls, symbols: int) -> "EventLog":
        """A log for blocks of any length: a full log only ends a block early."""
        capacity = max(1024, 4 * MOST_PER_SYMBOL_MINUTE * symbols)
        return cls(
            np.zeros(capacity, EVENT),
            np.zeros((capacity, len(CHECKS), 3)),
            np.zeros(1, np.int64),
        )


@compiled
def write(log: EventLog, kind: int, reason: int, minute: int, symbol: int, slot: Any) -> Any:
    """Append a record carrying the slot's setup, side and bracket; returns it for the rest."""
    event = log.events[log.used[0]]
    log.used[0] += 1
    event.kind = kind
    event.reason = reason
    event.minute = minute
    event.symbol = symbol
    event.state = slot.state
    event.setup = slot.setup
    event.side = slot.side
    event.signal_minute = slot.signal_minute
    event.stop = slot.stop
    event.target = slot.target
    return event


def read(
    log: EventLog, symbols: tuple[str, ...], verdicts: dict[tuple[str, int], Verdict]
) -> list[DomainEvent]:
    """The log's records as domain types. `verdicts` are keyed by symbol and signal minute."""
    count = int(log.used[0])
    found: list[DomainEvent] = []
    for position, event in enumerate(log.events[:count].tolist()):
        record = dict(zip(EVENT.names or (), event, strict=True))
        symbol = symbols[record["symbol"]]
        start = to_datetime(record["minute"])
        kind = record["kind"]
        if kind == SIGNAL:
            verdict = verdicts.get((symbol, record["minute"]))
            found.append(_decision(record, symbol, log.checks[position], verdict))
        else:
            found.append(_READERS[kind](record, symbol, start))
    return found


def _transition(record: dict[str, Any], symbol: str, start: Any) -> Transition:
    return Transition(
        symbol=symbol,
        start=start,
        state=STATES[record["state"]],
        side=record["side"],
        z=record["z"],
        reason=TRANSITION_REASONS[record["reason"]],
    )


def signal_of(record: dict[str, Any], symbol: str) -> Signal:
    """The signal in a SIGNAL record."""
    return Signal(
        symbol=symbol,
        start=to_datetime(record["minute"]),
        setup=SETUPS[record["setup"]],
        side=record["side"],
        price=record["price"],
        stop=record["stop"],
        target=record["target"],
        z=record["z"],
    )


def signal_of_last(log: EventLog, symbols: tuple[str, ...]) -> Signal:
    """The signal that the log ends with, for the validator."""
    record = dict(zip(EVENT.names or (), log.events[log.used[0] - 1].tolist(), strict=True))
    return signal_of(record, symbols[record["symbol"]])


@lru_cache(maxsize=4096)
def _check(index: int, before: float, after: float, outcome: int) -> Check:
    return Check(name=CHECKS[index], before=before, after=after, outcome=OUTCOMES[outcome])


def plan_of(quantity: int, table: np.ndarray) -> Plan:
    """A risk decision from its table of (before, after, outcome), one row per check."""
    rows = [_check(i, *row) for i, row in enumerate(table.tolist())]
    blocked = next((check.name for check in rows if check.outcome == "block"), "")
    return Plan(quantity=quantity, blocked_by=blocked, checks=tuple(rows))


def _decision(
    record: dict[str, Any], symbol: str, table: np.ndarray, verdict: Verdict | None
) -> Decision:
    return Decision(
        signal=signal_of(record, symbol), plan=plan_of(record["quantity"], table), verdict=verdict
    )


def _entry(record: dict[str, Any], symbol: str, start: Any) -> Fill:
    return Fill(
        symbol=symbol,
        start=start,
        side=record["side"],
        quantity=record["quantity"],
        price=record["price"],
        fees=record["fees"],
        reason="entry",
    )


def _exit(record: dict[str, Any], symbol: str, start: Any) -> Fill:
    return Fill(
        symbol=symbol,
        start=start,
        side=-record["side"],
        quantity=record["quantity"],
        price=record["price"],
        fees=record["fees"],
        reason=str(EXIT_REASONS[record["reason"]]),
    )


def _trade(record: dict[str, Any], symbol: str, start: Any) -> Trade:
    return Trade(
        symbol=symbol,
        setup=SETUPS[record["setup"]],
        side=record["side"],
        quantity=record["quantity"],
        entry_time=to_datetime(record["entry_minute"]),
        entry_price=record["entry_price"],
        exit_time=start,
        exit_price=record["price"],
        exit_reason=EXIT_REASONS[record["reason"]] or ExitReason.STOP,
        pnl=record["pnl"],
        fees=record["fees"],
        stop=record["stop"],
        target=record["target"],
        signal_start=to_datetime(record["signal_minute"]),
    )


def trades_in(events: np.ndarray, symbols: tuple[str, ...]) -> list[Trade]:
    """TRADE records kept from a log as domain types, in their order."""
    names = EVENT.names or ()
    records = (dict(zip(names, event, strict=True)) for event in events.tolist())
    return [
        _trade(record, symbols[record["symbol"]], to_datetime(record["minute"]))
        for record in records
    ]


def _rejection(record: dict[str, Any], symbol: str, start: Any) -> OrderRejection:
    return OrderRejection(
        symbol=symbol,
        start=start,
        quantity=record["quantity"],
        reason=REJECTION_REASONS[record["reason"]],
    )


def _risk(record: dict[str, Any], symbol: str, start: Any) -> RiskChange:  # noqa: ARG001
    return RiskChange(
        start=start,
        state=RISK_STATES[record["state"]],
        reason=RISK_REASONS[record["reason"]],
        equity=record["price"],
    )


_READERS: dict[int, Callable[[dict[str, Any], str, Any], DomainEvent]] = {
    TRANSITION: _transition,
    ENTRY: _entry,
    EXIT: _exit,
    TRADE: _trade,
    REJECTION: _rejection,
    RISK: _risk,
}
