"""Replay: the same run gives the same bytes whatever interrupts it; lanes differ only by advice."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest

from advisor import replay as replaying
from advisor.bootstrap import Advisers, ReplayOptions, make_lanes
from advisor.exports import write_exports
from advisor.lanes import Lane
from advisor.replay import LEDGER, UnfinishedRun, replay, run_identity
from advisor.results import ReplayResult
from advisor.settings import Settings
from advisor.summary import summarise
from quant_core.events import TRANSITION_REASONS
from quant_core.types import Analysis, Multipliers, Status, Verdict
from tests.advisor.worlds import SETTINGS, market, request
from tools.store.store import Store

FIRST, LAST = date(2026, 10, 13), date(2026, 10, 15)
BASELINE = ReplayOptions(analyst="none", validation="off")
ADVISED = ReplayOptions(analyst="rules", validation="rules")


def run(
    options: ReplayOptions, folder: Path | None = None, settings: Settings = SETTINGS
) -> ReplayResult:
    return replay(request(FIRST, LAST), options, settings, market(FIRST, LAST), folder)


def exported(result: ReplayResult, folder: Path) -> dict[str, bytes]:
    write_exports(result, summarise(result, SETTINGS), folder)
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".parquet", ".json")
    }


def interrupted_after(cycles: int) -> replaying.Progress:
    """A progress callback that interrupts the run as Ctrl-C would, after some cycles."""
    counter: Iterator[int] = iter(range(cycles))

    def progress(done: int, total: int, text: str) -> None:
        if next(counter, None) is None:
            raise KeyboardInterrupt

    return progress


def test_the_same_replay_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first = exported(run(ADVISED, tmp_path / "a"), tmp_path / "a")
    second = exported(run(ADVISED, tmp_path / "b"), tmp_path / "b")
    assert first == second
    assert {"cycles.parquet", "signals.parquet", "trades.parquet", "rejections.parquet"} <= set(
        first
    )
    assert "lanes/baseline/trades.parquet" in first
    assert "lanes/placebo/cycles.parquet" in first


def test_a_replay_without_a_ledger_exports_the_same_but_for_the_chain(tmp_path: Path) -> None:
    kept = exported(run(ADVISED, tmp_path / "a"), tmp_path / "a")
    loose = exported(run(ADVISED), tmp_path / "b")
    assert {name: data for name, data in kept.items() if name.endswith("parquet")} == {
        name: data for name, data in loose.items() if name.endswith("parquet")
    }


@pytest.mark.parametrize("cycles", [0, 1, 17, 27, 40, 55, 80])
def test_an_interrupted_replay_resumes_to_the_same_bytes(tmp_path: Path, cycles: int) -> None:
    whole = exported(run(ADVISED, tmp_path / "whole"), tmp_path / "whole")
    folder = tmp_path / "cut"
    asked, made = request(FIRST, LAST), market(FIRST, LAST)
    with pytest.raises(KeyboardInterrupt):
        replay(asked, ADVISED, SETTINGS, made, folder, interrupted_after(cycles))
    with pytest.raises(UnfinishedRun, match="--resume"):
        replaying.prepare_folder(folder, ADVISED)
    resumed = run(replace(ADVISED, resume=True), folder)
    assert exported(resumed, folder) == whole
    with Store.open(folder / LEDGER, read_only=True) as store:
        assert store.verify_chain(resumed.run_id).intact


def test_an_interrupted_replay_can_start_clean(tmp_path: Path) -> None:
    whole = exported(run(ADVISED, tmp_path / "whole"), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        replay(
            request(FIRST, LAST), ADVISED, SETTINGS, market(FIRST, LAST), tmp_path / "cut",
            interrupted_after(30),
        )  # fmt: skip
    fresh = run(replace(ADVISED, fresh=True), tmp_path / "cut")
    assert exported(fresh, tmp_path / "cut") == whole


def test_a_finished_replay_run_again_reads_its_ledger_and_exports_the_same(tmp_path: Path) -> None:
    first = exported(run(ADVISED, tmp_path), tmp_path)
    assert exported(run(ADVISED, tmp_path), tmp_path) == first


def test_a_folder_with_a_different_replay_is_not_touched(tmp_path: Path) -> None:
    run(ADVISED, tmp_path)
    before = (tmp_path / LEDGER).read_bytes()
    with pytest.raises(UnfinishedRun, match="different replay"):
        run(BASELINE, tmp_path)
    assert (tmp_path / LEDGER).read_bytes() == before
    assert run(replace(BASELINE, fresh=True), tmp_path).main.name == "baseline"


def test_settings_bars_and_options_are_part_of_a_runs_identity() -> None:
    asked, made = request(FIRST, LAST), market(FIRST, LAST)
    base = run_identity(asked, ADVISED, SETTINGS, made)
    other_settings = Settings.model_validate({"account": {"start_equity": 50_000}})
    shorter = request(FIRST, FIRST)
    assert base == run_identity(asked, replace(ADVISED, resume=True), SETTINGS, made)
    assert base != run_identity(asked, BASELINE, SETTINGS, made)
    assert base != run_identity(asked, ADVISED, other_settings, made)
    assert base != run_identity(shorter, ADVISED, SETTINGS, market(FIRST, FIRST))


def test_the_baseline_lane_is_the_run_without_an_analyst() -> None:
    alone = run(BASELINE).lanes["baseline"]
    beside = run(ADVISED).lanes["baseline"]
    assert alone.trades == beside.trades
    assert alone.transitions == beside.transitions
    assert alone.trades


def test_lanes_differ_from_each_other_only_by_advice() -> None:
    lanes = run(ADVISED).lanes
    assert list(lanes) == ["advised", "baseline", "placebo"]
    assert not lanes["baseline"].analyses
    for name in ("close", "mean", "deviation", "z", "minute", "symbol", "htf_trend"):
        columns = [getattr(lane.cycles, name).tobytes() for lane in lanes.values()]
        assert columns[0] == columns[1] == columns[2], name


def test_the_placebo_takes_the_same_multipliers_in_another_order() -> None:
    lanes = run(ADVISED).lanes
    for day in (FIRST, FIRST + timedelta(days=1), LAST):

        def given(lane: str, day: date = day) -> list[tuple[float, ...]]:
            return [a.multipliers.as_tuple() for a in lanes[lane].analyses if a.as_of.date() == day]

        assert len(given("advised")) == 26
        assert sorted(given("advised")) == sorted(given("placebo"))
    assert [a.multipliers for a in lanes["advised"].analyses] != [
        a.multipliers for a in lanes["placebo"].analyses
    ]


def with_analyst(multipliers: Multipliers | Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the advised lane's analyst by one that always answers the same."""

    def analyse(view: object) -> Analysis:
        if isinstance(multipliers, Exception):
            raise multipliers
        return Analysis(
            as_of=view.as_of, analyst="constant", multipliers=multipliers, confidence=50.0,  # type: ignore[attr-defined]
            assessment="", opportunities=(), reasoning="", evidence=(),
        )  # fmt: skip

    monkeypatch.setattr("quant_core.rules.analyse", analyse)


