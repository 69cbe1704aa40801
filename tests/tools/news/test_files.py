import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tools.errors import BadInput, NoData
from tools.news.files import NewsFiles, NewsFormat, read_news_files

GOOD = {"id": "1", "published_at": "2025-01-08T12:00:00Z", "title": "Chips fly", "symbol": "NVDA"}
NOON = datetime(2025, 1, 8, 12, tzinfo=UTC)


def lines(folder: Path, *rows: Any, name: str = "news.jsonl") -> Path:
    path = folder / name
    text = "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)
    path.write_text(text, encoding="utf-8", newline="")
    return path


def read(*paths: Path, **form: Any) -> NewsFiles:
    return read_news_files(list(paths), NewsFormat(**form))


def reasons(files: NewsFiles) -> list[tuple[int, str]]:
    return [(one.row, one.reason) for one in files.rejections]


def test_real_company_news(market_data: Path) -> None:
    files = read(market_data / "news" / "company_news_2025-01.parquet")
    assert (files.read, len(files.shelf.items), files.rejections) == (257, 235, ())
    shared = [one for one in files.shelf.items if len(one.symbols) > 1]
    assert shared
    assert all(one.received_at == one.published_at for one in files.shelf.items)
    assert files.shelf.items[0].known_at == datetime(2024, 12, 31, 0, 1, tzinfo=UTC)


def test_three_kinds_of_file_say_the_same(tmp_path: Path) -> None:
    json_lines = lines(tmp_path, GOOD)
    comma = tmp_path / "news.csv"
    comma.write_text("Title,Published,Ticker,id\nChips fly,2025-01-08T12:00:00Z,NVDA,1\n")
    packed = tmp_path / "packed.csv.gz"
    packed.write_bytes(gzip.compress(comma.read_bytes()))
    table = tmp_path / "news.parquet"
    pq.write_table(pa.Table.from_pylist([{**GOOD, "published_at": NOON}]), table)
    (expected,) = read(json_lines).shelf.items
    for path in (comma, packed, table):
        assert read(path).shelf.items == (expected,)
    assert read(tmp_path).shelf.items == (expected,)


@pytest.mark.parametrize(
    "written",
    ["2025-01-08T07:00:00-05:00", "Wed, 08 Jan 2025 12:00:00 GMT", 1736337600, "1736337600000"],
)
def test_times_are_read_however_written(tmp_path: Path, written: Any) -> None:
    (item,) = read(lines(tmp_path, {**GOOD, "published_at": written})).shelf.items
    assert item.published_at == NOON


def test_a_naive_time_needs_a_zone(tmp_path: Path) -> None:
    path = lines(tmp_path, {**GOOD, "published_at": "2025-01-08T07:00"})
    with pytest.raises(NoData, match=r"1 published_at_without_zone.*\[news\] timezone"):
        read(path)
    (item,) = read(path, tz="America/New_York").shelf.items
    assert item.published_at == NOON


def test_bad_rows_are_refused_by_name_and_the_rest_is_of_use(tmp_path: Path) -> None:
    late = {**GOOD, "id": "2", "received_at": "2025-01-08T13:00:00Z"}
    path = lines(
        tmp_path,
        GOOD,
        "{not json",
        "[1, 2]",
        {**GOOD, "title": " "},
        {"title": "no time"},
        {**GOOD, "published_at": "2025-01-08"},
        {**GOOD, "published_at": "soon"},
        {**GOOD, "published_at": "9999999999999999999"},
        {**GOOD, "published_at": True},
        {**GOOD, "title": "x" * 1_001},
        {**GOOD, "title": "nul \x00"},
        {**GOOD, "title": "half \ud800"},
        {**GOOD, "title": ["a"]},
        {**GOOD, "symbol": "<script>"},
        {**GOOD, "symbol": 5},
        {**GOOD, "title": "the same id, another story"},
        late,
    )
    files = read(path)
    assert reasons(files) == [
        (2, "not_a_row"), (3, "not_a_row"), (4, "no_title"), (5, "no_published_at"),
        (6, "published_at_is_a_date"), (7, "bad_published_at"), (8, "bad_published_at"),
        (9, "bad_published_at"), (10, "title_too_long"), (11, "title_unreadable"),
        (12, "title_unreadable"), (13, "title_is_no_text"), (14, "bad_symbols"),
        (15, "bad_symbols"), (16, "conflicting_id"),
    ]  # fmt: skip
    assert [one.id for one in files.shelf.items] == ["1", "2"]
    assert files.shelf.items[1].known_at == NOON + timedelta(hours=1)
    assert files.read == 17


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("n.csv", b"headline,when\nx,2025-01-08T12:00Z\n", "no column for published_at"),
        ("n.csv", b"title,published\n\xff\xfe,2025-01-08T12:00Z\n", "cannot be read as CSV"),
        ("n.parquet", b"PAR1 no", "cannot be read as Parquet"),
        ("n.csv.gz", b"no gzip", "cannot be read as CSV"),
        ("n.txt", b"", "is no news file"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(
    tmp_path: Path, name: str, content: bytes, told: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadInput, match=told):
        read(path)


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "n.csv"
    path.write_text("what,when\nChips fly,2025-01-08T12:00:00Z\n")
    (item,) = read(path, columns={"title": "what", "published_at": "when"}).shelf.items
    assert (item.title, item.symbols) == ("Chips fly", ())
    with pytest.raises(BadInput, match="no column 'who'"):
        read(path, columns={"source": "who", "title": "what", "published_at": "when"})
    with pytest.raises(BadInput, match="colour is no field of news"):
        read(path, columns={"colour": "who"})


def test_an_empty_file_is_no_news(tmp_path: Path) -> None:
    files = read(lines(tmp_path))
    assert (files.read, files.shelf.items, files.rejections) == (0, (), ())
