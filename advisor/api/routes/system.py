"""The program itself: runs, effective settings, health, metrics."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from advisor import __version__
from advisor.api import schemas
from advisor.api.answers import answer
from advisor.api.asking import READS, ThePartsOf, TheView
from advisor.api.gate import require
from advisor.api.parts import Parts
from advisor.api.problems import ProblemError, documented
from advisor.api.routes import control
from advisor.api.view import LATEST, LedgerView
from advisor.settings import explain_settings
from advisor.telemetry.instruments import TEXT
from quant_core.types import Status
from tools.errors import AdvisorError
from tools.llm.calls import Outcome
from tools.store import codec
from tools.store.paging import Place

router = APIRouter(tags=["system"])
open_router = APIRouter(tags=["system"])
STALE = timedelta(minutes=3)
_NOT_THERE_YET = ("feed", "broker", "jobs")


@router.get("/api/runs", response_model=schemas.Runs, responses=READS)
def runs(request: Request, view: TheView) -> Response:
    """Every run in the ledger, newest first."""
    found = [_run(view, run.run_id) for run in reversed(view.pages.runs()[-100:])]
    return answer(request, schemas.Runs(data=found))


def _run(view: LedgerView, run_id: str) -> schemas.Run:
    found = view.run(run_id)
    scope = view.scope_of(found, None, None)
    days = view.sums.days(scope.place, as_of=scope.as_of)
    return schemas.Run(
        run=found.run.run_id,
        kind=found.run.kind,
        status=found.run.status,
        config_hash=found.run.config_hash,
        code_version=found.run.code_version,
        created_at=found.run.created_at,
        lanes=list(found.lanes),
        symbols=list(view.symbols(scope)),
        first_date=days[0].record.date if days else None,
        last_date=days[-1].record.date if days else None,
        chain_heads=found.heads,
    )


@router.get(
    "/api/settings",
    response_model=schemas.SettingsAnswer,
    responses={**READS, **documented(403)},
)
def settings(request: Request, parts: ThePartsOf) -> Response:
    """Effective settings and where each came from, beside what the newest run was made with.

    Needs a key with the scope admin; a caller on this machine who needs no key may read them.
    """
    require(request, "settings")
    kept: dict[str, Any] = {}
    name = None
    try:
        run = parts.view.run(None).run
        name, kept = run.run_id, msgspec.json.decode(run.config_json)
    except ProblemError as problem:
        if problem.kind != "no-run":
            raise
    data = [
        schemas.Setting(
            key=key, value=_shown(value), source=_source(source), in_run=_in_run(kept, key)
        )
        for key, value, source in explain_settings(parts.config)
    ]
    return answer(request, schemas.SettingsAnswer(run=name, data=data))


def _shown(value: Any) -> Any:
    """A value without what a URL may carry of a password."""
    if isinstance(value, str) and "://" in value and "@" in value:
        scheme, _, rest = value.partition("://")
        return f"{scheme}://***@{rest.rpartition('@')[2]}"
    return value


def _source(source: str) -> str:
    """Where a value came from, a file by its name alone."""
    return Path(source).name


def _in_run(kept: dict[str, Any], key: str) -> Any:
    group, _, name = key.partition(".")
    value = kept.get(group)
    return value.get(name) if name and isinstance(value, dict) else None if name else value


@open_router.get(
    "/api/health", response_model=schemas.Health, responses={503: {"model": schemas.Health}}
)
def health(parts: ThePartsOf) -> Response:
    """Whether the parts work; 503 when the ledger cannot be read. Needs no key."""
    components = [
        _ledger(parts),
        _run_state(parts),
        _trading(parts),
        _premarket(parts),
        _model(parts),
        schemas.Component(
            name="chat",
            state="ok" if parts.chat else "not_configured",
            detail="answers questions" if parts.chat else "no chat is configured",
        ),
        parts.index_state() if parts.index_state else _nothing("index", "no chat searches one"),
        *(
            schemas.Component(name=name, state="not_configured", detail="not part of this server")
            for name in _NOT_THERE_YET
        ),
    ]
    states = {one.state for one in components}
    status = "down" if "down" in states else "degraded" if "degraded" in states else "ok"
    body = schemas.Health(
        status=status, version=__version__, time=datetime.now(UTC), components=components,
        control=control.shown(parts), halted=control.is_halted(parts),
        can_halt=control.can_halt(parts),
    )  # fmt: skip
    return Response(
        body.model_dump_json(),
        status_code=503 if status == "down" else 200,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def _ledger(parts: Parts) -> schemas.Component:
    try:
        count = len(parts.view.pages.runs())
    except AdvisorError:
        return schemas.Component(
            name="ledger", state="down", detail="cannot be read; the server's log says why"
        )
    if not count:
        return schemas.Component(
            name="ledger", state="degraded", detail="holds no run: `advisor demo` makes one"
        )
    return schemas.Component(name="ledger", state="ok", detail=f"readable, {count} run(s)")


def _run_state(parts: Parts) -> schemas.Component:
    """How the newest run goes: a live one that has fallen silent is degraded."""
    try:
        scope = parts.view.scope()
        newest = parts.view.pages.last_minute(scope.place, as_of=LATEST)
    except (AdvisorError, ProblemError):
        return schemas.Component(name="run", state="not_configured", detail="there is no run")
    if newest is None:
        return schemas.Component(name="run", state="ok", detail="no minute is recorded yet")
    if scope.run.run.status == "finished" or scope.run.run.kind == "replay":
        return schemas.Component(
            name="run", state="ok", detail=f"{scope.run.run.kind}, {scope.run.run.status}"
        )
    return _live(scope.place, newest)


def _trading(parts: Parts) -> schemas.Component:
    """Whether the session may enter trades: a halt that was asked for counts before it is done."""
    if not control.can_halt(parts):
        return _nothing("trading", "no session that trades an account is served")
    asked, halted = control.shown(parts), control.is_halted(parts)
    if asked is not None and asked.asked == "halt":
        done = "HALTED" if asked.applied else "a halt waits for the session"
        detail = f"{done}, by {asked.by} at {asked.at:%Y-%m-%d %H:%M:%S} UTC: {asked.reason or '-'}"
    elif asked is not None:
        detail = f"a resume by {asked.by} waits for the session"
    else:
        detail = "HALTED by its own limits" if halted else "entries are let through"
    state = "degraded" if asked is not None or halted else "ok"
    return schemas.Component(name="trading", state=state, detail=detail)


def _premarket(parts: Parts) -> schemas.Component:
    """Whether the newest session's premarket came about as intended."""
    try:
        scope = parts.view.scope()
        market, as_of = parts.view.market(scope), scope.as_of
        contexts = parts.view.pages.newest(codec.MARKET_CONTEXTS, market, as_of=as_of, limit=1)
        if not contexts:
            return _nothing("premarket", "the newest run has no premarket")
        day = contexts[0].record.date
        biases = parts.view.pages.following(
            codec.DAILY_BIASES, market, as_of=as_of, where={"date": day}
        )
    except (AdvisorError, ProblemError):
        return _nothing("premarket", "there is no run")
    states = [*(one.record.status for one in biases), contexts[0].record.status]
    degraded = states.count(Status.DEGRADED)
    return schemas.Component(
        name="premarket",
        state="degraded" if degraded else "ok",
        detail=f"{day}: {len(biases)} biases and the market's context, {degraded} DEGRADED",
    )


