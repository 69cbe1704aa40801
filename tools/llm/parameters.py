"""Which models are asked, with what, and how patiently.

A model is written `provider:model`. Providers: `anthropic`, `openai`, `bedrock`, and `local`, any
server that speaks OpenAI's chat completions (Ollama, vLLM, llama.cpp); a local server never sees
the OpenAI key. Keys are never parameters: the clients find them in the environment.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

PROVIDERS = ("anthropic", "openai", "bedrock", "local")
Effort = Literal["low", "medium", "high"]


class ModelName(NamedTuple):
    """One model at one provider."""

    provider: str
    model: str

    @classmethod
    def parse(cls, text: str) -> "ModelName":
        """From `provider:model`; ValueError says what is wrong with it."""
        provider, colon, model = text.partition(":")
        if not colon or not model.strip() or provider not in PROVIDERS:
            raise ValueError(
                f"{text!r} is not a model: write provider:model, with one of "
                f"{', '.join(PROVIDERS)} as the provider"
            )
        return cls(provider, model)

    def __str__(self) -> str:
        """As it is written in settings."""
        return f"{self.provider}:{self.model}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelParameters:
    """How models are asked. The first of `models` is preferred, the others are its fallbacks.

    Sent to the model: `max_output_tokens` (a thinking model's thoughts count), and `temperature`
    and `effort` unless None (Claude's newest models refuse a temperature).

    Patience: one request may take `request_seconds`; while other models wait behind it, a model
    leaves them `fallback_share` of the time that remains. Rate limits, server errors and cut
    connections are tried again up to `retries` times per model, after a pause that starts at
    `backoff_seconds` and doubles. `breaker_failures` such failures within `breaker_window_seconds`
    close a provider off for `breaker_pause_seconds`. At most `concurrent_calls` requests to a
    provider are under way, those that were given up but have not ended included.

    `max_answer_characters` bounds what is read, and kept, of an answer.
    """

    models: tuple[str, ...] = ("anthropic:claude-sonnet-5-5",)
    max_output_tokens: int = 8192
    temperature: float | None = None
    effort: Effort | None = None
    anthropic_base_url: str | None = None
    openai_base_url: str | None = None
    local_base_url: str = "http://127.0.0.1:11434/v1"
    bedrock_base_url: str | None = None
    bedrock_region: str | None = None
    request_seconds: float = 60.0
    fallback_share: float = 0.5
    retries: int = 2
    backoff_seconds: float = 0.5
    backoff_cap_seconds: float = 8.0
    breaker_failures: int = 5
    breaker_window_seconds: float = 120.0
    breaker_pause_seconds: float = 60.0
    concurrent_calls: int = 4
    max_prompt_characters: int = 200_000
    max_answer_characters: int = 100_000

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not self.models or len(set(self.models)) != len(self.models):
            raise ValueError(f"models must name at least one model, each once, not {self.models}")
        for model in self.models:
            ModelName.parse(model)
        for name in ("max_output_tokens", "breaker_failures", "concurrent_calls"):
            _check(name, getattr(self, name), 1, 1_000_000)
        for name in ("max_prompt_characters", "max_answer_characters"):
            _check(name, getattr(self, name), 100, 2_000_000)
        for name in ("request_seconds", "breaker_window_seconds", "breaker_pause_seconds"):
            _check(name, getattr(self, name), 0.01, 86_400.0)
        for name in ("backoff_seconds", "backoff_cap_seconds"):
            _check(name, getattr(self, name), 0.0, 3_600.0)
        _check("retries", self.retries, 0, 10)
        _check("fallback_share", self.fallback_share, 0.0, 0.9)
        if self.temperature is not None:
            _check("temperature", self.temperature, 0.0, 2.0)
        if self.effort not in (None, "low", "medium", "high"):
            raise ValueError(f"effort must be low, medium or high, not {self.effort!r}")

    def order(self) -> tuple[ModelName, ...]:
        """The models in the order in which they are asked."""
        return tuple(ModelName.parse(model) for model in self.models)

    def base_url(self, provider: str) -> str | None:
        """Where a provider is reached; None where its client knows best."""
        url: str | None = getattr(self, f"{provider}_base_url")
        return url


def _check(name: str, value: float, low: float, high: float) -> None:
    if not math.isfinite(value) or not low <= value <= high:
        raise ValueError(f"{name} must be between {low:g} and {high:g}, not {value!r}")
