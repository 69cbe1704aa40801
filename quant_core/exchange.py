"""The simulated exchange and the marks: what a minute's bars do to waiting orders and positions.

Order within a minute (R34): entries fill at the open, then exits, then every position is marked at
the close and the account is tested. A bracket lives from its entry bar on; inside a bar a waiting
market exit or the end of day comes first, then the stop, then the target, so a bar that touches
both fills the stop (R40). Live trading replaces the fills by the broker's; the marks and the
account test are the same.
"""

from typing import Any

import numpy as np

from quant_core.booking import book_entry, book_exit, give_up_entry
from quant_core.compiled import compiled
from quant_core.desk import HALTED
from quant_core.events import (
    AT_FLAT_TIME,
    EXIT_VOLUME_CAP,
    NO_BAR,
    NO_VOLUME,
    REJECTION,
    RISK,
    RISK_STOPPED,
    VOLUME_CAP,
    write,
)

STOP, TRAILING_STOP, TARGET, END_OF_DAY, MAX_HOLD, KILL, DRAWDOWN = range(1, 8)


@compiled
def _shares(volume: float, rules: Any) -> int:
    """The most shares one fill may take of a bar (R44)."""
    return int(np.floor(rules.max_participation * volume / 100.0))


@compiled
def fill_entry(
    log: Any,
    slot: Any,
    account: Any,
    rules: Any,
    symbol: int,
    minute: int,
    open: float,
    volume: float,
    flat: bool,
) -> None:
    """Fill a waiting entry at the open, adverse slippage, within the volume cap (R39, R44)."""
    shares = min(slot.entry_quantity, _shares(volume, rules))
    if flat or shares < 1:
        reason = AT_FLAT_TIME if flat else NO_VOLUME
        give_up_entry(log, slot, account, symbol, minute, reason)
        return
    price = open * (1.0 + slot.side * rules.slippage_bps / 10_000.0)
    if shares < slot.entry_quantity:
        rest = write(log, REJECTION, VOLUME_CAP, minute, symbol, slot)
        rest.quantity = slot.entry_quantity - shares
    slot.entry_quantity = shares
    slot.last_close = open
    slot.exit_due = 0
    book_entry(log, slot, rules, symbol, minute, price, shares)


@compiled
def stop_in_force(slot: Any, rules: Any) -> tuple[float, bool]:
    """The stop's price, and whether it is the trailing one: the tighter of both (R42)."""
    trail = slot.best * (1.0 - slot.side * rules.trailing_stop / 100.0)
    trailing = slot.side * (trail - slot.stop) > 0.0
    return (trail if trailing else slot.stop), trailing


@compiled
def _touched(slot: Any, rules: Any, open: float, high: float, low: float) -> tuple[int, float]:
    """Reason and price of the bracket exit this bar makes, (0, 0.0) for none (R40, R42, R43)."""
    side = slot.side
    stop, trailing = stop_in_force(slot, rules)
    worst = low if side > 0 else high
    best = high if side > 0 else low
    if side * (worst - stop) <= 0.0:
        base = open if side * (open - stop) < 0.0 else stop
        slipped = base * (1.0 - side * rules.slippage_bps / 10_000.0)
        return (TRAILING_STOP if trailing else STOP), slipped
    if side * (best - slot.target) >= 0.0:
        return TARGET, (open if side * (open - slot.target) > 0.0 else slot.target)
    return 0, 0.0


@compiled
def process_exits(
    log: Any,
    slot: Any,
    account: Any,
    rules: Any,
    symbol: int,
    minute: int,
    open: float,
    high: float,
    low: float,
    volume: float,
    flat: bool,
) -> None:
    """Let one bar act on an open position; what the volume cap leaves goes at the next open."""
    reason = int(slot.exit_due)
    if reason == 0 and flat:
        reason = END_OF_DAY
    if reason == 0 and minute - slot.fill_minute >= rules.max_hold:
        reason = MAX_HOLD
    if reason != 0:
        price = open * (1.0 - slot.side * rules.slippage_bps / 10_000.0)
    else:
        reason, price = _touched(slot, rules, open, high, low)
    if reason != 0:
        shares = min(slot.quantity, _shares(volume, rules))
        rest = slot.quantity - shares
        if rest > 0:
            slot.exit_due = reason
            delayed = write(log, REJECTION, EXIT_VOLUME_CAP, minute, symbol, slot)
            delayed.quantity = rest
        if shares > 0:
            book_exit(log, slot, account, rules, symbol, minute, price, shares, reason)
    if slot.quantity > 0:
        slot.best = max(slot.best, high) if slot.side > 0 else min(slot.best, low)


