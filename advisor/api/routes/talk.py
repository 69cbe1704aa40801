"""Questions in plain language, answered by whoever stands behind the port `Chat`."""

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse

from advisor.api import schemas
from advisor.api.asking import ThePartsOf
from advisor.api.chat import Chat, Question
from advisor.api.events import EVENT_SCHEMA, EVENT_STREAM, HEADERS, event
from advisor.api.problems import ProblemError, documented
from tools.errors import AdvisorError

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
    responses={**_STREAMED, **documented(400, 401, 404, 413, 422, 429, 502, 503)},
)
def chat(parts: ThePartsOf, asked: schemas.ChatRequest) -> Response:
    """Ask about biases, analyses, signals, trades or P/L. Every statement cites its rows.

    With `stream` the answer is `text/event-stream`: events named `text` (pieces, in order), then
    one `answer`, which holds the verified whole and replaces the pieces, or one `error`.
    """
    if parts.chat is None:
        raise ProblemError(
            503, "chat-not-configured",
            "No chat is configured on this server; the other endpoints answer without it.",
        )  # fmt: skip
    scope = parts.view.scope(asked.run, asked.lane, asked.as_of)
    question = Question(
        text=asked.question,
        run=scope.run.run.run_id,
        lane=scope.place.lane,
        as_of=scope.as_of,
        conversation=asked.conversation,
        history=asked.history,
    )
    if asked.stream:
        events = _events(parts.chat, question)
        return StreamingResponse(events, media_type=EVENT_STREAM, headers=HEADERS)
    given = [one.answer for one in parts.chat.ask(question) if one.answer is not None]
    if not given:
        raise ProblemError(502, "no-answer", "The chat gave no answer; ask again.")
    return Response(given[-1].model_dump_json(), media_type="application/json")


def _events(chat: Chat, question: Question) -> Iterator[bytes]:
    try:
        for one in chat.ask(question):
            yield event(one.kind, one)
    except AdvisorError:
        problem = schemas.Problem(
            type="/problems/chat-unavailable", title="Chat unavailable", status=503,
            detail="The chat could not be reached; ask again in a moment.",
        )  # fmt: skip
        yield event("error", schemas.ChatEvent(kind="error", problem=problem))
