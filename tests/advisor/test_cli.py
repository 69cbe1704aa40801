"""The command line as a newcomer meets it: exit codes, one clear sentence, never a traceback."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from advisor.cli import main
from advisor.commands.output import without_password
from advisor.exports import CYCLES, REJECTIONS, SIGNALS, TRADES
from tests.advisor.test_model_replay import answers
from tests.stand_ins.anthropic import anthropic_stand_in

Run = tuple[int, str, str]


@pytest.fixture
def advisor(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> object:
    """Run a command in this process; returns (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: object) -> Run:
        monkeypatch.setattr(sys, "argv", ["advisor", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as left:
            code = int(left.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return run


def january(market_data: Path) -> list[object]:
    bars = market_data / "bars"
    return [
        "replay", "--bars", bars / "1min" / "us-2025-01", "--daily",
        bars / "1day" / "us-2024-2026", "--symbols", "SPY,NVDA,SNOW",
    ]  # fmt: skip


def bars_csv(folder: Path, rows: list[str], name: str = "SPY.csv") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("timestamp,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    return folder


def minute(number: int, prices: str = "10,11,9,10.5", volume: str = "100") -> str:
    return f"2025-01-02T14:{30 + number:02d}:00+00:00,{prices},{volume}"


def test_the_exports_have_their_documented_columns(advisor, market_data, tmp_path) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = advisor(
        *january(market_data), "--from", "2025-01-08", "--to", "2025-01-10",
        "--out", tmp_path / "o", "--json",
    )  # fmt: skip
    assert code == 0
    summary = json.loads(out)
    assert summary == json.loads((tmp_path / "o" / "summary.json").read_text())
    assert summary["sessions"] == ["2025-01-08", "2025-01-10"]
    for name, schema in {
        "cycles": CYCLES, "signals": SIGNALS, "trades": TRADES, "rejections": REJECTIONS,
    }.items():  # fmt: skip
        assert pq.read_schema(tmp_path / "o" / f"{name}.parquet").equals(schema), name
    cycles = pq.read_table(tmp_path / "o" / "cycles.parquet")
    assert set(pc.unique(cycles["state"]).to_pylist()) <= {
        "idle", "mr_armed", "tc_armed", "triggered", "in_trade", "cooldown",
    }  # fmt: skip
    refused = pq.read_table(tmp_path / "o" / "rejections.parquet")
    assert pc.sum(pc.equal(refused["reason"], "outside_calendar")).as_py() > 1000
    assert (tmp_path / "o" / "report.html").stat().st_size < 2_000_000


def test_two_replays_give_the_same_bytes(advisor, market_data, tmp_path) -> None:  # type: ignore[no-untyped-def]
    for folder in ("a", "b"):
        code, _, _ = advisor(
            *january(market_data), "--from", "2025-01-08", "--to", "2025-01-08", "--validation",
            "rules", "--out", tmp_path / folder,
        )  # fmt: skip
        assert code == 0
    for path in sorted((tmp_path / "a").rglob("*")):
        if path.suffix in (".parquet", ".json", ".html"):
            other = tmp_path / "b" / path.relative_to(tmp_path / "a")
            assert path.read_bytes() == other.read_bytes(), path.name


def test_analyst_none_is_the_baseline_lane_alone(advisor, market_data, tmp_path) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = advisor(
        *january(market_data), "--from", "2025-01-08", "--to", "2025-01-08", "--analyst", "none",
        "--validation", "off", "--out", tmp_path / "o", "--json",
    )  # fmt: skip
    assert code == 0
    assert list(json.loads(out)["lanes"]) == ["baseline"]
    assert not (tmp_path / "o" / "lanes").exists()


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--from", "2025-01-09", "--to", "2025-01-09"], 2, "2025-01-09 is no session"),
        (["--from", "2025-01-11", "--to", "2025-01-12"], 2, "2025-01-10 and 2025-01-13"),
        (["--from", "2025-01-10", "--to", "2025-01-08"], 2, "swap them"),
        (["--from", "2025-03-03", "--to", "2025-03-04"], 3, "2025-01-02 to 2025-01-31"),
        (["--from", "2025-01-08", "--to", "2025-01-08", "--symbols", "ZZZZ"], 3, "ZZZZ"),
        (["--from", "2025-01-08", "--to", "2025-01-08", "--symbols", "SPY,SPY"], 2, "SPY twice"),
        (["--from", "2025-01-08", "--to", "2025-01-08", "--symbols", ","], 2, "at least one"),
        (["--from", "2025-01-08", "--to", "2025-01-08", "--resume", "--fresh"], 2, "contradict"),
        (["--from", "08.01.2025", "--to", "2025-01-08"], 2, "08.01.2025"),
        (["--from", "2025-01-08", "--to", "2025-01-08", "--bars", "nowhere"], 2, "nowhere"),
        (["--from", "2025-01-08", "--to", "2025-01-08", "--daily", "nowhere"], 2, "nowhere"),
        (["--from", "2025-01-08", "--to", "2025-01-08", "--config", "none.toml"], 2, "none.toml"),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_met_gets_a_sentence(  # type: ignore[no-untyped-def]
    advisor, market_data, tmp_path, words, code, sentence
) -> None:
    got, out, err = advisor(*january(market_data), "--out", tmp_path / "o", *words)
    assert got == code, err
    assert sentence in " ".join(err.split())
    assert not out


def test_a_symbol_without_daily_history_is_replayed_and_said(
    advisor, market_data, tmp_path
) -> None:  # type: ignore[no-untyped-def]
    words = january(market_data)
    del words[3:5]
    code, out, err = advisor(
        *words, "--from", "2025-01-08", "--to", "2025-01-08", "--out", tmp_path / "o", "--json"
    )
    assert code == 0, err
    summary = json.loads(out)
    assert any("SNOW has no daily bars" in note for note in summary["notes"])
    assert summary["lanes"]["baseline"]["signals"] == 0


def test_bad_rows_are_counted_and_listed_with_file_row_and_value(advisor, tmp_path) -> None:  # type: ignore[no-untyped-def]
    rows = [
        minute(0), minute(1, "10,9,9,10"), minute(2, "10,11,10.7,10.5"), minute(3, "10,11,9,-1"),
        minute(4, "nan,11,9,10"), minute(5, volume="-5"), minute(6, volume=""), minute(7),
        minute(7), minute(0), "2025-01-02T21:00:00+00:00,10,11,9,10,5", minute(8, volume="0"),
        minute(9, "ten,11,9,10"), "2025-01-02T14:50:30+00:00,10,11,9,10,5",
    ]  # fmt: skip
    code, out, err = advisor(
        "replay", "--bars", bars_csv(tmp_path / "bars", rows), "--symbols", "SPY", "--from",
        "2025-01-02", "--to", "2025-01-02", "--out", tmp_path / "o", "--json",
    )  # fmt: skip
    assert code == 0, err
    counts = {row["reason"]: row["count"] for row in json.loads(out)["bars"]["rejected"]}
    assert counts == {
        "nan_or_non_positive_price": 4, "high_below_open_or_close": 1,
        "low_above_open_or_close": 1, "negative_volume": 1, "duplicate": 2,
        "outside_calendar": 1, "not_on_a_minute": 1,
    }  # fmt: skip
    assert json.loads(out)["bars"]["accepted"] == {"SPY": 3}
    listed = pq.read_table(tmp_path / "o" / "rejections.parquet").to_pylist()
    high = next(row for row in listed if row["reason"] == "high_below_open_or_close")
    assert (high["row"], Path(high["file"]).name) == (2, "SPY.csv")
    assert "9" in high["value"]


@pytest.mark.parametrize(
    ("header", "row", "sentence"),
    [
        ("timestamp,open,high,low,volume", "2025-01-02T14:30:00Z,1,1,1,1", "close"),
        ("timestamp,open,high,low,close,volume", "2025-01-02 09:30:00,1,1,1,1,1", "zone"),
        ("timestamp,open,high,low,close,volume", "yesterday,1,1,1,1,1", "yesterday"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_what_is_wrong(  # type: ignore[no-untyped-def]
    advisor, tmp_path, header, row, sentence
) -> None:
    (tmp_path / "SPY.csv").write_text(f"{header}\n{row}\n")
    code, _, err = advisor(
        "replay", "--bars", tmp_path / "SPY.csv", "--symbols", "SPY", "--from", "2025-01-02",
        "--to", "2025-01-02", "--out", tmp_path / "o",
    )  # fmt: skip
    assert code == 2
    assert "SPY.csv" in err
    assert sentence in err


def test_settings_say_how_naive_times_are_to_be_read(advisor, tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "SPY.csv").write_text(
        "timestamp,open,high,low,close,volume\n2025-01-02 09:31:00,10,11,9,10,5\n"
    )
    (tmp_path / "advisor.toml").write_text("[bars]\ntimezone = 'America/New_York'\nlabel = 'end'\n")
    code, _, err = advisor(
        "replay", "--bars", tmp_path / "SPY.csv", "--symbols", "SPY", "--from", "2025-01-02",
        "--to", "2025-01-02", "--out", tmp_path / "o",
    )  # fmt: skip
    assert code == 0, err
    cycle = pq.read_table(tmp_path / "o" / "cycles.parquet").to_pylist()[0]
    assert str(cycle["timestamp"]) == "2025-01-02 14:30:00+00:00"


def test_the_demo_runs_without_data_and_says_what_next(advisor, tmp_path) -> None:  # type: ignore[no-untyped-def]
    code, out, err = advisor("demo", "--out", tmp_path / "demo")
    assert code == 0, err
    assert not out
    assert "SYNTHETIC" in err
    assert "report.html" in err
    summary = json.loads((tmp_path / "demo" / "summary.json").read_text())
    assert summary["feed"] == "synthetic"
    assert list(summary["lanes"]) == ["advised", "baseline", "placebo"]
    assert summary["lanes"]["advised"]["metrics"]["trades"] > 0
    assert advisor("ledger", "verify", tmp_path / "demo")[0] == 0


def test_a_changed_ledger_is_reported_with_its_own_exit_code(advisor, tmp_path) -> None:  # type: ignore[no-untyped-def]
    import sqlite3

    advisor("demo", "--out", tmp_path / "demo")
    with sqlite3.connect(tmp_path / "demo" / "ledger.sqlite") as database:
        database.execute("update trades set pnl = '1000000'")
    code, out, err = advisor("ledger", "verify", tmp_path / "demo", "--json")
    assert code == 5
    assert "BROKEN" in err
    assert next(iter(json.loads(out).values()))["broken"]


def test_an_unusable_folder_is_refused_before_anything_is_read(advisor, tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("")
    code, _, err = advisor("demo", "--out", tmp_path / "file")
    assert code == 2
    assert str(tmp_path / "file") in err


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_replay_that_is_killed_goes_on_where_it_was(  # type: ignore[no-untyped-def]
    market_data: Path, tmp_path: Path, stop: signal.Signals
) -> None:
    """A real process, a real signal, at whatever moment it lands; then the same bytes."""
    program = [sys.executable, "-c", "from advisor.cli import main; main()"]
    request = [
        *map(str, january(market_data)), "--from", "2025-01-02", "--to", "2025-01-31",
        "--validation", "rules",
    ]  # fmt: skip
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run([*program, *request, "--out", str(whole)], check=True, capture_output=True)
    killed = subprocess.Popen(
        [*program, *request, "--out", str(cut)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    ledger = cut / "ledger.sqlite-wal"
    waited = time.monotonic() + 60
    while not (ledger.exists() and ledger.stat().st_size > 500_000) and time.monotonic() < waited:
        time.sleep(0.01)
    killed.send_signal(stop)
    assert killed.wait() in (130, -signal.SIGKILL)
    again = [*program, *request, "--out", str(cut)]
    assert subprocess.run(again, capture_output=True, check=False).returncode == 4
    subprocess.run([*again, "--resume"], check=True, capture_output=True)
    for path in whole.rglob("*.parquet"):
        assert (cut / path.relative_to(whole)).read_bytes() == path.read_bytes(), path.name
    assert (cut / "summary.json").read_bytes() == (whole / "summary.json").read_bytes()


def test_results_are_readable_by_pandas_users(advisor, tmp_path) -> None:  # type: ignore[no-untyped-def]
    advisor("demo", "--out", tmp_path / "demo")
    trades = pq.read_table(tmp_path / "demo" / "trades.parquet").to_pandas()
    assert str(trades["entry_time"].dt.tz) == "UTC"
    assert pa.types.is_floating(TRADES.field("pnl").type)
    assert (trades["exit_time"] >= trades["entry_time"]).all()


def day_of(rows: list[str], number: int) -> list[str]:
    return [row.replace("2025-01-02", f"2025-01-{number:02d}") for row in rows]


def test_a_session_that_one_symbol_lacks_is_a_reported_gap(advisor, tmp_path) -> None:  # type: ignore[no-untyped-def]
    rows = [minute(number) for number in range(25)]
    bars_csv(tmp_path / "bars", rows + day_of(rows, 3), "QQQ.csv")
    bars_csv(tmp_path / "bars", rows, "SPY.csv")
    code, out, err = advisor(
        "replay", "--bars", tmp_path / "bars", "--symbols", "SPY,QQQ", "--from", "2025-01-02",
        "--to", "2025-01-03", "--out", tmp_path / "o", "--json",
    )  # fmt: skip
    assert code == 0, err
    missing = {(g["symbol"], g["date"]): g["missing_minutes"] for g in json.loads(out)["gaps"]}
    assert missing["SPY", "2025-01-03"] == 390
    assert missing["QQQ", "2025-01-03"] == 365


def test_when_every_row_is_refused_reason_file_and_row_are_named(advisor, tmp_path) -> None:  # type: ignore[no-untyped-def]
    bars_csv(tmp_path / "bars", [minute(number, "-1,-1,-1,-1") for number in range(9)])
    code, _, err = advisor(
        "replay", "--bars", tmp_path / "bars", "--symbols", "SPY", "--from", "2025-01-02", "--to",
        "2025-01-02", "--out", tmp_path / "o",
    )  # fmt: skip
    assert code == 3
    assert "9 nan_or_non_positive_price" in err
    assert "SPY.csv, row 1" in err


def test_longer_bars_are_not_taken_for_minutes(advisor, tmp_path) -> None:  # type: ignore[no-untyped-def]
    start = [(30 + 5 * number) for number in range(30)]
    rows = [f"2025-01-02T{14 + m // 60}:{m % 60:02d}:00Z,10,11,9,10,100" for m in start]
    code, _, err = advisor(
        "replay", "--bars", bars_csv(tmp_path / "bars", rows), "--symbols", "SPY", "--from",
        "2025-01-02", "--to", "2025-01-02", "--out", tmp_path / "o",
    )  # fmt: skip
    assert code == 2
    assert "5-minute bars" in err


def test_results_are_not_written_among_the_bars(advisor, tmp_path) -> None:  # type: ignore[no-untyped-def]
    bars = bars_csv(tmp_path / "bars", [minute(0)])
    code, _, err = advisor(
        "replay", "--bars", bars, "--symbols", "SPY", "--from", "2025-01-02", "--to",
        "2025-01-02", "--out", bars / "o",
    )  # fmt: skip
    assert code == 2
    assert "lies in the bars' folder" in err


def test_rows_after_the_last_session_replayed_are_not_refused(
    advisor, market_data, tmp_path
) -> None:  # type: ignore[no-untyped-def]
    """Daily bars that go on to 2021 are history nobody needs in 2018, not bad rows."""
    bars = market_data / "bars"
    code, out, err = advisor(
        "replay", "--bars", bars / "1min" / "us-2018", "--daily", bars / "1day" / "lean",
        "--symbols", "AAPL", "--from", "2018-03-01", "--to", "2018-03-01", "--out",
        tmp_path / "o", "--json",
    )  # fmt: skip
    assert code == 0, err
    refused = json.loads(out)["bars"]["rejected"]
    assert [row["count"] for row in refused if row["kind"] == "daily_bar"] == []


def test_an_old_daily_history_is_said(advisor, market_data, tmp_path) -> None:  # type: ignore[no-untyped-def]
    bars = market_data / "bars"
    code, out, _ = advisor(
        "replay", "--bars", bars / "1min" / "us-2025-11", "--daily", bars / "1day" / "lean",
        "--symbols", "SPY", "--from", "2025-11-13", "--to", "2025-11-13", "--out", tmp_path / "o",
        "--json",
    )  # fmt: skip
    assert code == 0
    assert any("end on 2021-03-31" in note for note in json.loads(out)["notes"])


def test_a_fresh_run_leaves_nothing_of_the_old_one(advisor, market_data, tmp_path) -> None:  # type: ignore[no-untyped-def]
    day = [*january(market_data), "--from", "2025-01-08", "--to", "2025-01-08", "--out", tmp_path]
    assert advisor(*day)[0] == 0
    assert (tmp_path / "lanes" / "placebo").is_dir()
    assert advisor(*day, "--analyst", "none", "--fresh")[0] == 0
    assert not (tmp_path / "lanes").exists() or not any((tmp_path / "lanes").iterdir())
    assert advisor("ledger", "verify", tmp_path)[0] == 0


def test_a_full_disk_or_a_folder_in_the_way_is_a_sentence(advisor, tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "demo" / "cycles.parquet").mkdir(parents=True)
    code, _, err = advisor("demo", "--out", tmp_path / "demo")
    assert code == 2
    assert "cycles.parquet" in err


def test_a_ledger_without_its_runs_is_not_called_intact(advisor, tmp_path) -> None:  # type: ignore[no-untyped-def]
    import sqlite3

    advisor("demo", "--out", tmp_path / "demo")
    with sqlite3.connect(tmp_path / "demo" / "ledger.sqlite") as database:
        database.execute("delete from runs")
    code, _, err = advisor("ledger", "verify", tmp_path / "demo")
    assert code == 5
    assert "holds no run" in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--mask"], "--mask is about a language model, and none is asked"),
        (["--verbose"], "--verbose is about a language model"),
        (["--pace", "0"], "--pace is 0; give the seconds that a minute takes"),
        (["--pace", "nan", "--analyst", "model"], "--pace is nan"),
    ],
)
def test_a_manner_of_replaying_that_cannot_be_is_said(advisor, tmp_path, options, words) -> None:  # type: ignore[no-untyped-def]
    bars = bars_csv(tmp_path / "bars", [minute(0)])
    code, out, err = advisor(
        "replay", "--bars", bars, "--from", "2025-01-02", "--to", "2025-01-02",
        "--out", tmp_path / "o", *options,
    )  # fmt: skip
    assert (code, out) == (2, "")
    assert words in err


def test_steps_of_the_machines_are_told_on_stderr_and_results_alone_on_stdout(  # type: ignore[no-untyped-def]
    advisor, market_data, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
    words = [
        *january(market_data), "--from", "2025-01-08", "--to", "2025-01-08", "--symbols", "SPY",
        "--analyst", "model", "--json",
    ]  # fmt: skip
    with anthropic_stand_in(answers) as server:
        monkeypatch.setenv("ADVISOR_LLM__ANTHROPIC_BASE_URL", server.url)
        code, out, calm = advisor(*words, "--out", tmp_path / "calm")
        assert (code, calm) == (0, "")
        assert json.loads(out)["analyst"] == "model"
        code, out, told = advisor(*words, "--out", tmp_path / "told", "-v")
    assert code == 0
    assert json.loads(out)["analyst"] == "model"
    lines = told.splitlines()
    assert "2025-01-08 10:15  market_analysis: assess: the model answered" in lines
    assert len([line for line in lines if ": bound" in line]) == 26


def test_the_schedule_lists_what_is_due_and_says_when_there_is_nothing_to_run(  # type: ignore[no-untyped-def]
    advisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = advisor("schedule", "--next", "4", "--json")
    assert code == 0
    commands = {row["job"]: row["command"] for row in json.loads(out)}
    nothing = dict.fromkeys(("premarket", "session_start", "session_end"))
    assert commands == {**nothing, "nightly": "advisor index build"}
    assert json.loads(out) == sorted(json.loads(out), key=lambda row: row["due"])
    monkeypatch.setenv("ADVISOR_SCHEDULE__NIGHTLY", "")
    code, out, err = advisor("schedule", "run")
    assert (code, out) == (2, "")
    assert "under [schedule] in advisor.toml" in err


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("out/ledger.sqlite", "out/ledger.sqlite"),
        ("postgresql://advisor:hunter2@db/advisor", "postgresql://advisor@db/advisor"),
        ("postgresql://db/advisor", "postgresql://db/advisor"),
        ("sqlite:////tmp/a@b.sqlite", "sqlite:////tmp/a@b.sqlite"),
    ],
)
def test_a_place_is_shown_without_its_password(place: str, shown: str) -> None:
    assert without_password(place) == shown
