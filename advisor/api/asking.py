"""The parameters that endpoints share, with their bounds, and the parts they work with."""

from datetime import date
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from pydantic import AwareDatetime

from advisor.api.parts import Parts
from advisor.api.problems import documented
from advisor.api.view import LedgerView, Scope

RunName = Annotated[
    str | None,
    Query(pattern=r"^[A-Za-z0-9._-]{1,64}$", description="A run; the newest without it."),
]
LaneName = Annotated[
    str | None,
    Query(
        pattern=r"^[a-z_]{1,32}$",
        description="advised, baseline or placebo; the advised lane, or the only one, without it. "
        "The lane market holds what all of them share: the premarket's biases and news.",
    ),
]
AsOf = Annotated[
    AwareDatetime | None,
    Query(description="Only what was known at this moment; everything known now without it."),
]
Symbol = Annotated[
    str | None,
    Query(pattern=r"^[A-Za-z0-9.-]{1,15}$", description="A symbol of the watchlist."),
]
OneSymbol = Annotated[
    str, Query(pattern=r"^[A-Za-z0-9.-]{1,15}$", description="A symbol of the watchlist.")
]
StartDate = Annotated[date | None, Query(description="First trading day, included.")]
EndDate = Annotated[date | None, Query(description="Last trading day, included.")]
OneDate = Annotated[date | None, Query(alias="date", description="A day; the newest without it.")]
Cursor = Annotated[
    str | None,
    Query(pattern=r"^[A-Za-z0-9_-]{1,200}$", description="`next` of the page before."),
]
Limit = Annotated[int, Query(ge=1, le=500, description="Records on a page.")]
RecordNumber = Annotated[int, Path(ge=1, le=2**62, description="Id of the record.")]


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


async def _view(request: Request) -> LedgerView:
    view: LedgerView = request.app.state.parts.view
    return view


def _scope(
    request: Request, run: RunName = None, lane: LaneName = None, as_of: AsOf = None
) -> Scope:
    view: LedgerView = request.app.state.parts.view
    named, found = getattr(request.state, "run", (None, None))
    if found is not None and named == run:
        return view.scope_of(found, lane, as_of)
    return view.scope(run, lane, as_of)


ThePartsOf = Annotated[Parts, Depends(_parts)]
TheView = Annotated[LedgerView, Depends(_view)]
TheScope = Annotated[Scope, Depends(_scope)]
READS: dict[int | str, dict[str, Any]] = {
    304: {"description": "Not changed since the answer with this ETag."},
    **documented(400, 401, 404, 422, 429, 503),
}
