"""Record, then replay: the same outcomes, call by call, from a file and without a network."""

import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest
from pydantic import BaseModel, Field, field_validator

from tests.stand_ins.anthropic import anthropic_stand_in
from tests.stand_ins.steps import Fails, Says
from tests.tools.llm.recording_until_killed import PARAMETERS
from tests.tools.llm.worlds import (
    GOOD,
    PROMPT,
    HandClock,
    ServerError,
    View,
    budget,
    says,
    scripted,
)
from tools.errors import BadInput, NoData, Transient
from tools.llm import (
    Answer,
    Failure,
    LiveModel,
    LlmCall,
    MissingRecording,
    ModelParameters,
    Outcome,
    PriceList,
    Prompt,
    RecordingModel,
    RecordingsFile,
    ReplayModel,
)

LOCAL = "local:llama"
OTHER = replace(PROMPT, text="And now?")
DOWN = GOOD.replace('"up"', '"down"')


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "run-1.llm.sqlite"


def record(place: Path, moves: list[Any], prompts: list[Prompt], **more: Any) -> list[Any]:
    live, _ = scripted({LOCAL: moves}, retries=0)
    with RecordingsFile.open(place) as file:
        model = RecordingModel(live, PARAMETERS, file, **more)
        return [model.ask(prompt, View, 30.0, budget()) for prompt in prompts]


def replay(place: Path, prompts: list[Prompt], **more: Any) -> list[Any]:
    with RecordingsFile.open(place, read_only=True) as file:
        model = ReplayModel(PARAMETERS, file, **more)
        return [model.ask(prompt, View, 30.0, budget(usd=0.0)) for prompt in prompts]


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a replay opened a socket")

    def cut_off() -> None:
        monkeypatch.setattr(socket, "socket", refuse)
        monkeypatch.setattr(socket, "create_connection", refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)

    return cut_off


# Record and replay


def test_a_recorded_session_is_replayed_to_the_byte_without_a_network(
    place: Path, no_network: Callable[[], None], monkeypatch: pytest.MonkeyPatch
):
    script = [
        Says(text=GOOD),
        Says(text="not JSON"),
        Says(text=DOWN),
        Says(text="I will not", refuses=True),
        Fails(status=400),
        Says(text="no"),
        Says(text="no"),
    ]
    prompts = [replace(PROMPT, text=f"question {number}") for number in range(5)]
    with anthropic_stand_in(script) as server, RecordingsFile.open(place) as file:
        parameters = ModelParameters(
            models=("anthropic:claude-opus-5-5",), anthropic_base_url=server.url
        )
        recording = RecordingModel(LiveModel(parameters, PriceList()), parameters, file)
        then = [recording.ask(prompt, View, 30.0, budget()) for prompt in prompts]
    assert [found.call.outcome.value for found in then] == [
        "answer",
        "answer",
        "refusal",
        "rejected",
        "schema",
    ]
    no_network()
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with RecordingsFile.open(place, read_only=True) as file:
        replaying = ReplayModel(parameters, file)
        now = [replaying.ask(prompt, View, 0.0, budget(usd=0.0)) for prompt in prompts]
    assert now == then
    assert [msgspec.json.encode(found.call) for found in now] == [
        msgspec.json.encode(found.call) for found in then
    ]


def test_failures_are_replayed_as_they_were(place: Path):
    then = record(place, [ServerError(500), says("x"), says("y")], [PROMPT, OTHER])
    now = replay(place, [PROMPT, OTHER])
    assert now == then
    assert [found.kind for found in now] == [Outcome.UNREACHABLE, Outcome.SCHEMA]


def test_the_same_question_asked_again_gets_the_answers_in_order(place: Path):
    then = record(place, [says(), says(DOWN), says(), says(DOWN)], [PROMPT, PROMPT, OTHER, PROMPT])
    assert [found.call.sequence for found in then] == [0, 1, 0, 2]
    now = replay(place, [OTHER, PROMPT, PROMPT, PROMPT])
    assert [found.value.mood for found in now] == ["up", "up", "down", "down"]


def test_time_is_not_in_the_key(place: Path):
    record(place, [says()], [PROMPT])
    clock = HandClock()
    clock.seconds = 10_000.0
    later, _ = scripted({LOCAL: [says()]}, clock)
    with RecordingsFile.open(place, read_only=True) as file:
        found = later.ask(PROMPT, View, 5.0, budget())
        assert file.find(found.call.key, 0) is not None


# What is missing or has changed


def test_a_missing_recording_is_an_error_that_names_the_call(place: Path):
    record(place, [says()], [PROMPT])
    with pytest.raises(MissingRecording, match=r"analysis\.v1 for View .* And now\?"):
        replay(place, [PROMPT, OTHER])
    with pytest.raises(MissingRecording, match="number 1"):
        replay(place, [PROMPT, PROMPT])
    assert issubclass(MissingRecording, BadInput)


