"""No position without a live stop, and none that should be closed left open.

Two duties, in this order, with the broker's own positions and orders as the measure:

- What the desk wants closed (`exit_due`) is closed at market. A broker does not let shares be sold
  twice over, so the stop and the target go first and the exit follows at once; whoever dies in
  between finds the position naked and does this again.
- The quantity of live stops and exits equals the position's, for every position of the watchlist.
  Missing stops are ordered, extra ones cancelled. A stop that the broker refuses means that the
  price is through it already: the position is closed at market, and a person is told.

The rest of an entry that is filled in part is waited for, PATIENCE long, because its bracket
protects only the whole; then it is cancelled and the part is protected.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from advisor.trading.book import Book
from advisor.trading.sending import Sender
from quant_core.exchange import KILL, stop_in_force
from quant_core.types import Side
from tools.broker import OrderState
from tools.errors import Ambiguous
from tools.outbox import OutboxRow, Purpose, Sending
from tools.ports import Broker

PATIENCE = timedelta(seconds=5)
STOPS = (Purpose.STOP, Purpose.PROTECT)
COVERS = (*STOPS, Purpose.TARGET)
Tell = Callable[[str, str], None]  # the matter in short, and what happened


class Guard:
    """Closes and protects. `tell` is given what a person must know at once."""

    def __init__(self, book: Book, broker: Broker, sender: Sender, tell: Tell) -> None:
        """Over a book, its broker, and the one who sends."""
        self._book, self._broker, self._sender, self._tell = book, broker, sender, tell
        self._partial_since: dict[str, datetime] = {}

    def close_due(self, now: datetime) -> None:
        """Bring back entries and close positions that the desk wants gone."""
        for symbol in self._book.symbols:
            slot = self._book.slot(symbol)
            if slot["exit_due"] == 0:
                continue
            if slot["entry_quantity"] > 0:
                self._cancel(self._book.live(symbol, Purpose.ENTRY), now)
            if slot["quantity"] > 0 and not self._book.live(symbol, Purpose.EXIT, Purpose.ENTRY):
                self._close(symbol, now)

    def protect(self, now: datetime) -> None:
        """Make the live stops of every position equal to it.

        A fill between two questions looks like a gap too, so only a gap that is still the same
        after asking again is closed.
        """
        first = self._look()
        if not any(self._is_off(symbol, *seen) for symbol, seen in first.items()):
            return
        self._sender.ask(now)
        for symbol, (held, missing) in self._look().items():
            if first[symbol] != (held, missing) or not self._is_off(symbol, held, missing):
                continue
            if held != 0 and self._book.live(symbol, Purpose.ENTRY):
                self._wait_for_entry(symbol, now)
            if self._book.live(symbol, Purpose.ENTRY):
                continue
            if held == 0 or missing < 0:
                self._disarm(symbol, held, now)
            elif self._book.held(symbol) * held > 0:
                self._arm(symbol, missing, now)

    def _is_off(self, symbol: str, held: int, missing: int) -> bool:
        """Whether cover and position differ, or legs are left that no position needs."""
        if missing != 0:
            return True
        live = self._book.live
        return held == 0 and not live(symbol, Purpose.ENTRY) and bool(live(symbol, *COVERS))

    def _look(self) -> dict[str, tuple[int, int]]:
        """(shares held, shares without cover) of every symbol, as the broker has them.

        A working stop covers, and so does an exit at market; a leg that is held covers nothing.
        """
        positions = {one.symbol: round(one.quantity) for one in self._broker.positions()}
        orders = [leg for order in self._broker.open_orders() for leg in (order, *order.legs)]
        found = {}
        for symbol in self._book.symbols:
            held = positions.get(symbol, 0)
            entries = {row.broker_id for row in self._book.live(symbol, Purpose.ENTRY)}
            cover = sum(
                round(order.quantity - order.filled)
                for order in orders
                if order.symbol == symbol
                and order.state is OrderState.WORKING
                and order.kind in ("stop", "market")
                and order.id not in entries
                and order.side * held <= 0
            )
            found[symbol] = held, abs(held) - cover
        return found

    def _close(self, symbol: str, now: datetime) -> None:
        covers = self._book.live(symbol, *COVERS)
        self._cancel(covers, now)
        slot = self._book.slot(symbol)
        if slot["quantity"] == 0 or self._book.live(symbol, *COVERS):
            return  # one of them filled meanwhile, or its cancel is not through yet
        row = OutboxRow(
            client_order_id=self._book.next_id(symbol, "exit"),
            kind=Purpose.EXIT,
            symbol=symbol,
            side=_closing(slot),
            quantity=int(slot["quantity"]),
            decided_at=now,
            changed_at=now,
        )
        self._book.put(row, now)
        self._sender.send_one(row, now)
        sent = self._book.rows[row.client_order_id]
        if sent.state is Sending.REJECTED:
            self._tell(f"{symbol} could not be closed", sent.reason)

    def _arm(self, symbol: str, missing: int, now: datetime) -> None:
        """Order the stop that a position lacks; close it where that is refused."""
        slot = self._book.slot(symbol)
        if self._book.live(symbol, Purpose.EXIT) or self._in_doubt(symbol):
            return  # asked about before anything is sent that could make it twice
        stop, _ = stop_in_force(slot, self._book.rules[0])
        row = OutboxRow(
            client_order_id=self._book.next_id(symbol, "stop"),
            kind=Purpose.PROTECT,
            symbol=symbol,
            side=_closing(slot),
            quantity=missing,
            stop=float(stop),
            decided_at=now,
            changed_at=now,
        )
        self._book.put(row, now)
        self._sender.send_one(row, now)
        sent = self._book.rows[row.client_order_id]
        if sent.state is Sending.REJECTED:
            self._tell(f"{symbol} had no stop and is closed", sent.reason)
            slot["exit_due"] = slot["exit_due"] or KILL
            self._close(symbol, now)
        elif sent.state is Sending.ACKNOWLEDGED:
            told = f"{missing} shares had no live stop; one at {stop:.2f} was ordered"
            self._tell(f"{symbol} got a new stop", told)

    def _wait_for_entry(self, symbol: str, now: datetime) -> None:
        """The rest of a partial entry has PATIENCE long to come; then it is cancelled."""
        entries = self._book.live(symbol, Purpose.ENTRY)
        since = self._partial_since.setdefault(entries[0].client_order_id, now)
        if abs(now - since) >= PATIENCE:  # either way: clocks are set back, too
            self._cancel(entries, now)

    def _in_doubt(self, symbol: str) -> bool:
        return any(row.state is not Sending.ACKNOWLEDGED for row in self._book.live(symbol, *STOPS))

    def _disarm(self, symbol: str, held: int, now: datetime) -> None:
        """More is covered than is held: extra stops would open a position.

        Where nothing is held all go; else those that were added go first, and the next look makes
        cover and position equal.
        """
        if held == 0 and self._book.held(symbol) != 0:
            return  # the desk has not heard of its exit yet
        added = [] if held == 0 else self._book.live(symbol, Purpose.PROTECT)
        self._cancel(added or self._book.live(symbol, *COVERS), now)

    def _cancel(self, rows: list[OutboxRow], now: datetime) -> None:
        """Ask for cancels, then what became of them; what is doubtful is left for the next time."""
        for row in rows:
            if row.state is Sending.ACKNOWLEDGED:
                try:
                    self._broker.cancel(row.broker_id)
                except Ambiguous:
                    continue
        if rows:
            self._sender.ask(now)


def _closing(slot: Any) -> Side:
    return -1 if slot["side"] > 0 else 1
