"""OpenAI's chat completions and responses, as much of them as structured answers need."""

import json
from contextlib import AbstractContextManager
from typing import Any

from tests.stand_ins.schemas import fault_of
from tests.stand_ins.server import Request, Script, StandIn, running
from tests.stand_ins.steps import Fails, Says

REASONING = ("gpt-5", "gpt-6", "o3", "o4")


class ChatAndResponses:
    """POST /v1/chat/completions and POST /v1/responses."""

    def check(self, request: Request) -> str | None:
        body, headers = request.body, request.headers
        if not headers.get("authorization", "").startswith("Bearer "):
            return "authorization is required"
        if headers.get("x-stainless-retry-count", "0") != "0":
            return "the client retried by itself"
        if body.get("stream"):
            return "streaming is not supported here"
        if body["model"].startswith(REASONING) and {"temperature", "max_tokens"} & set(body):
            return "temperature and max_tokens are not supported by this model"
        if body.get("tool_choice"):
            return "tools are not expected"
        if request.path == "/v1/chat/completions":
            return _check_chat(body)
        if request.path == "/v1/responses":
            return _check_responses(body)
        return f"unknown path {request.path}"

    def answer(self, request: Request, says: Says) -> dict[str, Any]:
        chat = request.path == "/v1/chat/completions"
        return (_completion if chat else _response)(request.body["model"], says)

    def error(self, fails: Fails) -> tuple[dict[str, Any], dict[str, str]]:
        kind = "insufficient_quota" if "quota" in fails.message else "scripted"
        told = {"message": fails.message, "type": kind, "param": None, "code": kind}
        return {"error": told}, {}


def _check_chat(body: dict[str, Any]) -> str | None:
    if not (body.get("max_completion_tokens") or body.get("max_tokens")):
        return "the output is not bounded"
    wanted = body.get("response_format", {})
    if wanted.get("type") != "json_schema" or not body.get("messages"):
        return "there is no response_format of type json_schema, or no message"
    named = wanted["json_schema"]
    if named.get("strict") is not True or not named.get("name"):
        return "the schema must be strict and have a name"
    return fault_of(named.get("schema"))


def _check_responses(body: dict[str, Any]) -> str | None:
    if not body.get("max_output_tokens") or body.get("store") is not False:
        return "the output is not bounded, or the prompt would be stored"
    wanted = body.get("text", {}).get("format", {})
    if wanted.get("type") != "json_schema" or not body.get("input"):
        return "there is no text.format of type json_schema, or no input"
    if wanted.get("strict") is not True or not wanted.get("name"):
        return "the schema must be strict and have a name"
    return fault_of(wanted.get("schema"))


def _completion(model: str, says: Says) -> dict[str, Any]:
    message = {
        "role": "assistant",
        "content": None if says.refuses else says.text,
        "refusal": says.text if says.refuses else None,
    }
    found: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": "length" if says.truncated else "stop",
                "logprobs": None,
            }
        ],
    }
    if says.tokens:
        read, written = says.tokens
        found["usage"] = {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
        }
    return found


def _response(model: str, says: Says) -> dict[str, Any]:
    if says.refuses:
        block = {"type": "refusal", "refusal": says.text}
    else:
        block = {"type": "output_text", "text": says.text, "annotations": []}
    read, written = says.tokens or (0, 0)
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": model,
        "status": "incomplete" if says.truncated else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if says.truncated else None,
        "error": None,
        "instructions": None,
        "metadata": {},
        "output": [
            {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [block],
            }
        ],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": written,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": read + written,
        },
    }


class Embeddings:
    """POST /v1/embeddings; `Says.text` is the list of vectors as JSON, answered in reverse."""

    def check(self, request: Request) -> str | None:
        body, headers = request.body, request.headers
        if request.path != "/v1/embeddings":
            return f"unknown path {request.path}"
        if not headers.get("authorization", "").startswith("Bearer "):
            return "authorization is required"
        if headers.get("x-stainless-retry-count", "0") != "0":
            return "the client retried by itself"
        if body.get("encoding_format") != "float" or not body.get("dimensions"):
            return "encoding_format must be float, and dimensions given"
        texts = body.get("input")
        if not isinstance(texts, list) or not 1 <= len(texts) <= 2048 or not all(texts):
            return "input must be 1 to 2048 texts, none of them empty"
        return None

    def answer(self, request: Request, says: Says) -> dict[str, Any]:
        rows = [
            {"object": "embedding", "index": number, "embedding": vector}
            for number, vector in enumerate(json.loads(says.text))
        ]
        usage = {"prompt_tokens": 7, "total_tokens": 7}
        model = request.body["model"]
        return {"object": "list", "data": rows[::-1], "model": model, "usage": usage}

    def error(self, fails: Fails) -> tuple[dict[str, Any], dict[str, str]]:
        return ChatAndResponses().error(fails)


def embeddings_stand_in(script: Script) -> AbstractContextManager[StandIn]:
    """A server for `OPENAI_BASE_URL` with embeddings; its `url` ends with /v1."""
    return running(Embeddings(), script, "/v1")


def openai_stand_in(script: Script) -> AbstractContextManager[StandIn]:
    """A server for `OPENAI_BASE_URL`; its `url` ends with /v1."""
    return running(ChatAndResponses(), script, "/v1")
