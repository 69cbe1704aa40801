"""Evaluations: on the run's own bars and no others, and no more claimed than the sample shows."""

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from advisor import replay as replaying
from advisor.bootstrap import CHECKPOINTS, RECORDINGS, ReplayOptions
from advisor.cli import app
from advisor.evaluation import Elsewhere, as_plain, evaluate, write_evaluation
from advisor.evaluation.again import run_again
from advisor.evaluation.calls import costs, latencies
from advisor.evaluation.findings import LUCK, NO_EFFECT, Timing, headline, timing
from advisor.evaluation.kept import read_run
from advisor.evaluation.page import render
from advisor.market import MarketRequest, prepare_market
from advisor.replay import LEDGER, UnfinishedRun, replay
from advisor.results import ReplayResult
from advisor.settings import Settings
from quant_core.bootstrap import paired_difference
from tests.advisor.test_authority import EARNED
from tests.advisor.test_model_replay import ANALYSIS, CONTEXT, VERDICT, answers, settings
from tests.advisor.worlds import SETTINGS, market, request
from tests.stand_ins.anthropic import anthropic_stand_in
from tests.stand_ins.server import Request
from tests.stand_ins.steps import Fails, Says, Step
from tools.errors import BadInput, BookMismatch, NoData
from tools.llm import Attempt, LlmCall, Outcome, Prompt
from tools.llm.calls import KeptCall

FIRST, LAST = date(2026, 10, 8), date(2026, 10, 15)
RULES = ReplayOptions(analyst="rules", validation="rules")
HERE = Elsewhere()


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")


def run(
    folder: Path,
    options: ReplayOptions = RULES,
    chosen: Settings = SETTINGS,
    first: date = FIRST,
    last: date = LAST,
) -> ReplayResult:
    return replay(request(first, last), options, chosen, market(first, last), folder)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ReplayResult]:
    folder = tmp_path_factory.mktemp("evaluated") / "run"
    return folder, run(folder)


# On recorded bars


def test_on_recorded_bars_an_approved_signal_makes_what_its_trade_made(
    market_data: Path, tmp_path: Path
) -> None:
    asked = MarketRequest(
        bars=(market_data / "bars" / "1min" / "us-2025-01",),
        daily=market_data / "bars" / "1day" / "us-2024-2026",
        first=date(2025, 1, 8), last=date(2025, 1, 31), symbols=("SPY", "NVDA", "AAPL", "META"),
    )  # fmt: skip
    result = replay(asked, RULES, SETTINGS, prepare_market(asked, SETTINGS), tmp_path)
    rerun = run_again(read_run(tmp_path, HERE), 3, print)
    trades = {(t.symbol, t.signal_start): t for t in result.lanes["advised"].trades}
    approved = [one for one in rerun.signals if one.verdict.ruling == "approve"]
    assert len(approved) >= 30
    for one in approved:
        made = trades[one.signal.symbol, one.signal.start]
        assert one.trade is not None
        per_share = one.trade.pnl / one.trade.quantity
        assert per_share == pytest.approx(made.pnl / made.quantity, rel=1e-9)
        assert (one.trade.exit_time, one.trade.exit_reason) == (made.exit_time, made.exit_reason)
    assert {one.verdict.ruling for one in rerun.signals} >= {"approve", "reduce"}

    found = evaluate([tmp_path], HERE, placebos=5)
    assert len(found.dates) == len(result.sessions) == 16
    assert found.differences[0].measured.total == pytest.approx(
        sum(t.pnl for t in result.lanes["advised"].trades)
        - sum(t.pnl for t in result.lanes["baseline"].trades)
    )
    verdicts = next(one for one in found.forecasts if one.kind == "verdict")
    assert verdicts.scores.count == len([one for one in rerun.signals if one.trade])
    write_evaluation(found, tmp_path / "evaluation")
    assert (tmp_path / "evaluation" / "evaluation.html").stat().st_size > 20_000


# Lanes run again


def test_the_first_shuffle_is_the_replays_own_placebo(
    replayed: tuple[Path, ReplayResult],
) -> None:
    folder, result = replayed
    found = run_again(read_run(folder, HERE), 3, print)
    days = result.lanes["placebo"].days
    assert list(found.placebos[0]) == [day.end_equity - day.start_equity for day in days]
    assert found.placebos.shape == (3, len(days))
    assert not np.array_equal(found.placebos[1], found.placebos[2])


