"""News files: Parquet, CSV or JSON lines, with their columns found by name, read row by row.

A row that is no headline is refused by name and counted; the rest of the file stays of use. A file
that cannot be read at all, or lacks a title or a time, is one sentence that names it. An item that
stands in several rows (one for each symbol) becomes one item with all its symbols.
"""

import csv
import gzip
import io
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from quant_core.types import Headline
from tools.errors import BadInput, NoData
from tools.news.rows import FIELDS, NewsRejection, Refused, headline
from tools.news.shelf import NewsShelf

SUFFIXES = (".parquet", ".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".ndjson")
REQUIRED = ("title", "published_at")
Row = Mapping[str, Any]
Rows = Iterator[tuple[int, Row | None, str]]


@dataclass(frozen=True, slots=True)
class NewsFormat:
    """What a user may have to say about news files: columns by field, the zone of naive times."""

    columns: Mapping[str, str] = field(default_factory=dict)
    tz: str | None = None

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


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsFiles:
    """What was read: accepted items, how many rows there were, and those refused."""

    shelf: NewsShelf
    read: int
    rejections: tuple[NewsRejection, ...]


def read_news_files(sources: Sequence[Path], form: NewsFormat) -> NewsFiles:
    """All items of files and folders; NoData when there were rows and none could be used."""
    unknown = sorted(set(form.columns) - set(FIELDS))
    if unknown:
        raise BadInput(f"news.columns: {unknown[0]} is no field of news; use {', '.join(FIELDS)}")
    found: dict[str, Headline] = {}
    refused: list[NewsRejection] = []
    zone, read = form.zone(), 0
    for path in _files(sources):
        columns: dict[str, str] = {}
        for number, row, problem in _rows(path):
            read += 1
            try:
                if row is None:
                    raise Refused("not_a_row", problem)
                if ".csv" in path.name.lower() or path.suffix.lower() == ".parquet":
                    columns = columns or _columns(path, row, form)
                else:  # every line of JSON has fields of its own
                    columns = _found(row, form)
                _take(found, headline(row, columns, zone))
            except Refused as error:
                refused.append(NewsRejection(str(path), number, *error.args))
    if read and not found:
        raise NoData(_all_refused(read, refused))
    return NewsFiles(shelf=NewsShelf(found.values()), read=read, rejections=tuple(refused))


def _take(found: dict[str, Headline], item: Headline) -> None:
    """Add an item, or the symbols of another row of it; Refused when the two contradict."""
    known = found.get(item.id)
    if known is None:
        found[item.id] = item
        return
    symbols = tuple(dict.fromkeys((*known.symbols, *item.symbols)))
    if replace(known, symbols=()) != replace(item, symbols=()):
        raise Refused("conflicting_id", item.id[:60])
    found[item.id] = replace(known, symbols=symbols)


def _files(sources: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for source in sources:
        if source.is_dir():
            inside = sorted(path for path in source.rglob("*") if _is_news(path))
            if not inside:
                raise NoData(f"folder {source} holds no news file ({', '.join(SUFFIXES)})")
            files += inside
        elif not source.exists():
            raise BadInput(f"{source} does not exist; name a file or a folder of news")
        elif not _is_news(source):
            raise BadInput(f"{source} is no news file; it must end in {', '.join(SUFFIXES)}")
        else:
            files.append(source)
    return files


def _is_news(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES) and not path.name.startswith(".")


def _columns(path: Path, row: Row, form: NewsFormat) -> dict[str, str]:
    """Which column of a file holds which field; BadInput when one that is needed is missing."""
    for name, column in form.columns.items():
        if column not in row:
            raise BadInput(
                f"has no column {column!r}, which news.columns names for {name}; "
                f"it has {', '.join(map(str, row))}",
                file=str(path),
            )
    columns = _found(row, form)
    for name in REQUIRED:
        if name not in columns:
            raise BadInput(
                f"has no column for {name} ({', '.join(FIELDS[name])}); it has "
                f"{', '.join(map(str, row))}: name it under [news] columns in the settings",
                file=str(path),
            )
    return columns


def _found(row: Row, form: NewsFormat) -> dict[str, str]:
    """The columns of a row that are named by the user, or by their usual names."""
    there = {str(name).strip().lower(): str(name) for name in reversed(list(row))}
    columns = dict(form.columns)
    for name, usual in FIELDS.items():
        if name not in columns and (
            known := next((there[word] for word in usual if word in there), None)
        ):
            columns[name] = known
    return columns


def _rows(path: Path) -> Rows:
    """(1-based row, values, problem) of every row; values are None where a row cannot be read."""
    name = path.name.lower()
    kind = "Parquet" if name.endswith(".parquet") else "CSV" if ".csv" in name else "JSON lines"
    try:
        if kind == "Parquet":
            yield from _parquet(path)
            return
        with _text(path) as lines:
            yield from _csv(lines) if kind == "CSV" else _json(lines)
    except (pa.ArrowException, OSError, EOFError, UnicodeError, csv.Error) as error:
        reason = str(error).splitlines()[0].strip(" .") if str(error) else type(error).__name__
        raise BadInput(f"cannot be read as {kind}: {reason}", file=str(path)) from error


def _parquet(path: Path) -> Rows:
    number = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=4096):
            for row in batch.to_pylist():
                number += 1
                yield number, row, ""


def _text(path: Path) -> io.TextIOBase:
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _csv(lines: io.TextIOBase) -> Rows:
    csv.field_size_limit(sys.maxsize)
    reader = csv.DictReader(lines)
    for number, row in enumerate(reader, 1):
        if None in row or None in row.values():
            yield number, None, "another number of columns than the header"
        else:
            yield number, row, ""


def _json(lines: io.TextIOBase) -> Rows:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError):
            row = None
        if isinstance(row, dict):
            yield number, row, ""
        else:
            yield number, None, f"no JSON object: {line[:40]!a}"


def _all_refused(read: int, refused: Sequence[NewsRejection]) -> str:
    counts = Counter(one.reason for one in refused)
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
    first = refused[0]
    hint = ""
    if any("without_zone" in reason for reason in counts):
        hint = "; name the zone of naive times: [news] timezone in the settings"
    return (
        f"all {read} rows of news were refused ({reasons}); the first is {first.file}, row "
        f"{first.row}: {first.value}{hint}"
    )
