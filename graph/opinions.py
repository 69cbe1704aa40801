"""What a machine gives back beside the domain object: what was corrected, and what it cost.

The caller saves it; a machine changes nothing. `findings` say what the bounds clamped, dropped or
listed; `calls` are the questions asked, with the key of their recording, model, tokens and USD, and
each whole under `verbatim`. `records_of` turns both into what a ledger keeps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from graph.bounds import Finding
from graph.machine import Machine
from graph.ports import Wiring
from quant_core.types import AnswerFinding
from tools.errors import BadInput
from tools.llm.calls import KeptCall, LlmCall

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion(Generic[T]):
    """An analysis, a verdict or a premarket, with its findings and its calls.

    `machine` formed it as of `as_of`, about a symbol or (`about` empty) about the market.
    """

    value: T
    machine: str
    as_of: datetime
    about: str = ""
    findings: tuple[Finding, ...] = ()
    calls: tuple[Mapping[str, Any], ...]


Keep = Callable[[Opinion[T]], None]


def run(machine: Machine, given: Mapping[str, Any], wiring: Wiring) -> dict[str, Any]:
    """The state a machine ends in; a defect inside it is a failure with its reason.

    BadInput passes through: it is for the person who started the run (a missing recording).
    """
    try:
        return machine.run(given, wiring)
    except BadInput:
        raise
    except Exception as error:
        return {"failure": f"{type(error).__name__}: {error}"[:300]}


def calls_of(end: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The questions that a machine asked a model."""
    found = end.get("calls") or ([end["call"]] if "call" in end else [])
    return tuple(call for call in found if "key" in call)


def findings_of(bounded: Mapping[str, Any]) -> tuple[Finding, ...]:
    """The findings in a bounded answer."""
    return tuple(Finding(**one) for one in bounded.get("findings", ()))


def records_of(opinion: Opinion[Any]) -> list[KeptCall | AnswerFinding]:
    """What a ledger keeps of how an opinion came about: its calls, then its findings."""
    whence: dict[str, Any] = {
        "as_of": opinion.as_of,
        "machine": opinion.machine,
        "about": opinion.about,
    }
    calls = [
        KeptCall(call=msgspec.json.decode(call["verbatim"], type=LlmCall), **whence)
        for call in opinion.calls
    ]
    findings = [
        AnswerFinding(kind=one.kind, field=one.field, detail=one.detail, **whence)
        for one in opinion.findings
    ]
    return [*calls, *findings]
