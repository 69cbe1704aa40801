"""The webhook for TradingView: the one request that needs no key, because it can send none."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from advisor.api import schemas
from advisor.api.asking import ThePartsOf
from advisor.api.problems import ProblemError, documented
from advisor.api.routes.control import can_halt

router = APIRouter(prefix="/api", tags=["control"])


async def _raw(request: Request) -> bytes:
    """The body as it is: TradingView calls it text or JSON, depending on what it finds in it."""
    return await request.body()


@router.post(
    "/tv-alert", status_code=202, response_model=schemas.AlertTaken,
    responses=documented(400, 401, 409, 413, 429, 503),
)  # fmt: skip
def tv_alert(
    request: Request, parts: ThePartsOf, body: Annotated[bytes, Depends(_raw)]
) -> Response:
    """Take an alert of a chart for the session that runs, or the next one: advice, never an order.

    The body is JSON with the passphrase in it. 409 where a replay is served.
    """
    if parts.intake is None or (parts.control is not None and not can_halt(parts)):
        raise ProblemError(
            409, "no-session",
            "The newest run of this ledger is no session that takes alerts; serve the folder of "
            "`advisor live --out`.",
        )  # fmt: skip
    address = request.client.host if request.client else "unknown"
    alert = parts.intake.take(body, address, datetime.now(UTC))
    return Response(
        schemas.AlertTaken(id=alert.id, symbol=alert.symbol).model_dump_json(), status_code=202,
        media_type="application/json", headers={"Cache-Control": "no-store"},
    )  # fmt: skip
