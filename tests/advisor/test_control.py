"""Halting and resuming by files: any process may ask, nothing is lost, what is unclear halts."""

import os
import pwd
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from advisor.cli import app
from advisor.control import BY_FILE, HALT_FILE, RESUME_FILE, Control, Halt, Resume, this_user
from quant_core.types import RiskChange, RiskState
from tools.errors import BadInput
from tools.store import Store

NOW = datetime(2026, 3, 2, 15, 4, 5, tzinfo=UTC)
LATER = datetime(2026, 3, 2, 15, 9, tzinfo=UTC)
ME = pwd.getpwuid(os.getuid()).pw_name


def halted(folder: Path, **given: object) -> Halt:
    asked = {"by": "ann", "reason": "fed day", "flatten": False, "now": NOW} | given
    return Control(folder).halt(**asked)  # type: ignore[arg-type]


def test_a_halt_is_wanted_until_it_is_taken_and_in_force_until_resumed(tmp_path: Path) -> None:
    loop = Control(tmp_path)
    assert loop.wanted() is None
    asked = halted(tmp_path, flatten=True)
    assert loop.wanted() == asked == Halt(by="ann", at=NOW, reason="fed day", flatten=True)
    loop.taken(asked)
    assert loop.wanted() is None
    assert loop.state() == asked
    assert Control(tmp_path).wanted() == asked, "a restart asks again"
    Control(tmp_path).resume(by="bob", now=LATER)
    resume = loop.wanted()
    assert resume == Resume(by="bob", at=LATER)
    loop.taken(resume)
    assert (loop.wanted(), loop.state(), Control(tmp_path).wanted()) == (None, None, None)


def test_a_second_halt_is_a_new_request(tmp_path: Path) -> None:
    loop = Control(tmp_path)
    loop.taken(halted(tmp_path))
    again = halted(tmp_path, flatten=True, now=LATER)
    assert loop.wanted() == again


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 40, b"{", b'{"type": "resume", "by": "eve", "at": "2026-03-02T15:00:00Z"}',
     b'{"type": "halt", "by": 3}', b'{"type":"halt","by":"a","at":"2026-03-02T15:00","reason":""}'],
)  # fmt: skip
def test_any_halt_file_halts(tmp_path: Path, content: bytes) -> None:
    (tmp_path / HALT_FILE).write_bytes(content)
    os.utime(tmp_path / HALT_FILE, (1e9, 1e9))
    expected = Halt(by=ME, at=datetime.fromtimestamp(1e9, UTC), reason=BY_FILE)
    assert Control(tmp_path).wanted() == expected


