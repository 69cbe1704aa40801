"""Running lanes of a kept replay again, in memory: what other advice would have made of its bars.

The same engine, cycle by cycle, with the advice that the ledger has:
- *baseline* again: it must come out as the ledger says, or the code is not what made the ledger;
- *multipliers alone*: the advice without the validator. Beside the placebos it is the fair
  comparison (they have no vetoes either), beside the advised lane it shows what the rulings did;
- placebos: the same multipliers in `count` random orders of each day. The first has the seed of
  the replay's own placebo lane.

A replay writes one placebo, not twenty: nineteen more lanes would make every replay and every
ledger several times larger for the sake of a question that is asked afterwards, and the answer
follows from the ledger and the bars. Here seven symbols take a tenth of a second a lane and month.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np

from advisor.cycle import dependencies, first_bar, run_cycle
from advisor.evaluation.kept import KeptRun
from advisor.lanes import Lane, TradingDay, as_given, authority_after, shuffled_in_time
from advisor.session import enter, run_day, trading_day
from quant_core.authority import Authority
from quant_core.bars import Floats
from quant_core.calendar import NEW_YORK, to_minute
from quant_core.counterfactual import follow, in_r, signals_under
from quant_core.desk import Desk
from quant_core.events import EventLog
from quant_core.performance import daily_returns
from quant_core.types import (
    Analysis,
    Decision,
    LaneDay,
    Multipliers,
    Signal,
    Status,
    Trade,
    Verdict,
)
from tools.errors import BadInput

Watch = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedAnalysis:
    """An analysis against base thresholds, from its bar to the next one's, from the same desk.

    `effect` is the R of the signals with its multipliers minus the R of those without, each signal
    followed to its end. It is exactly 0 where both have the same signals.
    """

    analysis: Analysis
    effect: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedSignal:
    """A signal that was ruled on, and the trade it makes on its own; None when it never fills."""

    signal: Signal
    verdict: Verdict
    trade: Trade | None

    @property
    def r(self) -> float:
        """Profit after costs in units of the planned risk; NaN when it never fills."""
        return in_r(self.trade, self.signal) if self.trade else np.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """What running again gave: daily profits ($) of (sessions,) and (placebos, sessions)."""

    alone: Floats
    placebos: Floats
    analyses: list[FollowedAnalysis]
    signals: list[FollowedSignal]


def run_again(kept: KeptRun, count: int, watch: Watch) -> Rerun:
    """Run a kept replay's lanes again, with `count` placebos; BadInput if it does not reproduce."""
    lanes = _lanes(kept, count)
    alone, baseline, *placebos = lanes
    deps = dependencies(kept.run.run_id, kept.settings, None)
    analyses: list[FollowedAnalysis] = []
    signals: list[FollowedSignal] = []
    for session in kept.market.sessions:
        watch(str(session.date))
        day = trading_day(kept.market, session, kept.settings)
        analyses += _analyses_of_day(alone, day, kept, deps.rules)
        signals += _signals_of_day(day, kept, deps.rules)
        run_day([baseline, *placebos], day, deps, _nobody_watches)
        for lane in lanes:
            # Kept nowhere and asked for by nobody; a long replay would fill the memory with it.
            lane.cycles.clear()
    _must_agree(baseline, kept)
    return Rerun(
        alone=np.array(_profits(alone)),
        placebos=np.array([_profits(lane) for lane in placebos]).reshape(
            len(placebos), len(kept.dates)
        ),
        analyses=analyses,
        signals=signals,
    )


def _lanes(kept: KeptRun, count: int) -> list[Lane]:
    """Multipliers alone, baseline, placebos."""
    symbols = len(kept.market.symbols)

    def lane(name: str) -> Lane:
        return Lane(
            name=name,
            desk=Desk.new(symbols, kept.settings.account.start_equity),
            log=EventLog.with_room_for(symbols),
        )

    given = lane("advised")
    given.records += kept.lanes["advised"].analyses if "advised" in kept.lanes else []
    alone = lane("alone")
    placebos = [lane(f"placebo {number}") for number in range(count if given.records else 0)]
    seed = kept.settings.lanes.placebo_seed
    for number, placebo in enumerate(placebos):
        placebo.analyst = shuffled_in_time(given, seed + number)
    if given.records:
        alone.analyst = as_given(given)
    for one in (alone, *placebos):
        one.grant = granted(kept)
    return [alone, lane("baseline"), *placebos]


def _nobody_watches(_: Lane, __: TradingDay) -> None:
    pass