def test_an_analyst_that_fails_leaves_the_base_thresholds_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_analyst(TimeoutError("no answer in 45 s"), monkeypatch)
    result = run(ReplayOptions(analyst="rules", validation="off"))
    assert result.lanes["advised"].trades == result.lanes["baseline"].trades
    analyses = result.lanes["advised"].analyses
    assert {a.status for a in analyses} == {Status.DEGRADED}
    assert analyses[0].degraded_reason == "TimeoutError: no answer in 45 s"


def test_advice_of_all_ones_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with_analyst(Multipliers(), monkeypatch)
    result = run(ReplayOptions(analyst="rules", validation="off"))
    assert result.lanes["advised"].trades == result.lanes["baseline"].trades


def test_prohibitive_advice_keeps_symbols_from_arming(monkeypatch: pytest.MonkeyPatch) -> None:
    with_analyst(Multipliers(mr_arm=2.0, tc_arm=2.0), monkeypatch)
    lanes = run(ReplayOptions(analyst="rules", validation="off")).lanes
    armed = {
        name: sum(t.reason == TRANSITION_REASONS[0] for t in lane.transitions)
        for name, lane in lanes.items()
    }
    assert armed["advised"] < armed["baseline"]


@pytest.mark.parametrize("latency", [1, 2, 7])
def test_advice_applies_after_the_configured_latency(
    latency: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With arms doubled from the open on, no |z| below 2.4 arms once the advice applies."""
    with_analyst(Multipliers(mr_arm=2.0, tc_arm=2.0), monkeypatch)
    settings = Settings.model_validate({"analysis": {"latency_bars": latency}})
    lane = run(ReplayOptions(analyst="rules", validation="off"), settings=settings).main
    sessions = {s.date: s for s in market(FIRST, LAST).sessions}
    for transition in lane.transitions:
        if transition.reason != "armed":
            continue
        opened = sessions[transition.start.date()].open
        row = int(transition.start.timestamp() // 60) - opened
        assert row < latency - 1 or abs(transition.z) >= 2.4


def test_a_veto_is_recorded_and_nothing_is_ordered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "quant_core.rules.validate", lambda signal, view: Verdict(ruling="veto", reasoning="no")
    )
    advised = run(ADVISED).lanes["advised"]
    assert not advised.trades
    asked = [decision for decision in advised.decisions if decision.verdict is not None]
    assert asked
    assert {decision.plan.blocked_by for decision in asked} == {"validation"}


@pytest.mark.parametrize(("on_abstain", "trades"), [("skip", False), ("proceed", True)])
def test_an_abstention_follows_the_setting(
    on_abstain: str, trades: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(signal: object, view: object) -> Verdict:
        raise ConnectionError("model unreachable")

    monkeypatch.setattr("quant_core.rules.validate", fail)
    settings = Settings.model_validate({"validation": {"on_abstain": on_abstain}})
    advised = run(ADVISED, settings=settings).lanes["advised"]
    assert bool(advised.trades) is trades
    verdicts = [d.verdict for d in advised.decisions if d.verdict]
    assert {v.ruling for v in verdicts} == {"abstain"}
    assert verdicts[0].degraded_reason == "ConnectionError: model unreachable"


def test_a_reduction_never_enlarges(monkeypatch: pytest.MonkeyPatch) -> None:
    baseline = run(BASELINE).main
    monkeypatch.setattr(
        "quant_core.rules.validate",
        lambda signal, view: Verdict(ruling="reduce", size_factor=0.5),
    )
    advised = run(ReplayOptions(analyst="none", validation="rules")).lanes["advised"]
    first, halved = baseline.decisions[0], advised.decisions[0]
    assert first.signal == halved.signal
    assert halved.plan.quantity == first.plan.quantity // 2


def test_what_the_ledger_gives_back_is_what_was_decided(tmp_path: Path) -> None:
    result = run(ADVISED, tmp_path)
    as_of = datetime(LAST.year, LAST.month, LAST.day, 23, tzinfo=UTC)
    with Store.open(tmp_path / LEDGER, read_only=True) as store:
        for lane in result.lanes.values():
            # Checks that do not apply hold NaN, which equals nothing: compare what is printed.
            decisions = store.decisions(result.run_id, lane.name, as_of=as_of)
            assert repr(decisions) == repr(lane.decisions)
            assert store.trades(result.run_id, lane.name, as_of=as_of) == lane.trades
            assert store.analyses(result.run_id, lane.name, as_of=as_of) == lane.analyses
        kept = store.cycles(result.run_id, "advised", as_of=as_of)
    for name in ("minute", "close", "state", "side", "ready"):
        assert getattr(kept, name).tobytes() == getattr(result.main.cycles, name).tobytes()


def test_a_lane_checkpoint_brings_back_the_lane() -> None:
    lanes = make_lanes(3, ADVISED, SETTINGS, Advisers(None, None))
    lane: Lane = lanes[0]
    lane.day, lane.row = FIRST, 30
    lane.pending = [(31, 99, Multipliers(mr_arm=1.3))]
    lane.daily_returns = [0.1, -0.05]
    lane.desk.slots["stop"] = 1 / 3
    other = make_lanes(3, ADVISED, SETTINGS, Advisers(None, None))[0]
    other.restore(lane.checkpoint())
    assert other.pending == lane.pending
    assert (other.day, other.row, other.daily_returns) == (FIRST, 30, [0.1, -0.05])
    assert other.desk.slots.tobytes() == lane.desk.slots.tobytes()


@pytest.mark.parametrize("premarket", ["off", "rules"])
def test_the_premarket_changes_no_trade(tmp_path: Path, premarket: Literal["off", "rules"]) -> None:
    made = market(FIRST, LAST)
    options = replace(ADVISED, premarket=premarket)
    result = replay(request(FIRST, LAST), options, SETTINGS, made, tmp_path / premarket)
    other = replay(request(FIRST, LAST), ADVISED, SETTINGS, made, None)
    for name, lane in result.lanes.items():
        assert lane.trades == other.lanes[name].trades
        assert lane.days == other.lanes[name].days
    dates = [session.date for session in made.sessions] if premarket == "rules" else []
    assert [context.date for context in result.contexts] == dates
    assert len(result.biases) == len(dates) * len(made.symbols)
