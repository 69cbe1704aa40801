"""The advisor's own engine on the same bars: its compiled pass alone, and a whole replay.

`engine` takes a desk through the sessions laid end to end, as every combination of a sweep, and
keeps fills and trades; `replay` prepares each session besides and keeps every cycle row, decision
and fill as a replay does (no ledger on disk).
"""

import sys

from advisor import __version__
from advisor.market import prepare_market
from advisor.replay import replay
from advisor.settings import Settings
from advisor.sweep.work import course_of, snapshots_of
from benchmarks.peer_engines.plain import report
from benchmarks.peers import OPTIONS, request
from quant_core.backtest import premises, run_through
from quant_core.parameters import pack

settings = Settings()
market = prepare_market(request(), settings)
course = course_of(market, settings.stdev, snapshots_of(market), settings)
given = premises(course, settings.stdev)
rules = pack(settings.stdev, settings.risk, settings.fills)


def replayed() -> tuple[int, float]:
    """Trades and profit of the baseline lane."""
    trades = replay(request(), OPTIONS, settings, market, None).main.trades
    return len(trades), sum(trade.pnl for trade in trades)


def engine() -> tuple[int, float]:
    """The same from one pass."""
    book = run_through(course, given, rules, settings.account.start_equity)
    return len(book.trades), sum(book.trades["event"]["pnl"].tolist())


if __name__ == "__main__":
    if sys.argv[1] == "replay":
        report("advisor replay", __version__, replayed, 7)
    else:
        report("advisor engine", __version__, engine, 25)
