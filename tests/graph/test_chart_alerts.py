"""What a model is shown of alerts of charts; without any it is shown what it always was."""

import re
from dataclasses import replace
from datetime import timedelta

from graph.market_analysis import analyse
from graph.sheet import plain_view, view_from
from graph.trade_validation import validate
from quant_core.types import ChartAlert
from tests.graph.worlds import APPROVE, GOOD, NOW, model_of, signal, view, wiring

NVDA = ChartAlert(
    id="a1" * 16, symbol="NVDA", time=NOW - timedelta(minutes=6), known_at=NOW, direction="short",
    grade="B+", score=-4.5, confidence=61.0, entry=140.2, stop=141.15, targets=(138.0, 137.25),
    components={"momentum": -1.0, "cloud": 0.25},
)  # fmt: skip
SPY = replace(NVDA, id="b2" * 16, symbol="SPY", time=NOW - timedelta(minutes=1), entry=591.1)


def test_alerts_are_shown_with_their_age_and_can_be_cited() -> None:
    said = {**GOOD, "assessment": "NVDA may fall to 138.00.", "evidence": ["NVDA.chart_alert"]}
    wired = wiring(said)
    opinion = analyse(view(alerts=(NVDA, SPY)), wired)
    text = model_of(wired).prompts[0].text
    assert (
        "NVDA.chart_alert = short, grade B+, score -4.5 of 10, confidence 61 %, "
        "6 minutes ago, aged\n"
        "NVDA.chart_prices = entry 140.20, stop 141.15, targets 138.00 137.25 USD\n"
        "NVDA.chart_cloud = +0.25 of 1\nNVDA.chart_momentum = -1.00 of 1\n"
    ) in text
    assert "SPY.chart_alert = short, grade B+, score -4.5 of 10, confidence 61 %, 1 minutes" in text
    assert opinion.value.analyst.endswith("market_analysis.v2")
    assert opinion.value.evidence == (f"chart_alert:{NVDA.id}",)
    assert opinion.findings == ()


def test_a_verdict_is_asked_for_with_the_alert_of_its_symbol_only() -> None:
    wired = wiring({**APPROVE, "evidence": ["NVDA.chart_alert"]})
    opinion = validate(signal(), view(alerts=(NVDA, SPY)), wired)
    text = model_of(wired).prompts[0].text
    assert "NVDA.chart_prices" in text
    assert "SPY.chart" not in text
    assert opinion.value.validator.endswith("trade_validation.v2")
    assert opinion.value.evidence == (f"chart_alert:{NVDA.id}",)


def test_without_an_alert_the_question_is_the_one_it_always_was() -> None:
    for ask, alerts in ((analyse, ()), (lambda v, w: validate(signal(), v, w), (SPY,))):
        wired = wiring(GOOD)
        ask(view(alerts=alerts), wired)
        prompt = model_of(wired).prompts[0]
        assert (prompt.version, "chart" in prompt.text) == (1, False)
    assert "alerts" not in plain_view(view())


def test_symbols_are_hidden_here_too() -> None:
    wired = wiring({**GOOD, "opportunities": [], "evidence": []}, mask=True)
    analyse(view(alerts=(NVDA, SPY)), wired)
    text = model_of(wired).prompts[0].text
    assert "S2.chart_alert = short" in text
    assert not re.search(r"NVDA|SPY|TSLA", text)


def test_a_view_comes_back_from_a_checkpoint_as_it_was() -> None:
    seen = view(alerts=(NVDA, SPY))
    again = view_from(plain_view(seen))
    assert again.alerts == seen.alerts
    assert again.as_of == seen.as_of
