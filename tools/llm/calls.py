"""What is asked, what comes back, and the record that is kept of it.

An `LlmCall` is one question with everything that happened until it was answered or given up: an
`Attempt` for each request to a model, and for each model that was passed over. It is complete:
the answer can be read from it again, and nothing in it is secret. Times in it are for people; the
`key` that names it is made of what can change the answer, and of nothing else.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel

from tools.llm.budget import DailyBudget

T = TypeVar("T", bound=BaseModel)


class Outcome(StrEnum):
    """How an attempt, and a question, ended. All but ANSWER are failures."""

    ANSWER = "answer"
    TIMEOUT = "timeout"
    RATE_LIMIT = "rate_limit"
    REFUSAL = "refusal"
    SCHEMA = "schema"
    BUDGET = "budget"
    UNREACHABLE = "unreachable"
    CIRCUIT_OPEN = "circuit_open"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A rendered prompt: which template, in which version, and the text it became."""

    id: str
    version: int
    system: str
    text: str

    def __post_init__(self) -> None:
        """Refuse text that cannot be sent."""
        try:
            (self.system + self.text).encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"prompt {self.id} holds text that is not Unicode: {error}") from error
        if not self.text.strip():
            raise ValueError(f"prompt {self.id} is empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request to a model, or one model passed over (then without response and cost).

    `repair` is what the model was told about its previous answer, empty in a first request.
    `response` is the answer's text, verbatim up to the longest answer that is read;
    `response_characters` is its whole length. `cost_usd` and the tokens are the hold of the
    budget, not a bill, where `estimated`. Seconds: `started` since the question was asked.
    """

    provider: str
    model: str
    repair: str
    outcome: Outcome
    message: str
    response: str
    response_characters: int
    stop_reason: str
    answered_by: str
    tokens_in: int
    tokens_out: int
    cost_usd: Decimal
    estimated: bool
    started: float
    latency: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmCall:
    """One question, verbatim. `sequence` counts the questions with this `key` within a run.

    `parameters` is the canonical JSON of what was sent beside the prompt; `message` says why there
    is no answer; `latency` is the seconds from question to outcome.
    """

    key: str
    sequence: int
    prompt: Prompt
    schema_name: str
    schema_hash: str
    parameters: str
    outcome: Outcome
    message: str
    asked_at: datetime
    latency: float
    attempts: tuple[Attempt, ...]

    @property
    def cost_usd(self) -> Decimal:
        """What all attempts cost."""
        return sum((attempt.cost_usd for attempt in self.attempts), Decimal(0))

    @property
    def tokens_in(self) -> int:
        """Tokens of all requests."""
        return sum(attempt.tokens_in for attempt in self.attempts)

    @property
    def tokens_out(self) -> int:
        """Tokens of all answers."""
        return sum(attempt.tokens_out for attempt in self.attempts)

    @property
    def model(self) -> str:
        """The model that answered, or was tried last, as `provider:model`; empty for none."""
        return f"{self.attempts[-1].provider}:{self.attempts[-1].model}" if self.attempts else ""

    @property
    def repaired(self) -> bool:
        """Whether a model was shown its error."""
        return any(attempt.repair for attempt in self.attempts)

    def in_words(self) -> str:
        """How messages name a call."""
        return f"{self.prompt.id}.v{self.prompt.version} for {self.schema_name} ({self.key[:12]})"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCall:
    """A call as a ledger keeps it: whole, with who asked, as of when, and about which symbol.

    `as_of` is the moment of the market that was asked about; `call.asked_at` is the wall clock of
    the call itself. In a replay both are those of the recording.
    """

    as_of: datetime
    machine: str
    about: str
    call: LlmCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[T]):
    """A valid answer, and how it came about."""

    value: T
    call: LlmCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """No answer: why, in one word and in one sentence, and what was tried."""

    kind: Outcome
    message: str
    call: LlmCall


class LanguageModel(Protocol):
    """Whoever answers questions: models, models with a recorder, or a recording."""

    def ask(
        self, prompt: Prompt, schema: type[T], deadline: float, budget: DailyBudget
    ) -> Answer[T] | Failure:
        """Answer a prompt with an instance of `schema`, or say why not, within `deadline` seconds.

        Never raises for what a model or a network does.
        """
        ...