def _model(parts: Parts) -> schemas.Component:
    """Whether the newest question to a language model was answered."""
    try:
        scope = parts.view.scope()
        found = parts.view.pages.newest(codec.LLM_CALLS, scope.place, as_of=scope.as_of, limit=1)
    except (AdvisorError, ProblemError):
        return _nothing("model", "there is no run")
    if not found:
        return _nothing("model", "the newest run asked no language model")
    kept, call = found[0].record, found[0].record.call
    answered = call.outcome is Outcome.ANSWER
    how = "answered" if answered else f"failed ({call.outcome.value})"
    return schemas.Component(
        name="model",
        state="ok" if answered else "degraded",
        detail=f"{call.model or 'nobody'} {how}, as of {kept.as_of:%Y-%m-%d %H:%M} UTC",
    )


def _nothing(name: str, detail: str) -> schemas.Component:
    return schemas.Component(name=name, state="not_configured", detail=detail)


def _live(place: Place, newest: int) -> schemas.Component:
    age = datetime.now(UTC) - datetime.fromtimestamp((newest + 1) * 60, UTC)
    return schemas.Component(
        name="run",
        state="ok" if age < STALE else "degraded",
        detail=f"{place.run.kind}, newest minute closed {int(age.total_seconds())} s ago",
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **documented(401, 429),
    },
)
def metrics(parts: ThePartsOf) -> Response:
    """This server's counts and the ledger's newest run, in Prometheus' text format."""
    return Response(parts.metrics.text(), media_type=TEXT)