def test_without_a_validator_the_multipliers_alone_are_the_advised_lane(tmp_path: Path) -> None:
    run(tmp_path, replace(RULES, validation="off"))
    found = evaluate([tmp_path], HERE, placebos=2)
    assert np.array_equal(found.profits["alone"], found.profits["advised"])
    assert [one.name for one in found.differences] == [
        "advised − baseline", "advised − placebo (of 2)",
    ]  # fmt: skip
    assert found.rulings == []
    assert [one.kind for one in found.forecasts] == ["analysis"]


def test_the_parts_add_up_to_the_whole(replayed: tuple[Path, ReplayResult]) -> None:
    found = evaluate([replayed[0]], HERE, placebos=2)
    means = {one.name: one.measured.mean for one in found.differences}
    assert means["advised − baseline"] == pytest.approx(
        means["multipliers alone − baseline"] + means["advised − multipliers alone"]
    )
    forecasts = {one.kind: one for one in found.forecasts}
    analyses = forecasts["analysis"]
    assert analyses.scores.count + analyses.without_event == 26 * len(found.dates)
    assert analyses.scores.count > 0
    assert sum(one.signals for one in found.rulings) == sum(
        decision.verdict is not None for decision in replayed[1].lanes["advised"].decisions
    )


def test_earned_authority_limits_the_lanes_that_are_run_again(tmp_path: Path) -> None:
    result = run(tmp_path, RULES, EARNED)
    found = evaluate([tmp_path], HERE, placebos=1)
    days = result.lanes["placebo"].days
    assert list(found.placebos[0]) == [day.end_equity - day.start_equity for day in days]
    assert [one.value for one in found.authority] == [one.value for one in result.authority]
    assert "shadow − baseline" in [one.name for one in found.differences]


def test_validation_alone_has_no_timing_to_judge(tmp_path: Path) -> None:
    run(tmp_path, ReplayOptions(analyst="none", validation="rules"), first=LAST)
    found = evaluate([tmp_path], HERE)
    assert found.timing is None
    assert [one.name for one in found.differences] == [
        "advised − baseline", "advised − multipliers alone",
    ]  # fmt: skip
    assert found.differences[0].words == "too few sessions to tell (1 of 5)"
    assert "Too few sessions" in render(found)


def test_two_replays_count_as_one(replayed: tuple[Path, ReplayResult], tmp_path: Path) -> None:
    run(tmp_path / "before", first=date(2026, 10, 6), last=date(2026, 10, 7))
    both = evaluate([replayed[0], tmp_path / "before"], HERE, placebos=2)
    assert both.dates == sorted(both.dates)
    assert len(both.dates) == 8
    assert both.placebos.shape == (2, 8)
    with pytest.raises(BadInput, match="both hold the session of 2026-10-08"):
        evaluate([replayed[0], replayed[0]], HERE, placebos=0)


