"""Sums over trades and the worth of verdicts, told as a plain count of the replay's own records."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from advisor.results import ReplayResult
from quant_core.calendar import NEW_YORK
from tests.advisor.api.test_records import get

January = tuple[Path, ReplayResult]


@pytest.mark.parametrize("lane", ["advised", "baseline"])
def test_groups_add_up_to_the_trades(site: TestClient, january: January, lane: str) -> None:
    trades = january[1].lanes[lane].trades
    told = get(site, "/api/trade-groups", lane=lane)
    named = {
        "symbol": Counter(trade.symbol for trade in trades),
        "setup": Counter(trade.setup.value for trade in trades),
        "side": Counter("long" if trade.side > 0 else "short" for trade in trades),
        "exit_reason": Counter(trade.exit_reason.value for trade in trades),
        "hour": Counter(
            "09:30" if (hour := trade.entry_time.astimezone(NEW_YORK).hour) == 9 else f"{hour}:00"
            for trade in trades
        ),
    }
    for name, counts in named.items():
        assert {one["name"]: one["trades"] for one in told[name]} == counts, name
        earned = sum(one["pnl"] for one in told[name])
        assert earned == pytest.approx(sum(trade.pnl for trade in trades)), name
    assert told["total"]["wins"] == sum(trade.pnl > 0 for trade in trades)
    measured = sum(one["trades"] for one in told["returns"])
    assert measured + told["unmeasured"] == len(trades)
    lost = [t for t in trades if t.pnl < 0 and t.exit_reason.value == "stop"]
    near = sum(one["trades"] for one in told["returns"] if one["low"] in (-1.5, -1.0))
    assert near >= len(lost) / 2, "a stop costs about one R"


def test_groups_of_some_days_are_those_days_trades(site: TestClient, january: January) -> None:
    trades = january[1].lanes["advised"].trades
    first, last = date(2025, 1, 10), date(2025, 1, 14)
    within = [trade for trade in trades if first <= trade.exit_time.date() <= last]
    told = get(site, "/api/trade-groups", start_date=first, end_date=last)
    assert 0 < told["total"]["trades"] == len(within) < len(trades)
    nothing = get(site, "/api/trade-groups", end_date=date(2024, 1, 1))
    assert nothing["total"]["trades"] == 0
    assert nothing["symbol"] == []


def test_groups_know_only_what_was_known(site: TestClient, january: January) -> None:
    trades = january[1].lanes["advised"].trades
    moment = trades[len(trades) // 2].exit_time
    told = get(site, "/api/trade-groups", as_of=moment.isoformat())
    assert told["total"]["trades"] == sum(trade.exit_time < moment for trade in trades)


def test_confidence_is_held_against_what_the_trades_became(
    site: TestClient, january: January
) -> None:
    result = january[1]
    advised = result.lanes["advised"]
    outcomes = {(t.symbol, t.signal_start): t.pnl for t in advised.trades}
    told = get(site, "/api/advice-quality")
    judged = [
        outcomes[key]
        for one in advised.decisions
        if one.verdict is not None
        and one.verdict.confidence == one.verdict.confidence
        and (key := (one.signal.symbol, one.signal.start)) in outcomes
    ]
    assert sum(one["trades"] for one in told["reliability"]) == len(judged) > 0
    assert sum(one["wins"] for one in told["reliability"]) == sum(pnl > 0 for pnl in judged)
    baseline = {(t.symbol, t.signal_start): t.pnl for t in result.lanes["baseline"].trades}
    vetoed = [
        (one.signal.symbol, one.signal.start)
        for one in advised.decisions
        if one.verdict is not None and one.verdict.ruling == "veto"
    ]
    assert told["vetoes"]["vetoes"] == len(vetoed)
    assert told["vetoes"]["pnl"] == pytest.approx(sum(baseline.get(key, 0.0) for key in vetoed))
    assert get(site, "/api/advice-quality", lane="baseline")["vetoes"] is None
