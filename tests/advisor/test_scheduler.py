"""The scheduler with the real APScheduler, and the command that runs commands."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from advisor import scheduler as module
from advisor.commands.schedule import Command
from advisor.scheduler import Scheduler, SessionTrigger
from advisor.timetable import TIMETABLE, Timed
from quant_core.calendar import NEW_YORK, Session, xnys
from tools.errors import BadInput

REPOSITORY = Path(__file__).parents[2]
PREMARKET = TIMETABLE[0]
SESSION = xnys(2025, 2025).session(0)


def test_the_trigger_fires_on_sessions_and_never_twice_for_one() -> None:
    trigger = SessionTrigger(PREMARKET)
    friday = datetime(2025, 1, 17, 8, 30, tzinfo=NEW_YORK)
    assert trigger.get_next_fire_time(None, friday) == friday
    tuesday = trigger.get_next_fire_time(friday, friday)
    assert tuesday.date() == date(2025, 1, 21)  # Monday is Martin Luther King day
    # A computer that slept over Tuesday learns of it: the misfire is APScheduler's to judge.
    woken = datetime(2025, 1, 23, 12, 0, tzinfo=NEW_YORK)
    assert trigger.get_next_fire_time(friday, woken) == tuesday


class Day:
    """A timetable whose next session is now; what the scheduler said, and who waits for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "session_of", lambda moment: SESSION)
        self.said: list[str] = []
        self.changed = threading.Condition()

    def tell(self, line: str) -> None:
        with self.changed:
            self.said.append(line)
            self.changed.notify_all()

    def waits_for(self, end: str, count: int = 1) -> bool:
        def there() -> bool:
            return sum(line.endswith(end) for line in self.said) >= count

        with self.changed:
            return self.changed.wait_for(there, timeout=30.0)

    def run(
        self, job: Callable[[Session], None], moments: list[timedelta], grace: timedelta
    ) -> tuple[Scheduler, threading.Thread]:
        """Start a scheduler whose premarket is due at these distances from now."""
        began = datetime.now(UTC)
        first = began.astimezone(NEW_YORK).date()
        sessions = xnys(first.year, first.year + 1).between(first, date(first.year + 1, 12, 31))
        dues = {session: began + away for session, away in zip(sessions, moments, strict=False)}
        timed = Timed(
            "premarket", lambda one: dues.get(one, began + timedelta(days=9 * 365)), grace
        )
        scheduler = Scheduler({"premarket": job}, self.tell, (timed,))
        thread = threading.Thread(target=scheduler.run, daemon=True)
        thread.start()
        return scheduler, thread


def test_jobs_run_when_due_and_one_that_fails_does_not_end_the_scheduler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    day = Day(monkeypatch)
    given: list[Session] = []

    def job(session: Session) -> None:
        given.append(session)
        if len(given) == 1:
            raise OSError("no feed")

    soon = [timedelta(seconds=0.2), timedelta(seconds=0.4)]
    scheduler, thread = day.run(job, soon, timedelta(seconds=60))
    assert day.waits_for(": done")
    scheduler.stop()
    thread.join(30.0)
    assert not thread.is_alive()
    assert given == [SESSION, SESSION]
    assert day.said == [
        f"premarket of {SESSION.date}: started",
        f"premarket of {SESSION.date}: failed: no feed",
        f"premarket of {SESSION.date}: started",
        f"premarket of {SESSION.date}: done",
    ]


def test_a_job_that_still_runs_is_not_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    day, release = Day(monkeypatch), threading.Event()
    soon = [timedelta(seconds=0.2), timedelta(seconds=0.4)]
    scheduler, thread = day.run(lambda _: assert_waits(release), soon, timedelta(seconds=60))
    assert day.waits_for("premarket: left out, the one before is still running")
    release.set()
    assert day.waits_for(": done")
    scheduler.stop()
    thread.join(30.0)


@pytest.mark.slow
def test_what_was_slept_over_for_too_long_is_said_to_be_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    day = Day(monkeypatch)
    soon = [timedelta(seconds=1.0), timedelta(seconds=1.1), timedelta(seconds=3.5)]
    scheduler, thread = day.run(lambda _: None, soon, timedelta(seconds=1))
    while not scheduler._scheduler.running:
        time.sleep(0.01)
    scheduler._scheduler.pause()
    time.sleep(2.4)
    scheduler._scheduler.resume()
    assert day.waits_for(": done")
    scheduler.stop()
    thread.join(30.0)
    # Two were slept over: they count as one, and that one came too late.
    missed, *others = day.said
    assert missed.startswith("premarket: missed, it was due at ")
    assert others == [f"premarket of {SESSION.date}: {word}" for word in ("started", "done")]


def assert_waits(release: threading.Event) -> None:
    assert release.wait(30.0)


def test_a_command_is_told_the_date_and_its_exit_code_is_reported(tmp_path: Path) -> None:
    place = tmp_path / "{date}.txt"
    Command("premarket", f"touch '{place}'")(SESSION)
    assert (tmp_path / f"{SESSION.date}.txt").exists()
    with pytest.raises(RuntimeError, match=r"exit code 1 of .*false"):
        Command("premarket", "false")(SESSION)


@pytest.mark.parametrize(
    ("line", "words"),
    [("no-such-program --x", "no program 'no-such-program'"), ("touch 'open", "cannot be read")],
)
def test_a_command_that_cannot_be_is_said_before_it_is_due(line: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        Command("premarket", line)


def test_a_command_that_was_ended_does_not_run_again(tmp_path: Path) -> None:
    command = Command("session_start", "sleep 600")

    def run() -> None:
        with suppress(RuntimeError):
            command(SESSION)

    running = threading.Thread(target=run)
    running.start()
    while command._process is None:
        running.join(0.01)
    command.end()
    running.join(30.0)
    assert not running.is_alive()
    command(SESSION)
    assert command._process.poll() is not None


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_process_waits_and_stops_when_told(stop: signal.Signals, tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "from advisor.cli import main; main()", "schedule", "run"],
        cwd=REPOSITORY,
        env={**os.environ, "ADVISOR_SCHEDULE__PREMARKET": "date"},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    with child:
        assert child.stderr is not None
        assert "waiting for premarket" in child.stderr.readline()
        child.send_signal(stop)
        told = child.stderr.read()
    assert child.returncode == (130 if stop is signal.SIGINT else 0)
    assert "Traceback" not in told
