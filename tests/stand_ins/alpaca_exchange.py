"""An account at a broker, as Alpaca keeps one: orders, bracket legs, positions, money.

Pure memory and no clock: the caller moves prices and time. Market orders fill when the symbol next
trades; a bracket's legs are held until the entry has filled whole, and then cancel each other.
Every change is an update, in order, for whoever listens.
"""

import itertools
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

OPEN = {"new", "held", "partially_filled"}


@dataclass(slots=True)
class Refusal(Exception):
    """What Alpaca answers to a request it does not accept."""

    status: int
    code: int
    message: str


@dataclass(slots=True)
class Ticket:
    """One order at the broker."""

    id: str
    client_order_id: str
    symbol: str
    side: str
    type: str
    qty: float
    tif: str
    at: datetime
    order_class: str = "simple"
    stop_price: float | None = None
    limit_price: float | None = None
    status: str = "new"
    filled: float = 0.0
    value: float = 0.0
    updated: datetime | None = None
    legs: list["Ticket"] = field(default_factory=list)
    parent: "Ticket | None" = None

    @property
    def sign(self) -> int:
        return 1 if self.side == "buy" else -1

    def payload(self, nested: bool = True) -> dict[str, Any]:
        stamp = self.at.isoformat().replace("+00:00", "Z")
        updated = (self.updated or self.at).isoformat().replace("+00:00", "Z")
        return {
            "id": self.id,
            "client_order_id": self.client_order_id,
            "created_at": stamp,
            "updated_at": updated,
            "submitted_at": stamp,
            "filled_at": updated if self.status == "filled" else None,
            "expired_at": None,
            "canceled_at": updated if self.status == "canceled" else None,
            "failed_at": None,
            "replaced_at": None,
            "replaced_by": None,
            "replaces": None,
            "asset_id": str(uuid.uuid5(uuid.NAMESPACE_DNS, self.symbol)),
            "symbol": self.symbol,
            "asset_class": "us_equity",
            "notional": None,
            "qty": _text(self.qty),
            "filled_qty": _text(self.filled),
            "filled_avg_price": _text(self.value / self.filled) if self.filled else None,
            "order_class": self.order_class,
            "order_type": self.type,
            "type": self.type,
            "side": self.side,
            "time_in_force": self.tif,
            "limit_price": _text(self.limit_price),
            "stop_price": _text(self.stop_price),
            "status": self.status,
            "extended_hours": False,
            "legs": [leg.payload() for leg in self.legs] or None if nested else None,
            "trail_percent": None,
            "trail_price": None,
            "hwm": None,
        }


def _text(value: float | None) -> str | None:
    return None if value is None else f"{value:.10g}"


Listener = Callable[[dict[str, Any]], None]


