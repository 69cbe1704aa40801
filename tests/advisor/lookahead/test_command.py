"""`advisor check lookahead` as a user meets it: exit codes, JSON, and what is said."""

import json
import sys
from dataclasses import replace

import pytest

from advisor.cli import main
from advisor.lookahead import checking
from advisor.lookahead.leaks import minutes_late
from advisor.market import assemble


@pytest.fixture
def lookahead(monkeypatch, capsys, tmp_path, market_data):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    bars = market_data / "bars"

    def run(*words):
        given = [
            "check", "lookahead", "--bars", bars / "1min" / "us-2025-01", "--daily",
            bars / "1day" / "us-2024-2026", "--from", "2025-01-21", "--to", "2025-01-24",
            "--symbols", "SPY",
        ]  # fmt: skip
        monkeypatch.setattr(sys, "argv", ["advisor", *map(str, given), *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as left:
            code = int(left.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return run


def test_recorded_bars_pass_and_the_report_says_what_was_compared(lookahead):
    code, out, err = lookahead("--cuts", "3", "--json")
    assert code == 0
    assert "No look-ahead" in err
    assert "a band that knows the next minute: caught" in err
    found = json.loads(out)
    assert found["passed"] is True
    assert len(found["moments"]) == 3
    assert {one["future"] for one in found["comparisons"]} == {"cut", "noise"}
    assert all(one["first"] == "" for one in found["comparisons"])
    assert all(one["caught"] for one in found["canaries"])
    assert len(found["memories"]) == 168
    assert {one["late"] for one in found["timings"]} == {-1, 0, 1}


def test_a_look_ahead_is_exit_code_6_and_named(lookahead, monkeypatch):
    def leaking(request, settings, rows):
        return minutes_late(-1)(assemble(request, settings, *rows))

    monkeypatch.setattr(
        checking.check, "__kwdefaults__",
        {**checking.check.__kwdefaults__, "pipeline": replace(checking.OURS, prepare=leaking)},
    )  # fmt: skip
    code, out, err = lookahead("--cut", "2025-01-22 10:37", "--json")
    assert code == 6
    assert "LOOK-AHEAD FOUND" in err
    assert "2025-01-22 10:37" in err
    assert json.loads(out)["passed"] is False


@pytest.mark.parametrize("cut", ["2025-01-22 09:30", "2025-01-22 16:01", "2025-01-25 12:00"])
def test_a_moment_outside_the_sessions_is_refused(lookahead, cut):
    code, _, err = lookahead("--cut", cut)
    assert code == 2
    assert f"--cut {cut} cannot be checked" in err


def test_what_was_not_tested_is_said(lookahead):
    code, _, err = lookahead("--cut", "2025-01-21 09:31", "--analyst", "none")
    assert code == 0
    assert "decisions and trades were not tested" in err


def test_symbols_without_bars_are_named(lookahead):
    code, _, err = lookahead("--symbols", "ZZZZ")
    assert code == 3
    assert "ZZZZ" in err
