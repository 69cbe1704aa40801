"""The validation of a triggered signal: read, ask once, bound the verdict.

    context ┐
    news    ├→ review → rule → bound
    similar ┘      └──────┴──→ abstain

`validator(wiring)` is a `Validator` for the lanes. A failure of any kind abstains with status
DEGRADED. The ledger is read as of the session's open, and today is seen through the view alone:
within a session a replay writes its ledger at other minutes than live trading does, and the two
must ask the same question. What a chart of the symbol told is asked about in another version of the
prompt, so that without it nothing is otherwise than it was.
"""

import math
import operator
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Any, TypedDict, cast

from graph.asking import ask, asks_once, opinion_of
from graph.bounds import Ground, bound_verdict, in_words
from graph.machine import Machine
from graph.opinions import Keep, Opinion, calls_of, findings_of, run
from graph.ports import Runtime, Wiring
from graph.reading import enclosed, news_ids, read_news, read_similar
from graph.schemas import ValidationAnswer
from graph.sheet import (
    SIDES,
    Sheet,
    add_fact,
    chart_sheet,
    joined,
    market_sheet,
    mask_of,
    new_sheet,
    plain_view,
    session_sheet,
    view_from,
)
from prompts import Facts, render
from quant_core.market_view import MarketView
from quant_core.types import Setup, Signal, Status, Verdict
from tools.llm.calls import Prompt
from tools.ports import Validator

NAME = "trade_validation"
VERSION, WITH_CHARTS = 1, 2
READ = "everything was read"
UNREAD = "a read failed"
RISK_PERCENT = 1.0


class ValidationState(TypedDict, total=False):
    """`signal`, `view`, `risk_percent` and `mask` are given; every node adds its part."""

    signal: dict[str, Any]
    view: dict[str, Any]
    risk_percent: float
    mask: bool
    context: dict[str, Sheet]
    news: list[dict[str, str]]
    similar: Sheet
    failures: Annotated[list[str], operator.add]
    answer: dict[str, Any] | None
    call: dict[str, Any]
    failure: str
    outcome: str
    bounded: dict[str, Any]


def context(state: ValidationState, runtime: Runtime) -> ValidationState:  # noqa: ARG001
    """The signal, what it would become, and the verified numbers of the view."""
    view, signal = view_from(state["view"]), signal_from(state["signal"])
    mask = mask_of(view, state["mask"])
    found = {
        "session": session_sheet(view, mask),
        "signal": _signal_sheet(signal, mask.shown(signal.symbol)),
        "plan": _plan_sheet(signal, view.equity, state["risk_percent"]),
        "facts": market_sheet(view, mask),
    }
    chart = chart_sheet(view, mask, (signal.symbol,))
    return {"context": {**found, "chart": chart} if chart["facts"] else found}


def news(state: ValidationState, runtime: Runtime) -> ValidationState:
    """News on the symbol known by now."""
    view = view_from(state["view"])
    symbols = (state["signal"]["symbol"],)
    found, failures = read_news(runtime, symbols, view.as_of, mask_of(view, state["mask"]))
    return {"news": found, "failures": failures}


def similar(state: ValidationState, runtime: Runtime) -> ValidationState:
    """Trades of the same kind from earlier sessions."""
    view, signal = view_from(state["view"]), signal_from(state["signal"])
    opened = view.as_of - timedelta(minutes=view.minutes_since_open)
    mask = mask_of(view, state["mask"])
    found, failures = read_similar(runtime, signal.symbol, signal.setup, signal.side, opened, mask)
    return {"similar": found, "failures": failures}


def review(state: ValidationState, runtime: Runtime) -> ValidationState:  # noqa: ARG001
    """Whether everything that exists could be read."""
    if failures := state.get("failures"):
        return {"outcome": UNREAD, "failure": "; ".join(failures)[:300]}
    return {"outcome": READ}


def rule(state: ValidationState, runtime: Runtime) -> ValidationState:
    """Ask the model."""
    return cast(ValidationState, ask(runtime.context, prompt_of(state), ValidationAnswer))


def bound(state: ValidationState, runtime: Runtime) -> ValidationState:  # noqa: ARG001
    """What of the answer may count."""
    shown = joined([*state["context"].values(), state["similar"]])
    ids = {**shown["ids"], **news_ids(state["news"])}
    mask = mask_of(view_from(state["view"]), state["mask"])
    ground = Ground(mask=mask, ids=ids, prices=shown["prices"])
    return {"bounded": bound_verdict(state["answer"] or {}, ground), "outcome": "bounded"}


