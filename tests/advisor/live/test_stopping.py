"""A session that is stopped, or dies, or begins late, and goes on as if nothing had been."""

import time
from datetime import timedelta
from pathlib import Path

import pytest

from advisor.bootstrap import ReplayOptions
from advisor.live.opening import Mode
from quant_core.calendar import new_york, to_datetime
from tests.advisor.live.theatre import BUSY, Kept, Play, agrees, is_flat, theatre
from tests.advisor.test_model_replay import answers
from tests.stand_ins.anthropic import anthropic_stand_in

pytestmark = pytest.mark.slow


def of_the_market(kept: Kept) -> list[object]:
    """What a session did, without the moments at which a broker said so."""
    trades = [
        (t.symbol, t.setup, t.side, t.quantity, t.entry_price, t.exit_price, t.exit_reason)
        for t in kept.trades
    ]
    signals = [(d.signal.symbol, d.signal.start, d.plan.quantity) for d in kept.decisions]
    return [trades, signals, kept.checkpoint, kept.cycles.minute.tolist(), kept.cycles.z.tolist()]


def test_a_session_that_is_stopped_and_goes_on_does_what_it_would_have_done(
    tmp_path: Path,
) -> None:
    last = 125  # of minutes: one trade is over, another signal has come and gone
    with theatre(tmp_path / "whole") as stage:
        assert Play(stage).run(until=last) == "stopped"
        whole = agrees(stage)
    with theatre(tmp_path / "parts") as stage:
        for until in (0, 1, 44, 45, 46, 60, last):  # NVDA is ordered in 44, bought in 45
            play = Play(stage)
            if until == 0:
                play.stop.set()  # before its first minute
            assert play.run(until=until) == "stopped"
            parts = agrees(stage)
    assert of_the_market(parts) == of_the_market(whole)
    assert len(whole.trades) == 1
    assert parts.lanes.keys() == whole.lanes.keys()


def test_who_comes_late_catches_up_opens_nothing_on_stale_bars_and_trades_on(
    tmp_path: Path,
) -> None:
    with theatre(tmp_path) as stage:
        stage.until(to_datetime(stage.session.open + 71) + timedelta(seconds=7))  # 10:41:07
        play = Play(stage)
        questions: list[int] = []
        stage.at[72] = lambda: questions.append(len(stage.rest.seen))
        assert play.run(until=150) == "stopped"
        kept = agrees(stage)
        missed = to_datetime(stage.session.open + 70)
    assert questions[0] < 40  # catching up does not use up what a broker allows
    early = [one for one in kept.decisions if one.signal.start < missed]
    assert [(one.signal.symbol, one.plan.quantity, one.plan.blocked_by) for one in early] == [
        ("NVDA", 0, "bar_age")
    ]
    later = [one for one in kept.decisions if one.signal.start >= missed]
    assert any(one.plan.quantity for one in later)
    assert len(kept.fills) > 0
    assert kept.cycles.minute.min() == stage.session.open
    assert len(kept.cycles.minute) == 149 * 3


def test_a_model_is_not_asked_about_what_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
    with theatre(tmp_path) as stage, anthropic_stand_in(answers) as model:
        stage.until(to_datetime(stage.session.open + 71))

        def answered() -> None:
            asked = (stage.row >= 75) + (stage.row >= 90)
            while len(model.requests) < asked:
                time.sleep(0.02)
            if stage.row in (75, 90):
                time.sleep(0.3)

        stage.waited_for = answered
        settings = stage.settings(
            llm={"anthropic_base_url": model.url, "retries": 0},
            live={"look_seconds": 20.0},
        )
        options = ReplayOptions(analyst="model", llm="live")
        play = Play(stage, "dry", options, settings)
        assert play.run(until=92) == "stopped"
        kept = Kept(tmp_path / "run")
    told = [(new_york(one.as_of)[11:16], one.degraded_reason) for one in kept.analyses]
    assert [at for at, _ in told][:5] == ["09:30", "09:45", "10:00", "10:15", "10:30"]
    late = [why for at, why in told if at <= "10:30"]
    assert all("it was not asked: its moment was" in why for why in late)
    assert len(late) == 5
    assert [why for at, why in told if at > "10:30"] == ["", ""]
    assert len(model.requests) == 2


@pytest.mark.parametrize("mode", ["paper", "dry"])
def test_a_session_that_comes_after_noon_trades_nothing_and_ends(
    tmp_path: Path, mode: Mode
) -> None:
    with theatre(tmp_path, BUSY) as stage:
        stage.until(to_datetime(stage.session.close - 5))
        play = Play(stage, mode)
        assert play.run() == "closed"
        kept = is_flat(stage)
    assert len(kept.cycles.minute) == 210 * 3
    assert kept.fills == []
    assert len(kept.days) == 1
