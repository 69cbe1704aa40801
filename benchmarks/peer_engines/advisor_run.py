"""The advisor's own engine on the same bars: its compiled loop alone, and a whole replay.

`engine` takes a desk through prepared sessions and keeps the trades; `replay` prepares each
session besides and keeps every cycle row, decision and fill as a replay does (no ledger on disk).
"""

import sys

import numpy as np

from advisor import __version__
from advisor.lanes import TradingDay
from advisor.market import prepare_market
from advisor.replay import replay
from advisor.session import trading_day
from advisor.settings import Settings
from benchmarks.peer_engines.plain import report
from benchmarks.peers import OPTIONS, armable, request
from quant_core.desk import Desk
from quant_core.engine import DONE, advance, open_session
from quant_core.events import TRADE, EventLog
from quant_core.parameters import pack

settings = Settings()
market = prepare_market(request(), settings)
days = [trading_day(market, session, settings) for session in market.sessions]
rules = pack(settings.stdev, settings.risk, settings.fills)


def replayed() -> tuple[int, float]:
    """Trades and profit of the baseline lane."""
    trades = replay(request(), OPTIONS, settings, market, None).main.trades
    return len(trades), sum(trade.pnl for trade in trades)


def engine() -> tuple[int, float]:
    """The same from the engine's own log."""
    desk, log = Desk.new(1, settings.account.start_equity), EventLog.with_room_for(1)
    profits = [profit for day in days for profit in _session(desk, log, day)]
    return len(profits), sum(profits)


def _session(desk: Desk, log: EventLog, day: TradingDay) -> list[float]:
    snapshot = day.snapshots[0]
    open_session(
        desk, np.array([snapshot.htf_trend]), np.array([armable(snapshot, settings)]),
        np.array([snapshot.average_volume]), np.nan,
    )  # fmt: skip
    states = np.zeros(day.grid.present.shape, np.int8)
    sides = np.zeros_like(states)
    found: list[float] = []
    row, outcome = 0, -1
    while outcome != DONE:
        outcome, row, _ = advance(
            desk, day.grid, day.clock, rules, log, states, sides, row, day.session.minutes
        )
        events = log.events[: log.used[0]]
        found += events["pnl"][events["kind"] == TRADE].tolist()
        log.used[0] = 0
    return found


if __name__ == "__main__":
    if sys.argv[1] == "replay":
        report("advisor replay", __version__, replayed, 7)
    else:
        report("advisor engine", __version__, engine, 25)
