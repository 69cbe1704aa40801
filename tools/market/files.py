"""Bar files of many shapes, read into unchecked rows, and the record of the rows that are refused.

This is the only way in for recorded bars. Every row of a requested symbol comes out, in stored
order and with its place (file and row): what a row is worth is decided by `quant_core.bars`, and
a person can find each refused one again. What cannot be a row of bars at all (no such file, no
such column, a time that cannot be read) is one sentence that names the place.

A symbol's files follow one another by their first timestamps, so that two files of a history may
be given in any order.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from quant_core.bars import (
    ACCEPTED,
    BAD_HIGH,
    BAD_LOW,
    BAD_PRICE,
    BAD_VOLUME,
    REASONS,
    RawBars,
)
from tools.errors import BadInput, NoData
from tools.market.columns import as_arrow, as_floats, as_numpy, plain
from tools.market.sheets import COLUMNS, PRICES, BarFile, Sheet, find_files, read_sheet
from tools.market.stamps import Place, utc_micros

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MINUTE = 60_000_000


@dataclass(frozen=True, slots=True)
class BarFormat:
    """What a user may have to say about bar files, because the files do not.

    `columns` maps canonical names to names in the file; `tz` is the IANA zone of naive times;
    `label` says which end of a 1-minute bar its timestamp is.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    tz: str | None = None
    label: Literal["start", "end"] = "start"
    timeframe: Literal["1min", "1day"] = "1min"
    feed: str = "replay"

    def __post_init__(self) -> None:
        """Refuse a zone or a column that does not exist."""
        for name in self.columns:
            if name not in COLUMNS:
                raise BadInput(f"{name} is no column of bars; there are {', '.join(COLUMNS)}")
        self.zone()

    def zone(self) -> ZoneInfo | None:
        """The zone of naive times."""
        if self.tz is None:
            return None
        try:
            return ZoneInfo(self.tz)
        except (KeyError, OSError, ValueError) as error:
            raise BadInput(
                f"{self.tz!r} is no time zone; use an IANA name such as America/New_York or UTC"
            ) from error


AS_STORED = BarFormat()


@dataclass(frozen=True, slots=True)
class _Rows:
    """The wanted rows of one file; `symbol` indexes `symbols`. All arrays have shape (rows,)."""

    file: str
    symbols: tuple[str, ...]
    symbol: Ints
    start: Ints
    values: dict[str, Floats]
    row: Ints


def read_bars(
    sources: Sequence[Path],
    symbols: Sequence[str] | None,
    form: BarFormat = AS_STORED,
    *,
    required: bool = True,
) -> dict[str, RawBars]:
    """All rows of the symbols (None: of every symbol) in files and folders, in stored order.

    A symbol comes from the `symbol` column, else from the file's name (in capitals). The result is
    in the order of `symbols`, else by name. A symbol without rows is NoData when `required`, else
    left out; what cannot be read is BadInput.
    """
    files = find_files(sources)
    wanted = None if symbols is None else frozenset(symbols)
    with ThreadPoolExecutor() as pool:
        read = pool.map(lambda file: _read_file(file, wanted, form), files)
        found = _by_symbol([rows for rows in read if rows is not None], form.feed)
    if symbols is None:
        symbols = list(found)
    missing = [symbol for symbol in symbols if symbol not in found]
    if required and (missing or not found):
        raise NoData(_nothing_found(sources, files, missing, form))
    return {symbol: found[symbol] for symbol in symbols if symbol in found}


def _read_file(file: BarFile, wanted: frozenset[str] | None, form: BarFormat) -> _Rows | None:
    sheet = read_sheet(file, form.columns, wanted)
    if sheet is None:
        return None
    table, rows = sheet.table, sheet.rows
    if sheet.symbol is not None:
        symbols, symbol = [sheet.symbol], np.zeros(len(rows), np.int64)
    else:
        encoded = _symbols(sheet).dictionary_encode()
        symbols, symbol = encoded.dictionary.to_pylist(), as_numpy(encoded.indices)
        if wanted is not None and not wanted.issuperset(symbols):
            known = np.array([name in wanted for name in symbols], np.bool_)
            kept = np.flatnonzero(known[symbol])
            table, rows, symbol = table.take(as_arrow(kept)), rows[kept], symbol[kept]
    if len(rows) == 0:
        return None
    columns = {name: table.column(name).combine_chunks() for name in ("timestamp", *PRICES)}
    daily = form.timeframe == "1day"
    start = utc_micros(columns["timestamp"], Place(file.name, rows), form.zone(), daily)
    return _Rows(
        file=file.name,
        symbols=tuple(symbols),
        symbol=symbol,
        start=start - MINUTE if form.label == "end" and not daily else start,
        values={name: as_floats(columns[name], name, file.name) for name in PRICES},
        row=rows,
    )


def _symbols(sheet: Sheet) -> pa.Array:
    """The symbol of each row."""
    text = plain(sheet.table.column("symbol").combine_chunks())
    if not pa.types.is_string(text.type):
        raise BadInput(f"column symbol holds {text.type}, not text", file=sheet.file.name)
    if text.null_count or pc.min(pc.utf8_length(text)).as_py() == 0:
        nameless = next(i for i, symbol in enumerate(text.to_pylist()) if not symbol)
        raise BadInput(
            "has no symbol; remove the row or fill it in",
            file=sheet.file.name,
            row=int(sheet.rows[nameless]),
        )
    return text


