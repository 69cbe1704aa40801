"""Scenarios measured from inside, one per process: `python -m benchmarks.scenarios NAME DATA`.

Kernels are loaded from their cache by a first run, which is not counted.
"""

import json
import resource
import sys
import tempfile
from datetime import date
from pathlib import Path
from time import perf_counter

from advisor.bootstrap import ReplayOptions
from advisor.demo import demo_market, demo_request
from advisor.market import Market, MarketRequest, prepare_market
from advisor.replay import replay
from advisor.settings import Settings
from benchmarks.run import JANUARY


def _timed(request: MarketRequest, options: ReplayOptions, market: Market, ledger: bool) -> float:
    with tempfile.TemporaryDirectory() as folder:
        started = perf_counter()
        replay(request, options, Settings(), market, Path(folder) if ledger else None)
        return perf_counter() - started


def session() -> dict[str, float]:
    """The demo's session: three lanes, ledger on."""
    request = demo_request()
    market = demo_market(request, Settings())
    options = ReplayOptions(analyst="rules", validation="rules")
    _timed(request, options, market, ledger=True)
    return {"seconds": _timed(request, options, market, ledger=True)}


def january(data: Path, *, ledger: bool) -> dict[str, float]:
    """January 2025, baseline lane: accepted session bars replayed a second, and peak memory."""
    request = MarketRequest(
        bars=(data / "bars" / "1min" / "us-2025-01",),
        daily=data / "bars" / "1day" / "us-2024-2026",
        first=date(2025, 1, 2), last=date(2025, 1, 31), symbols=JANUARY,
    )  # fmt: skip
    market = prepare_market(request, Settings())
    options = ReplayOptions(analyst="none", validation="off")
    _timed(request, options, market, ledger)
    seconds = _timed(request, options, market, ledger)
    bars = sum(len(track.bars) for track in market.tracks)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"rate": bars / seconds, "memory": memory}


def main() -> None:
    """Run the named scenario and print its figures as JSON."""
    name, data = sys.argv[1], Path(sys.argv[2])
    ledger = name == "january-ledger"
    figures = session() if name == "session" else january(data, ledger=ledger)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
