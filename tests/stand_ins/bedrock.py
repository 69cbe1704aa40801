"""Bedrock's Converse, as much of it as structured answers need."""

import json
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import unquote

from tests.stand_ins.schemas import fault_of
from tests.stand_ins.server import Request, Script, StandIn, running
from tests.stand_ins.steps import Fails, Says

ERRORS = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}
NEWEST = ("claude-fable-5-1", "claude-opus-5-5", "claude-sonnet-5-5")


class Converse:
    """POST /model/{id}/converse."""

    def check(self, request: Request) -> str | None:
        body, path = request.body, unquote(request.path)
        if not (path.startswith("/model/") and path.endswith("/converse")):
            return f"unknown path {path}"
        if not request.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 Credential="):
            return "the request is not signed"
        if "attempt=1" not in request.headers.get("amz-sdk-request", "attempt=1"):
            return "the client retried by itself"
        if "toolConfig" in body:
            return "tools are not expected"
        rules = body.get("inferenceConfig", {})
        if not rules.get("maxTokens"):
            return "the output is not bounded"
        if any(name in path for name in NEWEST) and "temperature" in rules:
            return "temperature is not supported by this model"
        if not all(turn["content"][0].get("text") for turn in body["messages"]):
            return "a message is empty"
        wanted = body.get("outputConfig", {}).get("textFormat", {})
        if wanted.get("type") != "json_schema":
            return "there is no outputConfig.textFormat of type json_schema"
        return fault_of(json.loads(wanted["structure"]["jsonSchema"]["schema"]))

    def answer(self, request: Request, says: Says) -> dict[str, Any]:
        stop = "max_tokens" if says.truncated else "end_turn"
        read, written = says.tokens or (0, 0)
        return {
            "output": {"message": {"role": "assistant", "content": [{"text": says.text}]}},
            "stopReason": "guardrail_intervened" if says.refuses else stop,
            "usage": {
                "inputTokens": read,
                "outputTokens": written,
                "totalTokens": read + written,
            },
            "metrics": {"latencyMs": 1},
        }

    def error(self, fails: Fails) -> tuple[dict[str, Any], dict[str, str]]:
        kind = ERRORS.get(fails.status, "InternalServerException")
        return {"message": fails.message}, {"x-amzn-errortype": kind}


class Titan:
    """POST /model/{id}/invoke of Titan's text embeddings; `Says.text` is the vector as JSON."""

    def check(self, request: Request) -> str | None:
        body, path = request.body, unquote(request.path)
        if path != "/model/amazon.titan-embed-text-v2:0/invoke":
            return f"unknown path {path}"
        if not request.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 Credential="):
            return "the request is not signed"
        if "attempt=1" not in request.headers.get("amz-sdk-request", "attempt=1"):
            return "the client retried by itself"
        if set(body) != {"inputText", "dimensions", "normalize"} or not body["inputText"]:
            return f"unknown or missing keys: {sorted(body)}"
        if body["dimensions"] not in (256, 512, 1024) or len(body["inputText"]) > 50_000:
            return "impossible dimensions, or too long"
        return None

    def answer(self, request: Request, says: Says) -> dict[str, Any]:
        return {"embedding": json.loads(says.text), "inputTextTokenCount": 7}

    def error(self, fails: Fails) -> tuple[dict[str, Any], dict[str, str]]:
        return Converse().error(fails)


def titan_stand_in(script: Script) -> AbstractContextManager[StandIn]:
    """A server for the endpoint of `bedrock-runtime` with Titan's embeddings."""
    return running(Titan(), script)


def bedrock_stand_in(script: Script) -> AbstractContextManager[StandIn]:
    """A server for the endpoint of `bedrock-runtime`."""
    return running(Converse(), script)
