"""`advisor index` as a person at the prompt meets it, and as a dying machine leaves it."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from advisor.bootstrap import ReplayOptions
from advisor.cli import main
from advisor.indexing import open_index
from advisor.keeping import Keeping
from advisor.ledgers import ledger_at, open_ledger
from advisor.replay import replay
from rag.building import build, compare
from rag.parameters import RagParameters
from tests.advisor.worlds import SETTINGS, market, request
from tests.rag.worlds import ALWAYS

FIRST, LAST = date(2026, 10, 14), date(2026, 10, 16)
REPOSITORY = Path(__file__).parents[2]
Run = tuple[int, str, str]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    options = ReplayOptions(analyst="rules", validation="rules")
    replay(request(FIRST, LAST), options, SETTINGS, market(FIRST, LAST), folder)
    return folder


@pytest.fixture
def run_folder(finished: Path, tmp_path: Path) -> Path:
    """The run without an index, anew for every test."""
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> object:
    """Run `advisor index …` in this process; returns (exit code, stdout, stderr)."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: object) -> Run:
        monkeypatch.setattr(sys, "argv", ["advisor", "index", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as left:
            code = int(left.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return run


def test_build_is_incremental_and_verify_believes_it(index, run_folder) -> None:  # type: ignore[no-untyped-def]
    code, out, err = index("build", run_folder, "--json")
    first = json.loads(out)
    assert code == 0
    assert first["documents"] == first["added"] > 100
    assert str(run_folder / "index.sqlite") in err
    again = json.loads(index("build", run_folder, "--json")[1])
    assert (again["added"], again["unchanged"]) == (0, first["documents"])
    code, out, err = index("verify", run_folder, "--json")
    assert (code, json.loads(out)["intact"]) == (0, True)
    assert "the index says what the ledger says" in err


def test_status_counts_what_is_held(index, run_folder) -> None:  # type: ignore[no-untyped-def]
    built = json.loads(index("build", run_folder, "--json")[1])
    code, out, err = index("status", run_folder, "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert found["documents"] == sum(found["kinds"].values()) == built["documents"]
    assert set(found["lanes"]) == {"advised", "baseline", "placebo", "market"}
    assert found["kinds"]["day"] == 9
    assert f"{built['documents']:,} documents" in index("status", run_folder)[2]


def test_search_keeps_to_its_moment_and_its_filters(index, run_folder) -> None:  # type: ignore[no-untyped-def]
    index("build", run_folder)
    words = ("search", "day summary", "--index", run_folder, "--kind", "day", "--json", "-k", 50)
    late = json.loads(index(*words, "--as-of", "2026-10-16")[1])
    early = json.loads(index(*words, "--as-of", "2026-10-15T15:59")[1])
    assert len(late) == 9
    assert len(early) == 3  # a lane each: the day before is over, this one is not
    assert {hit["document"]["kind"] for hit in late} == {"day"}
    one = json.loads(index(*words, "--as-of", "2026-10-16", "--lane", "advised", "--since",
                           "2026-10-16")[1])  # fmt: skip
    assert len(one) == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("build", "{run}/nowhere"), 3, "there is no ledger at"),
        (("status", "{run}"), 3, "there is no index at"),
        (("verify", "{run}"), 3, "there is no index at"),
        (("search", "x", "--as-of", "2026-10-16", "--index", "{run}"), 3, "there is no index at"),
        (("build", "{run}", "--embedder", "word2vec"), 2, "embedder must be one of"),
        (("build", "{run}", "--index", "{run}/ledger.sqlite"), 2, "a database, but not an index"),
        (("build", "{run}", "--index", "{run}/report.sqlite/x"), 2, "cannot be made"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_one_sentence(index, run_folder, words, code, said) -> None:  # type: ignore[no-untyped-def]
    (run_folder / "report.sqlite").write_text("no folder")
    got, out, err = index(*(word.replace("{run}", str(run_folder)) for word in words))
    assert (got, out) == (code, "")
    assert said in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("why", "--as-of", "2026-02-30"), "a date or time that there is"),
        (("", "--as-of", "2026-10-16"), "the query is empty"),
        (("?!", "--as-of", "2026-10-16"), "holds no word"),
        (("x" * 9000, "--as-of", "2026-10-16"), "at most 8,000"),
        (("why", "--as-of", "2026-10-16", "-k", "0"), "k is 0"),
        (("why", "--as-of", "2026-10-16", "-k", "100000"), "k is 100000"),
        (("why", "--as-of", "2026-10-16", "--kind", "rumour"), "no document kind 'rumour'"),
        (("why", "--as-of", "2026-10-16", "--since", "2026-10-16", "--until", "2026-10-15"),
         "nothing lies between"),
        (("why", "--as-of", "2026-10-16", "--embedder", "minilm"), "made with the embedder"),
    ],
)  # fmt: skip
def test_a_search_that_cannot_be_says_why(index, run_folder, words, said) -> None:  # type: ignore[no-untyped-def]
    index("build", run_folder)
    code, out, err = index("search", *words, "--index", run_folder)
    assert (code, out) == (2, "")
    assert said in err


def test_an_index_of_an_older_schema_is_refused_and_can_be_rebuilt(index, run_folder) -> None:  # type: ignore[no-untyped-def]
    index("build", run_folder)
    with sqlite3.connect(run_folder / "index.sqlite") as raw:
        raw.execute("PRAGMA user_version = 0")
    raw.close()
    for words in (("build", run_folder), ("status", run_folder), ("verify", run_folder)):
        code, _, err = index(*words)
        assert code == 2
        assert "has an older schema" in err
        assert "advisor index build --rebuild" in err
    assert index("build", run_folder, "--rebuild")[0] == 0
    assert index("verify", run_folder)[0] == 0


def test_what_differs_is_named_and_mended(index, run_folder) -> None:  # type: ignore[no-untyped-def]
    index("build", run_folder)
    with sqlite3.connect(run_folder / "index.sqlite") as raw:
        raw.execute("UPDATE documents SET text = 'a rumour' WHERE number = 7")
    raw.close()
    code, _, err = index("verify", run_folder)
    assert code == 5
    assert "1 damaged" in err
    assert f"`advisor index build --rebuild {run_folder}`" in err
    index("build", run_folder, "--rebuild")
    assert index("verify", run_folder)[0] == 0


def test_garbage_in_the_place_of_an_index_is_said(index, run_folder) -> None:  # type: ignore[no-untyped-def]
    (run_folder / "index.sqlite").write_bytes(b"not a database at all" * 500)
    code, _, err = index("status", run_folder)
    assert code == 2
    assert "is not an index, or is damaged" in err


def test_without_a_folder_it_is_the_newest_run(  # type: ignore[no-untyped-def]
    index, run_folder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert index("build")[0] == 3
    (tmp_path / "out").mkdir()
    run_folder.rename(tmp_path / "out" / "one")
    assert index("build")[0] == 0
    assert (tmp_path / "out" / "one" / "index.sqlite").is_file()


def command(*words: object) -> list[str]:
    start = "from advisor.cli import main; main()"
    return [sys.executable, "-c", start, "index", *map(str, words)]


@pytest.mark.slow
def test_a_build_that_is_killed_at_any_moment_leaves_an_index_that_goes_on(run_folder) -> None:  # type: ignore[no-untyped-def]
    began = time.monotonic()
    subprocess.run(command("build", run_folder), check=True, capture_output=True, cwd=REPOSITORY)
    whole = time.monotonic() - began
    place, rng, killed = run_folder / "index.sqlite", random.Random(6), 0
    for attempt in range(12):
        if attempt % 4 == 0:
            for name in ("", "-wal", "-shm"):
                place.with_name(place.name + name).unlink(missing_ok=True)
        words = ("build", run_folder, *(("--rebuild",) if attempt % 3 == 2 else ()))
        child = subprocess.Popen(
            command(*words), cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        with suppress(subprocess.TimeoutExpired):
            child.wait(whole * rng.uniform(0.3, 1.0))
        if child.poll() is None:
            os.kill(child.pid, signal.SIGKILL)
            killed += 1
        child.wait()
    assert killed >= 3
    found = subprocess.run(
        command("build", run_folder, "--json"), capture_output=True, text=True, cwd=REPOSITORY
    )
    assert found.returncode == 0, found.stderr
    checked = subprocess.run(
        command("verify", run_folder), capture_output=True, text=True, cwd=REPOSITORY
    )
    assert checked.returncode == 0, checked.stderr


def test_what_is_lost_while_nobody_looks_comes_back(run_folder: Path) -> None:
    parameters = RagParameters(keep_seconds=0.01)
    with (
        closing(open_index(parameters, run_folder, create=True)) as index,
        open_ledger(ledger_at(run_folder, SETTINGS), SETTINGS) as ledger,
    ):
        build(index, ledger, as_of=datetime(2026, 10, 15, 21, tzinfo=UTC))
        assert compare(index, ledger, as_of=ALWAYS).missing
        with Keeping(run_folder / "ledger.sqlite", parameters):
            pass  # leaving looks a last time
        left = compare(index, ledger, as_of=datetime.now(UTC)).missing
        assert not left


def test_a_session_without_an_index_gets_none(run_folder: Path) -> None:
    with Keeping(run_folder / "ledger.sqlite", RagParameters(keep_seconds=0.01)):
        pass
    assert not (run_folder / "index.sqlite").exists()
