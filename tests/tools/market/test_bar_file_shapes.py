"""Files of every shape give the same rows."""

import gzip
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

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
from tools.errors import NoData
from tools.market.files import AS_STORED, BarFormat, read_bars

MOMENTS = session_minutes()
STARTS = micros(MOMENTS)
NAIVE = [moment.replace(tzinfo=None) for moment in MOMENTS]
IN_NEW_YORK = BarFormat(tz="America/New_York")

CSV_TIMES = {
    "ISO with Z": ([t.replace("+00:00", "Z") for t in utc(MOMENTS)], AS_STORED),
    "ISO with offset": ([m.isoformat() for m in MOMENTS], AS_STORED),
    "space and offset": ([m.isoformat(" ") for m in MOMENTS], AS_STORED),
    "offset without colon": ([m.strftime("%Y-%m-%d %H:%M:%S%z") for m in MOMENTS], AS_STORED),
    "space before offset": ([f"{n} -0500" for n in NAIVE], AS_STORED),
    "the word UTC": ([f"{t[:16].replace('T', ' ')} UTC" for t in utc(MOMENTS)], AS_STORED),
    "nanoseconds": ([f"{n}.000000001-05:00" for n in NAIVE], AS_STORED),
    "mixed offsets": ([utc(MOMENTS)[0], *(m.isoformat() for m in MOMENTS[1:])], AS_STORED),
    "naive": ([str(n) for n in NAIVE], IN_NEW_YORK),
    "naive without seconds": ([str(n)[:16] for n in NAIVE], IN_NEW_YORK),
    "naive with year first and slashes": ([f"{n:%Y/%m/%d %H:%M}" for n in NAIVE], IN_NEW_YORK),
    "naive and compact": ([f"{n:%Y%m%d  %H:%M:%S}" for n in NAIVE], IN_NEW_YORK),
    "epoch seconds": ([s // 1_000_000 for s in STARTS], AS_STORED),
    "epoch seconds with fraction": ([f"{s / 1e6:.1f}" for s in STARTS], AS_STORED),
    "epoch milliseconds": ([s // 1000 for s in STARTS], AS_STORED),
    "epoch microseconds": (STARTS, AS_STORED),
    "epoch nanoseconds": ([s * 1000 for s in STARTS], AS_STORED),
    "surrounded by spaces": ([f" {t} " for t in utc(MOMENTS)], AS_STORED),
}


@pytest.mark.parametrize("shape", CSV_TIMES)
def test_times_of_every_shape_in_csv_are_the_same_instants(tmp_path: Path, shape: str) -> None:
    times, form = CSV_TIMES[shape]
    file = write_csv(tmp_path / "SPY.csv", {"timestamp": times, **prices()})
    assert read_bars([file], ["SPY"], form)["SPY"].start.tolist() == STARTS


PARQUET_TIMES = {
    "microseconds UTC": (pa.array(STARTS, pa.timestamp("us", "UTC")), AS_STORED),
    "nanoseconds New York": (
        pa.array([s * 1000 for s in STARTS], pa.timestamp("ns", "America/New_York")),
        AS_STORED,
    ),
    "seconds UTC": (pa.array([s // 10**6 for s in STARTS], pa.timestamp("s", "UTC")), AS_STORED),
    "naive milliseconds": (pa.array(NAIVE, pa.timestamp("ms")), IN_NEW_YORK),
    "text": (pa.array(utc(MOMENTS)), AS_STORED),
    "large text": (pa.array(utc(MOMENTS), pa.large_string()), AS_STORED),
    "text in a dictionary": (pa.array(utc(MOMENTS)).dictionary_encode(), AS_STORED),
    "whole nanoseconds": (pa.array([s * 1000 for s in STARTS]), AS_STORED),
    "float seconds": (pa.array([s / 1e6 for s in STARTS]), AS_STORED),
}


@pytest.mark.parametrize("shape", PARQUET_TIMES)
def test_times_of_every_type_in_parquet_are_the_same_instants(tmp_path: Path, shape: str) -> None:
    times, form = PARQUET_TIMES[shape]
    file = write_parquet(tmp_path / "SPY.parquet", {"timestamp": times, **prices()})
    assert read_bars([file], ["SPY"], form)["SPY"].start.tolist() == STARTS


def test_month_and_day_may_be_in_either_order_where_the_column_proves_it(tmp_path: Path) -> None:
    days = [date(2025, 1, 10), date(2025, 1, 13)]
    american = {"Date": ["1/10/2025 9:30", "1/13/2025 9:30"], **prices(2)}
    european = {"Date": ["10/01/2025 09:30", "13/01/2025 09:30"], **prices(2)}
    expected = [micros(session_minutes(day, 1))[0] for day in days]
    for name, columns in (("A", american), ("B", european)):
        file = write_csv(tmp_path / f"{name}.csv", columns)
        assert read_bars([file], None, IN_NEW_YORK)[name].start.tolist() == expected


def test_a_date_and_a_time_column_belong_together(tmp_path: Path) -> None:
    columns = {
        "<DATE>": [f"{n:%Y%m%d}" for n in NAIVE],
        "<TIME>": [f"{n:%H:%M}" for n in NAIVE],
        **{f"<{name.upper()}>": values for name, values in prices().items()},
    }
    file = write_csv(tmp_path / "SPY.csv", columns)
    assert read_bars([file], None, IN_NEW_YORK)["SPY"].start.tolist() == STARTS


DATES = [date(2025, 1, 2), date(2025, 7, 1)]
DATE_COLUMNS = {
    "dates": pa.array(DATES),
    "text": pa.array([str(day) for day in DATES]),
    "whole numbers": pa.array([int(f"{day:%Y%m%d}") for day in DATES]),
    "naive midnights": pa.array([datetime(d.year, d.month, d.day) for d in DATES]),
    "New York midnights": pa.array(["2025-01-02T05:00:00Z", "2025-07-01T04:00:00Z"]),
}


@pytest.mark.parametrize("shape", DATE_COLUMNS)
@pytest.mark.parametrize("tz", [None, "UTC"])
def test_a_date_of_a_daily_bar_is_the_new_york_session_date(
    tmp_path: Path, shape: str, tz: str | None
) -> None:
    file = write_parquet(tmp_path / "SPY.parquet", {"date": DATE_COLUMNS[shape], **prices(2)})
    found = read_bars([file], None, BarFormat(timeframe="1day", tz=tz))["SPY"]
    midnights = [datetime(2025, 1, 2, 5, tzinfo=UTC), datetime(2025, 7, 1, 4, tzinfo=UTC)]
    assert found.start.tolist() == micros(midnights)


def test_every_repeated_hour_is_its_first_occurrence(tmp_path: Path) -> None:
    times = ["2025-11-02 00:59", "2025-11-02 01:30", "2025-11-02 02:00"]
    file = write_csv(tmp_path / "SPY.csv", {"time": times, **prices(3)})
    found = read_bars([file], None, IN_NEW_YORK)["SPY"]
    utc_times = [datetime(2025, 11, 2, 4, 59), datetime(2025, 11, 2, 5, 30)]
    utc_times.append(datetime(2025, 11, 2, 7, 0))
    assert found.start.tolist() == micros([t.replace(tzinfo=UTC) for t in utc_times])


COLUMN_NAMES = [
    ("timestamp", "open", "high", "low", "close", "volume"),
    ("Date", "Open", "High", "Low", "Close", "Volume"),
    ("t", "o", "h", "l", "c", "v"),
    ("DATETIME", "OPEN", "HIGH", "LOW", "CLOSE", "VOL"),
    ("window_start", " open", "high ", "low", "close", "volume"),
    ("<ts>", "<open>", "<high>", "<low>", "<close>", "<vol>"),
]


@pytest.mark.parametrize("names", COLUMN_NAMES, ids=lambda names: names[0])
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_common_column_names_are_recognised(
    tmp_path: Path, names: tuple[str, ...], suffix: str
) -> None:
    columns = dict(zip(names, [utc(MOMENTS), *prices().values()], strict=True))
    write = write_parquet if suffix == ".parquet" else write_csv
    found = read_bars([write(tmp_path / f"SPY{suffix}", columns)], ["SPY"])["SPY"]
    assert found.start.tolist() == STARTS
    assert found.high.tolist() == prices()["high"]
    assert found.volume.tolist() == prices()["volume"]


def test_a_mapping_goes_before_the_common_names(tmp_path: Path) -> None:
    columns = {"when": utc(MOMENTS), **prices(), "adjusted": [1.0] * 5, "sym": ["QQQ"] * 5}
    file = write_csv(tmp_path / "x.csv", columns)
    form = BarFormat(columns={"timestamp": "when", "close": "adjusted"})
    assert read_bars([file], ["QQQ"], form)["QQQ"].close.tolist() == [1.0] * 5


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_and_a_byte_order_mark(tmp_path: Path, delimiter: str) -> None:
    file = tmp_path / "SPY.csv"
    text = csv_text({"Time": utc(MOMENTS), **prices()}, delimiter)
    file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    for form in (AS_STORED, BarFormat(columns={"timestamp": "Time"})):
        assert read_bars([file], None, form)["SPY"].start.tolist() == STARTS


PRICE_TYPES = {
    "decimal": lambda values: pa.array([Decimal(str(v)) for v in values], pa.decimal128(18, 4)),
    "int64": lambda values: pa.array([int(v) for v in values]),
    "float32": lambda values: pa.array(values, pa.float32()),
    "text": lambda values: pa.array([f" {v} " for v in values]),
    "dictionary": lambda values: pa.array(values).dictionary_encode(),
}


@pytest.mark.parametrize("kind", PRICE_TYPES)
def test_numbers_of_every_type_become_floats(tmp_path: Path, kind: str) -> None:
    columns = {name: PRICE_TYPES[kind](values) for name, values in prices().items()}
    file = write_parquet(tmp_path / "SPY.parquet", {"timestamp": pa.array(STARTS), **columns})
    found = read_bars([file], None)["SPY"]
    for name, values in prices().items():
        assert getattr(found, name).dtype == np.float64
        assert getattr(found, name).tolist() == values


def test_text_that_is_no_number_spoils_only_its_own_row(tmp_path: Path) -> None:
    columns = {"time": utc(MOMENTS), **prices()}
    columns["close"] = ["101", "n/a", "", "1,5", "1.05e2"]
    found = read_bars([write_csv(tmp_path / "SPY.csv", columns)], None)["SPY"]
    assert np.isnan(found.close).tolist() == [False, True, True, True, False]
    assert found.close[[0, 4]].tolist() == [101.0, 105.0]
    assert found.row.tolist() == [1, 2, 3, 4, 5]


def test_a_missing_number_in_parquet_is_nan(tmp_path: Path) -> None:
    columns = {"time": pa.array(STARTS), **prices(), "volume": pa.array([1, None, 3, 4, 5])}
    found = read_bars([write_parquet(tmp_path / "SPY.parquet", columns)], None)["SPY"]
    assert np.isnan(found.volume).tolist() == [False, True, False, False, False]


def test_files_follow_one_another_by_first_timestamp(tmp_path: Path) -> None:
    later = write_session(tmp_path / "a" / "SPY.parquet", date(2025, 1, 3), 2)
    earlier = write_session(tmp_path / "b" / "SPY.parquet", date(2025, 1, 2), 2)
    for order in ([later, earlier], [earlier, later], [tmp_path]):
        found = read_bars(order, ["SPY"])["SPY"]
        assert [found.files[i] for i in found.file] == [str(earlier)] * 2 + [str(later)] * 2
        assert found.row.tolist() == [1, 2, 1, 2]
        assert (np.diff(found.start) > 0).all()


def test_files_with_the_same_first_timestamp_keep_the_order_given(tmp_path: Path) -> None:
    one = write_session(tmp_path / "one.csv" / "SPY.parquet", base=100.0, count=1)
    two = write_session(tmp_path / "two.csv" / "SPY.parquet", base=200.0, count=1)
    assert read_bars([one, two], ["SPY"])["SPY"].open.tolist() == [100.0, 200.0]
    assert read_bars([two, one], ["SPY"])["SPY"].open.tolist() == [200.0, 100.0]


def test_rows_of_a_symbol_keep_their_stored_order_even_when_it_is_wrong(tmp_path: Path) -> None:
    shuffled = [MOMENTS[i] for i in (3, 0, 4, 1, 2)]
    file = write_csv(tmp_path / "SPY.csv", {"time": utc(shuffled), **prices()})
    found = read_bars([file], None)["SPY"]
    assert found.start.tolist() == micros(shuffled)
    assert found.row.tolist() == [1, 2, 3, 4, 5]


def test_symbols_that_share_a_file_are_taken_apart(tmp_path: Path) -> None:
    columns = {"time": utc(MOMENTS), **prices(), "ticker": ["QQQ", "SPY", "QQQ", "NA", "SPY"]}
    file = write_csv(tmp_path / "all.csv", columns)
    every = read_bars([file], None)
    assert {symbol: raw.row.tolist() for symbol, raw in every.items()} == {
        "NA": [4],
        "QQQ": [1, 3],
        "SPY": [2, 5],
    }
    some = read_bars([file], ["SPY", "NA"])
    assert list(some) == ["SPY", "NA"]
    assert some["SPY"].open.tolist() == [101.0, 104.0]
    assert some["SPY"].start.tolist() == [STARTS[1], STARTS[4]]


def test_an_unreadable_time_of_another_symbol_does_no_harm(tmp_path: Path) -> None:
    columns = {"time": [*utc(MOMENTS[:2]), "never"], **prices(3), "symbol": ["SPY", "SPY", "QQQ"]}
    file = write_csv(tmp_path / "all.csv", columns)
    assert len(read_bars([file], ["SPY"])["SPY"].start) == 2


def test_row_groups_and_files_without_a_requested_symbol_are_not_read(tmp_path: Path) -> None:
    columns = {
        "timestamp": pa.array(STARTS[:4], pa.timestamp("us", "UTC")),
        **prices(4),
        "symbol": ["AAA", "AAA", "SPY", "SPY"],
    }
    options = {"row_group_size": 2, "compression": "none", "use_dictionary": False}
    mixed = write_parquet(tmp_path / "mixed.parquet", columns, **options)
    other = write_parquet(tmp_path / "other.parquet", {**columns, "symbol": ["AAA"] * 4}, **options)
    for file in (mixed, other):
        data = bytearray(file.read_bytes())
        data[4:200] = b"\xff" * 196  # the first pages; the footer, and the later group, are whole
        file.write_bytes(data)
    found = read_bars([tmp_path], ["SPY"])["SPY"]
    assert found.row.tolist() == [3, 4]
    assert found.start.tolist() == STARTS[2:4]


def test_without_a_symbol_column_the_file_name_says_it(tmp_path: Path) -> None:
    for name in ("spy.csv", "QQQ.csv.gz"):
        write_csv(tmp_path / "deep" / "er" / name, {"time": utc(MOMENTS), **prices()})
    write_session(tmp_path / "BRK.B.parquet")
    (tmp_path / "notes.txt").write_text("not bars")
    assert list(read_bars([tmp_path], None)) == ["BRK.B", "QQQ", "SPY"]


def test_symbols_come_in_the_order_asked_for(tmp_path: Path) -> None:
    for symbol in ("AAA", "BBB", "CCC"):
        write_session(tmp_path / f"{symbol}.parquet", count=1)
    assert list(read_bars([tmp_path], ["CCC", "AAA"])) == ["CCC", "AAA"]


def test_a_symbol_without_rows_is_no_data_unless_it_may_be_missing(tmp_path: Path) -> None:
    write_session(tmp_path / "SPY.parquet", count=1)
    with pytest.raises(NoData, match=r"no bars of IWM, TSLA in .*; there are SPY"):
        read_bars([tmp_path], ["IWM", "SPY", "TSLA"])
    assert list(read_bars([tmp_path], ["IWM", "SPY"], required=False)) == ["SPY"]


def test_the_name_of_a_file_is_the_one_the_user_gave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_session(Path("data") / "SPY.parquet", count=1)
    assert read_bars([Path("data")], None)["SPY"].files == (str(Path("data") / "SPY.parquet"),)


def test_the_arrays_are_writable_so_that_kernels_are_compiled_once(tmp_path: Path) -> None:
    found = read_bars([write_session(tmp_path / "SPY.parquet")], ["SPY"])["SPY"]
    for name in ("start", "open", "high", "low", "close", "volume", "file", "row"):
        array = getattr(found, name)
        assert array.flags.writeable, name
        assert array.flags.c_contiguous, name


def test_the_feed_label_travels_with_the_bars(tmp_path: Path) -> None:
    file = write_session(tmp_path / "SPY.parquet", count=1)
    assert read_bars([file], None, BarFormat(feed="iex"))["SPY"].feed == "iex"


def test_reading_parquet_loads_neither_pandas_nor_duckdb(tmp_path: Path) -> None:
    file = write_session(tmp_path / "SPY.parquet")
    code = (
        "import sys; from pathlib import Path; from tools.market.files import read_bars\n"
        "assert len(read_bars([Path(sys.argv[1])], ['SPY'])['SPY'].start) == 390\n"
        "print(sorted({'pandas', 'duckdb'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_gzip_is_recognised_by_its_suffix_in_any_case(tmp_path: Path) -> None:
    file = tmp_path / "SPY.CSV.GZ"
    file.write_bytes(gzip.compress(csv_text({"time": utc(MOMENTS), **prices()}).encode()))
    assert read_bars([file], None)["SPY"].start.tolist() == STARTS
