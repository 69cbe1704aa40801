import json
import math
import random
from collections.abc import Mapping
from typing import Any

import pytest

from graph.bounds import (
    BIASES,
    EVIDENCE,
    FINDINGS,
    LINE_LIMIT,
    OPPORTUNITIES,
    TEXT_LIMIT,
    Ground,
    bound_analysis,
    bound_biases,
    bound_context,
    bound_verdict,
    in_words,
    unknown_prices,
)
from graph.masking import Mask
from quant_core.types import Multipliers, Verdict
from tests.graph.worlds import GOOD

SYMBOLS = ("SPY", "NVDA", "TSLA")
GROUND = Ground(
    mask=Mask(SYMBOLS, hides=False),
    ids={"SPY.z": "SPY.z", "NVDA.range_ratio": "NVDA.range_ratio", "N1": "news:abc"},
    prices=(591.25, 140.14),
)
ROUNDS = 10_000
LETTERS = 'aZ9 .,$%{}[]<>\x00\x1b\u202e\u200b\ud800\U0001f680é"\n'
FIELDS = (*GOOD, "ruling", "size_factor", "biases", "symbol", "bias", "comment", "summary")


POOL = "".join(random.Random(1).choices(LETTERS, k=100_000))


def letters(rng: random.Random, count: int) -> str:
    start = rng.randrange(len(POOL) - count)
    return POOL[start : start + count]


def junk(rng: random.Random, depth: int = 0) -> Any:
    """Anything that a program could find where it expected something else."""
    kinds: list[Any] = [
        lambda: rng.choice([None, True, False, NotImplemented, b"bytes", {1, 2}, object()]),
        lambda: rng.choice([math.nan, math.inf, -math.inf, 1e308, -0.0, 10**400, -(10**400)]),
        lambda: rng.uniform(-10, 10),
        lambda: rng.randint(-5, 500),
        lambda: letters(rng, rng.choice([0, 3, 40, 2_500])),
        lambda: rng.choice(["SPY", "NVDA", "GME", "SPY.z", "N1", "approve", "reduce", "bullish"]),
    ]
    if depth < 3:
        kinds += [
            lambda: [junk(rng, depth + 1) for _ in range(rng.choice([0, 1, 4, 60]) >> depth)],
            lambda: {name: junk(rng, depth + 1) for name in rng.sample(FIELDS, 6)},
        ]
    return rng.choice(kinds)()


def test_ten_thousand_random_answers_stay_within_bounds() -> None:
    rng = random.Random(20250108)
    for _ in range(ROUNDS):
        answer = {name: junk(rng) for name in FIELDS if rng.random() < 0.7}
        check_analysis(bound_analysis(answer, GROUND))
        check_verdict(bound_verdict(answer, GROUND))
        biases = bound_biases(answer, GROUND)
        assert set(biases["biases"]) <= set(SYMBOLS)
        for one in biases["biases"].values():
            assert one["bias"] in BIASES
            assert 0.0 <= one["confidence"] <= 100.0
            assert len(one["reasoning"]) <= LINE_LIMIT
        context = bound_context(answer, GROUND)
        assert context["bias"] in BIASES
        assert context["volatility"] in ("low", "normal", "high")
        for bounded in (biases, context):
            check_plain(bounded)


def check_analysis(bounded: Mapping[str, Any]) -> None:
    Multipliers(**bounded["multipliers"])
    assert 0.0 <= bounded["confidence"] <= 100.0
    assert len(bounded["opportunities"]) <= OPPORTUNITIES
    assert all(one.split(":")[0] in SYMBOLS for one in bounded["opportunities"])
    assert all(len(one) <= LINE_LIMIT + 10 for one in bounded["opportunities"])
    check_plain(bounded)


def check_verdict(bounded: Mapping[str, Any]) -> None:
    parts = {name: bounded[name] for name in ("ruling", "size_factor", "confidence", "reasoning")}
    Verdict(**parts)
    check_plain(bounded)


