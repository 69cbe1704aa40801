"""Replays to report on: calm, failing, hostile, and without anything in them."""

from dataclasses import replace
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from advisor.bootstrap import ReplayOptions
from advisor.exports import REJECTIONS
from advisor.replay import replay
from advisor.results import LaneResult, ReplayResult
from advisor.summary import summarise
from quant_core import rules
from quant_core.calendar import at_new_york
from quant_core.cycles import CycleRows
from quant_core.market_view import MarketView
from quant_core.types import Analysis, DailyBias, MarketContext, Signal, Status, Verdict
from tests.advisor.worlds import SETTINGS, SYMBOLS, market, request

FIRST, LAST = date(2026, 10, 13), date(2026, 10, 20)
ADVISED = ReplayOptions(analyst="rules", validation="rules")
ALONE = ReplayOptions(analyst="none", validation="off")
HOSTILE = (
    "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>&{{data}}\u2028"
)


def run(
    options: ReplayOptions = ADVISED,
    first: date = FIRST,
    last: date = LAST,
    symbols: tuple[str, ...] = SYMBOLS,
) -> tuple[ReplayResult, dict[str, Any]]:
    """A replay of synthetic sessions and its summary."""
    result = replay(
        request(first, last, symbols), options, SETTINGS, market(first, last, symbols), None
    )
    return result, summarise(result, SETTINGS)


@lru_cache(maxsize=1)
def calm() -> tuple[ReplayResult, dict[str, Any]]:
    """Six sessions, three lanes, nothing unusual."""
    return run()


def failing(monkeypatch: pytest.MonkeyPatch) -> tuple[ReplayResult, dict[str, Any]]:
    """Every fifth analysis and every third verdict times out."""
    asked = {"analyst": 0, "validator": 0}
    analyse, validate = rules.analyse, rules.validate

    def analyst(view: MarketView) -> Analysis:
        asked["analyst"] += 1
        if asked["analyst"] % 5 == 0:
            raise TimeoutError("no answer within 45 s")
        return analyse(view)

    def validator(signal: Signal, view: MarketView) -> Verdict:
        asked["validator"] += 1
        if asked["validator"] % 3 == 0:
            raise TimeoutError("no verdict in time")
        return validate(signal, view)

    monkeypatch.setattr(rules, "analyse", analyst)
    monkeypatch.setattr(rules, "validate", validator)
    return run()


def hostile() -> tuple[ReplayResult, dict[str, Any]]:
    """A replay in which every text that came from outside tries to become markup."""
    result, _ = run(first=LAST, last=LAST, symbols=("SPY", HOSTILE))
    for lane in result.lanes.values():
        lane.analyses = [
            replace(
                analysis,
                analyst=HOSTILE,
                assessment=HOSTILE,
                reasoning=HOSTILE,
                opportunities=(HOSTILE,),
                evidence=(HOSTILE,),
            )
            for analysis in lane.analyses
        ]
        verdict = Verdict(
            ruling="approve", reasoning=HOSTILE, evidence=(HOSTILE,), validator=HOSTILE
        )
        lane.decisions = [replace(decision, verdict=verdict) for decision in lane.decisions]
    result.run_id = result.analyst = result.validation = HOSTILE
    result.notes = [HOSTILE]
    result.bar_rejections = refused(HOSTILE)
    result.snapshots = [replace(snapshot, incomplete=(HOSTILE,)) for snapshot in result.snapshots]
    result.biases = [bias(symbol, LAST, HOSTILE) for symbol in result.symbols]
    result.contexts = [context(LAST, HOSTILE)]
    return result, summarise(result, SETTINGS)


def bias(symbol: str, day: date, words: str) -> DailyBias:
    """A bias of a premarket whose model failed, all in the same words."""
    return DailyBias(
        as_of=at_new_york(day, time(8, 30)), symbol=symbol, date=day, bias="bearish",
        confidence=65.0, reasoning=words, news_summary=words, premarket_price=np.nan,
        premarket_price_at=None, price_note=words, evidence=(words,), analyst=words,
        status=Status.DEGRADED, degraded_reason=words,
    )  # fmt: skip


def context(day: date, words: str) -> MarketContext:
    """The market's context of that premarket."""
    return MarketContext(
        as_of=at_new_york(day, time(8, 30)), date=day, bias="bullish", volatility="normal",
        vix=17.7, vix_date=None, confidence=55.0, summary=words, evidence=(words,), analyst=words,
    )  # fmt: skip


def refused(file: str) -> pa.Table:
    """Two refused rows of a bar file."""
    row = {
        "kind": "bar", "symbol": "SPY", "timestamp": datetime(2026, 10, 13, tzinfo=UTC),
        "reason": "duplicate", "value": "2026-10-13 13:30 UTC", "file": file, "row": 7,
    }  # fmt: skip
    return pa.Table.from_pylist([row, row], schema=REJECTIONS)


def nothing() -> tuple[ReplayResult, dict[str, Any]]:
    """One session of a symbol that has no bar at all: no trade, no analysis, no snapshot."""
    full, _ = calm()
    blank = CycleRows(
        symbols=("GHOST",),
        minute=np.zeros(0, np.int64),
        symbol=np.zeros(0, np.int16),
        close=np.zeros(0),
        mean=np.zeros(0),
        deviation=np.zeros(0),
        z=np.zeros(0),
        ready=np.zeros(0, np.bool_),
        htf_trend=np.zeros(0, np.int8),
        state=np.zeros(0, np.int8),
        side=np.zeros(0, np.int8),
    )
    result = replace(
        full,
        symbols=("GHOST",),
        sessions=full.sessions[:1],
        lanes={"baseline": LaneResult(name="baseline", start_equity=100_000.0, cycles=blank)},
        snapshots=[],
        bar_rejections=pa.Table.from_pylist([], schema=REJECTIONS),
        gaps=[],
        bars_read={"GHOST": 0},
        bars_accepted={"GHOST": 0},
        notes=["GHOST has no bars in the sessions replayed"],
    )
    return result, {}
