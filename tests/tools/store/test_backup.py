"""Backup and restore: taken while the ledger is written, verified, and gone on with."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from advisor.cli import app, exit_code
from tests.tools.store.examples import keep_history
from tools.errors import AdvisorError, BadInput, NoData, Transient
from tools.store import Store
from tools.store.backup import back_up

RUNS = 3


@contextmanager
def written(place: str, runs: int) -> Iterator[None]:
    """While another process writes a ledger, from the moment it has written some runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.tools.store.writing", place],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        while int(process.stdout.readline()) + 1 < runs:
            pass
        yield
        assert process.poll() is None, "the writer was disturbed"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def heads(place: str | Path) -> dict[str, dict[str, str]]:
    """The heads of every run of a ledger; its chains must hold."""
    with Store.open(place, read_only=True) as store:
        assert all(store.verify_chain(run.run_id).intact for run in store.runs())
        return {run.run_id: store.heads(run.run_id) for run in store.runs()}


def test_a_file_is_backed_up_while_another_process_writes_it(tmp_path: Path) -> None:
    ledger, target = tmp_path / "ledger.sqlite", tmp_path / "kept" / "monday.sqlite"
    target.parent.mkdir()
    with written(str(ledger), RUNS):
        reports = back_up(ledger, target)
    assert len(reports) >= RUNS
    assert [one.name for one in target.parent.iterdir()] == ["monday.sqlite"]

    restored = tmp_path / "restored" / "ledger.sqlite"
    restored.parent.mkdir()
    shutil.copy(target, restored)
    kept, source = heads(restored), heads(ledger)
    # All but the last run were whole when the copy was made: their chains are the same ones.
    whole = list(kept)[:-1]
    assert len(whole) >= RUNS - 1
    assert {run: kept[run] for run in whole} == {run: source[run] for run in whole}
    with Store.open(restored) as store:  # and it goes on
        keep_history(store, "after the restore")
    assert set(heads(restored)) == {*kept, "after the restore"}


def test_the_command_says_what_it_kept(tmp_path: Path) -> None:
    with Store.open(tmp_path / "ledger.sqlite") as store:
        keep_history(store)
    target = tmp_path / "copy.sqlite"
    done = CliRunner().invoke(app, ["ledger", "backup", str(tmp_path), str(target)])
    assert done.exit_code == 0
    assert "1 run(s)" in done.output
    assert "verified" in done.output
    assert CliRunner().invoke(app, ["ledger", "verify", str(target)]).exit_code == 0


def refused(source: Path, target: Path) -> AdvisorError:
    with pytest.raises(AdvisorError) as found:
        back_up(source, target)
    return found.value


def test_what_cannot_be_backed_up_is_said_and_leaves_no_backup(tmp_path: Path) -> None:
    ledger, target = tmp_path / "ledger.sqlite", tmp_path / "copy.sqlite"
    missing = refused(ledger, target)
    assert isinstance(missing, NoData)
    assert exit_code(missing) == 3

    with Store.open(ledger) as store:
        keep_history(store)
    assert isinstance(refused(ledger, tmp_path / "nowhere" / "copy.sqlite"), Transient)
    taken = tmp_path / "taken"
    taken.write_text("precious")
    assert isinstance(refused(ledger, taken), BadInput)
    assert taken.read_text() == "precious"

    with sqlite3.connect(ledger) as connection:
        connection.execute("UPDATE trades SET pnl = '1000000'")
    connection.close()
    damaged = refused(ledger, target)
    assert "damaged" in str(damaged)
    assert "trades" in str(damaged)
    ledger.write_bytes(b"no database at all" * 500)
    assert "not a readable database" in str(refused(ledger, target))
    assert not target.exists()


def tool(name: str) -> str:
    """A program of PostgreSQL, of the version that the tests' server has."""
    pgserver = pytest.importorskip("pgserver")
    return str(Path(pgserver.__file__).parent / "pginstall" / "bin" / name)


@pytest.mark.slow
def test_postgresql_is_dumped_while_it_is_written_and_restored(
    postgresql: str, tmp_path: Path
) -> None:
    """The commands of docs/operations.md, into a fresh database."""
    admin = create_engine(postgresql.replace("postgresql:", "postgresql+psycopg:"))

    def database(name: str) -> str:
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            connection.execute(text(f"CREATE DATABASE {name}"))
        return postgresql.replace("/postgres?", f"/{name}?")

    source, target, dump = database("ledger"), database("restored"), tmp_path / "ledger.dump"
    try:
        with written(source, RUNS):
            run = [tool("pg_dump"), "--format=custom", f"--file={dump}", source]
            subprocess.run(run, check=True)
        run = [tool("pg_restore"), "--exit-on-error", "--single-transaction", "--no-owner"]
        subprocess.run([*run, f"--dbname={target}", str(dump)], check=True)
        kept, there = heads(target), heads(source)
        whole = list(kept)[:-1]
        assert len(whole) >= RUNS - 1
        assert {run_id: kept[run_id] for run_id in whole} == {one: there[one] for one in whole}
        assert CliRunner().invoke(app, ["ledger", "verify", target]).exit_code == 0
        done = CliRunner().invoke(app, ["ledger", "upgrade", target])
        assert "is up to date" in done.output
        with Store.open(target) as store:  # sequences were restored too
            keep_history(store, "after the restore")
        assert "after the restore" in heads(target)
    finally:
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for name in ("ledger", "restored"):
                connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        admin.dispose()
