"""A recording made at a pace, with slow, late and missing answers, replays to the same bytes.

Real threads and the real client over HTTP. Nothing here is timed: the stand-in answers when the
loop has gone past a minute that a test names, however fast the machine is, and what is asserted
holds whatever else came when.
"""

import json
import sqlite3
import threading
from contextlib import closing, suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from advisor.as_recorded import AsRecorded, validator_as_recorded
from advisor.beside import within
from advisor.bootstrap import EVER, RECORDINGS, ReplayOptions
from advisor.course import Course, Question, course_of
from advisor.cycle import dependencies
from advisor.kept import KeptAsRecorded, KeptBeside
from advisor.lanes import Lane, TradingDay
from advisor.replay import LEDGER, replay
from advisor.results import ReplayResult
from advisor.session import run_day, run_day_at_pace
from advisor.settings import Settings
from graph.bounds import Finding
from graph.opinions import Opinion
from quant_core.calendar import to_datetime
from quant_core.market_view import MarketView
from quant_core.types import Analysis, Decision, Signal, Status, Verdict
from tests.advisor.test_beside import analysis
from tests.advisor.test_model_replay import ANALYSIS, VERDICT, exported
from tests.advisor.test_pacing import Session
from tests.advisor.worlds import SETTINGS, market, request
from tests.graph.worlds import NOW
from tests.stand_ins.anthropic import anthropic_stand_in
from tests.stand_ins.server import Request
from tests.stand_ins.steps import Fails, Hangs, Says, Step
from tools.clock import SystemClock
from tools.errors import BadInput, Transient
from tools.llm import RecordingsFile
from tools.store.store import Store

DAY = date(2026, 10, 14)
PACED = ReplayOptions(analyst="model", validation="model", pace=0.01)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")


class Loop:
    """Lets a stand-in wait until the loop has been through so many minutes of the session."""

    def __init__(self) -> None:
        self._minute, self._moved = 0, threading.Condition()
        self.session_open = to_datetime(market(DAY, DAY).sessions[0].open)

    def watch(self, done: int, total: int, text: str) -> None:
        clock = datetime.strptime(text[11:16], "%H:%M")
        with self._moved:
            self._minute = clock.hour * 60 + clock.minute - 570
            self._moved.notify_all()

    def wait_for(self, minute: int) -> None:
        with self._moved:
            assert self._moved.wait_for(lambda: self._minute >= minute, timeout=60.0)


