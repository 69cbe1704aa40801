"""The course of a run whose minutes do not wait: what became of every question, and when.

What a model said is in its recording. Where analyses run beside the loop, when it was said decides
as much: an answer counts from the minute in which it came, or has come too late. So a recording at
a pace also keeps, for every question, in which minute it was *settled* (and if there was no answer,
in whose words) and in which minute its records *came* into the ledger, which is later where it had
been given up. A replay takes both from here, and no clock: the same bytes at any speed.

Lines are written before the cycle they belong to is committed. A process may die in between, so
each one begins with the minute from which it goes on: what earlier lines say of that minute and
later was never committed, and is void.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from quant_core.calendar import new_york
from tools.errors import BadInput
from tools.llm.recordings import RecordingsFile


@dataclass(frozen=True, slots=True)
class Question:
    """What a machine was asked: as of when, and about which symbol (empty: the market)."""

    machine: str
    as_of: datetime
    about: str = ""

    def in_words(self) -> str:
        """How messages name a question."""
        return f"{self.machine} of {new_york(self.as_of)} {self.about}".strip()


class Began(msgspec.Struct, frozen=True, kw_only=True, tag="began"):
    """A process goes on with a run from this minute (since the epoch)."""

    run: str
    minute: int


class Settled(msgspec.Struct, frozen=True, kw_only=True, tag="settled"):
    """The cycle of `minute` put a question's outcome on record.

    Without an answer it is what `who` said was the `reason`. `at_the_end`: the session was over.
    """

    question: Question
    minute: int
    failed: bool
    who: str = ""
    reason: str = ""
    at_the_end: bool = False


class Came(msgspec.Struct, frozen=True, kw_only=True, tag="came"):
    """The cycle of `minute` took what had led to an answer: calls, findings, news."""

    question: Question
    minute: int


Line = Began | Settled | Came


def written(line: Line) -> str:
    """A line as a recording keeps it."""
    return msgspec.json.encode(line).decode()


@dataclass(frozen=True, slots=True)
class Course:
    """What a recording says that is not void, in the order in which it happened."""

    settled: dict[Question, Settled] = field(default_factory=dict)
    came: dict[Question, Came] = field(default_factory=dict)
    minutes: frozenset[int] = frozenset()

    def outcome(self, question: Question) -> Settled:
        """What became of a question; BadInput when the recorded run never got so far."""
        try:
            return self.settled[question]
        except KeyError:
            raise BadInput(
                f"the recording does not say what became of {question.in_words()}: the run that "
                "made it asked something else, or was not finished; finish it with --resume"
            ) from None


def course_of(recordings: RecordingsFile) -> Course | None:
    """The course that a recording has; None where every answer was waited for."""
    lines: list[Settled | Came] = []
    began = False
    for line in _read(recordings):
        if isinstance(line, Began):
            began = True
            lines = [one for one in lines if one.minute < line.minute]
        else:
            lines.append(line)
    if not began:
        return None
    return Course(
        settled={one.question: one for one in lines if isinstance(one, Settled)},
        came={one.question: one for one in lines if isinstance(one, Came)},
        minutes=frozenset(one.minute for one in lines),
    )


def begin_course(recordings: RecordingsFile, run: str, minute: int) -> None:
    """Go on with a run's course; BadInput when the recording is that of another run."""
    began = {line.run for line in _read(recordings) if isinstance(line, Began)}
    if began - {run}:
        raise BadInput(
            f"this recording is that of run {min(began)}, at a pace, and this is run {run}: what "
            "came when cannot be told apart in one file; name another with --recordings"
        )
    if not began and not recordings.is_empty():
        raise BadInput(
            "this recording was made without --pace, where every answer was waited for; name "
            "another file with --recordings"
        )
    recordings.note([written(Began(run=run, minute=minute))])


def _read(recordings: RecordingsFile) -> Iterator[Line]:
    decoder = msgspec.json.Decoder(Line)
    for content in recordings.course():
        try:
            yield decoder.decode(content)
        except msgspec.MsgspecError as error:
            raise BadInput(f"the course of the recording cannot be read: {error}") from error
