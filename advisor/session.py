"""The session loop: premarket, then cycles to the close, for every lane of a run.

Lanes do not touch each other, so in replay each goes through the whole session in turn; the
placebo comes last because it needs the session's advice. At a pace all others go side by side,
minute by minute: what is due is asked when its minute begins, and the minute is taken when its
bar has closed, whoever has answered by then.
"""

from collections.abc import Callable, Sequence

import numpy as np

from advisor.cycle import CycleDependencies, ask_if_due, run_cycle
from advisor.lanes import Lane, TradingDay
from advisor.market import Market
from advisor.pacing import PacedClock
from advisor.settings import Settings
from advisor.sources import earnings, sectors
from quant_core.calendar import Session, to_datetime
from quant_core.engine import open_session
from quant_core.grid import session_clock
from quant_core.performance import cvar_95
from quant_core.types import ChartAlert, Snapshot

Progress = Callable[[Lane, TradingDay], None]


def trading_day(
    market: Market, session: Session, settings: Settings, alerts: Sequence[ChartAlert] = ()
) -> TradingDay:
    """Everything of a session that no decision changes: grid, snapshots, landmarks, alerts."""
    return TradingDay(
        session=session,
        grid=market.grid(session),
        snapshots=market.snapshots(session),
        clock=session_clock(session, settings.stdev),
        alerts=alerts,
    )


def run_day(
    lanes: Sequence[Lane],
    day: TradingDay,
    deps: CycleDependencies,
    progress: Progress,
    until: int | None = None,
) -> None:
    """Take every lane to the close; a lane that stands inside the session goes on from there.

    With `until` the session pauses before that row (minutes after the open).
    """
    last = day.session.minutes if until is None else until
    for lane in lanes:
        if lane.finished(day):
            continue
        enter(lane, day, deps.settings)
        while lane.row < last:
            run_cycle(lane, day, last, deps)
            progress(lane, day)


def run_day_at_pace(
    lanes: Sequence[Lane],
    day: TradingDay,
    deps: CycleDependencies,
    progress: Progress,
    clock: PacedClock,
) -> None:
    """Take the lanes through a session as time passes; those of hindsight after its close."""
    live = [lane for lane in lanes if not lane.hindsight and not lane.finished(day)]
    for lane in live:
        enter(lane, day, deps.settings)
    first = min((lane.row for lane in live), default=day.session.minutes)
    clock.start(to_datetime(day.session.open + first))
    for row in range(first, day.session.minutes):
        # A process may have died between two lanes' minutes: one of them is then a row ahead.
        due = [lane for lane in live if lane.row == row]
        for lane in due:
            ask_if_due(lane, day, deps.settings)
        clock.wait_until(to_datetime(day.session.open + row + 1))
        for lane in due:
            run_cycle(lane, day, row + 1, deps)
            progress(lane, day)
    run_day([lane for lane in lanes if lane.hindsight], day, deps, progress)


def enter(lane: Lane, day: TradingDay, settings: Settings) -> None:
    """Put a lane at the open of a session, unless it stands inside it already."""
    if lane.day == day.session.date:
        return
    lane.day, lane.row, lane.pending = day.session.date, 0, []
    if lane.grant is not None:
        lane.authority = lane.grant(len(lane.daily_returns))
    cap = settings.stdev.atr_percentile_cap
    symbols = [snapshot.symbol for snapshot in day.snapshots]
    open_session(
        lane.desk,
        htf_trend=np.array([snapshot.htf_trend for snapshot in day.snapshots]),
        armable=np.array([_armable(snapshot, cap) for snapshot in day.snapshots]),
        average_volume=np.array([snapshot.average_volume for snapshot in day.snapshots]),
        cvar_95=cvar_95(np.array(lane.daily_returns))[0],
        sector=sectors(settings, symbols),
        earnings=earnings(settings, symbols, [day.session])[0],
    )


def _armable(snapshot: Snapshot, cap: float) -> bool:
    """Whether a symbol may arm today: a complete snapshot, volatility at most at the cap."""
    return not snapshot.incomplete and snapshot.atr_percentile <= cap
