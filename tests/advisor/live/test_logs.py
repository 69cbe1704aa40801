"""What a live session logs, as a machine reads it."""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from advisor.cli import app
from advisor.live.opening import Opening
from quant_core.calendar import Session, premarket_moment, xnys
from tests.advisor.live.theatre import DAY, Play, theatre


class Noon:
    """A clock that stands at the premarket of a day."""

    def __init__(self) -> None:
        self._now = premarket_moment(on(DAY))

    def now(self) -> Any:
        return self._now

    def wait(self, event: threading.Event, until: object) -> None: ...


def on(day: date) -> Session:
    found = xnys(day.year, day.year).on(day)
    assert found is not None
    return found


@pytest.fixture
def roots() -> Iterator[None]:
    """The process's logging as it was."""
    root, ours = logging.getLogger(), logging.getLogger("advisor")
    before = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:], level, our_level = before
    root.setLevel(level)
    ours.setLevel(our_level)


@pytest.mark.slow
def test_the_command_logs_minutes_decisions_and_orders_under_their_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, roots: None
) -> None:
    """The command with its clock and its opening replaced by those of the stage."""
    with theatre(tmp_path) as stage:
        play = Play(stage)

        @contextmanager
        def staged(_: Opening) -> Iterator[Any]:
            monkeypatch.undo()

            class Running:
                def run(self) -> str:
                    return play.run(until=60)

            yield Running()

        monkeypatch.setattr("advisor.live.clock.WallClock", Noon)
        monkeypatch.setattr(Opening, "open", staged)
        done = CliRunner().invoke(app, ["live", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    by_event = {one["event"]: one for one in lines}
    assert {"analysis", "decision", "order", "fill"} <= set(by_event)
    for name in ("decision", "order"):
        assert {"run", "lane", "minute", "decision"} <= set(by_event[name]), by_event[name]
    assert by_event["order"]["decision"] == by_event["order"]["order"]
    assert by_event["order"]["decision"] in {
        one["decision"] for one in lines if one["event"] == "decision"
    }
