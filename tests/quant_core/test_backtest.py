"""A pass through many sessions in compiled code is a replay's baseline lane, trade by trade."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from advisor.bootstrap import ReplayOptions
from advisor.replay import replay
from advisor.results import LaneResult
from advisor.settings import Settings
from advisor.sweep.space import Chosen, combination
from advisor.sweep.work import (
    Batch,
    course_of,
    score_batch,
    score_one,
    snapshots_of,
    trades_of,
)
from quant_core.backtest import Course, premises, run_through
from quant_core.performance import measure
from quant_core.scores import figures_of, metrics_of_row, score
from quant_core.tracks import Track
from quant_core.types import Analysis, Multipliers
from tests.advisor.worlds import SYMBOLS, market, request

FIRST, LAST = date(2026, 10, 13), date(2026, 10, 19)
LIFTED = {"risk": {"max_symbol_exposure": 1e9, "max_total_exposure": 1e9, "max_position": 25}}


def replayed(settings: Settings, analyst: str = "none") -> LaneResult:
    options = ReplayOptions(analyst=analyst)  # type: ignore[arg-type]
    made = market(FIRST, LAST)
    first = made.index(made.sessions[0])
    tracks = tuple(Track.of(bars, made.calendar, settings.stdev, first) for bars in made.minutes)
    own = replace(made, tracks=tracks, playbook=settings.stdev)
    return replay(request(FIRST, LAST), options, settings, own, None).main


def course(settings: Settings) -> Course:
    made = market(FIRST, LAST)
    return course_of(made, settings.stdev, snapshots_of(made), settings)


def chosen(settings: Settings) -> Chosen:
    return combination(settings, (), ())


@pytest.mark.parametrize(
    "changes",
    [
        {},
        LIFTED,
        {"fills": {"max_participation": 0.05, "fee_per_share": 0.01}, **LIFTED},
        {"stdev": {"mr_arm_z": 0.9, "entry_until": 955, "cooldown_bars": 0}},
        {"risk": {"max_cvar_95": 0.02}},
        {"stdev": {"window": 40, "minimum_closes": 20}},
        {"risk": {"kill_loss_percent": 0.02}, "fills": {"slippage_bps": 20}},
    ],
    ids=["defaults", "caps lifted", "parts and fees", "all day", "cvar", "window", "kill switch"],
)
def test_a_pass_makes_the_trades_and_metrics_of_a_replay(changes: dict[str, object]) -> None:
    settings = Settings.model_validate(changes)
    lane, laid, equity = replayed(settings), course(settings), settings.account.start_equity
    assert trades_of(laid, chosen(settings), SYMBOLS, equity) == lane.trades
    returns, figures = score_one(laid, chosen(settings), equity)
    wanted = measure(
        start_equity=lane.start_equity, days=lane.days, decisions=lane.decisions,
        trades=lane.trades, fills=lane.fills, cycles=lane.cycles,
    )  # fmt: skip
    found = metrics_of_row(returns, figures)
    for name in type(wanted).__slots__:
        assert getattr(found, name) == pytest.approx(getattr(wanted, name), rel=1e-9, nan_ok=True)
    assert figures["signals"] == len(lane.decisions)


def test_the_cases_above_have_trades_fills_in_parts_and_a_halt() -> None:
    """What they are about does happen in them."""
    assert len(replayed(Settings()).trades) > 5
    parts = replayed(Settings.model_validate({"fills": {"max_participation": 0.05}, **LIFTED}))
    assert len(parts.fills) > 2 * len(parts.trades)
    killed = Settings.model_validate(
        {"risk": {"kill_loss_percent": 0.02}, "fills": {"slippage_bps": 20}}
    )
    assert replayed(killed).risk_changes


def test_fixed_multipliers_are_an_analyst_that_never_changes_its_mind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Multipliers(mr_arm=0.7, mr_trigger=1.2, tc_arm=0.8, tc_trigger=0.9)

    def analyse(view: object) -> Analysis:
        return Analysis(
            as_of=view.as_of, analyst="constant", multipliers=asked, confidence=50.0,  # type: ignore[attr-defined]
            assessment="", opportunities=(), reasoning="", evidence=(),
        )  # fmt: skip

    monkeypatch.setattr("quant_core.rules.analyse", analyse)
    settings = Settings()
    keys = [f"multipliers.{name}" for name in ("mr_arm", "mr_trigger", "tc_arm", "tc_trigger")]
    fixed = combination(settings, keys, asked.as_tuple())
    equity = settings.account.start_equity
    advised = replayed(settings, "rules").trades
    assert trades_of(course(settings), fixed, SYMBOLS, equity) == advised
    assert advised != replayed(settings).trades


def test_many_at_once_are_each_alone() -> None:
    settings = Settings()
    laid = course(settings)
    keys = ("stdev.mr_arm_z", "stdev.entry_until", "risk.max_cvar_95", "multipliers.mr_arm")
    table = np.array(
        [[1.2, 720, np.inf, 1.0], [0.9, 720, np.inf, 0.8], [0.9, 900, 0.02, 1.0], [1, 900, 1, 2]]
    )
    scored = score_batch(laid, settings, keys, Batch(numbers=np.arange(4), table=table))
    for i, row in enumerate(table.tolist()):
        alone = combination(settings, keys, row)
        returns, figures = score_one(laid, alone, settings.account.start_equity)
        assert scored.returns[i].tobytes() == returns.tobytes()
        assert scored.figures[i].tobytes() == figures.tobytes()


def test_a_pass_leaves_the_course_as_it_was_and_is_repeatable() -> None:
    settings = Settings()
    laid = course(settings)
    before = [column.tobytes() for column in laid.grid]
    given, rules = premises(laid, settings.stdev), chosen(settings).rules()
    first = run_through(laid, given, rules, 100_000.0)
    again = run_through(laid, given, rules, 100_000.0)
    assert first.trades.tobytes() == again.trades.tobytes()
    assert [column.tobytes() for column in laid.grid] == before


def test_no_trade_leaves_ratios_undefined() -> None:
    settings = Settings.model_validate({"stdev": {"mr_arm_z": 19, "tc_arm_z": 19}})
    laid = course(settings)
    returns, figures = score(
        laid, premises(laid, settings.stdev), chosen(settings).rules(), np.ones((1, 4)), 1e5
    )
    found = metrics_of_row(returns[0], figures[0])
    assert (found.trades, found.total_return, found.exposure) == (0, 0.0, 0.0)
    assert np.isnan([found.sharpe, found.win_rate, found.profit_factor, found.average_r]).all()
    book = run_through(laid, premises(laid, settings.stdev), chosen(settings).rules(), 1e5)
    assert figures_of(laid, book, 1e5)["mean_equity"] == 1e5
