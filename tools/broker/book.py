"""A broker's truth in our words. Quantities are shares and may be fractions (of other people)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from quant_core.types import Side


class OrderState(StrEnum):
    """Where an order is on its way. HELD waits for another order; WORKING may still fill."""

    HELD = "held"
    WORKING = "working"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    REPLACED = "replaced"

    @property
    def is_open(self) -> bool:
        """Whether anything may still happen to it."""
        return self in (OrderState.HELD, OrderState.WORKING)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerOrder:
    """An order as the broker has it, with the legs of its bracket.

    `side` is +1 to buy and -1 to sell. `average_price` is NaN until something filled; `stop` and
    `limit` are NaN where the order has none. `status` is the broker's own word.
    """

    id: str
    client_order_id: str
    symbol: str
    side: Side
    kind: Literal["market", "limit", "stop", "other"]
    quantity: float
    filled: float
    average_price: float
    stop: float
    limit: float
    state: OrderState
    status: str
    submitted_at: datetime
    updated_at: datetime
    replaced_by: str = ""
    legs: tuple["BrokerOrder", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerPosition:
    """What is held: `quantity` is negative when short; `price` is the average entry."""

    symbol: str
    quantity: float
    price: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAccount:
    """Money in dollars, and what the broker lets the account do; `blocked` says why it may not."""

    number: str
    equity: float
    cash: float
    buying_power: float
    shorting: bool
    blocked: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketClock:
    """The broker's clock and its view of the session."""

    now: datetime
    is_open: bool
    next_open: datetime
    next_close: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUpdate:
    """Something happened to an order; for a fill, `quantity` shares at `price`.

    `execution_id` is the same when a fill is told twice.
    """

    event: str
    order: BrokerOrder
    at: datetime
    execution_id: str = ""
    quantity: float = 0.0
    price: float = float("nan")
