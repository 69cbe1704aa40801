"""The market as the core saw it: the watchlist grid, candles with band and state, the premarket."""

from dataclasses import replace
from datetime import date as Date
from datetime import datetime, time, timedelta
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from advisor.api import rows, schemas
from advisor.api.account import (
    Account,
    RunRules,
    account_of,
    in_force,
    next_analysis,
    risk_state,
)
from advisor.api.answers import KeptRoute, answer
from advisor.api.asking import READS, Limit, OneDate, OneSymbol, Symbol, TheScope, TheView
from advisor.api.view import LedgerView, Scope, minutes_of
from advisor.timetable import session_of
from quant_core.calendar import NEW_YORK, to_datetime, to_minute
from quant_core.cycles import STATES, CycleRows
from quant_core.types import CycleRecord, Snapshot
from tools.store import codec

router = APIRouter(prefix="/api", tags=["market"], route_class=KeptRoute)
_MINUTES = {"1min": 1, "5min": 5, "15min": 15, "1hour": 60}
_OPEN = time(9, 30)
Timeframe = Annotated[
    Literal["1min", "5min", "15min", "1hour"],
    Query(description="Bars are aligned to 09:30 New York."),
]


@router.get("/watchlist", response_model=schemas.Watchlist, responses=READS)
def watchlist(request: Request, view: TheView, scope: TheScope) -> Response:
    """Every symbol now (price, z, state, armed side), what is in force, the next analysis."""
    rules = RunRules.of(scope.place)
    account = account_of(view, scope, rules)
    now = account.now
    today = now.astimezone(NEW_YORK).date() if now else None
    snapshots = {one.symbol: one for one in _snapshots(view, scope, today)} if today else {}
    newest = view.pages.newest(codec.ANALYSES, scope.place, as_of=scope.as_of, limit=1)
    analysis = newest[0] if newest else None
    return answer(
        request,
        schemas.Watchlist(
            **scope.where,
            data=[
                _row(symbol, account, snapshots.get(symbol), now) for symbol in scope.place.symbols
            ],
            now=now,
            date=today,
            market_open=_is_open(now),
            equity=rows.number(account.equity),
            pnl_today=rows.number(account.equity - account.at_open),
            risk_state=risk_state(view, scope).value,
            multipliers=in_force(analysis, now, account, rules),
            thresholds=rules.thresholds,
            next_analysis=next_analysis(analysis, account, rules),
        ),
    )


def _is_open(now: datetime | None) -> bool:
    """Whether the exchange trades at a moment; half-days end early."""
    if now is None:
        return False
    session = session_of(now)
    return session is not None and session.open <= to_minute(now) < session.close


def _row(
    symbol: str, account: Account, snapshot: Snapshot | None, now: datetime | None
) -> schemas.WatchlistRow:
    last = account.latest.get(symbol)
    before = snapshot.previous_close if snapshot else float("nan")
    return schemas.WatchlistRow(
        symbol=symbol,
        time=last.start if last else None,
        price=rows.number(last.close) if last else None,
        change=rows.number(last.close / before - 1.0) if last and before else None,
        mean=rows.number(last.mean) if last else None,
        deviation=rows.number(last.deviation) if last else None,
        z=rows.number(last.z) if last else None,
        ready=last.ready if last else False,
        state=last.state.value if last else "idle",
        side=rows.side(last.side) if last else None,
        htf_trend=last.htf_trend if last else 0,
        age_seconds=_age(last, now),
        incomplete=list(snapshot.incomplete) if snapshot else [],
        position=next((one for one in account.positions if one.symbol == symbol), None),
    )


def _age(last: CycleRecord | None, now: datetime | None) -> float | None:
    if last is None or now is None:
        return None
    return (now - last.start - timedelta(minutes=1)).total_seconds()


@router.get("/candles", response_model=schemas.Candles, responses=READS)
def candles(
    request: Request, view: TheView, scope: TheScope, symbol: OneSymbol, date: OneDate = None,
    timeframe: Timeframe = "1min",
) -> Response:  # fmt: skip
    """One symbol through one session: closes, band, z and state, gathered into bars."""
    name = view.symbol(scope, symbol) or symbol
    newest = view.pages.last_minute(scope.place, as_of=scope.as_of)
    day = date or to_datetime(newest or 0).astimezone(NEW_YORK).date()
    opened, _ = minutes_of(day, _OPEN)
    cycles = view.pages.minutes(scope.place, *minutes_of(day), as_of=scope.as_of, symbol=name)
    return answer(
        request,
        schemas.Candles(
            **scope.where, symbol=name, date=day, timeframe=timeframe,
            data=_candles(cycles, opened, _MINUTES[timeframe]),
        ),
    )  # fmt: skip


