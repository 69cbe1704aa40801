"""Parameters and prices: what cannot be meant is refused by name."""

from decimal import Decimal
from typing import Any

import pytest

from tools.errors import NotConfigured
from tools.llm import BudgetLimits, ModelParameters, PriceList, Prompt
from tools.llm.parameters import ModelName


def test_the_order_is_the_order_of_the_models():
    parameters = ModelParameters(models=("bedrock:us.anthropic.x-v1:0", "local:llama3:8b"))
    assert parameters.order() == (("bedrock", "us.anthropic.x-v1:0"), ("local", "llama3:8b"))
    assert [str(name) for name in parameters.order()] == list(parameters.models)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"models": ()}, "at least one model"),
        ({"models": ("local:a", "local:a")}, "each once"),
        ({"models": ("claude",)}, "provider:model"),
        ({"models": ("mistral:large",)}, "one of anthropic, openai, bedrock, local"),
        ({"models": ("openai: ",)}, "is not a model"),
        ({"max_output_tokens": 0}, "max_output_tokens must be between 1"),
        ({"request_seconds": float("nan")}, "request_seconds"),
        ({"request_seconds": 0.0}, "request_seconds"),
        ({"fallback_share": 1.0}, "fallback_share must be between 0 and 0.9"),
        ({"retries": -1}, "retries"),
        ({"temperature": 3.0}, "temperature"),
        ({"effort": "huge"}, "effort must be low, medium or high"),
        ({"max_answer_characters": 1}, "max_answer_characters"),
    ],
)
def test_a_parameter_that_cannot_be_meant_is_refused(changes: dict[str, Any], told: str):
    with pytest.raises(ValueError, match=told):
        ModelParameters(**changes)


def test_budget_limits_and_prices_are_checked():
    for changes in ({"usd_per_day": -1.0}, {"usd_per_day": float("inf")}, {"tokens_per_day": -1}):
        with pytest.raises(ValueError, match="must be 0 or more"):
            BudgetLimits(**changes)
    for pair in ((1.0,), (1.0, -2.0), (float("nan"), 1.0)):
        with pytest.raises(ValueError, match="the price of m must be two numbers"):
            PriceList(usd_per_million={"m": pair})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "model",
    [
        "claude-haiku-4-5",
        "claude-haiku-4-5-20251001",
        "anthropic.claude-haiku-4-5-20251001-v1:0",
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    ],
)
def test_dated_and_regional_names_have_the_price_of_the_plain_name(model: str):
    price = PriceList().of(ModelName("bedrock", model))
    assert price.of(1_000_000, 100_000) == Decimal("1.5")


def test_an_unknown_model_has_no_price_until_it_is_given_one():
    name = ModelName("openai", "gpt-6-sol-pro")  # not gpt-6-sol
    with pytest.raises(NotConfigured, match="the price of gpt-6-sol-pro is not known"):
        PriceList().of(name)
    prices = PriceList(usd_per_million={"gpt-6-sol-pro": (3.0, 30.0)})
    assert prices.of(name).of(1_000, 1_000) == Decimal("0.033")


def test_own_prices_go_before_published_ones_and_local_models_are_free():
    prices = PriceList(usd_per_million={"claude-haiku-4-5": (0.5, 2.5)})
    assert prices.of(ModelName("anthropic", "claude-haiku-4-5")).tokens_in == Decimal("0.5")
    assert prices.of(ModelName("local", "claude-haiku-4-5")).of(10**9, 10**9) == 0


def test_a_prompt_must_have_text_that_can_be_sent():
    with pytest.raises(ValueError, match="prompt p is empty"):
        Prompt(id="p", version=1, system="x", text=" ")
    with pytest.raises(ValueError, match="not Unicode"):
        Prompt(id="p", version=1, system="", text="\ud800")
