"""One question in progress: its turns, its deadline, and what has been tried so far.

Invariants: at most one repair for a question; no request begins without a hold on the budget, and
none after the deadline; whatever happens to a request, its hold is settled, its breaker is told
and its attempt is recorded before the next step.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Generic, TypeVar

from pydantic import BaseModel

from tools.clock import Clock
from tools.errors import Transient
from tools.llm.answers import Problem, read_answer
from tools.llm.breaker import CircuitBreaker
from tools.llm.budget import DailyBudget, Hold
from tools.llm.calls import Attempt, Outcome, Prompt
from tools.llm.identity import REPAIR, SHOWN_OF_ANSWER
from tools.llm.parameters import ModelName, ModelParameters
from tools.llm.prices import Price
from tools.llm.providers import Client, Reply, Turn
from tools.llm.schemas import WireSchema
from tools.llm.spending import Spent
from tools.llm.troubles import MESSAGE_CHARACTERS, Trouble, understand
from tools.llm.worker import call_within

T = TypeVar("T", bound=BaseModel)
# What a provider adds to a prompt for itself: the framing of turns, the words about the schema.
OVERHEAD_TOKENS = 2_000
_PROVIDERS_FAULT = {Outcome.TIMEOUT, Outcome.RATE_LIMIT, Outcome.UNREACHABLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One model in the order, with what it shares with the others of its provider."""

    name: ModelName
    client: Client
    price: Price
    breaker: CircuitBreaker
    places: threading.Semaphore
    is_last: bool


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of an attempt and their price; an upper bound of both where `estimated`."""

    tokens_in: int = 0
    tokens_out: int = 0
    usd: Decimal = Decimal(0)
    estimated: bool = False

    def spent(self) -> Spent:
        """As the budget counts it."""
        return Spent(self.usd, self.tokens_in + self.tokens_out)


@dataclass(slots=True, kw_only=True)
class Asking(Generic[T]):
    """The state of one question; `began` and `end` are readings of the clock."""

    parameters: ModelParameters
    prompt: Prompt
    schema: type[T]
    wire: WireSchema
    budget: DailyBudget
    clock: Clock
    jitter: Callable[[], float]
    began: float
    end: float
    attempts: list[Attempt] = field(default_factory=list)
    repaired: bool = False

    def try_line(self, line: Line) -> T | Trouble:
        """One model's answer, with its retries and the question's repair."""
        first: list[Turn] = [("system", self.prompt.system), ("human", self.prompt.text)]
        turns = first if self.prompt.system else first[1:]
        asked, repair, retries = turns, "", 0
        while True:
            found = self._attempt(line, turns, repair)
            if not isinstance(found, Trouble):
                return found
            if found.repairable and not self.repaired:
                self.repaired = True
                repair = REPAIR.format(problem=found.message)
                shown = self.attempts[-1].response[:SHOWN_OF_ANSWER].strip()
                turns = [*asked, ("ai", shown or "(nothing)"), ("human", repair)]
            elif found.passing and retries < self.parameters.retries:
                if not self._pause(line, retries, found.retry_after):
                    return found
                retries += 1
            else:
                return found

    def _attempt(self, line: Line, turns: list[Turn], repair: str) -> T | Trouble:
        """One request, paid and recorded; or a trouble that keeps it from being made."""
        started = self.clock.monotonic()
        seconds = min(self._time_for(line), self.parameters.request_seconds)
        if seconds <= 0:
            late = Trouble(kind=Outcome.TIMEOUT, message="the deadline has passed")
            return self._record(line, repair, started, late, None, Usage())
        most = self._most(line, turns)
        hold = self._hold(most)
        if isinstance(hold, Trouble):
            return self._record(line, repair, started, hold, None, Usage())
        entry = line.breaker.enter()
        if entry is None:
            hold.settle(Spent())
            told = f"{line.name.provider} has failed too often and is left alone for a while"
            closed = Trouble(kind=Outcome.CIRCUIT_OPEN, message=told)
            return self._record(line, repair, started, closed, None, Usage())
        reply, found = self._request(line, turns, seconds)
        usage = _usage(line.price, reply, found, most)
        hold.settle(usage.spent())
        failed = isinstance(found, Trouble) and found.kind in _PROVIDERS_FAULT
        line.breaker.leave(entry, failed=failed)
        return self._record(line, repair, started, found, reply, usage)

    def _hold(self, most: Usage) -> Hold | Trouble:
        """The most that a request can use, set aside; or why it must not be made."""
        try:
            if hold := self.budget.hold(most.spent()):
                return hold
            needed = f"{most.usd:.4f} USD and {most.tokens_in + most.tokens_out} tokens"
            told = f"up to {needed} are needed; {self.budget.left_in_words()}"
        except Transient as error:
            told = str(error)
        return Trouble(kind=Outcome.BUDGET, message=told)

    def _request(
        self, line: Line, turns: list[Turn], seconds: float
    ) -> tuple[Reply | None, T | Trouble]:
        """The reply, if there was one, and what it is worth."""
        try:
            reply = call_within(
                seconds, lambda: line.client.send(turns, self.wire, seconds), line.places
            )
        except Exception as error:
            return None, understand(error)
        if reply.stop == "refusal":
            told = f"the model refused ({reply.stop_reason}): {reply.text}"[:MESSAGE_CHARACTERS]
            return reply, Trouble(kind=Outcome.REFUSAL, message=told)
        if reply.stop == "truncated":
            told = f"the answer was cut off ({reply.stop_reason}); it must be shorter"
            return reply, Trouble(kind=Outcome.SCHEMA, message=told, repairable=True)
        value = read_answer(reply.text, self.schema, self.parameters.max_answer_characters)
        if isinstance(value, Problem):
            return reply, Trouble(kind=Outcome.SCHEMA, message=value.message, repairable=True)
        return reply, value

    def _record(
        self,
        line: Line,
        repair: str,
        started: float,
        found: T | Trouble,
        reply: Reply | None,
        usage: Usage,
    ) -> T | Trouble:
        """Keep what an attempt came to, and pass it on."""
        text = reply.text if reply else ""
        attempt = Attempt(
            provider=line.name.provider,
            model=line.name.model,
            repair=repair,
            outcome=found.kind if isinstance(found, Trouble) else Outcome.ANSWER,
            message=found.message if isinstance(found, Trouble) else "",
            response=text[: self.parameters.max_answer_characters],
            response_characters=len(text),
            stop_reason=reply.stop_reason if reply else "",
            answered_by=reply.answered_by if reply else "",
            tokens_in=usage.tokens_in,
            tokens_out=usage.tokens_out,
            cost_usd=usage.usd,
            estimated=usage.estimated,
            started=round(started - self.began, 3),
            latency=round(self.clock.monotonic() - started, 3),
        )
        self.attempts.append(attempt)
        return found

    def _time_for(self, line: Line) -> float:
        """Seconds that a model may still use, with a share left for those behind it."""
        left = self.end - self.clock.monotonic()
        return left if line.is_last else left * (1.0 - self.parameters.fallback_share)

    def _pause(self, line: Line, retries: int, retry_after: float) -> bool:
        """Wait before another try; False, at once, when there is no time for the wait."""
        rules = self.parameters
        pause = min(rules.backoff_seconds * 2.0**retries, rules.backoff_cap_seconds)
        pause = max(pause * (0.5 + 0.5 * self.jitter()), retry_after)
        if pause >= self._time_for(line):
            return False
        self.clock.sleep(pause)
        return True

    def _most(self, line: Line, turns: list[Turn]) -> Usage:
        """The most that a request can use: a token holds at least one byte."""
        sent = sum(len(text.encode()) for _, text in turns) + len(str(self.wire.json).encode())
        tokens_in, tokens_out = sent + OVERHEAD_TOKENS, self.parameters.max_output_tokens
        return Usage(tokens_in, tokens_out, line.price.of(tokens_in, tokens_out), estimated=True)


def _usage(price: Price, reply: Reply | None, found: object, most: Usage) -> Usage:
    """What an attempt used: as told, the upper bound where that is not known, or nothing."""
    if reply is None:
        billable = isinstance(found, Trouble) and found.billable
        return most if billable else Usage()
    if not reply.tokens_in or reply.tokens_out is None or (reply.text and not reply.tokens_out):
        return most  # a server that does not count, or counts nothing
    return Usage(reply.tokens_in, reply.tokens_out, price.of(reply.tokens_in, reply.tokens_out))
