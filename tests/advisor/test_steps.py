"""The steps that a run leaves for whoever watches: bounded, its own, and never in the way."""

import json
from datetime import date
from pathlib import Path

import pytest

from advisor.bootstrap import ReplayOptions
from advisor.replay import replay
from advisor.steps import MOST, STEPS, StepsWriter, steps_in, telling_both
from graph.ports import Event
from tests.advisor.test_model_replay import answers, settings
from tests.advisor.worlds import market, request
from tests.stand_ins.anthropic import anthropic_stand_in
from tests.tools.llm.worlds import HandClock

DAY = date(2026, 10, 14)


def event(step: str) -> Event:
    return Event(machine="market_analysis", step=step, outcome="done", about="2026-10-14 09:30")


def test_the_latest_steps_are_kept_across_processes_and_only_so_many(tmp_path: Path) -> None:
    assert steps_in(tmp_path, "run") == []
    writer = StepsWriter(tmp_path, "run", HandClock())
    for number in range(MOST):
        writer.tell(event(f"step {number}"))
    StepsWriter(tmp_path, "run", HandClock()).tell(event("after a restart"))
    found = steps_in(tmp_path, "run")
    assert [one.number for one in found] == list(range(2, MOST + 2))
    assert found[-1].step == "after a restart"
    assert steps_in(tmp_path, "another") == []
    StepsWriter(tmp_path, "another", HandClock()).tell(event("first"))
    assert steps_in(tmp_path, "run") == []
    over = StepsWriter(tmp_path, "another", HandClock())
    over.close()
    over.tell(event("late"))
    assert steps_in(tmp_path, "another") == []


def test_who_watches_holds_nothing_up(tmp_path: Path) -> None:
    gone = StepsWriter(tmp_path / "no such folder", "run", HandClock())
    seen: list[Event] = []
    telling_both(seen.append, gone.tell)(event("one"))
    assert [one.step for one in seen] == ["one"]
    (tmp_path / STEPS).write_text("{")
    assert steps_in(tmp_path, "run") == []


@pytest.mark.slow
def test_a_replay_tells_what_its_machines_did_last_until_it_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
    options = ReplayOptions(analyst="model")
    with anthropic_stand_in(answers) as server:
        chosen = settings(server.url)
        seen: list[tuple[str, str]] = []

        def look(done: int, total: int, text: str) -> None:
            told = json.loads((tmp_path / STEPS).read_text())["steps"]
            seen.append((told[-1]["about"], told[-1]["step"]))

        replay(request(DAY, DAY), options, chosen, market(DAY, DAY), tmp_path, look)
    assert seen[0] == ("2026-10-14 09:30", "bound")
    assert seen[-1] == ("2026-10-14 15:45", "bound")
    assert not (tmp_path / STEPS).exists()
