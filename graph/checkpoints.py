"""Where machines keep how far they got: SQLite by default, PostgreSQL by URL, memory for tests.

A process that dies inside a machine goes on at the node where it was, without asking the model
again what it has answered. State is made of plain values, so the serializer's allow-list of types
is empty: a checkpoint that somebody tampered with cannot make us import or call anything.
"""

import sqlite3
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any

from tools.errors import BadInput, NotConfigured

ALLOWED_TYPES: tuple[tuple[str, str], ...] = ()
EXTRA = "pip install -e '.[llm]'"


class Checkpoints:
    """Open checkpoints. Use `Checkpoints.open`; close them, or use them as a context manager."""

    def __init__(self, saver: Any, close: Callable[[], None]) -> None:
        """Over a langgraph checkpoint saver."""
        self.saver, self._close = saver, close

    @classmethod
    def open(cls, where: str | Path | None) -> "Checkpoints":
        """A file path, a `sqlite:///` or `postgresql://` URL, or None for memory.

        Raises NotConfigured when the package it needs is not installed, BadInput for another URL.
        """
        if where is None:
            return _in_memory()
        scheme, separator, rest = str(where).partition("://")
        if not separator:
            return _in_sqlite(Path(where).expanduser())
        if scheme == "sqlite":
            return _in_sqlite(Path(rest.removeprefix("/")))
        if scheme.partition("+")[0] == "postgresql":
            return _in_postgresql(f"postgresql://{rest}")
        raise BadInput(f"checkpoints are kept in SQLite or PostgreSQL, not in {scheme}")

    def prune(self, before: datetime) -> int:
        """Delete the threads whose last checkpoint is older; returns how many."""
        seen: set[str] = set()
        old = []
        for kept in self.saver.list(None):  # newest first
            thread = kept.config["configurable"]["thread_id"]
            if thread not in seen and datetime.fromisoformat(kept.checkpoint["ts"]) < before:
                old.append(thread)
            seen.add(thread)
        for thread in old:
            self.saver.delete_thread(thread)
        return len(old)

    def forget(self, namespace: str) -> None:
        """Delete the threads of a run, which is to begin again."""
        threads = {kept.config["configurable"]["thread_id"] for kept in self.saver.list(None)}
        for thread in threads:
            if thread.startswith(f"{namespace}/"):
                self.saver.delete_thread(thread)

    def close(self) -> None:
        """Close what they are kept in."""
        self._close()

    def __enter__(self) -> "Checkpoints":
        """The checkpoints themselves."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()


def _serializer() -> Any:
    try:
        from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
    except ModuleNotFoundError as error:
        raise NotConfigured(f"checkpoints need langgraph: {EXTRA}") from error
    return JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=ALLOWED_TYPES)


def _in_memory() -> Checkpoints:
    serializer = _serializer()
    from langgraph.checkpoint.memory import InMemorySaver

    return Checkpoints(InMemorySaver(serde=serializer), lambda: None)


def _in_sqlite(path: Path) -> Checkpoints:
    serializer = _serializer()
    try:
        from langgraph.checkpoint.sqlite import SqliteSaver
    except ModuleNotFoundError as error:
        raise NotConfigured(
            f"checkpoints in SQLite need langgraph-checkpoint-sqlite: {EXTRA}"
        ) from error
    try:
        # The saver has a lock of its own; the graph's threads share the connection.
        connection = sqlite3.connect(path, check_same_thread=False, timeout=5.0)
        connection.execute("PRAGMA journal_mode = WAL")
        # Survives the death of the process; a lost last checkpoint only means asking again.
        connection.execute("PRAGMA synchronous = NORMAL")
        saver = SqliteSaver(connection, serde=serializer)
        saver.setup()
    except sqlite3.Error as error:
        raise BadInput(f"{path} cannot hold checkpoints: {error}") from error
    return Checkpoints(saver, connection.close)


def _in_postgresql(url: str) -> Checkpoints:
    serializer = _serializer()
    try:
        psycopg = import_module("psycopg")
        postgres = import_module("langgraph.checkpoint.postgres")
    except ModuleNotFoundError as error:
        raise NotConfigured(
            "checkpoints in PostgreSQL need pip install -e '.[llm,postgres]'"
        ) from error
    try:
        connection = psycopg.connect(
            url,
            autocommit=True,
            prepare_threshold=0,
            row_factory=import_module("psycopg.rows").dict_row,
        )
    except psycopg.Error as error:
        raise BadInput(f"PostgreSQL cannot hold checkpoints: {error}") from error
    saver = postgres.PostgresSaver(connection, serde=serializer)
    saver.setup()
    return Checkpoints(saver, connection.close)
