"""The ledger on a real PostgreSQL, and bars into the lake: what `make bench` says of both.

The server is pgserver's, on this machine and through a socket file: what a network adds is not in
the figures. Without pgserver they are left out and named.
"""

import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.figure import Figure
from benchmarks.fresh import measured
from quant_core.bars import BarSeries
from quant_core.calendar import to_minute
from quant_core.cycles import CycleRows
from tools.market.lake import import_bars
from tools.store import Store

OPEN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
BARS, YEARS = 2_500_000, 10


def figures() -> Iterator[Figure]:
    """Every figure, from a fresh process."""
    found = measured("benchmarks.databases")
    yield Figure("lake: 2.5 million bars imported", found["lake"], "s", "≤ 60")
    if "cycle" not in found:
        print("no pgserver: the PostgreSQL rows are left out", file=sys.stderr)
        return
    yield Figure("PostgreSQL: a live cycle of 30 symbols, committed", found["cycle"], "ms", "≤ 10")
    yield Figure("PostgreSQL: a session of one symbol, 390 rows", found["session"], "ms", "≤ 20")
    yield Figure("PostgreSQL: 100,000 minute rows in one commit", found["import"], "s", "≤ 5")


def _inside() -> dict[str, float]:
    found = {"lake": _lake()}
    if find_spec("pgserver") is None:
        return found
    import pgserver

    with tempfile.TemporaryDirectory(prefix="advisor-postgresql-") as folder:
        server = pgserver.get_server(folder, cleanup_mode="delete")
        with Store.open(server.get_uri()) as store:
            found["cycle"] = 1000 * _committed(store, symbols=30, minutes=1, times=100)
            found["session"] = 1000 * _committed(store, symbols=1, minutes=390, times=20)
            found["import"] = _committed(store, symbols=20, minutes=5_000, times=1)
        server.cleanup()
    return found


def _committed(store: Store, *, symbols: int, minutes: int, times: int) -> float:
    """Median seconds of a commit of so many rows, with a checkpoint of 20 kB."""
    run = f"{symbols}x{minutes}"
    store.start_run(run, kind="live", config_hash="c", code_version="b", config_json="{}")
    took = []
    for number in range(times):
        rows = _rows(OPEN + timedelta(minutes=number * minutes), symbols, minutes)
        started = perf_counter()
        store.commit_cycle(run, "advised", rows, [], b"x" * 20_000)
        took.append(perf_counter() - started)
    return statistics.median(took)


def _rows(first: datetime, symbols: int, minutes: int) -> CycleRows:
    count = symbols * minutes
    wave = np.random.default_rng(7).normal(0.0, 1.0, count)
    return CycleRows(
        symbols=tuple(f"S{number:02}" for number in range(symbols)),
        minute=np.repeat(np.arange(minutes) + to_minute(first), symbols).astype(np.int64),
        symbol=np.tile(np.arange(symbols), minutes).astype(np.int16),
        close=100.0 + wave, mean=np.full(count, 100.0), deviation=np.full(count, 0.7), z=wave,
        ready=np.ones(count, np.bool_), htf_trend=np.zeros(count, np.int8),
        state=np.zeros(count, np.int8), side=np.zeros(count, np.int8),
    )  # fmt: skip


def _lake() -> float:
    """Seconds to import BARS bars of ten symbols, each over YEARS years, into an empty lake."""
    count = BARS // 10
    start = to_minute(OPEN) - np.arange(count, 0, -1) * (YEARS * 525_960 // count)
    price = 100.0 + np.random.default_rng(7).normal(0.0, 0.01, count).cumsum()
    bars = BarSeries(
        symbol="S0", start=start, end=start + 1, session=np.zeros(count, np.int64), open=price,
        high=price + 0.1, low=price - 0.1, close=price, volume=np.full(count, 1000.0),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        started = perf_counter()
        import_bars(Path(folder), [replace(bars, symbol=f"S{n}") for n in range(10)], "1min")
        return perf_counter() - started


if __name__ == "__main__":
    if "--inside" in sys.argv:
        print(json.dumps(_inside()))
    else:
        for row in figures():
            print(f"{row.name}: {row.value:,.3g} {row.unit} (target {row.target})")
