"""Signals and analyses counted over more sessions than are looked at one by one.

Closed sessions are counted once and kept (`tools.session_sums`); what has happened since is counted
from its records. Hours of the day are not among what is counted by.
"""

from collections import Counter
from datetime import date
from decimal import Decimal

from quant_core.calendar import NEW_YORK
from quant_core.types import Analysis, Decision
from tools import records_as_rows
from tools.evidence import Row
from tools.figures import Group
from tools.lane_reads import LaneReads
from tools.scopes import Scope, at, holds_signal_kind
from tools.session_sums import AnalysisDay, SignalDay, SignalKind


def signals_counted(
    reads: LaneReads, scope: Scope, by: Group, outcome: str
) -> tuple[dict[str, Counter[SignalKind]], list[tuple[date, int]]]:
    """The signals of a scope by group, or by month without one; and how many each session holds.

    `outcome` is `skipped`, or empty for all of them.
    """
    groups: dict[str, Counter[SignalKind]] = {}
    numbers: list[tuple[date, int]] = []
    for day, counts in (*reads.signal_sums(scope.lane, scope.first, scope.last),
                        *_running_signals(reads, scope)):  # fmt: skip
        held = {
            kind: number
            for kind, number in counts.items()
            if holds_signal_kind(kind, scope) and outcome in ("", kind.outcome)
        }
        numbers.append((day, sum(held.values())))
        for kind, number in held.items():
            groups.setdefault(_group(kind, day, by), Counter())[kind] += number
    return groups, numbers


def _running_signals(reads: LaneReads, scope: Scope) -> list[SignalDay]:
    found: dict[date, Counter[SignalKind]] = {}
    rows = reads.running(
        Decision, scope.lane, records_as_rows.signal, scope.first, scope.last
    )  # fmt: skip
    for row in rows:
        kind = SignalKind(*(row.text(name) for name in SignalKind._fields))
        found.setdefault(_day(row), Counter())[kind] += 1
    return [SignalDay(day, counts) for day, counts in found.items()]


def _group(kind: SignalKind, day: date, by: Group) -> str:
    if by in ("", "day"):
        return str(day) if by else f"{day:%Y-%m}"
    return getattr(kind, by) or "none"


def analyses_counted(reads: LaneReads, scope: Scope) -> dict[str, list[AnalysisDay]]:
    """The analyses of a scope by session, gathered in months."""
    days = [*reads.analysis_sums(scope.lane, scope.first, scope.last)]
    rows = reads.running(
        Analysis, scope.lane, records_as_rows.analysis, scope.first, scope.last
    )  # fmt: skip
    for row in rows:
        confidence = row.number("confidence")
        degraded = int(row.text("status") == "DEGRADED")
        rated = int(confidence is not None)
        days.append(AnalysisDay(_day(row), 1, degraded, rated, confidence or Decimal(0)))
    months: dict[str, list[AnalysisDay]] = {}
    for one in days:
        months.setdefault(f"{one.day:%Y-%m}", []).append(one)
    return months


def _day(row: Row) -> date:
    return at(row, "time").astimezone(NEW_YORK).date()
