"""`advisor data`: results as JSON on stdout, words on stderr, one sentence for a mistake."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from advisor.cli import exit_code
from advisor.commands.data import app
from tools.errors import AdvisorError, BadInput, NoData

OPEN = datetime(2025, 1, 2, 14, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of whoever runs the tests must not play a part."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ADVISOR_CONFIG", raising=False)


def write_bars(
    file: Path, first: datetime = OPEN, count: int = 390, naive: bool = False, **more: Any
) -> Path:
    """One bar a minute, sound but for the columns given."""
    file.parent.mkdir(parents=True, exist_ok=True)
    moments = [first + timedelta(minutes=i) for i in range(count)]
    if naive:
        moments = [moment.replace(tzinfo=None) for moment in moments]
    columns = {
        "timestamp": pa.array(moments, pa.timestamp("us", None if naive else "UTC")),
        "open": [10.0] * count,
        "high": [12.0] * count,
        "low": [9.0] * count,
        "close": [11.0] * count,
        "volume": [float(i) for i in range(count)],
        **more,
    }
    pq.write_table(pa.table(columns), file)
    return file


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def result_of(*arguments: object) -> Any:
    """What a command that ends well prints to stdout."""
    ran = run(*arguments, "--json")
    assert ran.exit_code == 0, (ran.stderr, ran.exception)
    return json.loads(ran.stdout)


def mistake(*arguments: object) -> tuple[AdvisorError, int]:
    """The error of a command, and the exit code that it becomes."""
    error = run(*arguments).exception
    assert isinstance(error, AdvisorError), error
    return error, exit_code(error)


def test_check_counts_and_shows_what_is_refused(tmp_path: Path) -> None:
    high = [12.0] * 450
    high[5] = 10.5
    file = write_bars(tmp_path / "SPY.parquet", OPEN - timedelta(minutes=30), 450, high=high)
    (one,) = result_of("check", file)["symbols"]
    assert one == {
        "symbol": "SPY",
        "rows": 450,
        "accepted": 390,
        "rejected": {"high_below_open_or_close": 1, "outside_calendar": 59},
        "sessions": 1,
        "gaps": {"sessions": 0, "missing": 0, "longest": 0},
        "absent_sessions": [],
        "first": "2025-01-02T14:30:00+00:00",
        "last": "2025-01-02T20:59:00+00:00",
        "zero_volume": 0,
        "hints": [],
        "first_rejected": [
            {
                "file": str(file),
                "row": 6,
                "reason": "high_below_open_or_close",
                "value": "high 10.5 < close 11",
            },
            *(
                {
                    "file": str(file),
                    "row": row,
                    "reason": "outside_calendar",
                    "value": f"2025-01-02 14:0{row - 1} UTC",
                }
                for row in (1, 2, 3)
            ),
        ],
    }


def test_words_go_to_stderr_and_nothing_to_stdout_unless_json_is_asked_for(
    tmp_path: Path,
) -> None:
    write_bars(tmp_path / "bars" / "SPY.parquet", count=391)
    for command in (
        ["check", "bars"],
        ["import", "bars", "--lake", "lake"],
        ["show", "--lake", "lake"],
        ["show", "--lake", "lake", "SPY"],
    ):
        ran = run(*command)
        assert ran.exit_code == 0, ran.exception
        assert ran.stdout == "", command
        assert "2025-01-02" in ran.stderr or "timeframe=1min" in ran.stderr, command
    shown = run("check", "bars").stderr
    assert "SPY: 1 refused, outside_calendar" in shown
    assert "row 391: 2025-01-02 21:00 UTC" in shown


def test_check_hints_at_end_labels_and_reads_them_when_told(tmp_path: Path) -> None:
    file = write_bars(tmp_path / "SPY.parquet", OPEN + timedelta(minutes=1))
    (one,) = result_of("check", file)["symbols"]
    assert "--label end" in one["hints"][0]
    assert "--label end" in run("check", file).stderr.replace("\n", " ")
    (told,) = result_of("check", file, "--label", "end")["symbols"]
    assert (told["accepted"], told["hints"]) == (390, [])


def test_options_go_before_settings(tmp_path: Path) -> None:
    file = write_bars(tmp_path / "x.parquet", datetime(2025, 1, 2, 9, 30), naive=True)
    settings = tmp_path / "advisor.toml"
    settings.write_text('[bars]\ntimezone = "America/New_York"\n')
    assert result_of("check", file)["symbols"][0]["accepted"] == 390
    (moved,) = result_of("check", file, "--tz", "America/Chicago")["symbols"]
    assert moved["first"] == "2025-01-02T15:30:00+00:00"
    settings.unlink()
    error, code = mistake("check", file)
    assert (code, "has no time zone" in str(error)) == (2, True)


def test_columns_can_be_named_and_symbols_chosen(tmp_path: Path) -> None:
    symbols = ["SPY", "QQQ", "IWM"] * 130
    file = write_bars(tmp_path / "all.parquet", last=[11.5] * 390, who=symbols)
    options = ("--map", "close=last", "--map", "symbol=who", "--symbol", "iwm,qqq")
    assert [one["symbol"] for one in result_of("check", file, *options)["symbols"]] == [
        "IWM",
        "QQQ",
    ]
    result_of("import", file, "--lake", "lake", *options)
    assert result_of("show", "--lake", "lake", "QQQ", "--limit", 1)[0]["close"] == 11.5


def test_import_then_show_then_import_again(tmp_path: Path) -> None:
    write_bars(tmp_path / "bars" / "SPY.parquet", count=392)
    write_bars(tmp_path / "bars" / "QQQ.parquet", count=10)
    done = result_of("import", "bars", "--lake", "lake")
    assert done == {
        "lake": "lake",
        "timeframe": "1min",
        "symbols": [
            {
                "symbol": "QQQ",
                "rows": 10,
                "rejected": {},
                "added": 10,
                "known": 0,
                "differing": 0,
            },
            {
                "symbol": "SPY",
                "rows": 392,
                "rejected": {"outside_calendar": 2},
                "added": 390,
                "known": 0,
                "differing": 0,
            },
        ],
    }
    again = result_of("import", "bars", "--lake", "lake")
    assert [(one["added"], one["known"]) for one in again["symbols"]] == [(0, 10), (0, 390)]
    assert result_of("show", "--lake", "lake")[1] == {
        "symbol": "SPY",
        "bars": 390,
        "sessions": 1,
        "first": "2025-01-02T14:30:00+00:00",
        "last": "2025-01-02T20:59:00+00:00",
    }
    (only,) = result_of("show", "--lake", "lake", "QQQ", "--to", "2025-01-02", "--limit", 1)
    assert only == {
        "start": "2025-01-02T14:39:00+00:00",
        "open": 10.0,
        "high": 12.0,
        "low": 9.0,
        "close": 11.0,
        "volume": 9.0,
    }
    assert result_of("check", Path("lake") / "timeframe=1min")["symbols"][1]["accepted"] == 390


def test_daily_bars_go_the_same_way(tmp_path: Path) -> None:
    days = [date(2025, 1, 2), date(2025, 1, 3)]
    file = write_bars(tmp_path / "SPY.parquet", count=2, timestamp=pa.array(days))
    options = ("--timeframe", "1day")
    assert result_of("check", file, *options)["symbols"][0]["sessions"] == 2
    result_of("import", file, "--lake", "lake", *options)
    rows = result_of("show", "--lake", "lake", "SPY", "--from", "2025-01-03", *options)
    assert [row["start"] for row in rows] == ["2025-01-03T14:30:00+00:00"]


def test_rows_of_which_none_can_be_used_are_shown_and_are_no_data(tmp_path: Path) -> None:
    file = write_bars(tmp_path / "SPY.parquet", datetime(2025, 1, 4, 14, 30, tzinfo=UTC))
    ran = run("check", file, "--json")
    assert json.loads(ran.stdout)["symbols"][0]["rejected"] == {"outside_calendar": 390}
    assert isinstance(ran.exception, NoData)
    error, code = mistake("import", file, "--lake", "lake")
    assert (type(error), code) == (NoData, 3)
    assert not Path("lake").exists()


MISTAKES: dict[str, tuple[list[str], type[AdvisorError], int, str]] = {
    "no such file": (["check", "none"], BadInput, 2, "none does not exist"),
    "an empty folder": (["check", "empty"], NoData, 3, "folder empty holds no"),
    "no such symbol": (["check", "bars", "--symbol", "TSLA"], NoData, 3, "there are SPY"),
    "no such zone": (["check", "bars", "--tz", "Mars"], BadInput, 2, "'Mars' is no time zone"),
    "half a mapping": (["check", "bars", "--map", "close"], BadInput, 2, "COLUMN=NAME"),
    "an unknown column": (["check", "bars", "--map", "x=y"], BadInput, 2, "x is no column"),
    "no such settings": (["check", "bars", "--config", "no.toml"], BadInput, 2, "no.toml"),
    "no such lake": (["show", "--lake", "none"], BadInput, 2, "there is no lake at none"),
    "nothing in the lake": (["show", "--lake", "empty"], NoData, 3, "no 1min bars"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_sentence_and_an_exit_code(tmp_path: Path, name: str) -> None:
    arguments, kind, code, words = MISTAKES[name]
    (tmp_path / "empty").mkdir()
    write_bars(tmp_path / "bars" / "SPY.parquet", count=5)
    error, got = mistake(*arguments)
    assert (type(error), got) == (kind, code)
    assert words in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "arguments",
    [
        ["check"],
        ["check", "bars", "--label", "middle"],
        ["check", "bars", "--timeframe", "1week"],
        ["import", "bars"],
        ["show", "--lake", "lake", "SPY", "--limit", "0"],
        ["show", "--lake", "lake", "SPY", "--from", "yesterday"],
    ],
    ids=" ".join,
)
def test_options_that_make_no_sense_are_usage_errors(arguments: list[str]) -> None:
    ran = run(*arguments)
    assert ran.exit_code == 2
    assert ran.stdout == ""


def test_the_program_ends_with_the_code_and_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from advisor.cli import main; main()", "data", "check"]
    ran = subprocess.run([*command, "none.csv"], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr == "advisor: none.csv does not exist; name a file or a folder of bars\n"


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom advisor.commands.data import app\n"
        "assert CliRunner().invoke(app, ['check', '--help']).exit_code == 0\n"
        "heavy = {'pyarrow', 'duckdb', 'numba', 'numpy', 'pandas'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