def _by_symbol(read: list[_Rows], feed: str) -> dict[str, RawBars]:
    """Each symbol's rows: file after file by first timestamp, within a file as stored.

    The arrays are copies in any case: Arrow's memory is read-only, and for numba a read-only array
    is another type, for which every kernel would be compiled once more.
    """
    if not read:
        return {}
    names = sorted({name for rows in read for name in rows.symbols})
    number = {name: i for i, name in enumerate(names)}
    numbered = [np.array([number[name] for name in rows.symbols])[rows.symbol] for rows in read]
    symbol = np.concatenate(numbered)
    file = np.repeat(np.arange(len(read)), [len(rows.row) for rows in read])
    start = np.concatenate([rows.start for rows in read])
    block = symbol * len(read) + file
    order = np.argsort(block, kind="stable")
    firsts = np.flatnonzero(np.diff(block[order], prepend=-1))
    lengths = np.diff(firsts, append=len(order))
    by_time = np.lexsort((start[order[firsts]], symbol[order[firsts]]))
    rank = np.empty(len(firsts), np.int64)
    rank[by_time] = np.arange(len(firsts))
    order = order[np.argsort(np.repeat(rank, lengths), kind="stable")]
    columns = {name: np.concatenate([rows.values[name] for rows in read])[order] for name in PRICES}
    columns |= {
        "start": start[order],
        "file": file[order],
        "row": np.concatenate([rows.row for rows in read])[order],
    }
    files = tuple(rows.file for rows in read)
    edges = np.searchsorted(symbol[order], np.arange(len(names) + 1)).tolist()
    return {
        name: RawBars(
            symbol=name,
            feed=feed,
            files=files,
            **{column: values[low:high] for column, values in columns.items()},
        )
        for name, low, high in zip(names, edges[:-1], edges[1:], strict=True)
        if low < high
    }


def _nothing_found(
    sources: Sequence[Path], files: list[BarFile], missing: list[str], form: BarFormat
) -> str:
    """What to tell a person who asked for symbols that are not there."""
    where = ", ".join(str(source) for source in sources)
    if not missing:
        return f"{where} holds no rows of bars"
    there: set[str] = set()
    for file in files[:50]:
        sheet = read_sheet(file, form.columns, None)
        if sheet is not None and sheet.table.num_rows:
            there |= {sheet.symbol} if sheet.symbol else set(_symbols(sheet).unique().to_pylist())
    named = ", ".join(sorted(there)[:12]) + (" …" if len(there) > 12 else "")
    return f"no bars of {', '.join(missing)} in {where}; there are {named or 'no rows at all'}"


def rejection_table(
    raw: RawBars, codes: NDArray[np.int8], kind: Literal["bar", "daily_bar"]
) -> pa.Table:
    """The refused rows of a symbol in stored order: why, with which value, and where they stand.

    `codes` are the reasons of all rows, shape (rows,), as `quant_core.bars` gives them. Columns:
    kind, symbol, timestamp (UTC), reason, value, file, row.
    """
    refused = np.flatnonzero(codes != ACCEPTED)
    reasons = codes[refused]
    texts, places = [pa.nulls(0, pa.string())], [np.empty(0, np.int64)]
    for code in np.unique(reasons):
        places.append(np.flatnonzero(reasons == code))
        texts.append(_offence(raw, refused[places[-1]], int(code)))
    order = np.argsort(np.concatenate(places))
    one = np.zeros(len(refused), np.int64)
    return pa.table(
        {
            "kind": _repeated(one, (kind,)),
            "symbol": _repeated(one, (raw.symbol,)),
            "timestamp": as_arrow(raw.start[refused]).cast(pa.timestamp("us", "UTC")),
            "reason": _repeated(reasons, REASONS),
            "value": pa.concat_arrays(texts).take(as_arrow(order)),
            "file": _repeated(raw.file[refused], raw.files),
            "row": as_arrow(raw.row[refused]),
        }
    )


def _repeated(indices: NDArray[Any], values: tuple[str, ...]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(
        as_arrow(indices.astype(np.int32)), pa.array(values, pa.string())
    )


def _offence(raw: RawBars, rows: Ints, code: int) -> pa.Array:
    """The values for which rows were refused, in words."""

    def text(values: Floats) -> pa.Array:
        return as_arrow(values).cast(pa.string())

    def against(name: str, sign: str, values: Floats, other: Floats, at_open: Bools) -> pa.Array:
        names = pc.if_else(as_arrow(at_open), "open", "close")
        return pc.binary_join_element_wise(name, text(values), sign, names, text(other), " ")

    values: dict[str, Floats] = {name: getattr(raw, name)[rows] for name in PRICES}
    opening, closing = values["open"], values["close"]
    if code == BAD_PRICE:
        bad = {
            name: ~(np.isfinite(v) & ((v > 0) | (name == "volume"))) for name, v in values.items()
        }
        named = [
            pc.if_else(
                as_arrow(bad[name]),
                pc.binary_join_element_wise(name, text(values[name]), " "),
                None,
            )
            for name in PRICES
        ]
        return pc.binary_join_element_wise(*named, ", ", null_handling="skip")
    if code == BAD_HIGH:
        return against(
            "high", "<", values["high"], np.maximum(opening, closing), opening >= closing
        )
    if code == BAD_LOW:
        return against("low", ">", values["low"], np.minimum(opening, closing), opening <= closing)
    if code == BAD_VOLUME:
        return pc.binary_join_element_wise("volume", text(values["volume"]), " ")
    return _instants(raw.start[rows])


def _instants(start: Ints) -> pa.Array:
    """Instants in words, with seconds only if some have them."""
    text = as_arrow(start).cast(pa.timestamp("us")).cast(pa.string())
    if not (start % MINUTE).any():
        text = pc.utf8_slice_codeunits(text, 0, 16)
    return pc.binary_join_element_wise(text, "UTC", " ")
