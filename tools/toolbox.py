"""What may be asked of a ledger: read-only tools with typed arguments, as of one moment.

These are the only ways from a question to the numbers, whoever asks: the parser, a language model
through its schema, or a person. Each takes a `Scope` and returns `Found`: the records in order,
and figures over them. A tool never fails because there is nothing: a figure of no rows says 0,
and that is a citation too. Where two records of the ledger contradict each other (a trade twice;
trades that do not add up to the change of the account), both stand and `conflicts` says so.

A trade belongs to the time at which it was closed; a signal, an analysis to the time of its bar.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from quant_core.calendar import NEW_YORK, to_datetime, xnys
from quant_core.types import Analysis, DailyBias, Decision, Fill, LaneDay, Trade, Transition
from tools import figures, records_as_rows
from tools.counting import analyses_counted, signals_counted
from tools.evidence import Row
from tools.lane_reads import MARKET, MOST_RECORDS, LaneReads, Reads
from tools.records_as_rows import MINUTE
from tools.scopes import (
    Scope,
    about,
    at,
    holds_kind,
    holds_signal,
    holds_trade,
    speaks_of,
    tells_kinds,
    within,
)
from tools.store import Store
from tools.trade_sums import (
    EVERY,
    NONE,
    Session,
    TooManyRecords,
    TradeSum,
    Want,
    days_that_hold,
    wanted_days,
)

MANY, MOST = 500, 1_000  # trades: more are added up by session; more are not listed
CENT = Decimal("0.01")


class Conflict(NamedTuple):
    """Two things in the ledger that cannot both be true, and the rows that say them."""

    text: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a tool found: figures (the one over everything first), and the records in order.

    `basis` are rows of sums that figures are made of, where these are not records.
    """

    figures: tuple[Row, ...] = ()
    rows: tuple[Row, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    basis: tuple[Row, ...] = ()

    def all(self) -> dict[str, Row]:
        """Every row by its id."""
        doubted = [row for conflict in self.conflicts for row in conflict.rows]
        return {row.id: row for row in (*self.figures, *self.rows, *self.basis, *doubted)}


@dataclass(slots=True)
class Toolbox:
    """The tools over one run of an open ledger, as of a moment. Reads are kept for its life.

    Figures over more than `many` records are made of the sums of sessions.
    """

    store: Store
    run_id: str
    as_of: datetime
    reads: Reads | None = None
    many: int = MANY
    _lane_reads: LaneReads = field(init=False)

    def __post_init__(self) -> None:
        """Read through `reads` where questions share them."""
        self._lane_reads = LaneReads(self.reads or Reads.of(self.store), self.run_id, self.as_of)

    # What there is

    def lanes(self) -> tuple[str, ...]:
        """The run's lanes that can be asked about, the main one first."""
        return self._lane_reads.lanes()

    def symbols(self) -> tuple[str, ...]:
        """The run's watchlist, in order; empty when nothing was ever recorded."""
        return self._lane_reads.symbols()

    def sessions(self, lane: str) -> tuple[date, ...]:
        """New York dates on which the lane has recorded anything by now, in order."""
        return self._lane_reads.sessions(lane)

    def warm(self, lane: str) -> None:
        """Add up what questions about many records of a lane would wait for."""
        self._lane_reads.trade_sums(lane, None, None)
        self._lane_reads.signal_sums(lane, None, None)
        self._lane_reads.analysis_sums(lane, None, None)

    # Tools

    def trades(self, scope: Scope, by: figures.Group = "", want: Want = EVERY) -> Found:
        """Closed trades, their profit and loss, and the same by day, symbol, setup, …

        Of many trades the figures are made from the sums of sessions, and only those records are
        found that are wanted.
        """
        if self._many(scope, MOST if want == EVERY else self.many):
            return self._summed(scope, by, want)
        rows = self._trades(scope)
        dates = self._dates(scope) if by == "day" and scope.outcome is None else ()
        made = figures.of_trades(about(scope), rows, by, dates)
        return Found(figures=made, rows=tuple(rows), conflicts=self._conflicts(scope, rows))

    def signals(self, scope: Scope, by: figures.Group = "", want: Want = EVERY) -> Found:
        """Signals with plan and verdict, and how many were ordered, reduced, vetoed, refused.

        Many of them are counted by session, and only those records are found that are wanted.
        """
        if want != EVERY and self._many_signals(scope):
            return self._counted(scope, by, want, "")
        rows = self._signals(scope)
        return Found(
            figures=figures.of_signals(about(scope), rows, by), rows=tuple(rows),
            conflicts=_repeated(rows),
        )  # fmt: skip

    def skipped(self, scope: Scope, by: figures.Group = "", want: Want = EVERY) -> Found:
        """Signals that were not ordered, with the check or the verdict that refused them."""
        if want != EVERY and self._many_signals(scope):
            return self._counted(scope, by, want, "skipped")
        rows = [row for row in self._signals(scope) if row.text("outcome") == "skipped"]
        return Found(
            figures=figures.of_signals(about(scope, "skipped"), rows, by), rows=tuple(rows),
            conflicts=_repeated(rows),
        )  # fmt: skip

    def analyses(self, scope: Scope, want: Want = EVERY) -> Found:
        """Market analyses with their multipliers, confidence and reasons."""
        if want == NONE and not (scope.after or scope.before):
            months = analyses_counted(self._lane_reads, scope)
            if sum(one.analyses for days in months.values() for one in days) > self.many:
                made, basis = figures.of_analysis_counts(about(scope), months)
                return Found(figures=made, basis=basis)
        everything = self._rows(Analysis, scope, records_as_rows.analysis)
        rows = [row for row in everything if scope.holds(at(row, "time"))]
        return Found(figures=figures.of_analyses(about(scope), rows), rows=tuple(rows))

    def transitions(self, scope: Scope) -> Found:
        """When symbols were armed, and when they went back to idle, and why."""
        everything = self._rows(Transition, scope, records_as_rows.transition)
        rows = [row for row in everything if speaks_of(row, scope) and scope.holds(at(row, "time"))]
        return Found(rows=tuple(rows))

    def biases(self, scope: Scope) -> Found:
        """What kind of day each symbol was expected to have; the same for every lane."""
        one_day = {"date": scope.first} if scope.first and scope.first == scope.last else None
        rows = [
            row
            for row in self._lane_reads.rows(DailyBias, MARKET, records_as_rows.bias, where=one_day)
            if speaks_of(row, scope) and within(date.fromisoformat(row.text("date")), scope)
        ]
        return Found(rows=tuple(rows), figures=figures.of_biases(about(scope), rows))

    def account(self, scope: Scope) -> Found:
        """The account at the beginning and end of each finished session."""
        rows = [
            row
            for row in self._rows(LaneDay, scope, records_as_rows.day)
            if within(date.fromisoformat(row.text("date")), scope)
        ]
        return Found(rows=tuple(rows), figures=figures.of_days(about(scope), rows))

    def positions(self, scope: Scope, *, when: datetime | None = None) -> Found:
        """Positions open at a moment (now, unless an earlier one is named)."""
        moment = self.as_of if when is None else min(when, self.as_of)
        fills: dict[str, list[Fill]] = {}
        for fill in self._lane_reads.fills_of_holdings(scope.lane, moment):
            if fill.start + MINUTE <= moment and (
                not scope.symbols or fill.symbol in scope.symbols
            ):
                fills.setdefault(fill.symbol, []).append(fill)
        order_of = self._lane_reads.last_order
        rows = [
            records_as_rows.position(scope.lane, since, order_of(scope.lane, symbol, moment))
            for symbol, done in fills.items()
            if (since := _since_flat(done))
        ]
        return Found(figures=(figures.of_positions(about(scope), rows, moment),), rows=tuple(rows))

    def compare_lanes(self, scope: Scope) -> Found:
        """The trades of every lane over the same scope, and the difference to the baseline."""
        parts = {lane: self.trades(replace(scope, lane=lane), want=NONE) for lane in self.lanes()}
        heads = {lane: found.figures[0] for lane, found in parts.items()}
        rows = tuple(row for found in parts.values() for row in found.rows)
        conflicts = tuple(said for found in parts.values() for said in found.conflicts)
        differences = figures.of_lanes(about(scope), heads)
        basis = tuple(row for found in parts.values() for row in found.basis)
        return Found(
            figures=(*heads.values(), *differences), rows=rows, conflicts=conflicts, basis=basis
        )

    # How

    def _trades(self, scope: Scope) -> list[Row]:
        rows = self._rows(Trade, scope, records_as_rows.trade)
        return [row for row in rows if holds_trade(row, scope)]

    def _many(self, scope: Scope, most: int) -> bool:
        """Whether trades are better added up than looked at; only the sums know no hours."""
        days = self._lane_reads.days_within(scope.lane, scope.first, scope.last)
        return not (scope.after or scope.before) and sum(one.record.trades for one in days) > most

    def _summed(self, scope: Scope, by: figures.Group, want: Want) -> Found:
        """What `trades` finds, from the sums of sessions."""
        sessions = self._lane_reads.trade_sums(scope.lane, scope.first, scope.last)
        if tells_kinds(scope):
            sessions = [
                Session.of(
                    day, {kind: one for kind, one in sums.items() if holds_kind(kind, scope)}
                )
                for day, sums, _ in sessions
            ]
        groups: dict[str, TradeSum] = {}
        for day, sums, whole in sessions:
            if by in ("", "day"):
                if whole.trades or (by and scope.outcome is None):
                    name = str(day) if by else f"{day:%Y-%m}"
                    groups.setdefault(name, TradeSum()).add(whole)
                continue
            for kind, one in sums.items():
                groups.setdefault(getattr(kind, by) or "none", TradeSum()).add(one)
        made, basis = figures.of_trade_sums(about(scope), groups, by)
        days = wanted_days(sessions, want)
        rows = [row for day in days for row in self._trades(replace(scope, first=day, last=day))]
        return Found(figures=made, rows=tuple(rows), basis=basis)

    def _many_signals(self, scope: Scope) -> bool:
        """Whether signals are better counted than looked at; only the counts know no hours."""
        days = self._lane_reads.days_within(scope.lane, scope.first, scope.last)
        many = sum(one.record.signals for one in days) > self.many
        return many and not (scope.after or scope.before)

    def _counted(self, scope: Scope, by: figures.Group, want: Want, outcome: str) -> Found:
        """What `signals` and `skipped` find, from the counts of sessions."""
        groups, held = signals_counted(self._lane_reads, scope, by, outcome)
        made, basis = figures.of_signal_counts(about(scope, outcome), groups, by)
        rows = [
            row
            for day in days_that_hold(held, want)
            for row in self._signals(replace(scope, first=day, last=day))
            if outcome in ("", row.text("outcome"))
        ]
        return Found(figures=made, rows=tuple(rows), basis=basis)

    def _signals(self, scope: Scope) -> list[Row]:
        days = self._lane_reads.days_within(scope.lane, scope.first, scope.last)
        if (number := sum(one.record.signals for one in days)) > MOST_RECORDS:
            raise TooManyRecords(f"That is about {number:,} signals; name fewer days")
        everything = self._rows(Decision, scope, records_as_rows.signal)
        return [row for row in everything if holds_signal(row, scope)]

    def _dates(self, scope: Scope) -> tuple[date, ...]:
        return tuple(one for one in self.sessions(scope.lane) if within(one, scope))

    def _conflicts(self, scope: Scope, trades: Sequence[Row]) -> tuple[Conflict, ...]:
        """Trades that come twice, and sessions whose trades are not the account's change."""
        said = [*_repeated(trades)]
        if not scope.is_whole:
            return tuple(said)
        by_day: dict[date, Decimal] = {}
        for row in trades:
            day = at(row, "exit_time").astimezone(NEW_YORK).date()
            by_day[day] = by_day.get(day, Decimal(0)) + (row.number("pnl") or 0)
        for row in self.account(scope).rows:
            day, change = date.fromisoformat(row.text("date")), row.number("change")
            pnl = by_day.get(day, Decimal(0))
            if change is not None and abs(change - pnl) >= CENT and self._flat_over(scope, day):
                of_day = replace(scope, first=day, last=day)
                traded = figures.of_trades(about(of_day), self._trades(of_day), "")[0]
                text = (
                    f"on {day} the trades add up to {pnl:.2f} USD, but the account changed by "
                    f"{change:.2f} USD"
                )
                said.append(Conflict(text, (traded, row)))
        return tuple(said)

    def _flat_over(self, scope: Scope, day: date) -> bool:
        """Whether nothing was held over a session's ends, so that trades are all that counts."""
        session = xnys(day.year, day.year).on(day)
        if session is None:
            return False
        ends = (to_datetime(session.open), to_datetime(session.close) + timedelta(minutes=1))
        return not any(self.positions(Scope(lane=scope.lane), when=end).rows for end in ends)

    def _rows(self, kind: type[Any], scope: Scope, make: Callable[[str, Any], Row]) -> list[Row]:
        return self._lane_reads.rows(kind, scope.lane, make, scope.first, scope.last)


def _repeated(rows: Sequence[Row]) -> tuple[Conflict, ...]:
    again = "the same {kind} of {symbol} stands in it more than once"
    return tuple(
        Conflict(again.format(kind=row.kind, symbol=row.symbol), (row,))
        for row in rows
        if "~" in row.id
    )


def _since_flat(fills: Sequence[Fill]) -> list[Fill]:
    """The fills since the symbol was last flat; empty when it is flat now."""
    held = 0
    since: list[Fill] = []
    for fill in fills:
        held += fill.side * fill.quantity
        since = [*since, fill] if held else []
    return since
