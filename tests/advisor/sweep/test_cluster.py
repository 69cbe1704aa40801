"""The same sweep on a Ray cluster of this machine: the same results, whoever dies on the way."""

import os
import signal
import threading
from pathlib import Path

import psutil
import pytest

from tests.advisor.sweep.test_sweep import results
from tests.advisor.sweep.worlds import run
from tools.errors import BadInput

VARY = ("stdev.mr_arm_z=0.8:1.5:0.1", "stdev.window=60,120")


class Killer(threading.Thread):
    """Kills the first worker that is seen at work on a batch."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.killed = 0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.killed and not self.over.wait(0.02):
            for process in psutil.Process().children(recursive=True):
                try:
                    if process.cmdline()[:1] == ["ray::score_batch"]:
                        os.kill(process.pid, signal.SIGKILL)
                        self.killed = process.pid
                        return
                except (psutil.Error, ProcessLookupError):
                    continue


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_gives_the_local_results_and_survives_a_killed_worker(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    run(tmp_path / "local", *VARY)
    killer = Killer()
    killer.start()
    try:
        run(tmp_path / "cluster", *VARY, engine="ray", workers=2)
    finally:
        killer.over.set()
        killer.join()
    assert killer.killed
    assert results(tmp_path / "cluster") == results(tmp_path / "local")


def test_an_address_without_the_engine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="add --engine ray"):
        run(tmp_path, *VARY, address="ray://x")
    assert not list(tmp_path.iterdir())


def test_the_local_run_imports_no_ray(tmp_path: Path) -> None:
    import sys

    already = "ray" in sys.modules
    run(tmp_path, *VARY[:1])
    assert ("ray" in sys.modules) == already
