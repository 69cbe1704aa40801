"""What a question asks for: a tool, what of its findings, and over which records.

The parser and a language model both end here, so everything behind is the same for both: code
resolves dates, runs tools, and words or checks the answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, get_args

from graph.dates import Period
from quant_core.calendar import Calendar
from tools.figures import Group
from tools.scopes import Scope

Tool = Literal[
    "trades", "signals", "skipped", "analyses", "account", "positions", "biases", "lanes", "search"
]
TOOLS: tuple[Tool, ...] = get_args(Tool)
Why = Literal[
    "empty", "too_long", "too_many", "act", "advice", "future", "impossible", "closed",
    "unknown_symbol", "not_understood", "no_evidence", "not_verified", "no_index",
]  # fmt: skip
MEASURES: dict[Tool, tuple[str, ...]] = {
    "trades": (
        "pnl", "trades", "won", "lost", "win_rate", "mean_pnl", "mean_win", "mean_loss",
        "gross_profit", "gross_loss", "fees", "mean_r", "mean_minutes_held", "shares",
    ),
    "signals": ("signals", "ordered", "skipped", "approved", "reduced", "vetoed", "abstained"),
    "skipped": ("skipped", "vetoed"),
    "analyses": ("analyses", "degraded", "mean_confidence"),
    "account": ("end_equity", "start_equity", "change"),
    "positions": ("positions",),
    "biases": (),
    "lanes": ("pnl", "trades", "win_rate"),
    "search": (),
}  # fmt: skip


class Refusal(Exception):
    """A question is not answered: why, in one word and in one sentence for a person."""

    def __init__(self, why: Why, message: str) -> None:
        """Keep both."""
        self.why = why
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One thing to look up. `measure` is a value of the tool's figures; empty: the records.

    `pick` asks for the group or record with the greatest or least measure; `limit` for the newest
    or oldest records only; `reason` for reasons as well as numbers; `query` is what to search for.
    """

    tool: Tool
    scope: Scope
    period: Period = field(default_factory=Period)
    measure: str = ""
    by: Group = ""
    pick: Literal["", "best", "worst"] = ""
    limit: int = 0
    newest: bool = True
    reason: bool = False
    query: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What a conversation is about: what a next question may leave out. Never what was found.

    It holds what was asked and not what was answered, so nothing that may have changed since, such
    as a position, is ever remembered.
    """

    requests: tuple[Request, ...] = ()

    @property
    def last(self) -> Request | None:
        """The last thing that was asked."""
        return self.requests[-1] if self.requests else None

    def continued(self, requests: Sequence[Request]) -> "Topic":
        """The topic after a question; what was asked long before is forgotten."""
        return Topic(requests=(*self.requests[-4:], *requests))


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known when a question is read: the moment, the calendar, and what the run holds."""

    as_of: datetime
    calendar: Calendar
    symbols: Sequence[str]
    lanes: Sequence[str]
    sessions: Sequence[date]
    lane: str

    def check_symbols(self, named: Sequence[str]) -> None:
        """Refuse a symbol that the run does not watch."""
        strange = [symbol for symbol in named if symbol not in self.symbols]
        if strange:
            watched = ", ".join(self.symbols) or "no symbol at all"
            raise Refusal(
                "unknown_symbol",
                f"{', '.join(strange)}: not a symbol of this run, which watches {watched}.",
            )

    def covered(self, period: Period) -> Period:
        """A period within what was recorded; refused when nothing of it was."""
        if not self.sessions:
            raise Refusal("no_evidence", "The ledger holds no session yet, so nothing can be said.")
        first, last = self.sessions[0], self.sessions[-1]
        asked_first, asked_last = period.first or first, period.last or last
        if period.names_days and not any(asked_first <= one <= asked_last for one in self.sessions):
            raise Refusal(
                "no_evidence",
                f"The ledger has nothing on {period.in_words()}: it covers {first} to {last}.",
            )
        note = period.note
        if asked_first < first and period.first is not None and self._missed(asked_first, first):
            note = "; ".join(part for part in (note, f"the ledger begins on {first}") if part)
        whole = not period.names_days and not (period.at or period.after or period.before)
        if not period.names_days and not whole:
            asked_first = asked_last = last
        return Period(
            first=max(asked_first, first) if whole or note else asked_first,
            last=asked_last, after=period.after, before=period.before, at=period.at, note=note,
        )  # fmt: skip

    def _missed(self, asked: date, first: date) -> bool:
        """Whether there was a session between a date and the ledger's first one."""
        return any(one.date < first for one in self.calendar.between(asked, first))
