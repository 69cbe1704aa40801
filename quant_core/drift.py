"""Has a model lost its confidence? Model drift, DOMAIN.md section 3.

The median confidence of a session's answers so far is held against the median of all answers of
the sessions before. Below a few answers today, or a few sessions before, nothing is said: one
doubtful answer is no drift.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

LEAST_SESSIONS = 5


@dataclass(frozen=True, slots=True)
class Drift:
    """Medians of confidence (0 to 100) today and before, and of how many sessions."""

    today: float
    before: float
    sessions: int


def drift(
    answers: Sequence[tuple[date, float]],
    today: date,
    *,
    fall_percent: float,
    sessions: int,
    least_answers: int,
) -> Drift | None:
    """The fall, where confidence has fallen by more than `fall_percent`; None where it has not.

    `answers` are (session, confidence) of one model; those after `today` are not looked at.
    """
    now = [confidence for day, confidence in answers if day == today]
    days = sorted({day for day, _ in answers if day < today})[-sessions:]
    if len(now) < least_answers or len(days) < LEAST_SESSIONS:
        return None
    before = median(confidence for day, confidence in answers if days[0] <= day < today)
    fallen = median(now) < before * (1.0 - fall_percent / 100.0)
    return Drift(median(now), before, len(days)) if fallen else None
