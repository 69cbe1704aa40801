"""What the API is made of, put together once and handed to every handler."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from advisor.api.answers import Answers
from advisor.api.chart_intake import ChartIntake
from advisor.api.chat import Chat
from advisor.api.desk import Desk
from advisor.api.keys import KeyFile
from advisor.api.metrics import Metrics
from advisor.api.schemas import Component
from advisor.api.view import LedgerView
from advisor.control import Control
from advisor.settings import ApiSettings, ScheduleSettings
from tools.llm.budget import BudgetLimits
from tools.llm.spending import Spent


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of a running API. `chat` None: questions are answered with what to do about it.

    `control` is that of the ledger's folder; None where it has none, so that nothing can be halted
    from here. `intake` takes alerts of charts for its session; None where they come another way.
    `folder` is where the ledger's file lies, with what else its runs leave there; None for a
    database elsewhere. `public` says that it listens beyond this machine, where every caller needs
    a key. `index_state` says how the index is that the chat searches. `counted` says what counts
    against the budget of a New York day (None: nothing ever was), `llm_budget` what models may
    cost, and `schedule` what jobs start: these are only told. `patience` says for how many more
    seconds whoever asks the chat can be answered, where somebody between hangs up; None: as long as
    they wait.
    """

    view: LedgerView
    settings: ApiSettings
    config: Path | None
    keys: KeyFile
    metrics: Metrics
    chat: Chat | None = None
    index_state: Callable[[], Component] | None = None
    control: Control | None = None
    intake: ChartIntake | None = None
    folder: Path | None = None
    public: bool = False
    counted: Callable[[date], Spent | None] | None = None
    llm_budget: BudgetLimits = field(default_factory=BudgetLimits)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    patience: Callable[[], float] | None = None
    answers: Answers = field(default_factory=Answers)
    desk: Desk = field(init=False)

    def __post_init__(self) -> None:
        """Questions wait at a desk of this API's own."""
        object.__setattr__(self, "desk", Desk(self.settings, self.patience))
