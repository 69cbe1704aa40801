"""A real `advisor replay` that is killed in the middle of an analysis, and goes on.

The model is a stand-in over HTTP in this process. It kills the replay at its fifth analysis: while
the question is under way, or when its answer has been given and the minute is not committed yet
(which a lock on the ledger makes last as long as it takes).
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from advisor.bootstrap import EVER, RECORDINGS
from advisor.replay import LEDGER
from quant_core.bars import RawBars
from quant_core.calendar import xnys
from quant_core.synthetic import DEMO_SEED, synthetic_market
from tests.advisor.test_model_replay import answers
from tests.advisor.worlds import SYMBOLS
from tests.stand_ins.anthropic import anthropic_stand_in
from tests.stand_ins.server import Request
from tests.stand_ins.steps import Step
from tools.store.store import Store

DAY = date(2026, 10, 14)
REPOSITORY = Path(__file__).parents[2]
FIFTH = 5


def written(folder: Path, bars: dict[str, RawBars]) -> Path:
    folder.mkdir(parents=True)
    for symbol, raw in bars.items():
        columns = {"timestamp": pa.array(raw.start, pa.timestamp("us", "UTC"))} | {
            name: getattr(raw, name) for name in ("open", "high", "low", "close", "volume")
        }
        pq.write_table(pa.table(columns), folder / f"{symbol}.parquet")
    return folder


class World:
    """Bars in files, a settings file that names the stand-in, and what was asked and answered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        first = date.fromordinal(DAY.toordinal() - 14)
        made = synthetic_market(SYMBOLS, first, DAY, xnys(DAY.year - 3, DAY.year), DEMO_SEED)
        self.bars = written(folder / "bars", dict(made.minutes))
        self.daily = written(folder / "daily", dict(made.daily))
        self.asked: list[str] = []
        self.child: subprocess.Popen[str] | None = None
        self.dies = "nowhere"
        self.lock: sqlite3.Connection | None = None

    def answer(self, request: Request) -> Step:
        self.asked.append(json.dumps(request.body))
        analyses = sum("size_factor" not in asked for asked in self.asked)
        is_fifth = analyses == FIFTH and "size_factor" not in self.asked[-1]
        if is_fifth and self.dies == "while it asks":
            self.dies = "no more"
            self.kill()
        elif is_fifth and self.dies == "before it commits":
            self.lock = sqlite3.connect(
                self.folder / "out" / LEDGER, isolation_level=None, check_same_thread=False
            )
            self.lock.execute("BEGIN IMMEDIATE")
            self.dies = "no more"
        return answers(request)

    def kill(self) -> None:
        assert self.child is not None
        self.child.send_signal(signal.SIGKILL)

    def replay(self, url: str, *more: str, out: str = "out") -> int:
        """Run the command to its end; the exit code."""
        settings = self.folder / "advisor.toml"
        settings.write_text(f'[llm]\nanthropic_base_url = "{url}"\nretries = 0\n')
        words = [
            "replay", "--bars", self.bars, "--daily", self.daily, "--from", DAY, "--to", DAY,
            "--symbols", ",".join(SYMBOLS), "--analyst", "model", "--validation", "model",
            "--config", settings, "--out", self.folder / out, "--verbose", *more,
        ]  # fmt: skip
        self.child = subprocess.Popen(
            [sys.executable, "-c", "from advisor.cli import main; main()", *map(str, words)],
            cwd=REPOSITORY,
            env={**os.environ, "ANTHROPIC_API_KEY": "sk-test", "COLUMNS": "200"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        with self.child as child:
            assert child.stderr is not None
            for line in child.stderr:
                if self.lock is not None and line.strip().endswith(
                    "market_analysis: bound: bounded"
                ):
                    self.kill()
        return child.returncode

    def heads(self, out: str = "out") -> dict[str, str]:
        with Store.open(self.folder / out / LEDGER, read_only=True) as store:
            [run] = store.runs()
            assert run.status == "finished"
            assert store.verify_chain(run.run_id).intact
            return store.heads(run.run_id)

    def decided(self) -> dict[str, object]:
        """What the lanes did, without the calls beside it: they say when and where was asked."""
        others = {lane: head for lane, head in self.heads().items() if lane != "advised"}
        with Store.open(self.folder / "out" / LEDGER, read_only=True) as store:
            [run] = store.runs()
            reads = (store.analyses, store.decisions, store.fills, store.trades, store.lane_days)
            own = [repr(read(run.run_id, "advised", as_of=EVER)) for read in reads]
            calls = store.llm_calls(run.run_id, "advised", as_of=EVER)
        return {**others, "advised": own, "calls": [one.call.prompt.text for one in calls]}


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, object], Counter[str]]:
    world = World(tmp_path_factory.mktemp("undisturbed"))
    with anthropic_stand_in(world.answer) as server:
        assert world.replay(server.url) == 0
    return world.decided(), Counter(world.asked)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["record", "live"])
@pytest.mark.parametrize(("dies", "again"), [("while it asks", 1), ("before it commits", 0)])
def test_a_replay_killed_in_an_analysis_goes_on_and_asks_nothing_that_was_answered(
    tmp_path: Path,
    undisturbed: tuple[dict[str, object], Counter[str]],
    dies: str,
    again: int,
    mode: str,
) -> None:
    decided, questions = undisturbed
    assert set(questions.values()) == {1}
    world = World(tmp_path)
    world.dies = dies
    with anthropic_stand_in(world.answer) as server:
        assert world.replay(server.url, "--llm", mode) == -signal.SIGKILL
        killed_at = world.asked[-1]
        if world.lock is not None:
            with closing(world.lock):
                world.lock.execute("ROLLBACK")
            world.lock = None
        assert world.replay(server.url, "--llm", mode, "--resume") == 0
        asked = len(world.asked)
        if mode == "record":
            again_from = ("--recordings", str(world.folder / "out" / RECORDINGS))
            assert world.replay(server.url, "--llm", "replay", *again_from, out="again") == 0
            assert world.heads("again") == world.heads()
        assert len(world.asked) == asked
    assert world.decided() == decided
    # Only the question that was under way, whose answer nobody has seen, is put once more.
    assert Counter(world.asked) == questions + Counter({killed_at: again})
