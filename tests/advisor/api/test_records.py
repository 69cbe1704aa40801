"""The API tells what the replay itself returned: real bars, every record once, in order."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from advisor.results import ReplayResult

January = tuple[Path, ReplayResult]


def get(site: TestClient, path: str, **query: Any) -> Any:
    answer = site.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def pages(site: TestClient, path: str, **query: Any) -> list[Any]:
    found, cursor = [], None
    while True:
        page = get(site, path, **query, **({"cursor": cursor} if cursor else {}))
        found += page["data"]
        cursor = page["next"]
        if cursor is None:
            return found


def test_pages_hold_every_trade_once_newest_first(site: TestClient, january: January) -> None:
    trades = january[1].lanes["advised"].trades
    found = pages(site, "/api/trades", limit=7)
    assert len(trades) > 14
    assert [(one["symbol"], one["pnl"], one["entry_price"]) for one in reversed(found)] == [
        (trade.symbol, trade.pnl, trade.entry_price) for trade in trades
    ]
    assert [one["id"] for one in found] == sorted((one["id"] for one in found), reverse=True)


@pytest.mark.parametrize("lane", ["advised", "baseline", "placebo"])
def test_pnl_is_the_sum_of_the_trades_of_each_session(
    site: TestClient, january: January, lane: str
) -> None:
    told = get(site, "/api/pnl", lane=lane)
    result = january[1].lanes[lane]
    for day, lane_day in zip(told["data"], result.days, strict=True):
        assert day["date"] == str(lane_day.date)
        assert day["pnl"] == pytest.approx(lane_day.end_equity - lane_day.start_equity, abs=1e-6)
    assert told["total"]["pnl"] == pytest.approx(sum(trade.pnl for trade in result.trades))
    assert told["data"][-1]["cumulative"] == told["total"]["pnl"]
    assert told["total"]["trades"] == len(result.trades)


def test_dates_bound_sessions_and_filters_combine(site: TestClient, january: January) -> None:
    wanted = [
        trade
        for trade in january[1].lanes["advised"].trades
        if trade.symbol == "NVDA" and "2025-01-09" <= str(trade.exit_time.date()) <= "2025-01-14"
    ]
    found = pages(
        site, "/api/trades", symbol="nvda", start_date="2025-01-09", end_date="2025-01-14"
    )
    assert wanted
    assert [one["pnl"] for one in reversed(found)] == [trade.pnl for trade in wanted]
    half = get(site, "/api/pnl", start_date="2025-01-14")
    assert half["data"][0]["date"] == "2025-01-14"
    assert half["data"][0]["cumulative"] == half["data"][0]["pnl"]


def test_a_signal_carries_its_verdict_and_every_check(site: TestClient, january: January) -> None:
    decisions = january[1].lanes["advised"].decisions
    found = pages(site, "/api/signals")
    assert len(found) == len(decisions)
    last, told = decisions[-1], found[0]
    assert told["plan"]["quantity"] == last.plan.quantity
    assert [check["name"] for check in told["plan"]["checks"]] == [
        check.name for check in last.plan.checks
    ]
    vetoed = pages(site, "/api/signals", ruling="veto")
    assert len(vetoed) == sum(
        one.verdict is not None and one.verdict.ruling == "veto" for one in decisions
    )


def test_a_trade_tells_its_story(site: TestClient) -> None:
    trade = get(site, "/api/trades", limit=1)["data"][0]
    story = get(site, f"/api/trades/{trade['id']}")
    assert story["trade"] == trade
    assert story["signal"]["time"] == trade["signal_time"]
    assert story["armed"]["symbol"] == trade["symbol"]
    assert story["armed"]["time"] <= trade["signal_time"]
    assert story["analysis"]["known_at"] <= story["signal"]["known_at"]
    assert sum(fill["quantity"] for fill in story["fills"]) == 2 * trade["quantity"]


def test_nothing_is_told_that_was_not_known_at_as_of(site: TestClient, january: January) -> None:
    """The canary: at a trade's last minute its outcome is unknown, a minute later it is known."""
    trade = january[1].lanes["advised"].trades[10]
    before = trade.exit_time.isoformat()
    after = (trade.exit_time + timedelta(minutes=1)).isoformat()
    lists = ("/api/trades", "/api/signals", "/api/market-analysis", "/api/log")
    for moment in (before, after, "2025-01-08T15:00:00Z", "2025-01-10T20:59:00Z"):
        limit = datetime.fromisoformat(moment)
        for path in lists:
            for one in get(site, path, as_of=moment, limit=500)["data"]:
                assert datetime.fromisoformat(one["known_at"]) <= limit
        pnl = get(site, "/api/pnl", as_of=moment)
        known = [t for t in january[1].lanes["advised"].trades if _known(t) <= limit]
        assert pnl["total"]["trades"] == len(known)
        assert pnl["total"]["pnl"] == pytest.approx(sum(t.pnl for t in known))
        for point in get(site, "/api/equity", resolution="minute", as_of=moment)["data"]:
            assert datetime.fromisoformat(point["time"]) <= limit
        for row in get(site, "/api/watchlist", as_of=moment)["data"]:
            assert datetime.fromisoformat(row["time"]) + timedelta(minutes=1) <= limit
        candles = get(site, "/api/candles", symbol="SPY", as_of=moment)
        assert datetime.fromisoformat(candles["data"][-1]["time"]) < limit
    outcomes = {one["id"] for one in get(site, "/api/trades", as_of=before, limit=500)["data"]}
    later = get(site, "/api/trades", as_of=after, limit=500)["data"]
    assert trade.pnl in [one["pnl"] for one in later if one["id"] not in outcomes]


