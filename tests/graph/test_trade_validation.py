from datetime import timedelta
from typing import Any

import pytest

from graph.trade_validation import validate, validator
from quant_core.types import Setup, Status
from tests.graph.worlds import (
    APPROVE,
    OPEN,
    News,
    Past,
    headline,
    model_of,
    signal,
    trade,
    view,
    wiring,
)
from tools.errors import BadInput
from tools.llm.calls import Outcome
from tools.llm.recorded import MissingRecording


def test_the_model_is_shown_signal_plan_market_and_past() -> None:
    past = Past(
        [
            trade(OPEN - timedelta(days=3), symbol="SPY", side=-1, pnl=-10.0),
            trade(OPEN - timedelta(days=9)),
            trade(OPEN - timedelta(days=1), symbol="TSLA"),
            trade(OPEN - timedelta(days=1), setup=Setup.TREND_CONTINUATION),
        ]
    )
    wired = wiring(APPROVE, history=past, news=News([headline("Chips fly")]))
    verdict = validate(signal(), view(), wired).value
    text = model_of(wired).prompts[0].text
    assert "signal.setup = MR (mean reversion)" in text
    assert "signal.stop = 139.44 USD" in text
    assert "plan.shares = 1432 before risk limits" in text
    assert "plan.reward_for_risk = 1.50" in text
    assert "trades.count = 3 earlier MR trades" in text
    assert "trades.won = 67 % with a profit" in text
    assert "trades.mean = +1.00 R on average" in text
    numbered = [line for line in text.splitlines() if line.startswith("trade.")]
    assert [line.split()[2] for line in numbered] == ["NVDA", "TSLA", "SPY"]
    assert "[N1] (NVDA, 10 minutes ago) Wire: Chips fly" in text
    assert (verdict.ruling, verdict.validator) == ("approve", "local:scripted trade_validation.v1")


def test_todays_ledger_is_not_read_because_replay_and_live_write_it_at_other_times() -> None:
    past = Past([trade(OPEN + timedelta(minutes=10))])
    wired = wiring(APPROVE, history=past)
    validate(signal(), view(), wired)
    assert past.asked == [OPEN]
    assert "(none yet)" in model_of(wired).prompts[0].text
    assert "trade.1" not in model_of(wired).prompts[0].text


@pytest.mark.parametrize(
    ("answer", "ruling", "factor"),
    [
        ({}, "approve", 1.0),
        ({"ruling": "veto"}, "veto", 1.0),
        ({"ruling": "veto", "size_factor": 0.3}, "veto", 1.0),
        ({"ruling": "abstain"}, "abstain", 1.0),
        ({"ruling": "reduce", "size_factor": 0.4}, "reduce", 0.4),
        ({"ruling": "reduce", "size_factor": 1.0}, "reduce", 0.5),
        ({"ruling": "reduce", "size_factor": 9.0}, "reduce", 0.5),
        ({"ruling": "reduce", "size_factor": 0.0}, "veto", 1.0),
        ({"ruling": "reduce", "size_factor": -3.0}, "veto", 1.0),
        ({"size_factor": 3.0}, "approve", 1.0),
        ({"size_factor": 0.7}, "reduce", 0.7),
    ],
)
def test_a_verdict_never_enlarges(answer: dict[str, Any], ruling: str, factor: float) -> None:
    verdict = validate(signal(), view(), wiring({**APPROVE, **answer})).value
    assert (verdict.ruling, verdict.size_factor) == (ruling, factor)
    assert verdict.status is Status.OK


@pytest.mark.parametrize("line", [Outcome.TIMEOUT, "not JSON", {**APPROVE, "ruling": "double"}])
def test_a_failure_abstains(line: object) -> None:
    verdict = validate(signal(), view(), wiring(line)).value  # type: ignore[arg-type]
    assert (verdict.ruling, verdict.confidence) == ("abstain", 0.0)
    assert verdict.status is Status.DEGRADED
    assert verdict.degraded_reason


def test_a_price_that_was_not_shown_is_listed() -> None:
    said = "Support at 139.44 and $139.4, resistance at $150.12, up 0.31 % to 141.20."
    opinion = validate(signal(), view(), wiring({**APPROVE, "reasoning": said}))
    assert [one.detail for one in opinion.findings] == ["$150.12", "141.20"]
    assert "reasoning unknown price: $150.12" in opinion.value.reasoning


def test_a_missing_recording_stops_the_replay() -> None:
    with pytest.raises(BadInput):
        validator(wiring(MissingRecording("never recorded")))(signal(), view())


def test_a_signal_on_a_symbol_outside_the_watchlist_abstains() -> None:
    verdict = validate(signal(symbol="GME"), view(), wiring()).value
    assert (verdict.ruling, verdict.status) == ("abstain", Status.DEGRADED)
