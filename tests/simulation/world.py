"""A session at a broker that fails, answers late and is killed under, drawn from a seed.

The exchange lives on; processes die. What is under test is real: the cycle, trading, the ledger
on disk. The broker port is served in memory, so a session takes seconds. The market trades each
bar as the simulated exchange does: entries and exits at the open with slippage, then the stop,
then the target.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from advisor.cycle import dependencies, run_cycle
from advisor.lanes import Lane, TradingDay
from advisor.session import enter
from advisor.settings import BrokerLimits, Settings
from advisor.trading import Trading
from quant_core.calendar import to_datetime
from quant_core.desk import Desk
from quant_core.events import EventLog
from quant_core.types import Fill, Order, Trade
from tests.simulation.fate import Fate
from tests.simulation.pit import SLIPPAGE, Pit
from tests.stand_ins.alpaca_exchange import OPEN, Exchange, Refusal
from tools.broker import BrokerAccount, BrokerOrder, BrokerPosition, wire
from tools.broker.alpaca import DUPLICATE, bracket_on_ticks, on_tick
from tools.errors import AdvisorError, Ambiguous, Rejected, Transient
from tools.notify.alerts import Alert
from tools.store import Store

R = TypeVar("R")
RUN, LANE = "simulated", "advised"
# Faults are meant to meet orders: a breaker that opened would keep them from being sent.
PATIENT = BrokerLimits(breaker_failures=1000)


class Killed(BaseException):
    """The process died here."""


class InMemoryBroker:
    """The `Broker` port over an exchange; requests that got lost may still arrive later."""

    def __init__(self, exchange: Exchange, fate: Fate) -> None:
        self.exchange, self.fate = exchange, fate
        self.ticks = True  # False: bracket prices as decided, to compare with a replay
        self.late: list[Callable[[], Any]] = []

    def account(self) -> BrokerAccount:
        return self._ask(
            lambda: BrokerAccount(
                number="1", equity=self.exchange.equity(), cash=self.exchange.cash,
                buying_power=2 * self.exchange.cash, shorting=True, blocked="",
            )
        )  # fmt: skip

    def positions(self) -> list[BrokerPosition]:
        held = self.exchange.positions
        return self._ask(
            lambda: [BrokerPosition(symbol=s, quantity=q, price=p) for s, (q, p) in held.items()]
        )

    def open_orders(self) -> list[BrokerOrder]:
        return self._ask(
            lambda: [
                wire.order_of(one.payload())
                for one in self.exchange.tickets
                if any(t.status in OPEN for t in (one, *one.legs))
            ]
        )

    def find(self, client_order_id: str) -> BrokerOrder | None:
        def found() -> BrokerOrder | None:
            try:
                return wire.order_of(self.exchange.by_client_id(client_order_id).payload())
            except Refusal:
                return None

        return self._ask(found)

    def place(self, order: Order) -> BrokerOrder:
        stop, target = bracket_on_ticks(order)
        placed = self._submit(
            order.client_order_id, order.symbol, order.side, order.quantity, "market",
            order_class="bracket", take_profit={"limit_price": target},
            stop_loss={"stop_price": stop},
        )  # fmt: skip
        if not self.ticks:
            limit, guard = self.exchange.by_id(placed.id).legs
            limit.limit_price, guard.stop_price = order.target, order.stop
        return placed

    def exit(self, client_order_id: str, symbol: str, side: int, quantity: float) -> BrokerOrder:
        return self._submit(client_order_id, symbol, side, quantity, "market")

    def protect(
        self, client_order_id: str, symbol: str, side: int, quantity: float, stop: float
    ) -> BrokerOrder:
        price = on_tick(stop, up=side < 0)
        return self._submit(client_order_id, symbol, side, quantity, "stop", stop_price=price)

    def cancel(self, order_id: str) -> None:
        def cancelled() -> None:
            try:
                self.exchange.cancel(order_id)
            except Refusal:
                return

        self._change(cancelled)

    def _submit(
        self, name: str, symbol: str, side: int, quantity: float, kind: str, **more: Any
    ) -> BrokerOrder:
        body = {
            "symbol": symbol, "side": "buy" if side > 0 else "sell", "qty": str(quantity),
            "type": kind, "time_in_force": "day", "client_order_id": name, **more,
        }  # fmt: skip

        def submitted() -> BrokerOrder:
            try:
                return wire.order_of(self.exchange.submit(body).payload())
            except Refusal as refusal:
                if DUPLICATE in refusal.message:
                    return wire.order_of(self.exchange.by_client_id(name).payload())
                raise Rejected(refusal.message) from refusal

        return self._change(submitted)

    def _ask(self, call: Callable[[], R]) -> R:
        match self.fate.draws("killed while asking", "question failed"):
            case "killed while asking":
                raise Killed
            case "question failed":
                raise Transient("scripted")
        return call()

    def _change(self, call: Callable[[], R]) -> R:
        match self.fate.draws(
            "killed before a request", "killed after a request", "request not sent",
            "request lost", "answer lost", "request late", rare=True,
        ):  # fmt: skip
            case "killed before a request":
                raise Killed
            case "killed after a request":
                self._quietly(call)
                raise Killed
            case "request not sent":
                raise Transient("scripted")
            case "request lost":
                raise Ambiguous("scripted")
            case "answer lost":
                self._quietly(call)
                raise Ambiguous("scripted")
            case "request late":
                self.late.append(call)
                raise Ambiguous("scripted")
        return call()

    @staticmethod
    def _quietly(call: Callable[[], Any]) -> None:
        try:
            call()
        except Rejected:
            return

    def arrive(self) -> None:
        """What was under way arrives."""
        late, self.late = self.late, []
        for call in late:
            self._quietly(call)


class FailingStore:
    """The ledger's writing side, with a disk that is full or locked and a process that dies."""

    def __init__(self, store: Store, fate: Fate) -> None:
        self.store, self.fate = store, fate

    def commit_cycle(self, *arguments: Any, **named: Any) -> None:
        kinds = "killed before a commit", "killed after a commit", "ledger locked"
        kind = self.fate.draws(*kinds)
        if kind == "killed before a commit":
            raise Killed
        if kind == "ledger locked":
            raise Transient("scripted")
        self.store.commit_cycle(*arguments, **named)
        if kind:
            raise Killed

    def keep_outbox(self, *arguments: Any) -> None:
        self.store.keep_outbox(*arguments)

    def outbox(self, *arguments: Any) -> Any:
        return self.store.outbox(*arguments)


