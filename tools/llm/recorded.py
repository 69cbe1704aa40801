"""Recording what models answer, and answering from a recording instead of a model.

A replay asks nobody and needs no key, no client and no network. It gives, question by question,
what was given then: answers read again from their text, failures as they were. The n-th question
with a key gets the n-th recording with that key, so asking the same twice is replayed in order.

A run that died is gone on with by recording into the same file: questions whose answers were kept
but never committed are answered from the file, so that what the ledger says and what a replay
says stay the same. `asked` (the keys of the calls that the ledger has) tells where to go on.
"""

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from pydantic import BaseModel

from tools.errors import BadInput
from tools.llm.answers import Problem, read_answer
from tools.llm.budget import DailyBudget
from tools.llm.calls import Answer, Failure, LanguageModel, LlmCall, Outcome, Prompt
from tools.llm.identity import identify
from tools.llm.parameters import ModelParameters
from tools.llm.recordings import Recordings

T = TypeVar("T", bound=BaseModel)


class MissingRecording(BadInput):
    """A replay asked what was never recorded: it is another run. Reaction: stop the replay."""


class _Sequences:
    """How often each key has been asked in this run."""

    def __init__(self, asked: Iterable[str]) -> None:
        self._counts = Counter(asked)
        self._lock = threading.Lock()

    def next(self, key: str) -> int:
        with self._lock:
            self._counts[key] += 1
            return self._counts[key] - 1


class ReplayModel:
    """A recording that answers."""

    def __init__(
        self, parameters: ModelParameters, recordings: Recordings, asked: Iterable[str] = ()
    ) -> None:
        """`parameters` must be those of the recorded run, as far as they change an answer."""
        self._parameters, self._recordings = parameters, recordings
        self._sequences = _Sequences(asked)

    def ask(
        self,
        prompt: Prompt,
        schema: type[T],
        deadline: float,  # noqa: ARG002  a recording is in time and costs nothing
        budget: DailyBudget,  # noqa: ARG002
    ) -> Answer[T] | Failure:
        """What was answered then, at once and for free; MissingRecording names the question."""
        key = identify(self._parameters, prompt, schema).key
        sequence = self._sequences.next(key)
        call = self._recordings.find(key, sequence)
        if call is None:
            raise MissingRecording(
                f"there is no recording of {prompt.id}.v{prompt.version} for {schema.__name__} "
                f"(key {key[:12]}, number {sequence}); the prompt, the schema, the models or "
                f"what they are told differ from the recorded run. It begins: {prompt.text[:200]}"
            )
        return _given_then(call, schema, self._parameters)


class RecordingModel:
    """A model whose every call is kept before its answer is given."""

    def __init__(
        self,
        model: LanguageModel,
        parameters: ModelParameters,
        recordings: Recordings,
        asked: Iterable[str] = (),
    ) -> None:
        """`parameters` are the model's own; `asked` the keys that the run has committed."""
        self._model, self._parameters = model, parameters
        self._recordings = recordings
        self._sequences = _Sequences(asked)

    def ask(
        self, prompt: Prompt, schema: type[T], deadline: float, budget: DailyBudget
    ) -> Answer[T] | Failure:
        """What the model answers, or answered before this run died; raises what `keep` raises."""
        key = identify(self._parameters, prompt, schema).key
        sequence = self._sequences.next(key)
        if kept := self._recordings.find(key, sequence):
            return _given_then(kept, schema, self._parameters)
        found = self._model.ask(prompt, schema, deadline, budget)
        call = replace(found.call, sequence=sequence)
        self._recordings.keep(call)
        return replace(found, call=call)


def _given_then(call: LlmCall, schema: type[T], parameters: ModelParameters) -> Answer[T] | Failure:
    """The outcome of a recorded call."""
    if call.outcome is not Outcome.ANSWER:
        return Failure(kind=call.outcome, message=call.message, call=call)
    text = call.attempts[-1].response
    value = read_answer(text, schema, parameters.max_answer_characters)
    if isinstance(value, Problem):
        raise BadInput(
            f"the recorded answer of {call.in_words()} is not valid any more: {value.message}; "
            "the schema's own checks have changed, record the run again"
        )
    return Answer(value=value, call=call)