class Exchange:
    """The account and the market it trades in."""

    def __init__(self, cash: float = 100_000.0) -> None:
        self.now = datetime(2025, 1, 8, 14, 30, tzinfo=UTC)
        self.is_open = True
        self.cash = cash
        self.shorting = True
        self.unshortable: set[str] = set()
        self.unknown: set[str] = set()
        self.account_fields: dict[str, Any] = {}
        self.tickets: list[Ticket] = []
        self.positions: dict[str, tuple[float, float]] = {}
        self.prices: dict[str, float] = {}
        self.listeners: list[Listener] = []
        self._ids = itertools.count(1)

    # What Alpaca's API does

    def submit(self, body: dict[str, Any]) -> Ticket:
        """Accept an order, or refuse it in Alpaca's words."""
        self._check(body)
        ticket = self._ticket(body, body["type"], body["side"])
        ticket.order_class = body.get("order_class") or "simple"
        if ticket.order_class == "bracket":
            other = "sell" if ticket.side == "buy" else "buy"
            target = self._ticket({**body, "client_order_id": None}, "limit", other)
            target.limit_price = float(body["take_profit"]["limit_price"])
            stop = self._ticket({**body, "client_order_id": None}, "stop", other)
            stop.stop_price = float(body["stop_loss"]["stop_price"])
            for leg in (target, stop):
                leg.status, leg.parent, leg.order_class = "held", ticket, "bracket"
            ticket.legs = [target, stop]
        else:
            ticket.stop_price = _maybe(body.get("stop_price"))
            ticket.limit_price = _maybe(body.get("limit_price"))
        self.tickets.append(ticket)
        self._tell("new", ticket)
        return ticket

    def cancel(self, order_id: str) -> None:
        ticket = self.by_id(order_id)
        if ticket.status not in OPEN:
            raise Refusal(422, 42210000, f'order is already in "{ticket.status}" state')
        self._close(ticket, "canceled")
        siblings = ticket.legs if ticket.parent is None else ticket.parent.legs
        for leg in siblings:
            if leg.status in OPEN and (ticket.parent is not None or ticket.filled == 0):
                self._close(leg, "canceled")

    def by_id(self, order_id: str) -> Ticket:
        for ticket in self.everything():
            if ticket.id == order_id:
                return ticket
        raise Refusal(404, 40410000, f"order not found for {order_id}")

    def by_client_id(self, name: str) -> Ticket:
        for ticket in self.everything():
            if ticket.client_order_id == name:
                return ticket
        raise Refusal(404, 40410000, f"order not found for {name}")

    def everything(self) -> list[Ticket]:
        return [one for ticket in self.tickets for one in (ticket, *ticket.legs)]

    def equity(self) -> float:
        held = sum(q * self.prices.get(s, p) for s, (q, p) in self.positions.items())
        return self.cash + held

    # What the market does

    def trade(self, symbol: str, price: float, size: float = float("inf")) -> None:
        """The symbol trades at a price; orders it touches fill, `size` shares in all at most."""
        self.prices[symbol] = price
        for ticket in [one for one in self.everything() if one.symbol == symbol]:
            if ticket.status not in ("new", "partially_filled") or not _touched(ticket, price):
                continue
            shares = min(ticket.qty - ticket.filled, size)
            if shares <= 0:
                continue
            size -= shares
            self._fill(ticket, shares, price)

    def expire_day_orders(self) -> None:
        """The session ends."""
        for ticket in self.everything():
            if ticket.status in OPEN and ticket.tif == "day":
                self._close(ticket, "expired")

    def _fill(self, ticket: Ticket, shares: float, price: float) -> None:
        ticket.filled += shares
        ticket.value += shares * price
        ticket.updated = self.now
        ticket.status = "filled" if ticket.filled >= ticket.qty else "partially_filled"
        self._book(ticket, shares, price)
        event = "fill" if ticket.status == "filled" else "partial_fill"
        self._tell(event, ticket, shares, price)
        if ticket.status != "filled":
            return
        if ticket.parent is None:
            for leg in ticket.legs:
                if leg.status == "held":
                    leg.status, leg.updated = "new", self.now
                    self._tell("new", leg)
        else:
            for leg in ticket.parent.legs:
                if leg is not ticket and leg.status in OPEN:
                    self._close(leg, "canceled")

    def _book(self, ticket: Ticket, shares: float, price: float) -> None:
        held, average = self.positions.get(ticket.symbol, (0.0, 0.0))
        signed = ticket.sign * shares
        self.cash -= signed * price
        left = held + signed
        if abs(left) < 1e-9:
            self.positions.pop(ticket.symbol, None)
            return
        if held * signed >= 0:
            average = (abs(held) * average + shares * price) / abs(left)
        elif held * left < 0:
            average = price
        self.positions[ticket.symbol] = (left, average)

    def _close(self, ticket: Ticket, status: str) -> None:
        ticket.status, ticket.updated = status, self.now
        self._tell(status, ticket)

    def _tell(self, event: str, ticket: Ticket, shares: float = 0.0, price: float = 0.0) -> None:
        told: dict[str, Any] = {
            "event": event,
            "timestamp": self.now.isoformat().replace("+00:00", "Z"),
            "order": ticket.payload(nested=False),
        }
        if shares:
            told |= {
                "execution_id": str(uuid.UUID(int=next(self._ids))),
                "qty": _text(shares),
                "price": _text(price),
                "position_qty": _text(self.positions.get(ticket.symbol, (0.0, 0.0))[0]),
            }
        for listener in self.listeners:
            listener(told)

    def _ticket(self, body: dict[str, Any], kind: str, side: str) -> Ticket:
        number = uuid.UUID(int=next(self._ids))
        return Ticket(
            id=str(number),
            client_order_id=body.get("client_order_id") or f"auto-{number.int}",
            symbol=body["symbol"],
            side=side,
            type=kind,
            qty=float(body["qty"]),
            tif=body["time_in_force"],
            at=self.now,
        )

    def _check(self, body: dict[str, Any]) -> None:
        symbol, side, quantity = body["symbol"], body["side"], float(body["qty"])
        if symbol in self.unknown:
            raise Refusal(422, 42210000, f'asset "{symbol}" not found')
        name = body.get("client_order_id")
        if name and any(t.client_order_id == name for t in self.everything()):
            raise Refusal(422, 40010001, "client_order_id must be unique")
        if name and len(name) > 128:
            raise Refusal(422, 40010001, "client_order_id must be no more than 128 characters")
        held = self.positions.get(symbol, (0.0, 0.0))[0]
        sells_short = side == "sell" and quantity > held
        if sells_short and (symbol in self.unshortable or not self.shorting):
            raise Refusal(403, 40310000, f'asset "{symbol}" cannot be sold short')
        available = abs(held) - self._reserved(symbol, side)
        closes = held * (1 if side == "buy" else -1) < 0
        if closes and quantity > available:
            raise Refusal(
                403,
                40310000,
                f"insufficient qty available for order (requested: {quantity:g}, "
                f"available: {max(available, 0.0):g})",
            )
        bracket = body.get("order_class") == "bracket"
        if bracket and quantity != int(quantity):
            raise Refusal(422, 42210000, "fractional orders must be simple orders")
        for price in _prices_of(body):
            decimals = 2 if price >= 1.0 else 4
            if abs(round(price, decimals) - price) > 1e-9:
                raise Refusal(
                    422,
                    42210000,
                    f"invalid price {price:g}. sub-penny increment does not fulfill minimum "
                    "pricing criteria",
                )
        last = self.prices.get(symbol)
        if last is None:
            return
        if side == "buy" and quantity * last > max(0.0, 2 * self.cash):
            raise Refusal(403, 40310000, "insufficient buying power")
        if bracket:
            sign = 1 if side == "buy" else -1
            stop = float(body["stop_loss"]["stop_price"])
            target = float(body["take_profit"]["limit_price"])
            if sign * (last - stop) < 0.01 - 1e-9:
                raise Refusal(422, 42210000, "stop_loss.stop_price must be <= base_price - 0.01")
            if sign * (target - last) < 0.01 - 1e-9:
                raise Refusal(422, 42210000, "take_profit.limit_price must be >= base_price + 0.01")

    def _reserved(self, symbol: str, side: str) -> float:
        """Shares that open orders of a side hold; the two legs of a bracket hold them once."""
        held: dict[str, float] = {}
        for one in self.everything():
            if (one.symbol, one.side) == (symbol, side) and one.status in OPEN - {"held"}:
                group = one.parent.id if one.parent else one.id
                held[group] = max(held.get(group, 0.0), one.qty - one.filled)
        return sum(held.values())


def _prices_of(body: dict[str, Any]) -> list[float]:
    found = [body.get("limit_price"), body.get("stop_price")]
    found.append((body.get("take_profit") or {}).get("limit_price"))
    found.append((body.get("stop_loss") or {}).get("stop_price"))
    return [float(price) for price in found if price is not None]


def _maybe(value: Any) -> float | None:
    return None if value is None else float(value)


def _touched(ticket: Ticket, price: float) -> bool:
    if ticket.type == "limit":
        assert ticket.limit_price is not None
        return ticket.sign * (ticket.limit_price - price) >= 0
    if ticket.type == "stop":
        assert ticket.stop_price is not None
        return ticket.sign * (price - ticket.stop_price) >= 0
    return True
