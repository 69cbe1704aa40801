"""What is PostgreSQL's alone: one writer by a lock, lost connections, TLS, passwords, odd roles."""

import dataclasses
import math
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event, make_url

from tests.stand_ins.tls_postgresql import certificate, going_down, in_front_of, saying
from tests.tools.store import examples as ex
from tools.errors import Ambiguous, BadInput, NotConfigured, Transient
from tools.store import Store
from tools.store.postgresql import COPY_FROM, Access, secured

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.parametrize("where", ["postgresql"], indirect=True)
FIRST = ex.minutes(ex.OPEN, 1)
SECOND = ex.minutes(ex.OPEN + ex.MINUTE, 1)


def ask(where: str, *statements: str) -> list[Any]:
    """What an administrator does meanwhile; gives the last answer."""
    found: list[Any] = []
    with psycopg.connect(where, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement)
            found = cursor.fetchall() if cursor.description else []
    return found


def lose(where: str, whose: str = "true") -> None:
    """End the advisor's sessions, as a failover does."""
    ask(
        where,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        f"WHERE application_name = 'advisor' AND pid <> pg_backend_pid() AND {whose}",
    )


HOLDS_LOCK = "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')"


# One writer


def test_a_second_writer_is_refused_and_readers_are_not(where: str) -> None:
    with Store.open(where) as store:
        ex.start(store)
        with pytest.raises(BadInput, match="another process is writing the ledger postgresql"):
            Store.open(where)
        with Store.open(where, read_only=True) as reader:
            assert len(reader.runs()) == 1
    Store.open(where).close()


