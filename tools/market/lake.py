"""The bar lake: accepted bars of many symbols as Parquet files that any tool can read.

Layout: LAKE/timeframe=1min/symbol=SPY/year=2025.parquet, sorted by time, each file complete in
itself (the symbol is also a column), so that `--bars LAKE/timeframe=1min` is an ordinary folder of
bars. Only bars that `quant_core.bars` accepted get in.

Importing is idempotent: a (symbol, start) that is there stays as it is, whatever a later file says
of it, and a file that gains nothing is not touched. A file is written beside its place and moved
there in one step, so that a kill at any moment leaves the old file or the new one, never half of
one; the next import goes on from there. One import runs at a time.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import quote, unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from quant_core.bars import BarSeries
from quant_core.calendar import to_datetime
from quant_core.types import Bar
from tools.errors import BadInput, NoData, Transient
from tools.market.buckets import find_objects, in_bucket
from tools.market.columns import as_arrow
from tools.market.files import MINUTE, read_bars
from tools.market.sheets import PRICES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Timeframe = Literal["1min", "1day"]

_EPOCH = date(1970, 1, 1)
_DAY = 1440 * MINUTE
_EVER = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of a symbol's bars: `differing` of the `known` ones had other values."""

    symbol: str
    added: int
    known: int
    differing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What the lake holds of a symbol; `first` and `last` are starts of bars."""

    symbol: str
    bars: int
    sessions: int
    first: datetime
    last: datetime


def import_bars(lake: Path, bars: Iterable[BarSeries], timeframe: Timeframe) -> list[Imported]:
    """Add bars that the lake does not have; Transient while another import is running."""
    with _alone(lake):
        return [_import_symbol(lake, series, timeframe) for series in bars]


def holdings(lake: Path, timeframe: Timeframe) -> list[Holding]:
    """What the lake holds, by symbol; NoData when there is nothing."""
    rows = _query(
        lake,
        timeframe,
        "symbol=*",
        """
        select symbol, count(*), count(distinct epoch_us(timestamp) // 86400000000),
               min(epoch_us(timestamp)), max(epoch_us(timestamp))
        from {bars} group by symbol order by symbol
        """,
    )
    return [
        Holding(
            symbol=symbol,
            bars=count,
            sessions=sessions,
            first=to_datetime(first // MINUTE),
            last=to_datetime(last // MINUTE),
        )
        for symbol, count, sessions, first, last in rows
    ]


def stored_bars(
    lake: Path,
    timeframe: Timeframe,
    symbol: str,
    *,
    first: date | None = None,
    last: date | None = None,
    limit: int | None = None,
) -> list[Bar]:
    """Bars of a symbol by time, from one session date to another (both included).

    With `limit`, the latest ones. NoData when there are none.
    """
    # A regular session lies within one UTC day, so its New York date is its UTC date.
    rows = _query(
        lake,
        timeframe,
        _folder(symbol),
        """
        select epoch_us(timestamp), open, high, low, close, volume from {bars}
        where epoch_us(timestamp) >= $low and epoch_us(timestamp) < $high
        order by timestamp desc limit $limit
        """,
        low=-_EVER if first is None else (first - _EPOCH).days * _DAY,
        high=_EVER if last is None else ((last - _EPOCH).days + 1) * _DAY,
        limit=_EVER if limit is None else limit,
    )
    if not rows:
        raise NoData(
            f"the lake {lake} has no {timeframe} bars of {symbol} from {first or 'the start'} to "
            f"{last or 'the end'}; `advisor data show` lists what it has"
        )
    return [
        Bar(
            symbol=symbol,
            start=to_datetime(start // MINUTE),
            **dict(zip(PRICES, values, strict=True)),
        )
        for start, *values in reversed(rows)
    ]


def _query(lake: Path, timeframe: Timeframe, folders: str, sql: str, **values: int) -> list[Any]:
    """The answer of DuckDB, in memory, over the Parquet files of some symbol folders."""
    import duckdb

    if in_bucket(lake):
        return _query_bucket(lake, timeframe, folders, sql, **values)
    if not lake.is_dir():
        raise BadInput(f"there is no lake at {lake}; make one with `advisor data import`")
    files = sorted(str(path) for path in lake.glob(f"timeframe={timeframe}/{folders}/*.parquet"))
    if not files:
        what = "" if "*" in folders else f" of {unquote(folders.removeprefix('symbol='))}"
        raise NoData(f"the lake {lake} has no {timeframe} bars{what}")
    try:
        with duckdb.connect() as connection:
            asked = sql.format(bars="read_parquet($files)")
            return connection.execute(asked, {"files": files, **values}).fetchall()
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise BadInput(f"the lake {lake} has a file that cannot be read: {reason}") from error


def _query_bucket(
    lake: Path, timeframe: Timeframe, folders: str, sql: str, **values: int
) -> list[Any]:
    """The same over the objects of a bucket, of which only what is asked for is fetched."""
    import duckdb
    import pyarrow.dataset as pa_dataset

    place, mark, query = str(lake).partition("?")
    below = f"{place}/timeframe={timeframe}" + ("" if "*" in folders else f"/{folders}")
    bucket, files = find_objects(Path(f"{below}{mark}{query}"))
    with duckdb.connect() as connection:
        names = [str(file) for file in files]
        connection.register("bars", pa_dataset.dataset(names, filesystem=bucket))
        return connection.execute(sql.format(bars="bars"), values).fetchall()


def _folder(symbol: str) -> str:
    return f"symbol={quote(symbol, safe='')}"


@contextmanager
def _alone(lake: Path) -> Iterator[None]:
    """The lake for one import at a time; the system drops the lock if the process dies."""
    try:
        lake.mkdir(parents=True, exist_ok=True)
        with (lake / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Transient(
                    f"another import is writing to {lake}; run this one again when it has ended"
                ) from error
            yield
    except OSError as error:
        raise BadInput(f"the lake {lake} cannot be written: {error.strerror}") from error


def _import_symbol(lake: Path, bars: BarSeries, timeframe: Timeframe) -> Imported:
    """Merge a symbol's bars into its files, one for each year."""
    added = known = differing = 0
    for name, part in by_year(bars, timeframe):
        gained, different = _merge(lake / name, part)
        added += gained
        known += len(part.start) - gained
        differing += different
    return Imported(symbol=bars.symbol, added=added, known=known, differing=differing)


def by_year(bars: BarSeries, timeframe: Timeframe) -> Iterator[tuple[str, BarSeries]]:
    """The names of the files, below the lake, that a symbol's bars belong into."""
    folder = f"timeframe={timeframe}/{_folder(bars.symbol)}"
    years = bars.start.astype("datetime64[m]").astype("datetime64[Y]").astype(np.int64) + 1970
    for year in np.unique(years).tolist():
        low, high = np.searchsorted(years, [year, year + 1]).tolist()
        yield f"{folder}/year={year}.parquet", bars.part(slice(low, high))


class Merged(NamedTuple):
    """A file's columns after new bars joined it: starts in microseconds, and what was new."""

    start: Ints
    values: dict[str, Floats]
    added: int
    differing: int


def merged(stored: tuple[Ints, dict[str, Floats]] | None, bars: BarSeries) -> Merged:
    """Add the bars whose start is not there; one that is there stays as it is."""
    start = bars.start * MINUTE
    values = {name: getattr(bars, name) for name in PRICES}
    if stored is None:
        return Merged(start, values, len(start), 0)
    old_start, old_values = stored
    place = np.minimum(np.searchsorted(old_start, start), len(old_start) - 1)
    known = old_start[place] == start
    same = np.logical_and.reduce([old_values[n][place] == values[n] for n in PRICES])
    joined = np.concatenate([old_start, start[~known]])
    order = np.argsort(joined, kind="stable")
    return Merged(
        joined[order],
        {n: np.concatenate([old_values[n], values[n][~known]])[order] for n in PRICES},
        len(joined) - len(old_start),
        int(np.count_nonzero(known & ~same)),
    )


def _merge(path: Path, bars: BarSeries) -> tuple[int, int]:
    """Add to a file the bars whose start it does not have: (added, known but different)."""
    stored = None
    if path.exists():
        found = read_bars([path], [bars.symbol])[bars.symbol]
        stored = found.start, {name: getattr(found, name) for name in PRICES}
    both = merged(stored, bars)
    if both.added:
        _write(path, as_table(bars.symbol, both.start, both.values))
    return both.added, both.differing


def as_table(symbol: str, start: Ints, values: dict[str, Floats]) -> pa.Table:
    """A file of the lake."""
    return pa.table(
        {
            "symbol": pa.DictionaryArray.from_arrays(
                as_arrow(np.zeros(len(start), np.int32)), pa.array([symbol], pa.string())
            ),
            "timestamp": as_arrow(start).cast(pa.timestamp("us", "UTC")),
            **{name: as_arrow(values[name]) for name in PRICES},
        }
    )


def _write(path: Path, table: pa.Table) -> None:
    """Put a whole file in its place in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")  # a name that no reader takes for a bar file
    with beside.open("wb") as stream:
        pq.write_table(table, stream, compression="zstd")
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(beside, path)
