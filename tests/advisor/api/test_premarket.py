"""Biases, contexts and what models cost, as the API tells them: real bars, and a real client."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from advisor.bootstrap import ReplayOptions
from advisor.replay import LEDGER, MARKET_LANE
from advisor.results import ReplayResult
from quant_core.calendar import to_datetime
from tests.advisor.api.test_records import get, pages
from tests.advisor.api.worlds import api, client
from tests.advisor.test_model_replay import DAY, answers, run, settings
from tests.stand_ins.anthropic import anthropic_stand_in
from tests.stand_ins.server import Request
from tests.stand_ins.steps import Fails, Step
from tests.tools.store import examples as ex
from tests.tools.store.conftest import where
from tools.llm.calls import KeptCall
from tools.store import Store

__all__ = ["where"]  # a fixture
January = tuple[Path, ReplayResult]
PREMARKET_8 = datetime(2025, 1, 8, 13, 30, tzinfo=UTC)  # 08:30 New York


# Biases, on real bars


def test_the_bias_of_a_day_is_what_the_premarket_said(site: TestClient, january: January) -> None:
    said = [one for one in january[1].biases if one.date == date(2025, 1, 8)]
    told = get(site, "/api/daily-bias", date="2025-01-08")
    assert told["date"] == "2025-01-08"
    assert [(one["symbol"], one["bias"], one["confidence"]) for one in told["data"]] == [
        (one.symbol, one.bias, one.confidence) for one in said
    ]
    assert [one["symbol"] for one in told["data"]] == ["SPY", "NVDA", "AMD"]
    assert all(one["reasoning"] and one["analyst"] == "rules.v1" for one in told["data"])
    context = next(one for one in january[1].contexts if one.date == date(2025, 1, 8))
    assert told["context"]["summary"] == context.summary
    assert told["context"]["bias"] == told["data"][0]["bias"]
    assert told["context"]["vix_date"] == (str(context.vix_date) if context.vix_date else None)
    (only,) = get(site, "/api/daily-bias", date="2025-01-08", symbol="nvda")["data"]
    assert only == told["data"][1]


def test_without_a_date_it_is_the_newest_session_and_one_without_has_none(site: TestClient) -> None:
    assert get(site, "/api/daily-bias")["date"] == "2025-01-17"
    sunday = get(site, "/api/daily-bias", date="2025-01-12")
    assert (sunday["data"], sunday["context"]) == ([], None)
    assert site.get("/api/daily-bias", params={"symbol": "TSLA"}).status_code == 404


def test_a_bias_is_unknown_until_half_past_eight(site: TestClient) -> None:
    """The canary: a second before, the newest bias is that of the day before."""
    early = (PREMARKET_8 - timedelta(seconds=1)).isoformat()
    assert get(site, "/api/daily-bias", date="2025-01-08", as_of=early)["data"] == []
    assert get(site, "/api/daily-bias", date="2025-01-08", as_of=early)["context"] is None
    before = get(site, "/api/daily-bias", as_of=early)
    assert before["date"] == "2025-01-07"
    assert len(before["data"]) == 3
    told = get(site, "/api/daily-bias", as_of=PREMARKET_8.isoformat())
    assert told["date"] == "2025-01-08"
    for one in (*told["data"], told["context"]):
        assert datetime.fromisoformat(one["known_at"]) == PREMARKET_8


def test_the_log_of_the_market_lane_has_them_by_date_symbol_and_moment(
    site: TestClient, january: January
) -> None:
    found = pages(site, "/api/log", lane=MARKET_LANE, kind="bias", limit=7)
    assert [one["record"]["reasoning"] for one in reversed(found)] == [
        one.reasoning for one in january[1].biases
    ]
    asked = {"lane": MARKET_LANE, "start_date": "2025-01-08", "end_date": "2025-01-10"}
    days = pages(site, "/api/log", **asked, kind=["bias", "market_context"])
    # The 9th was a day of mourning: the exchange was closed.
    assert {one["record"]["date"] for one in days} == {"2025-01-08", "2025-01-10"}
    assert len(days) == 2 * (3 + 1)
    mine = pages(site, "/api/log", lane=MARKET_LANE, symbol="AMD")
    assert {(one["kind"], one["record"]["symbol"]) for one in mine} == {("bias", "AMD")}
    known = pages(site, "/api/log", lane=MARKET_LANE, as_of=PREMARKET_8.isoformat())
    assert max(one["known_at"] for one in known) == "2025-01-08T13:30:00Z"


def test_health_tells_of_the_newest_premarket(site: TestClient) -> None:
    parts = {one["name"]: one for one in get(site, "/api/health")["components"]}
    assert parts["premarket"]["state"] == "ok"
    assert parts["premarket"]["detail"].startswith("2025-01-17: 3 biases and the market's context")
    assert parts["model"]["state"] == "not_configured"


def test_rules_cost_nothing(site: TestClient) -> None:
    assert get(site, "/api/market-analysis", limit=1)["data"][0]["calls"] == []
    for lane in get(site, "/api/lanes")["lanes"]:
        assert lane["model_cost"] == {"calls": 0, "usd": 0.0, "tokens_in": 0, "tokens_out": 0}


# What models cost


@dataclass(frozen=True)
class Paid:
    site: TestClient
    calls: list[KeptCall]
    mornings: list[KeptCall]


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paid]:
    """A session advised by a model from the premarket on; it is overloaded at 10:30 and 16:00."""

    def sometimes(asked: Request) -> Step:
        body = json.dumps(asked.body)
        if "Give the bias of every symbol" in body or "2026-10-14 10:30" in body:
            return Fails(status=529)
        return answers(asked)

    folder = tmp_path_factory.mktemp("paid")
    with pytest.MonkeyPatch.context() as patch, anthropic_stand_in(sometimes) as server:
        patch.setenv("ANTHROPIC_API_KEY", "sk-test")
        options = ReplayOptions(analyst="model", validation="model", premarket="model")
        result = run(options, settings(server.url), folder)
    end = to_datetime(result.sessions[-1].close)
    with Store.open(folder / LEDGER, read_only=True) as store:
        yield Paid(
            client(api(store, folder)),
            store.llm_calls(result.run_id, "advised", as_of=end),
            store.llm_calls(result.run_id, MARKET_LANE, as_of=end),
        )


def test_an_analysis_says_which_model_it_asked_and_what_that_cost(paid: Paid) -> None:
    found = pages(paid.site, "/api/market-analysis", limit=5)
    asked = {
        one.as_of: one.call for one in reversed(paid.calls) if one.machine == "market_analysis"
    }
    assert len(found) == len(asked) == 26
    for one in found:
        call = asked[datetime.fromisoformat(one["as_of"])]
        (told,) = one["calls"]
        assert told["prompt"] == "market_analysis.v1"
        assert (told["model"], told["outcome"]) == (call.model, call.outcome.value)
        assert told["cost_usd"] == float(call.cost_usd)
        assert (told["tokens_in"], told["tokens_out"]) == (call.tokens_in, call.tokens_out)
        assert told["latency_seconds"] == call.latency
        assert (told["outcome"] == "answer") == (one["status"] == "OK")
    assert sum(one["status"] == "DEGRADED" for one in found) == 1


def test_the_advised_lane_is_charged_for_all_that_was_known_at_as_of(paid: Paid) -> None:
    def cost(**query: Any) -> Any:
        lanes = get(paid.site, "/api/lanes", **query)["lanes"]
        assert all(one["model_cost"]["calls"] == 0 for one in lanes[1:])
        return lanes[0]["model_cost"]

    every = [*paid.calls, *paid.mornings]
    assert len(paid.mornings) == 1
    assert cost()["calls"] == len(every)
    assert cost()["usd"] == pytest.approx(float(sum(one.call.cost_usd for one in every)))
    assert cost()["usd"] > 0
    assert cost()["tokens_in"] == sum(one.call.tokens_in for one in every)
    noon = datetime(DAY.year, DAY.month, DAY.day, 16, tzinfo=UTC)
    known = [one for one in every if one.as_of <= noon]
    assert 0 < len(known) < len(every)
    assert cost(as_of=noon.isoformat())["calls"] == len(known)


def test_the_log_has_calls_and_findings_and_no_text_of_theirs(paid: Paid) -> None:
    found = pages(paid.site, "/api/log", kind=["model_call", "finding"])
    calls = [one["record"] for one in found if one["kind"] == "model_call"]
    assert len(calls) == len(paid.calls)
    assert {one["machine"] for one in calls} == {"market_analysis", "trade_validation"}
    assert all(one["about"] for one in calls if one["machine"] == "trade_validation")
    assert {one["record"]["detail"] for one in found if one["kind"] == "finding"} == {
        "'N99' was not given"
    }
    assert "session.time" in paid.calls[0].call.prompt.text
    assert "session.time" not in json.dumps(calls)


def test_what_failed_is_an_alert_and_degrades_health(paid: Paid) -> None:
    alerts = pages(paid.site, "/api/alerts", lane=MARKET_LANE)
    assert alerts
    assert {(one["source"], one["severity"]) for one in alerts} == {("premarket", "warning")}
    assert "overloaded" in alerts[0]["message"] or "529" in alerts[0]["message"]
    assert "analysis" in {one["source"] for one in pages(paid.site, "/api/alerts")}
    health = get(paid.site, "/api/health")
    parts = {one["name"]: one for one in health["components"]}
    assert health["status"] == parts["premarket"]["state"] == "degraded"
    assert "DEGRADED" in parts["premarket"]["detail"]
    assert parts["model"]["state"] == "ok"


# A premarket alone, on both databases


@pytest.fixture
def alone(where: str) -> Iterator[Store]:
    """A ledger with one prepared morning and no trading, on either database."""
    with Store.open(where) as store:
        store.start_run("pm", kind="premarket", config_hash="c", code_version="v", config_json="{}")
        records = [ex.SNAPSHOT, ex.CALL, ex.BIAS, ex.CONTEXT]
        store.commit_cycle("pm", MARKET_LANE, None, records, None)
        store.commit_cycle("pm", "advised", None, [replace(ASKED, as_of=ex.ANALYSIS.as_of)], None)
        store.commit_cycle("pm", "advised", None, [ex.ANALYSIS], None)
        yield store


def test_the_news_of_a_morning_is_told_as_it_was_known(where: str, tmp_path: Path) -> None:
    """Two mornings; the second read an item of its own. Nothing is told before its moment."""
    later = replace(
        ex.HEADLINE, id="gd-2", title="<b>loud</b>", symbols=(),
        published_at=ex.MORNING + timedelta(hours=20), received_at=ex.MORNING + timedelta(hours=21),
    )  # fmt: skip
    tomorrow = replace(ex.SNAPSHOT, date=ex.SNAPSHOT.date + timedelta(days=1))
    with Store.open(where) as store:
        store.start_run("pm", kind="replay", config_hash="c", code_version="v", config_json="{}")
        store.commit_cycle("pm", MARKET_LANE, None, [ex.SNAPSHOT, ex.HEADLINE], None)
        store.commit_cycle("pm", MARKET_LANE, None, [tomorrow, later], None)
        site = client(api(store, tmp_path))
        newest = get(site, "/api/news")
        assert (newest["date"], newest["lane"], newest["total"]) == ("2026-01-06", MARKET_LANE, 1)
        assert (newest["data"][0]["title"], newest["data"][0]["symbols"]) == ("<b>loud</b>", [])
        first = get(site, "/api/news", date="2026-01-05", symbol="nvda")
        (item,) = first["data"]
        assert (item["title"], item["source"]) == (ex.HEADLINE.title, "Wire")
        assert item["known_at"] == "2026-01-05T12:55:00Z"
        early = (ex.MORNING - 36 * ex.MINUTE).isoformat()
        assert get(site, "/api/news", date="2026-01-05", as_of=early)["data"] == []
        assert get(site, "/api/news", date="2026-01-07")["data"] == []
        assert get(site, "/api/news", symbol="nvda")["total"] == 0


ASKED = replace(ex.CALL, machine="market_analysis")


def test_a_prepared_morning_is_told_by_either_database(alone: Store, tmp_path: Path) -> None:
    site = client(api(alone, tmp_path))
    told = get(site, "/api/daily-bias", symbol="nvda")
    assert (told["date"], told["lane"]) == ("2026-01-05", MARKET_LANE)
    (bias,) = told["data"]
    assert (bias["premarket_price"], bias["price_note"]) == (None, "no bar since 04:00")
    assert told["context"]["vix_date"] == "2026-01-02"
    unknown = site.get("/api/daily-bias", params={"symbol": "TSLA"})
    assert unknown.status_code == 404
    assert "NVDA" in unknown.json()["detail"]
    assert get(site, "/api/runs")["data"][0]["symbols"] == ["NVDA"]
    asked = {"lane": MARKET_LANE, "kind": "bias"}
    for first, count in (("2026-01-05", 1), ("2026-01-06", 0)):
        assert len(get(site, "/api/log", **asked, start_date=first)["data"]) == count
        assert len(get(site, "/api/log", **asked, end_date=first)["data"]) == 1
    assert get(site, "/api/log", **asked, end_date="2026-01-04")["data"] == []
    (alert,) = get(site, "/api/alerts", lane=MARKET_LANE)["data"]
    assert (alert["source"], alert["message"]) == ("premarket", "timeout")
    (analysis,) = get(site, "/api/market-analysis")["data"]
    (call,) = analysis["calls"]
    assert call["cost_usd"] == float(ASKED.call.cost_usd)
    assert call["latency_seconds"] == ASKED.call.latency
    cost = get(site, "/api/lanes")["lanes"][0]["model_cost"]
    assert (cost["calls"], cost["tokens_in"]) == (2, 2 * ASKED.call.tokens_in)
