"""Questions that one function puts and another answers, over the real client of a model."""

import json
from datetime import timedelta
from typing import Any

import pytest

from infra.handlers.api import Api
from infra.handlers.live_cycle import LiveCycle
from infra.handlers.market_analysis import MarketAnalysis
from quant_core.types import Status
from tests.advisor.test_model_replay import ANALYSIS
from tests.infra.handlers.cloud import Cloud, Context
from tests.infra.handlers.test_days import request
from tests.stand_ins.anthropic import anthropic_stand_in
from tests.stand_ins.steps import Fails, Says
from tools.errors import BadInput, NoData


def modelled(cloud: Cloud, url: str) -> dict[str, str]:
    return {
        "ANALYST": "model",
        "ADVISOR_LLM__MODELS": "anthropic:claude-sonnet-5-5",
        "ADVISOR_LLM__ANTHROPIC_BASE_URL": url,
        "ADVISOR_LLM__RETRIES": "0",
    }


def analyses(cloud: Cloud) -> list[Any]:
    with cloud.store() as store:
        (run,) = store.runs()
        return store.analyses(run.run_id, "advised", as_of=cloud.stage.now + timedelta(minutes=5))


@pytest.mark.slow
def test_a_question_is_asked_once_and_its_answer_counts(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    with anthropic_stand_in(lambda _: Says(text=json.dumps(ANALYSIS))) as server:
        more = modelled(cloud, server.url)
        cycle = LiveCycle(cloud.given(**more), cloud.clock)
        analysis = MarketAnalysis(cloud.given(**more), cloud.clock)
        cloud.at(0.05)
        cloud.tick(cycle)
        cloud.tick(cycle)  # a duplicate starts it again; the answer is one
        assert cloud.starts.told
        for event in cloud.starts.told * 2:
            analysis(event, Context())
        assert len(server.requests) == 1
        assert analyses(cloud) == []  # nobody has looked yet
        cloud.at(1.05)
        cloud.tick(LiveCycle(cloud.given(**more), cloud.clock))
        (one,) = analyses(cloud)
        assert (one.status, one.multipliers.mr_arm) == (Status.OK, 0.8)
        with cloud.store() as store:
            (run,) = store.runs()
            kept = store.llm_calls(run.run_id, "advised", as_of=cloud.stage.now)
        assert len(kept) == 1
        # The next one is put and never answered: DEGRADED, and minutes go on.
        for minute in range(2, 18):
            cloud.at(minute + 0.05)
            cloud.tick(cycle)
    _, late = analyses(cloud)
    assert late.status is Status.DEGRADED
    assert "no answer within 45 s" in late.degraded_reason


@pytest.mark.slow
def test_a_model_that_fails_is_the_reason(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    with anthropic_stand_in(lambda _: Fails(status=529)) as server:
        more = modelled(cloud, server.url)
        cycle = LiveCycle(cloud.given(**more), cloud.clock)
        cloud.at(0.05)
        cloud.tick(cycle)
        MarketAnalysis(cloud.given(**more), cloud.clock)(cloud.starts.told[0], Context())
        cloud.at(1.05)
        cloud.tick(cycle)
    (one,) = analyses(cloud)
    assert one.status is Status.DEGRADED


@pytest.mark.parametrize(
    "event",
    [None, {}, {"run": "../x", "as_of": "2025-03-12T14:00:00Z"}, {"run": "a", "as_of": "noon"},
     {"run": "a", "as_of": "2025-03-12T14:00:00"}],
)  # fmt: skip
def test_what_is_no_question(cloud: Cloud, event: Any) -> None:
    with pytest.raises(BadInput, match="the live cycle sends"):
        MarketAnalysis(cloud.given(), cloud.clock)(event, Context())


def test_a_question_that_nobody_put(cloud: Cloud) -> None:
    event = {"run": "abc", "as_of": "2025-03-12T14:00:00+00:00"}
    with pytest.raises(NoData, match="has put no question"):
        MarketAnalysis(cloud.given(), cloud.clock)(event, Context())


@pytest.mark.slow
def test_containers_that_share_no_disk_share_the_budget_of_the_day(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    dear = Says(text=json.dumps(ANALYSIS), tokens=(985_000, 20))  # at 2 and 10 USD a million
    with anthropic_stand_in(lambda _: dear) as server:
        more = modelled(cloud, server.url) | {"ADVISOR_LLM_BUDGET__USD_PER_DAY": "2"}
        cycle = LiveCycle(cloud.given(**more), cloud.clock)
        for minute in range(17):
            cloud.at(minute + 0.05)
            cloud.tick(cycle)
            if minute in (0, 15):
                apart = {"ADVISOR_SPENDING__FILE": str(cloud.folder / f"disk-{minute}" / "file")}
                container = cloud.given(**more, **apart)
                MarketAnalysis(container, cloud.clock)(cloud.starts.told[-1], Context())
    assert len(server.requests) == 1
    asked, refused = analyses(cloud)
    assert asked.status is Status.OK
    assert refused.status is Status.DEGRADED
    assert "0.0298 USD" in refused.degraded_reason
    api = Api(cloud.given(**more))
    told = json.loads(api(request("/api/health"), Context())["body"])
    api.close()
    assert "$1.97 of $2.00" in str(told)
