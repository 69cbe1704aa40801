"""Which records a question is about: lane, symbols, sessions, hours, and what else narrows.

A trade belongs to the time at which it was closed; everything else to the time of its bar.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Literal

from quant_core.calendar import NEW_YORK
from quant_core.types import ExitReason, Setup
from tools.evidence import Fact, Row, facts, word
from tools.figures import About
from tools.records_as_rows import SIDES
from tools.session_sums import SignalKind
from tools.trade_sums import Kind

Ruling = Literal["approve", "reduce", "veto", "abstain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which records: every part narrows, None and () do not.

    Sessions from `first` to `last`, both included; New York wall clock in [after, before).
    """

    lane: str = "advised"
    symbols: tuple[str, ...] = ()
    first: date | None = None
    last: date | None = None
    after: time | None = None
    before: time | None = None
    setup: Setup | None = None
    side: Literal[-1, 0, 1] = 0
    outcome: Literal["won", "lost"] | None = None
    exit_reason: ExitReason | None = None
    ruling: Ruling | None = None
    blocked_by: str | None = None

    def holds(self, moment: datetime) -> bool:
        """Whether a moment lies in the sessions and hours."""
        local = moment.astimezone(NEW_YORK)
        if (self.first and local.date() < self.first) or (self.last and local.date() > self.last):
            return False
        clock = local.time()
        return not ((self.after and clock < self.after) or (self.before and clock >= self.before))

    @property
    def is_whole(self) -> bool:
        """Whether whole sessions are asked for, without a filter on their records."""
        parts = (self.symbols, self.after, self.before, self.setup, self.side, self.outcome)
        return not any(parts) and self.exit_reason is None


def about(scope: Scope, what: str = "") -> About:
    """What figures over a scope are about: a key that says the scope, and its facts."""
    days = "all"
    if scope.first or scope.last:
        days = "-".join(f"{one:%Y%m%d}" if one else "" for one in (scope.first, scope.last))
    clock = "-".join(f"{one:%H%M}" if one else "" for one in (scope.after, scope.before))
    side = SIDES[scope.side] if scope.side else ""
    filters = (scope.setup, side, scope.outcome, scope.exit_reason, scope.ruling, scope.blocked_by)
    parts = (what, scope.lane, days, clock.strip("-"), "+".join(scope.symbols), *filters)
    fixed = facts(
        lane=word(scope.lane),
        first=Fact("date", scope.first.isoformat()) if scope.first else None,
        last=Fact("date", scope.last.isoformat()) if scope.last else None,
        after=word(f"{scope.after:%H:%M}") if scope.after else None,
        before=word(f"{scope.before:%H:%M}") if scope.before else None,
        symbols=word(" ".join(scope.symbols)) if scope.symbols else None,
    )
    return About(":".join(str(part) for part in parts if part), fixed)


def at(row: Row, name: str) -> datetime:
    """A moment that a row must have."""
    return datetime.fromisoformat(row.text(name))


def within(day: date, scope: Scope) -> bool:
    """Whether a session is in the scope."""
    return not ((scope.first and day < scope.first) or (scope.last and day > scope.last))


def speaks_of(row: Row, scope: Scope) -> bool:
    """Whether a row is about a symbol of the scope."""
    return not scope.symbols or row.symbol in scope.symbols


def _matches(row: Row, wanted: Mapping[str, object | None]) -> bool:
    return all(value is None or row.text(name) == str(value) for name, value in wanted.items())


def holds_trade(row: Row, scope: Scope) -> bool:
    """Whether a trade is in the scope."""
    wanted = {
        "setup": scope.setup,
        "side": SIDES[scope.side] if scope.side else None,
        "outcome": scope.outcome,
        "exit_reason": scope.exit_reason,
    }
    return speaks_of(row, scope) and scope.holds(at(row, "exit_time")) and _matches(row, wanted)


def tells_kinds(scope: Scope) -> bool:
    """Whether a scope takes some kinds of trades only."""
    return bool(scope.symbols or scope.setup or scope.side or scope.outcome or scope.exit_reason)


def holds_kind(kind: Kind, scope: Scope) -> bool:
    """Whether trades of a kind are in the scope, as far as kinds tell."""
    wanted = {
        "setup": scope.setup,
        "side": SIDES[scope.side] if scope.side else None,
        "outcome": scope.outcome,
        "exit_reason": scope.exit_reason,
    }
    return (not scope.symbols or kind.symbol in scope.symbols) and all(
        value is None or getattr(kind, name) == str(value) for name, value in wanted.items()
    )


def holds_signal_kind(kind: SignalKind, scope: Scope) -> bool:
    """Whether signals of a kind are in the scope, as far as kinds tell."""
    wanted = {
        "setup": scope.setup,
        "side": SIDES[scope.side] if scope.side else None,
        "ruling": scope.ruling,
        "blocked_by": scope.blocked_by,
    }
    return (not scope.symbols or kind.symbol in scope.symbols) and all(
        value is None or getattr(kind, name) == str(value) for name, value in wanted.items()
    )


def holds_signal(row: Row, scope: Scope) -> bool:
    """Whether a signal is in the scope."""
    wanted = {
        "setup": scope.setup,
        "side": SIDES[scope.side] if scope.side else None,
        "ruling": scope.ruling,
        "blocked_by": scope.blocked_by,
    }
    return speaks_of(row, scope) and scope.holds(at(row, "time")) and _matches(row, wanted)
