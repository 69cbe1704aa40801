"""The ledger and the broker of a process that is observed: the same ports, with an ear at them."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from quant_core.cycles import CycleRows
from quant_core.types import Order
from tools.broker.book import BrokerAccount, BrokerOrder, BrokerPosition
from tools.outbox import OutboxRow
from tools.ports import Broker, Ledger, LedgerRecord


class Ear(Protocol):
    """What the seams tell."""

    def committing(self, lane: str) -> AbstractContextManager[Any]:
        """Around a transaction."""
        ...

    def committed(self, run: str, lane: str, records: Sequence[LedgerRecord], bars: int) -> None:
        """A transaction has been committed."""
        ...

    def calling(self, call: str, order: str = "", symbol: str = "") -> AbstractContextManager[Any]:
        """Around a call to the broker."""
        ...


class RecordedLedger:
    """A ledger whose transactions are heard after they are committed."""

    def __init__(self, ledger: Ledger, ear: Ear) -> None:
        """Around a ledger."""
        self._ledger, self._ear = ledger, ear

    def commit_cycle(
        self,
        run_id: str,
        lane: str,
        cycles: CycleRows | None,
        records: Sequence[LedgerRecord],
        checkpoint: bytes | None,
        *,
        outbox: Sequence[OutboxRow] = (),
    ) -> None:
        """Commit, then tell."""
        with self._ear.committing(lane):
            self._ledger.commit_cycle(run_id, lane, cycles, records, checkpoint, outbox=outbox)
        self._ear.committed(run_id, lane, records, 0 if cycles is None else len(cycles))

    def keep_outbox(self, run_id: str, lane: str, rows: Sequence[OutboxRow]) -> None:
        """Keep how far requests have come."""
        with self._ear.committing(lane):
            self._ledger.keep_outbox(run_id, lane, rows)

    def outbox(self, run_id: str, lane: str, *, since: datetime | None = None) -> list[OutboxRow]:
        """Where every order of a lane stands."""
        return self._ledger.outbox(run_id, lane, since=since)


class RecordedBroker:
    """A broker whose calls are heard."""

    def __init__(self, broker: Broker, ear: Ear) -> None:
        """Around a broker."""
        self._broker, self._ear = broker, ear

    def account(self) -> BrokerAccount:
        """Money and permissions."""
        with self._ear.calling("account"):
            return self._broker.account()

    def positions(self) -> list[BrokerPosition]:
        """All open positions."""
        with self._ear.calling("positions"):
            return self._broker.positions()

    def open_orders(self) -> list[BrokerOrder]:
        """Orders that may still do something."""
        with self._ear.calling("open_orders"):
            return self._broker.open_orders()

    def find(self, client_order_id: str) -> BrokerOrder | None:
        """What became of an order."""
        with self._ear.calling("find", client_order_id):
            return self._broker.find(client_order_id)

    def place(self, order: Order) -> BrokerOrder:
        """Send an entry."""
        with self._ear.calling("place", order.client_order_id, order.symbol):
            return self._broker.place(order)

    def exit(self, client_order_id: str, symbol: str, side: int, quantity: float) -> BrokerOrder:
        """Close (part of) a position."""
        with self._ear.calling("exit", client_order_id, symbol):
            return self._broker.exit(client_order_id, symbol, side, quantity)

    def protect(
        self, client_order_id: str, symbol: str, side: int, quantity: float, stop: float
    ) -> BrokerOrder:
        """A stop for a position that lacks one."""
        with self._ear.calling("protect", client_order_id, symbol):
            return self._broker.protect(client_order_id, symbol, side, quantity, stop)

    def cancel(self, order_id: str) -> None:
        """Ask for a cancel."""
        with self._ear.calling("cancel", order_id):
            self._broker.cancel(order_id)
