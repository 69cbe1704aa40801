"""Brokers: the orders, positions and account that are really there, behind one port.

An answer is never guessed. Whatever leaves it open whether a request took effect is `Ambiguous`,
and the caller asks by the client order id what became of it; nothing here sends an order twice.
"""

from tools.broker.book import (
    BrokerAccount,
    BrokerOrder,
    BrokerPosition,
    MarketClock,
    OrderState,
    OrderUpdate,
)

__all__ = [
    "BrokerAccount",
    "BrokerOrder",
    "BrokerPosition",
    "MarketClock",
    "OrderState",
    "OrderUpdate",
]
