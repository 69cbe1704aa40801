"""The program itself: runs, effective settings, health, metrics."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from advisor import __version__
from advisor.api import schemas
from advisor.api.answers import answer
from advisor.api.asking import READS, ThePartsOf, TheView
from advisor.api.components import components_of
from advisor.api.gate import require
from advisor.api.problems import ProblemError, documented
from advisor.api.routes import control
from advisor.api.view import LedgerView
from advisor.settings import explain_settings
from advisor.telemetry.instruments import TEXT

router = APIRouter(tags=["system"])
open_router = APIRouter(tags=["system"])


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
    now = datetime.now(UTC)
    components = components_of(parts, now)
    states = {one.state for one in components}
    status = "down" if "down" in states else "degraded" if "degraded" in states else "ok"
    body = schemas.Health(
        status=status, version=__version__, time=now, components=components,
        control=control.shown(parts), halted=control.is_halted(parts),
        can_halt=control.can_halt(parts),
    )  # fmt: skip
    return Response(
        body.model_dump_json(),
        status_code=503 if status == "down" else 200,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
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