def abstain(state: ValidationState, runtime: Runtime) -> ValidationState:  # noqa: ARG001
    """No ruling, and why."""
    return {"outcome": state["failure"]}


def prompt_of(state: ValidationState) -> Prompt:
    """The question, from nothing but the state."""
    shown = {name: Facts(sheet["facts"]) for name, sheet in state["context"].items()}
    past = Facts(state["similar"]["facts"], empty="(none yet)")
    version = WITH_CHARTS if "chart" in shown else VERSION
    return render(NAME, version, {**shown, "similar": past, "news": enclosed(state["news"])})


def signal_from(plain: dict[str, Any]) -> Signal:
    """The signal that `validate` put into the state."""
    start = datetime.fromisoformat(plain["start"])
    return Signal(**{**plain, "start": start, "setup": Setup(plain["setup"])})


def _signal_sheet(signal: Signal, shown: str) -> Sheet:
    sheet = new_sheet()
    names = {Setup.MEAN_REVERSION: "mean reversion", Setup.TREND_CONTINUATION: "trend continuation"}
    add_fact(sheet, "signal.symbol", shown)
    add_fact(sheet, "signal.setup", f"{signal.setup.value} ({names[signal.setup]})")
    add_fact(sheet, "signal.side", SIDES[signal.side])
    add_fact(sheet, "signal.z", f"{signal.z:+.2f}")
    for name in ("price", "stop", "target"):
        price = getattr(signal, name)
        add_fact(sheet, f"signal.{name}", f"{price:.2f} USD", prices=[price])
    return sheet


def _plan_sheet(signal: Signal, equity: float, risk_percent: float) -> Sheet:
    """The plan before every cap: size by risk, distance and reward for risk."""
    sheet = new_sheet()
    risk = abs(signal.price - signal.stop)
    add_fact(sheet, "plan.risk_per_share", f"{risk:.2f} USD", prices=[risk])
    if risk > 0 and math.isfinite(equity):
        shares = math.floor(equity * risk_percent / 100.0 / risk)
        add_fact(sheet, "plan.shares", f"{shares} before risk limits")
        reward = abs(signal.target - signal.price) / risk
        add_fact(sheet, "plan.reward_for_risk", f"{reward:.2f}")
    return sheet


def build() -> Any:
    """The machine as a langgraph `StateGraph`."""
    reads = (context, news, similar)
    return asks_once(ValidationState, reads, review, rule, bound, abstain, (READ, UNREAD))


MACHINE = Machine(NAME, build)


def validate(
    signal: Signal, view: MarketView, wiring: Wiring, risk_percent: float = RISK_PERCENT
) -> Opinion[Verdict]:
    """Run the machine on a signal; `view` is the market at the close of the trigger bar."""
    given = {
        "signal": {
            **asdict(signal),
            "start": signal.start.isoformat(),
            "setup": signal.setup.value,  # plain: a checkpoint revives no type of ours
        },
        "view": plain_view(view),
        "risk_percent": risk_percent,
        "mask": wiring.mask,
    }
    end = run(MACHINE, given, wiring)
    told = any(one.symbol == signal.symbol for one in view.alerts)
    version = WITH_CHARTS if told else VERSION
    who = opinion_of({"prompt": f"{NAME}.v{version}", **end.get("call", {})})
    if end.get("failure") or "bounded" not in end:
        value = Verdict(
            ruling="abstain",
            confidence=0.0,
            validator=who,
            status=Status.DEGRADED,
            degraded_reason=end.get("failure") or "the validation did not end",
        )
        return Opinion(
            value=value,
            machine=NAME,
            as_of=view.as_of,
            about=signal.symbol,
            calls=calls_of(end),
        )
    bounded = end["bounded"]
    value = Verdict(
        ruling=bounded["ruling"],
        size_factor=bounded["size_factor"],
        confidence=bounded["confidence"],
        reasoning=f"{bounded['reasoning']} {in_words(bounded['findings'])}".strip(),
        evidence=tuple(bounded["evidence"]),
        validator=who,
    )
    return Opinion(
        value=value,
        machine=NAME,
        as_of=view.as_of,
        about=signal.symbol,
        findings=findings_of(bounded),
        calls=calls_of(end),
    )


def validator(
    wiring: Wiring, keep: Keep[Verdict] | None = None, risk_percent: float = RISK_PERCENT
) -> Validator:
    """A validator for a lane; `keep` is given every opinion, for the caller to save."""

    def give(signal: Signal, view: MarketView) -> Verdict:
        opinion = validate(signal, view, wiring, risk_percent)
        if keep is not None:
            keep(opinion)
        return opinion.value

    return give
