"""Alerts of charts in a live session: recorded, shown to a model while young, and replayed."""

import json
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from advisor.bootstrap import EVER, RECORDINGS, ReplayOptions
from advisor.market import MarketRequest, prepare_market
from advisor.replay import LEDGER, MARKET_LANE, replay
from quant_core.calendar import to_datetime
from quant_core.types import ChartAlert
from tests.advisor.live.theatre import BUSY, SYMBOLS, Play, Theatre, theatre
from tests.advisor.test_model_replay import ANALYSIS
from tests.stand_ins.anthropic import anthropic_stand_in
from tests.stand_ins.steps import Says
from tools.market.alert_inboxes import FOLDER, REFUSED, FolderInbox
from tools.market.tradingview import COMPONENTS
from tools.store.store import Store


def alert(at: datetime, name: str = "a1" * 16, **differs: object) -> ChartAlert:
    values: dict[str, object] = {
        "symbol": "NVDA", "direction": "short", "grade": "A", "score": -6.5, "confidence": 72.0,
        "entry": 120.0, "stop": 121.5, "targets": (118.0, 116.5),
        "components": dict.fromkeys(COMPONENTS, -0.25), "time": at - timedelta(minutes=1),
    }  # fmt: skip
    return ChartAlert(id=name, known_at=at, **(values | differs))  # type: ignore[arg-type]


class Chart:
    """Whoever puts alerts into the folder of a run."""

    def __init__(self, stage: Theatre) -> None:
        self.stage = stage
        self.folder = stage.folder / "run" / FOLDER
        self.inbox = FolderInbox(self.folder, print)

    def tells(self, minute: int, **differs: object) -> ChartAlert:
        """An alert that came shortly before a minute of the session begins."""
        at = to_datetime(self.stage.session.open + minute) - timedelta(seconds=20)
        made = alert(at, **differs)  # type: ignore[arg-type]
        self.stage.at[minute] = lambda: self.inbox.put(made)
        return made


def recorded(folder: Path) -> list[ChartAlert]:
    with Store.open(folder / LEDGER, read_only=True) as store:
        (run,) = store.runs()
        assert store.verify_chain(run.run_id).intact
        return store.chart_alerts(run.run_id, MARKET_LANE, as_of=EVER)


def heads(folder: Path) -> dict[str, str]:
    with Store.open(folder / LEDGER, read_only=True) as store:
        (run,) = store.runs()
        return store.heads(run.run_id)


def test_an_alert_is_on_record_once_and_no_longer_waits(tmp_path: Path) -> None:
    with theatre(tmp_path) as stage:
        chart = Chart(stage)
        told = chart.tells(3)
        stage.at[6] = lambda: chart.inbox.put(told)  # TradingView sends it again
        (tmp_path / "run" / FOLDER).mkdir(parents=True)
        (tmp_path / "run" / FOLDER / f"{'b2' * 16}.json").write_text('{"score": 99}')
        play = Play(stage, "dry")
        assert play.run(until=9) == "stopped"
    assert recorded(tmp_path / "run") == [told]
    assert [one.name for one in chart.folder.iterdir()] == [f"{'b2' * 16}{REFUSED}"]
    assert play.said.count("chart alert: short NVDA, grade A, score -6.5, confidence 72 %") == 1
    assert "is no alert of a chart and was put aside: the alert lacks" in play.said


def test_what_came_before_a_view_was_made_but_late_is_known_from_then_on(tmp_path: Path) -> None:
    with theatre(tmp_path) as stage:
        chart = Chart(stage)
        opened = to_datetime(stage.session.open)
        early = alert(opened - timedelta(minutes=4))
        chart.inbox.put(early)
        ahead = alert(opened + timedelta(hours=1), "c3" * 16)  # a clock that is wrong
        chart.inbox.put(ahead)
        assert Play(stage, "dry").run(until=3) == "stopped"
    first, second = recorded(tmp_path / "run")
    assert first == replace(early, known_at=opened)
    assert first.known_at <= second.known_at <= opened + timedelta(minutes=2)
    assert second.id == ahead.id


def test_a_process_that_dies_between_record_and_removal_records_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Died(BaseException):
        pass

    def dies(*_: object) -> None:
        raise Died

    with theatre(tmp_path) as stage:
        chart = Chart(stage)
        told = chart.tells(2)
        with monkeypatch.context() as patched:
            patched.setattr(FolderInbox, "done", dies)
            with pytest.raises(Died):
                Play(stage, "dry").run(until=5)
        assert recorded(tmp_path / "run") == [told]
        assert len(list(chart.folder.iterdir())) == 1
        assert Play(stage, "dry").run(until=8) == "stopped"
    assert recorded(tmp_path / "run") == [told]
    assert list(chart.folder.iterdir()) == []


@pytest.mark.slow
def test_a_model_is_shown_it_while_it_is_young_and_a_replay_of_the_record_is_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    shown: list[str] = []

    def answers(asked: object) -> Says:
        shown.append(json.dumps(asked.body))  # type: ignore[attr-defined]
        return Says(text=json.dumps(ANALYSIS))

    with theatre(tmp_path, BUSY) as stage, anthropic_stand_in(answers) as server:

        def answered() -> None:
            patience = time.monotonic() + 0.5
            while len(shown) <= stage.row // 15 and time.monotonic() < patience:
                time.sleep(0.005)
            if stage.row % 15 == 0:
                time.sleep(0.1)

        stage.waited_for = answered
        chart = Chart(stage)
        chart.tells(13)
        chart.tells(23, name="b2" * 16, symbol="SPY", grade="B+")
        chart.tells(24, name="c3" * 16, symbol="SPY", score=-1.5)
        llm = {"anthropic_base_url": server.url, "retries": 0}
        settings = stage.settings(llm=llm, live={"look_seconds": 20.0})
        options = ReplayOptions(analyst="model", premarket="off")
        assert Play(stage, "dry", options, settings).run() == "closed"
    run = tmp_path / "run"
    assert [one.symbol for one in recorded(run)] == ["NVDA", "SPY", "SPY"]
    first, young, aged, *later = shown
    assert "NVDA.chart_alert = short, grade A, score -6.5 of 10" in young
    assert "NVDA.chart_cloud = -0.25 of 1" in young
    assert "score -1.5 of 10, confidence 72 %, 7 minutes ago, aged" in aged
    assert "grade B+" not in aged
    assert "NVDA.chart" not in aged
    assert all("chart_" not in text for text in (first, *later))
    with Store.open(run / LEDGER, read_only=True) as store:
        (kept,) = store.runs()
        who = [one.analyst for one in store.analyses(kept.run_id, "advised", as_of=EVER)]
    assert [one.rpartition(".")[2] for one in who[1:4]] == ["v2", "v2", "v1"]

    request = MarketRequest(
        bars=(stage.history, run / "bars"), daily=stage.days, first=BUSY, last=BUSY, symbols=SYMBOLS
    )
    again = replace(options, llm="replay", recordings=run / RECORDINGS, news=(run,), own_time=True)
    replay(request, again, settings, prepare_market(request, settings), tmp_path / "again")
    assert heads(tmp_path / "again") == heads(run)
    assert recorded(tmp_path / "again") == recorded(run)
