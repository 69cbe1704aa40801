"""Amazon's services by moto's server, and a front that fails on demand.

`Front` stands before it as the endpoint: it answers the next requests with given statuses or cuts
them off, before or after they have reached the service behind.
"""

import threading
import urllib.error
import urllib.request
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, NamedTuple

Cut = Literal["before", "after"]


class Fault(NamedTuple):
    """An answer instead of the service's; `cut` says when the connection is closed instead."""

    status: int = 0
    body: bytes = b""
    cut: Cut | None = None


class Front:
    """A server before another one."""

    def __init__(self, behind: str) -> None:
        """Not listening yet."""
        self.faults: deque[Fault] = deque()
        self.requests = 0
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                front.requests += 1
                fault = front.faults.popleft() if front.faults else None
                if fault and fault.cut == "before":
                    self.close_connection = True
                    return
                if fault and fault.cut is None:
                    self._answer(fault.status, "application/x-amz-json-1.0", fault.body)
                    return
                # The host is signed and moto routes by path: both stay as the client sent them.
                asked = urllib.request.Request(
                    behind + self.path, body or None, dict(self.headers), method=self.command
                )
                tag = None
                try:
                    with urllib.request.urlopen(asked) as answer:
                        found = answer.status, answer.headers["content-type"], answer.read()
                        tag = answer.headers["etag"]
                except urllib.error.HTTPError as error:
                    found = error.code, error.headers["content-type"], error.read()
                if fault:
                    self.close_connection = True
                    return
                self._answer(*found, tag)

            def _answer(
                self, status: int, kind: str | None, body: bytes, tag: str | None = None
            ) -> None:
                self.send_response(status)
                if tag:
                    self.send_header("etag", tag)
                self.send_header("content-type", kind or "text/plain")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = _pass

            def log_message(self, *_: object) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
