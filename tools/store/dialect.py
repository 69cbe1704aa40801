"""Everything that differs between SQLite and PostgreSQL, and what their errors mean to a person.

SQLite is the default: WAL, so that readers never wait for the writer; foreign keys on; explicit
`BEGIN`, because Python's own transaction handling would commit behind our back. PostgreSQL is
reached through psycopg 3 with the same SQL (`tools.store.postgresql`). Both give every transaction
one snapshot.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, Protocol

from sqlalchemy import URL, Connection, Engine, Text, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, TimeoutError
from sqlalchemy.types import TypeEngine

from tools.errors import AdvisorError, BadInput, NotConfigured, Occupied, Transient
from tools.store import postgresql
from tools.store.postgresql import Access

Synchronous = Literal["FULL", "NORMAL"]
POSTGRESQL = postgresql.NAME
LEDGER_FILE = "ledger.sqlite"  # in a folder of results
ACCESS = Access()


class Unreadable(ValueError):
    """A stored value that this program never wrote."""


class Writer(Protocol):
    """The right to write a ledger; it ends with `release` or with the process."""

    def begin(self) -> AbstractContextManager[Connection]:
        """A transaction that is committed at the end of the block."""
        ...

    def release(self) -> None:
        """Let others write."""
        ...


def text_or(native: TypeEngine[Any]) -> TypeEngine[Any]:
    """Text on SQLite, a type of its own on PostgreSQL (which reads the same text)."""
    return Text().with_variant(native, POSTGRESQL)


def engine_at(where: str | Path, synchronous: Synchronous, access: Access = ACCESS) -> Engine:
    """An engine on a file path or a database URL; `access` is how a server is reached.

    `synchronous="NORMAL"` may lose the last commits when the machine loses power, never when the
    process dies, and never damages the ledger; it is for replays, which can be run again. SQLite
    waits 5 s for a lock, or what `?timeout=` in a `sqlite:///` URL says.
    """
    url = _url(where)
    if url.get_backend_name() == POSTGRESQL:
        return postgresql.engine_at(url, durable=synchronous == "FULL", access=access)
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def _url(where: str | Path) -> URL:
    if "://" not in str(where):
        return URL.create("sqlite", database=str(Path(where).expanduser()))
    try:
        url = make_url(str(where))
    except (ArgumentError, ValueError):
        # Neither the text nor the parser's message: a password may stand in both.
        scheme = str(where).partition("://")[0]
        raise BadInput(
            f"the ledger's address {scheme}://… is not a database URL; write "
            "postgresql://USER@HOST:PORT/DATABASE, with %40 for an @ inside a name or password"
        ) from None
    if url.get_backend_name() not in ("sqlite", POSTGRESQL):
        raise BadInput(f"a ledger is kept in SQLite or PostgreSQL, not in {url.drivername}")
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise BadInput("a ledger is a file; give it a path instead of an in-memory database")
    return url


def place(engine: Engine) -> str:
    """The file, or the URL without its password: for messages, and to open it again."""
    if engine.dialect.name != POSTGRESQL:
        return str(engine.url.database)
    query = {name: value for name, value in engine.url.query.items() if name != "sslpassword"}
    url = URL.create(
        POSTGRESQL, engine.url.username, None, engine.url.host, engine.url.port,
        engine.url.database, query,
    )  # fmt: skip
    return url.render_as_string(hide_password=False)


def is_missing(engine: Engine) -> bool:
    """Whether opening would create a new file."""
    return engine.dialect.name != POSTGRESQL and not Path(str(engine.url.database)).exists()


def is_shared(engine: Engine) -> bool:
    """Whether a database may well hold tables of other programs beside the ledger's."""
    return engine.dialect.name == POSTGRESQL


class _FileWriter:
    """An exclusive transaction, never committed, in an empty file beside the ledger."""

    def __init__(self, engine: Engine, lock: sqlite3.Connection) -> None:
        self._engine, self._lock = engine, lock

    def begin(self) -> AbstractContextManager[Connection]:
        return self._engine.begin()

    def release(self) -> None:
        self._lock.close()


