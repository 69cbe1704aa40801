"""The outbox: an order is a row before it is a request.

A row is committed with the decision that asks for it, and it outlives the process. Its state says
what is known of the request: PENDING was never sent; SENT was about to be sent when the process
last wrote; UNKNOWN got no answer that says whether it took effect; ACKNOWLEDGED is at the broker;
REJECTED and DONE are over. SENT and UNKNOWN are never sent again before the broker has been asked
under the order's own id.

`filled` shares for `value` dollars are what has been booked of it, so applying the broker's totals
twice books nothing twice. Rows of kind `stop` and `target` are the legs of an entry's bracket; the
broker made them, and `parent` is the entry.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from quant_core.types import Order, Side


class Sending(StrEnum):
    """What is known of a request."""

    PENDING = "PENDING"
    SENT = "SENT"
    UNKNOWN = "UNKNOWN"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    REJECTED = "REJECTED"
    DONE = "DONE"

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do about it."""
        return self in (Sending.REJECTED, Sending.DONE)

    @property
    def is_doubtful(self) -> bool:
        """Whether the broker may have it and has not said so."""
        return self in (Sending.SENT, Sending.UNKNOWN)


class Purpose(StrEnum):
    """What an order is for."""

    ENTRY = "entry"
    EXIT = "exit"
    PROTECT = "protect"
    STOP = "stop"
    TARGET = "target"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """One order on its way. `side` is that of the order; prices are NaN where it has none.

    `reason` is why it is where it is, in the broker's words where there are any. `attempts` counts
    how often it was sent, `changed_at` is when its state last changed.
    """

    client_order_id: str
    kind: Purpose
    symbol: str
    side: Side
    quantity: int
    decided_at: datetime
    changed_at: datetime
    reference: float = float("nan")
    stop: float = float("nan")
    target: float = float("nan")
    parent: str = ""
    state: Sending = Sending.PENDING
    broker_id: str = ""
    reason: str = ""
    attempts: int = 0
    filled: int = 0
    value: float = 0.0

    @classmethod
    def for_entry(cls, order: Order) -> "OutboxRow":
        """The row of an entry, as of its decision."""
        return cls(
            client_order_id=order.client_order_id,
            kind=Purpose.ENTRY,
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity,
            reference=order.reference,
            stop=order.stop,
            target=order.target,
            decided_at=order.decided_at,
            changed_at=order.decided_at,
        )

    def order(self) -> Order:
        """The entry order that the row stands for."""
        return Order(
            client_order_id=self.client_order_id,
            symbol=self.symbol,
            side=self.side,
            quantity=self.quantity,
            reference=self.reference,
            stop=self.stop,
            target=self.target,
            decided_at=self.decided_at,
        )
