"""The money: profit and loss by session, equity, open positions, and the lanes compared."""

from datetime import date as Date
from decimal import Decimal
from itertools import accumulate
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from advisor.api import rows, schemas
from advisor.api.account import RunRules, account_of, drawdowns, minute_times, points
from advisor.api.answers import KeptRoute, answer
from advisor.api.asking import (
    READS,
    AsOf,
    EndDate,
    OneDate,
    RunName,
    StartDate,
    TheScope,
    TheView,
)
from advisor.api.sums import CallSum, TradeSum
from advisor.api.view import LedgerView, Scope, minutes_of
from quant_core.bootstrap import BOOTSTRAP_SEED, paired_difference
from quant_core.calendar import NEW_YORK, to_datetime
from quant_core.equity import equity_curve
from tools.store import codec

router = APIRouter(prefix="/api", tags=["money"], route_class=KeptRoute)
Resolution = Annotated[
    Literal["session", "minute"],
    Query(description="session: one point a session; minute: every minute of one `date`."),
]


@router.get("/pnl", response_model=schemas.Pnl, responses=READS)
def pnl(
    request: Request, view: TheView, scope: TheScope, start_date: StartDate = None,
    end_date: EndDate = None,
) -> Response:  # fmt: skip
    """Realised profit and loss after fees, session by session, with its running sum."""
    view.span(scope, start_date, end_date)
    chosen = [
        (day, value)
        for day, value in view.sums.trades(scope.place, as_of=scope.as_of)
        if (start_date is None or day >= start_date) and (end_date is None or day <= end_date)
    ]
    running = accumulate(value.pnl for _, value in chosen)
    days = [
        schemas.PnlDay(
            date=day,
            pnl=float(value.pnl),
            cumulative=float(cumulative),
            trades=value.trades,
            wins=value.wins,
            fees=float(value.fees),
        )
        for (day, value), cumulative in zip(chosen, running, strict=True)
    ]
    total = TradeSum.total([value for _, value in chosen])
    return answer(request, schemas.Pnl(**scope.where, data=days, total=_total(total)))


def _total(value: TradeSum) -> schemas.PnlTotal:
    return schemas.PnlTotal(
        pnl=float(value.pnl),
        trades=value.trades,
        wins=value.wins,
        win_rate=value.wins / value.trades if value.trades else None,
        profit_factor=_factor(value),
        fees=float(value.fees),
    )


def _factor(value: TradeSum) -> float | None:
    return float(value.won / value.lost) if value.lost > Decimal(0) else None


@router.get(
    "/equity", response_model=schemas.Listing[schemas.EquityPoint], responses=READS
)  # fmt: skip
def equity(
    request: Request, view: TheView, scope: TheScope, resolution: Resolution = "session",
    date: OneDate = None, start_date: StartDate = None, end_date: EndDate = None,
) -> Response:  # fmt: skip
    """The account and its drawdown: at the end of every session, or through one of them."""
    if resolution == "minute":
        data = _minute_curve(view, scope, date)
    else:
        view.span(scope, start_date, end_date)
        days = view.sums.days(scope.place, as_of=scope.as_of)
        start = days[0].record.start_equity if days else 0.0
        ends = np.array([day.record.end_equity for day in days], np.float64)
        data = [
            point
            for day, point in zip(days, points(start, [d.at for d in days], ends), strict=True)
            if (start_date is None or day.record.date >= start_date)
            and (end_date is None or day.record.date <= end_date)
            and (date is None or day.record.date == date)
        ]
    return answer(request, schemas.Listing[schemas.EquityPoint](**scope.where, data=data))


def _minute_curve(view: LedgerView, scope: Scope, date: Date | None) -> list[schemas.EquityPoint]:
    """The account after every minute of a session; drawdown from the session's own peak."""
    pages, place, as_of = view.pages, scope.place, scope.as_of
    newest = pages.last_minute(place, as_of=as_of)
    if newest is None:
        return []
    day = date or to_datetime(newest).astimezone(NEW_YORK).date()
    cycles = pages.minutes(place, *minutes_of(day), as_of=as_of)
    if not len(cycles):
        return []
    before = [one for one in view.sums.days(place, as_of=as_of) if one.record.date < day]
    start = before[-1].record.end_equity if before else RunRules.of(place).start_equity
    span = view.sums.span(place, day, day, as_of=as_of)
    fills = [entry.record for entry in pages.following(codec.FILLS, place, as_of=as_of, span=span)]
    minutes, curve = equity_curve(start, fills, cycles)
    return points(start, minute_times(minutes), curve)


