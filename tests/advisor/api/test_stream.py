"""The stream over a real server and socket: what is written arrives once, also after a break."""

import json
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from advisor.api.chat import Question
from advisor.api.schemas import ChatAnswer, ChatEvent, Citation
from advisor.commands.serve import _listening
from advisor.settings import ApiSettings
from advisor.steps import StepsWriter
from graph.ports import Event
from tests.advisor.api.worlds import api, client
from tests.tools.store.examples import (
    ANALYSIS,
    DAY,
    DECISION,
    FILL,
    MINUTE,
    OPEN,
    ORDER,
    TRADE,
    TRANSITION,
    minutes,
    start,
)
from tools.errors import Transient
from tools.store import Store


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The app on a real port of this machine."""
    listener = _listening("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def events(lines: Iterator[str], count: int) -> list[dict[str, Any]]:
    """The next events of a stream: name, id and data."""
    found: list[dict[str, Any]] = []
    event: dict[str, Any] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if name in ("id", "event"):
            event[name] = value
        elif name == "data":
            event["data"] = json.loads(value)
        elif not line and event:
            found.append(event)
            event = {}
            if len(found) == count:
                return found
    raise AssertionError(f"the stream ended after {found}")


def test_a_stream_tells_what_is_written_and_resumes_where_it_broke(tmp_path: Path) -> None:
    with Store.open(tmp_path / "ledger.sqlite", synchronous="NORMAL") as store:
        start(store)
        store.commit_cycle("run", "advised", minutes(OPEN, 5), [TRANSITION], None)
        with served(api(store, tmp_path)) as url, httpx.Client(base_url=url, timeout=10) as http:
            with http.stream("GET", "/api/stream") as stream:
                lines = stream.iter_lines()
                assert next(lines) == "retry: 2000"
                rows = minutes(OPEN + 5 * MINUTE, 20)
                store.commit_cycle("run", "advised", rows, [ANALYSIS, DECISION, ORDER], None)
                first = events(lines, 3)
            assert [one["event"] for one in first] == ["analysis", "signal", "minutes"]
            assert first[0]["data"]["record"]["assessment"] == ANALYSIS.assessment
            assert first[2]["data"]["now"] == "2026-01-05T14:55:00Z"
            store.commit_cycle(
                "run", "advised", minutes(OPEN + 25 * MINUTE, 20), [FILL, TRADE, DAY], None
            )
            after = {"Last-Event-ID": first[1]["id"]}
            with http.stream("GET", "/api/stream", headers=after) as stream:
                again = events(stream.iter_lines(), 4)
            assert [one["event"] for one in again] == ["fill", "trade", "day", "minutes"]
            assert again[1]["data"]["record"]["pnl"] == TRADE.pnl


def test_a_newer_run_is_told_from_its_beginning(tmp_path: Path) -> None:
    with Store.open(tmp_path / "ledger.sqlite", synchronous="NORMAL") as store:
        start(store, "old")
        start(store, "new")
        store.commit_cycle("new", "advised", minutes(OPEN, 5), [TRANSITION], None)
        with (
            served(api(store, tmp_path)) as url,
            httpx.stream("GET", f"{url}/api/stream?after=old/7/99", timeout=10) as stream,
        ):
            told = events(stream.iter_lines(), 2)
        assert [one["event"] for one in told] == ["transition", "minutes"]
        assert told[0]["id"].startswith("new/1/")


def test_a_ledger_is_read_while_a_replay_writes_it(tmp_path: Path) -> None:
    with Store.open(tmp_path / "ledger.sqlite", synchronous="NORMAL") as writer:
        start(writer)
        with Store.open(tmp_path / "ledger.sqlite", read_only=True) as store:
            site = client(api(store, tmp_path))
            assert site.get("/api/trades").json()["data"] == []
            writer.commit_cycle("run", "advised", minutes(OPEN, 60), [FILL, TRADE], b"state")
            assert [t["pnl"] for t in site.get("/api/trades").json()["data"]] == [TRADE.pnl]
            assert site.get("/api/pnl").json()["data"][0]["pnl"] == TRADE.pnl
            writer.commit_cycle("run", "advised", None, [DAY], b"state")
            assert site.get("/api/pnl").json()["data"][0]["date"] == "2026-01-05"
            assert site.get("/api/equity").json()["data"][0]["equity"] == DAY.end_equity


class Parrot:
    """A chat that repeats the question in two pieces, or fails."""

    def ask(self, question: Question) -> Generator[ChatEvent, None, None]:
        if "fail" in question.text:
            raise Transient("the model at /secret/place does not answer")
        yield ChatEvent(kind="text", text=question.text[:3])
        yield ChatEvent(kind="text", text=question.text[3:])
        cited = [Citation(kind="trade", lane=question.lane, id=1, label="trade 1")]
        yield ChatEvent(kind="answer", answer=ChatAnswer(text=question.text, citations=cited))


def test_a_chat_answers_whole_or_in_pieces(tmp_path: Path) -> None:
    with Store.open(tmp_path / "ledger.sqlite", synchronous="NORMAL") as store:
        start(store)
        site = client(api(store, tmp_path, chat=Parrot()))
        whole = site.post("/api/chat", json={"question": "P/L this week?"})
        assert whole.json()["text"] == "P/L this week?"
        assert whole.json()["citations"][0]["lane"] == "advised"
        pieces = site.post("/api/chat", json={"question": "P/L this week?", "stream": True})
        told = events(iter(pieces.text.splitlines()), 3)
        assert [one["event"] for one in told] == ["text", "text", "answer"]
        assert told[2]["data"]["answer"] == whole.json()
        failed = site.post("/api/chat", json={"question": "fail", "stream": True})
        assert events(iter(failed.text.splitlines()), 1)[0]["event"] == "error"
        assert "/secret" not in failed.text
        assert site.post("/api/chat", json={"question": "fail"}).status_code == 503


def test_the_steps_of_the_machines_are_told_as_they_end(tmp_path: Path) -> None:
    def step(name: str) -> Event:
        return Event(machine="market_analysis", step=name, outcome="", about="2026-01-05 09:45")

    with Store.open(tmp_path / "ledger.sqlite", synchronous="NORMAL") as store:
        start(store)
        store.commit_cycle("run", "advised", minutes(OPEN, 5), [TRANSITION], None)
        writer = StepsWriter(tmp_path, "run")
        writer.tell(step("news"))
        site = client(api(store, tmp_path))
        told = site.get("/api/steps").json()
        assert (told["run"], told["running"]) == ("run", True)
        assert [one["step"] for one in told["data"]] == ["news"]
        with (
            served(api(store, tmp_path)) as url,
            httpx.stream("GET", f"{url}/api/stream?after=run/0/0", timeout=10) as stream,
        ):
            lines = stream.iter_lines()
            assert [one["event"] for one in events(lines, 2)] == ["transition", "minutes"]
            writer.tell(step("review"))
            (one,) = events(lines, 1)
        assert one["event"] == "step"
        assert "id" not in one  # it is no place to go on from
        assert (one["data"]["number"], one["data"]["step"]) == (2, "review")
        store.finish_run("run")
        assert site.get("/api/steps").json()["running"] is False
        start(store, "other")
        assert site.get("/api/steps").json()["data"] == []


def test_streams_are_bounded(tmp_path: Path) -> None:
    settings = ApiSettings(max_streams=1, stream_poll_seconds=0.05)
    with Store.open(tmp_path / "ledger.sqlite", synchronous="NORMAL") as store:
        start(store)
        with (
            served(api(store, tmp_path, settings=settings)) as url,
            httpx.Client(base_url=url, timeout=10) as http,
            http.stream("GET", "/api/stream") as first,
        ):
            lines = first.iter_lines()
            assert next(lines) == "retry: 2000"
            refused = http.get("/api/stream")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
