"""A replay at a pace: the clock, and a session in which the model is asked beside the loop."""

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from advisor.asking import AtOnce
from advisor.beside import Beside
from advisor.bootstrap import ReplayOptions
from advisor.cycle import dependencies
from advisor.lanes import Lane, TradingDay
from advisor.pacing import PacedClock
from advisor.replay import LEDGER, replay
from advisor.results import ReplayResult
from advisor.session import run_day, run_day_at_pace, trading_day
from advisor.settings import Settings
from quant_core.calendar import to_datetime
from quant_core.desk import Desk
from quant_core.events import EventLog
from quant_core.types import Analysis, Status
from tests.advisor.test_beside import analysis
from tests.advisor.worlds import SETTINGS, SYMBOLS, market, request
from tests.graph.worlds import NOW
from tests.stand_ins.anthropic import anthropic_stand_in
from tests.stand_ins.server import Request
from tests.stand_ins.steps import Hangs, Step
from tests.tools.llm.worlds import HandClock
from tools.store.store import Store

DAY = date(2026, 10, 14)
FAST = 0.001


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")


def settings(url: str) -> Settings:
    return Settings.model_validate({"llm": {"anthropic_base_url": url, "retries": 0}})


def run(options: ReplayOptions, chosen: Settings, folder: Path) -> ReplayResult:
    return replay(request(DAY, DAY), options, chosen, market(DAY, DAY), folder)


def test_market_time_runs_at_the_pace_and_who_is_late_does_not_wait() -> None:
    machine = HandClock()
    clock = PacedClock(2.0, machine)
    clock.start(NOW)
    clock.wait_until(NOW + timedelta(minutes=3))
    assert machine.seconds == pytest.approx(6.0)
    assert clock.now() - NOW == pytest.approx(timedelta(minutes=3), abs=timedelta(seconds=1e-3))
    slept = len(machine.slept)
    clock.wait_until(NOW + timedelta(minutes=1))
    assert len(machine.slept) == slept


@pytest.mark.slow
def test_without_a_model_a_paced_replay_is_the_replay(tmp_path: Path) -> None:
    rules = ReplayOptions(analyst="rules", validation="rules")
    paced = ReplayOptions(analyst="rules", validation="rules", pace=FAST)
    plain = run(rules, Settings(), tmp_path / "plain")
    watched = run(paced, Settings(), tmp_path / "paced")
    assert watched.chain_heads == plain.chain_heads
    assert watched.run_id != plain.run_id


class Session:
    """One lane through one session by hand-moved time; `answers_at` is when a thread gets on."""

    def __init__(self) -> None:
        world = market(DAY, DAY)
        self.day = trading_day(world, world.sessions[0], SETTINGS)
        self.opened = to_datetime(self.day.session.open)
        self.waiting: list[Callable[[], None]] = []
        self.answers_at: dict[datetime, int] = {}
        self.arm: dict[int, float] = {}
        self.clock = HandPaced(self)
        self.lane = self.fresh_lane()

    def fresh_lane(self) -> Lane:
        return Lane(
            name="advised",
            desk=Desk.new(len(SYMBOLS), SETTINGS.account.start_equity),
            log=EventLog.with_room_for(len(SYMBOLS)),
            analyst=lambda view: analysis(view.as_of),
            asking=Beside(45.0, self.clock, start=self.waiting.append),
        )

    def run(self, until: int = 390) -> list[Analysis]:
        """Go through the session, or die before row `until`; the analyses on record."""

        def saw(lane: Lane, day: TradingDay) -> None:
            self.arm[lane.row - 1] = float(lane.desk.account["mr_arm"][0])
            if lane.row == until < 390:
                raise KeyboardInterrupt

        deps = dependencies("run", SETTINGS, None)
        with suppress(KeyboardInterrupt):
            run_day_at_pace([self.lane], self.day, deps, saw, self.clock)
        return [one for one in self.lane.records if isinstance(one, Analysis)]


