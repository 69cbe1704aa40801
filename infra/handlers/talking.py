"""What a chat lacks in a process that may go at any time, has siblings, and must answer in time.

Conversations stand in the bucket, so that a follow-up is understood by whichever container gets it.
A model is asked for as long as the call can wait; then it has failed, as any that is late, and the
answer is worded by code.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec
from pydantic import BaseModel

from advisor.api.conversations import new_name
from advisor.live.clock import LiveClock
from graph.requests import Topic
from infra.handlers.invocation import log
from tools.aws.objects import Objects
from tools.errors import AdvisorError
from tools.llm import Answer, DailyBudget, Failure, LanguageModel, Prompt

T = TypeVar("T", bound=BaseModel)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation in the bucket."""

    run: str
    topic: Topic
    until: datetime


class ConversationsInBucket:
    """Topics by the names of conversations, each for so long after its last question.

    One that cannot be read is one that was forgotten: the question stands for itself, or the
    caller's own history does. Old ones are taken away by the bucket's lifecycle.
    """

    def __init__(self, bucket: Objects, minutes: float, clock: LiveClock) -> None:
        """Over a place of their own."""
        self._bucket, self._clock = bucket, clock
        self._length = timedelta(minutes=minutes)

    def topic(self, name: str | None, run: str) -> Topic | None:
        """What a conversation about a run is about; None when it is not known (any more)."""
        kept = self._find(name)
        return kept.topic if kept is not None and kept.run == run else None

    def keep(self, name: str | None, run: str, topic: Topic) -> str:
        """Go on with a conversation, under its name, or under a new one if it is not known."""
        if name is None or self._find(name) is None:
            name = new_name()
        kept = Kept(run=run, topic=topic, until=self._now() + self._length)
        try:
            self._bucket.put(name, msgspec.json.encode(kept), "application/json")
        except AdvisorError as error:
            log.warning("a conversation is not kept: %s", error)
        return name

    def _find(self, name: str | None) -> Kept | None:
        try:
            found = self._bucket.find(name) if name else None
            kept = msgspec.json.decode(found.body, type=Kept) if found is not None else None
        except (AdvisorError, msgspec.MsgspecError) as error:
            log.warning("a conversation cannot be read: %s", error)
            return None
        return kept if kept is not None and kept.until > self._now() else None

    def _now(self) -> datetime:
        return self._clock.now().astimezone(UTC)


class InTime:
    """A model that is not waited for longer than `left` says, whatever the deadline."""

    def __init__(self, model: LanguageModel, left: Callable[[], float]) -> None:
        """`left`: the seconds that there still are."""
        self._model, self._left = model, left

    def ask(
        self, prompt: Prompt, schema: type[T], deadline: float, budget: DailyBudget
    ) -> Answer[T] | Failure:
        """As the model does, within the time that is left."""
        return self._model.ask(prompt, schema, min(deadline, max(self._left(), 0.0)), budget)
