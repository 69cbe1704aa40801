"""The key of a question: it changes with everything that can change the answer, and only then."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel, create_model

from tests.tools.llm.worlds import PROMPT, View
from tools.llm import ModelParameters
from tools.llm.identity import identify

PARAMETERS = ModelParameters(models=("anthropic:claude-opus-5-5", "local:llama"))


class Renamed(BaseModel):
    """Another schema."""

    mood: str


def key(
    parameters: ModelParameters = PARAMETERS,
    schema: type[BaseModel] = View,
    **prompt: Any,
) -> str:
    return identify(parameters, replace(PROMPT, **prompt), schema).key


def test_the_same_question_has_the_same_key():
    twin = ModelParameters(models=("anthropic:claude-opus-5-5", "local:llama"))
    assert key() == key(twin)
    assert len(key()) == 64


@pytest.mark.parametrize(
    "changes",
    [
        {"models": ("local:llama", "anthropic:claude-opus-5-5")},
        {"models": ("anthropic:claude-opus-5-5",)},
        {"models": ("anthropic:claude-sonnet-5-5", "local:llama")},
        {"max_output_tokens": 100},
        {"temperature": 0.0},
        {"effort": "low"},
        {"anthropic_base_url": "http://127.0.0.1:1"},
        {"local_base_url": "http://127.0.0.1:2"},
        {"max_answer_characters": 1_000},
    ],
)
def test_what_can_change_the_answer_changes_the_key(changes: dict[str, Any]):
    assert key(replace(PARAMETERS, **changes)) != key()


@pytest.mark.parametrize(
    "changes",
    [
        {"request_seconds": 1.0},
        {"fallback_share": 0.1},
        {"retries": 0},
        {"backoff_seconds": 3.0},
        {"backoff_cap_seconds": 3.0},
        {"breaker_failures": 1},
        {"breaker_window_seconds": 3.0},
        {"breaker_pause_seconds": 3.0},
        {"concurrent_calls": 1},
        {"max_prompt_characters": 1_000},
        {"openai_base_url": "http://127.0.0.1:3"},  # none of the models is OpenAI's
        {"bedrock_base_url": "http://127.0.0.1:3"},
        {"bedrock_region": "eu-west-1"},
    ],
)
def test_what_cannot_change_the_answer_does_not(changes: dict[str, Any]):
    assert key(replace(PARAMETERS, **changes)) == key()


def test_every_parameter_is_on_one_side_or_the_other():
    """A new parameter has to be put into one of the two lists above."""
    changing = {"models", "max_output_tokens", "temperature", "effort", "anthropic_base_url"}
    changing |= {"local_base_url", "max_answer_characters"}
    harmless = {"request_seconds", "fallback_share", "retries", "backoff_seconds"}
    harmless |= {"backoff_cap_seconds", "breaker_failures", "breaker_window_seconds"}
    harmless |= {"breaker_pause_seconds", "concurrent_calls", "max_prompt_characters"}
    harmless |= {"openai_base_url", "bedrock_base_url", "bedrock_region"}
    assert set(ModelParameters.__slots__) == changing | harmless


@pytest.mark.parametrize(
    "changes", [{"text": "How is it?"}, {"system": ""}, {"version": 2}, {"id": "premarket"}]
)
def test_another_prompt_has_another_key(changes: dict[str, Any]):
    assert key(**changes) != key()


def test_moving_text_between_system_and_prompt_is_another_question():
    assert key(system="ab", text="c") != key(system="a", text="bc")


def test_another_schema_has_another_key_and_a_new_class_with_the_same_content_has_not():
    def made(kind: Any) -> type[BaseModel]:
        return create_model("Renamed", __doc__=Renamed.__doc__, mood=(kind, ...))

    assert key(schema=made(str)) == key(schema=Renamed)
    assert key(schema=made(int)) != key(schema=Renamed)
    assert key(schema=Renamed) != key()


def test_what_is_sent_is_kept_as_canonical_json():
    found = identify(PARAMETERS, PROMPT, View)
    assert '"max_output_tokens":8192' in found.parameters
    assert '{"base_url":null,"name":"anthropic:claude-opus-5-5"}' in found.parameters
