import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from graph.checkpoints import Checkpoints
from graph.market_analysis import MACHINE, AnalysisState, analyse
from graph.trade_validation import ValidationState, validate
from quant_core.types import Status
from tests.graph.worlds import APPROVE, GOOD, NOW, News, headline, model_of, signal, view, wiring
from tools.errors import BadInput
from tools.llm.calls import Outcome

REPOSITORY = Path(__file__).parents[2]


def attempt(folder: Path, where: str) -> tuple[int, list[str], str]:
    """Run the dying process; (exit code, what it did, what it printed)."""
    log = folder / "log"
    log.write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "tests.graph.dying", folder / "c.sqlite", log, where],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, log.read_text().split("\n")[:-1], done.stdout.strip()


def test_a_killed_process_goes_on_where_it_was_and_repeats_no_question(tmp_path: Path) -> None:
    code, first, _ = attempt(tmp_path, "after assess")
    assert code == -9
    assert first.count("ask") == 1
    assert "kept" not in first

    code, second, printed = attempt(tmp_path, "nowhere")
    assert (code, printed) == (0, "1.25")
    assert {"news", "trades", "ask"}.isdisjoint(second)
    assert second.count("kept") == 1

    # Asked once more, after it ended: nothing is read or asked again.
    _, third, printed = attempt(tmp_path, "nowhere")
    assert (third, printed) == (["kept"], "1.25")


@pytest.mark.slow
@pytest.mark.parametrize("where", ["news", "after news", "after review", "ask", "after bound"])
def test_wherever_it_is_killed_it_ends_with_the_same_analysis(tmp_path: Path, where: str) -> None:
    code, first, _ = attempt(tmp_path, where)
    assert code == -9
    code, second, printed = attempt(tmp_path, "nowhere")
    assert (code, printed) == (0, "1.25")
    answers = (first + second).count("answer")
    assert answers == 1
    assert (first + second).count("kept") == 1


def test_a_finished_machine_is_answered_from_its_checkpoint(tmp_path: Path) -> None:
    with Checkpoints.open(tmp_path / "c.sqlite") as checkpoints:
        wired = wiring(GOOD, checkpoints=checkpoints)
        assert analyse(view(), wired) == analyse(view(), wired)
        assert len(model_of(wired).prompts) == 1
        other = wiring(GOOD, checkpoints=checkpoints, namespace="another run")
        analyse(view(), other)
        assert len(model_of(other).prompts) == 1


