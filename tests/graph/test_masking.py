import re

from graph.market_analysis import analyse
from graph.masking import Mask
from graph.trade_validation import validate
from tests.graph.worlds import (
    APPROVE,
    GOOD,
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

NEWS = News([headline("NVDA soars after January 8 earnings")])
MASKED = {
    **GOOD,
    "assessment": "S1 is stretched at 591.25.",
    "opportunities": [{"symbol": "S2", "comment": "z is high"}],
    "evidence": ["S1.z", "S2.range_ratio"],
}


def test_symbols_and_dates_are_hidden_and_come_back_in_the_answer() -> None:
    past = Past([trade(OPEN)])
    wired = wiring(MASKED, mask=True, news=NEWS, history=past)
    masked = analyse(view(), wired)
    shown = model_of(wired).prompts[0].text
    assert not re.search(r"NVDA|SPY|TSLA|2025-|01-08|January|10:30|Wire|Chips", shown)
    assert "S1.z = +1.62" in shown
    assert "session.minutes_since_open = 60" in shown
    assert "[N1] (S2, 10 minutes ago) (text withheld)" in shown
    plain = analyse(view(), wiring(GOOD, news=NEWS, history=past))
    assert (masked.value, masked.findings) == (plain.value, plain.findings)


def test_a_model_that_names_the_symbol_all_the_same_is_not_believed() -> None:
    opinion = analyse(view(), wiring(GOOD, mask=True))
    assert opinion.value.opportunities == ()
    assert opinion.value.evidence == ()
    assert opinion.findings[0].detail == "'NVDA' is not on the watchlist"


def test_a_masked_validation_gives_the_same_verdict() -> None:
    said = {**APPROVE, "ruling": "reduce", "size_factor": 0.4, "evidence": ["{}.z"]}
    masked = wiring({**said, "evidence": ["S2.z"]}, mask=True, history=Past([trade(OPEN)]))
    plain = wiring({**said, "evidence": ["NVDA.z"]}, history=Past([trade(OPEN)]))
    assert validate(signal(), view(), masked).value == validate(signal(), view(), plain).value
    assert not re.search(r"NVDA|SPY|TSLA|2025-", model_of(masked).prompts[0].text)


def test_only_names_of_the_mask_are_turned_back() -> None:
    mask = Mask(("SPY", "NVDA"), hides=True)
    assert mask.unmask("S2 over S1, not S3, S20, xS1 or S1x") == (
        "NVDA over SPY, not S3, S20, xS1 or S1x"
    )
    assert mask.shown_id("NVDA.z") == "S2.z"
    assert mask.shown_id("account.equity") == "account.equity"
    assert mask.real("NVDA") is None
    assert Mask(("SPY",), hides=False).unmask("S1") == "S1"
