"""From a row to a request, and what became of it.

A row is written as SENT before its request leaves, so a process that dies in between leaves a
doubt, and a doubt is resolved by asking for the order by its id. Only when the broker has had
SETTLING to show it and does not have it may it be sent again, under the same id, of which a broker
makes one order only. An entry that is older than the bar after its own is not sent any more.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from advisor.trading.book import ENTRY_LIVES, Book
from quant_core.desk import ACTIVE
from quant_core.events import BROKER_REFUSED, NOT_SENT_IN_TIME, RISK_STOPPED
from tools.broker import BrokerOrder
from tools.errors import Ambiguous, BookMismatch, Rejected, Transient
from tools.outbox import OutboxRow, Purpose, Sending
from tools.ports import Broker

SETTLING = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(seconds=30)
# A broker allows so many requests a minute: orders beyond so many are asked about together, and one
# by one only when they are not among those that are open.
MANY = 5
ASKABLE = (Purpose.ENTRY, Purpose.EXIT, Purpose.PROTECT)


class Sender:
    """Sends what is pending and asks about what is under way."""

    def __init__(
        self, book: Book, broker: Broker, refused: Callable[[OutboxRow], None] = lambda _: None
    ) -> None:
        """Over a book and its broker; `refused` is told of an entry that the broker did not take.

        Other orders that it does not take are the guard's to tell.
        """
        self._book, self._broker, self._refused = book, broker, refused
        self._pauses: dict[str, tuple[datetime, datetime]] = {}

    def send(self, now: datetime) -> None:
        """Send every pending row whose time has come."""
        pending = [row for row in self._book.rows.values() if row.state is Sending.PENDING]
        for row in sorted(pending, key=lambda one: (one.decided_at, one.client_order_id)):
            if row.kind is Purpose.ENTRY and (reason := self._why_not(row, now)) is not None:
                told = "a risk stop came first" if reason == RISK_STOPPED else "too late to send"
                self._book.give_up(row, reason, now)
                self._book.put(row, now, state=Sending.DONE, reason=told)
                self._book.commit()
            elif row.kind is not Purpose.ENTRY and not self._is_needed(row):
                self._book.put(row, now, state=Sending.DONE, reason="no longer needed")
                self._book.commit()
            elif not self._is_pausing(row, now):
                self.send_one(row, now)

    def send_one(self, row: OutboxRow, now: datetime) -> None:
        """One request: written down before it leaves, and its outcome after."""
        book = self._book
        row = book.put(row, now, state=Sending.SENT, attempts=row.attempts + 1)
        book.commit()
        try:
            order = self._request(row)
        except Rejected as error:
            row = book.put(row, now, state=Sending.REJECTED, reason=str(error))
            if row.kind is Purpose.ENTRY:
                book.give_up(row, BROKER_REFUSED, now)
                self._refused(row)
        except Ambiguous as error:
            book.put(row, now, state=Sending.UNKNOWN, reason=str(error))
        except Transient as error:
            book.put(row, now, state=Sending.PENDING, reason=str(error))
            pause = min(timedelta(seconds=2.0 ** min(row.attempts, 10)), LONGEST_PAUSE)
            self._pauses[row.client_order_id] = now, now + pause
        else:
            book.apply(row, order, now)
        book.commit()

    def ask(self, now: datetime) -> list[str]:
        """Ask about every order that may have moved; says what cannot be right about them."""
        rows = self._book.rows.values()
        # A leg is asked about through its entry.
        open_legs = {row.parent for row in rows if not row.state.is_over}
        return self._ask([row for row in rows if self._to_ask(row, open_legs)], now)

    def ask_again(self, symbol: str, now: datetime) -> list[str]:
        """Ask about orders of a symbol that were sent and given up: one may have come late."""
        rows = self._book.rows.values()
        lost = [row for row in rows if row.symbol == symbol and row.attempts and not row.broker_id]
        return self._ask([row for row in lost if row.state.is_over], now)

    def _ask(self, rows: list[OutboxRow], now: datetime) -> list[str]:
        book, wrong = self._book, []
        listed = self._open() if len(rows) > MANY else {}
        for row in rows:
            name = row.client_order_id
            try:
                found = listed[name] if name in listed else self._broker.find(name)
                if found is not None:
                    book.apply(row, found, now)
                elif row.state.is_doubtful:
                    self._never_arrived(row, now)
                elif not row.state.is_over:
                    wrong.append(f"the broker does not know order {row.client_order_id} any more")
            except BookMismatch as error:
                wrong.append(str(error))
        book.commit()
        return wrong

    def _open(self) -> dict[str, BrokerOrder]:
        """The orders that the broker has open, by their ids."""
        return {one.client_order_id: one for one in self._broker.open_orders()}

    def _to_ask(self, row: OutboxRow, open_legs: set[str]) -> bool:
        """Whether it, or a leg of it, may have moved since."""
        if row.kind not in ASKABLE or row.state is Sending.PENDING:
            return False
        return not row.state.is_over or row.client_order_id in open_legs

    def _is_pausing(self, row: OutboxRow, now: datetime) -> bool:
        """Whether its last attempt was a moment ago; a clock that was set back makes no pause."""
        since, until = self._pauses.get(row.client_order_id, (now, now))
        return since <= now < until

    def _never_arrived(self, row: OutboxRow, now: datetime) -> None:
        if abs(now - row.changed_at) >= SETTLING:  # either way: clocks are set back, too
            told = "the broker never had it"
            self._book.put(row, now, state=Sending.PENDING, reason=told)

    def _why_not(self, row: OutboxRow, now: datetime) -> int | None:
        """Why an entry is not to be sent, None when it is."""
        account = self._book.lane.desk.account[0]
        if account["risk_state"] != ACTIVE or self._book.slot(row.symbol)["exit_due"] != 0:
            return RISK_STOPPED
        return NOT_SENT_IN_TIME if now >= row.decided_at + ENTRY_LIVES else None

    def _is_needed(self, row: OutboxRow) -> bool:
        """Whether an exit or a stop still fits the position it was written for."""
        slot = self._book.slot(row.symbol)
        return bool(slot["quantity"] >= row.quantity and slot["side"] == -row.side)

    def _request(self, row: OutboxRow) -> BrokerOrder:
        name, symbol = row.client_order_id, row.symbol
        if row.kind is Purpose.ENTRY:
            return self._broker.place(row.order())
        if row.kind is Purpose.EXIT:
            return self._broker.exit(name, symbol, row.side, row.quantity)
        return self._broker.protect(name, symbol, row.side, row.quantity, row.stop)
