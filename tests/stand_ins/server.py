"""The HTTP server under every stand-in: plain threads, Nagle disabled, faults on demand."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from tests.stand_ins.steps import Cuts, Drips, Fails, Hangs, Says, Sends, Step


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Wire(Protocol):
    """One service's protocol."""

    def check(self, request: Request) -> str | None:
        """What the service would refuse about a request."""
        ...

    def answer(self, request: Request, says: Says) -> dict[str, Any]:
        """The body of an answer."""
        ...

    def error(self, fails: Fails) -> tuple[dict[str, Any], dict[str, str]]:
        """The body and headers of an error."""
        ...


Script = Iterable[Step] | Callable[[Request], Step | None]


class StandIn:
    """A running server: where it is, what it was asked, and what it would have refused."""

    def __init__(self, wire: Wire, script: Script, path: str) -> None:
        self._wire = wire
        self._next = script if callable(script) else _one_by_one(iter(script))
        self._lock = threading.Lock()
        self.closing = threading.Event()
        self.requests: list[Request] = []
        self.violations: list[str] = []
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.path, headers, json.loads(self.rfile.read(length)))
                stand_in.respond(self, request)

            def log_message(self, *_: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}{path}"

    def respond(self, handler: BaseHTTPRequestHandler, request: Request) -> None:
        with self._lock:
            self.requests.append(request)
            violation = self._wire.check(request)
            step = None if violation else self._next(request)
            if step is None:
                self.violations.append(violation or f"a request too many: {request.path}")
                step = Fails(status=400, message=self.violations[-1])
        try:
            self._act(handler, request, step)
        except OSError:  # the client has gone
            handler.close_connection = True

    def _act(self, handler: BaseHTTPRequestHandler, request: Request, step: Step) -> None:
        if isinstance(step, Hangs):
            self.closing.wait(step.seconds)
            handler.close_connection = True
        elif isinstance(step, Cuts):
            whole = json.dumps(self._wire.answer(request, Says(text="{" * 500))).encode()
            _head(handler, 200, len(whole), {})
            handler.wfile.write(whole[: len(whole) // 2])
            handler.close_connection = True
        elif isinstance(step, Sends):
            _head(handler, 200, len(step.body), {})
            handler.wfile.write(step.body)
        elif isinstance(step, Fails):
            content, headers = self._wire.error(step)
            whole = json.dumps(content).encode()
            _head(handler, step.status, len(whole), headers | step.headers)
            handler.wfile.write(whole)
        elif isinstance(step, Drips):
            whole = json.dumps(self._wire.answer(request, Says(text=step.text))).encode()
            _head(handler, 200, len(whole), {})
            for position in range(len(whole)):
                if self.closing.wait(step.pause):
                    break
                handler.wfile.write(whole[position : position + 1])
        else:
            self.closing.wait(step.after)
            if step.when is not None:
                step.when()
            whole = json.dumps(self._wire.answer(request, step)).encode()
            _head(handler, 200, len(whole), {})
            handler.wfile.write(whole)

    def start(self) -> None:
        serve = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        serve.start()

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """A client that went away is part of the script, not news."""


def _head(handler: BaseHTTPRequestHandler, status: int, length: int, more: dict[str, str]) -> None:
    handler.send_response(status)
    for name, value in {
        "content-type": "application/json",
        "content-length": str(length),
        **more,
    }.items():
        handler.send_header(name, value)
    handler.end_headers()


def _one_by_one(steps: Iterator[Step]) -> Callable[[Request], Step | None]:
    return lambda _: next(steps, None)


@contextmanager
def running(wire: Wire, script: Script, path: str = "") -> Iterator[StandIn]:
    """A server for as long as the block lasts; AssertionError for what it would have refused."""
    server = StandIn(wire, script, path)
    server.start()
    try:
        yield server
    finally:
        server.close()
    assert not server.violations, server.violations
