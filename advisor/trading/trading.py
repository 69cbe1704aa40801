"""Trading: what happens at a broker between two cycles of a lane.

    start      the ledger's rows and the broker's truth agree, or no session begins
    settle     before every cycle, and when something may have happened: ask, book, close, protect
    send       after every cycle: the entries it decided on
    agree      every minute: a difference stops new entries until it is gone

New entries also stop while the broker keeps failing (a circuit breaker over all requests), and for
a while after an entry slipped by much more than expected. Both are REDUCING, on record with why.

Each step may end anywhere, with the process or with an error of the broker: all it knew is in the
ledger, and the next step takes it up from there.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from advisor.hold_reasons import DISAGREE, FAILING, SLIPPED
from advisor.lanes import Lane
from advisor.settings import BrokerLimits
from advisor.trading.agreement import Agreement, Policy
from advisor.trading.book import Book
from advisor.trading.guard import Guard
from advisor.trading.sending import Sender
from advisor.trading.watched import WatchedBroker
from quant_core.calendar import new_york, to_minute
from quant_core.desk import ACTIVE, REDUCING, RISK_STATES
from quant_core.grid import Grid
from quant_core.types import Fill, RiskChange
from tools.errors import Ambiguous, BookMismatch, Transient
from tools.notify.alerts import Alert, Severity
from tools.outbox import OutboxRow, Purpose, Sending
from tools.ports import Broker, Ledger

KINDS = {DISAGREE: "mismatch", FAILING: "broker", SLIPPED: "slippage"}  # of alerts
ENTRY = "entry"  # the reason of a fill that opens


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
        limits: BrokerLimits,
        expected_bps: float,
        unknown: Policy = "report",
        alert: Callable[[Alert], None] = lambda _: None,
        hand_over: Callable[[Sequence[str]], None] | None = None,
    ) -> None:
        """`symbols` in desk order; `unknown` is the policy for what was not sent from here.

        `expected_bps` is the slippage that an entry may be expected to have. `hand_over` is given
        the ids that `send` would send, for another process to send them.
        """
        self._hand_over = hand_over
        self._broker = WatchedBroker(broker, limits.breaker_failures, limits.breaker_seconds)
        broker = self._broker
        self._limits, self._worst_bps = limits, limits.max_slippage_multiple * expected_bps
        self._seen = len(lane.records)
        self._unjudged: list[Fill] = []
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
        self._now = self._broker.now = now
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
        if self._hand_over is None:
            return self._step(now, self._sender.send)
        self._book.take_up()
        pending = [row for row in self._book.rows.values() if row.state is Sending.PENDING]
        pending.sort(key=lambda one: (one.decided_at, one.client_order_id))
        if pending:
            self._hand_over([row.client_order_id for row in pending])
        return True

    def state_of(self, client_order_id: str) -> OutboxRow | None:
        """Where an order stands; None when the ledger does not know it."""
        self._book.take_up()
        return self._book.find(client_order_id)

    def tend(self, now: datetime) -> bool:
        """As `settle`, without sending entries."""
        return self._step(now, self._tend)

    def leave(self, now: datetime) -> bool:
        """As `tend`, before the process ends; True when all is at rest.

        At rest, every position has its stop and no answer is awaited.
        """
        return self.tend(now) and self._is_at_rest()

    def agree(self, now: datetime) -> bool:
        """Compare with the broker: a difference blocks entries, its end lets them pass again."""
        return self._step(now, self._agree)

    def judge_slippage(self, grid: Grid, opening: int, row: int, now: datetime) -> None:
        """Stop entries for a while where one slipped by too much.

        An entry is ordered when its minute begins, so that minute's open is what it might have had;
        `grid` shows it from `row` (minutes after `opening`) on.
        """
        records = self._book.lane.records
        fresh, self._seen = records[self._seen :], len(records)
        self._unjudged += [one for one in fresh if isinstance(one, Fill) and one.reason == ENTRY]
        for fill in [one for one in self._unjudged if to_minute(one.start) - opening <= row]:
            self._unjudged.remove(fill)
            place = to_minute(fill.start) - opening, self._book.symbols.index(fill.symbol)
            if place[0] < 0 or not grid.present[place]:
                continue
            had = float(grid.open[place])
            slipped = 1e4 * fill.side * (fill.price - had) / had
            if slipped <= self._worst_bps:
                continue
            until = now + timedelta(minutes=self._limits.slippage_block_minutes)
            self._book.lane.desk.account["held_until"] = to_minute(until)
            told = (
                f"{fill.symbol} filled at {fill.price:,.4f}, {slipped:.1f} bp from the open "
                f"{had:,.4f}, where at most {self._worst_bps:g} bp are expected; no new entries "
                f"until {new_york(until)[11:]}"
            )
            self._hold(SLIPPED, told, now)
            self._book.commit()

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

    def _tend(self, now: datetime) -> None:
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
        account = self._book.lane.desk.account
        state, held_until = int(account["risk_state"][0]), int(account["held_until"][0])
        if differences:
            self._disagree("; ".join(differences), now)
        elif self._broker.is_failing():
            self._hold(FAILING, self.trouble, now)
        elif state == REDUCING and to_minute(now) >= held_until:
            self._change_state(ACTIVE, "the broker answers, and ledger and broker agree", now)
        self._book.commit()

    def _disagree(self, what: str, now: datetime) -> None:
        """No new entries until it is gone."""
        self._hold(DISAGREE, what, now)

    def _hold(self, why: str, what: str, now: datetime) -> None:
        """Let no new entry through. What is HALTED stays so."""
        if int(self._book.lane.desk.account["risk_state"][0]) == ACTIVE:
            self._change_state(REDUCING, f"{why}: {what}" if what else why, now)
            self._tell(why, what)

    def _change_state(self, state: int, reason: str, now: datetime) -> None:
        account = self._book.lane.desk.account
        account["risk_state"] = state
        self._book.record(
            RiskChange(
                start=now - timedelta(minutes=1),  # known now: at the end of the minute it is under
                state=RISK_STATES[state],
                reason=reason,
                equity=float(account["equity"][0]),
            )
        )

    def _step(self, now: datetime, step: Callable[[datetime], None]) -> bool:
        """A step that the broker may not let us finish; what it moved until then is committed."""
        self._now = self._broker.now = now
        self._book.take_up()
        try:
            step(now)
        except (Transient, Ambiguous) as error:
            self.trouble = str(error)
            if self._broker.is_failing():
                self._hold(FAILING, self.trouble, now)
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
        kind: str = "",
        severity: Severity = Severity.CRITICAL,
    ) -> None:
        alert = Alert(
            kind=kind or KINDS.get(title, "protection"),
            severity=severity,
            title=title,
            text=text,
            at=self._now,
        )
        self._alert(alert)
