"""`make bench-peers`: the `stdev` playbook on the same SPY bars in other engines, as ratios.

Every engine runs in a process of its own, from bars that it holds in its own form: once to compile
and warm, then several times; the median of processor time counts, beside the peak memory. All get
the same band, ATR, trend and entry window, so what is compared is the loop over the minutes, the
orders and the fills. The engines differ in what they can express (DIFFERENCES), so trades and
profit stand beside the times: an engine that does less is not faster. An engine that is not
installed is left out by name. `ADVISOR_PEERS_PYTHON` names the interpreter that has them.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from advisor.bootstrap import ReplayOptions
from advisor.market import Market, MarketRequest, prepare_market
from advisor.session import trading_day
from advisor.settings import Settings
from benchmarks.run import DATA, ROOT
from quant_core.types import Snapshot

PYTHON = Path(os.environ.get("ADVISOR_PEERS_PYTHON", ROOT / ".venv-peers" / "bin" / "python"))
ENGINES = Path(__file__).parent / "peer_engines"
OPTIONS = ReplayOptions(analyst="none", validation="off")
PEERS = {
    "vectorbt": "vectorbt_run.py",
    "backtesting": "backtesting_run.py",
    "nautilus_trader": "nautilus_run.py",
}
DIFFERENCES = {
    "advisor engine": "the reference: all risk checks, volume cap, trailing stop, marks by minute",
    "advisor replay": "the same trades, and every cycle row, decision and fill kept",
    "vectorbt": "brackets from the bar after the entry; the stop before the end of the day; "
    "targets slip too; size from the starting equity; no risk checks, volume cap or trailing stop",
    "backtesting.py": "slips on entries only; no risk checks, volume cap or trailing stop",
    "NautilusTrader": "fills at the trigger bar's close instead of the next open, no slippage; "
    "prices to 1e-4; every order is an event; no risk checks of ours, volume cap or trailing stop",
}


def request(data: Path = DATA) -> MarketRequest:
    """Ten months of SPY: 82,290 minutes in 211 sessions."""
    return MarketRequest(
        bars=(data / "bars" / "1min" / "us-2024",),
        daily=data / "bars" / "1day" / "us-2024-2026",
        first=date(2024, 3, 26), last=date(2025, 1, 31), symbols=("SPY",),
    )  # fmt: skip


def columns(market: Market, settings: Settings) -> dict[str, np.ndarray]:
    """One symbol's sessions end to end as the peers' scripts read them; arrays of shape (bars,)."""
    days = list(_days(market, settings))
    found = {name: np.concatenate([day[name] for day in days]) for name in days[0]}
    return {name: np.ascontiguousarray(values) for name, values in found.items()}


def _days(market: Market, settings: Settings) -> Iterator[dict[str, np.ndarray]]:
    for session in market.sessions:
        day = trading_day(market, session, settings)
        rows = np.flatnonzero(day.grid.present[:, 0])
        snapshot, clock = day.snapshots[0], day.clock[0]
        yield {
            **{
                name: getattr(day.grid, name)[rows, 0]
                for name in ("open", "high", "low", "close", "volume", "z", "atr_5m")
            },
            "row": rows - rows[0],
            "minute": rows + session.open,
            "in_window": (rows >= clock["entry_from"]) & (rows < clock["entry_until"]),
            "last_before_flat": rows == clock["flat_from"] - 1,
            "trend": np.full(len(rows), snapshot.htf_trend),
            "armable": np.full(len(rows), armable(snapshot, settings)),
        }


def armable(snapshot: Snapshot, settings: Settings) -> bool:
    """Whether a symbol may arm today."""
    cap = settings.stdev.atr_percentile_cap
    return not snapshot.incomplete and snapshot.atr_percentile <= cap


def measured(command: list[str]) -> dict[str, Any] | str:
    """What an engine's script printed last, or why it did not run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    except OSError as error:
        return str(error)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["it failed"])[-1]
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def engines(path: Path) -> Iterator[tuple[str, dict[str, Any] | str]]:
    """Every engine's figures on the columns in a file, or why there are none; ours first."""
    for part in ("engine", "replay"):
        command = [sys.executable, "-m", "benchmarks.peer_engines.advisor_run", part]
        yield f"advisor {part}", measured(command)
    for name, script in PEERS.items():
        yield name, measured([str(PYTHON), str(ENGINES / script), str(path)])


def main() -> None:
    """Measure, print the table, write `benchmarks/peers.json`."""
    if not DATA.is_dir():
        raise SystemExit(f"no recorded bars at {DATA}: set ADVISOR_TEST_DATA")
    if not PYTHON.exists():
        raise SystemExit(f"no interpreter at {PYTHON}: `make bench-peers` sets it up")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "columns.npz"
        prepared = columns(prepare_market(request(), Settings()), Settings())
        np.savez(path, **prepared)
        found = dict(engines(path))
    reference = found["advisor engine"]
    if isinstance(reference, str):
        raise SystemExit(f"the advisor's own run failed: {reference}")
    count = len(prepared["close"])
    screen = Console(width=120)
    screen.print(
        f"stdev on {count:,} bars of SPY, {request().first} to {request().last}; "
        "a process each, compiled and warm, median processor time"
    )
    screen.print(_table(found, reference, count))
    for name, words in DIFFERENCES.items():
        screen.print(f"  {name}: {words}")
    results = {"bars": count, "engines": found, "differences": DIFFERENCES}
    (ROOT / "benchmarks" / "peers.json").write_text(json.dumps(results, indent=2) + "\n")
    print("written to benchmarks/peers.json")


def _table(found: dict[str, dict[str, Any] | str], reference: dict[str, Any], count: int) -> Table:
    table = Table("engine", box=None)
    for name in ("ms", "ratio", "bars/s", "first run s", "MB", "trades", "profit $"):
        table.add_column(name, justify="right")
    for name, one in found.items():
        if isinstance(one, str):
            table.add_row(f"{name}: left out, {one}")
            continue
        table.add_row(
            f"{one['engine']} {one['version']}", f"{1e3 * one['seconds']:,.2f}",
            f"{one['seconds'] / reference['seconds']:,.1f}", f"{count / one['seconds']:,.0f}",
            f"{one['first']:.2f}", f"{one['memory']:,.0f}", f"{one['trades']:,}",
            f"{one['profit']:+,.2f}",
        )  # fmt: skip
    return table


if __name__ == "__main__":
    main()
