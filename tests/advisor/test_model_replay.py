"""A replay advised by a language model: the real client over HTTP, recorded, then replayed."""

import json
import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from advisor.bootstrap import CHECKPOINTS, RECORDINGS, ReplayOptions
from advisor.exports import write_exports
from advisor.replay import LEDGER, replay
from advisor.results import ReplayResult
from advisor.settings import CheckpointSettings, Settings
from advisor.summary import summarise
from graph.checkpoints import Checkpoints
from quant_core.types import Multipliers, Status
from tests.advisor.worlds import market, request
from tests.stand_ins.anthropic import anthropic_stand_in
from tests.stand_ins.server import Request
from tests.stand_ins.steps import Fails, Hangs, Says, Step
from tools.errors import NoData, NotConfigured
from tools.llm import MissingRecording
from tools.store.store import Store

DAY = date(2026, 10, 14)
MODEL = ReplayOptions(analyst="model", validation="model", llm="record")
ANALYSIS = {
    "assessment": "Mixed and quiet.",
    "reasoning": "Nothing leads.",
    "opportunities": [],
    "mr_arm": 0.8,
    "mr_trigger": 1.0,
    "tc_arm": 1.2,
    "tc_trigger": 1.0,
    "confidence": 55.0,
    "evidence": [],
}
VERDICT = {
    "reasoning": "Half is enough.",
    "ruling": "reduce",
    "size_factor": 0.5,
    "confidence": 60.0,
    "evidence": [],
}


def answers(asked: Request) -> Step:
    """The model's part: an analysis or a verdict, whichever is asked for."""
    verdict = "size_factor" in json.dumps(asked.body)
    return Says(text=json.dumps(VERDICT if verdict else ANALYSIS))


def settings(url: str) -> Settings:
    return Settings.model_validate({"llm": {"anthropic_base_url": url, "retries": 0}})


def run(options: ReplayOptions, chosen: Settings, folder: Path) -> ReplayResult:
    return replay(request(DAY, DAY), options, chosen, market(DAY, DAY), folder)


def exported(result: ReplayResult, chosen: Settings, folder: Path) -> dict[str, bytes]:
    write_exports(result, summarise(result, chosen), folder)
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".parquet", ".json")
    }


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")


def test_a_recorded_session_is_replayed_without_a_call_to_the_same_bytes(tmp_path: Path) -> None:
    with anthropic_stand_in(answers) as server:
        chosen = settings(server.url)
        live = run(MODEL, chosen, tmp_path / "live")
    asked = len(server.requests)
    advised = live.lanes["advised"]
    assert {analysis.status for analysis in advised.analyses} == {Status.OK}
    assert advised.analyses[0].multipliers == Multipliers(mr_arm=0.8, tc_arm=1.2)
    verdicts = [decision.verdict for decision in advised.decisions if decision.verdict]
    assert {verdict.ruling for verdict in verdicts} == {"reduce"}
    assert asked == len(advised.analyses) + len(verdicts)

    again = ReplayOptions(
        analyst="model", validation="model", llm="replay",
        recordings=tmp_path / "live" / RECORDINGS,
    )  # fmt: skip
    replayed = run(again, chosen, tmp_path / "again")
    assert len(server.requests) == asked
    assert exported(replayed, chosen, tmp_path / "again") == exported(
        live, chosen, tmp_path / "live"
    )
    with Store.open(tmp_path / "again" / LEDGER, read_only=True) as store:
        assert store.verify_chain(replayed.run_id).intact


def test_a_masked_replay_shows_no_symbol_and_no_date_and_trades_the_same(tmp_path: Path) -> None:
    with anthropic_stand_in(answers) as server:
        chosen = settings(server.url)
        plain = run(MODEL, chosen, tmp_path / "plain")
        shown = len(server.requests)
        masked = run(replace(MODEL, mask=True), chosen, tmp_path / "masked")
    assert masked.chain_heads == plain.chain_heads
    assert masked.run_id != plain.run_id
    told = "".join(json.dumps(asked.body) for asked in server.requests[shown:])
    assert "S1.close" in told
    for hidden in ("SPY", "QQQ", "NVDA", "2026", "New York"):
        assert hidden not in told, hidden


