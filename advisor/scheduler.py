"""Runs the day's jobs when they are due, and says what became of each.

APScheduler keeps the time and the threads; when a job is due comes from `advisor.timetable`,
because it knows no holidays. A job never runs twice at once; runs that were missed are run once,
if that is still of use, and said to be missed otherwise. A job that fails harms no other.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from advisor.timetable import TIMETABLE, Timed, due, session_of
from quant_core.calendar import Session, new_york
from tools.errors import NotConfigured

try:
    from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
    from apscheduler.schedulers.background import BackgroundScheduler
    from apscheduler.triggers.base import BaseTrigger
except ModuleNotFoundError as missing:
    raise NotConfigured("the scheduler needs apscheduler: pip install -e '.[live]'") from missing

Job = Callable[[Session], None]
# A sleeping computer stops the timer but not the clock: look at the clock again this often.
LOOK_SECONDS = 30.0


class SessionTrigger(BaseTrigger):  # type: ignore[misc]  # apscheduler has no types
    """Fires when a job of the timetable is due."""

    def __init__(self, job: Timed) -> None:
        """For one job."""
        self._job = job

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The first moment after the previous one; without one, from now on."""
        after = previous_fire_time + timedelta(microseconds=1) if previous_fire_time else now
        return next(due(self._job, after)).moment


class Scheduler:
    """Jobs by the timetable, until it is stopped. `tell` is given a line about everything."""

    def __init__(
        self,
        jobs: Mapping[str, Job],
        tell: Callable[[str], None],
        timetable: tuple[Timed, ...] = TIMETABLE,
    ) -> None:
        """`jobs` by the timetable's names; KeyError for a name that it does not have."""
        timed = {job.name: job for job in timetable}
        self._tell, self._over = tell, threading.Event()
        self._scheduler: Any = BackgroundScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1}
        )
        self._scheduler.add_listener(self._skipped, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        for name, job in jobs.items():
            self._scheduler.add_job(
                self._run,
                SessionTrigger(timed[name]),
                args=(name, job),
                id=name,
                misfire_grace_time=int(timed[name].grace.total_seconds()),
            )

    def run(self) -> None:
        """Run jobs until `stop`; what is running then is not waited for."""
        self._scheduler.start()
        try:
            while not self._over.wait(LOOK_SECONDS):
                self._scheduler.wakeup()
        finally:
            self._scheduler.shutdown(wait=False)

    def stop(self) -> None:
        """End `run`, from any thread or signal handler."""
        self._over.set()

    def _run(self, name: str, job: Job) -> None:
        session = session_of(datetime.now(UTC))
        if session is None:
            self._tell(f"{name}: left out, there is no session today any more")
            return
        self._tell(f"{name} of {session.date}: started")
        try:
            job(session)
        except Exception as error:
            self._tell(f"{name} of {session.date}: failed: {error or type(error).__name__}")
        else:
            self._tell(f"{name} of {session.date}: done")

    def _skipped(self, event: Any) -> None:
        if event.code == EVENT_JOB_MISSED:
            was = new_york(event.scheduled_run_time)
            self._tell(f"{event.job_id}: missed, it was due at {was} and is too late now")
        else:
            self._tell(f"{event.job_id}: left out, the one before is still running")
