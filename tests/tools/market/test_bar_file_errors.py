"""What cannot be read is one sentence with the place, the value and the way out."""

import contextlib
import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.market.bars_on_disk import (
    csv_text,
    micros,
    prices,
    session_minutes,
    utc,
    write_csv,
    write_parquet,
    write_session,
)
from tools.errors import AdvisorError, BadInput, NoData
from tools.market.files import AS_STORED, BarFormat, read_bars

TIMES = utc(session_minutes())
DAILY = BarFormat(timeframe="1day")
IN_NEW_YORK = BarFormat(tz="America/New_York")


def times(*values: object) -> dict[str, object]:
    return {"timestamp": values, **prices(len(values))}


@dataclass(frozen=True)
class Bad:
    """A CSV with something wrong, the row it is in, and words the message must contain."""

    columns: dict[str, object]
    row: int | None
    words: tuple[str, ...]
    form: BarFormat = AS_STORED


CSV_FAULTS = {
    "naive times": Bad(
        times("2025-01-02 09:30", "2025-01-02 09:31"), 1, ("'2025-01-02 09:30'", "--tz")
    ),
    "a naive midnight": Bad(times("2025-01-02 00:00"), 1, ("'2025-01-02 00:00'", "--tz")),
    "aware, then naive": Bad(
        times(*TIMES[:2], "2025-01-02 09:32"), 3, ("'2025-01-02 09:32'", "the same way")
    ),
    "naive, then aware": Bad(
        times("2025-01-02 09:32", TIMES[0]), 2, (TIMES[0], "the same way"), IN_NEW_YORK
    ),
    "no time at all": Bad(times("yesterday"), 1, ("'yesterday'", "2025-01-02T09:30:00-05:00")),
    "not a time further on": Bad(times(*TIMES[:3], "oops"), 4, ("'oops'",)),
    "a 13th month": Bad(times(TIMES[0], "2025-13-02T14:31:00+00:00"), 2, ("2025-13-02", "valid")),
    "a 25th hour": Bad(times("2025-01-02 25:00"), 1, ("25:00", "valid"), IN_NEW_YORK),
    "missing": Bad(times(*TIMES[:2], ""), 3, ("''", "missing")),
    "a date for a minute": Bad(times("2025-01-02"), 1, ("'2025-01-02'", "--timeframe 1day")),
    "a time of day alone": Bad(times("09:30"), 1, ("'09:30'",)),
    "a year of two digits": Bad(times("01/13/25"), 1, ("'01/13/25'",), DAILY),
    "month or day": Bad(times("01/02/2025", "02/03/2025"), 1, ("01/02/2025", "day/month"), DAILY),
    "month and day": Bad(times("01/13/2025", "14/01/2025"), 2, ("14/01/2025",), DAILY),
    "slashes, then not": Bad(times("01/13/2025", "2025-01-14"), 2, ("2025-01-14",), DAILY),
    "a skipped hour": Bad(
        times("2025-03-09 02:30"), 1, ("2025-03-09 02:30", "America/New_York"), IN_NEW_YORK
    ),
    "another age": Bad(times("1066-10-14T09:00:00Z"), 1, ("1066", "1900")),
    "epoch in no known unit": Bad(times("9999999999999999999"), 1, ("9999999999999999999",)),
    "a lost column": Bad(
        {"time": TIMES, "open": TIMES, "last": TIMES},
        None,
        ("high, low, close, volume", "'last'", "--map high=NAME"),
    ),
    "a mapping to nothing": Bad(
        times(TIMES[0]), None, ("'adj'", "close", "'open'"), BarFormat(columns={"close": "adj"})
    ),
    "two closes": Bad({**times(TIMES[0]), "Close": [1]}, None, ("'close', 'Close'", "--map")),
    "two dates": Bad(
        {"Date": ["2025-01-02"], "date": [1], "time": ["09:30"], **prices(1)},
        None,
        ("'Date', 'date'", "timestamp"),
    ),
    "a nameless row": Bad({**times(*TIMES[:3]), "symbol": ["SPY", "", "SPY"]}, 2, ("no symbol",)),
}


@pytest.mark.parametrize("fault", CSV_FAULTS)
def test_a_fault_in_csv_names_its_row_its_value_and_what_to_do(tmp_path: Path, fault: str) -> None:
    bad = CSV_FAULTS[fault]
    file = write_csv(tmp_path / "SPY.csv", bad.columns)
    with pytest.raises(BadInput) as caught:
        read_bars([file], ["SPY"], bad.form)
    error, message = caught.value, str(caught.value)
    assert (error.file, error.row) == (str(file), bad.row)
    assert message.startswith(f"{file}, row {bad.row}: " if bad.row else f"{file}: ")
    for word in bad.words:
        assert word in message
    assert "\n" not in message


def test_the_value_of_a_bad_time_is_carried_as_it_stands(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "SPY.csv", times(TIMES[0], " oops "))
    with pytest.raises(BadInput) as caught:
        read_bars([file], ["SPY"])
    assert caught.value.value == "oops"


def written(data: bytes | str, name: str = "SPY.csv") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
        return folder / name

    return write


