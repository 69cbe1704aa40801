"""A ledger on PostgreSQL: how it is reached, who may write, and how many rows go in at once.

A server elsewhere is reached by TLS or not at all: `verify-full` where a CA bundle is named
(`sslrootcert=` in the URL or PGSSLROOTCERT; for Amazon RDS its `global-bundle.pem`), `require`
where none is. `allow` and `prefer` are refused, because they go on in plain text without a word;
`disable` has to be said. A password may come from a source instead of the URL: it is asked for each
new connection, and once more, past its cache, when the server does not take it (it was rotated).

The right to write is a session's advisory lock, and everything is written by that same session: a
transaction of a writer whose lock is gone cannot commit, because its connection is gone too. The
lock is the server's, so poolers that share sessions (PgBouncer in transaction mode) cannot be used.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from tools.errors import Ambiguous, BadInput, NotConfigured, Transient

NAME = "postgresql"
_WRITER_KEY = 0x61647669736F7200  # "advisor", as an advisory lock's number
# Rows from which COPY is quicker than INSERT. Measured on one machine, a cycle in one transaction:
# 5 rows 0.56 against 0.62 ms, 390 rows 3.8 against 7.3 ms, 100,000 rows 0.73 against 1.85 s.
COPY_FROM = 5
_UNSAFE = ("allow", "prefer")
# What a server or a role may have changed, and what the ledger's texts rely on. The keepalives make
# the server notice within a minute that a writer's machine is gone, and free its lock.
_SESSION = (
    "SET timezone = 'UTC'; SET datestyle = 'ISO'; SET extra_float_digits = 1; "
    "SET bytea_output = 'hex'; SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; "
    "SET tcp_keepalives_count = 3"
)

Password = Callable[[bool], str | None]
"""Gives the password; True: from its source, whatever is cached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a server is reached: connections kept open, and seconds for each attempt to connect.

    As many again may be opened for a moment; a writer has one more of its own. One is enough where
    one thing is done at a time, as in a Lambda. A connection on which nothing that was sent arrives
    for `silence_seconds` is broken.
    """

    connections: int = 5
    connect_seconds: int = 10
    silence_seconds: int = 60
    password: Password | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse what could never connect."""
        if self.connections < 1 or self.connect_seconds < 2:
            raise ValueError(
                f"connections is {self.connections}, connect_seconds {self.connect_seconds}; "
                "they must be at least 1 and 2"
            )


def engine_at(url: URL, *, durable: bool, access: Access) -> Engine:
    """An engine with a pool; nothing is connected yet. BadInput for a URL that is not safe."""
    try:
        engine = create_engine(
            secured(url, os.environ).set(drivername="postgresql+psycopg"),
            paramstyle="format",
            isolation_level="REPEATABLE READ",
            pool_size=access.connections,
            max_overflow=access.connections,
            pool_pre_ping=True,
            pool_recycle=1800,
            pool_timeout=30,
            connect_args={
                "connect_timeout": access.connect_seconds,
                "application_name": "advisor",
                "keepalives_idle": 30,
                "keepalives_interval": 10,
                "keepalives_count": 3,
                "tcp_user_timeout": 1000 * access.silence_seconds,
            },
        )
    except ModuleNotFoundError as error:
        raise NotConfigured(
            "a ledger on PostgreSQL needs psycopg: pip install -e '.[postgres]'"
        ) from error
    if access.password is not None:
        event.listen(engine, "do_connect", _connecting(access.password))
    session = _SESSION if durable else f"{_SESSION}; SET synchronous_commit = off"

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.execute(session)
        connection.commit()

    return engine


def secured(url: URL, environment: Mapping[str, str]) -> URL:
    """The URL with how it is to be secured, and with its password where messages hide it."""
    hidden = url.query.get("password")
    if hidden is not None:
        url = url.set(password=str(hidden)).difference_update_query(["password"])
    mode = url.query.get("sslmode") or environment.get("PGSSLMODE")
    if all(_is_here(host) for host in _hosts(url, environment)):
        return url
    if mode in _UNSAFE:
        raise BadInput(
            f"sslmode={mode} may go on without encryption, and {_shown(url)} is another machine: "
            "say verify-full (with sslrootcert=), require, or, on a network of your own, disable"
        )
    if mode:
        return url
    verified = "sslrootcert" in url.query or "PGSSLROOTCERT" in environment
    return url.update_query_dict({"sslmode": "verify-full" if verified else "require"})