def test_a_folder_a_pipe_and_a_dangling_link_halt_too(tmp_path: Path) -> None:
    for make in (Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere")):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        make(folder / HALT_FILE)
        found = Control(folder).wanted()
        assert isinstance(found, Halt)
        assert found.reason == BY_FILE


def test_a_halt_that_cannot_be_looked_for_is_a_halt(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("no folder")
    found = Control(place).wanted()
    assert isinstance(found, Halt)
    assert "cannot be looked for" in found.reason


def test_touching_halts_a_loop_that_looked_before(tmp_path: Path) -> None:
    loop = Control(tmp_path)
    assert loop.wanted() is None
    (tmp_path / HALT_FILE).touch()
    assert isinstance(loop.wanted(), Halt)


def test_taking_the_halt_away_by_hand_starts_nothing(tmp_path: Path) -> None:
    loop = Control(tmp_path)
    halted(tmp_path)
    Control(tmp_path).resume(by="bob", now=LATER)
    (tmp_path / HALT_FILE).touch()  # after the resume, before the loop saw it
    asked = loop.wanted()
    assert isinstance(asked, Halt)
    loop.taken(asked)
    (tmp_path / HALT_FILE).unlink()
    assert loop.wanted() is None


@pytest.mark.parametrize("content", [b"", b"yes", b'{"type": "resume"}'])
def test_a_damaged_resume_resumes_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / RESUME_FILE).write_bytes(content)
    assert Control(tmp_path).wanted() is None


def test_a_resume_that_cannot_be_removed_counts_once(tmp_path: Path) -> None:
    loop = Control(tmp_path)
    asked = loop.resume(by="bob", now=NOW)
    (tmp_path / RESUME_FILE).unlink()
    (tmp_path / RESUME_FILE).mkdir()
    loop.taken(asked)
    assert loop.wanted() is None


def test_words_are_one_line_and_bounded(tmp_path: Path) -> None:
    asked = halted(tmp_path, reason="a\nb\x1b[31m" + "x" * 5_000)
    assert asked.reason.startswith("a b [31mxx")
    assert len(asked.reason) == 500


def test_files_are_whole_or_absent(tmp_path: Path) -> None:
    halted(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == [HALT_FILE]
    with pytest.raises(BadInput, match="name a folder of a run"):
        halted(tmp_path / "absent")


def test_a_reader_never_sees_half_a_request(tmp_path: Path) -> None:
    """Another process halts over and over; every look finds one of its requests, whole."""
    writer = subprocess.Popen(
        [sys.executable, "-c", f"""
from datetime import UTC, datetime
from pathlib import Path
from advisor.control import Control
control = Control(Path({str(tmp_path)!r}))
for n in range(200):
    control.halt(by="ann", reason="r" * (n * 2), flatten=True, now=datetime.now(UTC))
"""]
    )  # fmt: skip
    loop, seen = Control(tmp_path), 0
    while writer.poll() is None:
        found = loop.wanted()
        if found is not None:
            assert isinstance(found, Halt)
            assert (found.by, found.flatten) == ("ann", True)
            seen += 1
            loop.taken(found)
    assert writer.returncode == 0
    assert seen > 1


# The commands


def run(*arguments: object, answer: str | None = None) -> tuple[int, str]:
    ran = CliRunner().invoke(app, [*map(str, arguments)], input=answer)
    return ran.exit_code, f"{ran.output}{ran.stderr}{ran.exception or ''}"


def ledger(folder: Path, kind: str, *states: RiskState) -> None:
    with Store.open(folder / "ledger.sqlite", synchronous="NORMAL") as store:
        store.start_run("r", kind=kind, config_hash="", code_version="", config_json="{}")
        changes = [
            RiskChange(start=NOW, state=state, reason="kill: daily loss", equity=1e5)
            for state in states
        ]
        if changes:
            store.commit_cycle("r", "advised", None, changes, b"{}")


def test_a_session_is_halted_and_resumed_without_a_process(tmp_path: Path) -> None:
    ledger(tmp_path, "paper")
    code, told = run("halt", tmp_path, "--reason", "fed day", "--flatten")
    assert code == 0
    assert "closed at market" in told
    found = Control(tmp_path).wanted()
    assert isinstance(found, Halt)
    assert (found.by, found.reason, found.flatten) == (this_user(), "fed day", True)
    code, told = run("resume", tmp_path)
    assert code != 0
    assert "--yes" in told
    assert isinstance(Control(tmp_path).wanted(), Halt)
    assert run("resume", tmp_path / "ledger.sqlite", "--yes")[0] == 0
    assert isinstance(Control(tmp_path).wanted(), Resume)


def test_an_account_that_halted_itself_is_resumed_by_a_person(tmp_path: Path) -> None:
    ledger(tmp_path, "live", RiskState.HALTED)
    code, told = run("resume", tmp_path, "--yes")
    assert code == 0
    assert "kill: daily loss" in told


def test_nothing_to_resume_is_said(tmp_path: Path) -> None:
    ledger(tmp_path, "paper", RiskState.HALTED, RiskState.ACTIVE)
    code, told = run("resume", tmp_path, "--yes")
    assert code != 0
    assert "nothing is halted" in told
    assert list(tmp_path.glob(RESUME_FILE)) == []


def test_a_replay_has_nothing_to_halt(tmp_path: Path) -> None:
    ledger(tmp_path, "replay")
    code, told = run("halt", tmp_path)
    assert code != 0
    assert "trades no account" in told
    assert not (tmp_path / HALT_FILE).exists()


def test_a_ledger_that_cannot_be_read_keeps_nobody_from_halting(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"not a database" * 100)
    assert run("halt", tmp_path)[0] == 0
    assert isinstance(Control(tmp_path).wanted(), Halt)
    code, told = run("halt", tmp_path / "absent")
    assert code != 0
    assert "there is no folder" in told


def test_what_is_written_can_be_read_by_others(tmp_path: Path) -> None:
    halted(tmp_path)
    assert stat.S_ISREG((tmp_path / HALT_FILE).stat().st_mode)
    assert (tmp_path / HALT_FILE).read_text().count("\n") > 3