def hold_writer(engine: Engine) -> Writer:
    """Become the only writer until it is released or the process ends.

    The lock is the database's own, so it goes with a process that dies: an advisory lock on
    PostgreSQL; on SQLite an exclusive transaction in a file of its own (`<name>-writer`), which
    leaves the ledger itself open to readers. Occupied when another process has it.
    """
    if engine.dialect.name == POSTGRESQL:
        session = postgresql.writer(engine, place(engine))
        if session is None:
            raise _second_writer(engine)
        return session
    beside = Path(str(engine.url.database)).resolve()
    lock = sqlite3.connect(
        beside.with_name(beside.name + "-writer"),
        isolation_level=None,
        timeout=0.0,
        check_same_thread=False,
    )
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        lock.close()
        if _sqlite_name(error).startswith("SQLITE_BUSY"):
            raise _second_writer(engine) from error
        raise
    return _FileWriter(engine, lock)


def _second_writer(engine: Engine) -> AdvisorError:
    return Occupied(
        f"another process is writing the ledger {place(engine)}; "
        "stop it first, or open the ledger for reading only"
    )


@contextlib.contextmanager
def explained(engine: Engine) -> Iterator[None]:
    """Turn database errors into sentences. A transaction that fails has written nothing."""
    try:
        yield
    except Unreadable as error:
        raise BadInput(
            f"the ledger {place(engine)} was changed by something else: {error}; verify the run"
        ) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Transient(
                f"the connection to the ledger {place(engine)} broke; nothing was written. Try "
                "again"
            ) from error
        raise _explanation(engine, error.orig or error) from error
    except TimeoutError as error:
        raise Transient(
            f"all connections to the ledger {place(engine)} are in use; try again, or allow more "
            "(ledger.connections)"
        ) from error
    except sqlite3.Error as error:
        raise _explanation(engine, error) from error


def _explanation(engine: Engine, error: BaseException) -> AdvisorError:
    name = _sqlite_name(error)
    state = str(getattr(error, "sqlstate", None) or "")
    at = f"the ledger {place(engine)}"
    for prefixes, kind, sentence in _REACTIONS:
        if (name or state).startswith(prefixes):
            return kind(sentence.format(at=at, error=_plain(error)))
    if engine.dialect.name == POSTGRESQL and not state:
        passing = any(words in str(error) for words in _PASSING)
        if not passing and any(words in str(error) for words in _SETUP):
            return NotConfigured(f"{at} cannot be opened: {_plain(error)}")
        return Transient(f"{at} cannot be reached, nothing was written: {_plain(error)}")
    return AdvisorError(f"{at} refused: {_plain(error)}; nothing was written")


def _plain(error: BaseException) -> str:
    return " ".join(str(error).split())


def _sqlite_name(error: BaseException) -> str:
    return str(getattr(error, "sqlite_errorname", ""))


# What a server that refuses a connection says: there is no SQLSTATE then. The first pass: it
# restarts, fails over (57P03, also in the middle of a TLS handshake) or is full.
_PASSING = (
    "the database system is", "too many clients", "too many connections", "SSL SYSCALL",
    "SSL connection has been closed", "unexpected eof", "error response during SSL exchange",
)  # fmt: skip
_SETUP = (
    "password", "role ", "database ", "pg_hba", "certificate", "SSL", "could not translate host",
)  # fmt: skip
_REACTIONS: tuple[tuple[tuple[str, ...], type[AdvisorError], str], ...] = (
    (
        ("SQLITE_BUSY", "SQLITE_LOCKED", "55P03", "40"),
        Transient,
        "{at} is locked by another program; nothing was written. "
        "Close that program, or try again when it has finished",
    ),
    (
        ("SQLITE_FULL", "SQLITE_IOERR", "53100"),
        Transient,
        "{at} could not be written ({error}): is the disk full? Nothing of this cycle was "
        "kept and nothing earlier is lost; make room and try again",
    ),
    (
        ("SQLITE_NOTADB", "SQLITE_CORRUPT"),
        BadInput,
        "{at} is not a readable database ({error}); nothing was changed. "
        "Name another file, or restore this one from a backup",
    ),
    (
        ("SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_READONLY", "SQLITE_AUTH", "25006", "42501"),
        BadInput,
        "{at} cannot be opened for writing ({error}). "
        "Its folder must exist, and the folder and the file must be writable",
    ),
    (
        ("SQLITE_CONSTRAINT", "23"),
        BadInput,
        "{at} does not hold what this process wrote last ({error}); nothing was written. "
        "Something else has changed it: verify the run",
    ),
    (
        ("28", "3D"),
        NotConfigured,
        "{at} cannot be opened: {error}",
    ),
)