def _hosts(url: URL, environment: Mapping[str, str]) -> list[str]:
    """Every host that libpq may try; empty for its socket files."""
    asked = [
        url.query.get("host") or url.host or environment.get("PGHOST") or "",
        url.query.get("hostaddr") or environment.get("PGHOSTADDR") or "",
    ]
    several = [one for some in asked for one in ([some] if isinstance(some, str) else some)]
    return [host for one in several for host in one.split(",")]


def _is_here(host: str) -> bool:
    """Whether a host is this machine; without a name, or with a path, it is a socket file."""
    if host in ("", "localhost") or host.startswith(("/", "@")):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=True)


def _connecting(password: Password) -> Callable[..., Any]:
    """Connect with a password from a source, asking it again when the first is not taken."""

    def connect(dialect: Any, _record: object, arguments: Any, parameters: dict[str, Any]) -> Any:
        given = password(False)
        parameters["password"] = given
        try:
            return dialect.connect(*arguments, **parameters)
        except dialect.loaded_dbapi.OperationalError:
            # A refused login has no SQLSTATE, so what tells a rotation is another password.
            newer = password(True)
            if newer == given:
                raise
            parameters["password"] = newer
            return dialect.connect(*arguments, **parameters)

    return connect


class Writer:
    """The session that holds the lock, and by which everything is written."""

    def __init__(self, connection: Connection, place: str) -> None:
        """Over a connection of its own that holds the lock; `place` is for messages."""
        self._connection, self._place = connection, place
        self._lost = False

    @contextlib.contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction that is committed at the end of the block.

        Transient when the connection is gone and nothing was written, Ambiguous when it went while
        the transaction was being committed. After either, only opening the ledger again helps.
        """
        if self._lost:
            raise self._no_longer()
        committing = False
        try:
            with self._connection.begin():
                yield self._connection
                committing = True
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            self._lost = True
            if committing:
                raise Ambiguous(
                    f"the connection to the ledger {self._place} broke; what was being written "
                    "may or may not be there. Open the ledger again and go on from the lane's "
                    "checkpoint"
                ) from error
            raise self._no_longer() from error

    def _no_longer(self) -> Transient:
        return Transient(
            f"the connection by which this process was the writer of the ledger {self._place} is "
            "lost, and another process may be writing it by now; nothing was written. Open the "
            "ledger again"
        )

    def release(self) -> None:
        """Let others write."""
        try:
            if not self._lost:  # or SQLAlchemy would connect anew
                # Closing alone frees the lock too, but only once the server has noticed.
                with contextlib.suppress(DBAPIError):
                    self._connection.exec_driver_sql(f"SELECT pg_advisory_unlock({_WRITER_KEY})")
        finally:
            self._connection.close()


def writer(engine: Engine, place: str) -> Writer | None:
    """Become the only writer; None when another session is."""
    connection = engine.connect()
    connection.detach()
    try:
        held = connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({_WRITER_KEY})").scalar()
        connection.commit()
    except BaseException:
        connection.close()
        raise
    if held:
        return Writer(connection, place)
    connection.close()
    return None


def copy(connection: Connection, text: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write rows in stored form by `COPY … FROM STDIN`, inside the caller's transaction."""
    import psycopg

    session: Any = connection.connection.dbapi_connection
    try:
        with session.cursor() as cursor, cursor.copy(text) as into:
            for row in rows:
                into.write_row(row)
    except psycopg.Error as error:
        # As SQLAlchemy would tell it, which does not know of COPY.
        lost = bool(session.closed or session.broken)
        if lost:
            connection.invalidate(error)
        raise DBAPIError(text, None, error, connection_invalidated=lost) from error
