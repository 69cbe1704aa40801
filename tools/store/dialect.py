"""Everything that differs between SQLite and PostgreSQL, and what their errors mean to a person.

SQLite is the default: WAL, so that readers never wait for the writer; foreign keys on; explicit
`BEGIN`, because Python's own transaction handling would commit behind our back. PostgreSQL is
reached through psycopg 3 with the same SQL. Both give every transaction one snapshot.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import URL, Connection, Engine, Text, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.types import TypeEngine

from tools.errors import AdvisorError, Ambiguous, BadInput, NotConfigured, Transient

Synchronous = Literal["FULL", "NORMAL"]
POSTGRESQL = "postgresql"
LEDGER_FILE = "ledger.sqlite"  # in a folder of results
_WRITER_KEY = 0x61647669736F7200  # "advisor", as PostgreSQL's advisory lock number


class Unreadable(ValueError):
    """A stored value that this program never wrote."""


def text_or(native: TypeEngine[Any]) -> TypeEngine[Any]:
    """Text on SQLite, a type of its own on PostgreSQL (which reads the same text)."""
    return Text().with_variant(native, POSTGRESQL)


def engine_at(where: str | Path, synchronous: Synchronous) -> Engine:
    """An engine on a file path or a database URL.

    `synchronous="NORMAL"` may lose the last commits when the machine loses power, never when the
    process dies, and never damages the ledger; it is for replays, which can be run again. SQLite
    waits 5 s for a lock, or what `?timeout=` in a `sqlite:///` URL says.
    """
    url = _url(where)
    if url.get_backend_name() == POSTGRESQL:
        return _postgresql(url, synchronous)
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
    except ArgumentError as error:
        raise BadInput(f"{where!r} is not a database URL: {error}") from error
    if url.get_backend_name() not in ("sqlite", POSTGRESQL):
        raise BadInput(f"a ledger is kept in SQLite or PostgreSQL, not in {url.drivername}")
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise BadInput("a ledger is a file; give it a path instead of an in-memory database")
    return url


def _postgresql(url: URL, synchronous: Synchronous) -> Engine:
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            paramstyle="format",
            isolation_level="REPEATABLE READ",
        )
    except ModuleNotFoundError as error:
        raise NotConfigured("a ledger on PostgreSQL needs psycopg: pip install psycopg") from error

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        if synchronous == "NORMAL":
            connection.execute("SET synchronous_commit = off")
            connection.commit()

    return engine


def place(engine: Engine) -> str:
    """How messages name the ledger: the file, or the URL without its password."""
    if engine.dialect.name == POSTGRESQL:
        return engine.url.render_as_string(hide_password=True)
    return str(engine.url.database)


def is_missing(engine: Engine) -> bool:
    """Whether opening would create a new file."""
    return engine.dialect.name != POSTGRESQL and not Path(str(engine.url.database)).exists()


def is_shared(engine: Engine) -> bool:
    """Whether a database may well hold tables of other programs beside the ledger's."""
    return engine.dialect.name == POSTGRESQL


def hold_writer(engine: Engine) -> Callable[[], None]:
    """Become the only writer until the returned function is called or the process ends.

    The lock is the database's own, so it goes with a process that dies: an advisory lock on
    PostgreSQL; on SQLite an exclusive transaction, never committed, in an empty file beside the
    ledger (`<name>-writer`), which leaves the ledger itself open to readers.
    """
    if engine.dialect.name == POSTGRESQL:
        return _hold_advisory_lock(engine)
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
    return lock.close


def _hold_advisory_lock(engine: Engine) -> Callable[[], None]:
    connection = engine.connect()
    connection.detach()
    held = connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({_WRITER_KEY})").scalar()
    connection.commit()
    if not held:
        connection.close()
        raise _second_writer(engine)

    def release() -> None:
        # Closing alone frees the lock too, but only once the server has noticed.
        with contextlib.suppress(DBAPIError):
            connection.exec_driver_sql(f"SELECT pg_advisory_unlock({_WRITER_KEY})")
        connection.close()

    return release


def _second_writer(engine: Engine) -> AdvisorError:
    return BadInput(
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
            raise Ambiguous(
                f"the connection to the ledger {place(engine)} broke; what was being written may "
                "or may not be there. Open the ledger again and go on from the lane's checkpoint"
            ) from error
        raise _explanation(engine, error.orig or error) from error
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
        return Transient(f"{at} cannot be reached, nothing was written: {_plain(error)}")
    return AdvisorError(f"{at} refused: {_plain(error)}; nothing was written")


def _plain(error: BaseException) -> str:
    return " ".join(str(error).split())


def _sqlite_name(error: BaseException) -> str:
    return str(getattr(error, "sqlite_errorname", ""))


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
