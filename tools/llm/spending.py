"""What models have cost, day by day: the port, and the file that a user's processes share.

Invariants: a hold is on the disk before its call begins, and is granted and counted in one
transaction, so that processes together never exceed a limit. A hold that was never settled counts
in full for good, whatever became of its process: nobody can tell whether that call was billed.
Processes on several machines share a table instead (`spending_table`).
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Protocol

from tools.errors import BadInput, Transient

NOTHING = Decimal(0)
# USD are text: exact decimals, added in Python. `pid` and `since` tell a person whose hold it is.
_SCHEMA = """
CREATE TABLE days (day TEXT PRIMARY KEY, usd TEXT NOT NULL, tokens INTEGER NOT NULL);
CREATE TABLE holds (
    id INTEGER PRIMARY KEY,
    day TEXT NOT NULL,
    usd TEXT NOT NULL,
    tokens INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    since TEXT NOT NULL
);
CREATE INDEX holds_of_day ON holds (day);
"""
_FORMAT = 0x53504E31  # user_version: "SPN1"
_PATIENCE_SECONDS = 2.0  # for another process in the file: its transactions take milliseconds
_IN_MEMORY = Path(":memory:")


@dataclass(frozen=True, slots=True)
class Spent:
    """USD and tokens."""

    usd: Decimal = NOTHING
    tokens: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        """Both together."""
        return Spent(self.usd + other.usd, self.tokens + other.tokens)

    def __sub__(self, other: "Spent") -> "Spent":
        """The difference."""
        return Spent(self.usd - other.usd, self.tokens - other.tokens)


class Spending(Protocol):
    """Where it is counted what models cost, for all who share it."""

    def hold(self, day: date, most: Spent, limit: Spent) -> int | None:
        """Set aside the most that a call can cost; the hold's number, or None beyond the limit.

        Raises Transient when that cannot be kept: what is not kept must not be spent.
        """
        ...

    def settle(self, number: int, day: date, cost: Spent) -> None:
        """Replace a hold by what its call cost; where that cannot be kept, the hold stands."""
        ...

    def spent(self, day: date) -> Spent:
        """What the settled calls of a day have cost."""
        ...

    def counted(self, day: date) -> Spent:
        """What counts against a day's limit: what was spent and what is held."""
        ...

    def close(self) -> None:
        """Let go of it; a call that is still out keeps its whole hold."""
        ...


class SpendingFile:
    """The spending of every day. Close it, or use it as a context manager."""

    def __init__(self, connection: sqlite3.Connection, place: Path) -> None:
        """Made by `open`."""
        self._connection, self._place = connection, place
        self._lock = threading.Lock()

    @classmethod
    def open(cls, place: Path = _IN_MEMORY) -> "SpendingFile":
        """Open the spending at a path and create what is missing; without a path, in memory.

        Raises BadInput, before anything is spent, when it cannot be written or is something else.
        """
        connection: sqlite3.Connection | None = None
        try:
            if place != _IN_MEMORY:
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            connection = sqlite3.connect(
                place, isolation_level=None, check_same_thread=False, timeout=_PATIENCE_SECONDS
            )
            _prepare(connection)
        except (sqlite3.Error, OSError, ValueError) as error:
            if connection is not None:
                connection.close()
            raise BadInput(
                f"{place} cannot keep what models cost, so no model is asked: {error}; make it "
                "writable, or name another file as spending.file in the settings"
            ) from error
        return cls(connection, place)

    def hold(self, day: date, most: Spent, limit: Spent) -> int | None:
        """Set aside the most that a call can cost; the hold's number, or None beyond the limit.

        Raises Transient when the file cannot be written: what is not kept must not be spent.
        """
        with self._transaction():
            total = self._counted(day) + most
            if total.usd > limit.usd or total.tokens > limit.tokens:
                return None
            row = day.isoformat(), str(most.usd), most.tokens, os.getpid()
            return self._connection.execute(
                "INSERT INTO holds (day, usd, tokens, pid, since) VALUES (?, ?, ?, ?, ?)",
                (*row, datetime.now(UTC).isoformat(timespec="seconds")),
            ).lastrowid

    def settle(self, number: int, day: date, cost: Spent) -> None:
        """Replace a hold by what its call cost; where that cannot be written, the hold stands."""
        # The answer is paid for and worth having: that too much is counted is no reason to lose it.
        with suppress(Transient), self._transaction():
            now = self._spent(day) + cost
            self._connection.execute("DELETE FROM holds WHERE id = ?", (number,))
            self._connection.execute(
                "REPLACE INTO days (day, usd, tokens) VALUES (?, ?, ?)",
                (day.isoformat(), str(now.usd), now.tokens),
            )

    def spent(self, day: date) -> Spent:
        """What the settled calls of a day have cost."""
        with self._transaction():
            return self._spent(day)

    def counted(self, day: date) -> Spent:
        """What counts against a day's limit: what was spent and what is held."""
        with self._transaction():
            return self._counted(day)

    def _spent(self, day: date) -> Spent:
        row = self._connection.execute(
            "SELECT usd, tokens FROM days WHERE day = ?", (day.isoformat(),)
        ).fetchone()
        return Spent(Decimal(row[0]), row[1]) if row else Spent()

    def _counted(self, day: date) -> Spent:
        held = self._connection.execute(
            "SELECT usd, tokens FROM holds WHERE day = ?", (day.isoformat(),)
        )
        return sum((Spent(Decimal(usd), tokens) for usd, tokens in held), self._spent(day))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """One process, and one of its threads, at a time; all of it on the disk, or nothing."""
        with self._lock:
            try:
                with _immediate(self._connection):
                    yield
            except sqlite3.Error as error:
                raise Transient(f"{self._place} cannot keep what models cost: {error}") from error

    def close(self) -> None:
        """Close the file; a call that is still out keeps its whole hold."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> "SpendingFile":
        """The file itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()


@contextmanager
def _immediate(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _prepare(connection: sqlite3.Connection) -> None:
    """Check what the file is, make it when it is new, and see that it can be written."""
    connection.execute("PRAGMA synchronous = FULL")
    with _immediate(connection):
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        empty = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if empty and version == 0:
            for statement in _SCHEMA.split(";")[:-1]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_FORMAT}")
        elif version != _FORMAT:
            raise ValueError("it is another kind of file")
    connection.execute("PRAGMA journal_mode = WAL")
