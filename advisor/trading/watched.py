"""A broker whose failures are counted: the circuit breaker of DOMAIN.md section 3.

It opens nothing and closes nothing by itself: it says since when a broker has been failing too
often, and the one who trades sends no entries while it does. A refusal is an answer, not a failure.
"""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from quant_core.types import Order
from tools.broker import BrokerAccount, BrokerOrder, BrokerPosition
from tools.errors import Ambiguous, Transient
from tools.ports import Broker

R = TypeVar("R")


class WatchedBroker:
    """The `Broker` port over another, with what failed of late. `now` is set by who trades."""

    def __init__(self, broker: Broker, failures: int, seconds: float) -> None:
        """`failures` within `seconds` are too many."""
        self._broker, self._most, self._window = broker, failures, timedelta(seconds=seconds)
        self._failed: deque[datetime] = deque(maxlen=failures)
        self._tripped: datetime | None = None
        self.now = datetime.min

    def is_failing(self) -> bool:
        """Whether it failed too often, and has not been fine for as long since."""
        if self._tripped is not None and abs(self.now - self._failed[-1]) >= self._window:
            self._tripped = None
        return self._tripped is not None

    def account(self) -> BrokerAccount:
        """Money and permissions."""
        return self._counted(self._broker.account)

    def positions(self) -> list[BrokerPosition]:
        """All open positions."""
        return self._counted(self._broker.positions)

    def open_orders(self) -> list[BrokerOrder]:
        """Orders that may still do something."""
        return self._counted(self._broker.open_orders)

    def find(self, client_order_id: str) -> BrokerOrder | None:
        """What became of an order."""
        return self._counted(lambda: self._broker.find(client_order_id))

    def place(self, order: Order) -> BrokerOrder:
        """Send an entry."""
        return self._counted(lambda: self._broker.place(order))

    def exit(self, client_order_id: str, symbol: str, side: int, quantity: float) -> BrokerOrder:
        """Close (part of) a position."""
        return self._counted(lambda: self._broker.exit(client_order_id, symbol, side, quantity))

    def protect(
        self, client_order_id: str, symbol: str, side: int, quantity: float, stop: float
    ) -> BrokerOrder:
        """A stop for a position."""
        return self._counted(
            lambda: self._broker.protect(client_order_id, symbol, side, quantity, stop)
        )

    def cancel(self, order_id: str) -> None:
        """Ask for a cancel."""
        self._counted(lambda: self._broker.cancel(order_id))

    def _counted(self, call: Callable[[], R]) -> R:
        try:
            return call()
        except (Transient, Ambiguous):
            self._failed.append(self.now)
            full = len(self._failed) == self._most
            if full and abs(self.now - self._failed[0]) <= self._window:
                self._tripped = self.now
            raise
