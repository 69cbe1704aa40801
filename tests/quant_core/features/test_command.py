"""`advisor features`: the catalogue on a screen and in JSON, and features of files as Parquet."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from advisor.commands.features import app
from quant_core.bars import BarSeries, aggregate
from quant_core.features import TIMEFRAMES, catalogue, compute
from quant_core.features.document import page
from tests.quant_core.features.worlds import CALENDAR, walk
from tools.errors import BadInput, NoData


@pytest.fixture(autouse=True)
def _no_settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of whoever runs the tests must not play a part."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ADVISOR_CONFIG", raising=False)


def store(folder: Path, symbol: str, bars: BarSeries) -> None:
    folder.mkdir(exist_ok=True)
    columns: dict[str, Any] = {
        name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume")
    }
    when = pa.array(bars.start * 60_000_000).cast(pa.timestamp("us", "UTC"))
    table = pa.table({"symbol": [symbol] * len(bars), "timestamp": when, **columns})
    pq.write_table(table, folder / f"{symbol}.parquet")


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    store(tmp_path / "bars", "AAA", walk(1, 900))
    store(tmp_path / "bars", "BBB", walk(2, 700, missing=0.1))
    return tmp_path / "bars"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def result_of(*arguments: object) -> Any:
    ran = run(*arguments, "--json")
    assert ran.exit_code == 0, (ran.stderr, ran.exception)
    return json.loads(ran.stdout)


def test_the_list_is_the_catalogue() -> None:
    for timeframe in TIMEFRAMES:
        shown = result_of("list", "--timeframe", timeframe)
        assert [one["name"] for one in shown["features"]] == list(catalogue(timeframe).names)
        assert shown["count"] == len(shown["features"])
    (one,) = result_of("list", "rsi_14")["features"]
    assert one["family"] == "momentum"
    assert (one["low"], one["high"], one["warm_up"]) == (0.0, 100.0, 15)


def test_words_go_to_stderr() -> None:
    ran = run("list", "vwap")
    assert ran.stdout == ""
    assert "sum(typical *" in ran.stderr


def test_an_unknown_name_suggests_the_nearest() -> None:
    error = run("list", "rsi14").exception
    assert isinstance(error, BadInput)
    assert "the nearest name is 'rsi_14'" in str(error)


@pytest.mark.parametrize("timeframe", ["1min", "15min"])
def test_a_file_holds_the_features_of_each_symbol_in_catalogue_order(
    bars: Path, tmp_path: Path, timeframe: str
) -> None:
    out = tmp_path / "out" / "features.parquet"
    shown = result_of("compute", "--bars", bars, "--symbols", "bbb,AAA,BBB", "--out", out,
                      "--timeframe", timeframe)  # fmt: skip
    table = pq.read_table(out)
    names = catalogue(timeframe).names
    assert table.column_names == ["symbol", "timestamp", *names]
    assert table.schema.field("timestamp").type == pa.timestamp("us", "UTC")
    minutes = TIMEFRAMES[timeframe]
    expected = [
        compute(aggregate(walked, CALENDAR, minutes), timeframe, CALENDAR)
        for walked in (walk(2, 700, missing=0.1), walk(1, 900))
    ]
    symbols = ["BBB"] * len(expected[0]) + ["AAA"] * len(expected[1])
    assert table.column("symbol").to_pylist() == symbols
    starts = table.column("timestamp").cast(pa.int64()).to_numpy() // 60_000_000
    np.testing.assert_array_equal(starts, np.concatenate([one.start for one in expected]))
    values = np.array([table.column(name).to_numpy() for name in names]).T
    np.testing.assert_array_equal(values, np.concatenate([one.values for one in expected]))
    assert [one["symbol"] for one in shown["symbols"]] == ["BBB", "AAA"]
    assert shown["features"] == len(names)


def test_too_little_history_is_said_with_what_is_needed(bars: Path, tmp_path: Path) -> None:
    ran = run("compute", "--bars", bars, "--symbols", "AAA", "--out", tmp_path / "f.parquet",
              "--feed", "iex", "--json")  # fmt: skip
    (one,) = json.loads(ran.stdout)["symbols"]
    assert "trend_1hr needs 50 bars of 1hr and has 16" in one["lacking"]
    assert one["warm_up"] == one["volume_unreliable"] == one["bars"] == 900
    assert "AAA has too little history for" in ran.stderr


def test_what_cannot_be_done_is_said_and_leaves_no_file(bars: Path, tmp_path: Path) -> None:
    out = tmp_path / "f.parquet"
    store(bars, "OFF", walk(3, 50))
    table = pq.read_table(bars / "OFF.parquet")
    pq.write_table(table.set_column(2, "open", pa.array([float("nan")] * 50)), bars / "OFF.parquet")
    for symbols, kind, message in (
        ("AAA,NOPE", NoData, "no bars of NOPE"),
        ("AAA,OFF", NoData, "none of the 50 rows of OFF can be used"),
        (" , ", BadInput, "name symbols separated by commas"),
    ):
        error = run("compute", "--bars", bars, "--symbols", symbols, "--out", out).exception
        assert isinstance(error, kind), error
        assert message in str(error)
    error = run("compute", "--bars", bars, "--out", tmp_path / "f.csv").exception
    assert "name it f.parquet" in str(error)
    assert run("compute", "--bars", bars, "--out", out, "--timeframe", "2min").exit_code == 2
    assert [file.name for file in tmp_path.iterdir()] == ["bars"]


def test_a_place_that_would_harm_the_bars_or_cannot_be_written_is_refused(
    bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (bars / "AAA.parquet").read_bytes()
    (tmp_path / "link").symlink_to(bars)
    (tmp_path / "d.parquet").mkdir()
    for source, out, message in (
        (bars / "AAA.parquet", bars / "AAA.parquet", "lies in --bars"),
        (bars, bars / "new" / "f.parquet", "lies in --bars"),
        (bars, tmp_path / "link" / "f.parquet", "lies in --bars"),
        (bars, tmp_path / "d.parquet", "it is a folder"),
        (bars / "AAA.parquet", bars / "BBB.parquet" / "f.parquet", "is no folder"),
    ):
        error = run("compute", "--bars", source, "--out", out).exception
        assert isinstance(error, BadInput)
        assert message in str(error)
    monkeypatch.setattr("os.access", lambda _, mode, **__: not mode & os.W_OK)
    error = run("compute", "--bars", bars, "--out", tmp_path / "f.parquet").exception
    assert "is no folder that can be written to" in str(error)
    assert (bars / "AAA.parquet").read_bytes() == before


def test_a_feed_label_is_normalised_or_refused(bars: Path, tmp_path: Path) -> None:
    arguments = ("compute", "--bars", bars, "--symbols", "AAA", "--out", tmp_path / "f.parquet")
    (one,) = result_of(*arguments, "--feed", "IEX")["symbols"]
    assert one["volume_unreliable"] == one["bars"]
    assert pq.read_schema(tmp_path / "f.parquet").metadata[b"feed"] == b"iex"
    error = run(*arguments, "--feed", "replai").exception
    assert isinstance(error, BadInput)
    assert "the nearest is 'replay'" in str(error)


def test_sigterm_leaves_neither_processes_nor_files(bars: Path, tmp_path: Path) -> None:
    for k in range(60):
        store(bars, f"S{k}", walk(1, 900))
    (tmp_path / "out").mkdir()
    command = [sys.executable, "-c", "from advisor.cli import main; main()", "features",
               "compute", "--bars", str(bars),
               "--out", str(tmp_path / "out" / "f.parquet")]  # fmt: skip
    root = Path(__file__).resolve().parents[3]
    ran = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, start_new_session=True)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "out").glob(".*.part")) and time.monotonic() < deadline:
        time.sleep(0.01)
    ran.terminate()
    ran.communicate(timeout=30)
    assert ran.returncode == 130
    assert list((tmp_path / "out").iterdir()) == []
    for _ in range(100):
        try:
            os.killpg(ran.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("processes are left")


def test_two_runs_to_one_file_do_not_share_an_unfinished_one(
    bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: list[Path] = []
    writer = pq.ParquetWriter

    def noting(where: Path, *rest: Any, **options: Any) -> pq.ParquetWriter:
        places.append(where)
        return writer(where, *rest, **options)

    monkeypatch.setattr(pq, "ParquetWriter", noting)
    for _ in range(2):
        result_of("compute", "--bars", bars, "--symbols", "AAA", "--out", tmp_path / "f.parquet")
    assert len(set(places)) == 2
    assert {place.parent for place in places} == {tmp_path}


def test_without_symbols_all_there_are(bars: Path, tmp_path: Path) -> None:
    shown = result_of(
        "compute", "--bars", bars, "--timeframe", "1hr", "--out", tmp_path / "f.parquet"
    )
    assert [one["symbol"] for one in shown["symbols"]] == ["AAA", "BBB"]


def test_the_page_is_written_from_the_catalogue(tmp_path: Path) -> None:
    assert run("docs", "--out", tmp_path / "docs" / "f.md").exit_code == 0
    assert (tmp_path / "docs" / "f.md").read_text(encoding="utf-8") == page()


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, advisor.commands.features; "
        "print([name for name in ('numba', 'numpy', 'pandas', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, cwd=Path(__file__).resolve().parents[3],
        env={**os.environ},
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