class Model:
    """The first analysis comes past minute 7, the fourth never; the first verdict never."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.analyses = self.verdicts = 0

    def answer(self, asked: Request) -> Step:
        if "size_factor" in json.dumps(asked.body):
            self.verdicts += 1
            return Hangs() if self.verdicts == 1 else Says(text=json.dumps(VERDICT))
        self.analyses += 1
        if self.analyses == 4:
            return Hangs()
        text = json.dumps({**ANALYSIS, "mr_arm": 0.5 + 0.01 * self.analyses})
        past = (lambda: self.loop.wait_for(7)) if self.analyses == 1 else None
        return Fails(status=500) if self.analyses == 2 else Says(text=text, when=past)


def settings(url: str) -> Settings:
    return Settings.model_validate(
        {
            "llm": {"anthropic_base_url": url, "retries": 0},
            "analysis": {"deadline_seconds": 30.0},
            "validation": {"deadline_seconds": 0.3},
        }
    )


def run(
    options: ReplayOptions, chosen: Settings, folder: Path, loop: Loop | None = None
) -> ReplayResult:
    watch = loop.watch if loop else None
    return replay(request(DAY, DAY), options, chosen, market(DAY, DAY), folder, watch)


@pytest.mark.slow
def test_a_paced_recording_with_slow_answers_replays_to_the_same_bytes(tmp_path: Path) -> None:
    loop = Loop()
    model = Model(loop)
    with anthropic_stand_in(model.answer) as server:
        chosen = settings(server.url)
        recorded = run(PACED, chosen, tmp_path / "recorded", loop)
        asked = len(server.requests)
        place = tmp_path / "recorded" / RECORDINGS
        options = replace(PACED, llm="replay", pace=None, recordings=place)
        replayed = run(options, chosen, tmp_path / "again")
        watched = run(replace(options, pace=0.001), chosen, tmp_path / "watched", loop)
        assert len(server.requests) == asked
    advised = recorded.lanes["advised"]
    slow, *others = advised.analyses
    assert slow.applies_from is not None
    assert slow.applies_from >= loop.session_open + timedelta(minutes=7)
    assert Status.DEGRADED in {one.status for one in others}
    verdicts = [one.verdict for one in advised.decisions if one.verdict]
    assert verdicts[0].status is Status.DEGRADED
    for other in (replayed, watched):
        assert other.run_id == recorded.run_id
        assert other.chain_heads == recorded.chain_heads
    first, again = (
        exported(result, chosen, tmp_path / name)
        for result, name in ((recorded, "recorded"), (replayed, "again"))
    )
    # How fast it went is in what was asked, and in nothing that came of it.
    assert first.pop("request.json") != again.pop("request.json")
    assert again == first
    with Store.open(tmp_path / "again" / LEDGER, read_only=True) as store:
        assert store.verify_chain(replayed.run_id).intact
        calls = store.llm_calls(replayed.run_id, "advised", as_of=EVER)
    assert 0 < len(calls) <= asked


class Told(Session):
    """A session by hand-moved time with a real ledger, whose advisers leave findings behind.

    The validator hangs, long after the loop has stopped waiting for it, until 160 minutes are over.
    With a `course` it is a replay.
    """

    def __init__(self, folder: Path, course: Course | None = None) -> None:
        folder.mkdir()
        self.course = course
        self.released, self.ended = threading.Event(), threading.Event()
        self.store = Store.open(folder / LEDGER)
        self.store.start_run("run", kind="replay", config_hash="", code_version="", config_json="")
        self.recordings = RecordingsFile.open(folder / RECORDINGS)
        super().__init__()
        self.answers_at = {
            self.opened + timedelta(minutes=minute): 0
            for minute in (7.5, 65.5, 100.5, 165.5, 370.5)
        }

    def fresh_lane(self) -> Lane:
        lane = super().fresh_lane()
        lane.analyst = lambda view: self.analyses(lane, view)
        if self.course is None:
            lane.kept = KeptBeside(self.recordings)
            hanging = partial(self.validates, lane, self.released)
            lane.validator = within(0.0, hanging, SystemClock())
        else:
            lane.kept, lane.asking = KeptAsRecorded(self.course), AsRecorded(self.course)
            at_once = partial(self.validates, lane, None)
            lane.validator = validator_as_recorded(at_once, self.course)
        return lane

    def analyses(self, lane: Lane, view: MarketView) -> Analysis:
        if self.course is None and self.clock.now() > self.opened + timedelta(minutes=160):
            self.released.set()
            assert self.ended.wait(10.0)
        given = analysis(view.as_of)
        leave(lane, "market_analysis", given, view)
        return given

    def validates(
        self, lane: Lane, wait: threading.Event | None, asked: Signal, view: MarketView
    ) -> Verdict:
        if wait is not None:
            wait.wait()
        given = Verdict(ruling="reduce", size_factor=0.5, confidence=60.0)
        leave(lane, "trade_validation", given, view, asked.symbol)
        self.ended.set()
        return given

    def go(self, until: int = 390) -> None:
        """A process goes on with the lane, and dies before row `until`."""
        self.lane = self.fresh_lane()
        checkpoint = self.store.checkpoint("run", "advised")
        if checkpoint is not None:
            self.lane.restore(checkpoint)
            self.lane.records += self.store.decisions("run", "advised", as_of=EVER)
        self.lane.kept.begin("run", self.day.session.open + self.lane.row)
        self.waiting.clear()
        deps = dependencies("run", SETTINGS, self.store)
        if self.course is not None:
            run_day([self.lane], self.day, deps, lambda *_: None, until)
            return

        def saw(lane: Lane, day: TradingDay) -> None:
            if lane.row == until < 390:
                raise KeyboardInterrupt

        with suppress(KeyboardInterrupt):
            run_day_at_pace([self.lane], self.day, deps, saw, self.clock)

    def closed(self) -> tuple[dict[str, str], list[Analysis], list[Decision]]:
        """The heads, and what is on record, when all is over."""
        found = (
            self.store.heads("run"),
            self.store.analyses("run", "advised", as_of=EVER),
            self.store.decisions("run", "advised", as_of=EVER),
        )
        assert self.store.verify_chain("run").intact
        self.store.close()
        self.recordings.close()
        return found


def leave(
    lane: Lane, machine: str, given: Analysis | Verdict, view: MarketView, about: str = ""
) -> None:
    finding = Finding("rejected", "evidence", machine)
    whence = {"machine": machine, "as_of": view.as_of, "about": about}
    lane.kept.opinion(Opinion(value=given, **whence, findings=(finding,), calls=()))


def replayed(course: Course, folder: Path, *dies: int) -> tuple[dict[str, str], object, object]:
    session = Told(folder, course)
    for until in (*dies, 390):
        session.go(until)
    return session.closed()


def test_late_dropped_refused_and_unfinished_answers_replay_wherever_a_process_died(
    tmp_path: Path,
) -> None:
    session = Told(tmp_path / "recorded")
    session.go(until=20)  # dies while the analysis of 09:45 is asked
    session.go()
    course = course_of(session.recordings)
    assert course is not None
    heads, analyses, decisions = session.closed()
    assert {one.degraded_reason.split(" of ")[0] for one in analyses} == {
        "",
        "no answer within 45 s",
        "the analysis",
        "the process ended before its answer came",
        "the session ended before its answer came",
    }
    reasons = [one.verdict.degraded_reason for one in decisions if one.verdict]
    assert reasons[0] == "no verdict within 0 s"
    late = [one for one in course.came.values() if one.minute > course.settled[one.question].minute]
    assert {one.question.machine for one in late} == {"market_analysis", "trade_validation"}
    assert replayed(course, tmp_path / "once")[0] == heads
    again = replayed(course, tmp_path / "killed", *range(1, 390, 13))
    assert repr(again) == repr((heads, analyses, decisions))


def test_a_recording_says_whose_it_is_and_what_it_does_not_know(tmp_path: Path) -> None:
    with RecordingsFile.open(tmp_path / RECORDINGS) as file:
        assert course_of(file) is None
        kept = KeptBeside(file)
        kept.begin("run", 0)
        with pytest.raises(BadInput, match="that of run run, at a pace, and this is run other"):
            KeptBeside(file).begin("other", 0)
        question = Question("market_analysis", NOW)
        kept.settled(question, 7, analysis(NOW))
        kept.take(7)
        course = course_of(file)
        assert course is not None
        assert course.outcome(question).minute == 7
        KeptBeside(file).begin("run", 7)  # minute 7 was never committed
        course = course_of(file)
        assert course is not None
        with pytest.raises(BadInput, match=r"what became of market_analysis of 2025-.* finish it"):
            course.outcome(question)
    with (
        RecordingsFile.open(tmp_path / RECORDINGS, read_only=True) as file,
        pytest.raises(Transient, match="could not be written"),
    ):
        file.note(["{}"])


def test_a_course_that_was_changed_is_refused(tmp_path: Path) -> None:
    with RecordingsFile.open(tmp_path / RECORDINGS) as file:
        file.note(["one", "two"])
    with closing(sqlite3.connect(tmp_path / RECORDINGS)) as connection, connection:
        connection.execute("DROP TRIGGER no_delete_of_course")
        connection.execute("DELETE FROM course WHERE number = 1")
    with (
        RecordingsFile.open(tmp_path / RECORDINGS, read_only=True) as file,
        pytest.raises(BadInput, match="line 1 of its course has been changed"),
    ):
        file.course()