def test_the_same_replay_gives_the_same_bytes(
    replayed: tuple[Path, ReplayResult], tmp_path: Path
) -> None:
    for name in ("one", "two"):
        write_evaluation(evaluate([replayed[0]], HERE, placebos=3), tmp_path / name)
    for name in ("evaluation.json", "evaluation.html"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    told = json.loads((tmp_path / "one" / "evaluation.json").read_text())
    assert told["headline"] == headline(evaluate([replayed[0]], HERE, placebos=0).differences)
    assert len(told["placebos"]) == 3


# Luck


@pytest.mark.parametrize(
    ("own", "chance", "words"),
    [(100.0, 1 / 21, "better than chance"), (9.5, 11 / 21, LUCK), (-1.0, 1.0, "worse than every")],
)
def test_the_own_order_is_one_of_the_orders(own: float, chance: float, words: str) -> None:
    found = timing(np.array([own]), np.arange(20.0)[:, None])
    assert isinstance(found, Timing)
    assert found.chance == pytest.approx(chance)
    assert found.words.startswith(words)


def test_orders_that_make_the_same_are_not_beaten() -> None:
    found = timing(np.array([1.0, 2.0]), np.array([[2.0, 1.0 + 1e-12]] * 3))
    assert isinstance(found, Timing)
    assert (found.beaten, found.chance, found.words) == (0, 1.0, LUCK)
    same = timing(np.array([1.0, 2.0]), np.array([[1.0, 2.0 + 1e-12]] * 3))
    assert isinstance(same, Timing)
    assert same.words == NO_EFFECT


@pytest.mark.slow
def test_a_placebo_against_a_placebo_is_luck_at_the_stated_rate(tmp_path: Path) -> None:
    """40 pairs over 32 sessions: 95 % intervals miss zero in at most 5 % and two errors, 12 %."""
    run(tmp_path, replace(RULES, validation="off"), first=date(2026, 9, 1))
    lanes = run_again(read_run(tmp_path, HERE), 80, print).placebos
    assert lanes.shape == (80, 32)
    pairs = [paired_difference(lanes[i], lanes[i + 40], 1) for i in range(40)]
    missed = sum(not one.low <= 0.0 <= one.high for one in pairs)
    assert missed / 40 <= 0.12
    assert len({one.mean for one in pairs}) > 30


# Models


def paid(chosen: Settings) -> Settings:
    return Settings.model_validate(
        {**chosen.model_dump(include={"llm"}), "analysis": {"interval_minutes": 60}}
    )


def test_models_are_charged_by_session_and_their_failures_counted(tmp_path: Path) -> None:
    def sometimes(asked: Request) -> Step:
        return Fails(status=529) if "2026-10-15 10:30" in json.dumps(asked.body) else answers(asked)

    model = ReplayOptions(analyst="model", validation="model", llm="record")
    with anthropic_stand_in(sometimes) as server:
        result = run(tmp_path, model, paid(settings(server.url)), first=date(2026, 10, 14))
    found = evaluate([tmp_path], HERE, placebos=1)
    assert found.costs is not None
    assert [str(one.date) for one in found.costs] == ["2026-10-14", "2026-10-15"]
    advised = result.lanes["advised"]
    asked = len(advised.analyses) + sum(d.verdict is not None for d in advised.decisions)
    assert sum(one.calls for one in found.costs) == asked
    assert all(one.usd > 0 and one.tokens_in > 0 for one in found.costs)
    gross, net = found.differences[:2]
    assert net.name == "advised − model cost − baseline"
    assert gross.measured.total - net.measured.total == pytest.approx(
        sum(one.usd for one in found.costs)
    )
    assert {one.prompt for one in found.latencies} == {"market_analysis.v1", "trade_validation.v1"}
    assert all(0 <= one.median <= one.p99 <= one.longest for one in found.latencies)
    failed = [(one.kind, one.count) for one in found.failures]
    assert failed[0] == ("analysis DEGRADED", 1)
    authors = {one.author for one in found.forecasts}
    assert any("market_analysis.v1" in author for author in authors)
    assert any("trade_validation.v1" in author for author in authors)
    assert {one.ruling for one in found.rulings} == {"reduce"}
    assert found.failures[0].of == len(advised.analyses)

    write_evaluation(found, tmp_path / "evaluation")
    told = json.loads((tmp_path / "evaluation" / "evaluation.json").read_text())
    assert told["costs"][0]["date"] == "2026-10-14"
    assert "What did the models cost?" in render(found)

    for name in (RECORDINGS, CHECKPOINTS):
        (tmp_path / name).unlink()
    again = evaluate([tmp_path], HERE, placebos=1)
    assert (again.costs, again.latencies) == (found.costs, found.latencies)


@pytest.mark.parametrize("mask", [False, True])
def test_every_session_pays_for_its_own_premarket_too(tmp_path: Path, mask: bool) -> None:
    """A masked prompt names no date; the ledger knows which session it asked about."""

    def say(asked: Request) -> Step:
        if "Give the bias of every symbol" in json.dumps(asked.body):
            return Says(text=json.dumps({"biases": []}))
        told = CONTEXT if "volatility" in json.dumps(asked.body) else ANALYSIS
        return Says(text=json.dumps(told))

    options = ReplayOptions(analyst="model", premarket="model", llm="record", mask=mask)
    with anthropic_stand_in(say) as server:
        run(tmp_path, options, paid(settings(server.url)), first=date(2026, 10, 14))
    found = evaluate([tmp_path], HERE, placebos=1)
    assert found.costs is not None
    # Seven analyses, one an hour, and before them the biases and the context.
    assert [one.calls for one in found.costs] == [7 + 2, 7 + 2]
    assert found.costs[0].usd == pytest.approx(9 * 0.0004)


def asked_at(as_of: datetime, usd: str, seconds: float) -> KeptCall:
    attempt = Attempt(
        provider="local", model="m", repair="", outcome=Outcome.ANSWER, message="", response="{}",
        response_characters=2, stop_reason="", answered_by="m", tokens_in=100, tokens_out=10,
        cost_usd=Decimal(usd), estimated=False, started=0.0, latency=seconds,
    )  # fmt: skip
    prompt = Prompt(id="market_analysis", version=1, system="", text="session.time = 2026-10-14 ")
    call = LlmCall(
        key="k", sequence=0, prompt=prompt, schema_name="A", schema_hash="", parameters="{}",
        outcome=Outcome.ANSWER, message="", asked_at=datetime(2026, 11, 1, tzinfo=UTC),
        latency=seconds, attempts=(attempt,),
    )  # fmt: skip
    return KeptCall(as_of=as_of, machine="market_analysis", about="", call=call)


def test_a_call_belongs_to_the_session_that_was_asked_about() -> None:
    """Neither what its prompt says nor when it was made decides; dates are New York's."""
    days = [date(2026, 10, 14), date(2026, 10, 15), date(2026, 10, 16)]
    calls = [
        asked_at(datetime(2026, 10, 15, 14, 30, tzinfo=UTC), "0.03", 2.0),
        asked_at(datetime(2026, 10, 15, 0, 30, tzinfo=UTC), "0.02", 4.0),
        asked_at(datetime(2026, 10, 15, 15, 30, tzinfo=UTC), "0.02", 6.0),
    ]
    found = costs(calls, days)
    assert [one.usd for one in found] == pytest.approx([0.02, 0.05, 0.0])
    assert [one.calls for one in found] == [1, 2, 0]
    assert [one.tokens_in for one in found] == [100, 200, 0]
    (row,) = latencies(calls)
    assert (row.calls, row.median, row.longest) == (3, 4.0, 6.0)
    assert row.p90 == pytest.approx(5.6)


def test_abstentions_are_counted_and_are_no_forecasts(tmp_path: Path) -> None:
    def abstains(asked: Request) -> Step:
        verdict = "size_factor" in json.dumps(asked.body)
        told = {**VERDICT, "ruling": "abstain", "size_factor": 1.0}
        return Says(text=json.dumps(told if verdict else ANALYSIS))

    model = ReplayOptions(analyst="model", validation="model", llm="record")
    with anthropic_stand_in(abstains) as server:
        run(tmp_path, model, paid(settings(server.url)), first=LAST)
    found = evaluate([tmp_path], HERE, placebos=1)
    (failure,) = found.failures
    assert (failure.kind, failure.reason) == ("verdict abstained", "abstained")
    assert failure.example.startswith("abstained: Half is enough.")
    assert failure.count == failure.of > 0
    assert [one.kind for one in found.forecasts] == ["analysis"]
    assert [(one.ruling, one.signals) for one in found.rulings] == [("abstain", failure.of)]


def test_foreign_words_cannot_become_markup(replayed: tuple[Path, ReplayResult]) -> None:
    hostile = "<script>alert(1)</script> & <b>"
    found = evaluate([replayed[0]], HERE, placebos=1)
    page = render(replace(
        found,
        notes=[hostile],
        forecasts=[replace(one, author=hostile) for one in found.forecasts],
        rulings=[replace(one, author=hostile) for one in found.rulings],
    ))  # fmt: skip
    assert page.count("&lt;script&gt;alert(1)") > 4
    assert "<script" not in page
    assert "default-src 'none'" in page


# What cannot be evaluated


def other_digest(folder: Path) -> None:
    values = json.loads((folder / "request.json").read_text())
    values["bars_digest"] = "0123456789abcdef"
    values["to"] = "2026-10-14"
    (folder / "request.json").write_text(json.dumps(values))


def other_request(folder: Path) -> None:
    values = json.loads((folder / "request.json").read_text())
    (folder / "request.json").write_text(json.dumps({**values, "validation": "off"}))


def moved_bars(folder: Path) -> None:
    values = json.loads((folder / "request.json").read_text())
    (folder / "request.json").write_text(json.dumps({**values, "bars": ["/nowhere/bars"]}))


def no_request(folder: Path) -> None:
    (folder / "request.json").unlink()


def torn_request(folder: Path) -> None:
    (folder / "request.json").write_text('{"bars": [')


def changed_history(folder: Path) -> None:
    with sqlite3.connect(folder / LEDGER) as ledger:
        ledger.execute("UPDATE market_analysis SET confidence = 99 WHERE seq % 7 = 1")
    ledger.close()


def no_ledger(folder: Path) -> None:
    (folder / LEDGER).unlink()


@pytest.mark.parametrize(
    ("harm", "error", "words"),
    [
        (other_digest, BadInput, "these bars are not those of .* their digest is"),
        (other_request, BadInput, "does not belong to its ledger"),
        (moved_bars, BadInput, "/nowhere/bars, which .* say where it is now with --bars"),
        (no_request, BadInput, "has no request.json"),
        (torn_request, BadInput, "request.json cannot be read"),
        (changed_history, BookMismatch, "was changed"),
        (no_ledger, NoData, "there is no ledger in"),
    ],
)
def test_what_is_not_the_run_is_refused(
    replayed: tuple[Path, ReplayResult],
    tmp_path: Path,
    harm: Callable[[Path], None],
    error: type[Exception],
    words: str,
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(replayed[0], folder)
    harm(folder)
    with pytest.raises(error, match=words):
        evaluate([folder], HERE)


def test_an_interrupted_replay_and_a_baseline_alone_are_refused(tmp_path: Path) -> None:
    def interrupt(done: int, total: int, text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replaying.replay(
            request(LAST, LAST), RULES, SETTINGS, market(LAST, LAST), tmp_path / "cut", interrupt
        )
    with pytest.raises(UnfinishedRun, match="finish it with"):
        evaluate([tmp_path / "cut"], HERE)
    run(tmp_path / "alone", ReplayOptions(analyst="none"), first=LAST)
    with pytest.raises(BadInput, match="baseline alone"):
        evaluate([tmp_path / "alone"], HERE)


def test_a_baseline_that_comes_out_otherwise_is_refused(
    replayed: tuple[Path, ReplayResult],
) -> None:
    was = read_run(replayed[0], HERE)
    lane = was.lanes["baseline"]
    days = [replace(day, end_equity=day.end_equity + 0.01) for day in lane.days]
    changed = replace(was, lanes={**was.lanes, "baseline": replace(lane, days=days)})
    with pytest.raises(BadInput, match="when run again"):
        run_again(changed, 0, print)


def test_an_undefined_number_is_null_and_a_dash(tmp_path: Path) -> None:
    run(tmp_path, first=LAST)
    found = evaluate([tmp_path], HERE, placebos=1)
    plain = as_plain(found)
    assert plain["differences"][0]["measured"]["low"] is None
    assert "NaN" not in json.dumps(plain, allow_nan=False)
    assert re.search(r"\bnan\b", render(found)) is None


# As a user does it


def test_the_command_speaks_json_writes_both_files_and_says_what_is_wrong(
    replayed: tuple[Path, ReplayResult], tmp_path: Path
) -> None:
    told = CliRunner().invoke(
        app, ["evaluate", str(replayed[0]), "--out", str(tmp_path), "--placebos", "2", "--json"]
    )
    assert told.exit_code == 0
    assert json.loads(told.stdout) == json.loads((tmp_path / "evaluation.json").read_text())
    shown = CliRunner().invoke(app, ["evaluate", str(replayed[0]), "--out", str(tmp_path)])
    assert "advised − baseline" in shown.stderr
    assert "evaluation.html" in shown.stderr
    refused = CliRunner().invoke(app, ["evaluate", str(tmp_path), "--out", str(tmp_path)])
    assert isinstance(refused.exception, NoData)
