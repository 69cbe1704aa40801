"""The port behind `POST /api/chat`: who answers questions, and what an answer must keep.

An implementation only reads, answers from what was known at `as_of`, and has checked every number,
date and symbol of its answer against the rows it cites before it gives the answer out. Nothing
leads from here to an order or a setting.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from advisor.api.schemas import ChatEvent, ChatTurn


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question with what it is asked of: the run, the lane and the moment are settled."""

    text: str
    run: str
    lane: str
    as_of: datetime
    conversation: str | None
    history: Sequence[ChatTurn]


class Chat(Protocol):
    """Answers questions about a ledger."""

    def ask(self, question: Question) -> Generator[ChatEvent, None, None]:
        """Any number of `step` and `text` events, then one `answer` (a refusal is an answer).

        Called in a worker thread, possibly several at once. Raises ProblemError for what cannot be
        asked, and what `tools.errors` has for a model or a ledger that cannot be reached; closing
        the generator abandons the question.
        """
        ...
