"""The dashboard in a real browser: `python -m benchmarks.ui`. What a visitor waits for and costs.

Chromium opens the page as a visitor would, with an empty cache, and the wait ends when the first
figures of the watchlist can be read. What moves is counted by DevTools, unpacked, on pages that
hold a whole session of a run that has not ended. What the server costs is its processor seconds
over a minute of a replay that moves. The server is `advisor serve` in a process of its own.
"""

import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from advisor.bootstrap import ReplayOptions
from advisor.demo import demo_market, demo_request
from advisor.replay import replay
from advisor.settings import Settings
from benchmarks.api import serving
from benchmarks.figure import Figure
from benchmarks.ledgers import write_ledger

READY = ".grid td.num"
TABS = 10
TICK = 2.0
SECONDS, MINUTE, SETTLING = 20.0, 60.0, 3_000.0
RUNS = 7
ADVISOR = [sys.executable, "-c", "from advisor.cli import main; main()"]
LIVE = (
    ("Today", "", READY),
    ("Symbol", "symbol?symbol=NVDA", "canvas"),
    ("Analyses", "analyses", "details"),
)


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
        subprocess.run([*ADVISOR, "demo", "--out", str(demo)], check=True, capture_output=True)
        write_ledger(big)
        with serving(demo / "ledger.sqlite") as (_, port):
            yield Figure(
                "dashboard, demo, first paint, empty cache", _paint(browser, port), "s", "< 1.5"
            )
            yield Figure(
                "the same, files in the cache", _paint(browser, port, again=True), "s", "-"
            )
        with serving(big) as (_, port):
            yield Figure("dashboard, 100,000 trades, first paint, empty cache",
                         _paint(browser, port), "s", "< 2.5")  # fmt: skip
            yield Figure(
                "the same, page Trades", _paint(browser, port, "trades", ".tile"), "s", "< 2.5"
            )
            for name, page, ready in LIVE:
                moved = _moved(browser, port, page, ready) / 1e3
                yield Figure(f"dashboard, {name}, whole session, moved a tick", moved, "kB", "< 50")
        with _moving(Path(folder) / "moving") as ledger, serving(ledger) as (server, port):
            share = _share(browser, server, port)
            yield Figure(
                "dashboard, 10 open tabs, replay moving, share of a core", share, "%", "< 25"
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


def _moved(browser: Any, port: int, page: str, ready: str) -> float:
    """Bytes that a tick of 2 s moves to one tab, unpacked, over all its connections."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    tab = context.new_page()
    received: list[int] = []
    devtools = context.new_cdp_session(tab)
    devtools.send("Network.enable")
    devtools.on("Network.webSocketFrameReceived", lambda event: received.append(_length(event)))
    devtools.on("Network.dataReceived", lambda event: received.append(event["dataLength"]))
    tab.goto(f"http://127.0.0.1:{port}/{page}")
    tab.wait_for_selector(ready)
    tab.wait_for_timeout(SETTLING)
    received.clear()
    begun = time.perf_counter()
    tab.wait_for_timeout(SECONDS * 1e3)
    moved = sum(received) / (time.perf_counter() - begun) * TICK
    context.close()
    return moved


def _length(event: Any) -> int:
    """Bytes of a frame: DevTools tell binary ones in base64."""
    text: str = event["response"]["payloadData"]
    return len(text) * 3 // 4 if event["response"]["opcode"] == 2 else len(text.encode())


def _share(browser: Any, server: "subprocess.Popen[str]", port: int) -> float:
    """Percent of a core that the server spends on ten open tabs, over a minute."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    for _ in range(TABS):
        tab = context.new_page()
        tab.goto(f"http://127.0.0.1:{port}/")
        tab.wait_for_selector(READY)
    context.pages[0].wait_for_timeout(SETTLING)
    process = psutil.Process(server.pid)
    before, begun = sum(process.cpu_times()[:2]), time.perf_counter()
    context.pages[0].wait_for_timeout(MINUTE * 1e3)
    spent = sum(process.cpu_times()[:2]) - before
    seconds = time.perf_counter() - begun
    context.close()
    return 100 * spent / seconds


@contextmanager
def _moving(out: Path) -> Iterator[Path]:
    """The demo's session under way, a minute every half second: its ledger."""
    running = multiprocessing.get_context("spawn").Process(target=_replay, args=(out,))
    running.start()
    try:
        while not (out / "ledger.sqlite").is_file():
            time.sleep(0.1)
        time.sleep(5)
        yield out / "ledger.sqlite"
    finally:
        running.kill()
        running.join()


def _replay(out: Path) -> None:
    request, settings = demo_request(), Settings()
    options = ReplayOptions(analyst="rules", validation="rules", pace=0.5)
    replay(request, options, settings, demo_market(request, settings), out)


if __name__ == "__main__":
    for figure in figures():
        print(f"{figure.name:60} {figure.value:8.2f} {figure.unit}  {figure.target}", flush=True)