@router.get("/positions", response_model=schemas.Listing[schemas.Position], responses=READS)
def positions(request: Request, view: TheView, scope: TheScope) -> Response:
    """What is held, valued at the newest close."""
    account = account_of(view, scope, RunRules.of(scope.place))
    return answer(
        request, schemas.Listing[schemas.Position](**scope.where, data=account.positions)
    )  # fmt: skip


@router.get("/lanes", response_model=schemas.LaneComparison, responses=READS)
def lanes(
    request: Request, view: TheView, run: RunName = None, as_of: AsOf = None
) -> Response:  # fmt: skip
    """Does the advice add value? Every lane's figures, and advised minus each other lane."""
    found = view.run(run)
    names = [name for name in ("advised", "baseline", "placebo") if name in found.lanes]
    scopes = {name: view.scope_of(found, name, as_of) for name in names}
    return answer(
        request,
        schemas.LaneComparison(
            run=found.run.run_id,
            as_of=as_of,
            lanes=[_lane(view, scope) for scope in scopes.values()],
            differences=[
                _difference(view, scopes["advised"], scopes[name])
                for name in names[1:]
                if names[0] == "advised"
            ],
        ),
    )


def _lane(view: LedgerView, scope: Scope) -> schemas.LaneSummary:
    place, as_of, sums = scope.place, scope.as_of, view.sums
    days = [day.record for day in sums.days(place, as_of=as_of)]
    start = days[0].start_equity if days else RunRules.of(place).start_equity
    curve = np.array([start, *(day.end_equity for day in days)])
    trades = TradeSum.total([value for _, value in sums.trades(place, as_of=as_of)])
    total = _total(trades)
    signals, rulings, blocked = sums.rulings(place, as_of=as_of)
    analyses, degraded = sums.analyses(place, as_of=as_of)
    asked = [place, view.market(scope)] if place.lane == "advised" else [place]
    paid = CallSum.total([sums.model_calls(one, as_of=as_of) for one in asked])
    return schemas.LaneSummary(
        lane=place.lane,
        sessions=len(days),
        start_equity=start,
        equity=float(curve[-1]),
        total_return=rows.number(float(curve[-1] / start - 1.0)) if start else None,
        max_drawdown=rows.number(float(drawdowns(curve).min())),
        pnl=total.pnl,
        trades=total.trades,
        win_rate=total.win_rate,
        profit_factor=total.profit_factor,
        fees=total.fees,
        signals=signals,
        blocked=dict(blocked.most_common()),
        rulings=dict(rulings.most_common()),
        analyses=analyses,
        degraded=degraded,
        model_cost=schemas.ModelCost(
            calls=paid.calls,
            usd=float(paid.usd),
            tokens_in=paid.tokens_in,
            tokens_out=paid.tokens_out,
        ),
    )


def _difference(view: LedgerView, advised: Scope, other: Scope) -> schemas.LaneDifference:
    """Paired over the sessions that both lanes have closed."""
    ours, theirs = (
        {day.record.date: day.record for day in view.sums.days(one.place, as_of=one.as_of)}
        for one in (advised, other)
    )
    both = [day for day in ours if day in theirs]
    earned = [
        np.array([side[day].end_equity - side[day].start_equity for day in both])
        for side in (ours, theirs)
    ]
    measured = paired_difference(earned[0], earned[1], BOOTSTRAP_SEED)
    return schemas.LaneDifference(
        against=other.place.lane,
        sessions=measured.sessions,
        mean=rows.number(measured.mean),
        total=rows.number(measured.total),
        low=rows.number(measured.low),
        high=rows.number(measured.high),
        verdict=measured.verdict,
    )
