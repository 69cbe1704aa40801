"""TLS in front of a PostgreSQL that has none: answers libpq's SSLRequest and passes bytes through.

The test server is built without OpenSSL. What a client asks for, checks and refuses is the client's
own doing, and that client is the real one. Beside it, servers that are on their way down or up: one
that goes in the middle of the handshake, one that says why it takes nobody.
"""

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SSL_REQUEST = (80877103).to_bytes(4, "big")


def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that signs itself; its key lies beside it (`.key`)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a ledger for tests")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    place = folder / "ca.pem"
    place.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    place.with_suffix(".key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return place


@contextlib.contextmanager
def in_front_of(behind: str, signed: Path | None) -> Iterator[int]:
    """A port on 127.0.0.1 that leads to a socket file; without a certificate TLS is declined."""
    context = None if signed is None else _context(signed)
    with _listening(lambda client: _guest(client, behind, context)) as port:
        yield port


@contextlib.contextmanager
def going_down(signed: Path | None = None) -> Iterator[int]:
    """A port of a server that goes in the middle of the handshake; with a certificate, after it."""

    def go(client: socket.socket) -> None:
        client.recv(8)
        client.sendall(b"S")
        if signed is not None:
            client = _context(signed).wrap_socket(client, server_side=True)
        client.recv(65536)
        client.close()

    with _listening(go) as port:
        yield port


@contextlib.contextmanager
def saying(state: str, message: str) -> Iterator[int]:
    """A port of a server, without TLS, that answers everybody with a FATAL error."""

    def refuse(client: socket.socket) -> None:
        if client.recv(8)[4:] == SSL_REQUEST:
            client.sendall(b"N")
        client.recv(65536)
        fields = (b"SFATAL", b"VFATAL", b"C" + state.encode(), b"M" + message.encode(), b"")
        body = b"".join(field + b"\0" for field in fields)
        client.sendall(b"E" + (len(body) + 4).to_bytes(4, "big") + body)
        client.close()

    with _listening(refuse) as port:
        yield port


def _context(signed: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed, signed.with_suffix(".key"))
    return context


@contextlib.contextmanager
def _listening(receive: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port of 127.0.0.1 whose guests are received each in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, receive), daemon=True).start()
        yield listener.getsockname()[1]


def _serve(listener: socket.socket, receive: Callable[[socket.socket], None]) -> None:
    def guest(client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            receive(client)

    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=guest, args=(client,), daemon=True).start()


def _guest(client: socket.socket, behind: str, context: ssl.SSLContext | None) -> None:
    first = client.recv(8)
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(behind)
        if first[4:] == SSL_REQUEST:
            client.sendall(b"S" if context else b"N")
            if context:
                client = context.wrap_socket(client, server_side=True)
        else:
            server.sendall(first)
        back = threading.Thread(target=_pass, args=(server, client), daemon=True)
        back.start()
        _pass(client, server)
        back.join()
        client.close()


def _pass(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
