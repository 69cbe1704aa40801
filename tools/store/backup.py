"""A copy of a ledger while it may be written: whole cycles, one moment, and read before it counts.

SQLite's own backup copies inside one read transaction, so a writer neither waits nor shows
through; copying the file instead would miss what is still in its write-ahead log. The copy gets
its name only when every chain in it has been verified: whoever dies before leaves a `.part` file
and no backup. A ledger on PostgreSQL is the database's to copy (`pg_dump`, docs/operations.md).
"""

import contextlib
import os
import sqlite3
from pathlib import Path

from tools.errors import BadInput, NoData, Transient
from tools.store.store import Store
from tools.store.verify import ChainReport

PATIENCE = 30.0  # seconds for a lock


def back_up(source: Path, target: Path) -> list[ChainReport]:
    """Copy a ledger file and verify the copy; returns what verification found, run by run.

    NoData: there is no source. BadInput: the target is taken, or the source's own history does not
    hold (the copy stays beside it as `.part`, for whoever looks into it). Transient: no room, or
    locked. A source is never changed.
    """
    if not source.is_file():
        raise NoData(f"there is no ledger at {source}; name a ledger file or a folder with one")
    if target.exists():
        raise BadInput(f"{target} exists already; a backup replaces nothing, name another file")
    part = target.with_name(target.name + ".part")
    _copy(source, part)
    with Store.open(part, read_only=True) as copy:
        reports = [copy.verify_chain(run.run_id) for run in copy.runs()]
    broken = [report for report in reports if not report.intact]
    if broken:
        raise BadInput(
            f"the ledger {source} is damaged: run {broken[0].run_id}: {broken[0].broken}. "
            f"The copy is {part}; keep the last backup that was intact"
        )
    _finish(part, target)
    return reports


def _copy(source: Path, part: Path) -> None:
    _remove(part)
    try:
        with (
            contextlib.closing(
                sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True, timeout=PATIENCE)
            ) as here,
            contextlib.closing(sqlite3.connect(part, timeout=PATIENCE)) as there,
        ):
            here.backup(there, pages=-1)
    except sqlite3.Error as error:
        _remove(part)
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            raise BadInput(
                f"{source} is not a readable database ({error}); restore the last backup"
            ) from error
        raise Transient(
            f"{source} could not be copied to {part.parent} ({error}): is there room, may the "
            "folder be written? Nothing was changed"
        ) from error


def _finish(part: Path, target: Path) -> None:
    """Give the copy its name, on disk for good: one file, without a write-ahead log."""
    with contextlib.closing(sqlite3.connect(part, isolation_level=None)) as copy:
        copy.execute("PRAGMA journal_mode = DELETE")
    for place, flags in ((part, os.O_RDWR), (part.parent, os.O_RDONLY)):
        descriptor = os.open(place, flags)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if place == part:
            os.replace(part, target)
    for suffix in ("-wal", "-shm"):
        Path(f"{part}{suffix}").unlink(missing_ok=True)


def _remove(part: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{part}{suffix}").unlink(missing_ok=True)
