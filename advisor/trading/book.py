"""A lane's desk and outbox, moved by what a broker says of its orders.

Only the broker's totals are booked, never a told event: what an order has filled in all, less what
is booked of it already. So asking twice, being told twice, or in another order, makes no
difference, and a gap in what was told is closed by the next question. Fills, the desk that they
move and the outbox rows that say they are booked are committed in one transaction.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import numpy as np

from advisor.execution import entry_id
from advisor.lanes import Lane
from quant_core import exchange
from quant_core.booking import entry_filled, entry_given_up, exit_filled
from quant_core.calendar import to_datetime, to_minute
from quant_core.events import BROKER_CANCELLED, BROKER_REFUSED, SETUPS, read
from tools.broker import BrokerOrder, OrderState
from tools.errors import BookMismatch
from tools.outbox import OutboxRow, Purpose, Sending
from tools.ports import Ledger, LedgerRecord

REASONS = {
    Purpose.STOP: exchange.STOP,
    Purpose.PROTECT: exchange.STOP,
    Purpose.TARGET: exchange.TARGET,
}
ENTRY_LIVES = timedelta(minutes=2)  # from the start of its bar: that bar, and one more to be sent


class Book:
    """One lane, its outbox, and what of both is not committed yet. `symbols` in desk order."""

    def __init__(
        self, lane: Lane, symbols: Sequence[str], rules: np.ndarray, ledger: Ledger, run_id: str
    ) -> None:
        """`take_up` before use."""
        self.lane, self.symbols, self.rules = lane, tuple(symbols), rules
        self._ledger, self._run_id = ledger, run_id
        self.rows: dict[str, OutboxRow] = {}
        self._changed: dict[str, OutboxRow] = {}
        self._records: list[LedgerRecord] = []

    def take_up(self) -> None:
        """Read the outbox again: a cycle may have written to it."""
        kept = self._ledger.outbox(self._run_id, self.lane.name, since=self._since())
        self.rows = {row.client_order_id: row for row in kept} | self._changed

    def commit(self) -> None:
        """Write what has moved, all of it or nothing; after an error it is still to be written."""
        if not self._changed and not self._records:
            return
        self._ledger.commit_cycle(
            self._run_id,
            self.lane.name,
            None,
            self._records,
            self.lane.checkpoint(),
            outbox=list(self._changed.values()),
        )
        self.lane.records += self._records
        self._changed, self._records = {}, []

    def _since(self) -> datetime | None:
        """From when on orders count that are over: those of the session, and of what is held."""
        if self.lane.day is None:
            return None
        latest = datetime.combine(self.lane.day, time(), UTC)
        slots = self.lane.desk.slots
        busy = slots[(slots["quantity"] > 0) | (slots["entry_quantity"] > 0)]
        return min([latest, *(to_datetime(int(slot["signal_minute"])) for slot in busy)])

    # Questions

    def find(self, client_order_id: str) -> OutboxRow | None:
        """Where an order stands, however old it is; None when the ledger does not know it."""
        if client_order_id in self.rows:
            return self.rows[client_order_id]
        kept = self._ledger.outbox(self._run_id, self.lane.name)
        return next((row for row in kept if row.client_order_id == client_order_id), None)

    def slot(self, symbol: str) -> Any:
        """The desk's record of a symbol; writing to it changes the desk."""
        return self.lane.desk.slots[self.symbols.index(symbol)]

    def held(self, symbol: str) -> int:
        """Shares the desk holds, negative when short."""
        slot = self.slot(symbol)
        return int(slot["side"]) * int(slot["quantity"])

    def live(self, symbol: str, *kinds: Purpose) -> list[OutboxRow]:
        """Orders of a symbol about which something may still happen."""
        return [
            row
            for row in self.rows.values()
            if row.symbol == symbol and row.kind in kinds and not row.state.is_over
        ]

    def waiting_entry(self, symbol: str) -> str:
        """Id of the entry that the desk's slot stands for, filled or not."""
        slot = self.slot(symbol)
        start = to_datetime(int(slot["signal_minute"]))
        return entry_id(self.lane.name, start, symbol, SETUPS[int(slot["setup"])])

    def next_id(self, symbol: str, purpose: str) -> str:
        """An id for a further order of the slot's position; the same until one such row exists."""
        stem = f"{self.waiting_entry(symbol)}-{purpose}"
        return f"{stem}-{1 + sum(name.startswith(stem) for name in self.rows)}"

    # Changes

    def put(self, row: OutboxRow, now: datetime, **values: Any) -> OutboxRow:
        """Note a new or moved row, to be committed."""
        if values.get("state", row.state) is not row.state:
            values["changed_at"] = now
        moved = replace(row, **values)
        if moved != self.rows.get(row.client_order_id):
            self.rows[row.client_order_id] = self._changed[row.client_order_id] = moved
        return moved

    def record(self, record: LedgerRecord) -> None:
        """Note a record, to be committed."""
        self._records.append(record)

    def give_up(self, row: OutboxRow, reason: int, now: datetime) -> None:
        """An entry will not fill (any further); its slot is free again."""
        s = self.symbols.index(row.symbol)
        slot = self.slot(row.symbol)
        if row.client_order_id == self.waiting_entry(row.symbol) and slot["entry_quantity"] > 0:
            entry_given_up(self.lane.desk, self.lane.log, s, to_minute(now), reason)
            self._read_log()

    def apply(self, row: OutboxRow, order: BrokerOrder, now: datetime) -> None:
        """Book what the broker has of an order and its legs, beyond what is booked already."""
        shares = round(order.filled) - row.filled
        if shares < 0:
            raise BookMismatch(
                f"the broker says that order {row.client_order_id} has filled {order.filled:g} "
                f"shares; {row.filled} are booked"
            )
        if shares > 0:
            value = order.filled * order.average_price
            price = (value - row.value) / shares
            minute = min(to_minute(order.updated_at), to_minute(now))
            self._book(row, shares, price, minute)
            row = self.put(row, now, filled=row.filled + shares, value=value)
        state = Sending.ACKNOWLEDGED if order.state.is_open else Sending.DONE
        row = self.put(row, now, state=state, broker_id=order.id, reason=order.status)
        if row.kind is Purpose.ENTRY and state is Sending.DONE:
            refused = order.state is OrderState.REJECTED
            self.give_up(row, BROKER_REFUSED if refused else BROKER_CANCELLED, now)
        for leg in order.legs:
            self.apply(self._leg(row, leg, now), leg, now)

    def _leg(self, entry: OutboxRow, leg: BrokerOrder, now: datetime) -> OutboxRow:
        known = self.rows.get(leg.client_order_id)
        return known or OutboxRow(
            client_order_id=leg.client_order_id,
            kind=Purpose.STOP if leg.kind == "stop" else Purpose.TARGET,
            symbol=entry.symbol,
            side=leg.side,
            quantity=round(leg.quantity),
            stop=leg.stop,
            target=leg.limit,
            parent=entry.client_order_id,
            decided_at=entry.decided_at,
            changed_at=now,
        )

    def _book(self, row: OutboxRow, shares: int, price: float, minute: int) -> None:
        """Move the desk by a fill; BookMismatch for one that the desk has no place for."""
        desk, log, s = self.lane.desk, self.lane.log, self.symbols.index(row.symbol)
        slot = desk.slots[s]
        if row.kind is Purpose.ENTRY:
            if slot["entry_quantity"] < shares:
                self._expect_again(row, shares)
            entry_filled(desk, log, self.rules, s, minute, price, shares)
        else:
            if slot["quantity"] < shares or row.side != -slot["side"]:
                raise BookMismatch(
                    f"order {row.client_order_id} ({row.kind}) closed {shares} shares of "
                    f"{row.symbol}, of which the desk holds {self.held(row.symbol)}"
                )
            reason = REASONS.get(row.kind, int(slot["exit_due"]) or exchange.KILL)
            exit_filled(desk, log, self.rules, s, minute, price, shares, reason)
        self._read_log()

    def _expect_again(self, row: OutboxRow, shares: int) -> None:
        """An entry that was given up has filled after all: it is a position, and ours."""
        slot = self.slot(row.symbol)
        if slot["entry_quantity"] > 0 or (slot["quantity"] > 0 and slot["side"] != row.side):
            raise BookMismatch(
                f"entry {row.client_order_id} was given up and filled {shares} shares after all, "
                f"while another order or position in {row.symbol} is under way"
            )
        slot["entry_quantity"] = shares
        if slot["quantity"] == 0:
            slot["side"], slot["exit_due"] = row.side, 0
            slot["reference"], slot["stop"], slot["target"] = row.reference, row.stop, row.target
            slot["signal_minute"] = to_minute(row.decided_at)
            slot["setup"] = [setup.value for setup in SETUPS].index(row.client_order_id[-2:])
            slot["trades_today"] += 1
            self.lane.desk.account["trades_today"] += 1

    def _read_log(self) -> None:
        self._records += read(self.lane.log, self.symbols, {})
        self.lane.log.used[0] = 0
