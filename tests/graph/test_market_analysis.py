from datetime import timedelta

import pytest

from graph.market_analysis import analyse, analyst
from graph.opinions import Opinion
from graph.ports import Event
from quant_core.types import Analysis, Multipliers, Status
from tests.graph.worlds import (
    GOOD,
    NAN,
    NOW,
    OPEN,
    News,
    Past,
    headline,
    model_of,
    order,
    symbol,
    trade,
    view,
    wiring,
)
from tools.errors import BadInput, NoData, NotConfigured, Transient
from tools.llm.calls import Outcome
from tools.llm.recorded import MissingRecording


def test_a_good_answer_becomes_an_analysis() -> None:
    wired = wiring(GOOD, seconds=7.0)
    opinion = analyse(view(), wired)
    assert opinion.value == Analysis(
        as_of=NOW,
        analyst="local:scripted market_analysis.v1",
        multipliers=Multipliers(mr_arm=1.25, tc_arm=0.8),
        confidence=62.0,
        assessment="SPY is stretched at 591.25.",
        opportunities=("NVDA: z is high",),
        reasoning="One-way tape.",
        evidence=("SPY.z", "NVDA.range_ratio"),
    )
    assert opinion.findings == ()
    assert [call["cost_usd"] for call in opinion.calls] == ["0.001"]
    assert model_of(wired).deadlines == [7.0]


def test_the_model_is_shown_what_is_known_and_nothing_else() -> None:
    wired = wiring(GOOD)
    analyse(view(), wired)
    text = model_of(wired).prompts[0].text
    assert "SPY.close = 591.25 USD\n" in text
    assert "SPY.z = +1.62 (state idle)\n" in text
    assert "NVDA.z = -1.30 (state in_trade, long)\n" in text
    assert "session.time = 2025-01-08 10:30 New York" in text
    assert "account.daily_loss = -250.00 USD" in text
    assert "TSLA.close" in text
    assert "TSLA.z" not in text
    assert "nan" not in text.lower()


def test_positions_and_todays_trades_are_shown_and_can_be_cited() -> None:
    past = Past(
        closed=[
            trade(OPEN + timedelta(minutes=5)),
            trade(OPEN - timedelta(days=1), pnl=-10.0),
            trade(OPEN + timedelta(minutes=30), symbol="GME", pnl=-10.0),
        ],
        decided=[order(OPEN + timedelta(minutes=9), stop=1.0), order(NOW), order(OPEN)],
    )
    wired = wiring({**GOOD, "evidence": ["trade.2", "position.NVDA", "trade.3"]}, history=past)
    opinion = analyse(view(), wired)
    text = model_of(wired).prompts[0].text
    assert "position.NVDA = long 71, entry near 139.50, stop 138.75, target 140.75" in text
    assert "trade.1 = another symbol MR long, -1.00 R, closed by target 30 minutes ago" in text
    assert "trade.2 = NVDA MR long, +2.00 R, closed by target 55 minutes ago" in text
    assert "trade.3" not in text
    assert opinion.value.evidence == ("trade:NVDA:20250108T1414Z", "order:o081530")
    assert [one.detail for one in opinion.findings] == ["'trade.3' was not given"]


@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.ANSWER])
def test_a_model_that_fails_leaves_the_thresholds_alone(outcome: Outcome) -> None:
    opinion = analyse(view(), wiring(outcome))
    assert opinion.value.multipliers == Multipliers()
    assert opinion.value.confidence == 0.0
    assert opinion.value.status is Status.DEGRADED
    assert opinion.value.degraded_reason == f"{outcome}: as scripted"
    assert opinion.value.analyst == "local:scripted market_analysis.v1"


@pytest.mark.parametrize(
    "answer",
    [
        "Buy!",
        '{"mr_arm": NaN}',
        {**GOOD, "mr_arm": "2"},
        {**GOOD, "mr_arm": None},
        {**GOOD, "mr_arm": 1e9},
        {**GOOD, "order": "buy"},
        {name: value for name, value in GOOD.items() if name != "confidence"},
        {**GOOD, "reasoning": "x" * 30_000},
        {**GOOD, "evidence": ["SPY.z"] * 1_000},
        "[" * 90_000,
        "x" * 10_000_000,
    ],
)
def test_nonsense_leaves_the_thresholds_alone(answer: object) -> None:
    value = analyse(view(), wiring(answer)).value  # type: ignore[arg-type]
    assert value.multipliers == Multipliers()
    assert value.degraded_reason.startswith("schema: ")
    assert len(value.degraded_reason) <= 300