class HandPaced(PacedClock):
    """A second a minute by a hand-moved clock; whoever is due to answer on the way does."""

    def __init__(self, session: Session) -> None:
        self.session = session
        super().__init__(1.0, HandClock())

    def wait_until(self, moment: datetime) -> None:
        for due, number in sorted(self.session.answers_at.items()):
            if self.now() <= due < moment:
                super().wait_until(due)
                self.session.waiting.pop(number)()
        super().wait_until(moment)


def test_an_answer_counts_from_the_bar_that_closes_after_it() -> None:
    session = Session()
    session.answers_at = {session.opened + timedelta(minutes=2, seconds=30): 0}
    session.run(until=10)
    assert [session.arm[row] for row in range(5)] == [1.0, 1.0, 0.8, 0.8, 0.8]


def test_a_stuck_analysis_leaves_every_other_due_one_degraded_and_every_minute_on_time() -> None:
    session = Session()
    session.answers_at = {session.opened + timedelta(minutes=200): 0}
    given = session.run()
    assert session.lane.row == 390
    assert len(given) == len({one.as_of for one in given}) == 26
    counted = Counter(one.degraded_reason for one in given)
    # At a second a minute the deadline of 45 s passes at 10:15; the thread is busy until 12:50.
    assert counted["no answer within 45 s"] == 2
    assert counted["the analysis of 09:30 is still running"] == 13
    assert set(session.arm.values()) == {1.0}


def test_a_process_that_dies_while_it_asks_records_that_analysis_once() -> None:
    session = Session()
    session.run(until=20)
    kept = session.lane.checkpoint()
    recorded = [one for one in session.lane.records if isinstance(one, Analysis)]
    assert [one.degraded_reason for one in recorded] == ["the analysis of 09:30 is still running"]

    session.lane = session.fresh_lane()
    session.lane.restore(kept)
    session.run(until=24)
    again = session.lane.checkpoint()
    [lost] = [one for one in session.lane.records if isinstance(one, Analysis)]
    assert (lost.as_of, lost.degraded_reason) == (
        session.opened, "the process ended before its answer came",
    )  # fmt: skip
    session.lane = session.fresh_lane()
    session.lane.restore(again)
    session.run(until=28)
    assert not any(isinstance(one, Analysis) for one in session.lane.records)


def test_answers_within_their_minute_are_those_of_a_plain_replay() -> None:
    beside = Session()
    beside.lane.asking = Beside(45.0, beside.clock, start=lambda work: work())
    beside.run()
    plain = Session()
    plain.lane.asking = AtOnce()
    run_day([plain.lane], plain.day, dependencies("run", SETTINGS, None), lambda *_: None)
    assert repr(beside.lane.records) == repr(plain.lane.records)
    assert beside.lane.checkpoint() == plain.lane.checkpoint()


@pytest.mark.slow
def test_a_model_that_hangs_delays_no_minute_and_is_asked_once(tmp_path: Path) -> None:
    asked = threading.Event()

    def hangs(request: Request) -> Step:
        asked.set()
        return Hangs(seconds=600.0)

    with anthropic_stand_in(hangs) as server:
        chosen = settings(server.url)
        options = ReplayOptions(analyst="model", pace=FAST)
        # It ends although nobody has answered: no minute has waited.
        result = run(options, chosen, tmp_path)
        assert asked.is_set()
        assert not server.closing.is_set()
        assert len(server.requests) == 1
    advised = result.lanes["advised"]
    assert len(advised.analyses) == len({one.as_of for one in advised.analyses}) == 26
    assert {one.status for one in advised.analyses} == {Status.DEGRADED}
    reasons = [one.degraded_reason for one in advised.analyses]
    assert reasons.count("the analysis of 09:30 is still running") == 25
    assert reasons.count("the session ended before its answer came") == 1
    assert advised.trades == result.lanes["baseline"].trades
    with Store.open(tmp_path / LEDGER, read_only=True) as store:
        assert store.verify_chain(result.run_id).intact
