"""What models cost and how long they took, from the calls that a run's ledger keeps.

A call belongs to the session that was asked about (its `as_of`): premarkets, analyses and verdicts
alike. What could not be measured (an estimated cost, where no bill came) counts as what was
reserved for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from quant_core.bars import Floats
from quant_core.calendar import NEW_YORK
from tools.llm.calls import KeptCall, LlmCall

QUANTILES = (0.5, 0.9, 0.99, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCost:
    """One session's questions to models."""

    date: date
    calls: int
    usd: float
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Seconds from question to outcome of one prompt: median, 90 %, 99 % and the longest."""

    prompt: str
    model: str
    calls: int
    median: float
    p90: float
    p99: float
    longest: float


def costs(calls: Sequence[KeptCall], dates: Sequence[date]) -> list[SessionCost]:
    """The cost of each session, in the order of `dates`."""
    by_day: dict[date, list[LlmCall]] = {day: [] for day in dates}
    for kept in calls:
        by_day[kept.as_of.astimezone(NEW_YORK).date()].append(kept.call)
    return [
        SessionCost(
            date=day,
            calls=len(own),
            usd=float(sum(call.cost_usd for call in own)),
            tokens_in=sum(call.tokens_in for call in own),
            tokens_out=sum(call.tokens_out for call in own),
        )
        for day, own in by_day.items()
    ]


def usd_by_session(found: Sequence[SessionCost]) -> Floats:
    """Dollars a session."""
    return np.array([one.usd for one in found])


def latencies(calls: Sequence[KeptCall]) -> list[Latency]:
    """Quantiles for each prompt version and model that was asked; no calls, no rows."""
    groups: dict[tuple[str, str], list[float]] = {}
    for call in (kept.call for kept in calls):
        key = f"{call.prompt.id}.v{call.prompt.version}", call.model or "nobody"
        groups.setdefault(key, []).append(call.latency)
    rows = []
    for (prompt, model), seconds in sorted(groups.items()):
        median, p90, p99, longest = (float(q) for q in np.quantile(seconds, QUANTILES))
        rows.append(
            Latency(
                prompt=prompt, model=model, calls=len(seconds), median=median, p90=p90, p99=p99,
                longest=longest,
            )
        )  # fmt: skip
    return rows