def test_what_is_out_of_bounds_is_clamped_and_said() -> None:
    answer = {**GOOD, "mr_arm": 0.1, "tc_arm": 7.0, "confidence": 150.0, "evidence": ["X.z"]}
    opinion = analyse(view(), wiring(answer))
    assert opinion.value.multipliers == Multipliers(mr_arm=0.5, tc_arm=2.0)
    assert opinion.value.confidence == 100.0
    assert opinion.value.evidence == ()
    assert opinion.value.status is Status.OK
    assert "mr_arm clamped: 0.1 to 0.5" in opinion.value.reasoning
    assert [one.field for one in opinion.findings] == ["mr_arm", "tc_arm", "confidence", "evidence"]


def test_an_exception_of_the_model_is_a_failure_with_a_reason() -> None:
    value = analyse(view(), wiring(RuntimeError("cable cut"))).value
    assert value.degraded_reason == "RuntimeError: cable cut"


def test_a_missing_recording_stops_the_replay() -> None:
    with pytest.raises(BadInput, match="never recorded"):
        analyst(wiring(MissingRecording("never recorded")))(view())


def test_before_anything_is_known_nobody_is_asked() -> None:
    wired = wiring()
    dark = view(symbols=(symbol("SPY", close=NAN, z=NAN),))
    assert analyse(dark, wired).value.degraded_reason == "nothing is known of any symbol yet"
    assert model_of(wired).prompts == []


def test_without_a_model_the_analysis_is_degraded() -> None:
    value = analyse(view(), wiring(model=None)).value
    assert value.degraded_reason == "no model is configured"
    assert value.analyst == "model market_analysis.v1"


def test_a_read_is_tried_again_when_it_may_work_in_a_moment() -> None:
    news = News([headline("Chips fly")], fails=[Transient("busy"), Transient("busy")])
    wired = wiring(GOOD, news=news)
    assert analyse(view(), wired).value.status is Status.OK
    assert "Chips fly" in model_of(wired).shown
    assert news.asked == [NOW] * 3


@pytest.mark.parametrize("error", [Transient("busy"), ValueError("bad row")])
def test_a_read_that_keeps_failing_degrades(error: Exception) -> None:
    wired = wiring(news=News(fails=[error] * 3))  # type: ignore[list-item]
    value = analyse(view(), wired).value
    assert value.degraded_reason.startswith("news could not be read: ")
    assert str(error) in value.degraded_reason
    assert model_of(wired).prompts == []


@pytest.mark.parametrize("error", [NoData("none"), NotConfigured("no feeds")])
def test_a_source_that_has_nothing_is_gone_without(error: NoData) -> None:
    wired = wiring(GOOD, news=News(fails=[error]))
    assert analyse(view(), wired).value.status is Status.OK
    assert "(no news)" in model_of(wired).shown


def test_every_opinion_is_given_to_the_caller_to_keep() -> None:
    kept: list[Opinion[Analysis]] = []
    give = analyst(wiring(GOOD, Outcome.TIMEOUT), kept.append)
    assert [give(view()), give(view())] == [one.value for one in kept]


def test_progress_is_told_and_cannot_disturb() -> None:
    events: list[Event] = []

    def watch(event: Event) -> None:
        events.append(event)
        raise RuntimeError("the audience left")

    assert analyse(view(), wiring(GOOD, progress=watch)).value.status is Status.OK
    steps = [event.step for event in events]
    assert set(steps[:3]) == {"technicals", "news", "positions"}
    assert steps[3:] == ["review", "assess", "bound"]
    assert events[4].outcome == "the model answered"

    events.clear()
    analyse(view(), wiring(Outcome.REFUSAL, progress=watch))
    assert events[-1] == Event(
        machine="market_analysis",
        step="degrade",
        outcome="refusal: as scripted",
        about="2025-01-08 10:30",
    )
    assert events[-2].failure == "refusal: as scripted"


def test_the_model_is_asked_for_the_whole_range_and_bounded_to_it() -> None:
    wired = wiring({**GOOD, "mr_arm": 0.1, "tc_arm": 9.0})
    multipliers = analyse(view(), wired).value.multipliers
    assert (multipliers.mr_arm, multipliers.tc_arm) == (0.5, 2.0)
    assert "multiplier.range = 0.50 to 2.00," in model_of(wired).shown
