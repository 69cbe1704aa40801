"""Alpaca's trading interface through alpaca-py: bracket orders on stocks, paper by default.

The client retries nothing and every request has a timeout: alpaca-py would wait for ever, and
would post an order again after a 504, which may have gone through. Prices are rounded to the tick
here and nowhere else (R28), both legs towards the entry: a stop never risks more than was decided.

What an error means depends on whether the request changes anything. A question that failed may be
asked again (`Transient`). An order whose answer was lost may exist: that is `Ambiguous`, and
`find(client_order_id)` tells.
"""

import math
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Literal

from quant_core.types import Order
from tools import alpaca as edge
from tools.broker import wire
from tools.broker.book import BrokerAccount, BrokerOrder, BrokerPosition, MarketClock
from tools.broker.pace import Pace
from tools.clock import Clock, SystemClock
from tools.errors import Ambiguous, Rejected, Transient

PAPER, LIVE = "https://paper-api.alpaca.markets", "https://api.alpaca.markets"
REQUESTS_A_MINUTE = 190  # Alpaca allows 200
MOST_ORDERS = 500
DUPLICATE = "client_order_id must be unique"


class AlpacaBroker:
    """One Alpaca account. Safe to use from several threads as far as requests' sessions are."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        mode: Literal["paper", "live"] = "paper",
        base_url: str | None = None,
        read_seconds: float = edge.READ_SECONDS,
        clock: Clock | None = None,
    ) -> None:
        """The keys are in the environment. NotConfigured without them, or without alpaca-py."""
        edge.installed()
        from alpaca.trading.client import TradingClient

        key, secret = edge.keys(environment)
        self._client = TradingClient(
            key,
            secret,
            paper=mode == "paper",
            raw_data=True,
            url_override=base_url or (PAPER if mode == "paper" else LIVE),
        )
        edge.tame(self._client, read_seconds)
        self._pace = Pace(REQUESTS_A_MINUTE, clock or SystemClock())

    # Questions

    def account(self) -> BrokerAccount:
        """Money and permissions."""
        return wire.account_of(self._ask(self._client.get_account))

    def clock(self) -> MarketClock:
        """The broker's time and session."""
        return wire.clock_of(self._ask(self._client.get_clock))

    def session(self, day: date) -> tuple[datetime, datetime] | None:
        """When the market opens and closes on a New York date, UTC; None when it does not."""
        from alpaca.trading.requests import GetCalendarRequest

        asked = GetCalendarRequest(start=day, end=day)
        found = self._ask(lambda: self._client.get_calendar(asked))
        # Where a date has no session the answer may begin with the next one.
        return wire.session_of(found[0]) if found and found[0]["date"] == str(day) else None

    def positions(self) -> list[BrokerPosition]:
        """All open positions."""
        return [wire.position_of(one) for one in self._ask(self._client.get_all_positions)]

    def open_orders(self) -> list[BrokerOrder]:
        """Orders that may still do something, legs nested in their bracket."""
        from alpaca.trading.enums import QueryOrderStatus
        from alpaca.trading.requests import GetOrdersRequest

        asked = GetOrdersRequest(status=QueryOrderStatus.OPEN, limit=MOST_ORDERS, nested=True)
        return [wire.order_of(one) for one in self._ask(lambda: self._client.get_orders(asked))]

    def find(self, client_order_id: str) -> BrokerOrder | None:
        """What became of an order, with its legs; None when the broker never had it."""
        from alpaca.trading.requests import GetOrderByIdRequest

        found = self._ask_for(lambda: self._client.get_order_by_client_id(client_order_id))
        if found is None:
            return None
        order, nested = found["id"], GetOrderByIdRequest(nested=True)
        whole = self._ask_for(lambda: self._client.get_order_by_id(order, nested))
        return wire.order_of(whole or found)

    # Changes

    def place(self, order: Order) -> BrokerOrder:
        """Send an entry at market with its bracket; the same client order id makes one order.

        Raises Rejected with the broker's reason, Transient when nothing was sent, Ambiguous when
        that is not known.
        """
        from alpaca.trading.enums import OrderClass, OrderSide, TimeInForce
        from alpaca.trading.requests import (
            MarketOrderRequest,
            StopLossRequest,
            TakeProfitRequest,
        )

        stop, target = bracket_on_ticks(order)
        request = MarketOrderRequest(
            symbol=order.symbol,
            qty=order.quantity,
            side=OrderSide.BUY if order.side > 0 else OrderSide.SELL,
            time_in_force=TimeInForce.DAY,
            order_class=OrderClass.BRACKET,
            client_order_id=order.client_order_id,
            take_profit=TakeProfitRequest(limit_price=target),
            stop_loss=StopLossRequest(stop_price=stop),
        )
        return self._send(order.client_order_id, lambda: self._client.submit_order(request))

    def exit(self, client_order_id: str, symbol: str, side: int, quantity: float) -> BrokerOrder:
        """Close (part of) a position at market; `side` is that of the order, not the position."""
        from alpaca.trading.enums import OrderSide, TimeInForce
        from alpaca.trading.requests import MarketOrderRequest

        request = MarketOrderRequest(
            symbol=symbol,
            qty=quantity,
            side=OrderSide.BUY if side > 0 else OrderSide.SELL,
            time_in_force=TimeInForce.DAY,
            client_order_id=client_order_id,
        )
        return self._send(client_order_id, lambda: self._client.submit_order(request))

    def protect(
        self, client_order_id: str, symbol: str, side: int, quantity: float, stop: float
    ) -> BrokerOrder:
        """A stop for a position that lacks one; `side` is that of the order."""
        from alpaca.trading.enums import OrderSide, TimeInForce
        from alpaca.trading.requests import StopOrderRequest

        request = StopOrderRequest(
            symbol=symbol,
            qty=quantity,
            side=OrderSide.BUY if side > 0 else OrderSide.SELL,
            time_in_force=TimeInForce.GTC,
            client_order_id=client_order_id,
            stop_price=on_tick(stop, up=side < 0),
        )
        return self._send(client_order_id, lambda: self._client.submit_order(request))

    def cancel(self, order_id: str) -> None:
        """Ask for a cancel; whether it came in time is seen in the order. No error when it is over.

        Raises Ambiguous when the request may not have arrived.
        """
        self._change(f"the cancel of order {order_id}", self._cancel_call(order_id))

    def _cancel_call(self, order_id: str) -> Callable[[], Any]:
        def call() -> Any:
            from alpaca.common.exceptions import APIError

            try:
                return self._client.cancel_order_by_id(order_id)
            except APIError as error:
                if error.status_code in (404, 422):  # unknown, or not cancelable any more
                    return None
                raise

        return call

    # The edge

    def _send(self, client_order_id: str, call: Callable[[], Any]) -> BrokerOrder:
        """Send an order; one that exists already is answered as it is."""
        try:
            return wire.order_of(self._change(f"order {client_order_id}", call))
        except Rejected as error:
            if DUPLICATE not in str(error):
                raise
            known = self.find(client_order_id)
            if known is None:
                raise Ambiguous(
                    f"the broker says that order {client_order_id} exists and does not show it"
                ) from error
            return known

    def _ask_for(self, call: Callable[[], Any]) -> Any:
        """The answer to a question for one thing; None when there is no such thing."""
        from alpaca.common.exceptions import APIError

        def or_none() -> Any:
            try:
                return call()
            except APIError as error:
                if error.status_code == 404:
                    return None
                raise

        return self._ask(or_none)

    def _ask(self, call: Callable[[], Any]) -> Any:
        """A question: whatever fails may be asked again, except what Alpaca refuses."""
        self._pace.wait()
        return edge.asked("the question", call, lost=Transient)

    def _change(self, what: str, call: Callable[[], Any]) -> Any:
        """A request that changes something: a lost answer leaves it open whether it did."""
        self._pace.wait()
        return edge.asked(what, call, lost=Ambiguous)


def bracket_on_ticks(order: Order) -> tuple[float, float]:
    """(stop, target) on ticks, each towards the entry, and never closer to it than one tick."""
    stop = on_tick(order.stop, up=order.side > 0)
    target = on_tick(order.target, up=order.side < 0)
    tick = tick_at(order.reference)
    if (
        order.side * (order.reference - stop) < tick
        or order.side * (target - order.reference) < tick
    ):
        raise Rejected(
            f"order {order.client_order_id}: stop {order.stop:g} and target {order.target:g} are "
            f"closer than a tick ({tick:g}) to the price {order.reference:g}"
        )
    return stop, target


def tick_at(price: float) -> float:
    """The smallest price step of US stocks: a cent, below a dollar a hundredth of one."""
    return 0.01 if price >= 1.0 else 0.0001


def on_tick(price: float, *, up: bool) -> float:
    """The next tick at or above (below) a price."""
    digits = 2 if price >= 1.0 else 4
    scaled = price * 10**digits
    ticks = round(scaled)
    if abs(scaled - ticks) > 1e-6:  # what is a tick but for its rounding error stays
        ticks = math.ceil(scaled) if up else math.floor(scaled)
    return float(ticks / 10**digits)