@compiled
def exit_at_market(
    slot: Any,
    rules: Any,
    minute: int,
    present: bool,
    high: float,
    low: float,
    flat_next: bool,
) -> None:
    """What a closed bar means to a position at a broker: `exit_due` where it must go at market.

    Stop and target are orders there and fill by themselves. The other exits are ordered now, to
    fill at the next open, where the simulated exchange would fill them. The trailing stop is
    judged at the close: within its bar only the bracket's stop protects. An entry that still waits
    when it is time to be flat has to be cancelled, which `exit_due` says as well.
    """
    if slot.quantity == 0 and slot.entry_quantity == 0:
        return
    if flat_next and slot.exit_due == 0:
        slot.exit_due = END_OF_DAY
    if slot.quantity == 0:
        return
    if slot.exit_due == 0 and minute + 1 - slot.fill_minute >= rules.max_hold:
        slot.exit_due = MAX_HOLD
    if not present:
        return
    stop, trailing = stop_in_force(slot, rules)
    worst = low if slot.side > 0 else high
    if slot.exit_due == 0 and trailing and slot.side * (worst - stop) <= 0.0:
        slot.exit_due = TRAILING_STOP
    slot.best = max(slot.best, high) if slot.side > 0 else min(slot.best, low)


@compiled
def mark(slots: np.ndarray, account: Any) -> None:
    """Equity = start + realised + unrealised at last closes, fees included (R36)."""
    unrealised = 0.0
    for slot in slots:
        if slot.quantity > 0:
            sold = slot.exit_value + slot.quantity * slot.last_close
            unrealised += slot.side * (sold - slot.opened * slot.fill_price) - slot.fees
    account.equity = account.start_equity + account.realised + unrealised
    account.peak = max(account.peak, account.equity)


@compiled
def too_deep(account: Any, rules: Any) -> bool:
    """Whether the fall from the peak is beyond its limit."""
    fall = account.peak - account.equity
    return bool(fall > rules.max_drawdown_percent / 100.0 * account.peak)


@compiled
def account_breach(account: Any, rules: Any) -> int:
    """KILL or DRAWDOWN where the marked account breaks that limit, else 0 (R48)."""
    loss = account.session_equity - account.equity
    if loss > rules.kill_loss_percent / 100.0 * account.session_equity:
        return KILL
    return DRAWDOWN if too_deep(account, rules) else 0


@compiled
def halt_account(
    log: Any, slots: np.ndarray, account: Any, minute: int, reason: int, external: bool
) -> None:
    """Kill switch and drawdown, once a minute after the marks; exits go at the next open (R48).

    Either one halts the account: every position is closed and only a person starts it again. A
    waiting entry is cancelled; at a broker it may have filled, so there it is asked to be.
    """
    if account.risk_state != HALTED:
        account.risk_state = HALTED
        change = write(log, RISK, reason - KILL, minute, 0, slots[0])
        change.state = HALTED
        change.price = account.equity
    for symbol in range(len(slots)):
        slot = slots[symbol]
        if slot.entry_quantity > 0 and not external:
            give_up_entry(log, slot, account, symbol, minute, RISK_STOPPED)
        if (slot.quantity > 0 or slot.entry_quantity > 0) and slot.exit_due == 0:
            slot.exit_due = reason


@compiled
def close_session(log: Any, slots: np.ndarray, account: Any, rules: Any) -> None:
    """No bar is left: entries are cancelled and positions go at the symbol's last close (R41).

    This also takes the rest that a volume cap left in the session's last bar, whole: a position
    is never carried overnight.
    """
    for symbol in range(len(slots)):
        slot = slots[symbol]
        if slot.entry_quantity > 0:
            give_up_entry(log, slot, account, symbol, slot.last_minute, NO_BAR)
        if slot.quantity > 0:
            price = slot.last_close * (1.0 - slot.side * rules.slippage_bps / 10_000.0)
            reason = int(slot.exit_due) if slot.exit_due != 0 else END_OF_DAY
            book_exit(
                log,
                slot,
                account,
                rules,
                symbol,
                slot.last_minute,
                price,
                slot.quantity,
                reason,
            )
