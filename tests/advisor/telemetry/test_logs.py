"""Logs: one line an event, with its ids, and never a secret."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from advisor.telemetry import logs

SECRET = "s3cr3t-value-of-alpaca"
ENVIRONMENT = {"APCA_API_SECRET_KEY": SECRET, "SHORT_KEY": "a", "HOME": "/home/somebody"}


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield io.StringIO()
    root.handlers, root.level = handlers, level
    logging.getLogger("advisor").setLevel(logging.NOTSET)


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json_with_what_it_is_about(stream: io.StringIO) -> None:
    logs.configure("json", stream=stream, environment={})
    with logs.about(run="r1", lane="advised"), logs.about(minute="2026-01-05T14:31Z"):
        logs.event("order", order="advised-20260105-0931-SPY-MR", price=float("nan"))
    logs.event("idle")
    first, second = written(stream)
    assert first["event"] == "order"
    assert (first["run"], first["lane"], first["minute"]) == ("r1", "advised", "2026-01-05T14:31Z")
    assert first["order"] == "advised-20260105-0931-SPY-MR"
    assert first["price"] is None
    assert "run" not in second


def test_an_error_is_one_line_too(stream: io.StringIO) -> None:
    logs.configure("json", stream=stream, environment=ENVIRONMENT)
    try:
        raise ValueError(f"refused {SECRET}")
    except ValueError:
        logging.getLogger("advisor.api").exception("a request failed")
    (line,) = written(stream)
    assert "ValueError: refused ***" in line["error"]
    assert "Traceback" in line["error"]


@pytest.mark.parametrize("form", ["json", "human"])
def test_secrets_are_never_written(stream: io.StringIO, form: Any) -> None:
    logs.configure(form, stream=stream, environment=ENVIRONMENT)
    logs.event(
        f"sent with {SECRET}",
        api_key="k-1234", headers={"Authorization": "Bearer abcdefgh12345678"},
        url="postgresql://advisor:hunter2@db/advisor", reason=f"401 for {SECRET}", many=[SECRET],
        said="Authorization: Bearer abcdefgh12345678",
    )  # fmt: skip
    text = stream.getvalue()
    for secret in (SECRET, "k-1234", "hunter2", "abcdefgh12345678"):
        assert secret not in text
    assert "advisor:***@db/advisor" in text
    assert "a request" not in text


def test_a_short_value_of_a_key_does_not_hide_words(stream: io.StringIO) -> None:
    logs.configure("human", stream=stream, environment=ENVIRONMENT)
    logs.event("a cat sat", keyboard="qwerty", tokens_in=7)
    assert "a cat sat keyboard=qwerty tokens_in=7" in stream.getvalue()


def test_words_for_people_are_in_new_york_time(stream: io.StringIO) -> None:
    logs.configure("human", stream=stream, environment={})
    logs.event("risk state", logging.ERROR, state="HALTED", reason="daily loss 10.2 %")
    line = stream.getvalue().strip()
    assert line.endswith('ERROR risk state state=HALTED reason="daily loss 10.2 %"')
    assert len(line.split(" ")[0].split(":")) == 3


def test_words_on_a_terminal_and_json_elsewhere(stream: io.StringIO) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    logs.configure("auto", stream=screen, environment={})
    logs.configure("auto", stream=stream, environment={})  # takes the other's place
    logs.event("here")
    assert screen.getvalue() == ""
    assert written(stream)[0]["event"] == "here"


def test_the_level_is_kept(stream: io.StringIO) -> None:
    logs.configure("json", "warning", stream=stream, environment={})
    logs.event("quiet")
    logs.event("loud", logging.WARNING)
    assert [line["event"] for line in written(stream)] == ["loud"]
