"""The market analysis: read in parallel, ask once, bound the answer.

    technicals ┐
    news       ├→ review → assess → bound
    positions  ┘      └───────┴───→ degrade

`analyst(wiring)` is an `Analyst` for the lanes. It never raises for what a model or a source does:
a failure of any kind is an analysis at base thresholds with status DEGRADED and the reason. The
prompt is made by `prompt_of` from the state alone, so what a model can see is what the reads put
there, and the state is checkpointed before the model is asked.
"""

import operator
from typing import Annotated, Any, TypedDict, cast

from graph.asking import ask, asks_once, opinion_of
from graph.bounds import HIGHEST, LOWEST, Ground, bound_analysis, in_words
from graph.machine import Machine
from graph.opinions import Keep, Opinion, calls_of, findings_of, run
from graph.ports import Runtime, Wiring
from graph.reading import enclosed, news_ids, read_news, read_positions
from graph.schemas import MarketAnswer
from graph.sheet import (
    Sheet,
    chart_sheet,
    is_known,
    joined,
    market_sheet,
    mask_of,
    plain_view,
    session_sheet,
    view_from,
)
from prompts import Facts, render
from quant_core.market_view import MarketView
from quant_core.types import Analysis, Multipliers, Status
from tools.llm.calls import Prompt
from tools.ports import Analyst

NAME = "market_analysis"
VERSION, WITH_CHARTS = 1, 2
READ = "everything was read"
UNREAD = "a read failed or nothing is known"


class AnalysisState(TypedDict, total=False):
    """`view` and `mask` are given; every node adds what it is named after."""

    view: dict[str, Any]
    mask: bool
    technicals: dict[str, Sheet]
    news: list[dict[str, str]]
    positions: Sheet
    failures: Annotated[list[str], operator.add]
    answer: dict[str, Any] | None
    call: dict[str, Any]
    failure: str
    outcome: str
    bounded: dict[str, Any]


def technicals(state: AnalysisState, runtime: Runtime) -> AnalysisState:  # noqa: ARG001
    """The verified numbers of the view."""
    view = view_from(state["view"])
    mask = mask_of(view, state["mask"])
    found = {"session": session_sheet(view, mask), "facts": market_sheet(view, mask)}
    chart = chart_sheet(view, mask, mask.symbols)
    return {"technicals": {**found, "chart": chart} if chart["facts"] else found}


def news(state: AnalysisState, runtime: Runtime) -> AnalysisState:
    """News known by now."""
    view = view_from(state["view"])
    mask = mask_of(view, state["mask"])
    found, failures = read_news(runtime, mask.symbols, view.as_of, mask)
    return {"news": found, "failures": failures}


def positions(state: AnalysisState, runtime: Runtime) -> AnalysisState:
    """Open positions and today's trades."""
    view = view_from(state["view"])
    found, failures = read_positions(runtime, view, mask_of(view, state["mask"]))
    return {"positions": found, "failures": failures}


def review(state: AnalysisState, runtime: Runtime) -> AnalysisState:  # noqa: ARG001
    """Whether there is enough to ask about."""
    if failures := state.get("failures"):
        return {"outcome": UNREAD, "failure": "; ".join(failures)[:300]}
    if not is_known(view_from(state["view"])):
        return {"outcome": UNREAD, "failure": "nothing is known of any symbol yet"}
    return {"outcome": READ}


def assess(state: AnalysisState, runtime: Runtime) -> AnalysisState:
    """Ask the model."""
    return cast(AnalysisState, ask(runtime.context, prompt_of(state), MarketAnswer))


def bound(state: AnalysisState, runtime: Runtime) -> AnalysisState:  # noqa: ARG001
    """What of the answer may count."""
    shown = joined([*state["technicals"].values(), state["positions"]])
    ids = {**shown["ids"], **news_ids(state["news"])}
    mask = mask_of(view_from(state["view"]), state["mask"])
    ground = Ground(mask=mask, ids=ids, prices=shown["prices"])
    bounded = bound_analysis(state["answer"] or {}, ground)
    return {"bounded": bounded, "outcome": "bounded"}


def degrade(state: AnalysisState, runtime: Runtime) -> AnalysisState:  # noqa: ARG001
    """No opinion, and why."""
    return {"outcome": state["failure"]}


def prompt_of(state: AnalysisState) -> Prompt:
    """The question, from nothing but the state."""
    rules = [("multiplier.range", f"{LOWEST:.2f} to {HIGHEST:.2f}, 1.0 changes nothing")]
    verified = {name: Facts(sheet["facts"]) for name, sheet in state["technicals"].items()}
    return render(
        NAME,
        WITH_CHARTS if "chart" in verified else VERSION,
        {
            "rules": Facts(rules),
            **verified,
            "positions": Facts(state["positions"]["facts"]),
            "news": enclosed(state["news"]),
        },
    )


def build() -> Any:
    """The machine as a langgraph `StateGraph`."""
    reads = (technicals, news, positions)
    return asks_once(AnalysisState, reads, review, assess, bound, degrade, (READ, UNREAD))


MACHINE = Machine(NAME, build)


def analyse(view: MarketView, wiring: Wiring) -> Opinion[Analysis]:
    """Run the machine on a view."""
    given = {"view": plain_view(view), "mask": wiring.mask}
    end = run(MACHINE, given, wiring)
    if end.get("failure") or "bounded" not in end:
        return Opinion(
            value=_degraded(view, end), machine=NAME, as_of=view.as_of, calls=calls_of(end)
        )
    bounded = end["bounded"]
    remark = in_words(bounded["findings"])
    value = Analysis(
        as_of=view.as_of,
        analyst=opinion_of(end["call"]),
        multipliers=Multipliers(**bounded["multipliers"]),
        confidence=bounded["confidence"],
        assessment=bounded["assessment"],
        opportunities=tuple(bounded["opportunities"]),
        reasoning=f"{bounded['reasoning']} {remark}".strip(),
        evidence=tuple(bounded["evidence"]),
    )
    return Opinion(
        value=value,
        machine=NAME,
        as_of=view.as_of,
        findings=findings_of(bounded),
        calls=calls_of(end),
    )


def _degraded(view: MarketView, end: dict[str, Any]) -> Analysis:
    version = WITH_CHARTS if view.alerts else VERSION
    return Analysis(
        as_of=view.as_of,
        analyst=opinion_of({"prompt": f"{NAME}.v{version}", **end.get("call", {})}),
        multipliers=Multipliers(),
        confidence=0.0,
        assessment="",
        opportunities=(),
        reasoning="",
        evidence=(),
        status=Status.DEGRADED,
        degraded_reason=end.get("failure") or "the analysis did not end",
    )


def analyst(wiring: Wiring, keep: Keep[Analysis] | None = None) -> Analyst:
    """An analyst for a lane; `keep` is given every opinion, for the caller to save."""

    def give(view: MarketView) -> Analysis:
        opinion = analyse(view, wiring)
        if keep is not None:
            keep(opinion)
        return opinion.value

    return give
