"""The vendors' clients: LangChain's chat models, told to retry nothing and to answer by schema.

Every provider gets the schema through its native structured output (`response_format`, which
LangChain turns into Anthropic's `output_config`, OpenAI's `response_format` or `text.format`, and
Bedrock's `outputConfig`): no tool is forced on the model, which Claude's newest refuse. The text
comes back as it is; reading it is not left to the clients, whose parsers guess. Clients are built,
and their packages imported, by the first request.
"""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal, Protocol

from tools.errors import NotConfigured
from tools.llm.parameters import ModelName, ModelParameters
from tools.llm.schemas import WireSchema
from tools.llm.troubles import storable

Turn = tuple[Literal["system", "human", "ai"], str]
Stop = Literal["end", "truncated", "refusal"]

_PACKAGES = {
    "anthropic": ("langchain_anthropic", "llm"),
    "openai": ("langchain_openai", "llm"),
    "local": ("langchain_openai", "llm"),
    "bedrock": ("langchain_aws", "aws"),
}
_KEYS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
_TRUNCATED = {"max_tokens", "length", "max_output_tokens", "model_context_window_exceeded"}
_REFUSED = {"refusal", "content_filter", "content_filtered", "guardrail_intervened"}
MOST_TOKENS = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a model sent back, fit to be kept. Tokens are None where it does not say."""

    text: str
    stop: Stop
    stop_reason: str
    answered_by: str
    tokens_in: int | None
    tokens_out: int | None

    def __post_init__(self) -> None:
        """Make the text storable: it comes from outside."""
        for name in ("text", "stop_reason", "answered_by"):
            object.__setattr__(self, name, storable(getattr(self, name)))


class Client(Protocol):
    """One model that can be sent a conversation."""

    def prepare(self) -> None:
        """Import and build what the first request would otherwise wait for."""
        ...

    def send(self, turns: Sequence[Turn], schema: WireSchema, timeout: float) -> Reply:
        """One request; raises what the vendor's client raises."""
        ...


def connect(name: ModelName, parameters: ModelParameters) -> Client:
    """The client of a model; NotConfigured when its package or its key is missing."""
    package, extra = _PACKAGES[name.provider]
    if find_spec(package) is None:
        raise NotConfigured(
            f"{name} needs the package {package}: pip install -e '.[{extra}]', "
            "or take it out of the models"
        )
    variable = _KEYS.get(name.provider)
    if variable and not os.environ.get(variable):
        raise NotConfigured(f"{name} needs a key: set {variable}, or take it out of the models")
    return ChatClient(name, parameters)


class ChatClient:
    """A LangChain chat model behind the `Client` protocol."""

    def __init__(self, name: ModelName, parameters: ModelParameters) -> None:
        """Not connected yet."""
        self._name, self._parameters = name, parameters
        self._chat: Any = None
        self._building = threading.Lock()

    def prepare(self) -> None:
        """Import the vendor's package and build its client; NotConfigured when it objects."""
        with self._building:
            if self._chat is None:
                try:
                    self._chat = _BUILDERS[self._name.provider](self._name.model, self._parameters)
                except Exception as error:
                    told = storable(f"{type(error).__name__}: {error}")
                    raise NotConfigured(f"{self._name} cannot be set up: {told}") from error

    def send(self, turns: Sequence[Turn], schema: WireSchema, timeout: float) -> Reply:
        """One request."""
        self.prepare()
        asked: dict[str, Any] = {"response_format": response_format(schema)}
        if self._name.provider != "bedrock":  # botocore's timeouts belong to its client
            asked["timeout"] = timeout
        try:
            return read_reply(self._chat.invoke(list(turns), **asked))
        except Exception as error:
            completion = getattr(error, "completion", None)
            if completion is None:
                raise
            return _read_completion(completion)


def response_format(schema: WireSchema) -> dict[str, Any]:
    """The structured-output request that LangChain translates for each provider."""
    named = {"name": schema.name, "schema": schema.json, "strict": True}
    return {"type": "json_schema", "json_schema": named}


