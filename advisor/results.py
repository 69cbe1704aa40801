"""What a replay produced, lane by lane: the one shape that exports, summary and report read.

Everything here can be read back from the ledger, so a run that was interrupted and resumed has the
same result as one that was not.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from advisor.news import NewsSources
from quant_core.authority import Authority
from quant_core.bars import Gap
from quant_core.calendar import Session
from quant_core.cycles import CycleRows
from quant_core.types import (
    Analysis,
    DailyBias,
    Decision,
    Fill,
    LaneDay,
    MarketContext,
    OrderRejection,
    RiskChange,
    Snapshot,
    Trade,
    Transition,
)

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(slots=True, kw_only=True)
class LaneResult:
    """One lane over all sessions; lists are in the order in which things happened.

    `llm_cost` is what its questions to models cost, in dollars, as the ledger keeps them; the
    advised lane pays for the premarkets too.
    """

    name: str
    start_equity: float
    cycles: CycleRows
    analyses: list[Analysis] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    order_rejections: list[OrderRejection] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    risk_changes: list[RiskChange] = field(default_factory=list)
    days: list[LaneDay] = field(default_factory=list)
    llm_cost: float = 0.0


@dataclass(slots=True, kw_only=True)
class ReplayResult:
    """All lanes of a run on the same bars; the first lane is the one that is exported.

    `bar_rejections` has the columns of `rejections.parquet`; `benchmark` is the close-to-close
    return of an equal-weight holding of the watchlist, one value per session. `authority` has one
    entry per session where it is earned, and none where it is fixed.
    """

    run_id: str
    config_hash: str
    code_version: str
    symbols: tuple[str, ...]
    sessions: tuple[Session, ...]
    feed: str
    analyst: str
    validation: str
    lanes: dict[str, LaneResult]
    snapshots: list[Snapshot]
    bar_rejections: "pa.Table"
    gaps: list[tuple[date, Gap]]
    bars_read: dict[str, int]
    bars_accepted: dict[str, int]
    benchmark: list[float]
    chain_heads: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    authority: list[Authority] = field(default_factory=list)
    biases: list[DailyBias] = field(default_factory=list)
    contexts: list[MarketContext] = field(default_factory=list)
    news: NewsSources = field(default_factory=NewsSources)

    @property
    def main(self) -> LaneResult:
        """The advised lane, or the baseline when there is no analyst."""
        return next(iter(self.lanes.values()))
