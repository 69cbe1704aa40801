"""What a token costs, so that a day's spending can be bounded before it happens.

A model without a price is refused when the models are set up: an unknown price must not count as
nothing. Local models cost nothing. The list holds list prices for prompts of ordinary length; no
discount (cache, batch) is assumed, so the cost of a call is never underestimated by it.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from tools.errors import NotConfigured
from tools.llm.parameters import ModelName

# USD per million tokens (input, output), as published in November 2026.
PUBLISHED: Mapping[str, tuple[float, float]] = {
    "claude-fable-5-1": (10.0, 50.0),
    "claude-opus-5-5": (4.0, 20.0),
    "claude-opus-5": (5.0, 25.0),
    "claude-sonnet-5-5": (2.0, 10.0),
    "claude-sonnet-5": (2.0, 10.0),
    "claude-haiku-4-5": (1.0, 5.0),
    "gpt-6.1-sol": (2.0, 10.0),
    "gpt-6-astra": (10.0, 50.0),
    "gpt-6-sol": (2.0, 10.0),
    "gpt-6-luna": (0.1, 0.5),
}
_DATED = r"(-\d{8}|-\d{4}-\d{2}-\d{2})?"
_BEDROCK = r"(-v\d+(:\d+)?)?"
MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens."""

    tokens_in: Decimal
    tokens_out: Decimal

    def of(self, tokens_in: int, tokens_out: int) -> Decimal:
        """What so many tokens cost, in USD."""
        return (self.tokens_in * tokens_in + self.tokens_out * tokens_out) / MILLION


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """`usd_per_million` = {model: (input, output)}; it goes before the published prices.

    Dated names (`…-20251001`) and Bedrock's (`us.anthropic.…-v1:0`) cost what the plain name does.
    """

    usd_per_million: dict[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse prices that are not prices."""
        for model, pair in self.usd_per_million.items():
            if len(pair) != 2 or not all(math.isfinite(usd) and usd >= 0 for usd in pair):
                raise ValueError(
                    f"the price of {model} must be two numbers, USD per million tokens of input "
                    f"and of output, not {pair!r}"
                )

    def of(self, name: ModelName) -> Price:
        """The price of a model; NotConfigured when it is not known."""
        if name.provider == "local":
            return Price(Decimal(0), Decimal(0))
        for prices in (self.usd_per_million, PUBLISHED):
            if name.model in prices:
                return _price(prices[name.model])
            for model, pair in prices.items():
                if re.fullmatch(rf"([a-z-]+\.)*{re.escape(model)}{_DATED}{_BEDROCK}", name.model):
                    return _price(pair)
        raise NotConfigured(
            f"the price of {name.model} is not known, so no budget can hold it: set its USD per "
            "million tokens of input and output in usd_per_million"
        )


def _price(pair: tuple[float, float]) -> Price:
    return Price(Decimal(str(pair[0])), Decimal(str(pair[1])))
