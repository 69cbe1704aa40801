"""Questions in plain language, answered by whoever stands behind the port `Chat`.

The handler is a coroutine, unlike the others: while it waits for an answer it holds no thread, so
slow questions leave the threads of this server to the other requests.
"""

import logging
from collections.abc import AsyncIterator
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from advisor.api import schemas
from advisor.api.asking import ThePartsOf
from advisor.api.chat import Question
from advisor.api.events import EVENT_SCHEMA, EVENT_STREAM, HEADERS, event
from advisor.api.problems import ProblemError, documented
from tools.errors import AdvisorError

_log = logging.getLogger("advisor.api")
router = APIRouter(prefix="/api", tags=["chat"])
_STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer; with `stream`, a stream of `ChatEvent`.",
        "content": {EVENT_STREAM: {"schema": EVENT_SCHEMA}},
    }
}


@router.post(
    "/chat",
    response_model=schemas.ChatAnswer,
    responses={**_STREAMED, **documented(400, 401, 404, 413, 422, 429, 502, 503, 504)},
)
async def chat(request: Request, parts: ThePartsOf, asked: schemas.ChatRequest) -> Response:
    """Ask about biases, analyses, signals, trades or P/L. Every statement cites its rows.

    With `stream` the answer is `text/event-stream`: events named `step` (what has been done) and
    `text` (pieces, in order), then one `answer`, which holds the verified whole and replaces the
    pieces, or one `error`. A follow-up names the `conversation` of the answer before. Questions
    have an allowance of their own.
    """
    if parts.chat is None:
        raise ProblemError(
            503, "chat-not-configured",
            "No chat is configured on this server; the other endpoints answer without it.",
        )  # fmt: skip
    parts.desk.admit(request.state.caller.name)
    scope = await to_thread.run_sync(parts.view.scope, asked.run, asked.lane, asked.as_of)
    question = Question(
        text=asked.question,
        run=scope.run.run.run_id,
        lane=scope.place.lane,
        as_of=scope.as_of,
        conversation=asked.conversation,
        history=asked.history,
    )
    told = parts.desk.ask(parts.chat, question)
    if asked.stream:
        return StreamingResponse(
            _events(told, request.url.path), media_type=EVENT_STREAM, headers=HEADERS
        )
    try:
        given = [one.answer async for one in told if one.answer is not None]
    except AdvisorError as error:
        raise _unavailable(request.url.path, error) from error
    if not given:
        raise ProblemError(502, "no-answer", "The chat gave no answer; ask again.")
    return Response(
        given[-1].model_dump_json(), media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )  # fmt: skip


async def _events(told: AsyncIterator[schemas.ChatEvent], path: str) -> AsyncIterator[bytes]:
    try:
        async for one in told:
            yield event(one.kind, one)
    except ProblemError as refusal:
        yield _problem(refusal.kind, refusal.status, refusal.detail)
    except AdvisorError as error:
        away = _unavailable(path, error)
        yield _problem(away.kind, away.status, away.detail)
    except Exception:
        _log.exception("request to %s failed", path)
        yield _problem("internal-error", 500, "The server failed; its log says why.")


def _unavailable(path: str, error: AdvisorError) -> ProblemError:
    _log.warning("request to %s: %s", path, error)
    return ProblemError(
        503, "chat-unavailable", "The chat could not be reached; ask again in a moment.",
        {"Retry-After": "1"},
    )  # fmt: skip


def _problem(kind: str, status: int, detail: str) -> bytes:
    document = schemas.Problem(
        type=f"/problems/{kind}", title=kind.replace("-", " ").capitalize(), status=status,
        detail=detail,
    )  # fmt: skip
    return event("error", schemas.ChatEvent(kind="error", problem=document))