def test_a_schema_that_has_learnt_to_refuse_the_recorded_answer_is_an_error(place: Path):
    def made(refuses: bool) -> type[BaseModel]:
        class Mood(BaseModel):
            mood: str = Field(description="one word")

            @field_validator("mood")
            @classmethod
            def check(cls, mood: str) -> str:
                if refuses:
                    raise ValueError("this is no mood any more")
                return mood

        return Mood

    live, _ = scripted({LOCAL: [says('{"mood":"up"}')]})
    with RecordingsFile.open(place) as file:
        RecordingModel(live, PARAMETERS, file).ask(PROMPT, made(False), 30.0, budget())
        with pytest.raises(BadInput, match="no mood any more; the schema's own checks"):
            ReplayModel(PARAMETERS, file).ask(PROMPT, made(True), 30.0, budget())


# Going on after death


def test_an_answer_that_was_kept_but_never_committed_is_not_asked_for_again(place: Path):
    record(place, [says(), says(DOWN)], [PROMPT, OTHER])  # died before OTHER was committed
    key = replay(place, [PROMPT])[0].call.key
    found = record(place, [says()], [OTHER, PROMPT], asked=[key])
    assert [answer.value.mood for answer in found] == ["down", "up"]
    assert [answer.call.sequence for answer in found] == [0, 1]
    whole = replay(place, [PROMPT, OTHER, PROMPT])
    assert [answer.value.mood for answer in whole] == ["up", "down", "up"]


def test_killed_while_recording_every_call_that_was_kept_is_there(place: Path):
    command = [sys.executable, "-m", "tests.tools.llm.recording_until_killed", str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        kept = [next(process.stdout) for _ in range(25)]
        process.kill()
        kept += process.stdout.readlines()
    number = len(kept)
    with RecordingsFile.open(place) as file:  # rolls back what was half written
        live, _ = scripted({LOCAL: [says()]})
        key = live.ask(PROMPT, View, 5.0, budget()).call.key
        calls = [file.find(key, sequence) for sequence in range(number + 2)]
    assert all(call is not None for call in calls[:number])
    assert calls[number + 1] is None


# The file


def a_call(text: str = GOOD) -> LlmCall:
    live, _ = scripted({LOCAL: [says(text), says(text)]})
    return live.ask(PROMPT, View, 30.0, budget()).call


def test_what_is_kept_is_found_as_it_was(place: Path):
    call = a_call("Ünïcode \x00 \U0001f600 \ud800")
    with RecordingsFile.open(place) as file:
        file.keep(call)
        assert file.find(call.key, 0) == call
        assert file.find(call.key, 1) is None
        assert file.find("0" * 64, 0) is None
    with RecordingsFile.open(place, read_only=True) as file:
        assert file.find(call.key, 0) == call
        with pytest.raises(Transient, match="could not be written: attempt to write a readonly"):
            file.keep(replace(call, sequence=1))


def test_nothing_is_ever_replaced(place: Path):
    call = a_call()
    with RecordingsFile.open(place) as file:
        file.keep(call)
        with pytest.raises(BadInput, match=r"holds analysis\.v1 for View .* already as number 0"):
            file.keep(replace(call, latency=9.0))
        assert file.find(call.key, 0) == call
    with sqlite3.connect(place) as connection:
        for statement in ("DELETE FROM calls", "UPDATE calls SET sequence = 7"):
            with pytest.raises(sqlite3.IntegrityError, match="only ever added"):
                connection.execute(statement)
    connection.close()


def test_a_changed_recording_is_noticed(place: Path):
    call = a_call()
    with RecordingsFile.open(place) as file:
        file.keep(call)
    connection = sqlite3.connect(place)
    connection.executescript(
        "DROP TRIGGER no_update; UPDATE calls SET content = replace(content, '1.25', '2.00')"
    )
    connection.close()
    with (
        RecordingsFile.open(place, read_only=True) as file,
        pytest.raises(BadInput, match="has been changed"),
    ):
        file.find(call.key, 0)


def test_one_process_writes_at_a_time(place: Path):
    with (
        RecordingsFile.open(place),
        pytest.raises(BadInput, match="is being written by another process"),
    ):
        RecordingsFile.open(place)


def test_what_is_not_a_file_of_recordings_is_refused(tmp_path: Path):
    with pytest.raises(NoData, match="there are no recordings at"):
        RecordingsFile.open(tmp_path / "none", read_only=True)
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to look like something else " * 40)
    other = tmp_path / "other.sqlite"
    connection = sqlite3.connect(other)
    connection.executescript("CREATE TABLE t (x)")
    connection.close()
    for path in (text, other, tmp_path):
        for read_only in (False, True):
            with pytest.raises((BadInput, NoData)):
                RecordingsFile.open(path, read_only=read_only)


def test_answers_and_failures_carry_the_call_that_was_kept(place: Path):
    found = record(place, [says(), ServerError(500)], [PROMPT, OTHER])
    with RecordingsFile.open(place, read_only=True) as file:
        for outcome in found:
            assert isinstance(outcome, Answer | Failure)
            assert file.find(outcome.call.key, outcome.call.sequence) == outcome.call
