"""The feature engine's figures: `python -m benchmarks.features`, or `figures()` for `make bench`.

Rates and starts are in processor time on one core, the best of several runs, so that a busy machine
does not decide them; latency is the median over many bars. Starts are whole fresh processes:
interpreter, imports, compilation or loading of the compiled engine, and a first row.
"""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, perf_counter_ns, process_time

import numpy as np

from benchmarks.figure import Figure
from quant_core.bars import BarSeries, accept_minutes
from quant_core.calendar import Calendar
from quant_core.features import FeatureStream, compute
from quant_core.features.engine import WIDTH, advance, new_frames
from tools.market.files import read_bars
from tools.market.inspection import calendar_of

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("ADVISOR_TEST_DATA", ROOT.parent / "shared" / "data"))
RUNS = 7
STREAMED = 20_000

_FIRST_ROW = """
import numpy as np
from quant_core.calendar import Calendar
from quant_core.features import FeatureStream
day = np.array([19_808])
calendar = Calendar(day, day * 1440 + 810, day * 1440 + 1200)
FeatureStream("SPY", "1min", calendar).update(19_808 * 1440 + 810, 1.0, 1.0, 1.0, 1.0, 1.0)
"""


def figures(data: Path = DATA) -> list[Figure]:
    """All figures; those that need recorded bars are left out where there are none."""
    rows = [*_starts()]
    folder = data / "bars" / "1min" / "us-2024"
    if folder.is_dir():
        raw = read_bars([folder], ["SPY"])
        calendar = calendar_of(raw.values())
        bars, _ = accept_minutes(raw["SPY"], calendar)
        rows += [*_batch(bars, calendar), *_streaming(bars, calendar)]
    return rows


def _starts() -> list[Figure]:
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
        seconds = [_processor_seconds(environment) for _ in range(4)]
    return [
        Figure("features: first row, compiling", seconds[0], "s", "< 12"),
        Figure("features: first row, compiled before", min(seconds[1:]), "s", "< 1"),
    ]


def _processor_seconds(environment: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", _FIRST_ROW], env=environment, cwd=ROOT, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _batch(bars: BarSeries, calendar: Calendar) -> list[Figure]:
    one = FeatureStream(bars.symbol, "1min", calendar)
    records = one.records(bars)

    def own_timeframe() -> None:
        frames = new_frames("1min")[:1].copy()
        advance(frames, records, np.empty((len(bars), WIDTH)), np.empty(len(bars), np.uint8))

    def everything() -> None:
        compute(bars, "1min", calendar)

    return [
        Figure(
            f"features: batch, 139 on {len(bars):,} bars of SPY",
            len(bars) / _best(own_timeframe),
            "bars/s",
            "≥ 1,000,000",
        ),
        Figure("features: batch, all 163", len(bars) / _best(everything), "bars/s", "-"),
    ]


def _best(work: Callable[[], None]) -> float:
    seconds = []
    for _ in range(RUNS):
        began = process_time()
        work()
        seconds.append(process_time() - began)
    return min(seconds)


def _streaming(bars: BarSeries, calendar: Calendar) -> list[Figure]:
    names = ("start", "open", "high", "low", "close", "volume")
    rows = list(zip(*(getattr(bars, name)[:STREAMED].tolist() for name in names), strict=True))
    stream, nanoseconds = FeatureStream(bars.symbol, "1min", calendar), []
    for row in rows:
        called = perf_counter_ns()
        stream.update(*row)
        nanoseconds.append(perf_counter_ns() - called)
    before = stream.nbytes
    began = perf_counter()
    rebuilt = FeatureStream.rebuilt(bars, "1min", calendar)
    seconds = perf_counter() - began
    return [
        Figure(
            "features: streaming 163, median", float(np.median(nanoseconds)) / 1e3, "µs", "≤ 20"
        ),
        Figure(
            "features: streaming 163, p99", float(np.quantile(nanoseconds, 0.99)) / 1e3, "µs", "-"
        ),
        Figure(f"features: rebuild from {len(bars):,} bars", seconds * 1e3, "ms", "-"),
        Figure("features: state a symbol", before / 1e3, "kB", "-"),
        Figure("features: its growth over a year", float(rebuilt.nbytes - before), "B", "0"),
    ]


if __name__ == "__main__":
    for figure in figures():
        print(f"{figure.name:45} {figure.value:14,.2f} {figure.unit:7} {figure.target}")