GOOD = csv_text({"time": TIMES, **prices()})
FILE_FAULTS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "not there": (lambda folder: folder / "SPY.csv", "does not exist"),
    "another kind of file": (written("x", "SPY.xlsx"), "must end in .parquet, .csv or .csv.gz"),
    "empty": (written(""), "nothing in its first line"),
    "no header line": (written(f"\n{GOOD}"), "nothing in its first line"),
    "no header": (written(GOOD.split("\n", 1)[1]), "has no column for timestamp, open"),
    "a short row": (written(GOOD + f"{TIMES[0]},1,2\n"), "row 6: has 3 values where"),
    "a long row": (written(GOOD + f"{TIMES[0]}{',1' * 9}\n"), "row 6: has 10 values where"),
    "an open quote": (
        written(GOOD + f'{TIMES[0]},1,2,3,4,"5\n{TIMES[0]},1,2,3,4,5\n'),
        "quotation mark in column volume",
    ),
    "UTF-16": (written(GOOD.encode("utf-16")), "cannot be read as CSV"),
    "no gzip": (written(GOOD, "SPY.csv.gz"), "cannot be read as CSV"),
    "half a gzip": (written(gzip.compress(GOOD.encode())[:-20], "SPY.csv.gz"), "as CSV"),
    "no Parquet": (written(GOOD, "SPY.parquet"), "cannot be read as Parquet"),
    "an empty Parquet": (written(b"", "SPY.parquet"), "cannot be read as Parquet"),
}


@pytest.mark.parametrize("fault", FILE_FAULTS)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, fault: str) -> None:
    make, words = FILE_FAULTS[fault]
    file = make(tmp_path)
    with pytest.raises(BadInput) as caught:
        read_bars([file], ["SPY"])
    assert str(file) in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_parquet_page_is_named(tmp_path: Path) -> None:
    file = write_session(tmp_path / "SPY.parquet")
    data = bytearray(file.read_bytes())
    data[4:400] = b"\xff" * 396
    file.write_bytes(data)
    with pytest.raises(BadInput, match=r"SPY\.parquet: cannot be read as Parquet"):
        read_bars([file], ["SPY"])


PARQUET_FAULTS = {
    "switches for prices": ({"close": [True] * 5}, "column close holds bool"),
    "times for volumes": ({"volume": session_minutes()}, "column volume holds timestamp"),
    "lists for prices": ({"open": [[1.0]] * 5}, "column open holds list"),
    "switches for times": ({"timestamp": [True] * 5}, "of type bool"),
    "numbers for symbols": ({"symbol": [1] * 5}, "column symbol holds int64"),
    "far too large a time": ({"timestamp": [1e300] * 5}, "lies outside the years"),
    "a damaged time": ({"timestamp": pa.array([2**62] * 5, pa.timestamp("us"))}, "--tz"),
    "a damaged UTC time": (
        {"timestamp": pa.array([2**62] * 5, pa.timestamp("us", "UTC"))},
        "lies outside the years",
    ),
    "no number for a time": ({"timestamp": [float("nan")] * 5}, "'nan' is not a time"),
}


@pytest.mark.parametrize("fault", PARQUET_FAULTS)
def test_a_parquet_column_of_the_wrong_type_is_named(tmp_path: Path, fault: str) -> None:
    columns, words = PARQUET_FAULTS[fault]
    stamps = pa.array(micros(session_minutes()), pa.timestamp("us", "UTC"))
    file = write_parquet(tmp_path / "SPY.parquet", {"timestamp": stamps, **prices(), **columns})
    with pytest.raises(BadInput) as caught:
        read_bars([file], None)
    assert words in str(caught.value)
    assert str(file) in str(caught.value)


def test_sources_without_a_single_row_are_no_data(tmp_path: Path) -> None:
    with pytest.raises(NoData, match=r"holds no \.parquet, \.csv or \.csv\.gz file"):
        read_bars([tmp_path], None)
    file = write_csv(tmp_path / "SPY.csv", times())
    for symbols in (None, ["SPY"]):
        with pytest.raises(NoData, match=str(tmp_path)):
            read_bars([file], symbols)
    assert read_bars([file], None, required=False) == {}


@pytest.mark.parametrize("name", ["New York", "EST/EDT", "../etc/passwd", ""])
def test_a_zone_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="America/New_York"):
        BarFormat(tz=name)


def test_a_mapping_of_an_unknown_column_is_refused() -> None:
    with pytest.raises(BadInput, match="last is no column of bars; there are symbol, timestamp"):
        BarFormat(columns={"last": "close"})


NASTY = st.sampled_from(
    ["", "nan", "inf", "-1", "1e400", "2025-01-02", TIMES[0], "2025-01-02 09:30", "01/02/2025"]
    + ["1735828200", "20250102", "9" * 18, "é", "'", '"', "\n", "\x00", " ", "SPY", "0.1.2"]
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(*[NASTY] * 7), min_size=1, max_size=4),
    st.sampled_from([AS_STORED, IN_NEW_YORK, DAILY, BarFormat(label="end")]),
)
def test_no_cell_of_a_csv_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], form: BarFormat
) -> None:
    names = ("symbol", "time", *prices())
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    file = write_csv(tmp_path_factory.mktemp("nasty") / "SPY.csv", columns)
    with contextlib.suppress(AdvisorError):
        for raw in read_bars([file], None, form).values():
            assert len(raw.start) == len(raw.close) == len(raw.row) > 0


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from(["csv", "csv.gz", "parquet"]),
    st.integers(0, 4000),
)
def test_no_damage_to_a_file_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, damage: bytes, suffix: str, place: int
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    if suffix == "parquet":
        file = write_session(folder / "SPY.parquet", count=20)
    else:
        file = write_csv(folder / f"SPY.{suffix}", {"time": TIMES, **prices()})
    data = file.read_bytes()
    file.write_bytes(data[:place] + damage + data[place + len(damage) :])
    with contextlib.suppress(AdvisorError):
        read_bars([file], ["SPY"])
