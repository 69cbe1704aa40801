"""Canaries: what was not known at `as_of` must never reach a rendered prompt.

The sources here are careless on purpose: they return what lies in the future too.
"""

from datetime import timedelta

from graph.market_analysis import analyse
from graph.premarket import prepare
from graph.premarket_facts import Morning
from graph.trade_validation import validate
from tests.graph.worlds import (
    APPROVE,
    GOOD,
    NOW,
    OPEN,
    News,
    Past,
    headline,
    model_of,
    order,
    signal,
    snapshot,
    trade,
    view,
    wiring,
)

LATER = timedelta(seconds=1)
CANARIES = News(
    [
        headline("CANARY tomorrow", minutes_ago=-1440),
        headline("CANARY in a second", published_at=NOW + LATER, received_at=NOW + LATER),
        headline("CANARY dated back, received later", received_at=NOW + LATER),
        headline("CANARY clock skew", published_at=NOW + LATER, received_at=NOW),
        headline("Known just now", minutes_ago=0),
    ]
)
# A trade is known a minute after the bar in which it was closed began; 77 marks the canaries.
FUTURE = Past(
    closed=[
        trade(NOW - timedelta(seconds=30), pnl=77.0),
        trade(NOW + timedelta(days=1), pnl=77.0),
        trade(NOW - timedelta(minutes=1), pnl=11.0),
    ],
    decided=[order(NOW + LATER, target=77.0)],
)


def test_an_analysis_sees_nothing_from_the_future() -> None:
    wired = wiring(GOOD, news=CANARIES, history=FUTURE)
    analyse(view(), wired)
    shown = model_of(wired).shown
    assert "CANARY" not in shown
    assert "+7.70 R" not in shown
    assert "77.00" not in shown
    assert "Known just now" in shown
    assert "+1.10 R" in shown


def test_a_validation_sees_nothing_from_the_future() -> None:
    past = Past([trade(OPEN, pnl=77.0), trade(OPEN - timedelta(minutes=1), pnl=11.0)])
    wired = wiring(APPROVE, news=CANARIES, history=past)
    validate(signal(), view(), wired)
    shown = model_of(wired).shown
    assert "CANARY" not in shown
    assert "+7.70 R" not in shown
    assert "+1.10 R" in shown
    assert "Known just now" in shown


def test_a_premarket_sees_nothing_from_the_future() -> None:
    wired = wiring({"biases": []}, "?", news=CANARIES)
    prepare(Morning(as_of=NOW, snapshots=[snapshot("SPY")]), wired)
    assert len(model_of(wired).prompts) == 2
    assert "CANARY" not in model_of(wired).shown
    assert "Known just now" in model_of(wired).shown