def test_the_lock_goes_with_a_process_that_is_killed(where: str) -> None:
    program = (
        "import sys, time; from tools.store import Store; s = Store.open(sys.argv[1]); "
        "print('open', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, where], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        with pytest.raises(BadInput, match="another process is writing"):
            Store.open(where)
        process.send_signal(signal.SIGKILL)
    patiently_opened(where).close()


def patiently_opened(where: str) -> Store:
    for _ in range(100):
        try:
            return Store.open(where)
        except BadInput:
            time.sleep(0.05)
    raise AssertionError("the server never noticed that the writer is dead")


def test_a_writer_that_lost_its_lock_commits_nothing_more(where: str) -> None:
    """Even though its other connections work, and even though another has written meanwhile."""
    with Store.open(where) as first:
        ex.start(first)
        first.commit_cycle("run", "advised", FIRST, [ex.FILL], b"one")
        lose(where, HOLDS_LOCK)
        with Store.open(where) as second:
            second.commit_cycle("run", "advised", SECOND, [ex.TRADE], b"two")
            for _ in range(2):
                with pytest.raises(Transient, match=r"lost.*nothing was written\. Open the ledger"):
                    first.commit_cycle("run", "advised", SECOND, [ex.EXIT], b"wrong")
        assert first.checkpoint("run", "advised") == b"two"
    with Store.open(where) as store:
        report = store.verify_chain("run")
        assert (report.intact, report.records) == (True, 2)


@pytest.mark.parametrize("size", [1, 300])
def test_a_connection_that_breaks_in_a_cycle_leaves_nothing_of_it(where: str, size: int) -> None:
    """By INSERT and by COPY."""

    def cut(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("UPDATE lanes"):
            lose(where, HOLDS_LOCK)

    with Store.open(where) as store:
        ex.start(store)
        store.commit_cycle("run", "advised", FIRST, [ex.FILL], b"one")
        event.listen(Engine, "after_cursor_execute", cut)
        rows = ex.minutes(ex.OPEN + ex.MINUTE, size)
        try:
            with pytest.raises(Transient, match="nothing was written"):
                store.commit_cycle("run", "advised", rows, [ex.TRADE], b"two")
        finally:
            event.remove(Engine, "after_cursor_execute", cut)
        assert store.checkpoint("run", "advised") == b"one"


def test_a_connection_that_breaks_while_committing_is_told_as_doubtful(where: str) -> None:
    def cut(_: object) -> None:
        lose(where, HOLDS_LOCK)

    store = Store.open(where)
    ex.start(store)
    event.listen(Engine, "commit", cut)
    try:
        with pytest.raises(Ambiguous, match="may or may not be there"):
            store.commit_cycle("run", "advised", FIRST, [ex.FILL], b"one")
    finally:
        event.remove(Engine, "commit", cut)
    store.close()
    with Store.open(where) as again:
        assert again.checkpoint("run", "advised") is None
        again.commit_cycle("run", "advised", FIRST, [ex.FILL], b"one")


def test_a_reader_goes_on_after_its_connections_were_cut(where: str) -> None:
    with Store.open(where) as writer:
        ex.start(writer)
    with Store.open(where, read_only=True) as reader:
        assert len(reader.runs()) == 1
        lose(where)
        assert len(reader.runs()) == 1


def test_a_server_that_is_not_there_may_be_there_in_a_moment(where: str) -> None:
    with pytest.raises(Transient, match="cannot be reached, nothing was written"):
        Store.open("postgresql://advisor@127.0.0.1:1/ledger", read_only=True)


# Many rows at once


def test_any_text_goes_through_copy_as_it_is(where: str) -> None:
    odd = "\\N\t\\.\r\n\\x00 \u2028 'é' \"😀\" $1 %s {} \x01\x7f"
    records = [
        dataclasses.replace(ex.ANALYSIS, reasoning=f"{odd}{n}", opportunities=(odd, "", f"{n}"))
        for n in range(2 * COPY_FROM)
    ]
    fills = [
        dataclasses.replace(ex.FILL, price=1e-17 * 3**n, fees=math.nan if n % 2 else 1e300)
        for n in range(2 * COPY_FROM)
    ]
    with Store.open(where) as store:
        ex.start(store)
        store.commit_cycle("run", "advised", None, [*records, *fills], b"\x00\\state")
        assert ex.same(tuple(store.analyses("run", "advised", as_of=ex.ALWAYS)), tuple(records))
        assert ex.same(tuple(store.fills("run", "advised", as_of=ex.ALWAYS)), tuple(fills))
        assert store.checkpoint("run", "advised") == b"\x00\\state"
        assert store.verify_chain("run").intact


def test_a_row_that_is_there_already_is_refused_by_copy_too(where: str) -> None:
    with Store.open(where) as store:
        ex.start(store)
        store.commit_cycle("run", "advised", ex.minutes(ex.OPEN, 1), [], None)
        ask(
            where,
            "INSERT INTO cycles SELECT run, lane, minute + interval '1 minute', symbol, close, mu, "
            "sigma, z, ready, htf_trend, state, side FROM cycles",
        )
        with pytest.raises(BadInput, match="does not hold what this process wrote last"):
            store.commit_cycle("run", "advised", ex.minutes(ex.OPEN + ex.MINUTE, 9), [], None)
        ask(where, "DELETE FROM cycles WHERE minute > '2026-01-05T14:30Z'")
        store.commit_cycle("run", "advised", ex.minutes(ex.OPEN + ex.MINUTE, 9), [], None)
        assert store.verify_chain("run").intact


# What a role or a server may have changed


def test_a_role_with_odd_settings_reads_and_writes_the_same(where: str) -> None:
    odd = {
        "timezone": "'Asia/Kathmandu'",
        "extra_float_digits": "-3",
        "datestyle": "'German, DMY'",
        "intervalstyle": "sql_standard",
        "bytea_output": "escape",
        "default_transaction_isolation": "'read committed'",
    }
    ask(where, *(f"ALTER ROLE postgres SET {name} = {value}" for name, value in odd.items()))
    try:
        with Store.open(where) as store:
            ex.keep_history(store)
            heads = store.heads("run")
            assert store.verify_chain("run").intact
            rows = store.cycles("run", "advised", as_of=ex.ALWAYS)
            assert ex.same_rows(ex.part(rows, 0, 60), ex.minutes(ex.OPEN, 20))
            assert store.checkpoint("run", "advised") == b"four"
    finally:
        ask(where, *(f"ALTER ROLE postgres RESET {name}" for name in odd))
    with Store.open(where, read_only=True) as store:
        assert store.heads("run") == heads
        assert store.verify_chain("run").intact


# TLS

REMOTE = "postgresql://advisor@db.example.com/ledger"


@pytest.mark.parametrize(
    ("url", "environment", "mode"),
    [
        (REMOTE, {}, "require"),
        (f"{REMOTE}?sslrootcert=/etc/rds.pem", {}, "verify-full"),
        (REMOTE, {"PGSSLROOTCERT": "/etc/rds.pem"}, "verify-full"),
        (f"{REMOTE}?sslmode=verify-ca", {}, "verify-ca"),
        (f"{REMOTE}?sslmode=disable", {}, "disable"),
        ("postgresql:///ledger", {"PGHOST": "db.example.com"}, "require"),
        ("postgresql://a,localhost/ledger", {}, "require"),
        ("postgresql:///ledger?host=localhost&host=db.example.com", {}, "require"),
        ("postgresql://127.example.com/ledger", {}, "require"),
        ("postgresql://localhost/ledger?hostaddr=10.0.0.7", {}, "require"),
        ("postgresql://[::1]/ledger", {}, None),
        ("postgresql://localhost/ledger", {}, None),
        ("postgresql://127.0.0.1/ledger", {}, None),
        ("postgresql:///ledger?host=/run/postgresql", {}, None),
    ],
)
def test_another_machine_is_reached_by_tls(
    where: str, url: str, environment: dict[str, str], mode: str | None
) -> None:
    assert secured(make_url(url), environment).query.get("sslmode") == mode


@pytest.mark.parametrize("mode", ["allow", "prefer"])
def test_what_may_go_on_in_plain_text_is_refused(where: str, mode: str) -> None:
    with pytest.raises(BadInput, match=f"sslmode={mode} may go on without encryption"):
        Store.open(f"{REMOTE}?sslmode={mode}")
    with pytest.raises(BadInput, match=f"sslmode={mode} may go on without encryption"):
        secured(make_url(REMOTE), {"PGSSLMODE": mode})


def socket_of(where: str) -> str:
    return f"{make_url(where).query['host']}/.s.PGSQL.5432"


def through(port: int, **query: str) -> str:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    return f"postgresql://postgres@127.0.0.1:{port}/postgres?{asked}"


def test_a_ledger_is_kept_over_tls_with_the_server_checked(where: str, tmp_path: Path) -> None:
    mine = certificate(tmp_path)
    with in_front_of(socket_of(where), mine) as port:
        url = through(port, sslmode="verify-full", sslrootcert=str(mine))
        with Store.open(url) as store:
            ex.keep_history(store)
        with Store.open(url, read_only=True) as store:
            assert store.verify_chain("run").intact


def test_a_server_with_another_certificate_is_not_written_to(where: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    mine, other = certificate(tmp_path), certificate(tmp_path / "other")
    with in_front_of(socket_of(where), mine) as port:
        url = through(port, sslmode="verify-full", sslrootcert=str(other))
        with pytest.raises(NotConfigured, match="certificate verify failed"):
            Store.open(url)
        gone = through(port, sslmode="verify-full", sslrootcert=str(tmp_path / "gone.pem"))
        with pytest.raises(NotConfigured, match=r"gone\.pem. does not exist"):
            Store.open(gone)


def test_a_server_without_tls_is_not_spoken_to(where: str) -> None:
    with (
        in_front_of(socket_of(where), None) as port,
        pytest.raises(NotConfigured, match="server does not support SSL"),
    ):
        Store.open(through(port, sslmode="require"))


def test_what_only_has_to_be_encrypted_is_encrypted(where: str, tmp_path: Path) -> None:
    """As the functions reach RDS: without a CA bundle, whoever signed the certificate."""
    with in_front_of(socket_of(where), certificate(tmp_path)) as port:
        with Store.open(through(port, sslmode="require")) as store:
            ex.start(store)
        with psycopg.connect(through(port, sslmode="require")) as connection:
            assert connection.pgconn.ssl_in_use


def test_a_certificate_of_another_name_is_not_this_servers(where: str, tmp_path: Path) -> None:
    mine = certificate(tmp_path)
    with in_front_of(socket_of(where), mine) as port:
        asked = {"hostaddr": "127.0.0.1", "sslrootcert": str(mine)}
        url = through(port, **asked).replace("@127.0.0.1", "@ledger.example.com")
        with pytest.raises(NotConfigured, match=r"does not match host name .ledger\.example\.com"):
            Store.open(url)
        Store.open(f"{url}&sslmode=verify-ca").close()


@pytest.mark.parametrize("is_after", [False, True])
def test_a_server_that_goes_in_a_handshake_is_an_outage(
    where: str, tmp_path: Path, is_after: bool
) -> None:
    """A failover does; a person has nothing to set right."""
    with (
        going_down(certificate(tmp_path) if is_after else None) as port,
        pytest.raises(Transient, match="cannot be reached, nothing was written"),
    ):
        Store.open(through(port, sslmode="require"))


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("57P03", "the database system is starting up"),
        ("57P03", "the database system is shutting down"),
        ("53300", "sorry, too many clients already"),
        ("53300", 'too many connections for role "postgres"'),
        ("53300", 'too many connections for database "postgres"'),
    ],
)
def test_a_server_that_takes_nobody_now_may_in_a_moment(
    where: str, state: str, message: str
) -> None:
    with saying(state, message) as port, pytest.raises(Transient, match=message):
        Store.open(through(port))


# Passwords


@contextmanager
def role_with_password(where: str, password: str) -> Iterator[str]:
    """The URL of a role that must give a password; the server's rules are put back afterwards."""
    folder = Path(ask(where, "SHOW data_directory")[0][0])
    rules = folder / "pg_hba.conf"
    before = rules.read_text()
    ask(where, f"CREATE ROLE trader LOGIN SUPERUSER PASSWORD '{password}'")
    rules.write_text(f"local all trader scram-sha-256\n{before}")
    ask(where, "SELECT pg_reload_conf()")
    url = make_url(where).set(username="trader", password=None)
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        rules.write_text(before)
        ask(where, "SELECT pg_reload_conf()", "DROP OWNED BY trader", "DROP ROLE trader")


class Vault:
    """A password with a cache in front of it, as Secrets Manager has."""

    def __init__(self, password: str) -> None:
        self.password = self.cached = password
        self.asked: list[bool] = []

    def __call__(self, fresh: bool) -> str:
        self.asked.append(fresh)
        if fresh:
            self.cached = self.password
        return self.cached


def test_a_password_that_was_rotated_is_asked_for_again(where: str) -> None:
    with role_with_password(where, "s3cret-one") as url:
        vault = Vault("s3cret-one")
        with Store.open(url, access=Access(password=vault)) as store:
            ex.start(store)
        assert set(vault.asked) == {False}
        ask(where, "ALTER ROLE trader PASSWORD 's3cret-two'")
        vault.password = "s3cret-two"
        with Store.open(url, read_only=True, access=Access(password=vault)) as store:
            assert len(store.runs()) == 1
        assert vault.asked.count(True) == 1
        ask(where, "ALTER ROLE trader PASSWORD 's3cret-three'")
        with pytest.raises(NotConfigured, match="password") as caught:
            Store.open(url, access=Access(password=vault))
        assert "s3cret" not in str(caught.value)
        assert "s3cret" not in repr(Access(password=vault))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret@127.0.0.1:1/ledger",
        "postgresql://127.0.0.1:1/ledger?user=me&password=s3cret",
        "postgresql+psycopg://me:s3cret@127.0.0.1:1/ledger",
        f"{REMOTE.replace('advisor@', 'advisor:s3cret@')}?sslmode=prefer",
        "postgresql://me:s3cret@host:port/ledger",
        "postgresql://me:s3cret@[::1/ledger",
        "mysql://me:s3cret@host/ledger",
        "sqlite://me:s3cret@/:memory:",
    ],
)
def test_no_message_shows_a_password(where: str, url: str) -> None:
    with pytest.raises((BadInput, Transient, NotConfigured)) as caught:
        Store.open(url)
    error: BaseException | None = caught.value
    assert "s3cret" not in str(error)


