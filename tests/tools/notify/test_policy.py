"""How often a person is disturbed: every alert is sent or counted in one that is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.notify import Alert, AlertLimits, Severity
from tools.notify.policy import Policy

NOON = datetime(2025, 1, 8, 17, 0, tzinfo=UTC)


def alert(minutes: float = 0.0, **differs: object) -> Alert:
    values: dict[str, object] = {
        "kind": "feed",
        "severity": Severity.WARNING,
        "title": "SPY is silent",
        "text": "No bar for 3 minutes.",
        "at": NOON + timedelta(minutes=minutes),
    }
    return Alert(**{**values, **differs})  # type: ignore[arg-type]


def test_a_repeat_is_folded_and_counted_in_the_next_one() -> None:
    policy = Policy(AlertLimits(repeat_minutes=15))
    assert policy.admit(alert(0)) == alert(0)
    assert [policy.admit(alert(m)) for m in (1, 5, 14.9)] == [None] * 3
    later = policy.admit(alert(15))
    assert later is not None
    assert later.text.endswith("3 more like this since the last one.")
    assert policy.admit(alert(31)) == alert(31)


def test_another_matter_is_not_a_repeat_and_a_key_says_what_is_one() -> None:
    policy = Policy(AlertLimits())
    assert policy.admit(alert(0))
    assert policy.admit(alert(0, title="QQQ is silent"))
    assert policy.admit(alert(0, title="order 1", key="broker"))
    assert policy.admit(alert(1, title="order 2", key="broker")) is None


def test_a_flood_is_held_back_and_said() -> None:
    policy = Policy(AlertLimits(per_hour=3))
    sent = [policy.admit(alert(i / 10, title=f"matter {i}")) for i in range(10)]
    assert [one is not None for one in sent] == [True] * 3 + [False] * 7
    after = policy.admit(alert(61, title="quiet again"))
    assert after is not None
    assert "7 other alerts were held back" in after.text


def test_what_is_critical_is_never_held_back_only_folded_into_its_repeats() -> None:
    policy = Policy(AlertLimits(per_hour=1))
    critical = alert(severity=Severity.CRITICAL, title="HALTED")
    assert policy.admit(alert(0))
    assert policy.admit(critical)
    assert policy.admit(replace(critical, title="no stop on NVDA"))
    assert policy.admit(critical) is None


def test_a_clock_that_goes_back_silences_nothing_for_ever() -> None:
    policy = Policy(AlertLimits(per_hour=1))
    assert policy.admit(alert(300))
    assert policy.admit(alert(0))


@given(
    st.lists(st.tuples(st.integers(0, 5), st.floats(0, 30)), min_size=1, max_size=60),
    st.integers(1, 5),
)
def test_nothing_is_lost_from_the_counts(steps: list[tuple[int, float]], per_hour: int) -> None:
    policy = Policy(AlertLimits(per_hour=per_hour, repeat_minutes=10))
    minutes, told = 0.0, 0
    for matter, pause in steps:
        minutes += pause
        sent = policy.admit(alert(minutes, title=f"m{matter}", text=""))
        if sent is not None:
            told += 1 + sum(int(line.split()[0]) for line in sent.text.split("\n") if line)
    waiting = policy._held + sum(policy._folded.values())
    assert told + waiting == len(steps)


@pytest.mark.parametrize(
    "values", [{"repeat_minutes": -1}, {"repeat_minutes": float("nan")}, {"per_hour": 0}]
)
def test_limits_that_cannot_be_meant_are_refused_by_name(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        AlertLimits(**values)  # type: ignore[arg-type]
