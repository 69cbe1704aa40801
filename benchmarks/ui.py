"""The dashboard in a real browser: `python -m benchmarks.ui`. What a visitor waits for and costs.

Chromium opens the page as a visitor would, with an empty cache, and the wait ends when the first
figures of the watchlist can be read. What moves is counted on the websocket, what the server costs
in its processor seconds. The server is `advisor serve` in a process of its own.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from benchmarks.api import serving
from benchmarks.figure import Figure
from benchmarks.ledgers import write_ledger

READY = ".grid td.num"
TABS = 10
SECONDS = 20.0
RUNS = 7


def figures() -> Iterator[Figure]:
    """First paint on both ledgers, bytes a tick, and what open tabs cost. Needs Chromium."""
    found = os.environ.get("ADVISOR_TEST_CHROMIUM") or shutil.which("chromium")
    if not found:
        print("no chromium on the path: the rows of the dashboard are left out", file=sys.stderr)
        return
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        demo, big = Path(folder) / "demo", Path(folder) / "big.sqlite"
        advisor = [sys.executable, "-c", "from advisor.cli import main; main()"]
        subprocess.run([*advisor, "demo", "--out", str(demo)], check=True, capture_output=True)
        write_ledger(big)
        with serving(demo / "ledger.sqlite") as (server, port):
            yield Figure(
                "dashboard, demo, first paint, empty cache", _paint(browser, port), "s", "< 1.5"
            )
            yield Figure(
                "the same, files in the cache", _paint(browser, port, again=True), "s", "-"
            )
            yield from _open_tabs(browser, server, port)
        with serving(big) as (_, port):
            yield Figure("dashboard, 100,000 trades, first paint, empty cache",
                         _paint(browser, port), "s", "< 2.5")  # fmt: skip
            yield Figure(
                "the same, page Trades", _paint(browser, port, "trades", ".tile"), "s", "< 2.5"
            )
        browser.close()


def _paint(
    browser: Any, port: int, page: str = "", ready: str = READY, *, again: bool = False
) -> float:
    """Median seconds from the request to readable figures."""
    waits = []
    for _ in range(RUNS):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        tab = context.new_page()
        for _ in range(2 if again else 1):
            begun = time.perf_counter()
            tab.goto(f"http://127.0.0.1:{port}/{page}", wait_until="commit")
            tab.wait_for_selector(ready)
            wait = time.perf_counter() - begun
        waits.append(wait)
        context.close()
    return statistics.median(waits)


def _open_tabs(browser: Any, server: "subprocess.Popen[str]", port: int) -> Iterator[Figure]:
    """Bytes a tick in one tab and the server's share of a core with ten."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    received: list[int] = []
    for number in range(TABS):
        tab = context.new_page()
        if number == 0:
            tab.on("websocket", lambda socket: socket.on(
                "framereceived", lambda frame: received.append(len(frame))))  # fmt: skip
        tab.goto(f"http://127.0.0.1:{port}/")
        tab.wait_for_selector(READY)
    time.sleep(3)
    process = psutil.Process(server.pid)
    received.clear()
    before, begun = sum(process.cpu_times()[:2]), time.perf_counter()
    context.pages[0].wait_for_timeout(SECONDS * 1e3)
    spent = sum(process.cpu_times()[:2]) - before
    seconds = time.perf_counter() - begun
    context.close()
    yield Figure(
        "dashboard, Today, moved a tick of 2 s", sum(received) / seconds * 2 / 1e3, "kB", "< 50"
    )
    yield Figure("dashboard, 10 open tabs, share of a core", 100 * spent / seconds, "%", "< 25")


if __name__ == "__main__":
    for figure in figures():
        print(f"{figure.name:60} {figure.value:8.2f} {figure.unit}  {figure.target}", flush=True)
