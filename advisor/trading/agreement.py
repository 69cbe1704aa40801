"""Does the broker hold what the desk believes, and nothing else in the symbols that are traded?

The broker is right; the question is only whether the difference can be explained. A fill may come
between two questions, so a difference counts only when it is still there after orders were asked
about again. Symbols outside the watchlist are somebody else's business and are never touched.

With the policy `adopt` a position that nobody here ordered becomes the desk's (at the broker's
price, with the trailing stop as its stop, to be closed by the end of the day) and an order that
nobody here sent is cancelled. With `report` both are differences.
"""

from datetime import datetime
from typing import Literal

from advisor.trading.book import Book
from advisor.trading.sending import Sender
from quant_core.booking import entry_filled
from quant_core.calendar import to_minute
from quant_core.desk import IN_TRADE
from quant_core.events import read
from tools.broker import BrokerPosition
from tools.ports import Broker

Policy = Literal["report", "adopt"]
LOOKS = 3


class Agreement:
    """Compares, and takes in what the policy allows."""

    def __init__(self, book: Book, broker: Broker, sender: Sender, policy: Policy) -> None:
        """Over a book, its broker, and the one who asks about orders."""
        self._book, self._broker, self._sender, self._policy = book, broker, sender, policy

    def differences(self, now: datetime) -> list[str]:
        """What is not in agreement after asking, one sentence each; nothing when all is."""
        found: list[str] = []
        for _ in range(LOOKS):
            wrong = self._sender.ask(now)
            found = [*wrong, *self._positions(now), *self._orders()]
            if not found:
                break
        self._book.commit()
        return found

    def _positions(self, now: datetime) -> list[str]:
        held = {one.symbol: one for one in self._broker.positions()}
        found = []
        for symbol in self._book.symbols:
            position = held.get(symbol)
            shares = position.quantity if position else 0.0
            if shares == self._book.held(symbol):
                continue
            found += self._sender.ask_again(symbol, now)
            if shares == self._book.held(symbol):
                continue
            if position and self._policy == "adopt" and self._is_free(symbol):
                self._adopt(position, now)
                continue
            found.append(
                f"the broker holds {shares:g} shares of {symbol}, "
                f"the desk {self._book.held(symbol)}"
            )
        return found

    def _orders(self) -> list[str]:
        found = []
        for order in self._broker.open_orders():
            strange = order.client_order_id not in self._book.rows
            if not strange or order.symbol not in self._book.symbols:
                continue
            if self._policy == "adopt":
                self._broker.cancel(order.id)
                continue
            found.append(
                f"the broker has an order for {order.quantity:g} {order.symbol} "
                f"({order.client_order_id}) that was not sent from here"
            )
        return found

    def _is_free(self, symbol: str) -> bool:
        """Whether the desk has nothing in a symbol, and nothing under way."""
        slot = self._book.slot(symbol)
        under_way = any(
            row.symbol == symbol and not row.state.is_over for row in self._book.rows.values()
        )
        return slot["quantity"] == 0 and slot["entry_quantity"] == 0 and not under_way

    def _adopt(self, position: BrokerPosition, now: datetime) -> None:
        desk, s = self._book.lane.desk, self._book.symbols.index(position.symbol)
        slot, rules = desk.slots[s], self._book.rules[0]
        side = 1 if position.quantity > 0 else -1
        shares = int(abs(position.quantity))
        slot["side"], slot["state"], slot["exit_due"] = side, IN_TRADE, 0
        slot["signal_minute"] = to_minute(now)
        slot["reference"] = slot["last_close"] = position.price
        slot["stop"] = position.price * (1.0 - side * rules["trailing_stop"] / 100.0)
        slot["target"] = float("nan")
        slot["entry_quantity"] = shares
        entry_filled(
            desk, self._book.lane.log, self._book.rules, s, to_minute(now), position.price, shares
        )
        for record in read(self._book.lane.log, self._book.symbols, {}):
            self._book.record(record)
        self._book.lane.log.used[0] = 0
