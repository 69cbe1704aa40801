"""Ledgers for the dashboard's tests, written through the Store like any other, and a served one."""

import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import sleep

from advisor.control import Control
from advisor.halting import obey
from advisor.lanes import Lane
from advisor.settings import Settings
from quant_core.desk import Desk
from quant_core.events import EventLog
from quant_core.parameters import FillRules, RiskLimits, StdevParameters, pack
from quant_core.types import RiskChange, RiskState, Status
from tests.tools.store import examples
from tools.store import Store

MARKUP = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
LONG = "a reason that does not end " * 60


def troubled(folder: Path) -> Path:
    """A run that was halted, whose newest analysis is degraded, in other people's markup."""
    ledger = folder / "ledger.sqlite"
    with Store.open(ledger) as store:
        examples.keep_history(store)
        opened = examples.OPEN + timedelta(days=2)
        analysis = replace(
            examples.ANALYSIS, as_of=opened + 15 * examples.MINUTE, assessment=MARKUP + LONG,
            reasoning=MARKUP, opportunities=(MARKUP,), status=Status.DEGRADED,
            degraded_reason=MARKUP + " timeout",
        )  # fmt: skip
        halted = RiskChange(
            start=opened + 20 * examples.MINUTE, state=RiskState.HALTED, reason=MARKUP, equity=9e4
        )
        rows = examples.minutes(opened + 5 * examples.MINUTE, 25)
        store.commit_cycle("run", "advised", rows, [analysis, halted], b"five")
        told = replace(examples.CHART_ALERT, time=opened + 24 * examples.MINUTE, entry=181.25)
        prepared = replace(examples.SNAPSHOT, date=opened.date())
        store.commit_cycle("run", "market", None, [prepared, told], None)
    return ledger


@contextmanager
def session(folder: Path) -> Iterator[Path]:
    """A paper session under way: a loop that writes a minute now and then and obeys a person."""
    rules = pack(StdevParameters(), RiskLimits(), FillRules())
    lane = Lane(
        name="advised", desk=Desk.new(len(examples.WATCHLIST), 1e5),
        log=EventLog.with_room_for(len(examples.WATCHLIST)),
    )  # fmt: skip
    over = threading.Event()
    with Store.open(folder / "ledger.sqlite") as store:
        store.start_run("run", kind="paper", config_hash="c", code_version="1", config_json="{}")

        def loop() -> None:
            control, minute = Control(folder), datetime.now(UTC).replace(second=0, microsecond=0)
            minute -= timedelta(minutes=40)
            while not over.wait(0.2):
                now = datetime.now(UTC)
                obey(control, [lane], examples.WATCHLIST, rules, store, "run", now)
                if minute < now - timedelta(minutes=1):
                    rows = examples.minutes(minute, 1)
                    store.commit_cycle("run", lane.name, rows, [], lane.checkpoint())
                    minute += timedelta(minutes=1)

        thread = threading.Thread(target=loop, name="session")
        thread.start()
        try:
            yield folder / "ledger.sqlite"
        finally:
            over.set()
            thread.join(10)


def crowded(folder: Path, trades: int) -> Path:
    """A run with this many trades, of a symbol and reasons with the longest names there can be."""
    ledger, name = folder / "ledger.sqlite", "W" * 15
    with Store.open(ledger, synchronous="NORMAL") as store:
        store.start_run("r" * 64, kind="replay", config_hash="c", code_version="1" * 60,
                        config_json="{}")  # fmt: skip
        one = replace(examples.TRADE, symbol=name)
        closed = [
            replace(one, entry_time=one.entry_time + n * timedelta(seconds=1),
                    exit_time=one.exit_time + n * timedelta(seconds=1))
            for n in range(trades)
        ]  # fmt: skip
        rows = examples.minutes(examples.OPEN, 30, (name, "SPY"))
        refused = replace(examples.REJECTION, symbol=name, reason="no_" * 80)
        store.commit_cycle("r" * 64, "advised", rows, [*closed, refused], b"1")
    return ledger


def empty(folder: Path) -> Path:
    """A ledger without a run."""
    ledger = folder / "ledger.sqlite"
    with Store.open(ledger):
        pass
    return ledger


def settings_file(folder: Path) -> Path:
    """Settings whose key file is in the folder, so that none of this machine's is found."""
    file = folder / "advisor.toml"
    keys = (folder / Settings().api.keys_file).as_posix()
    file.write_text(f'[api]\nkeys_file = "{keys}"\n', encoding="utf-8")
    return file


@contextmanager
def served(
    ledger: Path, folder: Path, port: int = 0
) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """`advisor serve` in a process of its own: its address, and the process."""
    command = [
        sys.executable, "-c", "from advisor.cli import main; main()", "serve", "--port", str(port),
        "--ledger", str(ledger), "--config", str(settings_file(folder)),
    ]  # fmt: skip
    server = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONWARNINGS": "ignore"}
    )
    try:
        assert server.stderr is not None
        said = []
        for line in server.stderr:
            said.append(line)
            if line.startswith("Open"):
                break
        else:
            raise AssertionError("".join(said))
        address = said[-1].split()[1].rstrip("/")
        _wait(f"{address}/api/health")
        yield address, server
    finally:
        server.terminate()
        server.wait(10)
        if server.stderr is not None:
            server.stderr.close()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


@contextmanager
def dashboard(api: str, folder: Path) -> Iterator[str]:
    """The dashboard alone, in a process of its own, over an API that is elsewhere: its address."""
    (folder / ".streamlit").mkdir()
    (folder / ".streamlit" / "secrets.toml").write_text(f'[api]\nurl = "{api}"\n')
    port = free_port()
    script = Path(__file__).parents[2] / "ui" / "app.py"
    running = subprocess.Popen(
        [
            sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port),
            "--server.address", "127.0.0.1", "--server.headless", "true",
            "--browser.gatherUsageStats", "false",
        ],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(10)


def _wait(url: str) -> None:
    for _ in range(200):
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                answer.read()
            return
        except OSError:
            sleep(0.05)
    raise AssertionError(f"{url} does not answer")
