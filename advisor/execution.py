"""From a decision to an order: the order's identity comes from the decision, never from a clock.

The same decision therefore always asks for the same order, and asking twice cannot make two.
"""

from datetime import datetime

from quant_core.calendar import new_york
from quant_core.types import Decision, Order, Setup


def entry_id(lane: str, start: datetime, symbol: str, setup: Setup) -> str:
    """The id of the entry that a signal asks for: lane, New York minute, symbol, setup."""
    minute = new_york(start).replace("-", "").replace(" ", "-").replace(":", "")
    return f"{lane}-{minute}-{symbol}-{setup}"


def order_for(decision: Decision, lane: str) -> Order | None:
    """The bracket order an accepted decision asks for; None when risk blocked it."""
    if decision.plan.quantity == 0:
        return None
    signal = decision.signal
    return Order(
        client_order_id=entry_id(lane, signal.start, signal.symbol, signal.setup),
        symbol=signal.symbol,
        side=signal.side,
        quantity=decision.plan.quantity,
        reference=signal.price,
        stop=signal.stop,
        target=signal.target,
        decided_at=signal.start,
    )
