import json
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from graph.opinions import Opinion
from graph.ports import Wiring
from graph.premarket import prepare
from graph.premarket_facts import Morning
from graph.premarket_rules import Premarket
from quant_core.premarket_price import PremarketPrice, no_price
from quant_core.types import Status
from tests.graph.worlds import NAN, OPEN, News, headline, model_of, snapshot, wiring
from tools.errors import Transient
from tools.llm.calls import Outcome

MORNING = Morning(
    as_of=OPEN - timedelta(hours=1),
    snapshots=(
        snapshot("SPY", previous_close=588.0),
        snapshot("NVDA", htf_trend=-1, hh_ll_tag="LL", previous_close=140.0),
        snapshot("TSLA", htf_trend=0, atr_percentile=NAN, incomplete=("no daily bars",)),
    ),
    prices={
        "SPY": PremarketPrice(price=591.0, at=OPEN - timedelta(minutes=61)),
        "NVDA": PremarketPrice(price=142.8, at=OPEN - timedelta(minutes=75)),
        "TSLA": no_price("no bar since 04:00"),
    },
    vix=27.5,
    vix_date=date(2025, 1, 7),
)


def bias(symbol: str, **differs: Any) -> dict[str, Any]:
    return {
        "symbol": symbol, "bias": "bullish", "confidence": 70.0, "reasoning": "trend",
        "news_summary": "none", "evidence": [f"{symbol}.htf_trend"], **differs,
    }  # fmt: skip


BIASES = {"biases": [bias("SPY"), bias("NVDA", bias="bearish"), bias("TSLA", bias="choppy")]}
CONTEXT = {
    "bias": "bullish", "volatility": "high", "confidence": 64.0, "summary": "VIX at 27.50.",
    "evidence": ["VIX.close", "SPY.bias"],
}  # fmt: skip


def kinds(opinion: Opinion[Premarket]) -> dict[str, tuple[str, float]]:
    return {one.symbol: (one.bias, one.confidence) for one in opinion.value.biases}


def second_prompt(wired: Wiring) -> str:
    return model_of(wired).prompts[1].text


def test_a_model_prepares_the_day() -> None:
    early = headline("Chips fly", minutes_ago=180)
    wired = wiring(BIASES, CONTEXT, news=News([early]))
    opinion = prepare(MORNING, wired)
    assert kinds(opinion) == {
        "SPY": ("bullish", 70.0),
        "NVDA": ("bearish", 70.0),
        "TSLA": ("choppy", 70.0),
    }
    day = opinion.value
    assert (day.context.bias, day.context.volatility, day.context.vix) == ("bullish", "high", 27.5)
    assert day.context.evidence == ("VIX.close", "SPY.bias")
    assert day.biases[0].premarket_price == 591.0
    assert day.biases[0].analyst == "local:scripted premarket_bias.v1"
    assert day.status is Status.OK
    assert day.summary.splitlines()[0] == (
        "Market bullish (64 %), volatility high, VIX 27.50. VIX at 27.50."
    )
    assert [call["prompt"] for call in opinion.calls] == ["premarket_bias.v1", "market_context.v2"]
    first, second = model_of(wired).prompts
    assert "SPY.gap = +0.51 %" in first.text
    assert "SPY.premarket_price = 591.00 USD, 1 minutes ago" in first.text
    assert "VIX.close = 27.50 at the close of 2025-01-07" in second_prompt(wired)
    assert "TSLA.atr_percentile" not in first.text
    assert "Chips fly" in first.text
    assert "NVDA.bias = bearish, confidence 70" in second.text


def test_without_a_model_the_rules_speak() -> None:
    opinion = prepare(MORNING, wiring(model=None))
    assert kinds(opinion) == {
        "SPY": ("bullish", 75.0),
        "NVDA": ("bearish", 55.0),
        "TSLA": ("choppy", 0.0),
    }
    assert opinion.value.context.volatility == "high"
    assert opinion.value.context.analyst == "rules.v1"
    assert opinion.value.status is Status.OK
    assert opinion.calls == ()


@pytest.mark.parametrize(
    "wired",
    [wiring(Outcome.TIMEOUT), wiring("?"), wiring(news=News(fails=[Transient("busy")] * 3))],
)
def test_when_the_model_fails_the_rules_speak_and_it_is_said(wired: Wiring) -> None:
    day = prepare(MORNING, wired).value
    assert day.biases[0].analyst == "rules.v1"
    assert day.status is Status.DEGRADED
    assert day.degraded_reason


def test_biases_stay_when_only_the_context_fails() -> None:
    day = prepare(MORNING, wiring(BIASES, Outcome.REFUSAL)).value
    assert day.biases[0].analyst == "local:scripted premarket_bias.v1"
    assert day.context.analyst == "rules.v1"
    assert (day.context.bias, day.degraded_reason) == ("bullish", "refusal: as scripted")


def test_symbols_left_out_are_filled_and_symbols_made_up_are_dropped() -> None:
    said = {"biases": [bias("SPY"), bias("GME"), bias("SPY", bias="bearish")]}
    opinion = prepare(MORNING, wiring(said, CONTEXT))
    assert kinds(opinion)["SPY"] == ("bullish", 70.0)
    assert opinion.value.biases[1].analyst == "rules.v1"
    assert [one.detail for one in opinion.findings] == [
        "'GME' is not on the watchlist",
        "a second entry for SPY",
        "nothing for NVDA by the rules",
        "nothing for TSLA by the rules",
    ]


def test_an_unknown_vix_is_said() -> None:
    morning = Morning(as_of=MORNING.as_of, snapshots=MORNING.snapshots[1:])
    day = prepare(morning, wiring(model=None)).value
    assert math.isnan(day.context.vix)
    assert day.context.summary == "SPY is not on the watchlist; VIX is not known."
    assert (day.context.bias, day.context.volatility, day.context.confidence) == (
        "choppy",
        "normal",
        0.0,
    )


def test_a_mask_hides_symbols_and_dates() -> None:
    def rename(value: Any) -> Any:
        text = json.dumps(value)
        names: Mapping[str, str] = {
            "SPY": "S1",
            "NVDA": "S2",
            "TSLA": "S3",
            "VIX.close": "volatility.close",
        }
        for name, masked in names.items():
            text = text.replace(name, masked)
        return json.loads(text)

    wired = wiring(rename(BIASES), rename(CONTEXT), mask=True)
    masked, plain = prepare(MORNING, wired), prepare(MORNING, wiring(BIASES, CONTEXT))
    assert (masked.value, masked.findings) == (plain.value, plain.findings)
    shown = "".join(prompt.system + prompt.text for prompt in model_of(wired).prompts)
    assert "market.benchmark = S1" in shown
    assert not any(name in shown for name in ("SPY", "VIX", "NVDA", "TSLA", "2025-"))
    elsewhere = wiring(rename(BIASES), rename(CONTEXT), mask=True)
    prepare(replace(MORNING, snapshots=MORNING.snapshots[1:]), elsewhere)
    shown = "".join(prompt.system + prompt.text for prompt in model_of(elsewhere).prompts)
    assert "market.benchmark =" not in shown
    assert "SPY" not in shown


def test_no_snapshot_no_premarket() -> None:
    with pytest.raises(ValueError, match="at least one symbol"):
        prepare(Morning(as_of=OPEN, snapshots=()), wiring())
