"""How a lane's analyst is asked: at once, as here, or beside the loop (`advisor.beside`).

A cycle puts a question when an analysis is due and takes what has been answered when a bar has
closed. It does not know whether the two happen in the same call or minutes apart, and so replay
and live trading go the same way. Every question ends in exactly one `Analysis`: the analyst's, or
a DEGRADED one at base thresholds that says why there is none.
"""

from datetime import datetime
from typing import Protocol

from quant_core.market_view import MarketView
from quant_core.types import Analysis, Multipliers, Status, Verdict
from tools.errors import BadInput
from tools.ports import Analyst


class Asking(Protocol):
    """Puts a lane's questions to its analyst, and hands over the answers."""

    def ask(self, analyst: Analyst, view: MarketView) -> None:
        """Put a question about a view. BadInput: it cannot be answered in this run at all."""
        ...

    def answers(self, closed: datetime) -> list[Analysis]:
        """What was answered, or given up, before the bar that closed at this moment; each once."""
        ...

    def give_up(self) -> list[Analysis]:
        """The session is over: a DEGRADED analysis for every question still open."""
        ...

    def held(self) -> str:
        """What another process needs to give the answers still due; empty for nothing."""
        ...

    def take_up(self, held: str) -> bool:
        """Go on in a new process; False when open questions are lost with the old one."""
        ...


class AtOnce:
    """Waits for the analyst: replay, where no minute can be delayed."""

    def __init__(self) -> None:
        """Nothing is asked yet."""
        self._answers: list[Analysis] = []

    def ask(self, analyst: Analyst, view: MarketView) -> None:
        """Ask, and keep the answer until it is taken."""
        self._answers.append(opinion(analyst, view))

    def answers(self, closed: datetime) -> list[Analysis]:  # noqa: ARG002  as fast as any bar
        """Everything that was asked."""
        given, self._answers = self._answers, []
        return given

    def give_up(self) -> list[Analysis]:
        """Nothing is ever open."""
        return []

    def held(self) -> str:
        """Nothing: an answer is committed in the cycle that asked."""
        return ""

    def take_up(self, held: str) -> bool:  # noqa: ARG002
        """A question without an outcome died with its process."""
        return False


def opinion(analyst: Analyst, view: MarketView) -> Analysis:
    """What the analyst says, or a DEGRADED analysis with what went wrong.

    BadInput passes: a recording that cannot answer would make a different run.
    """
    try:
        return analyst(view)
    except BadInput:
        raise
    except Exception as error:
        return degraded(view.as_of, f"{type(error).__name__}: {error}")


def degraded(as_of: datetime, reason: str) -> Analysis:
    """No opinion, base thresholds, and why."""
    return Analysis(
        as_of=as_of,
        analyst="none",
        multipliers=Multipliers(),
        confidence=0.0,
        assessment="",
        opportunities=(),
        reasoning="",
        evidence=(),
        status=Status.DEGRADED,
        degraded_reason=reason,
    )


def abstention(reason: str, validator: str = "") -> Verdict:
    """No verdict, and why."""
    return Verdict(
        ruling="abstain",
        confidence=0.0,
        validator=validator,
        status=Status.DEGRADED,
        degraded_reason=reason,
    )
