"""The settings a report needs, read back from a summary, and the thresholds in force by minute.

A result holds what was decided; the settings it was decided under travel in `summary["settings"]`.
What is missing there has its default. The steps below retell `quant_core.engine._thresholds` and
`advisor.cycle._apply_pending` for people: an analysis applies `latency_bars` after the last bar it
saw, until it expires or the next one applies, and beyond half the daily loss limit an arm
multiplier below one counts as one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from advisor.settings import AnalysisSettings
from quant_core.bars import Floats, Ints
from quant_core.calendar import Session, to_minute
from quant_core.parameters import RiskLimits, StdevParameters
from quant_core.types import Analysis

OPENING = 9 * 60 + 30
Reason = Literal["analysis", "none", "expired", "tightened"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRules:
    """The parameters that were in force, as far as a report shows them."""

    stdev: StdevParameters
    risk: RiskLimits
    interval: int
    latency: int
    expiry: int

    @classmethod
    def of(cls, summary: Mapping[str, Any]) -> "ReportRules":
        """The rules in a summary's settings; defaults where it says nothing."""
        settings = summary.get("settings") or {}
        analysis, defaults = settings.get("analysis") or {}, AnalysisSettings()
        return cls(
            stdev=_group(StdevParameters, settings.get("stdev")),
            risk=_group(RiskLimits, settings.get("risk")),
            interval=int(analysis.get("interval_minutes", defaults.interval_minutes)),
            latency=int(analysis.get("latency_bars", defaults.latency_bars)),
            expiry=int(analysis.get("expiry_intervals", defaults.expiry_intervals)),
        )

    def plain(self) -> dict[str, Any]:
        """What the page computes thresholds, shading and counts from."""
        stdev = self.stdev
        return {
            "base": [stdev.mr_arm_z, stdev.mr_trigger_z, stdev.tc_arm_z, stdev.tc_trigger_z],
            "window": [stdev.entry_from - OPENING, stdev.entry_until - OPENING],
            "flat": stdev.flat_from - OPENING,
            "earlyFlat": stdev.flat_before_early_close,
            "cap": stdev.atr_percentile_cap,
            "interval": self.interval,
        }


def _group(kind: Any, values: Mapping[str, Any] | None) -> Any:
    """A parameter group from plain values; infinity travels as text or as null."""
    given = values or {}
    return kind(
        **{
            field.name: float("inf") if given[field.name] in ("inf", None) else given[field.name]
            for field in fields(kind)
            if field.name in given
        }
    )


@dataclass(frozen=True, slots=True)
class Step:
    """From `row` of a session on these multipliers hold, asked for by an analysis or by none."""

    row: int
    factors: tuple[float, float, float, float]
    analysis: int
    reason: Reason


_NEUTRAL = (1.0, 1.0, 1.0, 1.0)


def steps_of_session(
    session: Session,
    analyses: Sequence[tuple[int, Analysis]],
    loss: Floats,
    loss_limit: float,
    rules: ReportRules,
) -> list[Step]:
    """The multipliers in force through one session, as steps.

    `analyses` are the session's, with their positions in the lane; `loss` is the daily loss ($)
    after each row (minutes,). A new step begins where the factors or their reason change.
    """
    factors = np.ones((session.minutes, 4))
    source = np.full(session.minutes, -1)
    expired = np.zeros(session.minutes, np.bool_)
    begins = {position: _first_row(analysis, session, rules) for position, analysis in analyses}
    # A late answer may overtake a younger analysis that was not asked.
    for position, analysis in sorted(analyses, key=lambda one: begins[one[0]]):
        begin = begins[position]
        end = to_minute(analysis.as_of) - session.open + rules.expiry * rules.interval
        if begin >= session.minutes:
            continue
        end = max(end, begin)
        factors[begin:], source[begin:], expired[begin:] = 1.0, -1, True
        factors[begin:end] = analysis.multipliers.as_tuple()
        source[begin:end], expired[begin:end] = position, False
    eased = (factors[:, 0] < 1.0) | (factors[:, 2] < 1.0)
    tightened = (loss > loss_limit / 2.0) & eased
    factors[tightened] = np.maximum(factors[tightened], (1.0, 0.0, 1.0, 0.0))
    changes = np.ones(session.minutes, np.bool_)
    changes[1:] = (source[1:] != source[:-1]) | (tightened[1:] != tightened[:-1])
    changes[1:] |= expired[1:] != expired[:-1]
    return [
        _step(int(row), factors[row], int(source[row]), bool(expired[row]), bool(tightened[row]))
        for row in np.flatnonzero(changes)
    ]


def _first_row(analysis: Analysis, session: Session, rules: ReportRules) -> int:
    """The first row that an analysis applied to; beyond the session for none."""
    if analysis.applies_from is not None:
        return to_minute(analysis.applies_from) - session.open
    return max(to_minute(analysis.as_of) - session.open + rules.latency - 1, 0)


def _step(row: int, factors: Floats, source: int, expired: bool, tightened: bool) -> Step:
    reason: Reason = "analysis"
    if source < 0:
        reason = "expired" if expired else "none"
    elif tightened:
        reason = "tightened"
    first, second, third, fourth = (float(value) for value in factors)
    return Step(row, (first, second, third, fourth), source, reason)


def daily_loss(session: Session, start_equity: float, minutes: Ints, equity: Floats) -> Floats:
    """Dollars lost since the session began, after each row; shape (minutes of the session,).

    A minute without a bar keeps the loss before it.
    """
    marks = np.full(session.minutes, start_equity)
    inside = (minutes >= session.open) & (minutes < session.close)
    rows = minutes[inside] - session.open
    filled = np.zeros(session.minutes, np.int64)
    filled[rows] = np.arange(1, len(rows) + 1)
    latest = np.maximum.accumulate(filled)
    known = latest > 0
    marks[known] = equity[inside][latest[known] - 1]
    return start_equity - marks


def loss_limit(start_equity: float, risk: RiskLimits) -> float:
    """The daily loss ($) beyond which nothing may be entered."""
    return min(risk.max_daily_loss, risk.max_daily_loss_percent / 100.0 * start_equity)
