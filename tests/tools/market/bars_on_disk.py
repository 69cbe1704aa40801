"""Small bar files in every shape the tests need."""

import csv
import gzip
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from quant_core.bars import BarSeries, RawBars, accept_minutes
from quant_core.calendar import Calendar, xnys

NEW_YORK = ZoneInfo("America/New_York")
Columns = Mapping[str, Any]


def session_minutes(day: date = date(2025, 1, 2), count: int = 5) -> list[datetime]:
    """The first minutes of a session, aware, in New York time."""
    opening = datetime(day.year, day.month, day.day, 9, 30, tzinfo=NEW_YORK)
    return [(opening + timedelta(minutes=i)) for i in range(count)]


def prices(count: int = 5, base: float = 100.0) -> dict[str, list[float]]:
    """Sound prices and volumes, different in every row."""
    opens = [base + i for i in range(count)]
    return {
        "open": opens,
        "high": [value + 2 for value in opens],
        "low": [value - 1 for value in opens],
        "close": [value + 1 for value in opens],
        "volume": [1000.0 + i for i in range(count)],
    }


def micros(moments: Sequence[datetime]) -> list[int]:
    """Instants as microseconds since the epoch."""
    return [round(moment.timestamp() * 1_000_000) for moment in moments]


def utc(moments: Sequence[datetime]) -> list[str]:
    """Instants as ISO text in UTC."""
    return [moment.astimezone(UTC).isoformat() for moment in moments]


def csv_text(columns: Columns, delimiter: str = ",") -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return stream.getvalue()


def write_csv(path: Path, columns: Columns) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = csv_text(columns).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_parquet(path: Path, columns: Columns, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(columns)), path, **options)
    return path


def write_session(
    path: Path, day: date = date(2025, 1, 2), count: int = 390, base: float = 100.0, **more: Any
) -> Path:
    """A Parquet file with the first minutes of a session."""
    stamps = pa.array(micros(session_minutes(day, count)), pa.timestamp("us", "UTC"))
    return write_parquet(path, {"timestamp": stamps, **prices(count, base), **more})


def raw_bars(
    start: Sequence[int], symbol: str = "SPY", files: tuple[str, ...] = ("a.csv",), **values: Any
) -> RawBars:
    """Rows in memory: sound ones, but for the values given."""
    count = len(start)
    sound = {name: np.array(column, np.float64) for name, column in prices(count).items()}
    sound |= {name: np.array(column, np.float64) for name, column in values.items()}
    return RawBars(
        symbol=symbol,
        start=np.array(start, np.int64),
        file=np.zeros(count, np.int64),
        row=np.arange(1, count + 1),
        files=files,
        **sound,
    )


def calendar() -> Calendar:
    return xnys(2024, 2026)


def accepted(
    day: date = date(2025, 1, 2), count: int = 390, symbol: str = "SPY", **values: Any
) -> BarSeries:
    """Accepted bars of the first minutes of a session."""
    return accept_minutes(
        raw_bars(micros(session_minutes(day, count)), symbol, **values), calendar()
    )[0]
