"""Recordings: every question of a run, kept for good, found again by key and sequence.

One SQLite file for each run. Invariants: a call is in the file, whole and flushed to disk, when
`keep` returns, or not at all, whenever the process dies; calls are only ever added; each carries
the SHA-256 of its content, which is checked when it is read. One process writes at a time.

Where minutes did not wait for answers, the file also has the run's `course`: lines that say which
answer came when (`advisor.course` writes and reads them), in their order.
"""

import hashlib
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol

import msgspec

from tools.errors import BadInput, NoData, Transient
from tools.llm.calls import LlmCall

_SCHEMA = """
CREATE TABLE calls (
    key TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (key, sequence)
);
CREATE TRIGGER no_update BEFORE UPDATE ON calls
    BEGIN SELECT RAISE(ABORT, 'recordings are only ever added'); END;
CREATE TRIGGER no_delete BEFORE DELETE ON calls
    BEGIN SELECT RAISE(ABORT, 'recordings are only ever added'); END;
"""
_COURSE = """
CREATE TABLE course (
    number INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL,
    content TEXT NOT NULL
);
CREATE TRIGGER no_update_of_course BEFORE UPDATE ON course
    BEGIN SELECT RAISE(ABORT, 'recordings are only ever added'); END;
CREATE TRIGGER no_delete_of_course BEFORE DELETE ON course
    BEGIN SELECT RAISE(ABORT, 'recordings are only ever added'); END;
"""
_FIRST_FORMAT = 0x4C4C4D31  # user_version: "LLM1", without a course
_FORMAT = 0x4C4C4D32  # "LLM2"


class Recordings(Protocol):
    """Where calls are kept."""

    def find(self, key: str, sequence: int) -> LlmCall | None:
        """The call with this key and sequence, or None."""
        ...

    def keep(self, call: LlmCall) -> None:
        """Add a call; BadInput when its key and sequence are taken."""
        ...


class RecordingsFile:
    """Recordings in a file. Close it, or use it as a context manager."""

    def __init__(self, connection: sqlite3.Connection, place: Path) -> None:
        """Made by `open`."""
        self._connection, self._place = connection, place
        self._lock = threading.Lock()

    @classmethod
    def open(cls, place: Path, *, read_only: bool = False) -> "RecordingsFile":
        """Open the recordings at a path, creating them when writing.

        Raises NoData when there is nothing to read, BadInput for what is not a recordings file,
        or when another process is writing it.
        """
        if read_only and not place.is_file():
            raise NoData(f"there are no recordings at {place}; make them with mode record")
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(
                place, isolation_level=None, check_same_thread=False, timeout=0.0
            )
            _prepare(connection, read_only)
        except (sqlite3.Error, ValueError) as error:
            if connection is not None:
                connection.close()
            if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                raise BadInput(f"{place} is being written by another process") from error
            raise BadInput(f"{place} is not a file of recordings: {error}") from error
        return cls(connection, place)

    def find(self, key: str, sequence: int) -> LlmCall | None:
        """The call with this key and sequence, or None; BadInput when it has been changed."""
        question = "SELECT sha256, content FROM calls WHERE key = ? AND sequence = ?"
        try:
            with self._lock:
                row = self._connection.execute(question, (key, sequence)).fetchone()
        except sqlite3.Error as error:
            raise BadInput(f"{self._place} cannot be read: {error}") from error
        return None if row is None else self._checked(key, sequence, *row)

    def _checked(self, key: str, sequence: int, sha256: str, content: str) -> LlmCall:
        """A row's call; BadInput when its content is not what was kept."""
        if hashlib.sha256(content.encode()).hexdigest() != sha256:
            raise BadInput(f"{self._place}: the recording {key[:12]}/{sequence} has been changed")
        return msgspec.json.decode(content, type=LlmCall)

    def keep(self, call: LlmCall) -> None:
        """Add a call; BadInput when its key and sequence are taken, Transient for a full disk."""
        content = msgspec.json.encode(call).decode()
        sha256 = hashlib.sha256(content.encode()).hexdigest()
        try:
            with self._lock:
                self._connection.execute(
                    "INSERT INTO calls (key, sequence, sha256, content) VALUES (?, ?, ?, ?)",
                    (call.key, call.sequence, sha256, content),
                )
        except sqlite3.IntegrityError as error:
            raise BadInput(
                f"{self._place} holds {call.in_words()} already as number {call.sequence}"
            ) from error
        except sqlite3.Error as error:
            raise Transient(f"{self._place} could not be written: {error}") from error

    def course(self) -> list[str]:
        """The lines of the course, in order; none where every answer was waited for."""
        question = "SELECT number, sha256, content FROM course ORDER BY number"
        try:
            with self._lock:
                if _version(self._connection) == _FIRST_FORMAT:
                    return []
                rows = self._connection.execute(question).fetchall()
        except sqlite3.Error as error:
            raise BadInput(f"{self._place} cannot be read: {error}") from error
        for expected, (number, sha256, content) in enumerate(rows, 1):
            if number != expected or hashlib.sha256(content.encode()).hexdigest() != sha256:
                raise BadInput(f"{self._place}: line {expected} of its course has been changed")
        return [content for _, _, content in rows]

    def is_empty(self) -> bool:
        """Whether nothing was recorded yet."""
        with self._lock:
            found = self._connection.execute("SELECT 1 FROM calls LIMIT 1").fetchone()
        return found is None

    def note(self, lines: Sequence[str]) -> None:
        """Add lines to the course, all of them or none; Transient for a full disk."""
        rows = [(hashlib.sha256(line.encode()).hexdigest(), line) for line in lines]
        try:
            with self._lock:
                self._connection.execute("BEGIN")
                try:
                    self._connection.executemany(
                        "INSERT INTO course (sha256, content) VALUES (?, ?)", rows
                    )
                except BaseException:
                    self._connection.execute("ROLLBACK")
                    raise
                self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise Transient(f"{self._place} could not be written: {error}") from error

    def close(self) -> None:
        """Close the file and let others write."""
        self._connection.close()

    def __enter__(self) -> "RecordingsFile":
        """The recordings themselves."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()


def _prepare(connection: sqlite3.Connection, read_only: bool) -> None:
    """Check what the file is, make it when it is new, and become its only writer."""
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    else:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
    version = _version(connection)
    empty = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if empty and version == 0 and not read_only:
        connection.executescript(f"BEGIN;{_SCHEMA}{_COURSE}PRAGMA user_version = {_FORMAT};COMMIT;")
    elif version == _FIRST_FORMAT and not read_only:
        connection.executescript(f"BEGIN;{_COURSE}PRAGMA user_version = {_FORMAT};COMMIT;")
    elif version not in (_FIRST_FORMAT, _FORMAT):
        raise ValueError(f"its format is {version}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
