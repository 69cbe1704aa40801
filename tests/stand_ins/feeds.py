"""A server of feeds: what it serves is a table of paths, with faults on demand."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(kw_only=True)
class Page:
    """What stands at a path. `drip` is the pause in seconds between single bytes of the body."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drip: float = 0.0


@dataclass
class FeedServer:
    """A running server: where it is, what stands there, and the headers of each request."""

    url: str
    pages: dict[str, Page] = field(default_factory=dict)
    requests: list[dict[str, str]] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)


@contextmanager
def feed_server() -> Iterator[FeedServer]:
    """A server that answers 304 when it is told its own ETag or Last-Modified."""
    state = FeedServer("")

    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            asked = {name.lower(): value for name, value in self.headers.items()}
            state.requests.append(asked)
            page = state.pages.get(self.path, Page(status=404))
            tags = page.headers.get("ETag"), page.headers.get("Last-Modified")
            told = asked.get("if-none-match"), asked.get("if-modified-since")
            same = any(tag and tag == said for tag, said in zip(tags, told, strict=True))
            self.send_response(304 if same else page.status)
            for name, value in page.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if same:
                return
            try:
                if not page.drip:
                    self.wfile.write(page.body)
                for byte in page.body if page.drip else b"":
                    self.wfile.write(bytes([byte]))
                    if state.closing.wait(page.drip):
                        return
            except OSError:
                pass  # the client has gone, as it should

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        state.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
