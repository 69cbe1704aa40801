"""Asking in order, with retries, one repair, fallbacks and a breaker, inside the deadline."""

import threading
import time
from itertools import repeat

import pytest

from tests.tools.llm.garbage import spoilt
from tests.tools.llm.worlds import (
    GOOD,
    OPENING,
    PROMPT,
    VIEW,
    HandClock,
    ServerError,
    View,
    budget,
    says,
    scripted,
)
from tools.errors import NotConfigured
from tools.llm import Answer, Failure, LiveModel, ModelParameters, Outcome, PriceList, Prompt
from tools.llm.identity import SHOWN_OF_ANSWER

OPUS, SONNET, LOCAL = "anthropic:claude-opus-5-5", "anthropic:claude-sonnet-5-5", "local:llama"


def ask(model: LiveModel, deadline: float = 60.0, prompt: Prompt = PROMPT) -> Answer | Failure:
    return model.ask(prompt, View, deadline, budget())


def outcomes(found: Answer | Failure) -> list[tuple[str, str]]:
    return [(attempt.model, attempt.outcome.value) for attempt in found.call.attempts]


def test_an_answer_comes_with_the_record_of_the_call():
    model, clients = scripted({OPUS: [says()]})
    found = ask(model)
    assert isinstance(found, Answer)
    assert found.value == VIEW
    call = found.call
    assert (call.prompt, call.outcome, call.asked_at) == (PROMPT, Outcome.ANSWER, OPENING)
    assert (call.model, call.tokens_in, call.tokens_out) == (OPUS, 100, 20)
    assert f"{call.cost_usd:f}" == "0.0008"  # 100 at 4 and 20 at 20 USD a million
    assert call.attempts[0].response == GOOD
    assert clients[OPUS].sent == [[("system", PROMPT.system), ("human", PROMPT.text)]]


# Repair


def test_an_invalid_answer_is_shown_to_its_model_with_its_error():
    bad = GOOD.replace("1.25", "7.5")
    model, clients = scripted({OPUS: [says(bad), says()]})
    found = ask(model)
    assert isinstance(found, Answer)
    assert outcomes(found) == [("claude-opus-5-5", "schema"), ("claude-opus-5-5", "answer")]
    role, told = clients[OPUS].sent[1][-1]
    assert clients[OPUS].sent[1][-2] == ("ai", bad)
    assert role == "human"
    assert "arm: Input should be less than or equal to 2" in told
    assert found.call.attempts[1].repair == told
    assert found.call.repaired


def test_there_is_one_repair_and_then_a_failure_without_asking_another_model():
    model, clients = scripted({OPUS: [says("no"), says("still no"), says()], LOCAL: [says()]})
    found = ask(model)
    assert isinstance(found, Failure)
    assert found.kind is Outcome.SCHEMA
    assert len(clients[OPUS].sent) == 2
    assert clients[LOCAL].sent == []


def test_there_is_one_repair_for_a_question_not_one_for_each_model():
    model, _ = scripted({OPUS: [says("no"), *repeat(ServerError(500), 3)], LOCAL: [says("no")] * 2})
    found = ask(model)
    assert [outcome for _, outcome in outcomes(found)] == [
        "schema",
        *["unreachable"] * 3,
        "schema",
    ]
    assert found.call.attempts[-1].repair == ""  # a new model is asked the question itself


def test_an_answer_that_was_cut_off_is_not_trusted_even_if_it_is_valid():
    model, _ = scripted({OPUS: [says(stop="truncated", stop_reason="max_tokens"), says()]})
    found = ask(model)
    assert isinstance(found, Answer)
    assert outcomes(found)[0] == ("claude-opus-5-5", "schema")
    assert "cut off (max_tokens)" in found.call.attempts[0].message


def test_a_huge_answer_is_neither_kept_nor_shown_whole():
    model, clients = scripted({OPUS: [says("x" * 10_000_000), says()]}, max_answer_characters=9_000)
    found = ask(model)
    assert isinstance(found, Answer)
    first = found.call.attempts[0]
    assert (len(first.response), first.response_characters) == (9_000, 10_000_000)
    assert len(clients[OPUS].sent[1][-2][1]) == SHOWN_OF_ANSWER


def test_an_empty_answer_can_be_repaired():
    model, clients = scripted({OPUS: [says(""), says()]})
    assert isinstance(ask(model), Answer)
    assert clients[OPUS].sent[1][-2] == ("ai", "(nothing)")


def test_a_refusal_is_final():
    refusal = says("I would rather not", stop="refusal", stop_reason="refusal")
    model, clients = scripted({OPUS: [refusal], LOCAL: [says()]})
    found = ask(model)
    assert isinstance(found, Failure)
    assert found.kind is Outcome.REFUSAL
    assert "I would rather not" in found.message
    assert clients[LOCAL].sent == []


