"""The writer is killed; what is left is whole cycles, all that were confirmed, and a good chain."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tools.store import dying
from tests.tools.store import examples as ex
from tools.store import Store

ROOT = Path(__file__).parents[3]


def writer(path: Path, *arguments: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.tools.store.dying", str(path), *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def kept(path: Path) -> int:
    """How many cycles the ledger holds, after checking that they are whole and chained."""
    with Store.open(path) as store:
        number = int(store.checkpoint("run", "advised") or b"0")
        report = store.verify_chain("run")
        assert report.broken is None
        assert report.records == len(dying.RECORDS) * number + number // 10
        assert report.cycle_rows == len(ex.WATCHLIST) * number
        assert len(store.trades("run", "advised", as_of=ex.ALWAYS)) == number
        rows = store.cycles("run", "advised", as_of=ex.ALWAYS)
        if number:
            assert ex.same_rows(rows, ex.minutes(ex.OPEN + ex.MINUTE, number))
        return number


def test_killed_again_and_again_it_loses_no_confirmed_cycle(path: Path) -> None:
    confirmed = 0
    for seconds in (0.05, 0.2, 0.4):
        process = writer(path)
        assert process.stdout is not None
        assert int(process.stdout.readline()) == confirmed + 1
        time.sleep(seconds)
        process.kill()
        said = [confirmed + 1, *map(int, process.stdout.read().split())]
        assert process.wait() == -signal.SIGKILL
        process.stdout.close()
        confirmed = kept(path)
        assert confirmed in (said[-1], said[-1] + 1)


def dies(path: Path, point: int, cycle: int) -> bool:
    process = writer(path, point, cycle)
    process.communicate()
    assert process.returncode in (-signal.SIGKILL, 3)
    return process.returncode != 3


@pytest.mark.parametrize("cycle", [1, 10])
def test_killed_at_any_point_of_a_cycle_it_keeps_none_of_it(path: Path, cycle: int) -> None:
    """Before each statement and before the commit: the cycle is not there, and then it is made."""
    point = 1
    while dies(path, point, cycle):
        assert kept(path) == cycle - 1
        point += 1
    assert point > 8
    assert kept(path) == cycle


def test_killed_while_it_is_made_a_ledger_is_made_by_the_next(path: Path) -> None:
    for point in (1, 4, 8, 16):
        assert dies(path, point, 0)
    with Store.open(path) as store:
        ex.keep_history(store)
        assert store.verify_chain("run").intact
