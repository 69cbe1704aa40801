"""Alpaca's payloads, read into our words. Whatever is missing or odd is said by name."""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any, Literal

from quant_core.calendar import at_new_york
from quant_core.types import Side
from tools.broker.book import (
    BrokerAccount,
    BrokerOrder,
    BrokerPosition,
    MarketClock,
    OrderState,
    OrderUpdate,
)
from tools.errors import BookMismatch

NAN = float("nan")
STATES = {
    "held": OrderState.HELD,
    "filled": OrderState.FILLED,
    "canceled": OrderState.CANCELLED,
    "expired": OrderState.EXPIRED,
    "rejected": OrderState.REJECTED,
    "replaced": OrderState.REPLACED,
    **dict.fromkeys(
        (
            "new",
            "accepted",
            "accepted_for_bidding",
            "pending_new",
            "pending_review",
            "pending_cancel",
            "pending_replace",
            "partially_filled",
            "done_for_day",
            "stopped",
            "suspended",
            "calculated",
        ),
        OrderState.WORKING,
    ),
}
BLOCKS = ("account_blocked", "trading_blocked", "trade_suspended_by_user")

Payload = Mapping[str, Any]


def order_of(payload: Payload) -> BrokerOrder:
    """An order; a status we do not know counts as still working, because it may still fill."""
    status = str(payload["status"])
    kind = payload.get("type") or payload.get("order_type")
    known: Literal["market", "limit", "stop", "other"] = (
        kind if kind in ("market", "limit", "stop") else "other"
    )
    return BrokerOrder(
        id=str(payload["id"]),
        client_order_id=str(payload["client_order_id"]),
        symbol=str(payload.get("symbol") or ""),
        side=_side(payload.get("side"), ("buy", "sell")),
        kind=known,
        quantity=_number(payload.get("qty")),
        filled=_number(payload.get("filled_qty"), 0.0),
        average_price=_number(payload.get("filled_avg_price")),
        stop=_number(payload.get("stop_price")),
        limit=_number(payload.get("limit_price")),
        state=STATES.get(status, OrderState.WORKING),
        status=status,
        submitted_at=_moment(payload["submitted_at"]),
        updated_at=_moment(payload["updated_at"]),
        replaced_by=str(payload.get("replaced_by") or ""),
        legs=tuple(order_of(leg) for leg in payload.get("legs") or ()),
    )


def position_of(payload: Payload) -> BrokerPosition:
    """A position; Alpaca signs the quantity of a short one."""
    return BrokerPosition(
        symbol=str(payload["symbol"]),
        quantity=_number(payload["qty"]),
        price=_number(payload["avg_entry_price"]),
    )


def account_of(payload: Payload) -> BrokerAccount:
    """The account."""
    blocked = [name for name in BLOCKS if payload.get(name)]
    if (status := str(payload.get("status", ""))) != "ACTIVE":
        blocked.append(f"status {status}")
    return BrokerAccount(
        number=str(payload.get("account_number", "")),
        equity=_number(payload.get("equity")),
        cash=_number(payload.get("cash")),
        buying_power=_number(payload.get("buying_power")),
        shorting=bool(payload.get("shorting_enabled")),
        blocked=", ".join(blocked),
    )


def clock_of(payload: Payload) -> MarketClock:
    """The clock."""
    return MarketClock(
        now=_moment(payload["timestamp"]),
        is_open=bool(payload["is_open"]),
        next_open=_moment(payload["next_open"]),
        next_close=_moment(payload["next_close"]),
    )


def session_of(payload: Payload) -> tuple[datetime, datetime]:
    """Open and close of a day of the calendar, UTC; Alpaca gives them in New York time."""
    day = date.fromisoformat(payload["date"])
    opens, closes = (time.fromisoformat(payload[name]) for name in ("open", "close"))
    return at_new_york(day, opens), at_new_york(day, closes)


def update_of(payload: Payload) -> OrderUpdate:
    """A message of the trade-update stream (its `data`)."""
    return OrderUpdate(
        event=str(payload["event"]),
        order=order_of(payload["order"]),
        at=_moment(payload["timestamp"]),
        execution_id=str(payload.get("execution_id") or ""),
        quantity=_number(payload.get("qty"), 0.0),
        price=_number(payload.get("price")),
    )


def _number(value: Any, missing: float = NAN) -> float:
    return missing if value is None or value == "" else float(value)


def _moment(text: Any) -> datetime:
    moment = datetime.fromisoformat(str(text))
    if moment.tzinfo is None:
        raise BookMismatch(f"the broker gave the time {text!r} without a zone")
    return moment


def _side(word: Any, words: tuple[str, str]) -> Side:
    if word not in words:
        raise BookMismatch(f"the broker gave the side {word!r}; it is one of {', '.join(words)}")
    return 1 if word == words[0] else -1