def check_plain(bounded: Mapping[str, Any]) -> None:
    """Small, printable, and made of nothing but JSON."""
    text = json.dumps(bounded, allow_nan=False, ensure_ascii=False)
    text.encode()
    assert len(text) < 40_000
    assert len(bounded["findings"]) <= FINDINGS
    assert set(bounded.get("evidence", ())) <= set(GROUND.ids.values())
    assert len(bounded.get("evidence", ())) <= EVIDENCE
    assert len(in_words(bounded["findings"])) <= TEXT_LIMIT + 20
    for name in ("assessment", "reasoning", "summary"):
        said = bounded.get(name, "")
        assert len(said) <= TEXT_LIMIT
        assert said.isprintable() or not said


@pytest.mark.parametrize(
    ("value", "becomes", "finding"),
    [
        (1.3, 1.3, None),
        (2, 2.0, None),
        (0.1, 0.5, "0.1 to 0.5"),
        (-4.0, 0.5, "-4 to 0.5"),
        (2.5, 2.0, "2.5 to 2"),
        (math.nan, 1.0, "nan by 1"),
        (math.inf, 1.0, "inf by 1"),
        (10**400, 1.0, "a value of type int by 1"),
        (True, 1.0, "True by 1"),
        ("2.0", 1.0, "'2.0' by 1"),
        (None, 1.0, "nothing by 1"),
        ([2.0], 1.0, "a value of type list by 1"),
    ],
)
def test_a_multiplier_is_clamped_or_replaced_and_it_is_said(
    value: object, becomes: float, finding: str | None
) -> None:
    bounded = bound_analysis({**GOOD, "tc_arm": value}, GROUND)
    assert bounded["multipliers"]["tc_arm"] == becomes
    assert [one["detail"] for one in bounded["findings"]] == ([finding] if finding else [])


def test_evidence_must_have_been_given_and_counts_once() -> None:
    cited = ["SPY.z", "N1", "SPY.z", "news:abc", "TSLA.z", 7, "SPY.Z"]
    bounded = bound_analysis({**GOOD, "evidence": cited}, GROUND)
    assert bounded["evidence"] == ["SPY.z", "news:abc"]
    assert [one["detail"] for one in bounded["findings"]] == [
        "'news:abc' was not given",
        "'TSLA.z' was not given",
        "a value of type int was not given",
        "'SPY.Z' was not given",
    ]


def test_opportunities_on_unknown_symbols_are_dropped_and_listed() -> None:
    offered = [{"symbol": name, "comment": "up"} for name in ("GME", "SPY", "spy", "NVDA")]
    bounded = bound_analysis({**GOOD, "opportunities": [*offered, "TSLA"]}, GROUND)
    assert bounded["opportunities"] == ["SPY: up", "NVDA: up"]
    assert [one["detail"] for one in bounded["findings"]] == [
        "'GME' is not on the watchlist",
        "'spy' is not on the watchlist",
        "'TSLA'",
    ]


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("SPY at 591.25, $591, $591.2 and 140.1", []),
        ("support at $580, resistance 600.5", ["$580", "600.5"]),
        ("target $1,234.50", ["$1,234.50"]),
        ("from 591 USD and 140.14 USD to 700 USD", ["700 USD"]),
        ("USD 650, then 9999.99USD or 12 dollars", ["USD 650", "9999.99USD", "12 dollars"]),
        ("$12345678901 or 600.12345678", ["$12345678901", "600.12345678"]),
        ("z 1.62 for 60 minutes, up 120.5 %, 120.5% in all", []),
        ("buy at 141.00 or 141.00", ["141.00"]),
        ("version 1.2.3 of a141.00b", []),
        ("", []),
    ],
)
def test_prices_that_were_not_shown_are_found(text: str, unknown: list[str]) -> None:
    assert unknown_prices(text, GROUND.prices) == unknown


def test_a_long_text_is_cut() -> None:
    bounded = bound_analysis({**GOOD, "reasoning": "word " * 100_000}, GROUND)
    assert len(bounded["reasoning"]) <= TEXT_LIMIT
    assert bounded["findings"][0]["detail"] == f"500000 characters to {TEXT_LIMIT}"


def test_hostile_digits_do_not_take_long() -> None:
    assert unknown_prices("$" + "1," * 700 + "9" * 700, GROUND.prices) is not None
