"""The premarket: prepare a day from snapshots, news and the market, with a model or by rules.

    snapshots ┐
    market    ├→ review → ask_biases → bound_biases → ask_context → bound_context → summarise
    news      ┘      └────────┴─────────────→ fall_back ←─┘ ───────────────────────────┘

`prepare(given, wiring)` gives a `Premarket` whatever happens: without a model the rules speak and
the status is OK; when a model that was asked fails they speak and the status is DEGRADED. Biases
that the model gave stay when only the context failed. The caller saves the result.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

from pydantic import BaseModel

from graph import premarket_rules as rules
from graph.asking import ANSWERED, FAILED, ask, opinion_of, route
from graph.bounds import Finding, bound_biases, bound_context
from graph.machine import Machine, add_read, state_graph
from graph.opinions import Opinion, calls_of, run
from graph.ports import Runtime, Wiring
from graph.premarket_facts import (
    Morning,
    PremarketState,
    bias_prompt,
    context_prompt,
    given_of,
    ground_of,
    market_sheet,
    mask_of,
    snapshot_sheet,
    snapshots_of,
)
from graph.premarket_rules import Premarket
from graph.reading import read_news
from graph.schemas import BiasAnswer, ContextAnswer
from quant_core.types import DailyBias, MarketContext, Status
from tools.llm.calls import Prompt

NAME = "premarket"
HOUR = timedelta(hours=1)
NO_MODEL = "no model is configured"
READ = "everything was read"
BY_RULES = "no model, or a read failed"


def snapshots(state: PremarketState, runtime: Runtime) -> PremarketState:  # noqa: ARG001
    """The verified numbers of every symbol."""
    return {"snapshots": snapshot_sheet(state)}


def market(state: PremarketState, runtime: Runtime) -> PremarketState:  # noqa: ARG001
    """The moment, and the market as a whole."""
    return {"market": market_sheet(state)}


def news(state: PremarketState, runtime: Runtime) -> PremarketState:
    """News known by now."""
    mask, as_of = mask_of(state), datetime.fromisoformat(state["as_of"])
    found, failures = read_news(runtime, mask.symbols, as_of, mask)
    return {"news": found, "failures": failures}


def review(state: PremarketState, runtime: Runtime) -> PremarketState:  # noqa: ARG001
    """Whether a model is to be asked."""
    if not state["model"]:
        return {"outcome": BY_RULES}
    if failures := state.get("failures"):
        return {"outcome": BY_RULES, "failure": "; ".join(failures)[:300]}
    return {"outcome": READ}


def ask_biases(state: PremarketState, runtime: Runtime) -> PremarketState:
    """Ask for the bias of every symbol."""
    return _ask(runtime, bias_prompt(state), BiasAnswer)


def keep_biases(state: PremarketState, runtime: Runtime) -> PremarketState:  # noqa: ARG001
    """What of the biases may count; the rules speak for a symbol that was left out."""
    bounded = bound_biases(state["answer"] or {}, ground_of(state))
    who, found, biases = opinion_of(state["call"]), list(bounded["findings"]), {}
    for one in snapshots_of(state):
        if one.symbol in bounded["biases"]:
            biases[one.symbol] = {**bounded["biases"][one.symbol], "analyst": who}
        else:
            instead = rules.bias_of(one, state["prices"].get(one.symbol, math.nan))
            biases[one.symbol] = {**instead, **_degraded("the model left it out")}
            detail = f"nothing for {one.symbol} by the rules"
            found.append({"kind": "replaced", "field": "biases", "detail": detail})
    return {"biases": biases, "findings": found, "outcome": "bounded"}


def ask_context(state: PremarketState, runtime: Runtime) -> PremarketState:
    """Ask for the market as a whole."""
    return _ask(runtime, context_prompt(state), ContextAnswer)


def keep_context(state: PremarketState, runtime: Runtime) -> PremarketState:  # noqa: ARG001
    """What of the context may count."""
    bounded = bound_context(state["answer"] or {}, ground_of(state))
    found = bounded.pop("findings")
    context = {**bounded, "analyst": opinion_of(state["call"])}
    return {"context": context, "findings": found, "outcome": "bounded"}


def fall_back(state: PremarketState, runtime: Runtime) -> PremarketState:  # noqa: ARG001
    """The rules for whatever no model has given."""
    reason = state.get("failure") or ""
    biases = state.get("biases") or {
        one.symbol: {
            **rules.bias_of(one, state["prices"].get(one.symbol, math.nan)),
            **_degraded(reason),
        }
        for one in snapshots_of(state)
    }
    return {
        "biases": biases,
        "context": {**rules.context_of(biases, state["vix"]), **_degraded(reason)},
        "outcome": reason or NO_MODEL,
    }


def _degraded(reason: str) -> dict[str, str]:
    """The status of an opinion by rules: as intended, or instead of a model's."""
    return {"status": str(Status.DEGRADED if reason else Status.OK), "degraded_reason": reason}


