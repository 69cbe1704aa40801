"""Anthropic's Messages API, as much of it as structured answers need."""

from contextlib import AbstractContextManager
from itertools import pairwise
from typing import Any

from tests.stand_ins.schemas import fault_of
from tests.stand_ins.server import Request, Script, StandIn, running
from tests.stand_ins.steps import Fails, Says

NEWEST = ("claude-fable-5-1", "claude-opus-5-5", "claude-sonnet-5-5")
ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


class Messages:
    """POST /v1/messages."""

    def check(self, request: Request) -> str | None:
        body, headers = request.body, request.headers
        if request.path != "/v1/messages":
            return f"unknown path {request.path}"
        key = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        if not key or not headers.get("anthropic-version"):
            return "a key and anthropic-version are required"
        if headers.get("x-stainless-retry-count", "0") != "0":
            return "the client retried by itself"
        if not isinstance(body.get("max_tokens"), int) or not body.get("model"):
            return "model and max_tokens are required"
        return _check_turns(body["messages"]) or _check_format(body)

    def answer(self, request: Request, says: Says) -> dict[str, Any]:
        content = [{"type": "text", "text": says.text}] if says.text else []
        stop = "refusal" if says.refuses else "max_tokens" if says.truncated else "end_turn"
        read, written = says.tokens or (0, 0)
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": request.body["model"],
            "content": content,
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": {"input_tokens": read, "output_tokens": written},
        }

    def error(self, fails: Fails) -> tuple[dict[str, Any], dict[str, str]]:
        kind = ERRORS.get(fails.status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": fails.message}}, {}


def _check_turns(turns: list[dict[str, Any]]) -> str | None:
    roles = [turn["role"] for turn in turns]
    if roles[0] != "user" or roles[-1] != "user":
        return f"messages must begin and end with the user, not {roles}"
    if any(a == b for a, b in pairwise(roles)):
        return f"roles must alternate: {roles}"
    if any(not turn["content"] for turn in turns):
        return "a message is empty"
    return None


def _check_format(body: dict[str, Any]) -> str | None:
    if body.get("tool_choice", {}).get("type") in ("any", "tool"):
        return "forced tool choice is not supported by this model"
    refused = {"temperature", "top_p", "top_k"} & set(body)
    if body["model"].startswith(NEWEST) and refused:
        return f"{sorted(refused)} are not supported by this model"
    wanted = body.get("output_config", {}).get("format", {})
    if wanted.get("type") != "json_schema":
        return "there is no output_config.format of type json_schema"
    return fault_of(wanted.get("schema"))


def anthropic_stand_in(script: Script) -> AbstractContextManager[StandIn]:
    """A server for `ANTHROPIC_BASE_URL`."""
    return running(Messages(), script)
