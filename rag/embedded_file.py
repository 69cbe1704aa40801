"""The file of the embedded index: one SQLite database, its schema, and what its errors mean.

`documents` holds everything that is needed to answer and to start again. `words` is an FTS5 table
without content of its own, over the words of the texts (`tools.embed.words`), so the database's
tokenizer only splits at spaces; its `detail` must be full: with another, BM25 is always 0. A
`revision` counts up with every batch, which is how a reader sees what is new. Deleting raises
`epoch`: then a reader starts afresh.

Journal mode is WAL with synchronous NORMAL: a process that dies loses its unfinished batch and
nothing else; after a power cut the last batches may be gone too, and the next build brings them.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rag.index import SCHEMA, refuse_other_embedder, refuse_other_schema
from tools.embed import words
from tools.errors import BadInput, NoData, Transient
from tools.ports import Embedder

APPLICATION = 0x41445649
_WAIT_SECONDS = 10.0
_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    run TEXT NOT NULL,
    lane TEXT NOT NULL,
    symbols TEXT NOT NULL,
    known_at INTEGER NOT NULL,
    text TEXT NOT NULL,
    cites TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    vector BLOB NOT NULL,
    revision INTEGER NOT NULL
);
CREATE INDEX documents_by_revision ON documents (revision);
CREATE VIRTUAL TABLE words USING fts5(
    said, content='', tokenize="unicode61 remove_diacritics 0 tokenchars '.:-'"
);
CREATE VIRTUAL TABLE vocabulary USING fts5vocab(words, row);
"""
_NAMES = ("vocabulary", "words", "documents", "meta")


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit; it may be closed by another thread than its own."""
    connection = sqlite3.connect(
        path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def prepare(path: Path, embedder: Embedder, *, create: bool, replacing: bool) -> None:
    """Make sure that an index stands at a path and goes with the embedder.

    `create` makes one where there is none; `replacing` lets one of another schema or embedder
    pass, because its content will be replaced. Raises NoData where there is none, and BadInput
    for what is no index, or not one that can be searched.
    """
    if not path.exists() and not create:
        raise NoData(f"there is no index at {path}; make one with `advisor index build`")
    with explained(path):
        connection = connect(path)
        try:
            if _is_empty(connection):
                if not create:
                    raise NoData(f"the index {path} is empty; run `advisor index build`")
                connection.execute("PRAGMA journal_mode = WAL")
                with writing(connection):
                    if _is_empty(connection):  # nobody else was faster
                        make_tables(connection, embedder)
            if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
                raise BadInput(f"{path} is a database, but not an index; name another place")
            if not replacing:
                check(connection, path, embedder)
        finally:
            connection.close()


def _is_empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None


def make_tables(connection: sqlite3.Connection, embedder: Embedder) -> None:
    """Empty tables of the present schema, in place of any others; inside a transaction."""
    for name in _NAMES:
        connection.execute(f"DROP TABLE IF EXISTS {name}")
    for statement in _TABLES.strip().split(";\n"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {SCHEMA}")
    meta = {
        "embedder": embedder.name,
        "dimensions": embedder.dimensions,
        "words": words.VERSION,
        "revision": 0,
        "epoch": 0,
    }
    connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())


def check(connection: sqlite3.Connection, path: Path, embedder: Embedder) -> None:
    """BadInput for another schema, another reading of words, or another embedder."""
    schema = connection.execute("PRAGMA user_version").fetchone()[0]
    refuse_other_schema(str(path), schema)
    refuse_other_schema(str(path), schema if meta(connection, "words") == words.VERSION else 0)
    refuse_other_embedder(str(path), meta(connection, "embedder"), embedder.name)


def embedder_of(path: Path) -> str | None:
    """The name of the embedder that an index was made with; None where there is no index."""
    if not path.is_file():
        return None
    with explained(path):
        connection = connect(path)
        try:
            if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
                return None
            return str(meta(connection, "embedder"))
        finally:
            connection.close()


def meta(connection: sqlite3.Connection, name: str) -> Any:
    """A value of the index about itself."""
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return None if row is None else row[0]


def epoch_of(connection: sqlite3.Connection) -> int:
    """The epoch of an index of any schema; 0 where it had none."""
    has_meta = "SELECT 1 FROM sqlite_master WHERE name = 'meta'"
    if connection.execute(has_meta).fetchone() is None:
        return 0
    return int(meta(connection, "epoch") or 0)


def set_meta(connection: sqlite3.Connection, name: str, value: int) -> None:
    """Replace a value of the index about itself."""
    connection.execute("UPDATE meta SET value = ? WHERE name = ?", (value, name))


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction that writes: everything or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def reading(connection: sqlite3.Connection) -> Iterator[None]:
    """One state of the index for several reads."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise Transient(
                f"the index {path} is being written by another process; try again in a moment"
            ) from error
        if "full" in str(error):
            raise Transient(f"the disk of the index {path} is full; free some space") from error
        raise BadInput(f"the index {path} cannot be used: {error}") from error
    except sqlite3.DatabaseError as error:
        raise BadInput(
            f"{path} is not an index, or is damaged ({error}); remove it and build it again"
        ) from error
