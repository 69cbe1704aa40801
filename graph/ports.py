"""What machines read from, and what they are wired with.

Every read takes `as_of`: an implementation must return nothing that was not known at that moment.
The nodes check it again (`graph.reading`), so that a careless source cannot leak the future.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from quant_core.types import Order, Trade
from tools.llm.budget import DailyBudget
from tools.llm.calls import LanguageModel
from tools.ports import NewsReader

if TYPE_CHECKING:
    from graph.checkpoints import Checkpoints
    from graph.looking import Library
    from tools.toolbox import Toolbox


class History(Protocol):
    """One lane's own past, as its ledger has it."""

    def trades(self, *, as_of: datetime) -> Sequence[Trade]:
        """Trades known to be closed."""
        ...

    def orders(self, *, as_of: datetime) -> Sequence[Order]:
        """Orders decided."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A step of a machine has ended: why it goes on as it does, and what failed, if it did.

    `about` says which run of the machine: its moment (New York) and the symbol of a signal.
    """

    machine: str
    step: str
    outcome: str
    failure: str = ""
    about: str = ""


Progress = Callable[[Event], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What a machine works with; the context of its nodes.

    `model` may be None where a machine has rules to fall back on (premarket). `seconds` is the
    deadline of one question. `news_hours` is how far back news is read. `mask` hides symbols,
    dates and the text of news from the model. `namespace` (the run's id) keeps the checkpoints of
    different runs apart; without `checkpoints` nothing is kept. `ledger` and `library` are what
    the chat answers from: read-only tools, and documents to search.
    """

    model: LanguageModel | None
    budget: DailyBudget
    news: NewsReader | None = None
    history: History | None = None
    seconds: float = 45.0
    news_hours: float = 24.0
    mask: bool = False
    namespace: str = ""
    checkpoints: "Checkpoints | None" = None
    progress: Progress | None = None
    ledger: "Toolbox | None" = None
    library: "Library | None" = None


class Runtime(Protocol):
    """The part of langgraph's `Runtime` that nodes use, so that they can be called without it."""

    @property
    def context(self) -> Wiring:
        """What the machine is wired with."""
        ...

    @property
    def execution_info(self) -> Any:
        """`.node_attempt`: 1 in the first attempt of a node."""
        ...
