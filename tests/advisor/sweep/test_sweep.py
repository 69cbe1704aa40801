"""A sweep's combinations are replays; whatever ends it, what was finished is kept and goes on."""

import json
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from advisor.bootstrap import ReplayOptions
from advisor.exports import trades_table
from advisor.market import MarketRequest, prepare_market
from advisor.replay import UnfinishedRun, replay
from advisor.report.sweep_page import render_sweep
from advisor.settings import Settings
from advisor.sweep.files import PARTS, PLAN, RESULTS, RETURNS
from advisor.sweep.judgement import Folds, best_of, costs, importance, judged, neighbours
from advisor.sweep.run import sweep
from quant_core.parameters import FillRules
from quant_core.selection.sharpe import sharpes
from tests.advisor.sweep.interrupted import VARY
from tests.advisor.sweep.worlds import FIRST, LAST, asked, run
from tests.advisor.worlds import market, request
from tools.errors import BadInput


def results(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in (RESULTS, RETURNS, PLAN)}


def process(folder: Path, *how: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.advisor.sweep.interrupted", str(folder), *how],
        capture_output=True, text=True, check=False, env=dict(os.environ),
    )  # fmt: skip


def test_a_sweep_leaves_one_row_a_combination_and_its_daily_returns(tmp_path: Path) -> None:
    found = run(tmp_path)
    rows = pq.read_table(tmp_path / RESULTS)
    assert rows["combination"].to_pylist() == list(range(6))
    assert rows["stdev.mr_arm_z"].to_pylist() == [0.9] * 3 + [1.2] * 3
    returns = pq.read_table(tmp_path / RETURNS)
    kept = np.stack(returns["returns"].to_numpy())
    assert kept.tobytes() == found.returns.tobytes()
    days = json.loads(returns.schema.metadata[b"sessions"])
    assert days == list(found.sessions)
    assert not (tmp_path / PARTS).exists()
    assert np.prod(1 + kept, axis=1) - 1 == pytest.approx(rows["total_return"].to_numpy())


def test_every_combination_trades_as_its_replay(tmp_path: Path) -> None:
    found = run(tmp_path, keep=(0, 5), keep_best=False)
    for number in (0, 5):
        row = found.values[number]
        settings = Settings.model_validate(
            {"stdev": {"mr_arm_z": row[0], "atr_multiplier_sl": row[1]}}
        )
        options = ReplayOptions(analyst="none")
        lane = replay(request(FIRST, LAST), options, settings, market(FIRST, LAST), None).main
        kept = pq.read_table(tmp_path / "trades" / f"{number:06d}.parquet")
        assert kept.equals(trades_table(lane.trades, market(FIRST, LAST).symbols))
        assert len(kept) > 3


def test_cores_and_batches_change_nothing(tmp_path: Path) -> None:
    for workers in (1, 3):
        run(tmp_path / str(workers), workers=workers)
    assert results(tmp_path / "1") == results(tmp_path / "3")


@pytest.mark.slow
def test_a_killed_sweep_is_taken_up_to_the_same_bytes(tmp_path: Path) -> None:
    assert process(tmp_path / "whole", "whole").returncode == 0
    cut = tmp_path / "cut"
    assert process(cut, "kill").returncode == -signal.SIGKILL
    kept = sorted(path.name for path in (cut / PARTS).iterdir())
    assert 0 < len(kept) < 6
    made, wish = market(FIRST, LAST), asked(*VARY, workers=1)
    with pytest.raises(UnfinishedRun, match="--resume"):
        sweep(wish, Settings(), made, cut)
    run(cut, *VARY, workers=1, resume=True)
    assert results(cut) == results(tmp_path / "whole")


@pytest.mark.slow
def test_a_full_disk_keeps_what_was_finished_and_says_how_to_go_on(tmp_path: Path) -> None:
    assert process(tmp_path / "whole", "whole").returncode == 0
    full = tmp_path / "full"
    # Room for every batch, and not for all of them in one file.
    ended = process(full, "full", str((tmp_path / "whole" / RESULTS).stat().st_size - 1))
    assert ended.returncode == 2
    assert "takes no more (File too large)" in ended.stdout
    assert len(list((full / PARTS).iterdir())) == 4
    assert "make room and give the same command with --resume" in ended.stdout
    assert not list(full.rglob("*.partial"))
    run(full, *VARY, workers=1, resume=True)
    assert results(full) == results(tmp_path / "whole")


