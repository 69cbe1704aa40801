"""Live updates: what a lane records, as it records it, in the order in which it was recorded.

Beside it go the steps of the run's machines, which are no record: they have no id, and whoever
comes back asks `/api/steps` for the latest.

Each event's id says where the stream stands (run, record, minute), so a client that comes back with
`Last-Event-ID` misses nothing and sees nothing twice. Without one the stream begins at the newest
record. Waiting costs no thread: between two looks at the ledger the connection only sleeps.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any

import anyio
import msgspec
from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response, StreamingResponse

from advisor.api import rows, schemas
from advisor.api.answers import answer
from advisor.api.asking import READS, LaneName, RunName, ThePartsOf
from advisor.api.events import EVENT_SCHEMA, EVENT_STREAM, HEADERS, HEARTBEAT, RECONNECT, event
from advisor.api.parts import Parts
from advisor.api.problems import ProblemError, bad_request, documented
from advisor.api.view import LATEST, LedgerView, Scope
from advisor.steps import steps_in
from tools.errors import AdvisorError
from tools.store.paging import Span

router = APIRouter(prefix="/api", tags=["stream"])
MOST_AT_ONCE = 200
HEARTBEAT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a stream has come: the last record and the last minute it told of."""

    run: str
    seq: int
    minute: int

    def __str__(self) -> str:
        """As it travels in `id` and `Last-Event-ID`."""
        return f"{self.run}/{self.seq}/{self.minute}"


@router.get("/steps", response_model=schemas.Steps, responses=READS)
def steps(request: Request, parts: ThePartsOf, run: RunName = None) -> Response:
    """What the machines of a run have done last, step by step: a model's analyses take a while."""
    found = parts.view.run(run).run
    data = _steps(parts, found.run_id)
    going = found.status == "running"
    return answer(request, schemas.Steps(run=found.run_id, running=going, data=data))


def _steps(parts: Parts, run: str) -> list[schemas.Step]:
    if parts.folder is None:
        return []
    return [schemas.Step(**msgspec.structs.asdict(one)) for one in steps_in(parts.folder, run)]


@router.get(
    "/stream",
    response_class=Response,
    responses={
        200: {
            "description": "Events named after their kind with a LogEntry, `minutes` with a Tick, "
            "`step` with a Step (without id).",
            "content": {EVENT_STREAM: {"schema": EVENT_SCHEMA}},
        },
        **documented(400, 401, 404, 422, 429, 503),
    },
)
def stream(
    parts: ThePartsOf, run: RunName = None, lane: LaneName = None,
    last_event_id: Annotated[
        str | None, Header(description="Go on after this event.", max_length=120)
    ] = None,
    after: Annotated[
        str | None, Query(description="The same, for clients without headers.", max_length=120)
    ] = None,
) -> Response:  # fmt: skip
    """Server-sent events of a lane: every record as it is written, the newest minute, and the
    steps of the run's machines."""
    scope = parts.view.scope(run, lane)
    standing = _standing(parts.view, scope, last_event_id or after)
    if parts.metrics.open_streams >= parts.settings.max_streams:
        raise ProblemError(
            503, "too-many-streams", "Too many streams are open; try again later.",
            {"Retry-After": "30"},
        )  # fmt: skip
    return StreamingResponse(
        _events(parts, scope, standing), media_type=EVENT_STREAM, headers=HEADERS
    )


def _standing(view: LedgerView, scope: Scope, text: str | None) -> Standing:
    run = scope.run.run.run_id
    if text is None:
        return Standing(
            run, scope.place.head, view.pages.last_minute(scope.place, as_of=LATEST) or 0
        )
    parts = text.split("/")
    if len(parts) != 3 or not parts[1].isdigit() or not parts[2].lstrip("-").isdigit():
        raise bad_request("bad-event-id", "This is no event id; begin again without one.")
    if parts[0] != run:
        return Standing(run, 0, 0)  # a newer run has begun: all of it is news
    return Standing(run, min(int(parts[1]), 2**62), int(parts[2]))


async def _events(parts: Parts, scope: Scope, standing: Standing) -> AsyncIterator[bytes]:
    """Events until the client goes."""
    with parts.metrics.stream():
        yield RECONNECT
        silent = 0.0
        told = _last(_steps(parts, standing.run))
        while True:
            try:
                news, standing = await to_thread.run_sync(_news, parts.view, scope, standing)
                done = [one for one in _steps(parts, standing.run) if one.number > told]
                told = max(told, _last(done))
                news = [*(event("step", one) for one in done), *news]
            except AdvisorError:
                news = []  # locked for a moment: look again
            if news:
                yield b"".join(news)
                silent = 0.0
            elif silent >= HEARTBEAT_SECONDS:
                yield HEARTBEAT
                silent = 0.0
            if len(news) < MOST_AT_ONCE:
                await anyio.sleep(parts.settings.stream_poll_seconds)
                silent += parts.settings.stream_poll_seconds


def _last(found: list[schemas.Step]) -> int:
    return found[-1].number if found else 0


def _news(view: LedgerView, scope: Scope, standing: Standing) -> tuple[list[bytes], Standing]:
    """What was recorded since, oldest first, and where the stream stands then."""
    scope = view.scope(scope.run.run.run_id, scope.place.lane)
    head = scope.place.head
    sent: list[bytes] = []
    if head > standing.seq:
        for name, entry in _records(view, scope, standing.seq):
            standing = replace(standing, seq=entry.seq)
            sent.append(event(name, rows.log_entry(name, entry), str(standing)))
        if len(sent) < MOST_AT_ONCE:
            standing = replace(standing, seq=max(standing.seq, head))
    minute = view.pages.last_minute(scope.place, as_of=LATEST)
    if minute is not None and minute > standing.minute and len(sent) < MOST_AT_ONCE:
        standing = replace(standing, minute=minute)
        sent.append(event("minutes", _tick(view, scope), str(standing)))
    return sent, standing


def _records(view: LedgerView, scope: Scope, after: int) -> list[tuple[Any, Any]]:
    """The next records of all kinds together, in order."""
    found = [
        (name, entry)
        for name, (kind, _) in rows.LOGGED.items()
        for entry in view.pages.following(
            kind, scope.place, as_of=LATEST, limit=MOST_AT_ONCE, span=Span(after)
        )
    ]
    found.sort(key=lambda pair: pair[1].seq)
    return found[:MOST_AT_ONCE]


def _tick(view: LedgerView, scope: Scope) -> schemas.Tick:
    latest = list(view.pages.latest(scope.place, as_of=LATEST).records())
    return schemas.Tick(
        now=max(row.start for row in latest) + timedelta(minutes=1),
        rows=[
            schemas.TickRow(
                symbol=row.symbol, time=row.start, price=rows.number(row.close),
                mean=rows.number(row.mean), deviation=rows.number(row.deviation),
                z=rows.number(row.z), state=row.state.value, side=rows.side(row.side),
            )
            for row in latest
        ],
    )  # fmt: skip
