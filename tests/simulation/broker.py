"""The `Broker` port over an exchange in memory; requests that got lost may still arrive later."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from quant_core.types import Order
from tests.simulation.fate import Fate
from tests.stand_ins.alpaca_exchange import OPEN, Exchange, Refusal
from tools.broker import BrokerAccount, BrokerOrder, BrokerPosition, wire
from tools.broker.alpaca import DUPLICATE, bracket_on_ticks, on_tick
from tools.errors import Ambiguous, Rejected, Transient

R = TypeVar("R")


class Killed(BaseException):
    """The process died here."""


class InMemoryBroker:
    """One account; `entries` says when each entry was asked for."""

    def __init__(self, exchange: Exchange, fate: Fate) -> None:
        self.exchange, self.fate = exchange, fate
        self.ticks = True  # False: bracket prices as decided, to compare with a replay
        self.late: list[Callable[[], Any]] = []
        self.entries: list[tuple[datetime, str]] = []

    def account(self) -> BrokerAccount:
        return self._ask(
            lambda: BrokerAccount(
                number="1", equity=self.exchange.equity(), cash=self.exchange.cash,
                buying_power=2 * self.exchange.cash, shorting=True, blocked="",
            )
        )  # fmt: skip

    def positions(self) -> list[BrokerPosition]:
        held = self.exchange.positions
        return self._ask(
            lambda: [BrokerPosition(symbol=s, quantity=q, price=p) for s, (q, p) in held.items()]
        )

    def open_orders(self) -> list[BrokerOrder]:
        return self._ask(
            lambda: [
                wire.order_of(one.payload())
                for one in self.exchange.tickets
                if any(t.status in OPEN for t in (one, *one.legs))
            ]
        )

    def find(self, client_order_id: str) -> BrokerOrder | None:
        def found() -> BrokerOrder | None:
            try:
                return wire.order_of(self.exchange.by_client_id(client_order_id).payload())
            except Refusal:
                return None

        return self._ask(found)

    def place(self, order: Order) -> BrokerOrder:
        stop, target = bracket_on_ticks(order)
        self.entries.append((self.exchange.now, order.client_order_id))
        placed = self._submit(
            order.client_order_id, order.symbol, order.side, order.quantity, "market",
            order_class="bracket", take_profit={"limit_price": target},
            stop_loss={"stop_price": stop},
        )  # fmt: skip
        if not self.ticks:
            limit, guard = self.exchange.by_id(placed.id).legs
            limit.limit_price, guard.stop_price = order.target, order.stop
        return placed

    def exit(self, client_order_id: str, symbol: str, side: int, quantity: float) -> BrokerOrder:
        return self._submit(client_order_id, symbol, side, quantity, "market")

    def protect(
        self, client_order_id: str, symbol: str, side: int, quantity: float, stop: float
    ) -> BrokerOrder:
        price = on_tick(stop, up=side < 0)
        return self._submit(client_order_id, symbol, side, quantity, "stop", stop_price=price)

    def cancel(self, order_id: str) -> None:
        def cancelled() -> None:
            try:
                self.exchange.cancel(order_id)
            except Refusal:
                return

        self._change(cancelled)

    def _submit(
        self, name: str, symbol: str, side: int, quantity: float, kind: str, **more: Any
    ) -> BrokerOrder:
        body = {
            "symbol": symbol, "side": "buy" if side > 0 else "sell", "qty": str(quantity),
            "type": kind, "time_in_force": "day", "client_order_id": name, **more,
        }  # fmt: skip

        def submitted() -> BrokerOrder:
            try:
                return wire.order_of(self.exchange.submit(body).payload())
            except Refusal as refusal:
                if DUPLICATE in refusal.message:
                    return wire.order_of(self.exchange.by_client_id(name).payload())
                raise Rejected(refusal.message) from refusal

        return self._change(submitted)

    def _ask(self, call: Callable[[], R]) -> R:
        match self.fate.draws("killed while asking", "question failed"):
            case "killed while asking":
                raise Killed
            case "question failed":
                raise Transient("scripted")
        return call()

    def _change(self, call: Callable[[], R]) -> R:
        match self.fate.draws(
            "killed before a request", "killed after a request", "request not sent",
            "request lost", "answer lost", "request late", rare=True,
        ):  # fmt: skip
            case "killed before a request":
                raise Killed
            case "killed after a request":
                self._quietly(call)
                raise Killed
            case "request not sent":
                raise Transient("scripted")
            case "request lost":
                raise Ambiguous("scripted")
            case "answer lost":
                self._quietly(call)
                raise Ambiguous("scripted")
            case "request late":
                self.late.append(call)
                raise Ambiguous("scripted")
        return call()

    @staticmethod
    def _quietly(call: Callable[[], Any]) -> None:
        try:
            call()
        except Rejected:
            return

    def arrive(self) -> None:
        """What was under way arrives."""
        late, self.late = self.late, []
        for call in late:
            self._quietly(call)
