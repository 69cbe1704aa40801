"""Schedules in New York time: what EventBridge Scheduler keeps, and when it starts a job."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from advisor.timetable import PREMARKET_AT
from tools.aws.parameters import AwsParameters
from tools.aws.schedules import Schedule, Schedules
from tools.errors import BadInput, NoData

PREMARKET = Schedule(
    name="premarket",
    at=PREMARKET_AT,
    target="arn:aws:lambda:us-east-1:123456789012:function:premarket",
    role="arn:aws:iam::123456789012:role/scheduler",
    body='{"job": "premarket"}',
    give_up_minutes=45,
)
LIVE = replace(PREMARKET, name="live", at=time(9), every=1, until=time(16, 59))


@pytest.fixture
def group(aws: AwsParameters, admin: Callable[[str], Any]) -> Schedules:
    admin("scheduler").create_schedule_group(Name="advisor")
    return Schedules("advisor", aws)


def test_a_schedule_is_kept_in_new_york_time(group: Schedules, admin: Callable[[str], Any]) -> None:
    assert group.put([PREMARKET, LIVE]) == []
    assert group.names() == ["live", "premarket"]
    kept = admin("scheduler").get_schedule(GroupName="advisor", Name="premarket")
    assert kept["ScheduleExpression"] == "cron(30 8 ? * MON,TUE,WED,THU,FRI *)"
    assert kept["ScheduleExpressionTimezone"] == "America/New_York"
    assert kept["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert kept["Target"]["Input"] == '{"job": "premarket"}'
    assert kept["Target"]["RetryPolicy"]["MaximumEventAgeInSeconds"] == 2700
    live = admin("scheduler").get_schedule(GroupName="advisor", Name="live")
    assert live["ScheduleExpression"] == "cron(0/1 9-16 ? * MON,TUE,WED,THU,FRI *)"


def test_putting_again_changes_what_differs_and_removes_the_rest(
    group: Schedules, admin: Callable[[str], Any]
) -> None:
    group.put([PREMARKET, LIVE])
    assert group.put([PREMARKET, LIVE]) == []
    assert group.put([replace(PREMARKET, at=time(8))]) == ["live"]
    assert group.names() == ["premarket"]
    kept = admin("scheduler").get_schedule(GroupName="advisor", Name="premarket")
    assert kept["ScheduleExpression"].startswith("cron(0 8 ")


@pytest.mark.parametrize(
    ("day", "hour"),
    [
        (date(2026, 3, 6), 13),  # a Friday of winter, and the Monday after clocks were set
        (date(2026, 3, 9), 12),
        (date(2026, 10, 30), 12),
        (date(2026, 11, 2), 13),
    ],
)
def test_half_past_eight_is_half_past_eight_on_both_sides_of_a_clock_change(
    day: date, hour: int
) -> None:
    (start,) = PREMARKET.starts_on(day)
    assert start.astimezone(UTC) == datetime(day.year, day.month, day.day, hour, 30, tzinfo=UTC)
    assert len(LIVE.starts_on(day)) == 8 * 60


def test_a_weekend_has_no_start() -> None:
    assert PREMARKET.starts_on(date(2026, 3, 7)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"days": ()},
        {"days": ("Monday",)},
        {"at": time(8, 30, 15)},
        {"every": 7, "until": time(16, 59), "at": time(9)},
        {"every": 1, "until": time(16, 30), "at": time(9)},
        {"every": 1},
        {"until": time(16, 59)},
    ],
)
def test_what_cron_cannot_say_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="schedule premarket"):
        replace(PREMARKET, **wrong)


def test_a_group_that_is_not_there(aws: AwsParameters) -> None:
    with pytest.raises(NoData, match="nowhere"):
        Schedules("nowhere", aws).put([PREMARKET])
