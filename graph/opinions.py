"""What a machine gives back beside the domain object: what was corrected, and what it cost.

The caller saves it; a machine changes nothing. `findings` say what the bounds clamped, dropped or
listed; `calls` are the questions asked, with the key of their recording, model, tokens and USD.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from graph.bounds import Finding
from graph.machine import Machine
from graph.ports import Wiring
from tools.errors import BadInput

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion(Generic[T]):
    """An analysis, a verdict or a premarket, with its findings and its calls."""

    value: T
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
