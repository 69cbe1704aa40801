"""Earned authority in a replay: the shadow earns it, and only the past decides."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from advisor.bootstrap import Advisers, ReplayOptions, make_lanes
from advisor.cycle import dependencies
from advisor.exports import write_exports
from advisor.lanes import authority_after
from advisor.replay import replay
from advisor.results import ReplayResult
from advisor.session import run_day, trading_day
from advisor.settings import Settings
from advisor.summary import summarise
from quant_core import rules
from quant_core.market_view import MarketView
from quant_core.performance import daily_returns
from quant_core.types import Analysis, Multipliers
from tests.advisor.test_replay import interrupted_after
from tests.advisor.worlds import market, request
from tools.store.store import Store

FIRST, LAST = date(2026, 10, 6), date(2026, 10, 15)
ADVISED = ReplayOptions(analyst="rules", validation="rules")
# Lenient on purpose: two weeks cannot show skill, but the way of the lanes must be walked.
EARNED = Settings.model_validate(
    {
        "analysis": {
            "authority": "earned",
            "authority_minimum_sessions": 5,
            "authority_error_rate": 0.5,
            "authority_full_at": 0.05,
        }
    }
)


def run(last: date = LAST, folder: Path | None = None, **kept: object) -> ReplayResult:
    options = replace(ADVISED, **kept)  # type: ignore[arg-type]
    return replay(request(FIRST, last), options, EARNED, market(FIRST, last), folder)


@pytest.fixture(scope="module")
def whole() -> ReplayResult:
    return run()


def test_the_shadow_is_what_full_authority_would_have_made_without_vetoes(
    whole: ReplayResult,
) -> None:
    free = Settings()
    fixed = replay(
        request(FIRST, FIRST), replace(ADVISED, validation="off"), free, market(FIRST, FIRST), None
    )
    first_day = [t for t in whole.lanes["shadow"].trades if t.exit_time.date() == FIRST]
    assert first_day == fixed.lanes["advised"].trades
    assert first_day


def test_before_anything_is_earned_advice_changes_nothing(whole: ReplayResult) -> None:
    early = {session.date for session in whole.sessions[:5]}
    for name in ("advised", "placebo"):
        lane = whole.lanes[name]
        assert [day.notes[0].split(":")[0] for day in lane.days[:5]] == ["authority 0.000"] * 5
    placebo, baseline = (
        [t for t in whole.lanes[name].trades if t.exit_time.date() in early]
        for name in ("placebo", "baseline")
    )
    assert placebo == baseline
    assert whole.lanes["baseline"].days[0].notes == ()


def test_the_ledger_and_the_summary_say_the_authority_of_every_session(
    whole: ReplayResult,
) -> None:
    returns = {name: daily_returns(lane.days) for name, lane in whole.lanes.items()}
    earning = EARNED.analysis
    for past, found in enumerate(whole.authority):
        again = authority_after(returns["shadow"][:past], returns["baseline"][:past], earning)
        assert again.value == pytest.approx(found.value)
        assert whole.lanes["advised"].days[past].notes == (found.in_words(),)
    told = summarise(whole, EARNED)["authority"]
    assert [row["value"] for row in told] == [one.value for one in whole.authority]


def test_nothing_of_the_future_is_used(whole: ReplayResult) -> None:
    shorter = run(date(2026, 10, 14))
    count = len(shorter.sessions)
    assert 5 < count < len(whole.sessions)
    assert [one.value for one in shorter.authority] == [
        one.value for one in whole.authority[:count]
    ]
    for name, lane in shorter.lanes.items():
        assert lane.days == whole.lanes[name].days[:count]


@pytest.mark.slow
def test_an_interrupted_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    """Interrupted in the advised lane of the seventh session: its authority was measured."""
    clean = run(folder=tmp_path / "clean")
    with pytest.raises(KeyboardInterrupt):
        replay(
            request(FIRST, LAST), ADVISED, EARNED, market(FIRST, LAST), tmp_path / "cut",
            interrupted_after(6 * (3 * 26 + 1) + 5),
        )  # fmt: skip
    resumed = run(folder=tmp_path / "cut", resume=True)
    assert resumed.chain_heads == clean.chain_heads
    for result, place in ((clean, tmp_path / "clean"), (resumed, tmp_path / "cut")):
        write_exports(result, summarise(result, EARNED), place)
    told = [(tmp_path / name / "summary.json").read_bytes() for name in ("clean", "cut")]
    assert told[0] == told[1]
    with Store.open(tmp_path / "clean" / "ledger.sqlite", read_only=True) as store:
        assert store.verify_chain(clean.run_id).intact


@pytest.mark.slow
def test_an_adviser_who_knows_the_bad_days_earns_the_whole_range_and_it_counts() -> None:
    """An oracle, as no adviser can be: it makes arming hard on days on which the baseline loses."""
    first = date(2026, 8, 31)
    made, asked = market(first, LAST), request(first, LAST)
    baseline = replay(asked, ReplayOptions(analyst="none"), EARNED, made, None).main
    bad = {day.date for day in baseline.days if day.end_equity < day.start_equity}
    assert 5 < len(bad) < len(baseline.days)

    def oracle(view: MarketView) -> Analysis:
        arm = 2.0 if view.as_of.date() in bad else 1.0
        return replace(rules.analyse(view), multipliers=Multipliers(mr_arm=arm, tc_arm=arm))

    lanes = make_lanes(len(made.symbols), ADVISED, EARNED, Advisers(oracle, None))
    deps = dependencies("run", EARNED, None)
    for session in made.sessions:
        run_day(lanes, trading_day(made, session, EARNED), deps, lambda lane, day: None)
    advised = lanes[0]
    assert advised.grant is not None
    granted = [advised.grant(past).value for past in range(len(made.sessions))]
    assert granted[:5] == [0.0] * 5
    assert granted[-1] == 1.0
    assert sum(advised.daily_returns) > sum(lanes[1].daily_returns)
    assert sum(advised.daily_returns) < sum(lanes[3].daily_returns)


def test_a_fixed_authority_has_no_shadow() -> None:
    result = replay(request(FIRST, FIRST), ADVISED, Settings(), market(FIRST, FIRST), None)
    assert list(result.lanes) == ["advised", "baseline", "placebo"]
    assert result.authority == []
    assert np.all([day.notes == () for day in result.lanes["advised"].days])
