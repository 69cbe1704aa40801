"""A session whose process is started anew for every minute, and what it then needs from outside.

Nothing is left in the process: bars are kept in a bucket, orders are handed to another process,
the model is asked by a third, and what a person wants is read from the bucket. There is no stream:
minutes come from the archive. What a warm process may keep is what was read of the days before, and
what the ledger confirms before it counts.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from advisor.bootstrap import Advisers
from advisor.control import Control
from advisor.lanes import Lane
from advisor.live.elsewhere import Board, Elsewhere, reached
from advisor.live.kept_bars import BarsFile, BarsInBucket
from advisor.morning_bars import MorningBars
from advisor.settings import Settings
from advisor.trading import Trading
from quant_core.types import ChartAlert
from tools.aws.objects import Objects
from tools.clock import Clock
from tools.market.live_bar import LiveBar
from tools.ports import Inbox
from tools.store.store import Heads
from tools.stream import StreamState

BARS, QUESTIONS = "live/bars", "live/questions"


class NoStream:
    """A stream that brings nothing: the archive is asked."""

    def drain(self) -> list[LiveBar]:
        """Nothing."""
        return []

    def state(self) -> StreamState:
        """That there is none."""
        return StreamState(connected=False, connections=0, trouble="minutes are asked for")


class NoInbox:
    """Where no alert ever arrives."""

    def take(self) -> list[ChartAlert]:
        """Nothing."""
        return []

    def done(self, ids: Collection[str]) -> None:
        """Nothing to forget."""


@dataclass(frozen=True, slots=True)
class AtBroker:
    """The lane that trades, as the ledger has it, and the broker's side of it.

    `obey` does to the lane what a person wants, as it is done before entries are sent.
    """

    lane: Lane
    trading: Trading
    obey: Callable[[datetime], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """What takes the place of the process's own.

    `root` is the bucket, `control` what a person wants (fetched before), `hand_over` is given the
    ids of the orders to send, `ask` the run and moment of a question that stands on the board; None
    asks in this process. `inbox` opens where chart alerts wait, and is given what tells a person.
    A warm process keeps `mornings`, and in `heads` where it left the ledger.
    """

    root: Callable[[str], Objects]
    control: Control
    hand_over: Callable[[Sequence[str]], None] | None = None
    ask: Callable[[str, datetime], None] | None = None
    inbox: Callable[[Callable[[str], None]], Inbox] = field(default=lambda _: NoInbox())
    mornings: dict[date, MorningBars] = field(default_factory=dict)
    heads: Heads = field(default_factory=dict)

    def bars(self, day: date) -> BarsFile:
        """Where a session's bars are kept."""
        return BarsInBucket(self.root(BARS), f"{day}.csv")

    def board(self, run_id: str) -> Board:
        """Where the questions of a run stand."""
        return Board(self.root(f"{QUESTIONS}/{run_id}"))

    def advisers(self, chosen: Advisers, run_id: str, clock: Clock, settings: Settings) -> Advisers:
        """The advisers, with a model's analyses asked of another process."""
        ask = self.ask
        if ask is None:
            return chosen
        limit = timedelta(seconds=settings.analysis.deadline_seconds)
        asking = Elsewhere(
            self.board(run_id), chosen.kept, clock, limit, lambda as_of: ask(run_id, as_of)
        )
        return replace(chosen, analyst=reached, asking=asking)