def test_a_login_that_is_refused_is_no_outage(where: str) -> None:
    with role_with_password(where, "right") as url:
        wrong = make_url(url).set(password="wr0ng").render_as_string(hide_password=False)
        with pytest.raises(NotConfigured, match="password authentication failed") as caught:
            Store.open(wrong)
        assert "wr0ng" not in str(caught.value)
    missing = make_url(where).set(database="nowhere").render_as_string(hide_password=False)
    with pytest.raises(NotConfigured, match='database "nowhere" does not exist'):
        Store.open(missing)


@contextmanager
def a_server_that_says(code: str, message: str) -> Iterator[str]:
    """A server's URL that refuses every connection; without a code it breaks off in TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def refuse() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                with client:
                    asked = client.recv(1024)
                    if asked[4:8] == TLS_WANTED:
                        client.sendall(b"N" if code else b"S")
                        client.recv(1024)
                    if code:
                        told = f"SFATAL\0VFATAL\0C{code}\0M{message}\0\0".encode()
                        client.sendall(b"E" + (len(told) + 4).to_bytes(4) + told)

        threading.Thread(target=refuse, daemon=True).start()
        yield f"postgresql://me@127.0.0.1:{listening.getsockname()[1]}/ledger?sslmode=prefer"


TLS_WANTED = (80877103).to_bytes(4)
REFUSED = [
    ("57P03", "the database system is starting up", Transient),
    ("57P03", "the database system is in recovery mode", Transient),
    ("57P03", "the database system is shutting down", Transient),
    ("53300", "sorry, too many clients already", Transient),
    ("3D000", 'database "ledger" does not exist', NotConfigured),
    ("28000", 'role "me" does not exist', NotConfigured),
]


@pytest.mark.parametrize(("code", "message", "reaction"), REFUSED)
def test_a_server_that_changes_over_is_back_in_a_moment(
    where: str, code: str, message: str, reaction: type[Exception]
) -> None:
    assert where
    with a_server_that_says(code, message) as url, pytest.raises(reaction, match=message):
        Store.open(url)


def test_tls_that_breaks_off_is_no_fault_of_the_settings(where: str) -> None:
    assert where
    with a_server_that_says("", "") as url, pytest.raises(Transient, match="cannot be reached"):
        Store.open(url.replace("prefer", "require"))
