"""What models cost and how long they took, from the recordings of a run.

A call belongs to the session that its prompt states (`session.time`, written by code). A masked
prompt states none: such calls are charged in equal parts to all sessions of the run. What could
not be measured (an estimated cost, where no bill came) counts as what was reserved for it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from quant_core.bars import Floats
from tools.llm import LlmCall

_STATED = re.compile(r"^session\.time = (\d{4}-\d{2}-\d{2}) ", re.MULTILINE)
QUANTILES = (0.5, 0.9, 0.99, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCost:
    """One session's questions to models."""

    date: date
    calls: float
    usd: float
    tokens_in: float
    tokens_out: float


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


def costs(calls: Sequence[LlmCall], dates: Sequence[date]) -> list[SessionCost]:
    """The cost of each session, in the order of `dates`."""
    columns = np.zeros((len(dates), 4))
    place = {str(day): row for row, day in enumerate(dates)}
    for call in calls:
        spent = (1.0, float(call.cost_usd), call.tokens_in, call.tokens_out)
        stated = _session_of(call)
        if stated in place:
            columns[place[stated]] += spent
        else:
            columns += np.array(spent) / len(dates)
    return [
        SessionCost(date=day, calls=count, usd=usd, tokens_in=tokens_in, tokens_out=tokens_out)
        for day, (count, usd, tokens_in, tokens_out) in zip(dates, columns.tolist(), strict=True)
    ]


def usd_by_session(found: Sequence[SessionCost]) -> Floats:
    """Dollars a session."""
    return np.array([one.usd for one in found])


def latencies(calls: Sequence[LlmCall]) -> list[Latency]:
    """Quantiles for each prompt version and model that was asked; no calls, no rows."""
    groups: dict[tuple[str, str], list[float]] = {}
    for call in calls:
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


def _session_of(call: LlmCall) -> str:
    stated = _STATED.search(call.prompt.text)
    return stated[1] if stated else ""
