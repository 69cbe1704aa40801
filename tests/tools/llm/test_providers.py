"""The vendors' real clients against servers that speak their protocols and misbehave on demand."""

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import msgspec
import pytest

from tests.stand_ins.anthropic import anthropic_stand_in
from tests.stand_ins.bedrock import bedrock_stand_in
from tests.stand_ins.openai import openai_stand_in
from tests.stand_ins.server import Script, StandIn
from tests.stand_ins.steps import Cuts, Drips, Fails, Hangs, Says, Sends
from tests.tools.llm.garbage import spoilt
from tests.tools.llm.worlds import GOOD, OPENING, PROMPT, VIEW, HandClock, View, budget
from tools.llm import Answer, Failure, LiveModel, ModelParameters, Outcome, PriceList

PRICES = PriceList(usd_per_million={"gpt-5-pro": (15.0, 120.0)})


@dataclass(frozen=True)
class Vendor:
    """A model, the server that stands in for it, and the setting that leads there."""

    model: str
    stand_in: Callable[[Script], AbstractContextManager[StandIn]]

    def live(self, server: StandIn, clock: Any = None, **changes: Any) -> LiveModel:
        provider = self.model.partition(":")[0]
        settings: dict[str, Any] = {
            f"{provider}_base_url": server.url,
            "bedrock_region": "us-east-1",
            "backoff_seconds": 0.01,
        }
        parameters = ModelParameters(models=(self.model,), **(settings | changes))
        model = LiveModel(parameters, PRICES, clock=clock)
        model.prepare()
        return model


VENDORS = {
    "anthropic": Vendor("anthropic:claude-sonnet-5-5", anthropic_stand_in),
    "openai-chat": Vendor("openai:gpt-6-sol", openai_stand_in),
    "openai-responses": Vendor("openai:gpt-5-pro", openai_stand_in),
    "bedrock": Vendor("bedrock:us.anthropic.claude-opus-5-5-v1:0", bedrock_stand_in),
    "local": Vendor("local:llama3:8b", openai_stand_in),
}


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return VENDORS[request.param]


def ask(
    vendor: Vendor, script: Script, deadline: float = 30.0, **changes: Any
) -> tuple[Answer[View] | Failure, StandIn]:
    with vendor.stand_in(script) as server:
        found = vendor.live(server, **changes).ask(PROMPT, View, deadline, budget())
    return found, server


def test_a_question_is_answered_within_the_schema(vendor: Vendor):
    found, server = ask(vendor, [Says(text=GOOD, tokens=(321, 45))])
    assert isinstance(found, Answer)
    assert found.value == VIEW
    assert len(server.requests) == 1
    attempt = found.call.attempts[0]
    assert (attempt.tokens_in, attempt.tokens_out, attempt.estimated) == (321, 45, False)
    assert attempt.answered_by in vendor.model
    sent = str(server.requests[0].body)
    assert PROMPT.text in sent
    assert PROMPT.system in sent


def test_parameters_reach_the_model(vendor: Vendor):
    found, server = ask(vendor, [Says(text=GOOD)], max_output_tokens=1234)
    assert isinstance(found, Answer)
    assert "1234" in str(server.requests[0].body)


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("anthropic", lambda body: body["output_config"]["effort"]),
        ("openai-chat", lambda body: body["reasoning_effort"]),
        ("openai-responses", lambda body: body["reasoning"]["effort"]),
    ],
)
def test_effort_reaches_the_models_that_think(name: str, where: Callable[[dict[str, Any]], str]):
    found, server = ask(VENDORS[name], [Says(text=GOOD)], effort="low")
    assert isinstance(found, Answer)
    assert where(server.requests[0].body) == "low"


def test_a_temperature_reaches_a_local_model_and_is_refused_for_the_newest():
    found, server = ask(VENDORS["local"], [Says(text=GOOD)], temperature=0.0)
    assert isinstance(found, Answer)
    assert server.requests[0].body["temperature"] == 0.0
    found, server = ask(VENDORS["anthropic"], [], temperature=0.0)
    assert isinstance(found, Failure)
    assert found.kind is Outcome.REJECTED
    assert server.requests == []
    assert found.call.cost_usd == 0


