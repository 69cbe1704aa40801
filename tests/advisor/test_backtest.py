"""A backtest is a replay that is read: the same trades, and figures that can be worked by hand."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from advisor.backtest import Backtest, backtest, by_month, drawdowns
from advisor.bootstrap import RECORDINGS, ReplayOptions
from advisor.exports import trades_table
from advisor.market import MarketRequest, prepare_market
from advisor.replay import LEDGER, replay
from advisor.report.backtest_page import METRICS, render_backtest
from advisor.settings import Settings
from quant_core.equity import drawdown
from quant_core.performance import BenchmarkMetrics, Metrics
from tests.advisor.test_model_replay import DAY, MODEL, answers
from tests.advisor.test_model_replay import settings as model_settings
from tests.advisor.worlds import SETTINGS, market, request
from tests.stand_ins.anthropic import anthropic_stand_in
from tools.errors import BadInput
from tools.llm import LlmCall
from tools.store.store import Store

FIRST, LAST = date(2026, 10, 13), date(2026, 10, 23)
BASELINE = ReplayOptions(analyst="none")
ADVISED = ReplayOptions(analyst="rules", validation="rules")
DAYS = [date(2025, 1, day) for day in (2, 3, 6, 7, 8, 31)] + [date(2025, 2, 3)]


def run(options: ReplayOptions, settings: Settings = SETTINGS, stress: bool = False) -> Backtest:
    return backtest(request(FIRST, LAST), options, settings, market(FIRST, LAST), stress=stress)


@pytest.mark.parametrize("options", [BASELINE, ADVISED])
def test_a_backtest_makes_the_trades_of_a_replay_with_a_ledger(
    options: ReplayOptions, tmp_path: Path
) -> None:
    kept = replay(request(FIRST, LAST), options, SETTINGS, market(FIRST, LAST), tmp_path)
    found = run(options).result
    assert {name: lane.trades for name, lane in found.lanes.items()} == {
        name: lane.trades for name, lane in kept.lanes.items()
    }
    assert found.run_id == kept.run_id


def test_every_metric_of_the_domain_is_shown() -> None:
    names = {name for name, _, _ in METRICS}
    assert set(Metrics.__slots__) - {"sessions"} == names
    page = render_backtest(run(ADVISED))
    for words in ("Alpha against buy-and-hold", "Beta against baseline", "LLM cost", "Turnover"):
        assert words in page
    assert {"alpha", "beta", "information_ratio"} == set(BenchmarkMetrics.__slots__)


def test_months_compound_their_sessions() -> None:
    returns = np.array([0.1, -0.1, 0.0, np.nan, 0.02, 0.0, 0.05])
    assert by_month(DAYS, returns) == [
        ("2025-01", pytest.approx(1.1 * 0.9 * 1.02 - 1.0), 6),
        ("2025-02", pytest.approx(0.05), 1),
    ]
    assert np.isnan(by_month(DAYS[:1], np.array([np.nan]))[0][1])


def test_drawdowns_run_from_a_peak_to_its_recovery() -> None:
    returns = np.array([0.10, -0.05, -0.05, 0.20, 0.0, -0.02, 0.01])
    deep, shallow = drawdowns(DAYS, returns)
    assert (deep.start, deep.trough, deep.end) == (DAYS[0], DAYS[2], DAYS[3])
    assert deep.depth == pytest.approx(0.95 * 0.95 - 1.0)
    assert (shallow.start, shallow.trough, shallow.end) == (DAYS[4], DAYS[5], None)
    fall, sessions = drawdown(np.r_[1.0, np.cumprod(1.0 + returns)])
    assert (deep.depth, deep.sessions) == (pytest.approx(fall), sessions)


def test_a_fall_from_the_first_session_starts_there_and_a_rise_has_none() -> None:
    (only,) = drawdowns(DAYS[:2], np.array([-0.01, -0.01]))
    assert (only.start, only.trough, only.end, only.sessions) == (DAYS[0], DAYS[1], None, 2)
    assert drawdowns(DAYS[:2], np.array([0.0, 0.01])) == []
    assert drawdowns([], np.array([])) == []


def test_groups_share_out_every_trade_once() -> None:
    found = run(ADVISED)
    lane = found.result.main
    for kind, groups in found.readings[lane.name].groups.items():
        assert sum(group.trades for group in groups) == len(lane.trades), kind
        assert sum(group.pnl for group in groups) == pytest.approx(sum(t.pnl for t in lane.trades))


def test_unchanged_costs_are_the_run_itself_and_dearer_ones_earn_less() -> None:
    for options in (BASELINE, ADVISED):
        found = run(options, stress=True)
        rows = {row["name"]: row["lanes"] for row in found.stress}
        for name in {found.result.main.name, "baseline"}:
            own = found.summary["lanes"][name]
            assert rows["costs × 1"][name]["pnl"] == pytest.approx(own["pnl"], rel=1e-12)
            assert rows["costs × 1"][name]["trades"] == own["metrics"]["trades"]
            assert rows["costs × 5"][name]["pnl"] < rows["costs × 0"][name]["pnl"]


def test_without_a_trade_the_page_says_so() -> None:
    settings = Settings.model_validate({"stdev": {"mr_arm_z": 19, "tc_arm_z": 19}})
    page = render_backtest(run(BASELINE, settings, stress=True))
    assert "No trade was closed" in page
    assert "nan" not in page.lower().replace("nancy", "")


def test_the_same_backtest_gives_the_same_page_and_json() -> None:
    one, two = run(ADVISED, stress=True), run(ADVISED, stress=True)
    assert render_backtest(one) == render_backtest(two)
    assert json.dumps(one.plain(), allow_nan=False) == json.dumps(two.plain(), allow_nan=False)


def test_a_model_is_replayed_from_a_recording_or_not_at_all() -> None:
    with pytest.raises(BadInput, match="a backtest does not ask a model"):
        run(ReplayOptions(analyst="model", llm="record"))
    with pytest.raises(BadInput, match="--llm replay --recordings FILE"):
        run(ReplayOptions(analyst="model", llm="replay"))


@pytest.mark.slow
def test_months_of_real_bars_trade_as_a_replay_exports_them(
    market_data: Path, tmp_path: Path
) -> None:
    wish = MarketRequest(
        bars=(market_data / "bars" / "1min" / "us-2024",),
        daily=market_data / "bars" / "1day" / "us-2024-2026",
        first=date(2024, 9, 3), last=date(2025, 1, 31), symbols=("SPY",),
    )  # fmt: skip
    made = prepare_market(wish, SETTINGS)
    kept = replay(wish, ADVISED, SETTINGS, made, tmp_path)
    found = backtest(wish, ADVISED, SETTINGS, made).result
    for name, lane in kept.lanes.items():
        assert trades_table(found.lanes[name].trades, wish.symbols).equals(
            trades_table(lane.trades, wish.symbols)
        )
    assert len(kept.main.trades) > 100


END = datetime(2026, 10, 15, tzinfo=UTC)


def calls_of(folder: Path, run: str, end: datetime) -> list[LlmCall]:
    """What the advised lane asked, as its ledger has it."""
    with Store.open(folder / LEDGER, read_only=True) as store:
        return [one.call for one in store.llm_calls(run, "advised", as_of=end)]


def test_a_recorded_model_advises_a_backtest_without_a_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
    with anthropic_stand_in(answers) as server:
        chosen = model_settings(server.url)
        recorded = replay(request(DAY, DAY), MODEL, chosen, market(DAY, DAY), tmp_path)
        calls = len(server.requests)
    options = ReplayOptions(
        analyst="model", validation="model", llm="replay", recordings=tmp_path / RECORDINGS
    )
    found = backtest(request(DAY, DAY), options, chosen, market(DAY, DAY), stress=True)
    assert calls > 0
    assert found.result.main.trades == recorded.main.trades
    assert found.result.main.analyses == recorded.main.analyses
    bill = sum(call.cost_usd for call in calls_of(tmp_path, recorded.run_id, END))
    assert bill > 0
    costs = {name: lane["metrics"]["llm_cost"] for name, lane in found.summary["lanes"].items()}
    assert costs == {"advised": pytest.approx(float(bill)), "baseline": 0.0, "placebo": 0.0}
    assert recorded.main.llm_cost == found.result.main.llm_cost
    own = found.summary["lanes"]["advised"]["pnl"]
    assert found.stress[1]["lanes"]["advised"]["pnl"] == pytest.approx(own, rel=1e-12)
