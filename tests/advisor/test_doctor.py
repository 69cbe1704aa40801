"""The doctor looks at real things: a broker stand-in, a real ledger, a folder."""

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from advisor.cli import app
from tests.stand_ins.alpaca import KEY, SECRET, AlpacaStandIn, alpaca_stand_in


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[AlpacaStandIn]:
    with alpaca_stand_in() as running:
        running.exchange.now = datetime.now(UTC)
        monkeypatch.setenv("APCA_API_KEY_ID", KEY)
        monkeypatch.setenv("APCA_API_SECRET_KEY", SECRET)
        monkeypatch.setenv("ADVISOR_BROKER__BASE_URL", running.url)
        yield running


@pytest.fixture(autouse=True)
def no_model_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


def examined(*arguments: object) -> tuple[int, dict[str, dict[str, Any]]]:
    ran = CliRunner().invoke(app, ["doctor", "--json", *map(str, arguments)])
    return ran.exit_code, {one["check"]: one for one in json.loads(ran.stdout)}


def outcomes(found: dict[str, dict[str, Any]], *names: str) -> list[str]:
    return [found[name]["outcome"] for name in names]


def test_with_nothing_set_up_nothing_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("APCA_API_KEY_ID", raising=False)
    code, found = examined("--folder", tmp_path)
    assert code == 0
    assert outcomes(found, "calendar", "disk", "broker", "clock", "model") == [
        "ok", "ok", "off", "off", "off",
    ]  # fmt: skip
    assert "ANTHROPIC_API_KEY" in found["model"]["found"]


def test_a_broker_that_answers_is_described(server: AlpacaStandIn, tmp_path: Path) -> None:
    code, found = examined("--folder", tmp_path)
    assert (code, outcomes(found, "broker", "clock")) == (0, ["ok", "ok"])
    assert "paper account PA0000000001: equity $100,000.00" in found["broker"]["found"]
    assert SECRET not in json.dumps(found)
    server.exchange.shorting = False
    assert outcomes(examined("--folder", tmp_path)[1], "broker") == ["warn"]


def test_what_is_wrong_fails_and_the_other_checks_are_made(
    server: AlpacaStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.exchange.account_fields = {"trading_blocked": True}
    server.exchange.now = datetime.now(UTC) - timedelta(minutes=2)
    monkeypatch.setenv("OPENAI_API_KEY", "of another provider")
    code, found = examined("--folder", tmp_path / "absent", "--ledger", tmp_path)
    assert code == 2
    assert outcomes(found, "disk", "ledger", "broker", "clock", "model") == ["fail"] * 5
    assert "trading_blocked" in found["broker"]["found"]
    monkeypatch.setenv("APCA_API_SECRET_KEY", "wrong")
    assert "refused the keys" in examined()[1]["broker"]["found"]


def test_the_gates_before_live_money_are_shown(
    server: AlpacaStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gates = examined("--folder", tmp_path)[1]["live money"]
    assert (gates["outcome"], gates["found"]) == (
        "off", "locked, 3 of 3 gates are closed; paper is traded",
    )  # fmt: skip
    approval = tmp_path / "approval.toml"
    approval.write_text(
        'account = "PA0000000001"\napproved_by = "Ann"\nexpires = 2999-01-01\nmax_equity = 2e5\n'
    )
    monkeypatch.setenv("ADVISOR_BROKER__MODE", "live")
    monkeypatch.setenv("ADVISOR_BROKER__APPROVAL_FILE", str(approval))
    gates = examined("--folder", tmp_path)[1]["live money"]
    assert (gates["outcome"], gates["found"]) == ("warn", "locked, 1 of 3 gates are closed")
    monkeypatch.setenv("ADVISOR_LIVE_MONEY", "I-accept-the-risk")
    assert "trades live money" in examined("--folder", tmp_path)[1]["live money"]["found"]


@pytest.mark.slow
def test_a_ledger_is_read_again_whole(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["demo", "--out", str(tmp_path)]).exit_code == 0
    assert outcomes(examined("--ledger", tmp_path)[1], "ledger") == ["ok"]
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        connection.execute("update trades set quantity = quantity + 1")
    connection.close()
    code, found = examined("--ledger", tmp_path)
    assert (code, found["ledger"]["outcome"]) == (2, "fail")
    assert "backup" in found["ledger"]["todo"]
