"""Lanes: the same engine on identical bars, with different advice.

*advised* takes the analyst's multipliers and the validator's rulings. *baseline* takes none.
*placebo* takes the advised multipliers of the same session, shuffled in time: if it does as well
as advised, the timing of the advice was worth nothing. The placebo has no veto, and it can only
run once the session's advice is known.

Where authority is earned there is a fourth lane, *shadow*: the advice at full reach, without
vetoes. What it made more than the baseline in the sessions before is what the reach of the advised
and placebo lanes is decided by (`quant_core.authority`), before each session, for all of it.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime

import numpy as np

from advisor.asking import Asking, AtOnce
from advisor.kept import Kept
from advisor.results import LaneResult
from advisor.settings import AnalysisSettings
from quant_core.authority import Authority, earned, full_authority
from quant_core.calendar import NEW_YORK, Session, new_york
from quant_core.cycles import CycleRows
from quant_core.desk import Desk
from quant_core.events import EventLog
from quant_core.grid import Grid
from quant_core.market_view import MarketView
from quant_core.types import (
    Analysis,
    ChartAlert,
    Decision,
    Fill,
    LaneDay,
    Multipliers,
    OrderRejection,
    RiskChange,
    Snapshot,
    Trade,
    Transition,
)
from tools.ports import Analyst, LedgerRecord, Validator

Answer = tuple[str, date, float]
"""Which model gave an opinion, in which session, and how sure it was (0 to 100)."""


def _nothing(_: type) -> Sequence[Answer]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingDay:
    """One session as every lane sees it; `alerts` are those of charts that its run has by now."""

    session: Session
    grid: Grid
    snapshots: Sequence[Snapshot]
    clock: np.ndarray
    alerts: Sequence[ChartAlert] = ()


@dataclass(slots=True, kw_only=True)
class Lane:
    """One lane on its way through the sessions: its desk, its advisers, and where it stands.

    `day` and `row` say which minute comes next; `asking` is how its analyst is asked, `asked` the
    moments of the questions without an outcome, `lost` those that an earlier process left so.
    `pending` holds advice that was given but does not apply yet, as (row, expiry in epoch minutes,
    multipliers). What its advisers left in `kept` is committed with the next cycle. A lane of
    `hindsight` needs the whole session's advice: it runs after the close. The orders of an
    `external` lane are a broker's, and its fills are booked between cycles. `authority` is how far
    advice may reach in this session; `grant` finds it from the number of sessions that are over,
    and is None where it is always full. `earlier` gives the answers behind the records of a type
    that come before those in `records`, for a lane that was taken up with a part of them.
    """

    name: str
    desk: Desk
    analyst: Analyst | None = None
    validator: Validator | None = None
    asking: Asking = field(default_factory=AtOnce)
    hindsight: bool = False
    external: bool = False
    day: date | None = None
    row: int = 0
    pending: list[tuple[int, int, Multipliers]] = field(default_factory=list)
    authority: Authority = field(default_factory=full_authority)
    grant: Callable[[int], Authority] | None = None
    asked: list[datetime] = field(default_factory=list)
    lost: list[datetime] = field(default_factory=list)
    log: EventLog
    daily_returns: list[float] = field(default_factory=list)
    records: list[LedgerRecord] = field(default_factory=list)
    earlier: Callable[[type], Sequence[Answer]] = _nothing
    cycles: list[CycleRows] = field(default_factory=list)
    kept: Kept = field(default_factory=Kept)

    def checkpoint(self) -> bytes:
        """Everything the lane must remember to go on after a restart."""
        return json.dumps(
            {
                "day": self.day.isoformat() if self.day else None,
                "row": self.row,
                "pending": [
                    [row, until, multipliers.as_tuple()] for row, until, multipliers in self.pending
                ],
                "authority": asdict(self.authority),
                "asked": [as_of.isoformat() for as_of in self.asked],
                "held": [self.asking.held(), self.kept.held()],
                "daily_returns": self.daily_returns,
                "desk": self.desk.dump().decode(),
            }
        ).encode()

    def restore(self, checkpoint: bytes) -> None:
        """Take up the state of a checkpoint."""
        state = json.loads(checkpoint)
        self.day = date.fromisoformat(state["day"]) if state["day"] else None
        self.row = state["row"]
        self.pending = [
            (row, until, Multipliers(mr_arm=m[0], mr_trigger=m[1], tc_arm=m[2], tc_trigger=m[3]))
            for row, until, m in state["pending"]
        ]
        self.authority = Authority(**state["authority"])
        asked = [datetime.fromisoformat(as_of) for as_of in state["asked"]]
        answers, led_to_them = state["held"]
        self.asked, self.lost = (asked, []) if self.asking.take_up(answers) else ([], asked)
        self.kept.take_up(led_to_them)
        self.daily_returns = state["daily_returns"]
        self.desk = Desk.load(state["desk"].encode())

    def finished(self, day: TradingDay) -> bool:
        """Whether the lane has been through this session already."""
        if self.day is None or self.day < day.session.date:
            return False
        return self.day > day.session.date or self.row >= day.session.minutes

    def result(self) -> LaneResult:
        """What the lane has produced so far."""
        found = LaneResult(
            name=self.name,
            start_equity=float(self.desk.account["start_equity"][0]),
            cycles=CycleRows.joined(self.cycles),
        )
        kinds: dict[type, list[object]] = {
            Analysis: found.analyses,  # type: ignore[dict-item]
            Transition: found.transitions,  # type: ignore[dict-item]
            Decision: found.decisions,  # type: ignore[dict-item]
            Fill: found.fills,  # type: ignore[dict-item]
            OrderRejection: found.order_rejections,  # type: ignore[dict-item]
            Trade: found.trades,  # type: ignore[dict-item]
            RiskChange: found.risk_changes,  # type: ignore[dict-item]
            LaneDay: found.days,  # type: ignore[dict-item]
        }
        for record in self.records:
            if type(record) in kinds:
                kinds[type(record)].append(record)
        # A late answer is on record after a younger analysis that was not asked.
        found.analyses.sort(key=lambda analysis: analysis.as_of)
        return found


def as_given(advised: Lane) -> Analyst:
    """An analyst that repeats the advised lane's analyses of the same moments."""

    def analyse(view: MarketView) -> Analysis:
        return next(given for given in today(view) if given.as_of == view.as_of)

    today = _today_in(advised)
    return analyse


