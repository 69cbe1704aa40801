"""From a decision to an order: the order's identity comes from the decision, never from a clock.

The same decision therefore always asks for the same order, and asking twice cannot make two.
"""

from quant_core.calendar import new_york
from quant_core.types import Decision, Order


def order_for(decision: Decision, lane: str) -> Order | None:
    """The bracket order an accepted decision asks for; None when risk blocked it."""
    if decision.plan.quantity == 0:
        return None
    signal = decision.signal
    minute = new_york(signal.start).replace("-", "").replace(" ", "-").replace(":", "")
    return Order(
        client_order_id=f"{lane}-{minute}-{signal.symbol}-{signal.setup}",
        symbol=signal.symbol,
        side=signal.side,
        quantity=decision.plan.quantity,
        reference=signal.price,
        stop=signal.stop,
        target=signal.target,
        decided_at=signal.start,
    )
