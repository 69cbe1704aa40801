"""Every error of the API as one RFC 9457 document, and nothing in it that is not the caller's.

A `Problem` says what is wrong with a request. Errors from below are named by their reaction only:
their messages may hold paths, so they go to the log and never to a client.
"""

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from advisor.api import schemas
from tools.errors import AdvisorError, Transient

MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger("advisor.api")


class ProblemError(Exception):
    """A request that cannot be answered: what is wrong, with which value, and what to do."""

    def __init__(
        self, status: int, kind: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """`kind` ends the problem's type: `unknown-symbol` gives `/problems/unknown-symbol`."""
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail
        self.headers = dict(headers or {})


def bad_request(kind: str, detail: str) -> ProblemError:
    """Parameters that are well-formed one by one and make no sense together."""
    return ProblemError(400, kind, detail)


def not_found(kind: str, detail: str) -> ProblemError:
    """What was named does not exist."""
    return ProblemError(404, kind, detail)


def too_many(wait: float, what: str) -> ProblemError:
    """An allowance that is used up, and when there is more of it."""
    seconds = max(1, math.ceil(wait))
    return ProblemError(
        429, "too-many-requests", f"Too many {what}; wait {seconds} s.",
        {"Retry-After": str(seconds)},
    )  # fmt: skip


def response(
    status: int,
    kind: str,
    detail: str,
    *,
    instance: str | None = None,
    headers: Mapping[str, str] | None = None,
    errors: list[schemas.FieldProblem] | None = None,
) -> Response:
    """The problem document as a response."""
    document = schemas.Problem(
        type=f"/problems/{kind}",
        title=kind.replace("-", " ").capitalize(),
        status=status,
        detail=detail,
        instance=instance,
        errors=errors or [],
    )
    return Response(
        document.model_dump_json(exclude_none=True),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers=dict(headers or {}) | {"Cache-Control": "no-store"},
    )


def unexpected(instance: str | None, error: Exception) -> Response:
    """A defect of ours: logged here with its trace, and only admitted to the client."""
    _log.error("request to %s failed", instance, exc_info=error)
    return response(
        500, "internal-error", "The server failed; its log says why.", instance=instance
    )


def install(app: FastAPI) -> None:
    """Answer every error that a handler or the router raises with a problem document."""
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(AdvisorError, _on_advisor)


def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return response(
        error.status, error.kind, error.detail, instance=request.url.path, headers=error.headers
    )


def _on_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [_field(problem) for problem in error.errors()[:20]]
    detail = "; ".join(f"{one.where}: {one.problem}" for one in found[:3])
    return response(422, "invalid-request", detail, instance=request.url.path, errors=found)


def _field(problem: Mapping[str, Any]) -> schemas.FieldProblem:
    where = ".".join(str(part) for part in problem["loc"])[:200]
    return schemas.FieldProblem(where=where, problem=str(problem["msg"])[:300])


def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    details = {
        404: "There is nothing at this address; /openapi.json lists what there is.",
        405: f"{request.method} is not allowed here.",
    }
    return response(
        error.status_code,
        kind,
        details.get(error.status_code, str(error.detail)),
        instance=request.url.path,
        headers=error.headers,
    )


def _on_advisor(request: Request, error: Exception) -> Response:
    _log.warning("request to %s: %s", request.url.path, error)
    if isinstance(error, Transient):
        return response(
            503, "ledger-busy", "The ledger is locked for the moment; try again.",
            instance=request.url.path, headers={"Retry-After": "1"},
        )  # fmt: skip
    return response(
        503, "ledger-unreadable",
        "The ledger cannot be read; the server's log says why, and `advisor ledger verify` checks "
        "it.",
        instance=request.url.path, headers={"Retry-After": "60"},
    )  # fmt: skip


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem responses of a route, for its OpenAPI entry."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in statuses
    }