def shuffled_in_time(advised: Lane, seed: int) -> Analyst:
    """The placebo's analyst: today's advised analyses in a random order, fixed by seed and date."""

    def analyse(view: MarketView) -> Analysis:
        given = today(view)
        date_number = int(new_york(view.as_of)[:10].replace("-", ""))
        order = np.random.Generator(np.random.PCG64([seed, date_number])).permutation(len(given))
        slot = next(i for i, analysis in enumerate(given) if analysis.as_of == view.as_of)
        source: Analysis = given[order[slot]]
        return replace(
            source,
            as_of=view.as_of,
            applies_from=given[slot].applies_from,
            analyst="placebo",
            reasoning=f"the multipliers of {new_york(source.as_of)[11:]}, shuffled in time",
            opportunities=(),
            evidence=(),
        )

    today = _today_in(advised)
    return analyse


def _today_in(advised: Lane) -> Callable[[MarketView], list[Analysis]]:
    """The advised lane's analyses of a view's session; looked up once, it is over by then."""
    known: dict[date, list[Analysis]] = {}

    def today(view: MarketView) -> list[Analysis]:
        day = view.as_of.astimezone(NEW_YORK).date()
        if day not in known:
            known.clear()
            known[day] = [
                record
                for record in advised.records
                if isinstance(record, Analysis) and record.as_of.astimezone(NEW_YORK).date() == day
            ]
        return known[day]

    return today


def authority_after(
    shadow: Sequence[float], baseline: Sequence[float], rules: AnalysisSettings
) -> Authority:
    """The authority for the session that follows these daily returns of two lanes."""
    return earned(
        np.array(shadow) - np.array(baseline),
        minimum_sessions=rules.authority_minimum_sessions,
        error_rate=rules.authority_error_rate,
        full_at=rules.authority_full_at,
    )
