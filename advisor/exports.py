"""The exported files of a replay: a stable interface, column by column.

`cycles`, `signals` and `trades` describe the first lane (advised, or the baseline when there is no
analyst); the other lanes have the same files under `lanes/<name>/`. Times are UTC starts of bars.
The same result gives the same bytes. Each file appears whole or not at all.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from advisor.results import LaneResult, ReplayResult
from quant_core.cycles import STATES
from quant_core.types import Decision, OrderRejection, Trade

_TIME = pa.timestamp("us", tz="UTC")
SIDES = {1: "long", -1: "short"}

CYCLES = pa.schema(
    [
        ("symbol", pa.string()), ("timestamp", _TIME), ("close", pa.float64()),
        ("mu", pa.float64()), ("sigma", pa.float64()), ("z", pa.float64()),
        ("ready", pa.bool_()), ("htf_trend", pa.int8()), ("state", pa.string()),
        ("side", pa.int8()),
    ]
)  # fmt: skip
SIGNALS = pa.schema(
    [
        ("symbol", pa.string()), ("timestamp", _TIME), ("setup", pa.string()),
        ("side", pa.string()), ("price", pa.float64()), ("stop", pa.float64()),
        ("target", pa.float64()), ("z", pa.float64()),
    ]
)  # fmt: skip
TRADES = pa.schema(
    [
        ("symbol", pa.string()), ("setup", pa.string()), ("side", pa.string()),
        ("qty", pa.int64()), ("entry_time", _TIME), ("entry_price", pa.float64()),
        ("exit_time", _TIME), ("exit_price", pa.float64()), ("exit_reason", pa.string()),
        ("pnl", pa.float64()), ("fees", pa.float64()),
    ]
)  # fmt: skip
REJECTIONS = pa.schema(
    [
        ("kind", pa.string()), ("symbol", pa.string()), ("timestamp", _TIME),
        ("reason", pa.string()), ("value", pa.string()), ("file", pa.string()),
        ("row", pa.int64()),
    ]
)  # fmt: skip


def write_exports(result: ReplayResult, summary: dict[str, Any], folder: Path) -> None:
    """Write every export of a replay into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for lane in result.lanes.values():
        place = folder if lane is result.main else folder / "lanes" / lane.name
        place.mkdir(parents=True, exist_ok=True)
        _write(cycles_table(lane), place / "cycles.parquet")
        _write(signals_table(lane.decisions), place / "signals.parquet")
        _write(trades_table(lane.trades, result.symbols), place / "trades.parquet")
    _write(rejections_table(result), folder / "rejections.parquet")
    write_whole(folder / "summary.json", json.dumps(summary, indent=2, allow_nan=False) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Write a text file that is never seen half-written; an OSError names it."""
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        error.filename = error.filename or str(path)
        raise


def write_trades(trades: Sequence[Trade], symbols: Sequence[str], path: Path) -> None:
    """A `trades.parquet` of its own."""
    _write(trades_table(trades, symbols), path)


def _write(table: pa.Table, path: Path) -> None:
    partial = path.with_name(path.name + ".partial")
    pq.write_table(table, partial, compression="zstd")
    os.replace(partial, path)


def cycles_table(lane: LaneResult) -> pa.Table:
    """One row per symbol and minute, by time, then watchlist order."""
    rows = lane.cycles
    return pa.table(
        [
            _words(rows.symbol, rows.symbols),
            pa.array(rows.minute * 60_000_000, pa.int64()).cast(pa.timestamp("us")).cast(_TIME),
            rows.close, rows.mean, rows.deviation, rows.z, rows.ready, rows.htf_trend,
            _words(rows.state, [str(state) for state in STATES]),
            rows.side,
        ],
        schema=CYCLES,
    )  # fmt: skip


def _words(codes: np.ndarray, words: Sequence[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(codes.astype(np.int32), list(words)).cast(pa.string())


def signals_table(decisions: Sequence[Decision]) -> pa.Table:
    """Every trigger, whatever risk made of it."""
    rows = [
        {
            "symbol": s.symbol, "timestamp": s.start, "setup": str(s.setup),
            "side": SIDES[s.side], "price": s.price, "stop": s.stop, "target": s.target, "z": s.z,
        }
        for s in (decision.signal for decision in decisions)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=SIGNALS)


def trades_table(trades: Sequence[Trade], symbols: Sequence[str]) -> pa.Table:
    """Closed trades by exit time, then watchlist order."""
    rows = [
        {
            "symbol": t.symbol, "setup": str(t.setup), "side": SIDES[t.side], "qty": t.quantity,
            "entry_time": t.entry_time, "entry_price": t.entry_price, "exit_time": t.exit_time,
            "exit_price": t.exit_price, "exit_reason": str(t.exit_reason), "pnl": t.pnl,
            "fees": t.fees,
        }
        for t in sorted(trades, key=lambda t: (t.exit_time, symbols.index(t.symbol)))
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=TRADES)


def rejections_table(result: ReplayResult) -> pa.Table:
    """Rows of bar files, signals and orders that were refused, and why."""
    refused = [
        _signal_rejection(decision)
        for decision in result.main.decisions
        if decision.plan.quantity == 0
    ]
    refused += [_order_rejection(rejection) for rejection in result.main.order_rejections]
    refused += [
        {
            "kind": "news", "symbol": None, "timestamp": None, "reason": one.reason,
            "value": one.value, "file": one.file, "row": one.row,
        }
        for one in (result.news.files.rejections if result.news.files else ())
    ]  # fmt: skip
    decided = pa.Table.from_pylist(refused, schema=REJECTIONS)
    return pa.concat_tables([result.bar_rejections.cast(REJECTIONS), decided])


def _signal_rejection(decision: Decision) -> dict[str, Any]:
    plan = decision.plan
    check = next(check for check in plan.checks if check.name == plan.blocked_by)
    return {
        "kind": "signal", "symbol": decision.signal.symbol, "timestamp": decision.signal.start,
        "reason": plan.blocked_by, "value": f"{check.before:g} against {check.after:g}",
        "file": None, "row": None,
    }  # fmt: skip


def _order_rejection(rejection: OrderRejection) -> dict[str, Any]:
    return {
        "kind": "order", "symbol": rejection.symbol, "timestamp": rejection.start,
        "reason": rejection.reason, "value": f"{rejection.quantity} shares",
        "file": None, "row": None,
    }  # fmt: skip
