"""All that a pipeline has said by a moment: its snapshots, cycles, decisions, trades and state.

A run over a market pauses at each moment and is written down there. Two runs that know the same
past must then agree in every row and in the lanes' whole state, whatever lies in the future of
either. The placebo lane is left out: it shuffles a session's advice in time, and so reads the
session's future by design; nothing is traded on it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

from advisor.bootstrap import ReplayOptions, advisers, make_lanes
from advisor.cycle import CycleDependencies, dependencies
from advisor.lanes import Lane, TradingDay
from advisor.market import Market
from advisor.results import LaneResult
from advisor.session import run_day, trading_day
from advisor.settings import Settings
from quant_core.cycles import CycleRows
from quant_core.types import Snapshot

PLACEBO = "placebo"
Leak = Callable[[Market], Market]
_FIGURES = ("name", "start_equity", "cycles", "llm_cost")
_KINDS = tuple(one.name for one in fields(LaneResult) if one.name not in _FIGURES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a run had said by `moment`; `rows` by output, in order, each with its lane's name."""

    moment: int
    snapshots: tuple[Snapshot, ...]
    cycles: dict[str, CycleRows]
    rows: dict[str, tuple[tuple[str, object], ...]]
    states: tuple[tuple[str, bytes], ...]


def observe(
    market: Market, options: ReplayOptions, settings: Settings, moments: Sequence[int]
) -> list[Said]:
    """Run a market, pausing at ascending moments inside its sessions; what was said by each.

    A moment lies in (open, close] of a session; what is due at it has not been asked yet.
    """
    deps = dependencies("lookahead", settings, None)
    found: list[Said] = []
    snapshots: list[Snapshot] = []
    with advisers(options, settings, None, None, deps.run_id) as chosen:
        lanes = tuple(
            lane
            for lane in make_lanes(len(market.symbols), options, settings, chosen)
            if lane.name != PLACEBO
        )
        for session in market.sessions:
            pauses = [moment for moment in moments if session.open < moment <= session.close]
            day = trading_day(market, session, settings)
            snapshots += day.snapshots
            for moment in pauses:
                _run(lanes, day, deps, moment - session.open)
                found.append(_said(moment, lanes, snapshots))
            if len(found) == len(moments):
                break
            _run(lanes, day, deps, session.minutes)
    return found


def _run(lanes: tuple[Lane, ...], day: TradingDay, deps: CycleDependencies, row: int) -> None:
    run_day(lanes, day, deps, lambda _lane, _day: None, until=row)


def _said(moment: int, lanes: tuple[Lane, ...], snapshots: list[Snapshot]) -> Said:
    results = {lane.name: lane.result() for lane in lanes}
    return Said(
        moment=moment,
        snapshots=tuple(snapshots),
        cycles={name: result.cycles for name, result in results.items()},
        rows={
            kind: tuple((name, row) for name, one in results.items() for row in getattr(one, kind))
            for kind in _KINDS
        },
        states=tuple((lane.name, lane.checkpoint()) for lane in lanes),
    )
