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


class ChatLookup(_Answer):
    """One thing to look up in the ledger."""

    tool: Literal[
        "trades", "signals", "skipped", "analyses", "account", "positions", "biases", "lanes",
        "search",
    ] = Field(description="Where to look; search finds documents by meaning")  # fmt: skip
    symbols: Evidence = Field(description="Symbols of the watchlist; empty for all of them")
    when: Line = Field(
        description="The dates and times in the words of the question, such as: last 5 days, "
        "January 8th at 11:20; empty for everything. Never a date that you worked out"
    )
    lane: Line = Field(description="advised, baseline or placebo; empty for the main one")
    measure: Line = Field(description="A measure listed for the tool; empty for the records")
    by: Literal["", "day", "symbol", "setup", "side", "exit_reason", "blocked_by", "ruling"]
    pick: Literal["", "best", "worst"] = Field(description="The greatest or least of the measure")
    setup: Literal["", "MR", "TC"]
    side: Literal["", "long", "short"]
    outcome: Literal["", "won", "lost"]
    exit_reason: Line = Field(description="stop, trailing_stop, target, end_of_day, …; or empty")
    ruling: Literal["", "approve", "reduce", "veto", "abstain"]
    blocked_by: Line = Field(description="A risk check by name; or empty")
    reason: bool = Field(description="Whether reasons are asked for as well as records")


class ChatPlan(_Answer):
    """The answer to `chat_plan`."""

    refuse: Literal["", "out_of_scope", "future", "advice", "act"] = Field(
        description="Why the question cannot be answered from the ledger; empty when it can"
    )
    lookups: Annotated[list[ChatLookup], AfterValidator(_few)] = Field(
        description="At most three; empty when refused"
    )


class ChatDerivation(_Answer):
    """A number made of the rows shown, which code makes again."""

    operation: Literal["sum", "count", "mean", "difference"]
    field: Line = Field(description="The value's name, such as pnl; empty for a count")
    rows: Evidence = Field(description="Ids of the rows it is made of; two for a difference")


class ChatSentence(_Answer):
    """One sentence, and the rows in which everything it says stands."""

    text: Text
    rows: Evidence = Field(description="Ids of the rows it rests on, exactly as given")
    derivations: Annotated[list[ChatDerivation], AfterValidator(_few)]


class ChatAnswer(_Answer):
    """The answer to `chat_answer`."""

    sentences: Annotated[list[ChatSentence], AfterValidator(_few)] = Field(
        description="The answer, sentence by sentence; empty when the rows do not answer"
    )
