"""What was decided and what came of it: trades, signals, analyses, the log, alerts."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from itertools import islice
from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import AwareDatetime

from advisor.api import rows, schemas
from advisor.api.answers import KeptRoute, answer
from advisor.api.asking import (
    READS,
    Cursor,
    EndDate,
    Limit,
    RecordNumber,
    StartDate,
    Symbol,
    TheScope,
    TheView,
)
from advisor.api.problems import not_found
from advisor.api.view import LedgerView, Scope, after_cursor, cursor
from quant_core.calendar import NEW_YORK
from quant_core.types import RiskState, Status
from tools.store import codec
from tools.store.columns import Moment
from tools.store.paging import Entry, Span

router = APIRouter(prefix="/api", tags=["records"], route_class=KeptRoute)
_moment = Moment()
# Columns of a kept call, and what the API calls them.
_CALL = {
    "prompt": "prompt",
    "model": "model",
    "outcome": "outcome",
    "tokens_in": "tokens_in",
    "tokens_out": "tokens_out",
    "cost_usd": "cost_usd",
    "latency": "latency_seconds",
}
Ruling = Literal["approve", "reduce", "veto", "abstain"]
_ALERTS = ("risk", "analysis", "signal", "bias", "market_context")


@router.get("/trades", response_model=schemas.Page[schemas.Trade], responses=READS)
def trades(
    request: Request, view: TheView, scope: TheScope, start_date: StartDate = None,
    end_date: EndDate = None, symbol: Symbol = None, cursor: Cursor = None, limit: Limit = 50,
) -> Response:  # fmt: skip
    """Closed trades, newest first; the dates bound the session in which a trade was closed."""
    where = _of_symbol(view, scope, symbol)
    found, following = _page(view, scope, "trade", start_date, end_date, cursor, limit, where)
    return answer(
        request, schemas.Page[schemas.Trade](**scope.where, data=found, next=following)
    )  # fmt: skip


@router.get("/trades/{number}", response_model=schemas.TradeStory, responses=READS)
def trade(request: Request, view: TheView, scope: TheScope, number: RecordNumber) -> Response:
    """One trade's full story: what armed it, what was thought, the signal, the fills."""
    pages, place, as_of = view.pages, scope.place, scope.as_of
    found = pages.newest(codec.TRADES, place, as_of=as_of, limit=1, span=Span(number - 1, number))
    if not found:
        raise not_found("unknown-trade", f"There is no trade {number} in lane {place.lane}.")
    closed = found[0]
    of = {"symbol": closed.record.symbol}
    day = closed.record.exit_time.astimezone(NEW_YORK).date()
    span = view.sums.span(place, day, day, as_of=as_of)
    before = span.before(closed.seq)

    def last(kind: codec.Kind[Any], within: Span, where: Mapping[str, Any]) -> Entry[Any] | None:
        return next(
            iter(pages.newest(kind, place, as_of=as_of, limit=1, span=within, where=where)), None
        )

    signal = last(codec.DECISIONS, before, {**of, "start": closed.record.signal_start})
    triggered = span.before(signal.seq if signal else closed.seq)
    armed = last(codec.TRANSITIONS, triggered, {**of, "reason": "armed"})
    analysis = last(codec.ANALYSES, triggered, {})
    fills = pages.following(codec.FILLS, place, as_of=as_of, span=before, where=of)
    story = schemas.TradeStory(
        **scope.where,
        trade=rows.trade(closed),
        armed=rows.transition(armed) if armed else None,
        analysis=rows.analysis(analysis) if analysis else None,
        signal=rows.signal(signal) if signal else None,
        fills=[
            rows.fill(fill)
            for fill in fills
            if closed.record.entry_time <= fill.record.start <= closed.record.exit_time
        ],
    )
    return answer(request, story)


@router.get("/signals", response_model=schemas.Page[schemas.Signal], responses=READS)
def signals(
    request: Request, view: TheView, scope: TheScope, start_date: StartDate = None,
    end_date: EndDate = None, symbol: Symbol = None,
    ruling: Annotated[
        Ruling | None, Query(description="Only signals with this verdict.")
    ] = None,
    cursor: Cursor = None, limit: Limit = 50,
) -> Response:  # fmt: skip
    """Triggered signals with verdict, plan and every risk check: why each was traded or not."""
    where = _of_symbol(view, scope, symbol)
    if ruling is not None:
        where["ruling"] = ruling
    found, following = _page(view, scope, "signal", start_date, end_date, cursor, limit, where)
    return answer(
        request, schemas.Page[schemas.Signal](**scope.where, data=found, next=following)
    )  # fmt: skip


