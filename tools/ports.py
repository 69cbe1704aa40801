"""The contracts between the application and the hands: what a mode may replace.

A port is listed here once something on the other side of it can differ. Implementations translate
their vendors' errors into `tools.errors`.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quant_core.cycles import CycleRows
from quant_core.market_view import MarketView
from quant_core.types import (
    Analysis,
    AnswerFinding,
    ChartAlert,
    DailyBias,
    Decision,
    Fill,
    Headline,
    LaneDay,
    MarketContext,
    Order,
    OrderRejection,
    RiskChange,
    Signal,
    Snapshot,
    Trade,
    Transition,
    Verdict,
)
from tools.broker.book import BrokerAccount, BrokerOrder, BrokerPosition
from tools.llm.calls import KeptCall
from tools.market.live_bar import LiveBar
from tools.outbox import OutboxRow
from tools.stream import StreamState

LedgerRecord = (
    Snapshot
    | Headline
    | ChartAlert
    | DailyBias
    | MarketContext
    | KeptCall
    | AnswerFinding
    | Analysis
    | Transition
    | Decision
    | Order
    | Fill
    | OrderRejection
    | Trade
    | RiskChange
    | LaneDay
)


class Analyst(Protocol):
    """Looks at the market every interval and proposes multipliers on the thresholds."""

    def __call__(self, view: MarketView) -> Analysis:
        """An analysis of a view; any exception becomes a DEGRADED analysis at base thresholds."""
        ...


class Validator(Protocol):
    """Rules on a signal that risk would let pass, before anything is ordered."""

    def __call__(self, signal: Signal, view: MarketView) -> Verdict:
        """A verdict; any exception becomes an abstention."""
        ...


class NewsReader(Protocol):
    """News that was kept; reading it again gives the same."""

    def news(
        self, symbols: Sequence[str], *, as_of: datetime, since: datetime
    ) -> Sequence[Headline]:
        """Items on any of the symbols, or on the market, known in (since, as_of]."""
        ...


class Inbox(Protocol):
    """Where chart alerts arrive, and wait until they are on record. Each may be given again."""

    def take(self) -> list[ChartAlert]:
        """What has arrived; Transient when nobody answers. What is no alert is put aside."""
        ...

    def done(self, ids: Collection[str]) -> None:
        """These are on record: forget them. Transient when it cannot; then they come again."""
        ...


class Ledger(Protocol):
    """Keeps what was decided: whole cycles or nothing."""

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
        """Write one cycle of a lane in one transaction: rows, records in order, lane state.

        `outbox` are the orders that came of it, or that moved meanwhile.
        """
        ...

    def keep_outbox(self, run_id: str, lane: str, rows: Sequence[OutboxRow]) -> None:
        """Write how far requests have come, where nothing else is to be recorded."""
        ...

    def outbox(self, run_id: str, lane: str, *, since: datetime | None = None) -> list[OutboxRow]:
        """Where every order of a lane stands now.

        With `since`: those about which something may still happen or has since then, and those that
        were sent and never answered for.
        """
        ...


class Broker(Protocol):
    """An account at a broker. Ids are the client's; `side` is always that of the order.

    Questions raise Transient. Changes raise Rejected with the broker's reason, Transient when
    nothing was sent, Ambiguous when that is not known. The same client order id makes one order.
    """

    def account(self) -> BrokerAccount:
        """Money and permissions."""
        ...

    def positions(self) -> list[BrokerPosition]:
        """All open positions."""
        ...

    def open_orders(self) -> list[BrokerOrder]:
        """Orders that may still do something, legs nested in their bracket."""
        ...

    def find(self, client_order_id: str) -> BrokerOrder | None:
        """What became of an order, with its legs; None when the broker never had it."""
        ...

    def place(self, order: Order) -> BrokerOrder:
        """Send an entry at market with its bracket."""
        ...

    def exit(self, client_order_id: str, symbol: str, side: int, quantity: float) -> BrokerOrder:
        """Close (part of) a position at market."""
        ...

    def protect(
        self, client_order_id: str, symbol: str, side: int, quantity: float, stop: float
    ) -> BrokerOrder:
        """A stop for a position that lacks one."""
        ...

    def cancel(self, order_id: str) -> None:
        """Ask for a cancel, by the broker's id; no error when the order is over."""
        ...


class BarStream(Protocol):
    """Minute bars as they come. `state` tells of gaps: what was said in between was not heard."""

    def drain(self) -> list[LiveBar]:
        """What was told since the last time, in the order in which it arrived."""
        ...

    def state(self) -> StreamState:
        """How it fares."""
        ...


class BarArchive(Protocol):
    """Where minutes can be asked for that a stream did not bring."""

    def between(self, symbols: Sequence[str], first: datetime, until: datetime) -> list[LiveBar]:
        """The minutes that start in [first, until) and are known; Transient when it is silent."""
        ...


class Quotes(Protocol):
    """What buyers and sellers ask for now."""

    def spreads(self, symbols: Sequence[str]) -> list[float]:
        """Ask less bid as a part of their middle, NaN without both; Transient when it is silent."""
        ...


class Embedder(Protocol):
    """Turns texts into vectors of length 1 whose dot product says how near two meanings are.

    `name` identifies what made a vector: vectors of different names cannot be compared.
    """

    @property
    def name(self) -> str:
        """Maker, model and dimensions, such as `lexical.v1:256`."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Shape (texts, dimensions). A text that says nothing may have a vector of zeros."""
        ...
