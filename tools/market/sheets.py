"""One bar file as a table under canonical column names; every way in which a file can be unusable.

Parquet and CSV (plain or gzipped, comma, semicolon or tab) are told apart by their suffix. Columns
are found by what the user mapped, else by the names that are common in the field. Only the needed
columns are read, and of a Parquet file only the row groups whose statistics allow for a requested
symbol; row numbers stay those of the whole file. CSV values stay text here, because what is not a
number or not a time is judged further on, row by row.
"""

import csv
import gzip
import os
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tools.errors import BadInput, NoData
from tools.market.buckets import find_objects, in_bucket

Ints = NDArray[np.int64]
Symbols = frozenset[str] | None

PRICES = ("open", "high", "low", "close", "volume")
COLUMNS = ("symbol", "timestamp", *PRICES)
# In order of preference; a plus joins a date and a time of day.
_ALIASES = {
    "symbol": ("symbol", "ticker", "sym", "instrument"),
    "timestamp": (
        *("timestamp", "datetime", "date_time", "ts", "window_start", "start", "t"),
        *("date+time", "date", "time"),
    ),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v"),
}
_SUFFIXES = (".parquet", ".csv", ".csv.gz")


@dataclass(frozen=True, slots=True)
class BarFile:
    """A file and the name by which the user knows it; `bucket` is the client of one in S3."""

    path: Path
    name: str
    bucket: Any = None

    @property
    def symbol(self) -> str:
        """The file name without its suffix, in capitals: the symbol, when no column says it."""
        name = self.path.name
        suffix = next(s for s in _SUFFIXES if name.lower().endswith(s))
        return name[: -len(suffix)].upper()

    @property
    def is_parquet(self) -> bool:
        """Whether the suffix says Parquet; otherwise it is CSV."""
        return self.path.name.lower().endswith(".parquet")

    @property
    def is_gzip(self) -> bool:
        """Whether the suffix says compressed CSV."""
        return self.path.name.lower().endswith(".gz")


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows of a file that may be of interest.

    `table` has the canonical columns but for `symbol` when all rows are of the one `symbol`;
    `rows` are their 1-based numbers in the file, shape (rows,).
    """

    file: BarFile
    symbol: str | None
    table: pa.Table
    rows: Ints


def find_files(sources: Iterable[Path]) -> list[BarFile]:
    """The bar files of files and folders: folders as given, their files by path."""
    found = []
    for source in sources:
        if in_bucket(source):
            bucket, paths = find_objects(source)
            found += [BarFile(path, f"s3://{path}", bucket) for path in paths]
        elif source.is_dir():
            inside = sorted(
                Path(folder) / name
                for folder, _, names in os.walk(source)
                for name in names
                if name.lower().endswith(_SUFFIXES) and not name.startswith(".")
            )
            if not inside:
                raise NoData(f"folder {source} holds no .parquet, .csv or .csv.gz file")
            found += [BarFile(path, str(path)) for path in inside]
        elif not source.exists():
            raise BadInput(f"{source} does not exist; name a file or a folder of bars")
        elif not source.name.lower().endswith(_SUFFIXES):
            raise BadInput(f"{source} is no bar file; it must end in .parquet, .csv or .csv.gz")
        else:
            found.append(BarFile(source, str(source)))
    return found


def read_sheet(file: BarFile, columns: Mapping[str, str], wanted: Symbols) -> Sheet | None:
    """The rows of a file that may be of the wanted symbols (None: all), or None without any."""
    try:
        if file.is_parquet:
            return _read_parquet(file, columns, wanted)
        return _read_csv(file, columns, wanted)
    except (pa.ArrowException, OSError, EOFError, zlib.error, UnicodeError, csv.Error) as error:
        kind = "Parquet" if file.is_parquet else "CSV"
        reason = str(error).splitlines()[0].strip(" .") if str(error) else type(error).__name__
        raise BadInput(f"cannot be read as {kind}: {reason}", file=file.name) from error


def locate(
    names: Sequence[str], columns: Mapping[str, str], file: BarFile
) -> dict[str, tuple[str, ...]]:
    """Canonical name → name(s) in the file: two for a date and a time of day that go together."""
    found = {
        canonical: _mapped(canonical, columns[canonical], names, file)
        if canonical in columns
        else _recognised(canonical, names, file)
        for canonical in COLUMNS
    }
    missing = [name for name in COLUMNS[1:] if not found[name]]
    if missing:
        raise BadInput(
            f"has no column for {', '.join(missing)}; it has {_listed(names)}; "
            f"name it in the settings, bars.columns = {{{missing[0]} = 'NAME'}} "
            f"(`advisor data` also takes --map {missing[0]}=NAME)",
            file=file.name,
        )
    return {canonical: named for canonical, named in found.items() if named}


def _mapped(canonical: str, name: str, names: Sequence[str], file: BarFile) -> tuple[str, ...]:
    if names.count(name) == 1:
        return (name,)
    raise BadInput(
        f"has no single column {name!r}, which the options name for {canonical}; "
        f"it has {_listed(names)}",
        file=file.name,
    )


def _recognised(canonical: str, names: Sequence[str], file: BarFile) -> tuple[str, ...]:
    """The first of the common names that is there; empty when none is."""
    for alias in _ALIASES[canonical]:
        alike = [
            [name for name in names if name.strip().strip("<>").lower() == part]
            for part in alias.split("+")
        ]
        if all(alike):
            double = next((same for same in alike if len(same) > 1), None)
            if double is None:
                return tuple(same[0] for same in alike)
            raise BadInput(
                f"columns {_listed(double)} may both be the {canonical}; rename one, or choose "
                f"with --map {canonical}=NAME",
                file=file.name,
            )
    return ()


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:12])
    return f"{shown}, … ({len(names)} in all)" if len(names) > 12 else shown


def _read_parquet(file: BarFile, columns: Mapping[str, str], wanted: Symbols) -> Sheet | None:
    with pq.ParquetFile(file.path.as_posix(), filesystem=file.bucket) as parquet:
        located = locate(parquet.schema_arrow.names, columns, file)
        sizes = [parquet.metadata.row_group(i).num_rows for i in range(parquet.num_row_groups)]
        symbol: str | None = file.symbol
        kept = list(range(len(sizes)))
        if "symbol" in located:
            ranges = _symbol_ranges(parquet, located["symbol"][0])
            kept = [i for i in kept if _may_hold(ranges[i], wanted)]
            bounds = {bound for i in kept for bound in (ranges[i] or (None,))}
            symbol = bounds.pop() if len(bounds) == 1 else None
        if not kept or (symbol is not None and wanted is not None and symbol not in wanted):
            return None
        if symbol is not None:
            located.pop("symbol", None)
        names = sorted({name for found in located.values() for name in found})
        table = parquet.read_row_groups(kept, columns=names, use_threads=False)
    starts = np.cumsum([0, *sizes])
    rows = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in kept]) + 1
    return Sheet(file, symbol, _canonical(table, located), rows)


def _symbol_ranges(parquet: pq.ParquetFile, name: str) -> list[tuple[str, str] | None]:
    """Smallest and largest symbol of each row group; None where the file does not say."""
    leaves = parquet.metadata.schema.names
    if name not in leaves:
        return [None] * parquet.num_row_groups
    index = leaves.index(name)
    found: list[tuple[str, str] | None] = []
    for group in range(parquet.num_row_groups):
        statistics = parquet.metadata.row_group(group).column(index).statistics
        known = (
            statistics is not None
            and statistics.has_min_max
            and isinstance(statistics.min, str)
            and statistics.null_count == 0
        )
        found.append((statistics.min, statistics.max) if known else None)
    return found


def _may_hold(bounds: tuple[str, str] | None, wanted: Symbols) -> bool:
    if bounds is None or wanted is None:
        return True
    return any(bounds[0] <= symbol <= bounds[1] for symbol in wanted)


def _read_csv(file: BarFile, columns: Mapping[str, str], wanted: Symbols) -> Sheet | None:
    names, delimiter = _csv_header(file)
    located = locate(names, columns, file)
    symbol = None if "symbol" in located else file.symbol
    if symbol is not None and wanted is not None and symbol not in wanted:
        return None
    needed = {name for found in located.values() for name in found}
    table = _csv_rows(file, names, sorted(needed), delimiter)
    return Sheet(
        file, symbol, _canonical(table, located), np.arange(1, table.num_rows + 1, dtype=np.int64)
    )


def _csv_rows(file: BarFile, names: list[str], needed: list[str], delimiter: str) -> pa.Table:
    """The needed columns as text; a row of another width than the header is an error."""
    options = {
        # Threads would lose the number of a ragged row.
        "read_options": pa_csv.ReadOptions(use_threads=False, column_names=names, skip_rows=1),
        "parse_options": pa_csv.ParseOptions(delimiter=delimiter),
        "convert_options": pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            include_columns=needed,
            null_values=[""],  # NA is a symbol, and text that is no number becomes NaN anyway
            strings_can_be_null=True,
        ),
    }
    try:
        with pa.input_stream(file.path, "gzip" if file.is_gzip else None) as stream:
            return pa_csv.read_csv(stream, **options)
    except pa.ArrowInvalid as error:
        # Not by `invalid_row_handler`: it writes to stderr when such a row is not UTF-8.
        ragged = re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", str(error))
        if ragged is None:
            raise
        row, expected, actual = map(int, ragged.groups())
        raise BadInput(
            f"has {actual} values where the header names {expected}; correct the row",
            file=file.name,
            row=row - 1,
        ) from error


def _csv_header(file: BarFile) -> tuple[list[str], str]:
    """Column names and delimiter of a CSV file."""
    opened = gzip.open if file.is_gzip else open
    with opened(file.path, "rt", encoding="utf-8-sig", newline="") as stream:
        line = stream.readline()
    if not line.strip():
        raise BadInput("has nothing in its first line; put the column names there", file=file.name)
    delimiter = max(",;\t", key=line.count)
    return next(csv.reader([line], delimiter=delimiter)), delimiter


def _canonical(table: pa.Table, located: Mapping[str, tuple[str, ...]]) -> pa.Table:
    """The needed columns under their canonical names, each in one piece."""
    arrays = {}
    for canonical, names in located.items():
        pieces = [table.column(name).combine_chunks() for name in names]
        if len(pieces) == 2:
            pieces = [_joined(*pieces)]
        arrays[canonical] = pieces[0]
    return pa.table(arrays)


def _joined(dates: pa.Array, times: pa.Array) -> pa.Array:
    """A date and a time of day as one text."""
    return pc.binary_join_element_wise(dates.cast(pa.string()), times.cast(pa.string()), " ")