@pytest.mark.parametrize("chunk", range(4))
def test_any_answer_ends_in_a_record_whatever_it_holds(chunk: int):
    for seed in range(chunk * 250, chunk * 250 + 250):
        model, _ = scripted({OPUS: [says(spoilt(seed)), says(spoilt(seed + 50_000))]})
        found = ask(model)
        assert isinstance(found, Answer) or found.kind is Outcome.SCHEMA
        assert 1 <= len(found.call.attempts) <= 2


# Retries


def test_passing_troubles_are_tried_again_with_growing_pauses():
    clock = HandClock()
    moves = [ServerError(500), ServerError(529), says()]
    model, _ = scripted({OPUS: moves}, clock, backoff_seconds=0.5)
    assert isinstance(ask(model), Answer)
    assert clock.slept == [0.5, 1.0]


def test_pauses_have_a_cap_and_retries_an_end():
    clock = HandClock()
    model, clients = scripted(
        {OPUS: repeat(ServerError(503))}, clock, retries=4, backoff_cap_seconds=2.0
    )
    found = ask(model)
    assert isinstance(found, Failure)
    assert found.kind is Outcome.UNREACHABLE
    assert clock.slept == [0.5, 1.0, 2.0, 2.0]
    assert len(clients[OPUS].sent) == 5


def test_a_rate_limit_is_waited_out_when_there_is_time():
    clock = HandClock()
    model, _ = scripted({OPUS: [ServerError(429, {"retry-after": "7"}), says()]}, clock)
    assert isinstance(ask(model, deadline=20.0), Answer)
    assert clock.slept == [7.0]


def test_a_rate_limit_beyond_the_deadline_is_not_waited_for():
    clock = HandClock()
    model, clients = scripted({OPUS: repeat(ServerError(429, {"retry-after": "30"}))}, clock)
    found = ask(model, deadline=20.0)
    assert isinstance(found, Failure)
    assert found.kind is Outcome.RATE_LIMIT
    assert clock.slept == []
    assert len(clients[OPUS].sent) == 1


@pytest.mark.parametrize("header", ["soon", "nan", "-5", "Wed, 21 Oct 2026 07:28:00 GMT", "1e999"])
def test_a_strange_retry_after_does_no_harm(header: str):
    clock = HandClock()
    model, _ = scripted({OPUS: [ServerError(429, {"retry-after": header}), says()]}, clock)
    ask(model)
    assert clock.slept in ([0.5], [])  # 1e999 is too long to wait for


def test_retries_stay_inside_the_deadline():
    clock = HandClock()
    model, _ = scripted(
        {OPUS: repeat(ServerError(500))}, clock, retries=10, backoff_cap_seconds=60.0
    )
    ask(model, deadline=10.0)
    assert clock.slept == [0.5, 1.0, 2.0, 4.0]
    assert clock.seconds < 10.0


def test_a_rejected_request_and_an_empty_purse_are_not_tried_again():
    for error, kind in (
        (ServerError(400), Outcome.REJECTED),
        (ServerError(401), Outcome.REJECTED),
        (type("Error", (ServerError,), {"__str__": lambda _: "insufficient_quota"})(429), None),
    ):
        model, clients = scripted({OPUS: [error]})
        found = ask(model)
        assert isinstance(found, Failure)
        assert found.kind is (kind or Outcome.RATE_LIMIT)
        assert len(clients[OPUS].sent) == 1


def test_a_deadline_that_has_passed_sends_nothing():
    model, clients = scripted({OPUS: []})
    for deadline in (0.0, -5.0):
        found = ask(model, deadline)
        assert isinstance(found, Failure)
        assert found.kind is Outcome.TIMEOUT
    assert clients[OPUS].sent == []


def test_a_prompt_that_is_too_long_is_not_sent():
    model, clients = scripted({OPUS: []}, max_prompt_characters=100)
    found = ask(model, prompt=Prompt(id="p", version=1, system="", text="x" * 101))
    assert isinstance(found, Failure)
    assert found.kind is Outcome.REJECTED
    assert clients[OPUS].sent == []


# Hanging


def test_a_model_that_hangs_does_not_hold_the_caller_past_the_deadline():
    over = threading.Event()

    def hang():
        over.wait(30.0)
        return says()

    model, _ = scripted({OPUS: [hang]}, concurrent_calls=1)
    day, began = budget(), time.monotonic()
    found = model.ask(PROMPT, View, 0.2, day)
    assert time.monotonic() - began < 10.0
    assert isinstance(found, Failure)
    assert found.kind is Outcome.TIMEOUT
    attempt = found.call.attempts[0]
    assert attempt.estimated  # it may be billed: the whole hold is spent
    assert day.spent(OPENING.date()).usd == attempt.cost_usd > 0.16
    crowded = model.ask(PROMPT, View, 0.2, day)
    assert isinstance(crowded, Failure)
    assert "too many requests are under way" in crowded.message
    over.set()