def test_a_finished_sweep_is_read_again_and_a_different_one_is_not_touched(tmp_path: Path) -> None:
    run(tmp_path)
    before = results(tmp_path)
    run(tmp_path)
    assert results(tmp_path) == before
    with pytest.raises(UnfinishedRun, match="holds a different sweep"):
        run(tmp_path, "stdev.mr_arm_z=1,2")
    assert results(tmp_path) == before
    assert len(run(tmp_path, "stdev.mr_arm_z=1,2", fresh=True).table) == 2


def test_where_nothing_trades_nothing_is_chosen(tmp_path: Path) -> None:
    found = run(tmp_path, "stdev.mr_arm_z=18,19", "stdev.tc_arm_z=18,19")
    assert found.best is None
    assert found.verdict["finding"] == "cannot be judged"
    assert np.isnan(found.objective).all()
    page = render_sweep(found)
    assert "Cannot be judged" in page
    assert "4 never traded" in page


def test_one_trade_says_nothing(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {
            "risk": {"max_trades_per_day": 1, "max_drawdown_percent": 0.01},
            "fills": {"slippage_bps": 9},
        }
    )
    found = run(tmp_path, "stdev.mr_arm_z=0.9,1.0", settings=settings)
    assert found.table["trades"].to_pylist() == [1, 1]
    assert found.verdict["finding"] == "cannot be judged"
    assert "one trade says nothing" in found.verdict["headline"]


def test_varying_what_changes_nothing_is_a_plateau(tmp_path: Path) -> None:
    found = run(tmp_path, "risk.max_bar_age=60,120,180")
    assert len(np.unique(found.returns, axis=0)) == 1
    assert np.isnan(found.weights["risk.max_bar_age"])
    assert found.verdict["finding"] != "better than luck"
    render_sweep(found)


def test_trades_of_a_combination_that_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="names combination 6; there are 6, numbered from 0"):
        run(tmp_path, keep=(6,))


def test_walk_forward_is_cut_as_asked_and_each_fold_names_what_it_chose(tmp_path: Path) -> None:
    found = run(tmp_path, folds=Folds(count=2, purge=1, embargo=0))
    kept = json.loads((tmp_path / PLAN).read_text())["walk_forward"]
    assert (kept["count"], kept["purge"], kept["embargo"]) == (2, 1, 0)
    assert len(kept["folds"]) == len(found.walk_forward) == 2
    days = list(found.sessions)
    for fold in kept["folds"]:
        train = slice(days.index(fold["train_from"]), days.index(fold["train_to"]) + 1)
        test = slice(days.index(fold["test_from"]), days.index(fold["test_to"]) + 1)
        assert test.start - train.stop == 1
        ratios = sharpes(found.returns[:, train].T)
        if fold["combination"] is None:
            assert np.isnan(ratios).all()
            continue
        assert fold["combination"] == np.nanargmax(ratios)
        held = found.returns[fold["combination"], test]
        assert fold["test_return"] == pytest.approx(np.prod(1.0 + held) - 1.0)
    assert "Choosing as one goes" in render_sweep(found)


def test_folds_that_do_not_fit_are_said_and_not_drawn(tmp_path: Path) -> None:
    found = run(tmp_path, folds=Folds(count=200))
    assert found.walk_forward == []
    assert "It could not be asked" in render_sweep(found)


def test_another_cut_of_the_folds_reads_a_finished_sweep_again(tmp_path: Path) -> None:
    run(tmp_path)
    again = run(tmp_path, folds=Folds(count=2))
    assert len(again.walk_forward) == 2


def test_why_nothing_could_be_chosen_is_said() -> None:
    idle = judged(np.zeros((3, 5)), None, np.zeros(3))
    assert idle["headline"] == "Cannot be judged: no combination made a trade."
    alone = judged(np.full((3, 1), 0.01), None, np.ones(3))
    assert "one session has no ratio" in alone["headline"]
    steady = judged(np.zeros((3, 5)), None, np.ones(3))
    assert "none of the 3 combinations has a defined objective" in steady["headline"]


def test_random_search_is_repeatable(tmp_path: Path) -> None:
    vary = ("stdev.mr_arm_z=0.9:1.5", "stdev.window=60:90")
    one = run(tmp_path / "a", *vary, method="random", trials=8, seed=3)
    run(tmp_path / "b", *vary, method="random", trials=8, seed=3)
    assert results(tmp_path / "a") == results(tmp_path / "b")
    assert len(one.table) == 8


