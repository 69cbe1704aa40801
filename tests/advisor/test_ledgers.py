"""A database's address is a ledger wherever a path is, and its password is nowhere to be seen."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import Result
from sqlalchemy import make_url
from typer.testing import CliRunner

from advisor.bootstrap import ReplayOptions
from advisor.cli import app
from advisor.demo import demo_market, demo_request
from advisor.exports import write_exports
from advisor.ledgers import folder_of, ledger_at, open_ledger
from advisor.replay import UnfinishedRun, replay
from advisor.requests import kept_request
from advisor.results import ReplayResult
from advisor.settings import Settings, load_settings
from advisor.summary import summarise
from tools.errors import BadInput, NoData
from tools.store import Store

SECRET = "s3cretpw"
OPTIONS = ReplayOptions(analyst="rules", validation="rules")
SETTINGS = Settings()


@pytest.fixture(scope="module")
def address(postgresql: str) -> Iterator[str]:
    """A database of its own, with a password that the server does not ask for."""
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute("CREATE DATABASE ledgers")
    url = make_url(postgresql).set(database="ledgers", password=SECRET)
    yield url.render_as_string(hide_password=False)
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute("DROP DATABASE ledgers WITH (FORCE)")


def without_password(address: str) -> str:
    return address.replace(f":{SECRET}@", "@")


def replayed(folder: Path, **changed: Any) -> ReplayResult:
    request = demo_request()
    market = demo_market(request, SETTINGS)
    return replay(request, replace(OPTIONS, **changed), SETTINGS, market, folder)


@pytest.fixture(scope="module")
def kept(address: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The demo, replayed into the database; the folder of its files."""
    folder = tmp_path_factory.mktemp("kept")
    result = replayed(folder, ledger=address)
    write_exports(result, summarise(result, SETTINGS), folder)
    return folder, result.run_id


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Runs a command in an empty folder; nothing that it says may hold the password."""
    monkeypatch.chdir(tmp_path)

    def asked(*arguments: str, code: int = 0) -> Result:
        done = CliRunner().invoke(app, list(arguments), catch_exceptions=True)
        assert SECRET not in done.output
        assert SECRET not in str(done.exception)
        assert (done.exit_code == 0) == (code == 0), done.output + str(done.exception)
        return done

    return asked


def test_a_replay_decides_the_same_wherever_it_is_kept(
    kept: tuple[Path, str], address: str, tmp_path: Path
) -> None:
    folder, run_id = kept
    here = replayed(tmp_path)
    write_exports(here, summarise(here, SETTINGS), tmp_path)
    assert here.run_id == run_id
    with Store.open(address, read_only=True) as store:
        assert store.heads(run_id) == here.chain_heads
    for name in ("cycles.parquet", "trades.parquet", "summary.json"):
        assert (folder / name).read_bytes() == (tmp_path / name).read_bytes()
    assert not (folder / "ledger.sqlite").exists()


def test_a_database_keeps_runs_beside_others(
    kept: tuple[Path, str], address: str, tmp_path: Path
) -> None:
    _, run_id = kept
    with Store.open(address) as store:
        store.start_run("another", kind="live", config_hash="c", code_version="1", config_json="{}")
    replayed(tmp_path, ledger=address, fresh=True)
    with Store.open(address) as store:
        assert {run.run_id for run in store.runs()} == {"another", run_id}
        store.discard_run("another")


def test_an_interrupted_run_in_a_database_is_spoken_about(address: str, tmp_path: Path) -> None:
    other = replace(OPTIONS, validation="off", ledger=address)
    market = demo_market(demo_request(), SETTINGS)
    done = replay(demo_request(), other, SETTINGS, market, tmp_path / "a")
    with Store.open(address) as store:
        store.discard_run(done.run_id)
        store.start_run(
            done.run_id, kind="replay", config_hash="c", code_version="1", config_json="{}"
        )
    with pytest.raises(UnfinishedRun, match=r"interrupted; say --resume") as caught:
        replay(demo_request(), other, SETTINGS, market, tmp_path / "a")
    assert SECRET not in str(caught.value)
    again = replay(demo_request(), replace(other, fresh=True), SETTINGS, market, tmp_path / "a")
    assert again.chain_heads == done.chain_heads
    with pytest.raises(UnfinishedRun, match="files of a different replay"):
        replayed(tmp_path / "a", ledger=address)
    with Store.open(address) as store:
        store.discard_run(done.run_id)


def test_a_request_names_its_database_without_the_password(
    kept: tuple[Path, str], address: str
) -> None:
    request = kept_request(kept[0])
    assert request.run == kept[1]
    assert request.ledger is not None
    assert make_url(request.ledger) == make_url(without_password(address))


def test_ledger_verify_and_upgrade(
    kept: tuple[Path, str], address: str, ask: Callable[..., Result]
) -> None:
    said = ask("ledger", "verify", address)
    assert f"run {kept[1]}" in said.output
    assert "intact" in said.output
    assert "is up to date; it holds 1 runs" in ask("ledger", "upgrade", address).output


def test_questions_are_answered(
    kept: tuple[Path, str], address: str, ask: Callable[..., Result]
) -> None:
    told = ask("ask", "P/L by symbol?", "--run", address)
    assert "trades" in told.output
    assert "ok" in ask("doctor", "--ledger", address, "--json").output


def test_an_index_of_a_database_stands_where_it_is_told(
    kept: tuple[Path, str], address: str, ask: Callable[..., Result]
) -> None:
    refused = ask("index", "build", address, code=1)
    assert isinstance(refused.exception, BadInput)
    assert "documents" in ask("index", "build", address, "--index", "idx").output
    assert "the index says what the ledger says" in (
        ask("index", "verify", address, "--index", "idx").output
    )


def test_an_evaluation_finds_the_ledger_by_the_request(
    kept: tuple[Path, str], address: str, ask: Callable[..., Result]
) -> None:
    folder = str(kept[0])
    ask("evaluate", folder, "--out", "one", "--placebos", "2")
    ask("evaluate", folder, "--out", "two", "--placebos", "2", "--ledger", address)
    one, two = (json.loads(Path(name, "evaluation.json").read_text()) for name in ("one", "two"))
    assert one == two


def test_the_settings_can_name_the_ledger(
    kept: tuple[Path, str], address: str, ask: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    nothing = ask("ledger", "verify", code=1)
    assert isinstance(nothing.exception, NoData)
    monkeypatch.setenv("ADVISOR_LEDGER__URL", address)
    refused = ask("ledger", "verify", code=1)
    assert "holds a password" in str(refused.exception)
    bare = without_password(address)
    monkeypatch.setenv("ADVISOR_LEDGER__URL", bare)
    assert kept[1] in ask("ledger", "verify").output
    assert "trades" in ask("ask", "P/L by symbol?").output


def test_retention_says_first_and_does_then(address: str, ask: Callable[..., Result]) -> None:
    with Store.open(address) as store:
        store.start_run("old", kind="replay", config_hash="c", code_version="1", config_json="{}")
    run = replayed(Path("out"), ledger=address, fresh=True).run_id
    with psycopg.connect(address) as connection:
        connection.execute(
            "UPDATE runs SET created_at = %s WHERE run_id = %s",
            [datetime.now(UTC) - timedelta(days=400), run],
        )
        connection.execute("DELETE FROM runs WHERE run_id = 'old'")
    assert "nothing has an age yet" in str(ask("ledger", "prune", address, code=1).exception)
    old = ["ledger", "prune", address, "--minutes-days", "30"]
    planned = json.loads(ask(*old, "--json").stdout)
    assert planned["applied"] is False
    rows = sum(lot["minute_rows"] for lot in planned["lots"])
    if not rows:  # the demo's session is not thirty days old yet
        pytest.skip("the demo's session is too new")
    assert "would go" in ask(*old).output
    assert "either" in str(ask(*old, "--apply", code=1).exception)
    assert "The chain is as it was" in ask(*old, "--apply", "--archive", "archive").output
    assert list(Path("archive").rglob("minutes-*.parquet"))
    told = ask("ledger", "verify", address).output.replace("\n", " ")
    assert f"{rows} minute rows" in told
    assert "intact" in told
    assert "nothing" in ask(*old).output


def test_places(tmp_path: Path) -> None:
    here = load_settings(None, {})
    with pytest.raises(NoData, match=r"set ledger\.url"):
        ledger_at(None, here)
    with pytest.raises(NoData, match="there is no ledger at"):
        ledger_at(tmp_path, here)
    (tmp_path / "ledger.sqlite").touch()
    assert ledger_at(tmp_path, here) == str(tmp_path / "ledger.sqlite")
    assert folder_of(tmp_path / "ledger.sqlite") == folder_of(tmp_path) == tmp_path
    assert folder_of("postgresql://h/d") is None
    assert ledger_at("postgresql://h/d", here) == "postgresql://h/d"
    with pytest.raises(BadInput):
        open_ledger("postgresql://h/d?sslmode=prefer", here)
