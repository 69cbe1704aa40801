"""The API under load: `python -m benchmarks.api`. A hundred thousand trades, 200 requests a second.

The server is a process of its own, started as a user would start it; the client is another, which
sends on a fixed schedule over keep-alive connections and counts each answer from the moment at
which it was due, so that a server that falls behind cannot hide it.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import psutil

from benchmarks.figure import Figure
from benchmarks.ledgers import write_ledger

RATE = 200
SECONDS = 15
WARM_SECONDS = 2
CONNECTIONS = 16
FIRST_DAY = date(2022, 1, 10)
# {day} is a different one each time, so that most answers have to be made and not only repeated.
ROUTES = {
    "/api/trades": (
        "/api/trades",
        "/api/trades?end_date={day}",
        "/api/trades?end_date={day}&symbol=SPY&limit=25",
    ),
    "/api/pnl": ("/api/pnl", "/api/pnl?start_date={day}&end_date={later}", "/api/pnl?lane=advised"),
}

QUESTIONS = (
    "What was the P/L over the last 5 days?",
    "What was the P/L in total?",
    "How many signals were there?",
    "What was the average confidence in 2024?",
    "Which symbol lost the most in 2024?",
    "What was our worst trade in 2024?",
    "Show all trades of October 28th 2025",
)


def figures() -> Iterator[Figure]:
    """Latency of both routes and the server's memory, on one ledger."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder) / "ledger.sqlite"
        write_ledger(ledger)
        with serving(ledger, "--no-ui") as (server, port):
            process = psutil.Process(server.pid)
            for name, paths in ROUTES.items():
                before = _spent(process)
                measured = _client(port, paths)
                spent = 1e3 * (_spent(process) - before) / measured["requests"]
                yield Figure(
                    f"API {name}, 100,000 trades, {RATE} requests/s, p99",
                    measured["p99"], "ms", "< 50",
                )  # fmt: skip
                yield Figure(f"API {name}, median", measured["p50"], "ms", "-")
                # Unlike a wait it does not depend on who else uses the machine.
                yield Figure(f"API {name}, processor time a request", spent, "ms", "< 2.5")
            spent = sorted(_asked(port, one) for one in QUESTIONS for _ in range(4))
            yield Figure(
                "API /api/chat, 100,000 trades, median", spent[len(spent) // 2], "ms", "< 200"
            )
            yield Figure("API /api/chat, slowest", spent[-1], "ms", "< 200")
            held = process.memory_info().rss / 1e6
            path, added = _heaviest(process, port)
    yield Figure("API server, memory after the load", held, "MB", "-")
    yield Figure(f"API, memory that an endpoint adds at most ({path})", added, "MB", "< 200")


def _spent(process: psutil.Process) -> float:
    """Seconds of processor time."""
    times = process.cpu_times()
    return float(times.user + times.system)


def _heaviest(process: psutil.Process, port: int) -> tuple[str, float]:
    """The endpoint that leaves most in the server's memory, asked for as much as it gives."""
    site = f"http://127.0.0.1:{port}"
    document = json.load(urllib.request.urlopen(f"{site}/openapi.json"))
    added = {}
    for path, methods in document["paths"].items():
        if "get" not in methods or path == "/api/stream" or "{" in path:
            continue
        named = {one["name"]: one.get("required") for one in methods["get"].get("parameters", ())}
        query = "&".join(
            f"{name}={value}"
            for name, value in (("limit", 500), ("symbol", "SPY"), ("date", "2025-10-28"))
            if name in named and (name == "limit" or named[name])
        )
        before = process.memory_info().rss
        urllib.request.urlopen(f"{site}{path}?{query}", timeout=120).read()
        added[path] = (process.memory_info().rss - before) / 1e6
    path = max(added, key=added.__getitem__)
    return path, added[path]


def _asked(port: int, question: str) -> float:
    """Milliseconds from a question to its answer, alone; the sums are ready after the load."""
    body = json.dumps({"question": question}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/chat", body, {"content-type": "application/json"}
    )
    began = time.perf_counter()
    answer = json.load(urllib.request.urlopen(request, timeout=60))
    spent = 1e3 * (time.perf_counter() - began)
    if answer["refused"]:
        raise SystemExit(f"{question!r} was not answered: {answer['text']}")
    return spent


@contextmanager
def serving(ledger: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`advisor serve` on a free port."""
    command = [
        sys.executable, "-c", "from advisor.cli import main; main()",
        "serve", "--ledger", str(ledger), "--port", "0", *options,
    ]  # fmt: skip
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ.copy())
    try:
        assert server.stderr is not None
        port = 0
        for line in server.stderr:
            if "/api/" in line:
                port = int(line.split("://")[1].split("/")[0].rpartition(":")[2])
                break
        if not port:
            raise SystemExit("the server did not start")
        _wait(port)
        yield server, port
    finally:
        server.terminate()
        server.wait(10)


def _wait(port: int) -> None:
    for _ in range(100):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=5).read()
            return
        except OSError:
            time.sleep(0.1)


def _client(port: int, paths: tuple[str, ...]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.api", "client", str(port), *paths],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout)
    return found


async def _load(port: int, paths: tuple[str, ...], seconds: float) -> list[float]:
    """Send on schedule; milliseconds from each request's due moment to the end of its answer."""
    waits: list[float] = []
    count = int(RATE * seconds)
    begun = time.perf_counter() + 0.2

    async def connection(first: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in range(first, count, CONNECTIONS):
            due = begun + number / RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            day = FIRST_DAY + timedelta(days=number * 37 % 1300)
            path = paths[number % len(paths)].format(day=day, later=day + timedelta(days=60))
            writer.write(
                f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: gzip\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.split(b"\r\n", 1)[0]:
                raise SystemExit(f"{path}: {head.decode()}")
            await reader.readexactly(_length(head))
            waits.append(1e3 * (time.perf_counter() - due))
        writer.close()

    await asyncio.gather(*(connection(first) for first in range(CONNECTIONS)))
    return waits


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    raise SystemExit("an answer without a length")


def main() -> None:
    """The client, or everything."""
    if sys.argv[1:2] == ["client"]:
        port, paths = int(sys.argv[2]), tuple(sys.argv[3:])
        asyncio.run(_load(port, paths, WARM_SECONDS))
        waits = sorted(asyncio.run(_load(port, paths, SECONDS)))
        shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
        found = {k: waits[round(v * (len(waits) - 1))] for k, v in shares.items()}
        print(json.dumps({**found, "requests": RATE * (SECONDS + WARM_SECONDS)}))
        return
    for figure in figures():
        print(f"{figure.name:60} {figure.value:8.1f} {figure.unit}  {figure.target}")


if __name__ == "__main__":
    main()
