"""Booking of fills: what a desk remembers of shares that changed hands, whoever says that they did.

The simulated exchange and a broker's fills go through the same functions, so a trade is the same
trade in replay and live. An entry may come in parts: `opened` and the quantity-weighted
`fill_price` cover all of it, `entry_quantity` is what is still to come. A position may also begin
to be sold before its entry is whole. What is left of an entry that will not come is given up by
`give_up_entry`; the day's count is given back only when nothing of it was filled.
"""

from typing import Any

import numpy as np

from quant_core.compiled import compiled
from quant_core.desk import COOLDOWN, IDLE, IN_TRADE, Desk
from quant_core.events import ENTRY, EXIT, REJECTION, TRADE, EventLog, write


@compiled
def book_entry(
    log: Any,
    slot: Any,
    rules: Any,
    symbol: int,
    minute: int,
    price: float,
    shares: int,
) -> None:
    """Book shares of a waiting entry; the first ones open the position."""
    fees = rules.fee_per_share * shares
    slot.entry_quantity -= shares
    if slot.quantity == 0:
        slot.quantity = shares
        slot.opened = shares
        slot.fill_price = price
        slot.fill_minute = minute
        slot.best = price
        slot.exit_reason = 0
        slot.exit_value = 0.0
        slot.fees = fees
    else:
        whole = slot.opened + shares
        slot.fill_price = (slot.opened * slot.fill_price + shares * price) / whole
        slot.quantity += shares
        slot.opened = whole
        slot.fees += fees
    slot.state = IN_TRADE
    event = write(log, ENTRY, 0, minute, symbol, slot)
    event.quantity = shares
    event.price = price
    event.fees = fees


@compiled
def book_exit(
    log: Any,
    slot: Any,
    account: Any,
    rules: Any,
    symbol: int,
    minute: int,
    price: float,
    shares: int,
    reason: int,
) -> None:
    """Book an exit fill; the last one closes the trade and starts the cooldown."""
    fees = rules.fee_per_share * shares
    slot.quantity -= shares
    slot.exit_value += shares * price
    slot.fees += fees
    if slot.exit_reason == 0:
        slot.exit_reason = reason
    event = write(log, EXIT, reason, minute, symbol, slot)
    event.quantity = shares
    event.price = price
    event.fees = fees
    if slot.quantity > 0:
        return
    pnl = slot.side * (slot.exit_value - slot.opened * slot.fill_price) - slot.fees
    account.realised += pnl
    trade = write(log, TRADE, slot.exit_reason, minute, symbol, slot)
    trade.quantity = slot.opened
    trade.price = price if shares == slot.opened else slot.exit_value / slot.opened
    trade.entry_price = slot.fill_price
    trade.entry_minute = slot.fill_minute
    trade.pnl = pnl
    trade.fees = slot.fees
    slot.closed_minute = minute
    slot.elapsed = 0
    slot.state = COOLDOWN
    if slot.entry_quantity == 0:  # else more of the entry may come, and it needs its side
        slot.side = 0
        slot.exit_due = 0


@compiled
def give_up_entry(log: Any, slot: Any, account: Any, symbol: int, minute: int, reason: int) -> None:
    """What waits of an entry will not fill: log it; an entry without any fill is undone."""
    event = write(log, REJECTION, reason, minute, symbol, slot)
    event.quantity = slot.entry_quantity
    slot.entry_quantity = 0
    if slot.state != IN_TRADE and slot.state != COOLDOWN:
        slot.trades_today -= 1
        account.trades_today -= 1
        slot.state = IDLE
    if slot.quantity == 0:
        slot.side = 0
        slot.exit_due = 0


@compiled
def _entry(
    log: Any, slots: Any, rules: Any, s: int, minute: int, price: float, shares: int
) -> None:
    book_entry(log, slots[s], rules[0], s, minute, price, shares)


@compiled
def _exit(
    log: Any, slots: Any, accounts: Any, rules: Any, s: int, minute: int,
    price: float, shares: int, reason: int,
) -> None:  # fmt: skip
    book_exit(log, slots[s], accounts[0], rules[0], s, minute, price, shares, reason)


@compiled
def _give_up(log: Any, slots: Any, accounts: Any, s: int, minute: int, reason: int) -> None:
    give_up_entry(log, slots[s], accounts[0], s, minute, reason)


def entry_filled(
    desk: Desk,
    log: EventLog,
    rules: np.ndarray,
    symbol: int,
    minute: int,
    price: float,
    shares: int,
) -> None:
    """A broker filled `shares` of the symbol's waiting entry at `price` in that epoch minute.

    ValueError for more than waits: what nobody ordered is not booked as if somebody had.
    """
    waiting = int(desk.slots[symbol]["entry_quantity"])
    if not 0 < shares <= waiting:
        raise ValueError(f"{shares} shares filled of an entry of which {waiting} wait")
    _entry(log, desk.slots, rules, symbol, minute, price, shares)


def exit_filled(
    desk: Desk, log: EventLog, rules: np.ndarray, symbol: int, minute: int, price: float,
    shares: int, reason: int,
) -> None:  # fmt: skip
    """A broker closed `shares` of the symbol's position; `reason` as in `quant_core.exchange`.

    ValueError for more than is held.
    """
    held = int(desk.slots[symbol]["quantity"])
    if not 0 < shares <= held:
        raise ValueError(f"{shares} shares sold or covered of a position of {held}")
    _exit(log, desk.slots, desk.account, rules, symbol, minute, price, shares, reason)


def entry_given_up(desk: Desk, log: EventLog, symbol: int, minute: int, reason: int) -> None:
    """What waits of the symbol's entry will not fill; `reason` as in `quant_core.events`."""
    if int(desk.slots[symbol]["entry_quantity"]) <= 0:
        raise ValueError("no entry waits")
    _give_up(log, desk.slots, desk.account, symbol, minute, reason)