def test_a_verdict_that_does_not_come_in_time_abstains(tmp_path: Path) -> None:
    def slow_to_rule(asked: Request) -> Step:
        verdict = "size_factor" in json.dumps(asked.body)
        return Hangs() if verdict else Says(text=json.dumps(ANALYSIS))

    with anthropic_stand_in(slow_to_rule) as server:
        chosen = Settings.model_validate(
            {
                "llm": {"anthropic_base_url": server.url, "retries": 0, "breaker_failures": 1},
                "validation": {"deadline_seconds": 0.2},
            }
        )
        result = run(replace(MODEL, llm="live"), chosen, tmp_path)
    advised = result.lanes["advised"]
    first, *others = [one.verdict for one in advised.decisions if one.verdict]
    assert (first.ruling, first.status) == ("abstain", Status.DEGRADED)
    assert "timeout" in first.degraded_reason
    assert {one.ruling for one in others} == {"abstain"}
    assert advised.trades == []


def test_how_far_the_machines_got_is_kept_and_deleted_by_fresh(tmp_path: Path) -> None:
    with anthropic_stand_in(answers) as server:
        chosen = settings(server.url)
        live = run(replace(MODEL, llm="live"), chosen, tmp_path)
        asked = len(server.requests)
        with Checkpoints.open(tmp_path / CHECKPOINTS) as kept:
            threads = {one.config["configurable"]["thread_id"] for one in kept.saver.list(None)}
            assert len(threads) == asked
            assert all(thread.startswith(f"{live.run_id}/") for thread in threads)
        run(replace(MODEL, llm="live", fresh=True), chosen, tmp_path)
        assert len(server.requests) == 2 * asked
        (tmp_path / LEDGER).unlink()
        # Without the ledger, but with the checkpoints: every question is answered from them.
        again = run(replace(MODEL, llm="live"), chosen, tmp_path)
        assert len(server.requests) == 2 * asked
        assert again.chain_heads == live.chain_heads
        old = chosen.model_copy(update={"checkpoints": CheckpointSettings(keep_days=0)})
        (tmp_path / LEDGER).unlink()
        run(replace(MODEL, llm="live"), old, tmp_path)
        assert len(server.requests) == 3 * asked


def test_the_key_is_in_nothing_that_is_kept(tmp_path: Path) -> None:
    os.environ["ANTHROPIC_API_KEY"] = "sk-ant-a-very-secret-key"
    with anthropic_stand_in(answers) as server:
        run(MODEL, settings(server.url), tmp_path)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert b"very-secret" not in path.read_bytes(), path.name


def test_a_server_that_fails_leaves_the_baseline_and_says_degraded(tmp_path: Path) -> None:
    with anthropic_stand_in(lambda asked: Fails(status=500)) as server:
        chosen = settings(server.url)
        result = run(ReplayOptions(analyst="model", llm="record"), chosen, tmp_path)
    assert result.lanes["advised"].trades == result.lanes["baseline"].trades
    statuses = {analysis.status for analysis in result.lanes["advised"].analyses}
    assert statuses == {Status.DEGRADED}


def test_a_question_that_was_not_recorded_stops_the_replay_and_is_named(tmp_path: Path) -> None:
    with anthropic_stand_in(answers) as server:
        chosen = settings(server.url)
        run(ReplayOptions(analyst="model", llm="record"), chosen, tmp_path / "live")
    other = ReplayOptions(
        analyst="model", validation="model", llm="replay",
        recordings=tmp_path / "live" / RECORDINGS,
    )  # fmt: skip
    with pytest.raises(MissingRecording, match="trade_validation"):
        run(other, chosen, tmp_path / "again")


def test_without_a_recording_or_a_key_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NoData, match="no recordings"):
        run(ReplayOptions(analyst="model", llm="replay"), settings("http://127.0.0.1:9"), tmp_path)
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with pytest.raises(NotConfigured, match="ANTHROPIC_API_KEY"):
        run(ReplayOptions(analyst="model"), Settings(), tmp_path / "b")


def test_a_fresh_replay_keeps_the_recording_it_replays(tmp_path: Path) -> None:
    with anthropic_stand_in(answers) as server:
        chosen = settings(server.url)
        live = run(ReplayOptions(analyst="model", llm="record"), chosen, tmp_path)
    again = run(ReplayOptions(analyst="model", llm="replay", fresh=True), chosen, tmp_path)
    assert again.chain_heads == live.chain_heads
    run(ReplayOptions(analyst="none", fresh=True), chosen, tmp_path)
    assert (tmp_path / RECORDINGS).is_file()
