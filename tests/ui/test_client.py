"""The client: what has not changed is not sent again; trouble is a value beside the last answer."""

from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest

from advisor.api import schemas
from ui.client import Client, Reading, Trouble

HEALTH = schemas.Health(
    status="ok", version="1", time=datetime(2026, 1, 5, tzinfo=UTC), components=[]
)
Handler = Callable[[httpx.Request], httpx.Response]


def read(client: Client, key: str = "") -> Reading[schemas.Health]:
    return client.read(schemas.Health, "/api/thing", {"limit": 5}, key=key, fresh=0.0)


def ok(tag: str = '"1"') -> httpx.Response:
    return httpx.Response(200, content=HEALTH.model_dump_json(), headers={"ETag": tag})


def answering(*handlers: Handler) -> tuple[Client, list[httpx.Request]]:
    """A client whose requests are answered one after the other, and the requests."""
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return handlers[min(len(seen), len(handlers)) - 1](request)

    return Client("http://127.0.0.1:1", httpx.MockTransport(handle)), seen


def test_an_unchanged_answer_is_asked_for_by_its_tag_and_kept() -> None:
    client, seen = answering(lambda _: ok(), lambda _: httpx.Response(304))
    first, second = read(client), read(client)
    assert first.value == HEALTH
    assert second.value is first.value
    assert [request.headers.get("if-none-match") for request in seen] == [None, '"1"']
    assert seen[0].url.params["limit"] == "5"


def test_a_fresh_answer_is_not_asked_for_again() -> None:
    client, seen = answering(lambda _: ok())
    for _ in range(3):
        client.read(schemas.Health, "/api/thing", fresh=60.0)
    assert len(seen) == 1


def away(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


def silent(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("late", request=request)


def test_an_absent_api_leaves_the_last_answer_with_its_age() -> None:
    client, _ = answering(lambda _: ok(), away)
    read(client)
    reading = read(client)
    assert reading.value == HEALTH
    assert reading.trouble is not None
    assert reading.trouble.why == "away"
    assert reading.age >= 0.0


def test_after_a_time_out_the_api_is_left_alone_for_a_moment() -> None:
    client, seen = answering(silent)
    assert [read(client).trouble is None for _ in range(5)] == [False] * 5
    assert len(seen) == 1


def problem(status: int, kind: str) -> Handler:
    body = schemas.Problem(type=f"/problems/{kind}", title=kind, status=status, detail="because")
    return lambda _: httpx.Response(status, content=body.model_dump_json())


@pytest.mark.parametrize(
    ("status", "why"),
    [(401, "key"), (403, "scope"), (404, "missing"), (422, "refused"), (429, "busy"),
     (503, "busy"), (500, "broken")],
)  # fmt: skip
def test_a_problem_document_says_what_is_wrong(status: int, why: str) -> None:
    client, _ = answering(problem(status, "some-kind"))
    assert read(client).trouble == Trouble(why, "because", "some-kind")  # type: ignore[arg-type]


def test_a_key_that_no_longer_counts_shows_nothing_of_what_it_opened() -> None:
    client, _ = answering(lambda _: ok(), problem(401, "wrong-key"))
    assert read(client, key="mine").value == HEALTH
    assert read(client, key="mine").value is None
    assert read(client, key="another").value is None


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"status": "ok"}', b"\xff"])
def test_nonsense_is_said_and_not_shown(body: bytes) -> None:
    client, _ = answering(lambda _: httpx.Response(200, content=body))
    reading = read(client)
    assert reading.value is None
    assert reading.trouble is not None
    assert reading.trouble.why == "broken"


def test_a_streamed_answer_comes_in_pieces_and_ends_with_the_whole() -> None:
    whole = schemas.ChatAnswer(text="You won $3.")
    events = [
        schemas.ChatEvent(kind="text", text="You "),
        schemas.ChatEvent(kind="text", text="won"),
        schemas.ChatEvent(kind="answer", answer=whole),
    ]
    lines = "".join(f"event: {e.kind}\ndata: {e.model_dump_json()}\n\n" for e in events)
    client, seen = answering(lambda _: httpx.Response(200, text=lines))
    assert list(client.ask(schemas.ChatRequest(question="P/L?"))) == events
    assert b'"stream":true' in seen[0].content


def test_a_chat_that_is_not_there_is_one_trouble() -> None:
    client, _ = answering(problem(503, "chat-not-configured"))
    assert list(client.ask(schemas.ChatRequest(question="P/L?"))) == [
        Trouble("busy", "because", "chat-not-configured")
    ]


def test_a_change_is_asked_for_with_the_key_and_what_was_kept_is_read_anew() -> None:
    made = schemas.Control(
        asked="halt", by="ann", at=datetime(2026, 1, 5, tzinfo=UTC), reason="", flatten=False,
        applied=False,
    )  # fmt: skip
    client, seen = answering(
        lambda _: ok(), lambda _: httpx.Response(202, content=made.model_dump_json()),
        lambda _: ok(), problem(403, "scope-missing"),
    )  # fmt: skip
    client.read(schemas.Health, "/api/thing", fresh=60.0)
    body = schemas.HaltRequest(reason="fed day")
    assert client.tell(schemas.Control, "/api/halt", body, key="k").value == made
    assert (seen[1].method, seen[1].headers["x-api-key"]) == ("POST", "k")
    assert seen[1].content == body.model_dump_json().encode()
    client.read(schemas.Health, "/api/thing", fresh=60.0)
    assert len(seen) == 3
    refused = client.tell(schemas.Control, "/api/resume", key="k").trouble
    assert refused is not None
    assert refused.why == "scope"


def test_after_a_change_a_busy_api_leaves_the_last_answer_with_its_true_age() -> None:
    made = schemas.Control(
        asked="halt", by="ann", at=datetime(2026, 1, 5, tzinfo=UTC), reason="", flatten=False,
        applied=False,
    )  # fmt: skip
    client, seen = answering(
        lambda _: ok(),
        lambda _: httpx.Response(202, content=made.model_dump_json()),
        lambda _: httpx.Response(429),
        lambda _: httpx.Response(304),
    )
    client.read(schemas.Health, "/api/thing", fresh=60.0)
    client.tell(schemas.Control, "/api/halt")
    busy = client.read(schemas.Health, "/api/thing", fresh=60.0)
    assert busy.trouble is not None
    assert (busy.trouble.why, busy.value) == ("busy", HEALTH)
    assert 0.0 <= busy.age < 60.0, "an age that can be written"
    for _ in range(2):
        assert client.read(schemas.Health, "/api/thing", fresh=60.0).trouble is None
    assert len(seen) == 4
