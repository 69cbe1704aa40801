"""What the page is told: the run's own numbers, to the pixel, for calm runs and for empty ones."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from advisor.report.payload import build_payload
from advisor.report.premises import rejection_counts, why_not_armed
from advisor.results import ReplayResult
from quant_core.equity import equity_curve
from quant_core.types import Status
from tests.advisor.report.test_packing import unpack
from tests.advisor.report.worlds import LAST, bias, calm, context, failing, nothing, refused


def column(text: str, quantum: float) -> np.ndarray:
    return np.cumsum(unpack(text)) * quantum


def test_bars_come_back_in_the_order_of_symbol_and_minute() -> None:
    result, summary = calm()
    rows = result.main.cycles
    for s, bars in enumerate(build_payload(result, summary)["bars"]):
        mine = rows.symbol == s
        quantum = bars["quantum"]
        assert sum(bars["rows"]) == np.count_nonzero(mine)
        np.testing.assert_allclose(column(bars["close"], quantum), rows.close[mine], atol=quantum)
        ready = mine & rows.ready
        for name in ("mean", "deviation"):
            np.testing.assert_allclose(
                column(bars[name], quantum), getattr(rows, name)[ready], atol=quantum
            )
        np.testing.assert_allclose(column(bars["z"], 1e-3), rows.z[ready], atol=5.1e-4)
        assert quantum <= np.median(rows.deviation[ready]) / 1000


def test_minutes_are_runs_after_each_open() -> None:
    result, summary = calm()
    holes = np.ones(len(result.main.cycles), np.bool_)
    holes[30:45] = holes[600:601] = False
    rows = result.main.cycles
    gappy = replace(rows, **{n: getattr(rows, n)[holes] for n in rows.__slots__ if n != "symbols"})
    lanes = {**result.lanes, "advised": replace(result.main, cycles=gappy)}
    for s, bars in enumerate(build_payload(replace(result, lanes=lanes), summary)["bars"]):
        runs = iter(unpack(bars["minute"]))
        found = []
        for session, count in zip(result.sessions, bars["rows"], strict=True):
            at, taken = session.open, 0
            while taken < count:
                at += next(runs)
                length = next(runs)
                found += range(at, at + length)
                at, taken = at + length, taken + length
        assert found == gappy.minute[gappy.symbol == s].tolist()


@pytest.mark.parametrize("name", ["advised", "baseline", "placebo"])
def test_states_and_equity_are_those_of_the_lane(name: str) -> None:
    result, summary = calm()
    lane = result.lanes[name]
    shown = next(x for x in build_payload(result, summary)["lanes"] if x["name"] == name)
    for s, text in enumerate(shown["states"]):
        runs = np.array(unpack(text)).reshape(-1, 2)
        codes = np.repeat(runs[:, 1], runs[:, 0])
        mine = lane.cycles.symbol == s
        assert (codes // 3 == lane.cycles.state[mine]).all()
        assert (codes % 3 - 1 == lane.cycles.side[mine]).all()
    minutes, equity = equity_curve(lane.start_equity, lane.fills, lane.cycles)
    np.testing.assert_allclose(
        column(shown["equity"], 0.01), equity - lane.start_equity, atol=0.006
    )
    assert np.cumsum(np.array(unpack(shown["minutes"])) + 1).tolist() == (minutes + 1).tolist()


def test_every_record_of_every_lane_is_there() -> None:
    result, summary = calm()
    for lane, shown in zip(
        result.lanes.values(), build_payload(result, summary)["lanes"], strict=True
    ):
        assert len(shown["analyses"]) == len(lane.analyses)
        assert len(shown["signals"]) == len(lane.decisions)
        assert len(shown["trades"]) == len(lane.trades)
        assert len(shown["fills"]) == len(lane.fills)
        assert len(shown["transitions"]) == len(lane.transitions)
        assert len(shown["refusals"]) == len(lane.order_rejections)
        assert len(shown["risk"]) == len(lane.risk_changes)


def test_a_signal_carries_every_check_with_its_numbers() -> None:
    result, summary = calm()
    payload = build_payload(result, summary)
    decision, row = result.main.decisions[0], payload["lanes"][0]["signals"][0]
    lines = [payload["checks"][position] for position in row[-1]]
    assert [payload["texts"][line[0]] for line in lines] == [c.name for c in decision.plan.checks]
    outcomes = ("pass", "reduce", "block", "not_applicable")
    assert [outcomes[line[3]] for line in lines] == [c.outcome for c in decision.plan.checks]
    for line, check in zip(lines, decision.plan.checks, strict=True):
        assert line[1] == pytest.approx(check.before, rel=1e-8) or np.isnan(check.before)


def test_a_failed_analysis_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    result, summary = failing(monkeypatch)
    payload = build_payload(result, summary)
    shown = payload["lanes"][0]["analyses"]
    for analysis, row in zip(result.main.analyses, shown, strict=True):
        assert bool(row[3]) is (analysis.status is Status.DEGRADED)
        assert payload["texts"][row[4]] == analysis.degraded_reason
    assert any(row[3] for row in shown)


def test_a_snapshot_says_everything_that_keeps_its_symbol_from_arming() -> None:
    snapshot = calm()[0].snapshots[0]
    wild = replace(snapshot, incomplete=("no daily bars",), atr_percentile=91.25)
    assert why_not_armed(wild, 85.0) == [
        "missing: no daily bars",
        "too volatile: ATR percentile 91.2 is above the cap of 85",
    ]
    assert why_not_armed(replace(snapshot, atr_percentile=85.0, incomplete=()), 85.0) == []
    assert why_not_armed(replace(snapshot, atr_percentile=np.nan, incomplete=("x",)), 85.0) == [
        "missing: x"
    ]


def test_opinions_of_the_premarket_are_told_by_session_and_symbol() -> None:
    result, summary = calm()
    last = result.symbols[-1]
    with_opinions = replace(
        result,
        biases=[bias(last, LAST, "a trend"), bias("XYZ", LAST, "off the list")],
        contexts=[context(LAST, "quiet"), context(date(2020, 1, 2), "of another run")],
    )
    payload = build_payload(with_opinions, summary)
    (row,), (whole,) = payload["biases"], payload["contexts"]
    words = payload["texts"]
    assert row[:2] == [len(result.sessions) - 1, len(result.symbols) - 1]
    assert [words[row[i]] for i in (2, 3, 4, 6, 8)] == [
        "a trend", "a trend", "bearish", "a trend", "a trend",
    ]  # fmt: skip
    assert (row[5], row[7]) == (65.0, 1)
    assert [words[whole[i]] for i in (1, 2)] == ["quiet", "bullish"]
    assert (whole[0], whole[3], whole[5]) == (len(result.sessions) - 1, 55.0, 0)


def test_refused_rows_are_counted_by_file_and_reason() -> None:
    assert rejection_counts(refused("a.csv")) == [
        {"kind": "bar", "file": "a.csv", "symbol": "SPY", "reason": "duplicate", "count": 2}
    ]


def test_new_york_is_four_or_five_hours_behind_as_the_date_says() -> None:
    result, summary = calm()
    assert {row[3] for row in build_payload(result, summary)["sessions"]} == {-240}


def test_nothing_at_all_is_still_a_payload() -> None:
    payload = build_payload(*nothing())
    assert payload["bars"][0]["rows"] == [0]
    assert payload["lanes"][0]["steps"] == [[0, 0, -1, "none", [1, 1, 1, 1]]]
    assert payload["differences"] == []


def test_a_run_of_no_session_is_still_a_payload() -> None:
    result, summary = nothing()
    empty: ReplayResult = replace(result, sessions=())
    payload: dict[str, Any] = build_payload(empty, summary)
    assert payload["sessions"] == []
    assert payload["run"]["period"] == "no session"