def test_a_model_that_hangs_leaves_time_for_the_one_behind_it():
    over = threading.Event()

    def hang():
        over.wait(30.0)
        return says()

    model, _ = scripted({OPUS: [hang], LOCAL: [says()]})
    found = ask(model, deadline=0.6)
    over.set()
    assert isinstance(found, Answer)
    assert outcomes(found) == [("claude-opus-5-5", "timeout"), ("llama", "answer")]


# Order


def test_the_next_model_is_asked_when_one_cannot_be_had():
    model, _ = scripted(
        {OPUS: repeat(ServerError(500)), SONNET: [ServerError(404)], LOCAL: [says()]}
    )
    found = ask(model)
    assert isinstance(found, Answer)
    assert found.call.model == LOCAL
    assert outcomes(found) == [
        *[("claude-opus-5-5", "unreachable")] * 3,
        ("claude-sonnet-5-5", "rejected"),
        ("llama", "answer"),
    ]


def test_when_none_can_be_had_the_preferred_models_reason_leads_and_all_are_told():
    model, _ = scripted({OPUS: [ServerError(404)], LOCAL: repeat(ServerError(500))})
    found = ask(model)
    assert isinstance(found, Failure)
    assert found.kind is Outcome.REJECTED
    assert "anthropic:claude-opus-5-5: ServerError: status 404" in found.message
    assert "local:llama: ServerError: status 500" in found.message


def test_a_model_that_is_too_dear_gives_way_to_a_cheaper_one():
    model, clients = scripted({OPUS: [], LOCAL: [says()]})
    found = model.ask(PROMPT, View, 60.0, budget(usd=0.05))
    assert isinstance(found, Answer)
    assert outcomes(found) == [("claude-opus-5-5", "budget"), ("llama", "answer")]
    assert clients[OPUS].sent == []


# Breaker


def test_a_provider_that_keeps_failing_is_left_alone_for_a_while():
    clock = HandClock()
    model, clients = scripted(
        {OPUS: [*repeat(ServerError(500), 3), says()], LOCAL: repeat(says())},
        clock,
        retries=0,
        breaker_failures=3,
        breaker_pause_seconds=60.0,
    )
    assert [outcomes(ask(model))[0][1] for _ in range(5)] == [
        *["unreachable"] * 3,
        *["circuit_open"] * 2,
    ]
    assert len(clients[OPUS].sent) == 3
    clock.seconds += 60.0
    assert outcomes(ask(model)) == [("claude-opus-5-5", "answer")]


def test_two_models_of_a_provider_share_its_breaker():
    model, clients = scripted(
        {OPUS: repeat(ServerError(500)), SONNET: [says()]}, retries=1, breaker_failures=2
    )
    found = ask(model)
    assert [outcome for _, outcome in outcomes(found)] == [
        "unreachable",
        "unreachable",
        "circuit_open",
    ]
    assert clients[SONNET].sent == []


def test_bad_answers_and_refusals_are_no_reason_to_leave_a_provider_alone():
    refusal = says("no", stop="refusal", stop_reason="refusal")
    model, _ = scripted({OPUS: [says("bad")] * 20 + [refusal] * 20}, breaker_failures=2)
    kinds = [ask(model).call.outcome for _ in range(20)]
    assert kinds == [Outcome.SCHEMA] * 10 + [Outcome.REFUSAL] * 10


def test_a_question_that_is_over_budget_does_not_use_up_the_breakers_trial():
    clock = HandClock()
    model, _ = scripted({OPUS: [ServerError(500), says()]}, clock, retries=0, breaker_failures=1)
    ask(model)
    clock.seconds += 60.0
    assert isinstance(model.ask(PROMPT, View, 60.0, budget(usd=0.0)), Failure)
    assert isinstance(ask(model), Answer)


# Setting up


def test_a_model_without_a_price_is_refused_before_anything_is_asked():
    with pytest.raises(NotConfigured, match="the price of gpt-99 is not known"):
        scripted({"openai:gpt-99": []})


def test_a_model_whose_key_or_package_is_missing_is_refused(monkeypatch: pytest.MonkeyPatch):
    parameters = ModelParameters(models=(OPUS,))
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with pytest.raises(NotConfigured, match="set ANTHROPIC_API_KEY"):
        LiveModel(parameters, PriceList())
    monkeypatch.setattr("tools.llm.providers.find_spec", lambda _: None)
    with pytest.raises(NotConfigured, match=r"pip install -e '\.\[llm\]'"):
        LiveModel(parameters, PriceList())
    bedrock = ModelParameters(models=("bedrock:anthropic.claude-opus-5-5",))
    with pytest.raises(NotConfigured, match=r"pip install -e '\.\[aws\]'"):
        LiveModel(bedrock, PriceList())
