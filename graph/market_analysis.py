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

from graph.asking import ANSWERED, FAILED, ask, opinion_of, route
from graph.bounds import Ground, bound_analysis, in_words, multiplier_range
from graph.machine import Machine, add_read, state_graph
from graph.opinions import Keep, Opinion, calls_of, findings_of, run
from graph.ports import Runtime, Wiring
from graph.reading import enclosed, news_ids, read_news, read_positions
from graph.schemas import MarketAnswer
from graph.sheet import (
    Sheet,
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
VERSION = 1
READ = "everything was read"
UNREAD = "a read failed or nothing is known"


class AnalysisState(TypedDict, total=False):
    """`view`, `mask` and `authority` are given; every node adds what it is named after."""

    view: dict[str, Any]
    mask: bool
    authority: float
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
    return {"technicals": {"session": session_sheet(view, mask), "facts": market_sheet(view, mask)}}


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
    bounded = bound_analysis(state["answer"] or {}, ground, state["authority"])
    return {"bounded": bounded, "outcome": "bounded"}


def degrade(state: AnalysisState, runtime: Runtime) -> AnalysisState:  # noqa: ARG001
    """No opinion, and why."""
    return {"outcome": state["failure"]}


def prompt_of(state: AnalysisState) -> Prompt:
    """The question, from nothing but the state."""
    low, high = multiplier_range(state["authority"])
    rules = [("multiplier.range", f"{low:.2f} to {high:.2f}, 1.0 changes nothing")]
    return render(
        NAME,
        VERSION,
        {
            "rules": Facts(rules),
            "session": Facts(state["technicals"]["session"]["facts"]),
            "facts": Facts(state["technicals"]["facts"]["facts"]),
            "positions": Facts(state["positions"]["facts"]),
            "news": enclosed(state["news"]),
        },
    )


def build() -> Any:
    """The machine as a langgraph `StateGraph`."""
    graph = state_graph(AnalysisState)
    for name, node in (("technicals", technicals), ("news", news), ("positions", positions)):
        add_read(graph, name, node)
        graph.add_edge("__start__", name)
    for step in (review, assess, bound, degrade):
        graph.add_node(step.__name__, step)
    graph.add_edge(["technicals", "news", "positions"], "review")
    graph.add_conditional_edges("review", route, {READ: "assess", UNREAD: "degrade"})
    graph.add_conditional_edges("assess", route, {ANSWERED: "bound", FAILED: "degrade"})
    graph.add_edge("bound", "__end__")
    graph.add_edge("degrade", "__end__")
    return graph


MACHINE = Machine(NAME, build)


def analyse(view: MarketView, wiring: Wiring) -> Opinion[Analysis]:
    """Run the machine on a view."""
    given = {"view": plain_view(view), "mask": wiring.mask, "authority": wiring.authority}
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
    return Analysis(
        as_of=view.as_of,
        analyst=opinion_of({"prompt": f"{NAME}.v{VERSION}", **end.get("call", {})}),
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
