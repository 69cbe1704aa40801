"""Trading: what happens at a broker between two cycles of a lane.

    start      the ledger's rows and the broker's truth agree, or no session begins
    settle     before every cycle, and when something may have happened: ask, book, close, protect
    send       after every cycle: the entries it decided on
    agree      every minute: a difference stops new entries until it is gone

Each step may end anywhere, with the process or with an error of the broker: all it knew is in the
ledger, and the next step takes it up from there.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np

from advisor.lanes import Lane
from advisor.trading.agreement import Agreement, Policy
from advisor.trading.book import Book
from advisor.trading.guard import Guard
from advisor.trading.sending import Sender
from quant_core.desk import ACTIVE, REDUCING, RISK_STATES
from quant_core.types import RiskChange
from tools.errors import Ambiguous, BookMismatch, Transient
from tools.notify.alerts import Alert, Severity
from tools.outbox import OutboxRow, Purpose
from tools.ports import Broker, Ledger


class Trading:
    """One external lane at one broker. `alert` is given what a person must know."""

    def __init__(
        self,
        lane: Lane,
        symbols: Sequence[str],
        rules: np.ndarray,
        ledger: Ledger,
        run_id: str,
        broker: Broker,
        *,
        unknown: Policy = "report",
        alert: Callable[[Alert], None] = lambda _: None,
    ) -> None:
        """`symbols` in desk order; `unknown` is the policy for what was not sent from here."""
        self._book = Book(lane, symbols, rules, ledger, run_id)
        self._sender = Sender(self._book, broker, self._refused)
        self._guard = Guard(self._book, broker, self._sender, self._tell)
        self._agreement = Agreement(self._book, broker, self._sender, unknown)
        self._alert, self._now = alert, datetime.min.replace(tzinfo=UTC)
        self.trouble = ""

    def start(self, now: datetime) -> None:
        """Take up what an earlier process left; BookMismatch when the broker's truth differs.

        Transient when the broker cannot be asked.
        """
        self._now = now
        self._book.take_up()
        differences = self._agreement.differences(now)
        if differences:
            raise BookMismatch(
                "; ".join(differences)
                + ". Nothing was ordered. Close or cancel these at the broker, or set "
                'broker.unknown = "adopt", and start again'
            )
        self.settle(now)

    def settle(self, now: datetime) -> bool:
        """Ask, book, close and protect; False when the broker did not answer to all of it."""
        return self._step(now, self._settle)

    def send(self, now: datetime) -> bool:
        """Send what was decided; False when the broker did not answer to all of it."""
        return self._step(now, self._sender.send)

    def leave(self, now: datetime) -> bool:
        """As `settle` without sending entries, before the process ends; True when all is at rest.

        At rest, every position has its stop and no answer is awaited.
        """
        return self._step(now, self._leave) and self._is_at_rest()

    def agree(self, now: datetime) -> bool:
        """Compare with the broker: a difference blocks entries, its end lets them pass again."""
        return self._step(now, self._agree)

    def close_all(self, reason: int) -> bool:
        """Mark every position, and every entry that waits, to be closed by the next `settle`.

        `reason` as in `quant_core.exchange`; False when everything is closed or marked already.
        """
        marked = False
        for slot in self._book.lane.desk.slots:
            if (slot["quantity"] > 0 or slot["entry_quantity"] > 0) and slot["exit_due"] == 0:
                slot["exit_due"], marked = reason, True
        return marked

    def _settle(self, now: datetime) -> None:
        self._sender.ask(now)
        self._sender.send(now)
        self._guard.close_due(now)
        self._guard.protect(now)
        self._book.commit()

    def _leave(self, now: datetime) -> None:
        self._sender.ask(now)
        self._guard.close_due(now)
        self._guard.protect(now)
        self._book.commit()

    def _is_at_rest(self) -> bool:
        """Whether nothing is in doubt and no entry is filled in part, which has no stop."""
        return not any(
            row.state.is_doubtful
            or (row.kind is Purpose.ENTRY and row.filled > 0 and not row.state.is_over)
            for row in self._book.rows.values()
        )

    def _agree(self, now: datetime) -> None:
        differences = self._agreement.differences(now)
        state = int(self._book.lane.desk.account["risk_state"][0])
        if differences:
            self._disagree("; ".join(differences), now)
        elif state == REDUCING:
            self._change_state(ACTIVE, "ledger and broker agree again", now)
        self._book.commit()

    def _disagree(self, what: str, now: datetime) -> None:
        """No new entries until it is gone. What is HALTED stays so."""
        if int(self._book.lane.desk.account["risk_state"][0]) == ACTIVE:
            self._change_state(REDUCING, f"book mismatch: {what}", now)
            self._tell("ledger and broker disagree", what, kind="mismatch")

    def _change_state(self, state: int, reason: str, now: datetime) -> None:
        account = self._book.lane.desk.account
        account["risk_state"] = state
        self._book.record(
            RiskChange(
                start=now,
                state=RISK_STATES[state],
                reason=reason,
                equity=float(account["equity"][0]),
            )
        )

    def _step(self, now: datetime, step: Callable[[datetime], None]) -> bool:
        """A step that the broker may not let us finish; what it moved until then is committed."""
        self._now = now
        self._book.take_up()
        try:
            step(now)
        except (Transient, Ambiguous) as error:
            self.trouble = str(error)
            self._book.commit()
            return False
        except BookMismatch as error:
            self.trouble = str(error)
            self._disagree(str(error), now)
            self._book.commit()
            return False
        self.trouble = ""
        return True

    def _refused(self, row: OutboxRow) -> None:
        """A person hears the broker's own words: they say what to do."""
        title = f"the broker refused {row.quantity} {row.symbol} ({row.kind})"
        self._tell(title, row.reason, kind="order", severity=Severity.WARNING)

    def _tell(
        self,
        title: str,
        text: str,
        kind: str = "protection",
        severity: Severity = Severity.CRITICAL,
    ) -> None:
        alert = Alert(kind=kind, severity=severity, title=title, text=text, at=self._now)
        self._alert(alert)