@pytest.mark.slow
def test_optuna_proposes_new_combinations_only_and_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    vary = ("stdev.mr_arm_z=0.8:2.0", "stdev.window=60,120", "stdev.arm_expiry_bars=20:60")
    first = run(tmp_path / "a", *vary, method="optuna", trials=40)
    assert len(np.unique(first.values, axis=0)) == 40
    assert first.best is not None
    run(tmp_path / "b", *vary, method="optuna", trials=40)
    assert results(tmp_path / "a") == results(tmp_path / "b")
    few = run(tmp_path / "c", "stdev.window=60,120", method="optuna", trials=40)
    assert len(few.table) == 2


def test_the_best_has_a_defined_objective_and_traded() -> None:
    values = np.array([np.nan, 9.0, 1.0, 2.0, 2.0])
    assert best_of(values, np.array([5, 0, 5, 5, 5])) == 3
    assert best_of(np.array([np.nan]), np.array([3])) is None
    assert best_of(np.array([]), np.array([])) is None


def test_neighbours_are_one_step_away_in_one_setting() -> None:
    table = np.array([[1, 1], [1, 2], [2, 1], [2, 2], [4, 1]], float)
    assert neighbours(table, 0, np.array([9.0, 1.0, 3.0, 5.0, 7.0])) == (2.0, 1.0, 2)
    assert neighbours(table[:1], 0, np.array([9.0]))[2] == 0


def test_a_setting_weighs_what_it_explains_beyond_chance() -> None:
    random = np.random.default_rng(1)
    table = np.stack([np.repeat([1.0, 2.0], 200), random.uniform(0, 1, 400)], axis=1)
    values = 10.0 * table[:, 0] + random.normal(0, 1, 400)
    found = importance(("decides", "noise"), table, values)
    assert found["decides"] == pytest.approx(25.0 / 26.0, abs=0.02)
    assert found["noise"] < 0.05
    alone = importance(("each",), np.arange(4.0)[:, None], np.array([1.0, 2.0, 4.0, 8.0]))
    assert np.isnan(alone["each"])


def test_costs_are_multiplied_and_a_free_broker_is_doubted() -> None:
    names = dict(costs(FillRules(slippage_bps=2.0)))
    assert names["costs × 3"] == FillRules(slippage_bps=6.0)
    assert names["with $0.005 a share"].fee_per_share == 0.005
    paid = dict(costs(FillRules(slippage_bps=0.0, fee_per_share=0.01)))
    assert "with $0.005 a share" not in paid
    assert paid["costs × 2"] == FillRules(slippage_bps=2.0, fee_per_share=0.02)


@pytest.mark.slow
def test_twenty_random_combinations_on_real_bars_trade_as_their_replays(
    market_data: Path, tmp_path: Path
) -> None:
    wish = MarketRequest(
        bars=(market_data / "bars" / "1min" / "us-2025-01",),
        daily=market_data / "bars" / "1day" / "us-2024-2026",
        first=date(2025, 1, 2), last=date(2025, 1, 31), symbols=("SPY", "NVDA", "AMD", "META"),
    )  # fmt: skip
    vary = (
        "stdev.mr_arm_z=0.8:1.8", "stdev.mr_trigger_z=0.2:0.8", "stdev.tc_arm_z=1.2:2.4",
        "stdev.atr_multiplier_sl=0.8:2.5", "stdev.min_rr_ratio=1.2:3", "stdev.window=60:180",
        "stdev.entry_until=660:900", "stdev.cooldown_bars=0:30", "stdev.atr_percentile_cap=50:100",
        "risk.max_risk_per_trade=0.2:2", "risk.trailing_stop=0.3:5", "risk.max_positions=1:4",
        "fills.slippage_bps=0:4", "fills.max_participation=0.01,0.1,10",
    )  # fmt: skip
    settings = Settings()
    request_ = asked(*vary, method="random", trials=20, seed=11, keep=tuple(range(20)))
    found = sweep(request_, settings, prepare_market(wish, settings), tmp_path)
    traded = 0
    for number, row in enumerate(found.values.tolist()):
        changes: dict[str, dict[str, float]] = {"stdev": {}, "risk": {}, "fills": {}}
        for key, value in zip(request_.keys, row, strict=True):
            group, name = key.split(".")
            changes[group][name] = value
        own = Settings.model_validate(changes)
        lane = replay(
            wish, ReplayOptions(analyst="none"), own, prepare_market(wish, own), None
        ).main
        kept = pq.read_table(tmp_path / "trades" / f"{number:06d}.parquet")
        assert kept.equals(trades_table(lane.trades, wish.symbols)), row
        traded += len(kept)
    assert traded > 400
