"""`advisor ask` and `advisor chat` on a synthetic session, as a person at the prompt meets them."""

import contextlib
import io
import json
import shutil
import sqlite3
import sys
from datetime import date
from pathlib import Path

import pytest

from advisor.bootstrap import ReplayOptions
from advisor.cli import main
from advisor.replay import replay
from tests.advisor.worlds import SETTINGS, market, request

DAY = date(2026, 10, 14)
Run = tuple[int, str, str]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    options = ReplayOptions(analyst="rules", validation="rules")
    replay(request(DAY, DAY), options, SETTINGS, market(DAY, DAY), folder)
    return folder


@pytest.fixture
def advisor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> object:
    """Run a command in this process; returns (exit code, stdout, stderr)."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: object, stdin: str = "") -> Run:
        monkeypatch.setattr(sys, "argv", ["advisor", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code = 0
        try:
            main()
        except SystemExit as left:
            code = int(left.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return run


def test_an_answer_names_its_sources(advisor, run_folder) -> None:  # type: ignore[no-untyped-def]
    code, out, err = advisor("ask", "How many signals were there today?", "--run", run_folder)
    assert code == 0
    assert out == ""
    assert "Signals (lane advised, 2026-10-14)" in err
    assert "As of 2026-10-14 16:01 New York. Sources: signals:advised:20261014-20261014" in err


def test_json_holds_the_rows_exactly(advisor, run_folder) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = advisor("ask", "P/L per symbol", "--run", run_folder, "--json")
    reply = json.loads(out)
    assert code == 0
    assert reply["answered"]
    assert reply["why"] is None
    kinds = {row["id"]: row for row in reply["citations"]}
    for sentence in reply["sentences"]:
        assert sentence["cites"]
        assert set(sentence["cites"]) <= set(kinds)


def test_a_refusal_is_an_exit_code(advisor, run_folder) -> None:  # type: ignore[no-untyped-def]
    for question, code, said in (
        ("P/L of TSLA", 2, "not a symbol of this run"),
        ("Buy 100 NVDA", 2, "I can only read"),
        ("P/L on October 11th", 3, "a Sunday"),
        ("P/L in September 2026", 3, "covers 2026-10-14"),
    ):
        got, out, err = advisor("ask", question, "--run", run_folder)
        assert (got, out) == (code, "")
        assert said in err


def test_an_earlier_moment_knows_less(advisor, run_folder) -> None:  # type: ignore[no-untyped-def]
    question = "How many analyses were there today?"
    late = json.loads(advisor("ask", question, "--run", run_folder, "--json")[1])
    early = advisor("ask", question, "--run", run_folder, "--as-of", "2026-10-14T10:31", "--json")
    assert late["text"].endswith(": 26.")
    assert json.loads(early[1])["text"].endswith(": 5.")


def test_questions_come_from_stdin_and_follow_each_other(advisor, run_folder) -> None:  # type: ignore[no-untyped-def]
    code, _, err = advisor("ask", "-", "--run", run_folder, stdin="How many trades today?\n")
    assert code == 0
    assert "Trades (lane advised, 2026-10-14)" in err
    code, _, err = advisor(
        "chat", "--run", run_folder, stdin="P/L of SPY today?\nand QQQ?\nwho are you?\nquit\n"
    )
    assert code == 0
    assert "P/L (SPY, lane advised, 2026-10-14)" in err
    assert "P/L (QQQ, lane advised, 2026-10-14)" in err
    assert "“who”" in err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--run", "nowhere"), 3, "there is no ledger at nowhere"),
        (("--as-of", "noon-ish"), 2, "--as-of is 'noon-ish'"),
        (("--lane", "secret"), 2, "no lane 'secret'"),
    ],
)
def test_what_cannot_be_used_is_said(advisor, run_folder, words, code, said) -> None:  # type: ignore[no-untyped-def]
    place = () if "--run" in words else ("--run", run_folder)
    got, _, err = advisor("ask", "P/L today", *place, *words)
    assert got == code
    assert said in err


def test_an_index_of_an_older_schema_takes_only_the_search(advisor, run_folder, tmp_path) -> None:  # type: ignore[no-untyped-def]
    shutil.copy(run_folder / "ledger.sqlite", tmp_path)
    assert advisor("index", "build", tmp_path)[0] == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "index.sqlite")) as index:
        index.execute("PRAGMA user_version = 0")
    for question, expected, said in (
        ("How many signals were there today?", 0, "Signals (lane advised, 2026-10-14)"),
        ("Why were signals skipped today?", 0, "lane advised, 2026-10-14"),
        ("find notes on breadth", 3, "older schema (0; this program reads"),
    ):
        code, _, err = advisor("ask", question, "--run", tmp_path)
        assert (code, said in err) == (expected, True), err
