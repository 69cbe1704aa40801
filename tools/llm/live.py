"""Asking models: the first that answers validly within the deadline, or a failure that says why.

The models are asked in order. One that is unreachable, late, rate-limited, closed off or too dear
gives way to the next; one that refuses or cannot keep to the schema ends the question, because
another model is not asked until one obliges. An invalid answer is shown to its model once, with
what is wrong with it; passing troubles are tried again, with growing pauses, while the deadline
allows. Every request is paid from a hold on the day's budget, and every step is in the record.
"""

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel

from tools.clock import Clock, SystemClock
from tools.llm.asking import Asking, Line
from tools.llm.breaker import CircuitBreaker
from tools.llm.budget import DailyBudget
from tools.llm.calls import Answer, Failure, LlmCall, Outcome, Prompt
from tools.llm.identity import identify
from tools.llm.parameters import ModelName, ModelParameters
from tools.llm.prices import PriceList
from tools.llm.providers import Client, connect
from tools.llm.troubles import Trouble

T = TypeVar("T", bound=BaseModel)
_FINAL = {Outcome.REFUSAL, Outcome.SCHEMA}
MOST_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class _Provider:
    breaker: CircuitBreaker
    places: threading.Semaphore


class LiveModel:
    """Models over the network. Safe to share between threads."""

    def __init__(
        self,
        parameters: ModelParameters,
        prices: PriceList,
        *,
        clock: Clock | None = None,
        jitter: Callable[[], float] = random.random,
        clients: Mapping[ModelName, Client] | None = None,
    ) -> None:
        """Set up the models in order; NotConfigured names a missing package, key or price.

        `jitter` gives numbers in [0, 1); `clients` replaces the vendors' clients.
        """
        self._parameters = parameters
        self._clock = clock or SystemClock()
        self._jitter = jitter
        order = parameters.order()
        providers = {name.provider: self._provider() for name in order}
        self._lines = tuple(
            Line(
                name=name,
                client=clients[name] if clients else connect(name, parameters),
                price=prices.of(name),
                breaker=providers[name.provider].breaker,
                places=providers[name.provider].places,
                is_last=name == order[-1],
            )
            for name in order
        )

    def _provider(self) -> _Provider:
        rules = self._parameters
        breaker = CircuitBreaker(
            rules.breaker_failures,
            rules.breaker_window_seconds,
            rules.breaker_pause_seconds,
            self._clock.monotonic,
        )
        return _Provider(breaker, threading.BoundedSemaphore(rules.concurrent_calls))

    def prepare(self) -> None:
        """Import and build the clients now, a second or two that the first question is spared.

        NotConfigured when a client objects to what it is told.
        """
        for line in self._lines:
            line.client.prepare()

    def ask(
        self, prompt: Prompt, schema: type[T], deadline: float, budget: DailyBudget
    ) -> Answer[T] | Failure:
        """Answer a prompt with an instance of `schema`, or say why not, within `deadline` seconds.

        TypeError when the schema cannot be sent to a model: that is a mistake in the program.
        """
        identity = identify(self._parameters, prompt, schema)
        asked_at, began = self._clock.now(), self._clock.monotonic()
        asking = Asking(
            parameters=self._parameters,
            prompt=prompt,
            schema=schema,
            wire=identity.schema,
            budget=budget,
            clock=self._clock,
            jitter=self._jitter,
            began=began,
            end=began + min(max(0.0, deadline), MOST_SECONDS),
        )
        found = self._first_answer(asking)
        call = LlmCall(
            key=identity.key,
            sequence=0,
            prompt=prompt,
            schema_name=identity.schema.name,
            schema_hash=identity.schema.hash,
            parameters=identity.parameters,
            outcome=found.kind if isinstance(found, Trouble) else Outcome.ANSWER,
            message=found.message if isinstance(found, Trouble) else "",
            asked_at=asked_at,
            latency=round(self._clock.monotonic() - began, 3),
            attempts=tuple(asking.attempts),
        )
        if isinstance(found, Trouble):
            return Failure(kind=call.outcome, message=call.message, call=call)
        return Answer(value=found, call=call)

    def _first_answer(self, asking: Asking[T]) -> T | Trouble:
        """The answer of the first model that has one; else the trouble of the preferred model."""
        limit = self._parameters.max_prompt_characters
        length = len(asking.prompt.system) + len(asking.prompt.text)
        if length > limit:
            return Trouble(
                kind=Outcome.REJECTED,
                message=f"the prompt has {length} characters; at most {limit} are sent",
            )
        troubles: list[Trouble] = []
        for line in self._lines:
            found = asking.try_line(line)
            if not isinstance(found, Trouble):
                return found
            if found.kind in _FINAL:
                return found
            troubles.append(found)
        told = "; ".join(
            f"{line.name}: {trouble.message}"
            for line, trouble in zip(self._lines, troubles, strict=True)
        )
        return Trouble(kind=troubles[0].kind, message=told)