def test_a_wrong_answer_is_repaired_in_the_same_conversation(vendor: Vendor):
    found, server = ask(vendor, [Says(text='{"mood": "up"}'), Says(text=GOOD)])
    assert isinstance(found, Answer)
    conversation = str(server.requests[1].body)
    assert PROMPT.text in conversation
    assert "arm: Field required" in conversation
    assert '"mood": "up"' in conversation.replace("\\", "")


@pytest.mark.parametrize("text", ["I'd say up.", "", "{}", GOOD.replace("1.25", "NaN")])
def test_an_answer_that_stays_wrong_is_a_schema_failure(vendor: Vendor, text: str):
    found, server = ask(vendor, [Says(text=text)] * 2)
    assert isinstance(found, Failure)
    assert found.kind is Outcome.SCHEMA
    assert len(server.requests) == 2


def test_a_refusal_is_a_refusal(vendor: Vendor):
    found, _ = ask(vendor, [Says(text="I cannot help with that.", refuses=True)])
    assert isinstance(found, Failure)
    assert found.kind is Outcome.REFUSAL


def test_an_answer_cut_off_by_the_limit_can_be_repaired(vendor: Vendor):
    found, _ = ask(vendor, [Says(text=GOOD[:30], truncated=True), Says(text=GOOD)])
    assert isinstance(found, Answer)
    assert found.call.attempts[0].response == GOOD[:30]
    assert found.call.attempts[0].tokens_in == 100


def test_a_rate_limit_is_waited_out(vendor: Vendor):
    clock = HandClock()
    script = [Fails(status=429, headers={"retry-after": "3"}), Says(text=GOOD)]
    found, server = ask(vendor, script, clock=clock)
    assert isinstance(found, Answer)
    assert clock.slept == [3.0]
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [500, 503, 529])
def test_a_server_error_is_tried_again_and_then_unreachable(vendor: Vendor, status: int):
    found, _ = ask(vendor, [Fails(status=status), Says(text=GOOD)])
    assert isinstance(found, Answer)
    found, server = ask(vendor, repeat(Fails(status=status)), retries=1)
    assert isinstance(found, Failure)
    assert found.kind is Outcome.UNREACHABLE
    assert len(server.requests) == 2  # the client itself has not retried
    assert found.call.cost_usd == 0


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refused_request_is_not_tried_again(vendor: Vendor, status: int):
    found, server = ask(vendor, [Fails(status=status)])
    assert isinstance(found, Failure)
    assert found.kind is Outcome.REJECTED
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Cuts(),
        Hangs(seconds=0.0),
        Sends(body=b"<html>"),
        Sends(body=b'{"a": 1}'),
        Sends(body=b"[1]"),
        Sends(body=b""),
    ],
    ids=["cut", "closed", "not JSON", "another shape", "a list", "nothing"],
)
def test_a_reply_that_makes_no_sense_is_tried_again_and_may_have_cost(vendor: Vendor, fault: Any):
    found, _ = ask(vendor, [fault, Says(text=GOOD)])
    assert isinstance(found, Answer)
    first = found.call.attempts[0]
    assert first.outcome is Outcome.UNREACHABLE
    assert first.estimated
    assert first.tokens_out == 8192


def test_nobody_there_is_unreachable_and_costs_nothing(vendor: Vendor):
    with vendor.stand_in([]) as server:
        pass
    found = vendor.live(server, retries=1).ask(PROMPT, View, 30.0, budget())
    assert isinstance(found, Failure)
    assert found.kind is Outcome.UNREACHABLE
    assert found.call.cost_usd == 0


@pytest.mark.parametrize("fault", [Hangs(), Drips(text=GOOD)], ids=["hangs", "drips"])
def test_a_server_that_does_not_end_does_not_hold_the_caller(vendor: Vendor, fault: Any):
    with vendor.stand_in([fault]) as server:
        model = vendor.live(server)
        began = time.monotonic()
        found = model.ask(PROMPT, View, 0.3, budget())
        taken = time.monotonic() - began
    assert isinstance(found, Failure)
    assert found.kind is Outcome.TIMEOUT
    assert taken < 10.0


