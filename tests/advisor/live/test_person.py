"""A person's word, and what a person hears: halt, resume, alerts, the day in one message."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from advisor.cli import app
from tests.advisor.live.theatre import BUSY, Kept, Play, agrees, is_flat, theatre
from tests.stand_ins.webhook import webhook

pytestmark = pytest.mark.slow


def advisor(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


def test_halt_by_file_stops_entries_within_a_cycle_and_only_a_person_resumes(
    tmp_path: Path,
) -> None:
    run = tmp_path / "run"
    with theatre(tmp_path, BUSY) as stage:
        stage.at[3] = lambda: (run / "HALT").touch()  # the signal of this minute comes too late
        stage.at[20] = lambda: (run / "HALT").unlink()  # starts nothing
        stage.at[30] = lambda: advisor("resume", run, "--yes")
        assert Play(stage).run(until=50) == "stopped"
        kept = agrees(stage)
    states = [(one.state, one.reason.split(":")[0]) for one in kept.risk]
    assert [state for state, _ in states] == ["HALTED", "REDUCING", "ACTIVE"]
    assert min(fill.start for fill in kept.fills) > kept.risk[-1].start
    assert {
        one.plan.blocked_by for one in kept.decisions if one.signal.start < kept.risk[-1].start
    } == {"risk_state"}


def test_halt_with_flatten_closes_what_is_open_at_market(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with theatre(tmp_path, BUSY) as stage:
        stage.at[60] = lambda: advisor("halt", run, "--flatten", "--reason", "the news")
        assert Play(stage).run(until=63) == "stopped"
        kept = is_flat(stage)
    assert [one.exit_reason for one in kept.trades[-2:]] == ["kill", "kill"]
    assert kept.risk[-1].state == "HALTED"


def test_a_halt_that_stands_at_the_start_holds_from_the_first_minute(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with theatre(tmp_path, BUSY) as stage:
        run.mkdir()
        (run / "HALT").write_text("whatever")
        assert Play(stage).run(until=13) == "stopped"
        kept = is_flat(stage)
    assert kept.fills == []
    assert kept.decisions
    assert {one.plan.blocked_by for one in kept.decisions} == {"risk_state"}


def test_a_halt_while_the_broker_is_away_is_applied_when_it_is_back(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with theatre(tmp_path, BUSY) as stage:
        stage.at[55] = lambda: stage.rest.down.update({"/v2/orders", "/v2/positions", "/v2/acc"})
        stage.at[58] = lambda: advisor("halt", run, "--flatten", "--reason", "panic")
        stage.at[65] = stage.rest.down.clear
        halted: list[str] = []
        stage.at[59] = lambda: halted.extend(one.state for one in Kept(run).risk)
        assert Play(stage).run(until=68) == "stopped"
        kept = is_flat(stage)
    assert halted[-1] == "HALTED"
    assert [one.exit_reason for one in kept.trades[-2:]] == ["kill", "kill"]


def test_what_matters_arrives_in_the_chat(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with theatre(tmp_path, BUSY) as stage, webhook() as told:
        stage.at[20] = lambda: advisor("halt", run, "--reason", "lunch")
        stage.at[25] = lambda: advisor("resume", run, "--yes")
        stage.at[30] = lambda: stage.rest.exchange.positions.update(NVDA=(7.0, 100.0))
        stage.at[33] = lambda: stage.rest.exchange.positions.pop("NVDA")
        settings = stage.settings(
            alerts={"webhook": "json"}, alert_limits={"repeat_minutes": 0.0, "per_hour": 500}
        )
        play = Play(stage, settings=settings, environment={"ADVISOR_ALERT_WEBHOOK": told.url})
        assert play.run() == "closed"
        kept = is_flat(stage)
    trades = told.titles("trade")
    assert sum("closed" in title for title in trades) == len(kept.trades)
    assert len(trades) == len(kept.trades) + len(kept.fills)
    assert [title.split(":")[0] for title in told.titles("halt")] == [
        "HALTED", "REDUCING", "ACTIVE", "REDUCING", "ACTIVE",
    ]  # fmt: skip
    assert len(told.titles("mismatch")) == 1
    (summary,) = told.titles("summary")
    assert f"in {len(kept.trades)} trades" in summary
