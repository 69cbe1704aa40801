"""A session in a process of its own, on a stage in another: time is asked for over HTTP.

Run as a module it is that process: `python -m tests.advisor.live.remote REQUEST.json`, where the
request says which clock, servers and folder it has. SIGTERM stops it as it stops `advisor live`.
"""

import http.client
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from advisor.bootstrap import ReplayOptions
from advisor.live.opening import LiveRequest, Opening
from advisor.settings import Settings
from quant_core.calendar import xnys
from tests.advisor.live.theatre import ENVIRONMENT, SYMBOLS, Theatre

REPOSITORY = Path(__file__).parents[3]


class RemoteClock:
    """The stage's time, asked for over HTTP."""

    def __init__(self, port: int) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", port)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self._ask("now")

    def monotonic(self) -> float:
        return self.now().timestamp()

    def sleep(self, seconds: float) -> None:
        self._ask(f"until {(self.now() + timedelta(seconds=seconds)).isoformat()}")

    def wait(self, event: threading.Event, until: datetime) -> None:
        if not event.is_set():
            self._ask(f"until {until.isoformat()}")

    def _ask(self, what: str) -> datetime:
        with self._lock:
            self._line.request("POST", "/", what.encode())
            return datetime.fromisoformat(self._line.getresponse().read().decode())


@contextmanager
def served_time(stage: Theatre) -> Iterator[int]:
    """The port at which the stage's time can be asked for; one question at a time."""
    one = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["content-length"])).decode().split()
            with one:
                if asked[0] == "until":
                    stage.waited_for()
                    stage.until(datetime.fromisoformat(asked[1]))
                told = stage.now.isoformat().encode()
            self.send_response(200)
            self.send_header("content-length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # it was killed
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


class Remote:
    """Starts processes that trade a stage's day, one after another."""

    def __init__(self, stage: Theatre, port: int, **live: float) -> None:
        """`live` are settings of the loop that differ from the stage's."""
        self.stage = stage
        self.request = stage.folder / "request.json"
        self.request.write_text(
            json.dumps(
                {
                    "port": port,
                    "day": stage.session.date.isoformat(),
                    "folder": str(stage.folder / "run"),
                    "bars": str(stage.history),
                    "daily": str(stage.days),
                    "settings": stage.settings(live=live).model_dump(mode="json"),
                }
            )
        )
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> subprocess.Popen[str]:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.advisor.live.remote", str(self.request)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self.process

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()

    def play(self, again: Callable[[int, str], bool]) -> None:
        """One process after another, as long as `again` says so of an exit code and the output."""
        while True:
            process = self.start()
            said = process.communicate(timeout=150)[0]
            if not again(process.returncode, said):
                return


def main(path: str) -> None:
    """The process."""
    asked: dict[str, Any] = json.loads(Path(path).read_text())
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    day = date.fromisoformat(asked["day"])
    session = xnys(day.year, day.year).on(day)
    assert session is not None
    opening = Opening(
        request=LiveRequest(
            mode="paper",
            folder=Path(asked["folder"]),
            symbols=SYMBOLS,
            bars=(Path(asked["bars"]),),
            daily=Path(asked["daily"]),
        ),
        options=ReplayOptions(),
        settings=Settings.model_validate(asked["settings"]),
        environment=ENVIRONMENT,
        session=session,
        clock=RemoteClock(asked["port"]),
        stop=stop,
        say=lambda line: print(line, flush=True),
    )
    with opening.open() as live:
        print(live.run(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