@router.get(
    "/verdicts", response_model=schemas.Page[schemas.SignalVerdict], responses=READS
)  # fmt: skip
def verdicts(
    request: Request, view: TheView, scope: TheScope, start_date: StartDate = None,
    end_date: EndDate = None, symbol: Symbol = None,
    ruling: Annotated[Ruling | None, Query(description="Only this ruling.")] = None,
    cursor: Cursor = None, limit: Limit = 50,
) -> Response:  # fmt: skip
    """The validator's rulings, newest first. A lane without a validator has none."""
    where = _of_symbol(view, scope, symbol)
    span = _until(scope, view.span(scope, start_date, end_date), cursor)
    found = [
        ("signal", entry)
        for one in ([ruling] if ruling else get_args(Ruling))
        for entry in view.pages.newest(
            codec.DECISIONS, scope.place, as_of=scope.as_of, limit=limit + 1, span=span,
            where={**where, "ruling": one},
        )
    ]  # fmt: skip
    found.sort(key=lambda pair: -pair[1].seq)
    data = [rows.verdict(entry) for _, entry in found[:limit]]
    following = _next(scope, found, limit)
    return answer(
        request, schemas.Page[schemas.SignalVerdict](**scope.where, data=data, next=following)
    )  # fmt: skip


@router.get("/market-analysis", response_model=schemas.Page[schemas.PaidAnalysis], responses=READS)
def market_analysis(
    request: Request, view: TheView, scope: TheScope,
    timestamp: Annotated[
        AwareDatetime | None,
        Query(description="Analyses made by this moment: the first is the newest then."),
    ] = None,
    start_date: StartDate = None, end_date: EndDate = None, cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:  # fmt: skip
    """The analyst's views of the market, newest first: multipliers, and what a model's cost."""
    seen = scope if timestamp is None else view.scope_of(
        scope.run, scope.place.lane, min(timestamp, scope.as_of)
    )  # fmt: skip
    found, following = _page(view, seen, "analysis", start_date, end_date, cursor, limit, {})
    calls = _calls(view, seen, [one.as_of for one in found])
    data = [
        schemas.PaidAnalysis(**dict(one), calls=calls.get(one.as_of, [])) for one in found
    ]  # fmt: skip
    return answer(
        request, schemas.Page[schemas.PaidAnalysis](**scope.where, data=data, next=following)
    )  # fmt: skip


def _calls(
    view: LedgerView, scope: Scope, moments: list[datetime]
) -> dict[datetime, list[schemas.ModelCall]]:
    """The questions to models of these analyses, by the moment that was asked about."""
    if not moments:
        return {}
    first, last = (f(moments).astimezone(NEW_YORK).date() for f in (min, max))
    asked = view.pages.columns(
        codec.LLM_CALLS, scope.place, ("as_of", "machine", *_CALL), as_of=scope.as_of,
        span=view.span(scope, first, last),
    )  # fmt: skip
    found: dict[datetime, list[schemas.ModelCall]] = {}
    for as_of, machine, *values in asked:
        if machine == "market_analysis":
            call = schemas.ModelCall.model_validate(dict(zip(_CALL.values(), values, strict=True)))
            found.setdefault(_moment.read(as_of), []).append(call)
    return found


@router.get("/log", response_model=schemas.Page[schemas.LogEntry], responses=READS)
def log(
    request: Request, view: TheView, scope: TheScope,
    kind: Annotated[
        list[schemas.EntryKind] | None,
        Query(description="Only these kinds; repeat it. All without it.", max_length=12),
    ] = None,
    start_date: StartDate = None, end_date: EndDate = None, symbol: Symbol = None,
    cursor: Cursor = None, limit: Limit = 50,
) -> Response:  # fmt: skip
    """The decision log: everything a lane recorded, newest first. A symbol leaves out the rest."""
    where = _of_symbol(view, scope, symbol)
    chosen = [name for name in rows.LOGGED if kind is None or name in kind]
    if where:
        chosen = [name for name in chosen if "symbol" in rows.LOGGED[name][0].columns]
    span = _until(scope, view.span(scope, start_date, end_date), cursor)
    found = merged(view, scope, chosen, span, limit + 1, dict.fromkeys(chosen, where))
    data = [rows.log_entry(name, entry) for name, entry in found[:limit]]
    return answer(
        request,
        schemas.Page[schemas.LogEntry](**scope.where, data=data, next=_next(scope, found, limit)),
    )


@router.get("/alerts", response_model=schemas.Page[schemas.Alert], responses=READS)
def alerts(
    request: Request, view: TheView, scope: TheScope, start_date: StartDate = None,
    end_date: EndDate = None, cursor: Cursor = None, limit: Limit = 50,
) -> Response:  # fmt: skip
    """What a person should know: risk stops, and opinions that did not come about (DEGRADED).

    Those of the premarket stand in the lane market.
    """
    span = _until(scope, view.span(scope, start_date, end_date), cursor)
    where = {
        "risk": {},
        "analysis": {"status": Status.DEGRADED},
        "signal": {"verdict_status": Status.DEGRADED},
        "bias": {"status": Status.DEGRADED},
        "market_context": {"status": Status.DEGRADED},
    }
    found = merged(view, scope, list(_ALERTS), span, limit + 1, where)
    data = [_alert(name, entry) for name, entry in found[:limit]]
    return answer(
        request,
        schemas.Page[schemas.Alert](**scope.where, data=data, next=_next(scope, found, limit)),
    )


@router.get("/chart-alerts", response_model=schemas.Page[schemas.ChartAlert], responses=READS)
def chart_alerts(
    request: Request, view: TheView, scope: TheScope, start_date: StartDate = None,
    end_date: EndDate = None, symbol: Symbol = None, cursor: Cursor = None, limit: Limit = 50,
) -> Response:  # fmt: skip
    """What charts told the run (TradingView), newest first; they belong to all lanes together."""
    where = _of_symbol(view, scope, symbol)
    seen = replace(scope, place=view.market(scope))
    span = _until(seen, view.span(seen, start_date, end_date), cursor)
    found = view.pages.newest(
        codec.CHART_ALERTS, seen.place, as_of=seen.as_of, limit=limit + 1, span=span, where=where
    )
    data = [rows.chart_alert(entry) for entry in found[:limit]]
    following = _next(seen, [("chart_alert", entry) for entry in found], limit)
    return answer(
        request, schemas.Page[schemas.ChartAlert](**seen.where, data=data, next=following)
    )  # fmt: skip


def merged(
    view: LedgerView, scope: Scope, kinds: list[Any], span: Span, limit: int,
    where: Mapping[str, Mapping[str, Any]],
) -> list[tuple[Any, Entry[Any]]]:  # fmt: skip
    """The newest records of several kinds together, newest first."""
    found = [
        (name, entry)
        for name in kinds
        for entry in view.pages.newest(
            rows.LOGGED[name][0], scope.place, as_of=scope.as_of, limit=limit, span=span,
            where=where[name],
        )
    ]  # fmt: skip
    found.sort(key=lambda pair: -pair[1].seq)
    return list(islice(found, limit))


def _of_symbol(view: LedgerView, scope: Scope, symbol: str | None) -> dict[str, Any]:
    name = view.symbol(scope, symbol)
    return {} if name is None else {"symbol": name}


def _until(scope: Scope, span: Span, text: str | None) -> Span:
    seq = after_cursor(scope, text)
    return span if seq is None else span.before(seq)


def _next(scope: Scope, found: list[Any], limit: int) -> str | None:
    return cursor(scope, found[limit - 1][1].seq) if len(found) > limit else None


def _page(
    view: LedgerView, scope: Scope, name: schemas.EntryKind, first: date | None, last: date | None,
    text: str | None, limit: int, where: Mapping[str, Any],
) -> tuple[list[Any], str | None]:  # fmt: skip
    """One page of a kind, and the cursor of the next."""
    kind, convert = rows.LOGGED[name]
    span = _until(scope, view.span(scope, first, last), text)
    found = view.pages.newest(
        kind, scope.place, as_of=scope.as_of, limit=limit + 1, span=span, where=where
    )
    following = cursor(scope, found[limit - 1].seq) if len(found) > limit else None
    return [convert(entry) for entry in found[:limit]], following


def _alert(name: str, entry: Entry[Any]) -> schemas.Alert:
    record, symbol = entry.record, None
    if name == "risk":
        severity = "warning" if record.state is RiskState.ACTIVE else "critical"
        source, message = "risk", f"{record.state}: {record.reason}"
    elif name == "analysis":
        severity, source, message = "warning", "analysis", record.degraded_reason
    elif name in ("bias", "market_context"):
        severity, source, message = "warning", "premarket", record.degraded_reason
        symbol = getattr(record, "symbol", None)
    else:
        severity, source, message = "warning", "validation", record.verdict.degraded_reason
        symbol = record.signal.symbol
    return schemas.Alert(
        id=entry.seq, known_at=entry.at, severity=severity, source=source, symbol=symbol,
        message=message,
    )  # fmt: skip
