"""The application: parts to an ASGI app, with its OpenAPI document.

From the outside in: CORS (so that refusals can be read by the pages that are allowed), the gate
(keys, allowances, sizes, headers, counts), compression, routes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anyio import to_thread
from fastapi import FastAPI, Security
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.openapi.utils import get_openapi
from fastapi.security import APIKeyHeader, HTTPBearer

from advisor import __version__
from advisor.api import problems, schemas
from advisor.api.answers import COMPRESS_FROM, FAST
from advisor.api.gate import Gate
from advisor.api.parts import Parts
from advisor.api.routes import (
    alerts_in,
    control,
    market,
    money,
    quality,
    records,
    stream,
    system,
    talk,
)

THREADS = 6
_DESCRIPTION = """
Everything an advisor's ledger holds, for a portfolio site, a dashboard or a script. It only reads,
but for `POST /api/halt` and `/api/resume`, which need a key with the scope admin, and
`POST /api/tv-alert`, which takes alerts of charts and needs a passphrase.

**Conventions.** Times are UTC (ISO 8601, `Z`); a bar's time is its first instant. Dates are New
York trading days. Money is a JSON number with exactly the ledger's digits; `null` is "undefined",
never zero. Ratios are fractions. `run` and `lane` default to the newest run and its advised lane;
`as_of` shows everything as it was known at that moment.

**Paging.** Newest first; `next` is the cursor of the next page. Send an answer's `ETag` back in
`If-None-Match`: 304 means nothing has changed.

**Keys.** `X-API-Key`, or a bearer token; 100 requests a minute unless the key was made with
another allowance. Errors are RFC 9457 problem documents.
"""


def create_app(parts: Parts) -> FastAPI:
    """The API over its parts, ready to be served or mounted."""
    app = FastAPI(
        lifespan=_lifespan,
        title="Advisor", version=__version__, description=_DESCRIPTION.strip(),
        docs_url=None, redoc_url=None, redirect_slashes=False,
    )  # fmt: skip
    app.state.parts = parts
    problems.install(app)
    keyed = [
        Security(APIKeyHeader(name="X-API-Key", auto_error=False)),
        Security(HTTPBearer(auto_error=False)),
    ]
    for module in (records, money, quality, market, stream, talk, control, system):
        app.include_router(module.router, dependencies=keyed)
    for open_router in (system.open_router, alerts_in.router):
        app.include_router(open_router)
    app.add_middleware(GZipMiddleware, minimum_size=COMPRESS_FROM, compresslevel=FAST)
    app.add_middleware(Gate, parts=parts)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(parts.settings.cors_origins),
        allow_methods=["GET", "POST"],
        allow_headers=["X-API-Key", "Authorization", "If-None-Match", "Last-Event-ID"],
        expose_headers=["ETag", "Retry-After"],
        max_age=600,
    )
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Fewer threads than the framework's 40: each holds a connection and its cache of pages."""
    to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield


def _document(app: FastAPI) -> dict[str, Any]:
    """OpenAPI with our problem document in the place of the framework's errors."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    components = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
    for model in (schemas.Problem, schemas.LogEntry, schemas.Tick, schemas.Step, schemas.ChatEvent):
        made = model.model_json_schema(
            ref_template="#/components/schemas/{model}", mode="serialization"
        )
        components.update(made.pop("$defs", {}))
        components[model.__name__] = made
    app.openapi_schema = document
    return document