def _sent(parameters: ModelParameters) -> dict[str, Any]:
    optional = {
        "temperature": parameters.temperature,
        "reasoning_effort": parameters.effort,
    }
    given = {name: value for name, value in optional.items() if value is not None}
    return {"max_tokens": parameters.max_output_tokens, **given}


def _build_anthropic(model: str, parameters: ModelParameters) -> Any:
    from langchain_anthropic import ChatAnthropic

    address = {"base_url": parameters.anthropic_base_url} if parameters.anthropic_base_url else {}
    return ChatAnthropic(
        model=model,
        timeout=parameters.request_seconds,
        max_retries=0,
        **address,
        **_sent(parameters),
    )


def _build_openai(model: str, parameters: ModelParameters) -> Any:
    from langchain_openai import ChatOpenAI

    address = {"base_url": parameters.openai_base_url} if parameters.openai_base_url else {}
    return ChatOpenAI(
        model=model,
        store=False,  # the responses API keeps prompts for a month unless told not to
        timeout=parameters.request_seconds,
        max_retries=0,
        **address,
        **_sent(parameters),
    )


def _build_local(model: str, parameters: ModelParameters) -> Any:
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr

    return ChatOpenAI(
        model=model,
        base_url=parameters.local_base_url,
        api_key=SecretStr("local"),
        use_responses_api=False,
        timeout=parameters.request_seconds,
        max_retries=0,
        **_sent(parameters),
    )


def _build_bedrock(model: str, parameters: ModelParameters) -> Any:
    from botocore.config import Config  # type: ignore[import-untyped]
    from langchain_aws import ChatBedrockConverse

    return ChatBedrockConverse(
        model_id=model,
        region_name=parameters.bedrock_region,
        endpoint_url=parameters.bedrock_base_url,
        config=Config(
            connect_timeout=min(10.0, parameters.request_seconds),
            read_timeout=parameters.request_seconds,
            retries={"total_max_attempts": 1},
        ),
        **_sent(parameters),
    )


_BUILDERS: Mapping[str, Callable[[str, ModelParameters], Any]] = {
    "anthropic": _build_anthropic,
    "openai": _build_openai,
    "local": _build_local,
    "bedrock": _build_bedrock,
}


def read_reply(message: Any) -> Reply:
    """A reply from a LangChain message, whichever provider it came from."""
    told: Mapping[str, Any] = message.response_metadata
    usage: Mapping[str, Any] = message.usage_metadata or {}
    refusal = message.additional_kwargs.get("refusal") or _refusal_block(message.content)
    reason = _reason(told)
    return Reply(
        text=str(refusal or message.text),
        stop="refusal" if refusal else _stop(reason),
        stop_reason=reason,
        answered_by=str(told.get("model_name") or told.get("model") or "")[:200],
        tokens_in=_count(usage.get("input_tokens")),
        tokens_out=_count(usage.get("output_tokens")),
    )


def _read_completion(completion: Any) -> Reply:
    """A reply that OpenAI's client refused to hand over: cut off, or filtered."""
    choice, usage = completion.choices[0], completion.usage
    return Reply(
        text=choice.message.content or "",
        stop=_stop(choice.finish_reason),
        stop_reason=choice.finish_reason,
        answered_by=str(completion.model or "")[:200],
        tokens_in=_count(getattr(usage, "prompt_tokens", None)),
        tokens_out=_count(getattr(usage, "completion_tokens", None)),
    )


def _reason(told: Mapping[str, Any]) -> str:
    incomplete = told.get("incomplete_details") or {}
    reasons = (
        incomplete.get("reason"),
        told.get("stop_reason"),
        told.get("finish_reason"),
        told.get("stopReason"),
        told.get("status"),
    )
    return str(next((reason for reason in reasons if reason), ""))[:100]


def _stop(reason: str) -> Stop:
    if reason in _TRUNCATED:
        return "truncated"
    return "refusal" if reason in _REFUSED else "end"


def _refusal_block(content: Any) -> str:
    """The refusal in the content blocks of OpenAI's responses API, if there is one."""
    blocks = content if isinstance(content, list) else []
    found = [block.get("refusal", "") for block in blocks if isinstance(block, dict)]
    return next((text for text in found if text), "")


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_TOKENS:
        return None
    return value
