"""`advisor replay --analyst model` as a user gives it: each provider by its own environment.

The command is a process of its own; the services are stand-ins over HTTP in this one. Anthropic's
way is that of `test_killed`.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from advisor.bootstrap import EVER
from advisor.replay import LEDGER
from quant_core.types import Status
from tests.advisor.test_killed import DAY, REPOSITORY, SYMBOLS, World
from tests.advisor.test_model_replay import answers
from tests.stand_ins.bedrock import bedrock_stand_in
from tests.stand_ins.openai import openai_stand_in
from tests.stand_ins.server import Script, StandIn
from tools.store.store import Store

StandIns = Callable[[Script], AbstractContextManager[StandIn]]
OPENAI, LOCAL = "openai:gpt-6-sol", "local:qwen3"
BEDROCK = "bedrock:us.anthropic.claude-opus-5-5-v1:0"
OURS = ("ANTHROPIC_", "OPENAI_", "AWS_", "ADVISOR_")


def environment(model: str, url: str, home: Path) -> dict[str, str]:
    """What a user of this model sets; nothing of it is known to the test's own environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    provider = {
        OPENAI: {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": url},
        LOCAL: {"ADVISOR_LLM__LOCAL_BASE_URL": url},
        BEDROCK: {
            "AWS_ACCESS_KEY_ID": "AKIDTEST",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": url,
            "AWS_EC2_METADATA_DISABLED": "true",
        },
    }[model]
    return {
        **kept,
        **provider,
        "HOME": str(home),
        "ADVISOR_LLM__MODELS": f'["{model}"]',
        "ADVISOR_SPENDING__FILE": str(home / "spending.sqlite"),
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "stand_in"),
    [(OPENAI, openai_stand_in), (LOCAL, openai_stand_in), (BEDROCK, bedrock_stand_in)],
)
def test_a_provider_is_used_by_its_own_environment_and_replayed_without_it(
    world: World, tmp_path: Path, model: str, stand_in: StandIns
) -> None:
    def replay(env: dict[str, str], out: str, *more: str) -> dict[str, str]:
        words = [
            "replay", "--bars", world.bars, "--daily", world.daily, "--from", DAY, "--to", DAY,
            "--symbols", ",".join(SYMBOLS), "--analyst", "model", "--validation", "model",
            "--premarket", "model", "--out", tmp_path / out, *more,
        ]  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", "from advisor.cli import main; main()", *map(str, words)],
            cwd=REPOSITORY, env=env, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        with Store.open(tmp_path / out / LEDGER, read_only=True) as store:
            [run] = store.runs()
            calls = store.llm_calls(run.run_id, "advised", as_of=EVER)
            given = store.analyses(run.run_id, "advised", as_of=EVER)
            assert {one.call.model for one in calls} == {model}
            assert {one.status for one in given} == {Status.OK}
            return store.heads(run.run_id)

    with stand_in(answers) as server:
        heads = replay(environment(model, server.url, tmp_path), "live")
        assert len(server.requests) > 26
    nothing = environment(model, "http://127.0.0.1:9", tmp_path)
    for name in ("OPENAI_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        nothing.pop(name, None)
    if model == LOCAL:  # where a model is asked is part of the question
        nothing = environment(model, server.url, tmp_path)
    place = tmp_path / "live" / "recordings.sqlite"
    assert replay(nothing, "again", "--llm", "replay", "--recordings", str(place)) == heads
