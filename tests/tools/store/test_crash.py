"""The writer is killed; what is left is whole cycles, all that were confirmed, and a good chain."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tools.store.dying import kept

ROOT = Path(__file__).parents[3]


def program(path: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.tools.store.dying", str(path), *arguments]


def test_killed_again_and_again_it_loses_no_confirmed_cycle(path: Path) -> None:
    confirmed = 0
    for seconds in (0.05, 0.2, 0.4):
        with subprocess.Popen(
            program(path), cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert int(process.stdout.readline()) == confirmed + 1
            time.sleep(seconds)
            process.kill()
            said = [confirmed + 1, *map(int, process.stdout.read().split())]
        assert process.returncode == -signal.SIGKILL
        confirmed = kept(path)
        assert confirmed in (said[-1], said[-1] + 1)


@pytest.mark.parametrize("cycle", ["1", "10"])
def test_killed_at_any_point_of_a_cycle_it_keeps_none_of_it(path: Path, cycle: str) -> None:
    """Before each statement and before the commit; the last writer gets through."""
    done = subprocess.run(
        program(path, "cycle", cycle), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 9
    assert kept(path) == int(cycle)


def test_killed_while_it_is_made_a_ledger_is_made_by_the_next(path: Path) -> None:
    done = subprocess.run(
        program(path, "opening"), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 16
