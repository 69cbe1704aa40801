"""What can be wrong with the place where a ledger is kept, in sentences; and nothing is lost."""

import contextlib
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools.store import examples as ex
from tools.errors import BadInput, NoData, NotConfigured, Transient
from tools.store import Store, schema
from tools.store.dialect import engine_at

ROOT = Path(__file__).parents[3]


def test_a_ledger_that_is_not_there_is_not_made_by_reading(path: Path) -> None:
    with pytest.raises(NoData, match="no ledger at"):
        Store.open(path, read_only=True)
    assert not path.exists()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="Its folder must exist"):
        Store.open(tmp_path / "missing" / "ledger.sqlite")


def test_a_file_that_is_no_database_is_left_alone(path: Path) -> None:
    path.write_text("date,price\n" * 500)
    for read_only in (False, True):
        with pytest.raises(BadInput, match="not a readable database"):
            Store.open(path, read_only=read_only)
    assert path.read_text() == "date,price\n" * 500


def test_the_database_of_another_program_is_left_alone(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmarks (title TEXT)")
    connection.commit()
    with pytest.raises(BadInput, match="it has the table bookmarks but no ledger_version"):
        Store.open(path)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]
    connection.close()


@pytest.mark.parametrize("version", [f"{int(schema.HEAD) + 1:04}", "9999", "f00d"])
def test_a_newer_schema_is_left_alone(where: str, version: str) -> None:
    Store.open(where).close()
    engine = engine_at(where, "FULL")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE ledger_version SET version_num = '{version}'")
    for read_only in (False, True):
        told = f"has schema {version}, this program knows up to {schema.HEAD}"
        with pytest.raises(BadInput, match=told):
            Store.open(where, read_only=read_only)
    with engine.connect() as connection:
        kept = connection.exec_driver_sql("SELECT version_num FROM ledger_version").scalar()
    engine.dispose()
    assert kept == version


def test_the_tables_of_another_program_are_left_alone(where: str) -> None:
    engine = engine_at(where, "FULL")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE trades (price TEXT)")
    for read_only in (False, True):
        with pytest.raises(BadInput, match="it has the table trades but no ledger_version"):
            Store.open(where, read_only=read_only)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE trades")
    engine.dispose()


def test_an_empty_file_becomes_a_ledger_only_when_writing(path: Path) -> None:
    path.touch()
    with pytest.raises(BadInput, match="advisor ledger upgrade"):
        Store.open(path, read_only=True)
    Store.open(path).close()
    with Store.open(path, read_only=True) as store:
        assert store.runs() == []


@pytest.mark.parametrize(
    ("where", "kind", "why"),
    [
        ("mysql://localhost/x", BadInput, "not in mysql"),
        ("sqlite://", BadInput, "a ledger is a file"),
        ("sqlite:///:memory:", BadInput, "a ledger is a file"),
        ("://", BadInput, "not a database URL"),
    ],
)
def test_a_place_that_cannot_hold_a_ledger(where: str, kind: type, why: str) -> None:
    with pytest.raises(kind, match=why):
        Store.open(where)


def test_postgresql_without_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(NotConfigured, match="postgres\\]"):
        Store.open("postgresql://localhost/ledger")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program in the middle of writing."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.execute("ROLLBACK")
    connection.close()


def test_a_locked_ledger_is_written_when_the_lock_is_gone(path: Path) -> None:
    with Store.open(f"sqlite:///{path}?timeout=0.05") as store:
        ex.start(store)
        store.commit_cycle("run", "advised", ex.minutes(ex.OPEN, 1), [ex.FILL], b"one")
        later = ex.minutes(ex.OPEN + ex.MINUTE, 1)
        with locked(path):
            for _ in range(2):
                with pytest.raises(Transient, match="locked by another program; nothing was"):
                    store.commit_cycle("run", "advised", later, [ex.TRADE], b"two")
            assert store.checkpoint("run", "advised") == b"one"
        store.commit_cycle("run", "advised", later, [ex.TRADE], b"two")
        assert store.checkpoint("run", "advised") == b"two"
        assert store.verify_chain("run").records == 2
        assert store.verify_chain("run").intact


@contextlib.contextmanager
def no_room_beyond(size: int) -> Iterator[None]:
    """No file of this process can grow beyond a size: writing fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("synchronous", ["FULL", "NORMAL"])
def test_a_full_disk_costs_one_cycle_and_no_more(path: Path, synchronous: str) -> None:
    with Store.open(path, synchronous=synchronous) as store:
        ex.start(store)
        store.commit_cycle("run", "advised", ex.minutes(ex.OPEN, 5), [ex.FILL], b"one")
        day = ex.minutes(ex.OPEN + 5 * ex.MINUTE, 380)
        full = Path(f"{path}-wal").stat().st_size + 8192
        with no_room_beyond(full), pytest.raises(Transient, match="is the disk full"):
            store.commit_cycle("run", "advised", day, [ex.TRADE], b"two")
        assert store.verify_chain("run").records == 1
        assert store.checkpoint("run", "advised") == b"one"
        store.commit_cycle("run", "advised", day, [ex.TRADE], b"two")
    with Store.open(path) as store:
        report = store.verify_chain("run")
        assert (report.intact, report.records) == (True, 2)
        assert report.cycle_rows == 385 * len(ex.WATCHLIST)


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """File permissions do not hold for root: be somebody else meanwhile."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def protected() -> Iterator[Path]:
    """A folder that can be read and not written."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield folder
        folder.chmod(0o755)


def test_a_folder_that_cannot_be_written(protected: Path) -> None:
    protected.chmod(0o555)
    with as_nobody(), pytest.raises(BadInput, match="folder and the file must be writable"):
        Store.open(protected / "ledger.sqlite")
    assert list(protected.iterdir()) == []


def test_a_ledger_in_a_folder_that_cannot_be_written_keeps_what_it_has(protected: Path) -> None:
    path = protected / "ledger.sqlite"
    with Store.open(path) as store:
        ex.keep_history(store)
    path.chmod(0o444)
    protected.chmod(0o555)
    before = path.read_bytes()
    with as_nobody(), pytest.raises(BadInput, match="folder and the file must be writable"):
        Store.open(path)
    assert path.read_bytes() == before


def test_another_process_that_writes_is_refused(path: Path) -> None:
    attempt = [
        sys.executable,
        "-c",
        "import sys; from tools.store import Store; Store.open(sys.argv[1])",
        str(path),
    ]
    with Store.open(path):
        second = subprocess.run(attempt, cwd=ROOT, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert "Occupied: another process is writing the ledger" in second.stderr
    assert subprocess.run(attempt, cwd=ROOT, check=False).returncode == 0


def test_two_names_of_one_file_are_one_ledger(path: Path, tmp_path: Path) -> None:
    with Store.open(path):
        link = tmp_path / "other.sqlite"
        link.symlink_to(path)
        with pytest.raises(BadInput, match="another process is writing"):
            Store.open(link)
