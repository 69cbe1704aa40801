"""Jobs at a time of the day in New York, by EventBridge Scheduler.

A schedule carries its time zone, so 08:30 is 08:30 on both sides of a clock change; a rule in UTC
would move by an hour twice a year. Scheduler knows no holidays: it starts a job on every day that
is asked for, and the job asks the exchange's calendar. Putting the same schedules again changes
nothing, and what is no longer wanted in the group is removed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any, Literal

from quant_core.calendar import NEW_YORK
from tools.aws.clients import asked, client
from tools.aws.parameters import AwsParameters
from tools.errors import BadInput

ZONE = "America/New_York"
Day = Literal["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
WEEKDAYS: tuple[Day, ...] = ("MON", "TUE", "WED", "THU", "FRI")
_DAYS: tuple[Day, ...] = (*WEEKDAYS, "SAT", "SUN")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a target is started, with which input. `every` minutes from `at` until `until`.

    Without `every` it is started once, at `at`. Times are New York's. Scheduler tries again for
    `give_up_minutes`, no longer: a premarket at noon is of no use.
    """

    name: str
    at: time
    target: str
    role: str
    body: str = "{}"
    days: tuple[Day, ...] = WEEKDAYS
    every: int | None = None
    until: time | None = None
    give_up_minutes: int = 5

    def __post_init__(self) -> None:
        """Refuse what cron cannot say."""
        if not self.days or any(day not in _DAYS for day in self.days):
            raise BadInput(f"schedule {self.name}: days must be of {', '.join(_DAYS)}")
        if self.at.second or (self.until and self.until.second):
            raise BadInput(f"schedule {self.name}: times are whole minutes")
        if (self.every is None) != (self.until is None):
            raise BadInput(f"schedule {self.name}: every and until belong together")
        if self.every is not None and self.until is not None:
            whole = self.at.minute == 0 and self.until.minute == 59
            if 60 % self.every or not whole or self.until < self.at:
                raise BadInput(
                    f"schedule {self.name}: every must divide an hour, from HH:00 until HH:59; "
                    "the job itself knows when the session is open"
                )

    def expression(self) -> str:
        """As EventBridge Scheduler writes it: minute hour day month weekday year."""
        days = ",".join(self.days)
        if self.every is None or self.until is None:
            return f"cron({self.at.minute} {self.at.hour} ? * {days} *)"
        hours = f"{self.at.hour}-{self.until.hour}"
        return f"cron(0/{self.every} {hours} ? * {days} *)"

    def starts_on(self, day: date) -> list[datetime]:
        """When it starts on a date, as moments."""
        if _DAYS[day.weekday()] not in self.days:
            return []
        first = datetime.combine(day, self.at, NEW_YORK)
        if self.every is None or self.until is None:
            return [first]
        minutes = (self.until.hour - self.at.hour + 1) * 60
        return [first + timedelta(minutes=n) for n in range(0, minutes, self.every)]


class Schedules:
    """The schedules of one group."""

    def __init__(self, group: str, parameters: AwsParameters) -> None:
        """Nothing is asked yet."""
        self._client, self._group = client("scheduler", parameters), group

    def names(self) -> list[str]:
        """The schedules that are there, by name."""
        asked(
            f"the schedule group {self._group}",
            lambda: self._client.get_schedule_group(Name=self._group),
        )
        pages = self._client.get_paginator("list_schedules")

        def listed() -> list[str]:
            return [
                one["Name"]
                for page in pages.paginate(GroupName=self._group)
                for one in page["Schedules"]
            ]

        return sorted(asked(f"the schedules of {self._group}", listed))

    def put(self, wanted: Iterable[Schedule]) -> list[str]:
        """Make the group hold exactly these; gives the names that were removed.

        Raises NoData for a group that is not there, which belongs to the deployment.
        """
        schedules = {one.name: one for one in wanted}
        there = self.names()
        for name, one in schedules.items():
            change = self._client.update_schedule if name in there else self._client.create_schedule
            values = self._values(one)
            asked(f"schedule {name}", partial(change, **values))
        gone = [name for name in there if name not in schedules]
        for name in gone:
            asked(
                f"removing schedule {name}",
                partial(self._client.delete_schedule, GroupName=self._group, Name=name),
            )
        return gone

    def _values(self, one: Schedule) -> dict[str, Any]:
        return {
            "Name": one.name,
            "GroupName": self._group,
            "ScheduleExpression": one.expression(),
            "ScheduleExpressionTimezone": ZONE,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {
                "Arn": one.target,
                "RoleArn": one.role,
                "Input": one.body,
                "RetryPolicy": {
                    "MaximumEventAgeInSeconds": max(60, one.give_up_minutes * 60),
                    "MaximumRetryAttempts": 2,
                },
            },
        }
