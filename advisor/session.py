"""The session loop: premarket, then cycles to the close, for every lane of a run.

Lanes do not touch each other, so in replay each goes through the whole session in turn; the
placebo comes last because it needs the session's advice.
"""

from collections.abc import Callable, Sequence

import numpy as np

from advisor.cycle import CycleDependencies, run_cycle
from advisor.lanes import Lane, TradingDay
from advisor.market import Market
from advisor.settings import Settings
from quant_core.calendar import Session
from quant_core.engine import open_session
from quant_core.grid import session_clock
from quant_core.performance import cvar_95
from quant_core.types import Snapshot

Progress = Callable[[Lane, TradingDay], None]


def trading_day(market: Market, session: Session, settings: Settings) -> TradingDay:
    """Everything of a session that no decision changes: grid, snapshots, landmarks."""
    return TradingDay(
        session=session,
        grid=market.grid(session),
        snapshots=market.snapshots(session),
        clock=session_clock(session, settings.stdev),
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
        if lane.day != day.session.date:
            begin_day(lane, day, deps.settings)
        while lane.row < last:
            run_cycle(lane, day, last, deps)
            progress(lane, day)


def begin_day(lane: Lane, day: TradingDay, settings: Settings) -> None:
    """Put a lane at the open of a session."""
    lane.day, lane.row, lane.pending = day.session.date, 0, []
    if lane.grant is not None:
        lane.authority = lane.grant(len(lane.daily_returns))
    cap = settings.stdev.atr_percentile_cap
    open_session(
        lane.desk,
        htf_trend=np.array([snapshot.htf_trend for snapshot in day.snapshots]),
        armable=np.array([_armable(snapshot, cap) for snapshot in day.snapshots]),
        average_volume=np.array([snapshot.average_volume for snapshot in day.snapshots]),
        cvar_95=cvar_95(np.array(lane.daily_returns))[0],
    )


def _armable(snapshot: Snapshot, cap: float) -> bool:
    """Whether a symbol may arm today: a complete snapshot, volatility at most at the cap."""
    return not snapshot.incomplete and snapshot.atr_percentile <= cap