def test_reads_that_are_saved_in_a_step_that_is_not_closed_are_no_end() -> None:
    class Dying(InMemorySaver):
        def put(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
            if metadata["step"] == 1:
                raise OSError("every read is saved, and then it died")
            return super().put(config, checkpoint, metadata, new_versions)

    dying = Dying()
    first = analyse(view(), wiring(GOOD, checkpoints=Checkpoints(dying, lambda: None)))
    assert "then it died" in first.value.degraded_reason
    alive = InMemorySaver()
    alive.storage, alive.writes, alive.blobs = dying.storage, dying.writes, dying.blobs
    resumed = analyse(view(), wiring(GOOD, checkpoints=Checkpoints(alive, lambda: None)))
    assert resumed == analyse(view(), wiring(GOOD))


def test_a_failure_is_not_kept_for_ever() -> None:
    with Checkpoints.open(None) as checkpoints:
        wired = wiring(Outcome.TIMEOUT, GOOD, checkpoints=checkpoints)
        assert analyse(view(), wired).value.status is Status.DEGRADED
        assert analyse(view(), wired).value.status is Status.OK


def test_checkpoints_change_nothing(tmp_path: Path) -> None:
    news = News([headline("Chips fly")])
    with Checkpoints.open(f"sqlite:///{tmp_path}/c.sqlite") as checkpoints:
        kept = analyse(view(), wiring(GOOD, news=news, checkpoints=checkpoints))
    assert kept == analyse(view(), wiring(GOOD, news=news))
    assert (tmp_path / "c.sqlite").is_file()


def test_old_threads_are_pruned(tmp_path: Path) -> None:
    with Checkpoints.open(tmp_path / "c.sqlite") as checkpoints:
        for minutes in (0, 15):
            later = view(as_of=NOW + timedelta(minutes=minutes))
            analyse(later, wiring(GOOD, checkpoints=checkpoints))
        now = datetime.now(UTC)
        assert checkpoints.prune(now - timedelta(hours=1)) == 0
        assert checkpoints.prune(now + timedelta(hours=1)) == 2
        assert checkpoints.prune(now + timedelta(hours=1)) == 0
    with sqlite3.connect(tmp_path / "c.sqlite") as connection:
        assert connection.execute("select count(*) from checkpoints").fetchone() == (0,)
        assert connection.execute("select count(*) from writes").fetchone() == (0,)
    connection.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_run_that_begins_again_forgets_its_own_threads_and_no_other(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if kind == "postgresql":
        pytest.importorskip("langgraph.checkpoint.postgres", reason="extra: postgres")
        where = request.getfixturevalue("postgresql")
    else:
        where = f"sqlite:///{tmp_path}/c.sqlite"
    with Checkpoints.open(where) as checkpoints:
        first = wiring(GOOD, GOOD, checkpoints=checkpoints, namespace="one")
        other = wiring(GOOD, GOOD, checkpoints=checkpoints, namespace="one-more")
        for wired in (first, other):
            assert analyse(view(), wired) == analyse(view(), wired)
    with Checkpoints.open(where) as checkpoints:
        first = replace(first, checkpoints=checkpoints)
        other = replace(other, checkpoints=checkpoints)
        checkpoints.forget("one")
        analyse(view(), first)
        analyse(view(), other)
        assert len(model_of(first).prompts) == 2
        assert len(model_of(other).prompts) == 1
        assert checkpoints.prune(datetime.now(UTC) + timedelta(hours=1)) == 2


def test_state_is_plain_and_nothing_else_is_revived() -> None:
    with Checkpoints.open(None) as checkpoints:
        serde = checkpoints.saver.serde
        kind, data = serde.dumps_typed({"at": News(), "n": float("nan")})
        revived = serde.loads_typed((kind, data))
        assert not isinstance(revived["at"], News)
        analyse(view(), wiring(GOOD, checkpoints=checkpoints))
        validate(signal(), view(), wiring(APPROVE, checkpoints=checkpoints))
        fields = {**AnalysisState.__annotations__, **ValidationState.__annotations__}
        seen: set[str] = set()
        for kept in checkpoints.saver.list(None):
            values = kept.checkpoint["channel_values"]
            seen |= values.keys()
            check_plain([values.get(name) for name in fields])
        assert {"view", "signal", "answer", "bounded"} <= seen


def check_plain(value: object) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            check_plain(name)
            check_plain(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            check_plain(inner)
    else:
        # Not isinstance: an enumeration of ours is a str too, and would be refused when revived.
        assert value is None or type(value) in (str, int, float, bool), type(value)


def test_the_thread_depends_on_everything_that_is_given() -> None:
    given = {"view": {"z": 1.0}, "mask": False}
    names = {
        MACHINE.thread(given, wiring()),
        MACHINE.thread(given, wiring(namespace="a")),
        MACHINE.thread({**given, "mask": True}, wiring()),
    }
    assert len(names) == 3
    assert MACHINE.thread(given, wiring()) in names


@pytest.mark.parametrize("where", ["mysql://x/y", "/proc/no/such/folder/c.sqlite"])
def test_a_place_that_cannot_hold_them_is_said(where: str) -> None:
    with pytest.raises(BadInput, match="checkpoints"):
        Checkpoints.open(where)


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "c.sqlite").write_text("not a database, but long enough to be looked at " * 99)
    with pytest.raises(BadInput, match="cannot hold checkpoints"):
        Checkpoints.open(tmp_path / "c.sqlite")
