"""Each machine once through a vendor's real client, recorded, and replayed without a call."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from graph.market_analysis import analyse
from graph.opinions import Opinion
from graph.ports import Wiring
from graph.premarket import prepare
from graph.trade_validation import validate
from quant_core.types import Multipliers, Status
from tests.graph.test_premarket import BIASES, CONTEXT, MORNING
from tests.graph.worlds import APPROVE, GOOD, News, budget, headline, signal, view
from tests.stand_ins.anthropic import anthropic_stand_in
from tests.stand_ins.bedrock import bedrock_stand_in
from tests.stand_ins.openai import openai_stand_in
from tests.stand_ins.server import Script, StandIn
from tests.stand_ins.steps import Fails, Hangs, Says
from tests.tools.llm.conftest import keys
from tools.llm import LiveModel, ModelParameters, PriceList, RecordingModel, ReplayModel
from tools.llm.recordings import RecordingsFile

__all__ = ["keys"]  # the fixture that sets keys which are none

NEWS = News([headline("Chips fly", minutes_ago=180)])


@dataclass(frozen=True)
class Case:
    """A machine, a provider, what the model says, and how the machine is run."""

    model: str
    stand_in: Callable[[Script], AbstractContextManager[StandIn]]
    lines: tuple[dict[str, Any], ...]
    run: Callable[[Wiring], Opinion[Any]]


CASES = {
    "market_analysis": Case(
        "anthropic:claude-sonnet-5-5", anthropic_stand_in, (GOOD,), lambda w: analyse(view(), w)
    ),
    "trade_validation": Case(
        "openai:gpt-6-sol", openai_stand_in, (APPROVE,), lambda w: validate(signal(), view(), w)
    ),
    "premarket": Case(
        "bedrock:us.anthropic.claude-opus-5-5-v1:0",
        bedrock_stand_in,
        (BIASES, CONTEXT),
        lambda w: prepare(MORNING, w),
    ),
}


def parameters(case: Case, url: str) -> ModelParameters:
    provider = case.model.partition(":")[0]
    settings: dict[str, Any] = {f"{provider}_base_url": url, "bedrock_region": "us-east-1"}
    return ModelParameters(models=(case.model,), backoff_seconds=0.01, **settings)


@pytest.mark.parametrize("name", CASES)
def test_a_machine_runs_through_a_real_client_and_is_replayed(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    with case.stand_in([Says(text=json.dumps(line)) for line in case.lines]) as server:
        asked = parameters(case, server.url)
        with RecordingsFile.open(tmp_path / "calls.sqlite") as kept:
            model = RecordingModel(LiveModel(asked, PriceList()), asked, kept)
            live = case.run(Wiring(model=model, budget=budget(), news=NEWS))
    assert live.value.status is Status.OK, live.value.degraded_reason
    assert [call["model"] for call in live.calls] == [case.model] * len(case.lines)
    assert len(server.requests) == len(case.lines)
    assert "Chips fly" in json.dumps(server.requests[0].body)

    with RecordingsFile.open(tmp_path / "calls.sqlite", read_only=True) as kept:
        replayed = case.run(Wiring(model=ReplayModel(asked, kept), budget=budget(), news=NEWS))
    assert replayed == live


def test_a_server_that_hangs_or_is_down_leaves_the_thresholds_alone() -> None:
    case = CASES["market_analysis"]
    for step, kind in ((Hangs(), "timeout"), (Fails(status=500), "unreachable")):
        with case.stand_in(lambda _, step=step: step) as server:  # type: ignore[misc]
            model = LiveModel(parameters(case, server.url), PriceList())
            model.prepare()
            wired = Wiring(model=model, budget=budget(), seconds=1.0)
            analysis = analyse(view(), wired).value
        assert analysis.multipliers == Multipliers()
        assert analysis.degraded_reason.startswith(f"{kind}: ")


def test_another_mask_is_another_question(tmp_path: Path) -> None:
    """A recording made without a mask must not answer a masked run."""
    case = CASES["market_analysis"]
    with case.stand_in([Says(text=json.dumps(GOOD))] * 2) as server:
        asked = parameters(case, server.url)
        wired = Wiring(model=LiveModel(asked, PriceList()), budget=budget())
        calls = [case.run(replace(wired, mask=mask)).calls[0]["key"] for mask in (False, True)]
    assert calls[0] != calls[1]
