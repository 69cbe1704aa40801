"""The trades added up by their properties, and what the advice was worth verdict by verdict.

Both are sums over whole lanes, so they are made as `advisor.api.sums` makes them: closed sessions
once, the open one for each request. The stored text of money is added as decimals, exactly.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from math import floor
from typing import Any
from weakref import WeakKeyDictionary

from fastapi import APIRouter, Request
from fastapi.responses import Response

from advisor.api import schemas
from advisor.api.answers import KeptRoute, answer
from advisor.api.asking import READS, EndDate, StartDate, TheScope, TheView
from advisor.api.sums import Fold, SessionSums
from advisor.api.view import LedgerView, Scope
from quant_core.calendar import NEW_YORK
from tools.store import codec
from tools.store.paging import END, Pages, Place, Span

router = APIRouter(prefix="/api", tags=["money"], route_class=KeptRoute)
BUCKET = 0.5
_LOWEST, _HIGHEST = -3.0, 4.5
BIN = 10.0
_PROPERTIES = ("symbol", "setup", "side", "hour", "exit_reason")
_COLUMNS = (
    "symbol", "setup", "side", "entry_time", "exit_reason", "pnl", "fees", "quantity",
    "entry_price", "stop",
)  # fmt: skip
_NO_MONEY = Decimal(0)


@dataclass(slots=True)
class Tally:
    """Trades of one group."""

    trades: int = 0
    wins: int = 0
    pnl: Decimal = _NO_MONEY
    fees: Decimal = _NO_MONEY

    def add(self, other: "Tally") -> None:
        """Take another tally in."""
        self.trades += other.trades
        self.wins += other.wins
        self.pnl += other.pnl
        self.fees += other.fees


@dataclass(slots=True)
class Tallies:
    """Trades by property and value, and by result in R."""

    groups: dict[tuple[str, str], Tally] = field(default_factory=dict)
    buckets: Counter[float] = field(default_factory=Counter)
    unmeasured: int = 0

    def add(self, other: "Tallies") -> None:
        """Take the tallies of another session in."""
        for key, tally in other.groups.items():
            self.groups.setdefault(key, Tally()).add(tally)
        self.buckets.update(other.buckets)
        self.unmeasured += other.unmeasured


class TradeTallies(SessionSums):
    """The tallies of every session of a lane, kept as the sums are."""

    def between(self, place: Place, span: Span, *, as_of: datetime) -> Tallies:
        """The trades recorded in a span that begins and ends with sessions."""
        days, values, rest = self._folded(place, _TALLIES, as_of)
        total = Tallies()
        for day, value in zip(days, values, strict=True):
            if span.after < day.seq <= span.through:
                total.add(value)
        if span.through == END:
            total.add(rest)
        return total


_kept: WeakKeyDictionary[Pages, TradeTallies] = WeakKeyDictionary()


def _tally(rows: Sequence[Any]) -> Tallies:
    found = Tallies()
    for _, symbol, setup, side, entered, reason, pnl, fees, quantity, entry, stop in rows:
        money = Decimal(pnl)
        one = Tally(1, int(money > 0), money, Decimal(fees))
        names = (symbol, setup, "long" if int(side) > 0 else "short", _hour(entered), reason)
        for key in (("total", ""), *zip(_PROPERTIES, names, strict=True)):
            found.groups.setdefault(key, Tally()).add(one)
        risk = abs(float(entry) - float(stop)) * int(quantity) if stop is not None else 0.0
        if risk > 0:
            found.buckets[_bucket(float(pnl) / risk)] += 1
        else:
            found.unmeasured += 1
    return found


_TALLIES = Fold(codec.TRADES, _COLUMNS, _tally)


def _hour(stored: str) -> str:
    """`09:30` or a full hour: the New York hour in which a trade began."""
    local = datetime.fromisoformat(stored).astimezone(NEW_YORK)
    return "09:30" if local.hour == 9 else f"{local.hour:02d}:00"


def _bucket(multiple: float) -> float:
    return min(max(floor(multiple / BUCKET) * BUCKET, _LOWEST), _HIGHEST)


@router.get("/trade-groups", response_model=schemas.TradeGroups, responses=READS)
def trade_groups(
    request: Request, view: TheView, scope: TheScope, start_date: StartDate = None,
    end_date: EndDate = None,
) -> Response:  # fmt: skip
    """Closed trades added up by symbol, setup, side, hour of entry and exit, and by result in R."""
    tallies = _kept.setdefault(view.pages, TradeTallies(view.pages)).between(
        scope.place, view.span(scope, start_date, end_date), as_of=scope.as_of
    )
    named = {
        name: [
            _group(value, tally)
            for (kind, value), tally in sorted(tallies.groups.items())
            if kind == name
        ]
        for name in _PROPERTIES
    }
    counts = tallies.buckets
    steps = range(round((_HIGHEST - _LOWEST) / BUCKET) + 1)
    lows = [_LOWEST + step * BUCKET for step in steps]
    return answer(
        request,
        schemas.TradeGroups(
            **scope.where,
            **named,
            total=_group("all", tallies.groups.get(("total", ""), Tally())),
            bucket_width=BUCKET,
            returns=[schemas.ReturnBucket(low=low, trades=counts[low]) for low in lows],
            unmeasured=tallies.unmeasured,
        ),
    )


def _group(name: str, tally: Tally) -> schemas.TradeGroup:
    return schemas.TradeGroup(
        name=name, trades=tally.trades, wins=tally.wins, pnl=float(tally.pnl),
        fees=float(tally.fees),
    )  # fmt: skip


@router.get("/advice-quality", response_model=schemas.AdviceQuality, responses=READS)
def advice_quality(request: Request, view: TheView, scope: TheScope) -> Response:
    """Confidence of the verdicts against outcomes, and what became of vetoed signals elsewhere."""
    verdicts = view.pages.columns(
        codec.DECISIONS, scope.place, ("symbol", "start", "setup", "ruling", "verdict_confidence"),
        as_of=scope.as_of,
    )  # fmt: skip
    own = _outcomes(view, scope)
    other = scope.run.lanes.get("baseline")
    vetoes = None
    if other is not None and scope.place.lane != "baseline":
        vetoes = _vetoes(
            verdicts, _outcomes(view, view.scope_of(scope.run, "baseline", None), scope)
        )
    return answer(
        request,
        schemas.AdviceQuality(
            **scope.where, reliability=_reliability(verdicts, own), vetoes=vetoes
        ),
    )


Outcomes = Mapping[tuple[str, str, str], Decimal]


def _outcomes(view: LedgerView, lane: Scope, asked: Scope | None = None) -> Outcomes:
    """Profit of every trade of a lane by the signal that began it, as known at the same moment."""
    rows = view.pages.columns(
        codec.TRADES, lane.place, ("symbol", "signal_start", "setup", "pnl"),
        as_of=(asked or lane).as_of,
    )  # fmt: skip
    return {(symbol, start, setup): Decimal(pnl) for symbol, start, setup, pnl in rows}


def _reliability(verdicts: Iterable[Any], outcomes: Outcomes) -> list[schemas.ConfidenceBin]:
    found: dict[float, list[tuple[float, bool]]] = {}
    for symbol, start, setup, ruling, confidence in verdicts:
        profit = outcomes.get((symbol, start, setup))
        if ruling is None or confidence is None or profit is None:
            continue
        value = float(confidence)
        low = min(floor(value / BIN) * BIN, 100.0 - BIN)
        found.setdefault(low, []).append((value, profit > 0))
    return [
        schemas.ConfidenceBin(
            low=low, trades=len(pairs), wins=sum(won for _, won in pairs),
            mean_confidence=sum(value for value, _ in pairs) / len(pairs),
        )
        for low, pairs in sorted(found.items())
    ]  # fmt: skip


def _vetoes(verdicts: Iterable[Any], outcomes: Outcomes) -> schemas.VetoOutcomes:
    refused = [(symbol, start, setup) for symbol, start, setup, ruling, _ in verdicts
               if ruling == "veto"]  # fmt: skip
    known = [outcomes[key] for key in refused if key in outcomes]
    return schemas.VetoOutcomes(
        vetoes=len(refused), traded=len(known), wins=sum(one > 0 for one in known),
        pnl=float(sum(known, _NO_MONEY)),
    )  # fmt: skip
