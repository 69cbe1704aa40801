"""What a model must answer, and what is nonsense rather than out of bounds.

Two lines of defence. These schemas refuse nonsense (a number that is not finite or beyond ±1000, a
text of a megabyte, a field too many), which is a failure of type `schema`. What is well-formed but
out of bounds, a multiplier of 3 or an id that was never given, passes here and is corrected and
recorded by `graph.bounds`. The limits are validators rather than JSON-schema keywords, which the
providers do not share; every field is required and no object has free keys.
"""

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

LARGEST = 1_000.0
LONGEST_TEXT = 20_000
LONGEST_LINE = 2_000
MOST_ITEMS = 200


def _plausible(value: float) -> float:
    if not math.isfinite(value) or abs(value) > LARGEST:
        raise ValueError(f"must be a finite number between -{LARGEST:g} and {LARGEST:g}")
    return value


def _text_within(limit: int) -> AfterValidator:
    def check(value: str) -> str:
        if len(value) > limit:
            raise ValueError(f"has {len(value)} characters; at most {limit} are allowed")
        return value

    return AfterValidator(check)


def _few(values: list[object]) -> list[object]:
    if len(values) > MOST_ITEMS:
        raise ValueError(f"has {len(values)} items; at most {MOST_ITEMS} are allowed")
    return values


Number = Annotated[float, AfterValidator(_plausible)]
Text = Annotated[str, _text_within(LONGEST_TEXT)]
Line = Annotated[str, _text_within(LONGEST_LINE)]
Evidence = Annotated[
    list[Line],
    AfterValidator(_few),
    Field(description="Ids of the facts and items relied on, exactly as given"),
]
Bias = Literal["bullish", "bearish", "choppy"]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Opportunity(_Answer):
    """A symbol worth watching."""

    symbol: Line = Field(description="A symbol of the watchlist, as given")
    comment: Line = Field(description="Why, in one short sentence")


class MarketAnswer(_Answer):
    """The answer to `market_analysis`."""

    assessment: Text = Field(description="The market now, in one or two sentences")
    reasoning: Text = Field(description="Why these multipliers, in at most four sentences")
    opportunities: Annotated[list[Opportunity], AfterValidator(_few)] = Field(
        description="At most five symbols; an empty list is fine"
    )
    mr_arm: Number = Field(description="Mean reversion, arming; in the stated range, > 1 harder")
    mr_trigger: Number = Field(description="Mean reversion, entering; in the stated range")
    tc_arm: Number = Field(description="Trend continuation, arming; > 1 harder")
    tc_trigger: Number = Field(description="Trend continuation, entering; in the stated range")
    confidence: Number = Field(description="From 0 to 100")
    evidence: Evidence


class ValidationAnswer(_Answer):
    """The answer to `trade_validation`."""

    reasoning: Text = Field(description="Why, in at most four sentences")
    ruling: Literal["approve", "reduce", "veto", "abstain"]
    size_factor: Number = Field(description="1.0, or below 1.0 with the ruling reduce")
    confidence: Number = Field(description="From 0 to 100")
    evidence: Evidence


class SymbolBias(_Answer):
    """What kind of day one symbol will have."""

    symbol: Line = Field(description="A symbol of the watchlist, as given")
    bias: Bias
    confidence: Number = Field(description="From 0 to 100")
    reasoning: Line = Field(description="Why, in one or two sentences")
    news_summary: Line = Field(description="What the news means for it, in one or two sentences")
    evidence: Evidence


class BiasAnswer(_Answer):
    """The answer to `premarket_bias`."""

    biases: Annotated[list[SymbolBias], AfterValidator(_few)] = Field(
        description="One entry for every symbol of the watchlist"
    )


class ContextAnswer(_Answer):
    """The answer to `market_context`."""

    bias: Bias
    volatility: Literal["low", "normal", "high"]
    confidence: Number = Field(description="From 0 to 100")
    summary: Text = Field(description="What the trader reads, in a few sentences")
    evidence: Evidence
