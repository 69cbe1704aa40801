"""Halt and resume: the only two requests that change something, and only by asking.

They write what `advisor halt` and `advisor resume` write; the session that runs in the ledger's
folder does it within a second, or when it starts. Nothing here touches the ledger or a broker.
"""

import logging
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response

from advisor.api import schemas
from advisor.api.account import risk_state
from advisor.api.asking import ThePartsOf
from advisor.api.gate import Caller, require
from advisor.api.parts import Parts
from advisor.api.problems import ProblemError, documented
from advisor.control import SESSIONS, Control, Halt
from advisor.control import Request as Asked
from quant_core.types import RiskState
from tools.errors import AdvisorError, BadInput

_log = logging.getLogger("advisor.api")
router = APIRouter(prefix="/api", tags=["control"])
_REFUSALS = documented(401, 403, 409, 413, 422, 429, 503)


@router.post("/halt", status_code=202, response_model=schemas.Control, responses=_REFUSALS)
def halt(request: Request, parts: ThePartsOf, asked: schemas.HaltRequest) -> Response:
    """Stop the session: no new entries; with `flatten` positions are closed at market too.

    Needs a key with the scope admin, and no allowance. 409 where a replay is served.
    """
    require(request, "admin")
    control = _control(parts)
    caller: Caller = request.state.caller
    try:
        made = control.halt(
            by=f"{caller.name} (API)", reason=asked.reason, flatten=asked.flatten,
            now=datetime.now(UTC),
        )  # fmt: skip
    except BadInput as error:
        raise _not_written("halt", control.by_hand, error) from error
    return _accepted(parts, made)


@router.post("/resume", status_code=202, response_model=schemas.Control, responses=_REFUSALS)
def resume(request: Request, parts: ThePartsOf) -> Response:
    """Let a HALTED session trade again. Needs a key with the scope admin.

    409 where nothing is halted, or a replay is served.
    """
    require(request, "admin")
    control = _control(parts)
    if not isinstance(control.state(), Halt) and not _any_halted(parts):
        raise ProblemError(409, "not-halted", "Nothing is halted; there is nothing to resume.")
    caller: Caller = request.state.caller
    try:
        made = control.resume(by=f"{caller.name} (API)", now=datetime.now(UTC))
    except BadInput as error:
        raise _not_written("resume", "", error) from error
    return _accepted(parts, made)


def can_halt(parts: Parts) -> bool:
    """Whether what is served is a session, or may become one."""
    if parts.control is None:
        return False
    try:
        run = parts.view.find_run(None)
    except AdvisorError:
        return True  # what cannot be read must be haltable all the same
    return run is None or run.run.kind in SESSIONS


def is_halted(parts: Parts) -> bool:
    """Whether the ledger has the lane that trades as HALTED; one that cannot be read has not."""
    try:
        run = parts.view.find_run(None)
        scope = parts.view.scope_of(run, None, None) if run else None
        return scope is not None and risk_state(parts.view, scope) is RiskState.HALTED
    except AdvisorError:
        return False


def shown(parts: Parts) -> schemas.Control | None:
    """The request that stands in the folder, and whether the ledger says that it was done."""
    if parts.control is None or not can_halt(parts) or (asked := parts.control.state()) is None:
        return None
    return _told(parts, asked)


def _told(parts: Parts, asked: Asked) -> schemas.Control:
    halted = is_halted(parts)
    if isinstance(asked, Halt):
        return schemas.Control(
            asked="halt", by=asked.by, at=asked.at, reason=asked.reason, flatten=asked.flatten,
            applied=halted,
        )  # fmt: skip
    return schemas.Control(
        asked="resume", by=asked.by, at=asked.at, reason="", flatten=False, applied=not halted
    )


def _any_halted(parts: Parts) -> bool:
    """Whether a lane is HALTED that a resume would let trade again."""
    run = parts.view.find_run(None)
    scopes = (parts.view.scope_of(run, lane, None) for lane in run.lanes) if run else ()
    return any(risk_state(parts.view, scope) is RiskState.HALTED for scope in scopes)


def _control(parts: Parts) -> Control:
    if parts.control is None:
        raise ProblemError(
            503, "no-folder",
            "This ledger lies in no folder of this server, so nothing can be halted from here; "
            "use `advisor halt` where the session runs.",
        )  # fmt: skip
    if not can_halt(parts):
        raise ProblemError(
            409, "no-session",
            "The newest run of this ledger is no paper or live session: it trades no account, so "
            "there is nothing to halt or resume.",
        )  # fmt: skip
    return parts.control


def _accepted(parts: Parts, made: Asked) -> Response:
    return Response(
        _told(parts, made).model_dump_json(), status_code=202, media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )  # fmt: skip


def _not_written(what: str, otherwise: str, error: BadInput) -> ProblemError:
    _log.error("%s: %s", what, error)
    return ProblemError(
        503, f"{what}-not-written",
        f"The {what} could not be written where the session looks for it; the server's log says "
        f"why. {otherwise}".rstrip(),
    )  # fmt: skip
