"""January 2025, replayed once: nine symbols, rules analyst and validation, ledger, exports."""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd

from advisor.bootstrap import ReplayOptions
from advisor.exports import write_exports
from advisor.market import MarketRequest, prepare_market
from advisor.replay import replay
from advisor.settings import Settings
from advisor.summary import summarise
from tools.store.dialect import LEDGER_FILE as LEDGER
from tools.store.store import Store
from tools.toolbox import Toolbox

SYMBOLS = ("SPY", "NVDA", "AAPL", "MSFT", "AMD", "META", "AMZN", "INTC", "SNOW")
END = datetime(2025, 1, 31, 21, 1, tzinfo=UTC)
NEW_YORK = "America/New_York"


@dataclass(frozen=True)
class January:
    """The folder of the run, its run id, and its tables as plain pandas."""

    folder: Path
    run_id: str
    tables: dict[str, pd.DataFrame]

    def box(self, store: Store, as_of: datetime = END) -> Toolbox:
        return Toolbox(store, self.run_id, as_of)


def replayed(market_data: Path, folder: Path) -> January:
    settings = Settings()
    request = MarketRequest(
        bars=(market_data / "bars" / "1min" / "us-2025-01",),
        daily=market_data / "bars" / "1day" / "us-2024-2026",
        first=date(2025, 1, 2),
        last=date(2025, 1, 31),
        symbols=SYMBOLS,
    )
    options = ReplayOptions(analyst="rules", validation="rules")
    result = replay(request, options, settings, prepare_market(request, settings), folder)
    write_exports(result, summarise(result, settings), folder)
    return January(folder, result.run_id, tables(folder))


def tables(folder: Path) -> dict[str, pd.DataFrame]:
    """What the program wrote, read by pandas and sqlite3 alone."""
    places = {"trades": folder} | {
        lane: folder / "lanes" / lane for lane in ("baseline", "placebo")
    }
    found = {name: _trades(place / "trades.parquet") for name, place in places.items()}
    found["signals"] = _timed(pd.read_parquet(folder / "signals.parquet"), "timestamp")
    refused = pd.read_parquet(folder / "rejections.parquet")
    found["skipped"] = _timed(refused[refused["kind"] == "signal"], "timestamp")
    with sqlite3.connect(folder / LEDGER) as ledger:
        for name, table, when in (
            ("verdicts", "trade_signals", "start"),
            ("analyses", "market_analysis", "as_of"),
            ("days", "lane_days", None),
            ("biases", "daily_bias", None),
        ):
            rows = pd.read_sql(f"select * from {table}", ledger)
            lane = "market" if name == "biases" else "advised"
            rows = rows[rows["lane"] == lane]
            found[name] = _timed(rows, when) if when else rows
    ledger.close()
    return found


def _trades(path: Path) -> pd.DataFrame:
    rows = _timed(pd.read_parquet(path), "exit_time")
    for name in ("entry", "exit"):
        rows[name] = rows[f"{name}_time"].dt.tz_convert(NEW_YORK).dt.strftime("%H:%M")
    rows["minutes"] = (rows["exit_time"] - rows["entry_time"]).dt.total_seconds() / 60
    return rows


def _timed(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    local = pd.to_datetime(rows[column], utc=True, format="ISO8601").dt.tz_convert(NEW_YORK)
    return rows.assign(day=local.dt.strftime("%Y-%m-%d"), clock=local.dt.strftime("%H:%M"))
