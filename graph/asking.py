"""Asking the model from a node: one question, and plain values for the state whatever came back."""

import json
from typing import Any

import msgspec
from pydantic import BaseModel

from graph.ports import Wiring
from tools.errors import BadInput
from tools.llm.calls import Answer, LlmCall, Prompt

ANSWERED = "the model answered"
FAILED = "the model gave no answer"
REASON_LIMIT = 300


def ask(wiring: Wiring, prompt: Prompt, schema: type[BaseModel]) -> dict[str, Any]:
    """`answer`, `failure`, `call` and `outcome` of a question.

    BadInput passes through: a replay that asks what was never recorded must stop, not degrade.
    Everything else that goes wrong is a failure with its reason.
    """
    asked = f"{prompt.id}.v{prompt.version}"
    if wiring.model is None:
        return _failed("no model is configured", {"prompt": asked})
    try:
        found = wiring.model.ask(prompt, schema, wiring.seconds, wiring.budget)
        call = _summary(found.call, asked)
        if not isinstance(found, Answer):
            return _failed(f"{found.kind}: {found.message}", call)
        # Through JSON: only what JSON can say may enter the state.
        answer = json.loads(found.value.model_dump_json())
    except BadInput:
        raise
    except Exception as error:
        return _failed(f"{type(error).__name__}: {error}", {"prompt": asked})
    return {"answer": answer, "failure": "", "call": call, "outcome": ANSWERED}


def route(state: dict[str, Any]) -> str:
    """The reason for the way on after a question."""
    outcome: str = state["outcome"]
    return outcome


def opinion_of(call: dict[str, Any]) -> str:
    """Whose opinion it is, for scoring by model and prompt: `provider:model name.vN`."""
    return f"{call.get('model') or 'model'} {call.get('prompt', '')}".strip()


def _failed(reason: str, call: dict[str, Any]) -> dict[str, Any]:
    return {"answer": None, "failure": reason[:REASON_LIMIT], "call": call, "outcome": FAILED}


def _summary(call: LlmCall, asked: str) -> dict[str, Any]:
    """A call as plain values; `verbatim` is all of it, so that a resumed machine has it too."""
    return {
        "prompt": asked,
        "key": call.key,
        "sequence": call.sequence,
        "model": call.model,
        "cost_usd": str(call.cost_usd),
        "tokens_in": call.tokens_in,
        "tokens_out": call.tokens_out,
        "verbatim": msgspec.json.encode(call).decode(),
    }
