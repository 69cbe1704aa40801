"""`advisor backtest` and `advisor sweep` as a user meets them."""

import json
from pathlib import Path

import pytest

from tests.advisor.test_cli import advisor, bars_csv, minute

__all__ = ["advisor"]


def january(market_data: Path, command: str) -> list[object]:
    bars = market_data / "bars"
    return [
        command, "--bars", bars / "1min" / "us-2025-01", "--daily",
        bars / "1day" / "us-2024-2026", "--symbols", "SPY,NVDA", "--from", "2025-01-08",
        "--to", "2025-01-17",
    ]  # fmt: skip


def test_a_backtest_leaves_trades_figures_and_a_page(advisor, market_data, tmp_path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "b"
    code, text, _ = advisor(*january(market_data, "backtest"), "--out", out, "--stress", "--json")
    assert code == 0
    found = json.loads(text)
    assert found == json.loads((out / "backtest.json").read_text())
    assert list(found["readings"]) == ["baseline"]
    assert [row["name"] for row in found["stress"]][:2] == ["costs × 0", "costs × 1"]
    assert (out / "trades.parquet").exists()
    assert "By volatility before the session" in (out / "backtest.html").read_text()
    assert not (out / "ledger.sqlite").exists()
    replay = tmp_path / "r"
    assert advisor(*january(market_data, "replay"), "--analyst", "none", "--out", replay)[0] == 0
    assert (replay / "trades.parquet").read_bytes() == (out / "trades.parquet").read_bytes()
    code, _, err = advisor(*january(market_data, "backtest"), "--out", replay)
    assert code == 2
    assert "holds a replay and its ledger" in err


def test_a_sweep_leaves_results_a_page_and_a_verdict(advisor, market_data, tmp_path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "s"
    vary = ["--vary", "stdev.mr_arm_z=1.0,1.2", "--vary", "fills.slippage_bps=0,2"]
    code, text, _ = advisor(*january(market_data, "sweep"), *vary, "--out", out, "--json")
    assert code == 0
    found = json.loads(text)
    assert found["combinations"] == 4
    assert found["verdict"]["headline"]
    assert found["status"] == "finished"
    page = (out / "sweep.html").read_text()
    assert found["verdict"]["headline"] in page
    code, _, err = advisor(*january(market_data, "sweep"), *vary, "--out", out)
    assert code == 0
    assert found["verdict"]["headline"] in err
    code, _, err = advisor(*january(market_data, "sweep"), *vary[:2], "--out", out)
    assert code == 4
    assert "holds a different sweep" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--vary", "stdev.mr_arm=1,2"], "did you mean stdev.mr_arm_z?"),
        (["--vary", "stdev.mr_arm_z=1,99"], "mr_arm_z is 99.0; it must lie in [0.01, 20]"),
        (["--vary", "stdev.mr_arm_z=,"], "the grid is empty"),
        (["--vary", "stdev.mr_arm_z=1,2", "--objective", "sharp"], "did you mean sharpe?"),
        (["--vary", "stdev.mr_arm_z=1,2", "--keep-trades", "x"], "write best, none, or numbers"),
        (["--vary", "stdev.mr_arm_z=1,2", "--resume", "--fresh"], "contradict each other"),
        (["--vary", "stdev.mr_arm_z=1,2", "--address", "x"], "add --engine ray"),
        (["--vary", "stdev.mr_arm_z=1:2"], "a grid needs a step"),
    ],
)
def test_a_sweep_that_cannot_be_run_is_refused_in_one_sentence(  # type: ignore[no-untyped-def]
    words: list[str], said: str, advisor, tmp_path: Path
) -> None:
    bars = bars_csv(tmp_path / "bars", [minute(i) for i in range(5)])
    code, out, err = advisor(
        "sweep", "--bars", bars, "--symbols", "SPY", "--from", "2025-01-02", "--to", "2025-01-02",
        "--out", tmp_path / "o", *words,
    )  # fmt: skip
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_results_stay_out_of_the_bars(advisor, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    bars = bars_csv(tmp_path / "bars", [minute(i) for i in range(5)])
    for command, more in (("backtest", []), ("sweep", ["--vary", "stdev.mr_arm_z=1,2"])):
        code, _, err = advisor(
            command, "--bars", bars, "--symbols", "SPY", "--from", "2025-01-02", "--to",
            "2025-01-02", "--out", bars / "o", *more,
        )  # fmt: skip
        assert code == 2
        assert "lies in the bars' folder" in err


def test_bars_that_never_arm_give_an_honest_nothing(advisor, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    bars = bars_csv(tmp_path / "bars", [minute(i) for i in range(5)])
    words = ["--bars", bars, "--symbols", "SPY", "--from", "2025-01-02", "--to", "2025-01-02"]
    code, _, err = advisor("sweep", *words, "--out", tmp_path / "o", "--vary", "stdev.mr_arm_z=1,2")
    assert code == 0
    assert "Cannot be judged: no combination made a trade." in err
    code, _, err = advisor("backtest", *words, "--out", tmp_path / "b", "--stress")
    assert code == 0
    assert "1 session are too few" not in err
    assert "too few" in err
