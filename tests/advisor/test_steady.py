"""A model that has lost its confidence is not asked any more, that day."""

from datetime import UTC, datetime, timedelta

import pytest

from advisor.asking import degraded
from advisor.lanes import Lane
from advisor.settings import DriftSettings
from advisor.steady import steady_analyst, steady_validator
from quant_core.desk import Desk
from quant_core.events import EventLog
from quant_core.market_view import MarketView
from quant_core.types import (
    Analysis,
    Decision,
    Multipliers,
    Plan,
    Setup,
    Signal,
    Status,
    Verdict,
)

NOON = datetime(2025, 3, 12, 16, 0, tzinfo=UTC)
RULES = DriftSettings(least_answers=3)


def view(moment: datetime) -> MarketView:
    return MarketView(
        as_of=moment, minutes_since_open=150, symbols=(), equity=1e5, daily_loss=0.0,
        open_positions=0,
    )  # fmt: skip


def said(moment: datetime, confidence: float, model: str = "one") -> Analysis:
    return Analysis(
        as_of=moment, analyst=model, multipliers=Multipliers(), confidence=confidence,
        assessment="", opportunities=(), reasoning="", evidence=(),
    )  # fmt: skip


def signal(moment: datetime) -> Signal:
    return Signal(
        symbol="NVDA", start=moment, setup=Setup.MEAN_REVERSION, side=1, price=100.0, stop=99.0,
        target=102.0, z=-0.6,
    )  # fmt: skip


@pytest.fixture
def lane() -> Lane:
    """A week in which the model was sure of itself."""
    made = Lane(name="advised", desk=Desk.new(1, 1e5), log=EventLog.with_room_for(1))
    for day in range(1, 8):
        for quarter in range(3):
            made.records.append(said(NOON - timedelta(days=day, minutes=15 * quarter), 60.0))
    made.records.sort(key=lambda one: one.as_of)
    return made


def doubts(lane: Lane, count: int, model: str = "one") -> None:
    for quarter in range(count, 0, -1):
        lane.records.append(said(NOON - timedelta(minutes=15 * quarter), 30.0, model))


def test_it_abstains_for_the_rest_of_the_day_and_is_asked_the_next(lane: Lane) -> None:
    asked = []

    def analyst(one: MarketView) -> Analysis:
        asked.append(one.as_of)
        return said(one.as_of, 60.0)

    steady = steady_analyst(analyst, lane, RULES)
    doubts(lane, 2)
    assert steady(view(NOON)).status is Status.OK
    doubts(lane, 1)
    lane.records.append(degraded(NOON, "a failure says nothing of confidence"))
    found = steady(view(NOON))
    assert found.status is Status.DEGRADED
    assert found.multipliers == Multipliers()
    assert "today, 30, is more than 20 % below 60, that of the 7 sessions" in found.degraded_reason
    assert steady(view(NOON + timedelta(days=1))).status is Status.OK
    assert len(asked) == 2


def test_another_model_is_not_held_to_it(lane: Lane) -> None:
    doubts(lane, 3, model="two")
    steady = steady_analyst(lambda one: said(one.as_of, 60.0), lane, RULES)
    assert steady(view(NOON)).status is Status.OK


def test_a_validator_abstains_the_same_way(lane: Lane) -> None:
    def ruled(moment: datetime, confidence: float) -> Decision:
        verdict = Verdict(ruling="approve", confidence=confidence, validator="one")
        plan = Plan(quantity=1, blocked_by="", checks=())
        return Decision(signal=signal(moment), plan=plan, verdict=verdict)

    lane.records += [ruled(NOON - timedelta(days=day), 60.0) for day in range(1, 8)]
    lane.records += [ruled(NOON - timedelta(minutes=m), 30.0) for m in (40, 30, 20)]
    sure = Verdict(ruling="approve", validator="one")
    found = steady_validator(lambda *_: sure, lane, RULES)(signal(NOON), view(NOON))
    assert (found.ruling, found.status) == ("abstain", Status.DEGRADED)
    assert "model drift" in found.degraded_reason
