"""`make bench`: what the README's performance table is made from.

Every figure is the median of several runs in fresh processes, measured from outside where a user
would feel it and inside where a rate is stated. Real bars come from ADVISOR_TEST_DATA or
`../shared/data`; without them the rows that need them are left out and named.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.table import Table

from benchmarks import api, beside, chat, databases, features, graphs, handlers, rag, sweeps, ui
from benchmarks.figure import Figure

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("ADVISOR_TEST_DATA", ROOT.parent / "shared" / "data"))
RUNS = 5
JANUARY = ("SPY", "AAPL", "MSFT", "NVDA", "AMD", "META", "AMZN", "INTC", "SNOW")


def timed(command: list[str], **environment: str) -> tuple[float, float]:
    """Wall seconds and peak memory (MB) of a command in a fresh process."""
    probe = (
        "import resource, subprocess, sys, time; t = time.perf_counter(); "
        "code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode; "
        "print(time.perf_counter() - t, "
        "resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, *command],
        capture_output=True, text=True, env={**os.environ, **environment}, cwd=ROOT, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    wall, memory = done.stdout.split()
    return float(wall), float(memory)


def inside(scenario: str) -> dict[str, float]:
    """What a scenario of `benchmarks.scenarios` measured inside a fresh process."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scenarios", scenario, str(DATA)],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"scenario {scenario} failed:\n{done.stderr}")
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def median(scenario: str, key: str) -> float:
    """Median over fresh processes of one figure of a scenario."""
    return statistics.median(inside(scenario)[key] for _ in range(RUNS))


def command_line() -> Iterator[Figure]:
    """What a user waits for at the prompt."""
    advisor = str(Path(sys.executable).parent / "advisor")
    waits = [timed([advisor, "--help"])[0] for _ in range(RUNS)]
    yield Figure("advisor --help", statistics.median(waits), "s", "≤ 0.5")
    with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as out:
        demo = [advisor, "demo", "--fresh", "--out", out]
        first = timed(demo, NUMBA_CACHE_DIR=cache)[0]
        again = [timed(demo, NUMBA_CACHE_DIR=cache) for _ in range(RUNS)]
    cached = statistics.median(wall for wall, _ in again)
    yield Figure("first-run compilation", first - cached, "s", "≤ 10")
    yield Figure(
        "advisor demo, whole process (5 symbols, 3 lanes, ledger, report)", cached, "s", "≤ 60"
    )
    yield Figure("advisor demo, peak memory", max(mb for _, mb in again), "MB", "≤ 500")


def replay() -> Iterator[Figure]:
    """The main job: run time from bars in memory to the result, and from files."""
    yield Figure(
        "one session, 5 symbols, 3 lanes, ledger on", median("session", "seconds"), "s", "≤ 1.5"
    )
    if not DATA.is_dir():
        print("no recorded bars: the January rows are left out", file=sys.stderr)
        return
    yield Figure(
        "January 2025, 9 symbols × 20 sessions, no ledger",
        median("january", "rate"),
        "bars/s",
        "≥ 300,000",
    )
    yield Figure("the same with the ledger", median("january-ledger", "rate"), "bars/s", "≥ 50,000")
    yield Figure("the same, peak memory", inside("january-ledger")["memory"], "MB", "≤ 500")


def main() -> None:
    """Measure, print the table, write `benchmarks/results.json`."""
    started = perf_counter()
    rows = [*command_line(), *replay(), *features.figures(DATA), *sweeps.figures(DATA)]
    rows += [*graphs.figures(), *beside.figures(), *rag.figures(), *api.figures()]
    rows += [*chat.figures(DATA), *ui.figures(), *databases.figures(), *handlers.figures()]
    table = Table("measure", "value", "unit", "target", "met", box=None)
    for row in rows:
        value = f"{row.value:,.0f}" if row.value >= 1000 else f"{row.value:.3g}"
        met = {True: "yes", False: "NO", None: ""}[row.met]
        table.add_row(row.name, value, row.unit, row.target, met)
    Console(width=120).print(table)
    machine = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
    }
    results = {"machine": machine, "rows": [{**row._asdict(), "met": row.met} for row in rows]}
    (ROOT / "benchmarks" / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    print(f"measured in {perf_counter() - started:.0f} s; written to benchmarks/results.json")


if __name__ == "__main__":
    main()
