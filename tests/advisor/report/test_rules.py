"""The multipliers in force: when an analysis applies, when it ends, and that the engine agrees."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from advisor.report.payload import build_payload
from advisor.report.rules import (
    ReportRules,
    Step,
    daily_loss,
    loss_limit,
    steps_of_session,
)
from quant_core.calendar import Session, to_datetime, to_minute
from quant_core.parameters import RiskLimits
from quant_core.types import Analysis, Multipliers, State
from tests.advisor.report.worlds import calm

SESSION = Session(date(2026, 10, 13), 1_000_000, 1_000_390)
RULES = ReportRules.of({})
EASY = Multipliers(mr_arm=0.8, tc_trigger=1.5)


def analysis(row: int, multipliers: Multipliers = EASY) -> Analysis:
    return Analysis(
        as_of=to_datetime(SESSION.open + row),
        analyst="test",
        multipliers=multipliers,
        confidence=50.0,
        assessment="",
        opportunities=(),
        reasoning="",
        evidence=(),
    )


def steps(
    *rows: int, loss: Sequence[float] | None = None, rules: ReportRules = RULES
) -> list[tuple[int, int, str]]:
    given = list(enumerate(analysis(row) for row in rows))
    lost = np.zeros(390) if loss is None else np.asarray(loss)
    return [
        (step.row, step.analysis, step.reason)
        for step in steps_of_session(SESSION, given, lost, 500.0, rules)
    ]


def test_without_an_analysis_the_base_holds_all_day() -> None:
    assert steps() == [(0, -1, "none")]


def test_an_analysis_holds_for_two_intervals_unless_another_comes() -> None:
    assert steps(15) == [(0, -1, "none"), (15, 0, "analysis"), (45, -1, "expired")]
    assert steps(0, 15) == [(0, 0, "analysis"), (15, 1, "analysis"), (45, -1, "expired")]


def test_latency_delays_the_start_and_not_the_end() -> None:
    late = ReportRules.of({"settings": {"analysis": {"latency_bars": 4}}})
    assert steps(15, rules=late) == [(0, -1, "none"), (18, 0, "analysis"), (45, -1, "expired")]


def test_a_late_analysis_holds_from_when_it_came_even_over_a_younger_one() -> None:
    late, younger = analysis(0), analysis(15, Multipliers())
    for came, expected in (
        (20, [(0, -1, "none"), (15, 1, "analysis"), (20, 0, "analysis"), (30, -1, "expired")]),
        (390, [(0, -1, "none"), (15, 1, "analysis"), (45, -1, "expired")]),
    ):
        applied = replace(late, applies_from=to_datetime(SESSION.open + came))
        given = [(0, applied), (1, younger)]
        found = steps_of_session(SESSION, given, np.zeros(390), 500.0, RULES)
        assert [(step.row, step.analysis, step.reason) for step in found] == expected


def test_beyond_half_the_loss_limit_an_easier_arm_counts_as_one() -> None:
    loss = np.zeros(390)
    loss[20:25] = 250.01
    found = steps_of_session(SESSION, [(0, analysis(15))], loss, 500.0, RULES)
    assert [(step.row, step.reason) for step in found] == [
        (0, "none"), (15, "analysis"), (20, "tightened"), (25, "analysis"), (45, "expired"),
    ]  # fmt: skip
    assert found[2] == Step(20, (1.0, 1.0, 1.0, 1.5), 0, "tightened")


def test_an_advice_that_only_tightens_is_not_tightened_further() -> None:
    hard = analysis(15, Multipliers(mr_arm=1.3, mr_trigger=0.7))
    found = steps_of_session(SESSION, [(0, hard)], np.full(390, 400.0), 500.0, RULES)
    assert found[1] == Step(15, (1.3, 0.7, 1.0, 1.0), 0, "analysis")


def test_the_loss_of_a_minute_without_bars_is_the_loss_before_it() -> None:
    minutes = np.array([SESSION.open - 5, SESSION.open + 1, SESSION.open + 3])
    loss = daily_loss(SESSION, 1000.0, minutes, np.array([1.0, 990.0, 1010.0]))
    assert loss[:5].tolist() == [0.0, 10.0, 10.0, -10.0, -10.0]


def test_the_smaller_of_the_two_loss_limits_counts() -> None:
    assert loss_limit(100_000.0, RiskLimits()) == 500.0
    assert loss_limit(1_000.0, RiskLimits()) == 50.0


def test_settings_come_from_the_summary_and_a_lifted_cap_is_infinite() -> None:
    rules = ReportRules.of(
        {"settings": {"stdev": {"mr_arm_z": 1.5}, "risk": {"max_daily_loss": "inf"}}}
    )
    assert rules.stdev.mr_arm_z == 1.5
    assert rules.stdev.tc_arm_z == 1.8
    assert math.isinf(rules.risk.max_daily_loss)


@pytest.mark.parametrize("name", ["advised", "baseline", "placebo"])
def test_every_arm_was_made_at_the_thresholds_that_the_report_shows(name: str) -> None:
    result, summary = calm()
    lane = result.lanes[name]
    payload = build_payload(result, summary)
    shown = next(lane for lane in payload["lanes"] if lane["name"] == name)["steps"]
    base = payload["rules"]["base"]
    arms = [t for t in lane.transitions if t.reason == "armed"]
    assert arms
    for arm in arms:
        minute = to_minute(arm.start)
        position, session = next(
            (i, s) for i, s in enumerate(result.sessions) if s.open <= minute < s.close
        )
        in_force = [s for s in shown if s[0] == position and s[1] <= minute - session.open][-1][4]
        which = 2 if arm.state is State.TC_ARMED else 0
        assert abs(arm.z) >= base[which] * in_force[which] - 1e-6


def test_no_arm_was_missed_at_the_thresholds_that_the_report_shows() -> None:
    result, summary = calm()
    lane, rows = result.main, result.main.cycles
    steps_ = build_payload(result, summary)["lanes"][0]["steps"]
    base = ReportRules.of(summary).stdev
    armable = {
        (s.date, s.symbol): not s.incomplete and s.atr_percentile <= 85 for s in result.snapshots
    }
    before: dict[int, int] = {}
    quiet = 0
    for i in range(len(rows)):
        symbol, minute = int(rows.symbol[i]), int(rows.minute[i])
        was, before[symbol] = before.get(symbol, 0), int(rows.state[i])
        position, session = next(
            (i, s) for i, s in enumerate(result.sessions) if s.open <= minute < s.close
        )
        row = minute - session.open
        if row == 0:
            was = 0
        inside = row < 150 and armable[session.date, rows.symbols[symbol]]
        if not (inside and was == 0 and rows.state[i] == 0 and rows.ready[i]):
            continue
        factors = [s for s in steps_ if s[0] == position and s[1] <= row][-1][4]
        with_trend = np.sign(rows.z[i]) == rows.htf_trend[i]
        level = base.tc_arm_z * factors[2] if with_trend else base.mr_arm_z * factors[0]
        released = any(
            t.symbol == rows.symbols[symbol]
            and to_minute(t.start) == minute
            and t.reason != "armed"
            for t in lane.transitions
        )
        assert released or abs(rows.z[i]) < level + 1e-9
        quiet += 1
    assert quiet > 100