def _known(trade: Any) -> datetime:
    return trade.exit_time.astimezone(UTC) + timedelta(minutes=1)


def test_an_open_position_is_valued_and_the_day_adds_up(site: TestClient, january: January) -> None:
    lane = january[1].lanes["advised"]
    trade = next(t for t in lane.trades if (t.exit_time - t.entry_time) >= timedelta(minutes=5))
    moment = (trade.entry_time + timedelta(minutes=3)).isoformat()
    held = get(site, "/api/positions", as_of=moment)["data"]
    mine = next(one for one in held if one["symbol"] == trade.symbol)
    assert mine["quantity"] == trade.quantity
    assert mine["entry_price"] == pytest.approx(trade.entry_price)
    assert (mine["stop"], mine["target"]) == (trade.stop, trade.target)
    grid = get(site, "/api/watchlist", as_of=moment)
    curve = get(site, "/api/equity", resolution="minute", as_of=moment)["data"]
    assert grid["equity"] == pytest.approx(curve[-1]["equity"])
    assert grid["now"] == curve[-1]["time"]
    assert next(r for r in grid["data"] if r["symbol"] == trade.symbol)["state"] == "in_trade"


def test_the_session_curve_ends_where_the_lane_did(site: TestClient, january: January) -> None:
    lane = january[1].lanes["advised"]
    curve = get(site, "/api/equity")["data"]
    assert [point["equity"] for point in curve] == [day.end_equity for day in lane.days]
    assert all(point["drawdown"] <= 0 for point in curve)
    minutes = get(site, "/api/equity", resolution="minute", date="2025-01-10")["data"]
    ended = next(day for day in lane.days if str(day.date) == "2025-01-10")
    assert minutes[-1]["equity"] == pytest.approx(ended.end_equity)


def test_candles_gather_the_minutes_of_the_ledger(site: TestClient, january: January) -> None:
    query = {"symbol": "NVDA", "date": "2025-01-10"}
    minutes = get(site, "/api/candles", **query)["data"]
    quarter = get(site, "/api/candles", **query, timeframe="15min")["data"]
    assert len(minutes) == 390
    assert len(quarter) == 26
    first = minutes[:15]
    assert quarter[0]["time"] == first[0]["time"] == "2025-01-10T14:30:00Z"
    assert quarter[0]["high"] == max(one["close"] for one in first)
    assert quarter[0]["close"] == first[-1]["close"]
    assert quarter[0]["z"] == first[-1]["z"]