def granted(kept: KeptRun) -> Callable[[int], Authority] | None:
    """The authority that the replay gave for a session; None where it was always full."""
    if "shadow" not in kept.lanes:
        return None
    shadow, baseline = (
        [float(value) for value in daily_returns(kept.lanes[name].days)]
        for name in ("shadow", "baseline")
    )

    def grant(sessions: int) -> Authority:
        past = shadow[:sessions], baseline[:sessions]
        return authority_after(*past, kept.settings.analysis)

    return grant


def _analyses_of_day(
    lane: Lane, day: TradingDay, kept: KeptRun, rules: np.ndarray
) -> list[FollowedAnalysis]:
    """Take the multipliers-alone lane through a session, following each analysis on the way."""
    deps = dependencies(kept.run.run_id, kept.settings, None)
    enter(lane, day, kept.settings)
    waiting: dict[int, tuple[Analysis, range]] = {}
    for analysis in _on(kept, day.session.date):
        if rows := _rows(analysis, day, kept):
            waiting[rows.start] = analysis, rows
    found = []
    while lane.row < day.session.minutes:
        if lane.row in waiting and waiting[lane.row][0].status is Status.OK:
            found.append(_followed(*waiting[lane.row], lane.desk, day, kept, rules))
        run_cycle(lane, day, day.session.minutes, deps)
    return found


def _rows(analysis: Analysis, day: TradingDay, kept: KeptRun) -> range:
    """The rows from the one an analysis applied to, up to where the next one in time does.

    None for one that came when its time was over already.
    """
    in_time = first_bar(analysis, kept.settings)
    applied = analysis.applies_from or in_time
    start, end = (to_minute(moment) - day.session.open for moment in (applied, in_time))
    return range(start, min(end + kept.settings.analysis.interval_minutes, day.session.minutes))


def _on(kept: KeptRun, when: date) -> list[Analysis]:
    if "advised" not in kept.lanes:
        return []
    return [
        analysis
        for analysis in kept.lanes["advised"].analyses
        if analysis.as_of.astimezone(NEW_YORK).date() == when
    ]


def _followed(
    analysis: Analysis, rows: range, desk: Desk, day: TradingDay, kept: KeptRun, rules: np.ndarray
) -> FollowedAnalysis:
    if analysis.multipliers == Multipliers():
        return FollowedAnalysis(analysis=analysis, effect=0.0)
    asked, base = (
        signals_under(desk, multipliers, rows, day.grid, day.clock, rules, kept.market.symbols)
        for multipliers in (analysis.multipliers, Multipliers())
    )
    # What both have in common cancels out; what only one of them has is the difference.
    gained = [_r_of(signal, day, kept, rules) for signal in asked if signal not in base]
    lost = [_r_of(signal, day, kept, rules) for signal in base if signal not in asked]
    return FollowedAnalysis(analysis=analysis, effect=math.fsum(gained) - math.fsum(lost))


def _r_of(signal: Signal, day: TradingDay, kept: KeptRun, rules: np.ndarray) -> float:
    """What a signal makes followed alone, in R; one that never fills makes nothing."""
    trade = _trade_of(signal, day, kept, rules)
    return in_r(trade, signal) if trade else 0.0


def _trade_of(signal: Signal, day: TradingDay, kept: KeptRun, rules: np.ndarray) -> Trade | None:
    symbol = kept.market.symbols.index(signal.symbol)
    row = to_minute(signal.start) - day.session.open
    return follow(signal, day.grid, day.clock, rules, symbol, row)


def _signals_of_day(day: TradingDay, kept: KeptRun, rules: np.ndarray) -> list[FollowedSignal]:
    """Every signal of the advised lane that was ruled on in a session, followed alone."""
    if "advised" not in kept.lanes:
        return []
    return [
        FollowedSignal(
            signal=decision.signal,
            verdict=decision.verdict,
            trade=_trade_of(decision.signal, day, kept, rules),
        )
        for decision in kept.lanes["advised"].decisions
        if decision.verdict is not None and _is_on(decision, day.session.date)
    ]


def _is_on(decision: Decision, when: date) -> bool:
    return decision.signal.start.astimezone(NEW_YORK).date() == when


def _profits(lane: Lane) -> list[float]:
    days = [record for record in lane.records if isinstance(record, LaneDay)]
    return [day.end_equity - day.start_equity for day in days]


def _must_agree(baseline: Lane, kept: KeptRun) -> None:
    """Refuse to go on when the baseline does not come out as the ledger has it."""
    again = [record for record in baseline.records if isinstance(record, LaneDay)]
    for was, now in zip(kept.lanes["baseline"].days, again, strict=True):
        if was != now:
            raise BadInput(
                f"the baseline ended {was.date} at {was.end_equity:.2f} in the ledger, and at "
                f"{now.end_equity:.2f} when run again: the code has changed since; replay again "
                "with --fresh"
            )