class World:
    """One session: an exchange, a market, and processes that come and go."""

    def __init__(
        self, folder: Path, day: TradingDay, settings: Settings, fate: Fate, partial: float = 0.0
    ) -> None:
        self.folder, self.day, self.settings, self.fate = folder, day, settings, fate
        self.symbols = tuple(snapshot.symbol for snapshot in day.snapshots)
        self.exchange = Exchange(settings.account.start_equity)
        self.pit = Pit(self.exchange, self.symbols, day.session.open, fate, partial)
        self.broker = InMemoryBroker(self.exchange, fate)
        self.alerts: list[Alert] = []
        self.store: Store | None = None
        self.boot(to_datetime(day.session.open))

    def boot(self, now: datetime) -> None:
        """A new process takes up what the ledger has; it may die at once, and another follows."""
        while True:
            if self.store is not None:
                self.store.close()
            self.store = Store.open(self.folder / "ledger.sqlite", synchronous="NORMAL")
            if self.store.run(RUN) is None:
                self.store.start_run(
                    RUN, kind="paper", config_hash="", code_version="", config_json="{}"
                )
            ledger: Any = FailingStore(self.store, self.fate)
            equity = self.settings.account.start_equity
            count = len(self.symbols)
            self.lane = Lane(
                name=LANE, desk=Desk.new(count, equity), external=True,
                log=EventLog.with_room_for(count),
            )  # fmt: skip
            checkpoint = self.store.checkpoint(RUN, LANE)
            if checkpoint is not None:
                self.lane.restore(checkpoint)
            enter(self.lane, self.day, self.settings)
            self.deps = dependencies(RUN, self.settings, ledger)
            self.trading = Trading(
                self.lane, self.symbols, self.deps.rules, ledger, RUN, self.broker,
                limits=PATIENT, expected_bps=1e4 * SLIPPAGE, alert=self.alerts.append,
            )  # fmt: skip
            try:
                self.trading.start(now)
            except (Killed, Transient):
                continue
            return

    def play(self, check: Callable[["World", int], None] = lambda *_: None) -> "World":
        """The whole session; `check` is called when each minute is over and all has settled."""
        for row in range(self.day.session.minutes):
            self.pit.trade(self.day.grid, row)
            now = to_datetime(self.day.session.open + row + 1)
            self.exchange.now = now
            self._alive(lambda now=now: self.trading.settle(now), now)
            while self.lane.row <= row:
                self._alive(self._cycle, now)
            self._alive(lambda now=now: self.trading.send(now), now)
            self.broker.arrive()
            self.fate.calm = True
            for seconds in (15, 30, 31):
                self.trading.settle(now + timedelta(seconds=seconds))
            self.trading.agree(now + timedelta(seconds=40))
            check(self, row)
            self.fate.calm = False
        return self

    def _cycle(self) -> None:
        run_cycle(self.lane, self.day, self.lane.row + 1, self.deps)

    def _alive(self, step: Callable[[], Any], now: datetime) -> None:
        """A step of a process; one that dies, or cannot write, is followed by another process."""
        try:
            step()
        except (Killed, AdvisorError):
            self.boot(now)

    # What the ledger says

    def trades(self) -> list[Trade]:
        """Trades on record."""
        return self._store.trades(RUN, LANE, as_of=to_datetime(self.day.session.close))

    def fills(self) -> Sequence[Fill]:
        """Fills on record."""
        return self._store.fills(RUN, LANE, as_of=to_datetime(self.day.session.close))

    def close(self) -> None:
        """Let go of the ledger."""
        self._store.close()

    def orders(self) -> Sequence[Order]:
        """Entries on record as decided."""
        return self._store.orders(RUN, LANE, as_of=to_datetime(self.day.session.close))

    @property
    def _store(self) -> Store:
        assert self.store is not None
        return self.store