def test_lanes_are_compared_on_the_same_sessions(site: TestClient, january: January) -> None:
    told = get(site, "/api/lanes")
    assert [lane["lane"] for lane in told["lanes"]] == ["advised", "baseline", "placebo"]
    for lane in told["lanes"]:
        result = january[1].lanes[lane["lane"]]
        assert lane["trades"] == len(result.trades)
        assert lane["signals"] == len(result.decisions)
        assert lane["analyses"] == len(result.analyses)
        assert sum(lane["blocked"].values()) == sum(
            one.plan.quantity == 0 for one in result.decisions
        )
    difference = told["differences"][0]
    assert difference["against"] == "baseline"
    assert difference["low"] <= difference["mean"] <= difference["high"]


def test_the_multipliers_in_force_are_those_of_the_newest_analysis(site: TestClient) -> None:
    moment = "2025-01-13T16:20:00Z"
    grid = get(site, "/api/watchlist", as_of=moment)
    newest = get(site, "/api/market-analysis", timestamp=moment, limit=1)["data"][0]
    assert grid["multipliers"]["reason"] == "analysis"
    assert grid["multipliers"]["analysis"] == newest["id"]
    assert grid["multipliers"]["factors"] == newest["multipliers"]
    assert grid["next_analysis"] == "2025-01-13T16:30:00Z"
    closed = get(site, "/api/watchlist", as_of="2025-01-13T23:00:00Z")
    assert closed["multipliers"]["reason"] == "none"
    assert closed["next_analysis"] is None


def test_the_log_merges_all_kinds_in_their_order(site: TestClient, january: January) -> None:
    lane = january[1].lanes["advised"]
    found = pages(site, "/api/log", limit=100)
    ids = [one["id"] for one in found]
    assert ids == sorted(set(ids), reverse=True)
    kinds = [one["kind"] for one in found]
    assert kinds.count("trade") == len(lane.trades)
    assert kinds.count("fill") == len(lane.fills)
    assert kinds.count("day") == len(lane.days)
    only = pages(site, "/api/log", symbol="AMD", kind="fill")
    assert only
    assert {one["record"]["symbol"] for one in only} == {"AMD"}


def test_an_unchanged_answer_is_not_sent_again(site: TestClient) -> None:
    first = site.get("/api/pnl")
    again = site.get("/api/pnl", headers={"If-None-Match": f'"other", {first.headers["etag"]}'})
    assert again.status_code == 304
    assert again.content == b""
    assert site.get("/api/pnl", headers={"If-None-Match": '"other"'}).content == first.content


def test_large_answers_travel_compressed(site: TestClient) -> None:
    answer = site.get("/api/log", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.json()["data"]) == 50


def test_premarket_and_runs(site: TestClient, january: January) -> None:
    told = get(site, "/api/premarket", date="2025-01-10")["data"]
    assert [one["symbol"] for one in told] == ["SPY", "NVDA", "AMD"]
    run = get(site, "/api/runs")["data"][0]
    assert run["run"] == january[1].run_id
    assert run["chain_heads"] == january[1].chain_heads
    assert (run["first_date"], run["last_date"]) == ("2025-01-02", "2025-01-17")


def test_verdicts_are_those_of_the_validator(site: TestClient, january: January) -> None:
    ruled = [one for one in january[1].lanes["advised"].decisions if one.verdict is not None]
    found = pages(site, "/api/verdicts", limit=7)
    assert len(ruled) > 14
    assert [(one["symbol"], one["ruling"], one["quantity"]) for one in reversed(found)] == [
        (one.signal.symbol, one.verdict.ruling, one.plan.quantity) for one in ruled
    ]
    vetoed = pages(site, "/api/verdicts", ruling="veto")
    assert [one["id"] for one in vetoed] == [one["id"] for one in found if one["ruling"] == "veto"]
    assert all(one["quantity"] == 0 for one in vetoed)
    assert get(site, "/api/verdicts", lane="baseline")["data"] == []
