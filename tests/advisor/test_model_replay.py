"""A replay advised by a language model: the real client over HTTP, recorded, then replayed."""

import json
import os
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

import pytest

from advisor.bootstrap import CHECKPOINTS, RECORDINGS, ReplayOptions
from advisor.exports import write_exports
from advisor.replay import LEDGER, MARKET_LANE, prepare_folder, replay
from advisor.results import ReplayResult
from advisor.settings import CheckpointSettings, Settings, SpendingSettings
from advisor.summary import summarise
from graph.checkpoints import Checkpoints
from quant_core.calendar import to_datetime
from quant_core.types import Multipliers, Status
from tests.advisor.worlds import market, request
from tests.stand_ins.anthropic import anthropic_stand_in
from tests.stand_ins.server import Request
from tests.stand_ins.steps import Fails, Hangs, Says, Step
from tools.errors import BadInput, NoData, NotConfigured
from tools.llm import MissingRecording, Outcome
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
CONTEXT = {
    "bias": "bullish",
    "volatility": "low",
    "confidence": 51.0,
    "summary": "Calm.",
    "evidence": [],
}
VERDICT = {
    "reasoning": "Half is enough.",
    "ruling": "reduce",
    "size_factor": 0.5,
    "confidence": 60.0,
    "evidence": ["N99"],
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
    check_calls(tmp_path / "live", live, asked)
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
    # The chains differ in the calls, which are verbatim; what was decided does not.
    for name, lane in plain.lanes.items():
        other = masked.lanes[name]
        for kind in ("analyses", "transitions", "decisions", "fills", "trades", "days"):
            # As text: a figure that is not there (NaN) is equal to itself.
            assert repr(getattr(other, kind)) == repr(getattr(lane, kind)), (name, kind)
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
        live = run(replace(MODEL, llm="live", fresh=True), chosen, tmp_path)
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


def check_calls(folder: Path, result: ReplayResult, asked: int) -> None:
    """Every call is in the ledger, verbatim, with what was asked about."""
    end = to_datetime(result.sessions[-1].close)
    with Store.open(folder / LEDGER, read_only=True) as store:
        calls = store.llm_calls(result.run_id, "advised", as_of=end)
        findings = store.llm_findings(result.run_id, "advised", as_of=end)
        first = store.llm_calls(result.run_id, "advised", as_of=calls[0].as_of)
    assert len(calls) == asked
    assert len(first) == 1
    assert {one.call.outcome for one in calls} == {Outcome.ANSWER}
    analyses = [one for one in calls if one.machine == "market_analysis"]
    rulings = [one for one in calls if one.machine == "trade_validation"]
    assert [one.as_of for one in analyses] == [
        analysis.as_of for analysis in result.lanes["advised"].analyses
    ]
    decided = [one for one in result.lanes["advised"].decisions if one.verdict]
    assert [one.about for one in rulings] == [one.signal.symbol for one in decided]
    assert analyses[0].call.attempts[0].response == json.dumps(ANALYSIS)
    assert "SPY.z" in analyses[-1].call.prompt.text
    assert [(one.kind, one.detail) for one in findings] == [
        ("rejected", "'N99' was not given") for _ in findings
    ]
    assert len(findings) == len(rulings)


def test_the_premarket_of_a_model_is_part_of_the_session(tmp_path: Path) -> None:
    def say(asked: Request) -> Step:
        body = json.dumps(asked.body)
        if "Give the bias of every symbol" in body:
            return Says(text=json.dumps({"biases": []}))
        return Says(text=json.dumps(CONTEXT))

    options = ReplayOptions(analyst="rules", premarket="model")
    with anthropic_stand_in(say) as server:
        chosen = settings(server.url)
        live = run(options, chosen, tmp_path / "live")
        assert len(server.requests) == 2
    again = replace(options, llm="replay", recordings=tmp_path / "live" / RECORDINGS)
    replayed = run(again, chosen, tmp_path / "again")
    assert replayed.chain_heads == live.chain_heads
    assert live.lanes["advised"].llm_cost == replayed.lanes["advised"].llm_cost > 0.0
    assert live.lanes["baseline"].llm_cost == live.lanes["placebo"].llm_cost == 0.0
    (context,) = live.contexts
    assert (context.bias, context.confidence) == ("bullish", 51.0)
    assert {one.degraded_reason for one in live.biases} == {"the model left it out"}
    by_rules = run(ReplayOptions(analyst="rules"), Settings(), tmp_path / "rules")
    lanes = ("advised", "baseline", "placebo")
    assert [live.chain_heads[lane] for lane in lanes] == [
        by_rules.chain_heads[lane] for lane in lanes
    ]
    assert live.chain_heads[MARKET_LANE] != by_rules.chain_heads[MARKET_LANE]


def test_the_analyst_reads_news_and_only_what_was_known(tmp_path: Path) -> None:
    path = tmp_path / "news.jsonl"
    rows = [
        ("Known early", "2026-10-14T11:00:00Z"),
        ("Known at ten", "2026-10-14T14:00:00Z"),
        ("CANARY tomorrow", "2026-10-15T11:00:00Z"),
    ]
    path.write_text(
        "".join(json.dumps({"title": title, "published": at}) + "\n" for title, at in rows)
    )
    options = ReplayOptions(analyst="model", news=(path,))
    with anthropic_stand_in(answers) as server:
        result = run(options, settings(server.url), tmp_path / "live")
    shown = [json.dumps(request.body) for request in server.requests]
    assert "CANARY" not in "".join(shown)
    assert all("Known early" in one for one in shown)
    analyses = result.lanes["advised"].analyses
    for analysis, one in zip(analyses, shown, strict=True):
        assert ("Known at ten" in one) == (analysis.as_of >= datetime(2026, 10, 14, 14, tzinfo=UTC))
    end = to_datetime(result.sessions[-1].close)
    with Store.open(tmp_path / "live" / LEDGER, read_only=True) as store:
        early = store.news(result.run_id, MARKET_LANE, as_of=end)
        later = store.news(result.run_id, "advised", as_of=end)
    assert [one.title for one in (*early, *later)] == ["Known early", "Known at ten"]
    assert summarise(result, Settings())["news"] == {"read": 3, "accepted": 3, "rejected": {}}


@pytest.mark.parametrize("mode", ["live", "record"])
def test_a_resumed_run_knows_what_was_spent(
    tmp_path: Path, mode: Literal["live", "record"]
) -> None:
    """Four questions fit into the day; the process dies after three, and one is left."""

    class Died(Exception):
        pass

    def die(done: int, total: int, text: str) -> None:
        if done >= 45:
            raise Died

    def dear(asked: Request) -> Step:
        return Says(text=json.dumps(ANALYSIS), tokens=(20_000, 20_000))

    asked, made = request(DAY, DAY), market(DAY, DAY)
    with anthropic_stand_in(dear) as server:
        chosen = Settings.model_validate(
            {
                "llm": {"anthropic_base_url": server.url, "retries": 0},
                "llm_budget": {"usd_per_day": 1e6, "tokens_per_day": 170_000},
            }
        )
        options = ReplayOptions(analyst="model", llm=mode)
        with pytest.raises(Died):
            replay(asked, options, chosen, made, tmp_path, die)
        assert len(server.requests) == 3
        resumed = replay(asked, replace(options, resume=True), chosen, made, tmp_path)
    assert len(server.requests) == 4
    analyses = resumed.lanes["advised"].analyses
    assert [one.status for one in analyses[:4]] == [Status.OK] * 4
    assert {one.degraded_reason.split(":")[0] for one in analyses[4:]} == {"budget"}


def test_a_days_budget_is_one_whatever_the_folder_and_however_fresh(tmp_path: Path) -> None:
    def dear(asked: Request) -> Step:
        return Says(text=json.dumps(ANALYSIS), tokens=(20_000, 20_000))

    options = ReplayOptions(analyst="model", llm="live")
    with anthropic_stand_in(dear) as server:
        chosen = Settings.model_validate(
            {
                "llm": {"anthropic_base_url": server.url, "retries": 0},
                "llm_budget": {"usd_per_day": 1e6, "tokens_per_day": 170_000},
            }
        )
        run(options, chosen, tmp_path / "one")
        assert len(server.requests) == 4
        for folder, again in (("one", replace(options, fresh=True)), ("other", options)):
            prepare_folder(tmp_path / folder, again)
            found = run(again, chosen, tmp_path / folder).lanes["advised"].analyses
            assert {one.degraded_reason.split(":")[0] for one in found} == {"budget"}
        assert len(server.requests) == 4


def test_a_replay_needs_no_place_for_spending_and_a_call_does(tmp_path: Path) -> None:
    options = ReplayOptions(analyst="model")
    blocked = tmp_path / "file"
    blocked.touch()
    with anthropic_stand_in(answers) as server:
        chosen = settings(server.url)
        live = run(options, chosen, tmp_path / "live")
        asked = len(server.requests)
        nowhere = SpendingSettings(file=str(blocked / "spending.sqlite"))
        chosen = chosen.model_copy(update={"spending": nowhere})
        recorded = tmp_path / "live" / RECORDINGS
        again = replace(options, llm="replay", recordings=recorded)
        assert run(again, chosen, tmp_path / "again").chain_heads == live.chain_heads
        with pytest.raises(BadInput, match="no model is asked"):
            run(options, chosen, tmp_path / "new")
        assert len(server.requests) == asked


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


def test_what_could_not_begin_is_not_an_interrupted_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key was forgotten: with it, the same command runs, and asks for no --resume."""
    with anthropic_stand_in(answers) as server:
        chosen = settings(server.url)
        with monkeypatch.context() as without:
            without.delenv("ANTHROPIC_API_KEY")
            with pytest.raises(NotConfigured):
                run(MODEL, chosen, tmp_path)
        prepare_folder(tmp_path, MODEL)
        assert run(MODEL, chosen, tmp_path).lanes["advised"].analyses


def test_a_fresh_replay_keeps_the_recording_it_replays(tmp_path: Path) -> None:
    with anthropic_stand_in(answers) as server:
        chosen = settings(server.url)
        live = run(ReplayOptions(analyst="model", llm="record"), chosen, tmp_path)
    again = run(ReplayOptions(analyst="model", llm="replay", fresh=True), chosen, tmp_path)
    assert again.chain_heads == live.chain_heads
    run(ReplayOptions(analyst="none", fresh=True), chosen, tmp_path)
    assert (tmp_path / RECORDINGS).is_file()