def summarise(state: PremarketState, runtime: Runtime) -> PremarketState:  # noqa: ARG001
    """What people read."""
    return {"summary": rules.summary_of(state["biases"], state["context"], state["vix"])}


def _ask(runtime: Runtime, prompt: Prompt, schema: type[BaseModel]) -> PremarketState:
    update = ask(runtime.context, prompt, schema)
    return cast(PremarketState, {**update, "calls": [update["call"]]})


def build() -> Any:
    """The machine as a langgraph `StateGraph`."""
    graph = state_graph(PremarketState)
    reads: dict[str, Any] = {"snapshots": snapshots, "market": market, "news": news}
    for name, node in reads.items():
        add_read(graph, f"read_{name}", node)
        graph.add_edge("__start__", f"read_{name}")
    steps: dict[str, Any] = {
        "review": review,
        "ask_biases": ask_biases,
        "bound_biases": keep_biases,
        "ask_context": ask_context,
        "bound_context": keep_context,
        "fall_back": fall_back,
        "summarise": summarise,
    }
    for name, step in steps.items():
        graph.add_node(name, step)
    graph.add_edge([f"read_{name}" for name in reads], "review")
    graph.add_conditional_edges("review", route, {READ: "ask_biases", BY_RULES: "fall_back"})
    for step, after in (("ask_biases", "bound_biases"), ("ask_context", "bound_context")):
        graph.add_conditional_edges(step, route, {ANSWERED: after, FAILED: "fall_back"})
    graph.add_edge("bound_biases", "ask_context")
    graph.add_edge("bound_context", "summarise")
    graph.add_edge("fall_back", "summarise")
    graph.add_edge("summarise", "__end__")
    return graph


MACHINE = Machine(NAME, build)


Prepare = Callable[[Morning], Opinion[Premarket]]


def preparer(wiring: Wiring) -> Prepare:
    """Who prepares days with a model; news is read since the morning's `news_since`."""

    def give(morning: Morning) -> Opinion[Premarket]:
        hours = (morning.as_of - morning.news_since) / HOUR if morning.news_since else None
        return prepare(morning, replace(wiring, news_hours=hours) if hours else wiring)

    return give


def prepare(morning: Morning, wiring: Wiring) -> Opinion[Premarket]:
    """Prepare a day. Raises ValueError without a snapshot; BadInput for a missing recording."""
    if not morning.snapshots:
        raise ValueError("a premarket needs the snapshot of at least one symbol")
    given = given_of(morning, mask=wiring.mask, model=wiring.model is not None)
    end = run(MACHINE, given, wiring)
    if "summary" not in end:
        failure = end.get("failure", "the premarket did not end")
        end = _by_rules({**given, "failure": failure})
    return _opinion(morning, end)


def prepare_by_rules(morning: Morning) -> Opinion[Premarket]:
    """Prepare a day by the rules alone; asks nobody, reads nothing, and needs no langgraph."""
    if not morning.snapshots:
        raise ValueError("a premarket needs the snapshot of at least one symbol")
    return _opinion(morning, _by_rules(given_of(morning, mask=False, model=False)))


def _opinion(morning: Morning, end: Mapping[str, Any]) -> Opinion[Premarket]:
    reason = end.get("failure") or ""
    value = Premarket(
        as_of=morning.as_of,
        date=morning.snapshots[0].date,
        biases=tuple(_bias(symbol, one, morning) for symbol, one in end["biases"].items()),
        context=_context(end["context"], morning),
        summary=end["summary"],
        status=Status.DEGRADED if reason else Status.OK,
        degraded_reason=reason,
    )
    return Opinion(
        value=value,
        machine=NAME,
        as_of=morning.as_of,
        findings=tuple(Finding(**one) for one in end.get("findings", ())),
        calls=calls_of(end),
    )


def _by_rules(state: Mapping[str, Any]) -> dict[str, Any]:
    """What the machine would have ended with, had it fallen back at once."""
    runtime = cast(Runtime, None)
    plain = cast(PremarketState, dict(state))
    plain = cast(PremarketState, {**plain, **fall_back(plain, runtime)})
    return {**plain, **summarise(plain, runtime)}


def _typed(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **one,
        "evidence": tuple(one["evidence"]),
        "status": Status(one.get("status", Status.OK)),
    }


def _context(one: Mapping[str, Any], morning: Morning) -> MarketContext:
    return MarketContext(
        as_of=morning.as_of,
        date=morning.snapshots[0].date,
        vix=morning.vix,
        vix_date=morning.vix_date,
        **_typed(one),
    )


def _bias(symbol: str, one: Mapping[str, Any], morning: Morning) -> DailyBias:
    known = morning.price(symbol)
    return DailyBias(
        as_of=morning.as_of,
        symbol=symbol,
        date=next(given.date for given in morning.snapshots if given.symbol == symbol),
        premarket_price=float(known.price),
        premarket_price_at=known.at,
        price_note=known.note,
        **_typed(one),
    )
