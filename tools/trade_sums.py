"""Trades added up by session and kind, for questions about more than can be cited one by one.

A closed session never changes, so its sums are made once and kept; what they are kept by (symbol,
setup, side, exit, outcome) is what a question may filter or group by. Only hours of the day are
not among it. The sums are exact decimals: the same figures as over the trades themselves.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Literal, NamedTuple

from quant_core.types import ExitReason, LaneDay, Setup, Trade
from tools.errors import BadInput
from tools.evidence import exact
from tools.records_as_rows import MINUTE, SIDES
from tools.session_sums import ALWAYS, SessionSums
from tools.store import codec
from tools.store.paging import Entry, Place, Span

NOTHING = Decimal(0)


class TooManyRecords(BadInput):
    """More records than are read for one question."""


class Want(NamedTuple):
    """Which records are wanted beside figures: so many of the `newest` or `oldest`, those that
    weigh most (`extreme`), `none` or `every` one.
    """

    which: Literal["newest", "oldest", "extreme", "none", "every"]
    many: int = 3


EVERY, NONE, EXTREME = Want("every"), Want("none"), Want("extreme")


class Kind(NamedTuple):
    """What trades are added up by."""

    symbol: str
    setup: str
    side: str
    exit_reason: str
    outcome: str


@dataclass(slots=True)
class TradeSum:
    """Trades added up. `rated` counts those whose risk at entry is known."""

    trades: int = 0
    won: int = 0
    lost: int = 0
    pnl: Decimal = NOTHING
    gross_profit: Decimal = NOTHING
    gross_loss: Decimal = NOTHING
    fees: Decimal = NOTHING
    r: Decimal = NOTHING
    rated: int = 0
    minutes_held: int = 0
    shares: int = 0
    best_pnl: Decimal = Decimal("-Infinity")
    worst_pnl: Decimal = Decimal("Infinity")

    def add(self, other: "TradeSum") -> None:
        """Add what another holds."""
        self.trades += other.trades
        self.won += other.won
        self.lost += other.lost
        self.pnl += other.pnl
        self.gross_profit += other.gross_profit
        self.gross_loss += other.gross_loss
        self.fees += other.fees
        self.r += other.r
        self.rated += other.rated
        self.minutes_held += other.minutes_held
        self.shares += other.shares
        self.best_pnl = max(self.best_pnl, other.best_pnl)
        self.worst_pnl = min(self.worst_pnl, other.worst_pnl)


class Session(NamedTuple):
    """The trades of a session, by kind and together."""

    day: date
    sums: Mapping[Kind, TradeSum]
    whole: TradeSum

    @classmethod
    def of(cls, day: date, sums: Mapping[Kind, TradeSum]) -> "Session":
        """With the sum over all kinds."""
        whole = TradeSum()
        for one in sums.values():
            whole.add(one)
        return cls(day, sums, whole)


def summed(trades: Sequence[Trade]) -> dict[Kind, TradeSum]:
    """The sums of some trades."""
    found: dict[Kind, TradeSum] = {}
    for one in trades:
        kind, value = _one(one)
        if kind in found:
            found[kind].add(value)
        else:
            found[kind] = value
    # Trades of one kind all won or all lost: one object says both, in forty thousand sums.
    for kind, value in found.items():
        if kind.outcome == "won":
            value.gross_profit = value.pnl
        elif kind.outcome == "lost":
            value.gross_loss = value.pnl
    return found


@lru_cache(maxsize=4096)
def _kind(symbol: str, setup: Setup, side: int, exit_reason: ExitReason, outcome: str) -> Kind:
    """The same object for every session: there are few kinds, and they are kept by session."""
    return Kind(symbol, str(setup), SIDES[side], str(exit_reason), outcome)


def _one(one: Trade) -> tuple[Kind, TradeSum]:
    pnl = exact(one.pnl)
    risk = abs(exact(one.entry_price) - exact(one.stop)) * one.quantity
    rated = bool(risk) and not risk.is_nan()
    outcome = "won" if pnl > 0 else "lost" if pnl < 0 else "flat"
    kind = _kind(one.symbol, one.setup, one.side, one.exit_reason, outcome)
    return kind, TradeSum(
        trades=1, won=int(pnl > 0), lost=int(pnl < 0), pnl=pnl,
        gross_profit=max(pnl, NOTHING), gross_loss=min(pnl, NOTHING), fees=exact(one.fees),
        r=pnl / risk if rated else NOTHING, rated=int(rated),
        minutes_held=int((one.exit_time - one.entry_time) / MINUTE), shares=one.quantity,
        best_pnl=pnl, worst_pnl=pnl,
    )  # fmt: skip


class TradeSums(SessionSums[Session]):
    """Trades added up by session and kind."""

    def _read(self, place: Place, after: int, days: Sequence[Entry[LaneDay]]) -> Iterator[Session]:
        """A few sessions, from their trades."""
        trades = self._pages.following(
            codec.TRADES, place, as_of=ALWAYS, span=Span(after, days[-1].seq)
        )
        closing = iter(days)
        day = next(closing)
        grouped: dict[date, list[Trade]] = {one.record.date: [] for one in days}
        for entry in trades:
            while entry.seq > day.seq:
                day = next(closing)
            grouped[day.record.date].append(entry.record)
        return (Session.of(date, summed(group)) for date, group in grouped.items())


def wanted_days(sessions: Sequence[Session], want: Want) -> list[date]:
    """The sessions in which the records that are wanted must be, in order.

    The k trades that weigh most lie in the k sessions whose heaviest trades do.
    """
    traded = [(one.day, one.whole) for one in sessions if one.whole.trades]
    if want.which == "extreme":
        worst = sorted(traded, key=lambda one: one[1].worst_pnl)[: want.many]
        best = sorted(traded, key=lambda one: -one[1].best_pnl)[: want.many]
        return sorted({day for day, _ in (*worst, *best)})
    number = sum(one.trades for _, one in traded)
    if want.which == "every":
        raise TooManyRecords(f"That is about {number:,} trades; to see each, name fewer days")
    return days_that_hold([(day, one.trades) for day, one in traded], want)


def days_that_hold(numbers: Sequence[tuple[date, int]], want: Want) -> list[date]:
    """The newest or oldest sessions that hold so many records, in order; none for other wants."""
    many = want.many if want.which in ("newest", "oldest") else 0
    found: list[date] = []
    for day, number in numbers if want.which == "oldest" else reversed(numbers):
        if many <= 0:
            break
        if number:
            found.append(day)
            many -= number
    return sorted(found)
