"""What advisers leave behind for the ledger: calls, findings, and the news they were shown.

Advisers give an opinion and change nothing; what led to it waits here, by its question, until a
cycle takes it along in its transaction. Any thread may add, the loop settles and takes. Which
cycle takes what is the one thing that differs: everything (`Kept`), what has been settled by then
and says so in the recording (`KeptBeside`), or what the recording says (`KeptAsRecorded`).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from threading import Lock
from typing import Any

import msgspec

from advisor.course import Came, Course, Line, Question, Settled, begin_course, written
from graph.opinions import Opinion, records_of
from quant_core.types import Analysis, AnswerFinding, Headline, Status, Verdict
from tools.errors import BadInput
from tools.llm.calls import KeptCall
from tools.llm.recordings import RecordingsFile
from tools.ports import LedgerRecord, NewsReader


class Kept:
    """Records that wait for their transaction, in the order in which they came."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        """With nothing yet; `known` are the ids of news that the run's ledger has already."""
        self._waiting: dict[Question, list[LedgerRecord]] = {}
        self._known = set(known)
        self._lock = Lock()

    def opinion(self, opinion: Opinion[Any], shown: Sequence[Headline] = ()) -> None:
        """Keep what led to an opinion, with the news that was shown to a model for it."""
        question = Question(opinion.machine, opinion.as_of, opinion.about)
        news = shown if opinion.calls else ()
        with self._lock:
            self._waiting.setdefault(question, []).extend([*news, *records_of(opinion)])

    def brought(self, question: Question, records: Sequence[LedgerRecord]) -> None:
        """Keep what led to an opinion that another process was asked for."""
        with self._lock:
            self._waiting.setdefault(question, []).extend(records)

    def at_once(self, opinion: Opinion[Any], read: Sequence[Headline]) -> list[LedgerRecord]:
        """What a ledger keeps of an opinion that is committed on the spot, and of what was read."""
        return self._news_once([*read, *records_of(opinion)])

    def begin(self, run: str, minute: int) -> None:
        """A run goes on from this minute (since the epoch)."""

    def settled(
        self, question: Question, minute: int, given: Analysis | Verdict, at_the_end: bool = False
    ) -> None:
        """The cycle of a minute puts this outcome of a question on record."""

    def take(self, minute: int) -> list[LedgerRecord]:  # noqa: ARG002  all of it, whenever asked
        """What the cycle that begins at this minute commits; it waits no longer."""
        return self._released(self._questions())

    def next_stop(self, minute: int) -> int | None:  # noqa: ARG002  nothing has to be met
        """The next minute at which a cycle must begin, so that it takes what came in it."""
        return None

    def held(self) -> str:
        """What still waits and must outlive the process; empty where that cannot be."""
        return ""

    def take_up(self, held: str) -> None:
        """Wait again with what another process held."""

    def _questions(self) -> list[Question]:
        with self._lock:
            return list(self._waiting)

    def _released(self, questions: Iterable[Question]) -> list[LedgerRecord]:
        with self._lock:
            found = [record for one in questions for record in self._waiting.pop(one)]
        return self._news_once(found)

    def _news_once(self, records: Iterable[LedgerRecord]) -> list[LedgerRecord]:
        """The records, without news that are on record already."""
        found = []
        for record in records:
            if isinstance(record, Headline):
                if record.id in self._known:
                    continue
                self._known.add(record.id)
            found.append(record)
        return found


class KeptBeside(Kept):
    """Where minutes do not wait: what is settled is taken when it has come, and noted."""

    def __init__(self, recordings: RecordingsFile | None, known: Iterable[str] = ()) -> None:
        """`recordings` None notes nothing."""
        super().__init__(known)
        self._recordings = recordings
        self._is_settled: set[Question] = set()
        self._lines: list[Line] = []

    def begin(self, run: str, minute: int) -> None:
        """Note from where the run goes on."""
        if self._recordings is not None:
            begin_course(self._recordings, run, minute)

    def settled(
        self, question: Question, minute: int, given: Analysis | Verdict, at_the_end: bool = False
    ) -> None:
        """Note the outcome with the next `take`."""
        self._is_settled.add(question)
        failed = given.status is Status.DEGRADED
        who = given.analyst if isinstance(given, Analysis) else given.validator
        self._lines.append(
            Settled(
                question=question,
                minute=minute,
                failed=failed,
                who=who if failed else "",
                reason=given.degraded_reason,
                at_the_end=at_the_end,
            )
        )

    def take(self, minute: int) -> list[LedgerRecord]:
        """What has come of the questions that are settled; of the others later."""
        come = [one for one in self._questions() if one in self._is_settled]
        self._lines += [Came(question=one, minute=minute) for one in come]
        lines, self._lines = self._lines, []
        if lines and self._recordings is not None:
            self._recordings.note([written(line) for line in lines])
        self._is_settled.difference_update(come)
        return self._released(come)


class _Held(msgspec.Struct):
    question: Question
    news: list[Headline]
    calls: list[KeptCall]
    findings: list[AnswerFinding]


class KeptAsRecorded(Kept):
    """A replay of what came in its own time: each cycle takes what it took then."""

    def __init__(self, course: Course, known: Iterable[str] = ()) -> None:
        """`course` is that of the recording."""
        super().__init__(known)
        self._course = course
        self._stops = sorted(course.minutes)

    def take(self, minute: int) -> list[LedgerRecord]:
        """What came in the cycle of this minute; BadInput for what this run did not ask."""
        come = [one.question for one in self._course.came.values() if one.minute == minute]
        waiting = self._questions()
        for question in come:
            if question not in waiting:
                raise BadInput(
                    f"the recording has an answer to {question.in_words()}, which this run did "
                    "not ask: its settings, bars or code differ from the recorded run"
                )
        return self._released(come)

    def next_stop(self, minute: int) -> int | None:
        """The next minute in which anything was settled or came."""
        return next((stop for stop in self._stops if stop > minute), None)

    def held(self) -> str:
        """What has been answered and has not come yet."""
        with self._lock:
            held = [
                _Held(
                    question,
                    [one for one in records if isinstance(one, Headline)],
                    [one for one in records if isinstance(one, KeptCall)],
                    [one for one in records if isinstance(one, AnswerFinding)],
                )
                for question, records in self._waiting.items()
            ]
        return msgspec.json.encode(held).decode() if held else ""

    def take_up(self, held: str) -> None:
        """Wait again for the minutes in which they came."""
        for one in msgspec.json.decode(held, type=list[_Held]) if held else []:
            self._waiting[one.question] = [*one.news, *one.calls, *one.findings]


class Shown:
    """A source of news for one question, which remembers what it gave."""

    def __init__(self, source: NewsReader) -> None:
        """Nothing was shown yet."""
        self._source = source
        self.items: list[Headline] = []

    def news(
        self, symbols: Sequence[str], *, as_of: datetime, since: datetime
    ) -> Sequence[Headline]:
        """What the source has, of what was known at `as_of`."""
        read = self._source.news(symbols, as_of=as_of, since=since)
        found = [one for one in read if one.known_at <= as_of]
        self.items += found
        return found