def _candles(cycles: CycleRows, opened: int, length: int) -> list[schemas.Candle]:
    """Rows of one symbol gathered into bars of `length` minutes from the open."""
    if not len(cycles):
        return []
    slot = (cycles.minute - opened) // length
    starts = np.flatnonzero(np.diff(slot, prepend=slot[:1] - 1))
    ends = np.append(starts[1:], len(slot))
    found = []
    for first, end in zip(starts.tolist(), ends.tolist(), strict=True):
        closes, last = cycles.close[first:end], end - 1
        found.append(
            schemas.Candle(
                time=to_datetime(opened + int(slot[first]) * length),
                open=float(closes[0]),
                high=float(closes.max()),
                low=float(closes.min()),
                close=float(closes[-1]),
                mean=rows.number(float(cycles.mean[last])),
                deviation=rows.number(float(cycles.deviation[last])),
                z=rows.number(float(cycles.z[last])),
                state=STATES[int(cycles.state[last])].value,
                side=rows.side(int(cycles.side[last])),
            )
        )
    return found


@router.get("/premarket", response_model=schemas.Listing[schemas.Snapshot], responses=READS)
def premarket(
    request: Request, view: TheView, scope: TheScope, date: OneDate = None, symbol: Symbol = None
) -> Response:
    """What was known of each symbol before a session opened; the newest session without a date."""
    name = view.symbol(scope, symbol)
    date = date or _prepared_last(view, scope)
    found = _snapshots(view, scope, date) if date else []
    data = [rows.snapshot(one) for one in found if name is None or one.symbol == name]
    return answer(request, schemas.Listing[schemas.Snapshot](**scope.where, data=data))


@router.get("/daily-bias", response_model=schemas.DailyBiases, responses=READS)
def daily_bias(
    request: Request, view: TheView, scope: TheScope, date: OneDate = None, symbol: Symbol = None
) -> Response:
    """What kind of day each symbol was expected to have, and the market's context.

    The newest session without a date. Opinions of the premarket: scored, never orders.
    """
    name, market = view.symbol(scope, symbol), view.market(scope)
    if date is None:
        newest = view.pages.newest(codec.MARKET_CONTEXTS, market, as_of=scope.as_of, limit=1)
        date = newest[0].record.date if newest else None
    of: dict[str, Any] = {"as_of": scope.as_of, "where": {"date": date}}
    biases = view.pages.following(codec.DAILY_BIASES, market, **of) if date else []
    contexts = view.pages.newest(codec.MARKET_CONTEXTS, market, limit=1, **of) if date else []
    return answer(
        request,
        schemas.DailyBiases(
            **{**scope.where, "lane": market.lane},
            data=[rows.bias(one) for one in biases if name is None or one.record.symbol == name],
            date=date,
            context=rows.market_context(contexts[0]) if contexts else None,
        ),
    )


@router.get("/news", response_model=schemas.News, responses=READS)
def news(
    request: Request, view: TheView, scope: TheScope, date: OneDate = None, symbol: Symbol = None,
    limit: Limit = 100,
) -> Response:  # fmt: skip
    """The news that a session's premarket read, newest first; the newest session without a date.

    `symbol` leaves what names it. Only what was known before the open is here, never what came
    later.
    """
    name, market = view.symbol(scope, symbol), replace(scope, place=view.market(scope))
    date = date or _prepared_last(view, scope)
    span = view.span(market, date, date)
    of: dict[str, Any] = {"as_of": scope.as_of, "span": span}
    found = view.pages.following(codec.NEWS, market.place, **of) if date else []
    wanted = [one for one in found if name is None or name in one.record.symbols]
    wanted.sort(key=lambda one: one.at, reverse=True)
    return answer(
        request,
        schemas.News(
            **market.where, data=[rows.news(one) for one in wanted[:limit]], date=date,
            total=len(wanted),
        ),
    )  # fmt: skip


def _prepared_last(view: LedgerView, scope: Scope) -> Date | None:
    """The newest session that was prepared."""
    newest = view.pages.newest(codec.SNAPSHOTS, view.market(scope), as_of=scope.as_of, limit=1)
    return newest[0].record.date if newest else None


def _snapshots(view: LedgerView, scope: Scope, day: Date) -> list[Snapshot]:
    """The snapshots of a day, in watchlist order."""
    found = view.pages.following(
        codec.SNAPSHOTS, view.market(scope), as_of=scope.as_of, where={"date": day}
    )
    return [entry.record for entry in found]