def test_a_slow_answer_in_time_is_an_answer(vendor: Vendor):
    found, _ = ask(vendor, [Says(text=GOOD, after=0.2)])
    assert isinstance(found, Answer)


def test_ten_megabytes_end_in_a_bounded_record(vendor: Vendor):
    found, _ = ask(vendor, [Says(text="x" * 10_000_000), Says(text=GOOD)])
    assert isinstance(found, Answer)
    assert found.call.attempts[0].response_characters == 10_000_000
    assert len(msgspec.json.encode(found.call)) < 200_000


def test_a_server_that_does_not_count_tokens_is_paid_the_whole_hold(vendor: Vendor):
    with vendor.stand_in([Says(text=GOOD, tokens=None)]) as server:
        day = budget(clock=HandClock())
        found = vendor.live(server).ask(PROMPT, View, 30.0, day)
    assert isinstance(found, Answer)
    assert found.call.attempts[0].estimated
    assert day.spent(OPENING.date()).usd == found.call.cost_usd
    assert day.spent(OPENING.date()).tokens > 8192


@pytest.mark.parametrize("chunk", range(2))
def test_spoilt_answers_over_the_wire_end_in_a_record(vendor: Vendor, chunk: int):
    _fuzz_over_the_wire(vendor, range(chunk * 10, chunk * 10 + 10))


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(10))
def test_many_spoilt_answers_over_the_wire_end_in_a_record(vendor: Vendor, chunk: int):
    _fuzz_over_the_wire(vendor, range(1000 + chunk * 200, 1200 + chunk * 200))


def _fuzz_over_the_wire(vendor: Vendor, seeds: range) -> None:
    with vendor.stand_in(lambda _: Says(text=spoilt(next(order)))) as server:
        model = vendor.live(server)
        for seed in seeds:
            order = iter((seed, seed + 50_000))
            found = model.ask(PROMPT, View, 30.0, budget())
            assert isinstance(found, Answer) or found.kind is Outcome.SCHEMA, seed
            assert len(found.call.attempts) <= 2
            msgspec.json.encode(found.call)


# Secrets


def test_no_key_gets_into_a_record_even_if_a_server_sends_it_back(
    vendor: Vendor, keys: dict[str, str], caplog: pytest.LogCaptureFixture
):
    caplog.set_level("DEBUG")
    told = f"wrong key: {' '.join(keys.values())}"
    for script in ([Fails(status=401, message=told)], [Says(text=told), Says(text=told)]):
        found, _ = ask(vendor, script)
        assert isinstance(found, Failure)
        record = msgspec.json.encode(found.call).decode() + found.message + repr(found)
        assert "wrong key" in record
        for secret in keys.values():
            assert secret not in record
    ours = "".join(record.getMessage() for record in caplog.records if "tools" in record.name)
    assert not any(secret in ours for secret in keys.values())


def test_a_local_server_never_sees_the_openai_key(keys: dict[str, str]):
    _, server = ask(VENDORS["local"], [Says(text=GOOD)])
    assert keys["OPENAI_API_KEY"] not in str(server.requests[0])
    _, server = ask(VENDORS["openai-chat"], [Says(text=GOOD)])
    assert keys["OPENAI_API_KEY"] in str(server.requests[0])


def test_importing_and_setting_up_imports_no_vendor():
    code = (
        "import sys, tools.llm as llm;"
        "llm.LiveModel(llm.ModelParameters(models=('local:m', 'anthropic:claude-opus-5-5',"
        "'bedrock:anthropic.claude-opus-5-5')), llm.PriceList());"
        "heavy = {'langchain', 'langchain_core', 'anthropic', 'openai', 'boto3', 'botocore'};"
        "print(sorted(heavy & {name.partition('.')[0] for name in sys.modules}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
