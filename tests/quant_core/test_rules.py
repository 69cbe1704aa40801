"""The rules analyst and validator, and the view they look at."""

import math
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_core.calendar import to_datetime
from quant_core.market_view import MarketView, SymbolView, view_market
from quant_core.rules import Conditions, analyse, validate
from quant_core.types import Setup, Side, Signal, Snapshot, Status
from tests.quant_core.worlds import FULL_DAY, NAN, Day, long_day, names, random_day

AS_OF = datetime(2025, 1, 8, 15, 0, tzinfo=UTC)


def symbol(z: float, ratio: float = 1.0, trend: int = 0, name: str = "A") -> SymbolView:
    return SymbolView(
        symbol=name,
        close=100.0,
        z=z,
        change=0.0,
        range_ratio=ratio,
        htf_trend=trend,
        hh_ll_tag="mixed",
        atr_percentile=50.0,
        state=0,
        side=0,
    )


def market(*symbols: SymbolView) -> MarketView:
    return MarketView(
        as_of=AS_OF,
        minutes_since_open=30,
        symbols=symbols,
        equity=100_000.0,
        daily_loss=0.0,
        open_positions=0,
    )


def of(z: list[float], ratio: float = 1.0, trend: int = 0) -> MarketView:
    return market(
        *(symbol(value, ratio, trend, name) for name, value in zip("ABCDE", z, strict=False))
    )


# ------------------------------------------------------------------------------ analyst


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (of([1.0, 1.0, 1.0, 0.0, -1.0]), (1.0, 1.0, 1.0, 1.0)),  # breadth 0.4: leaning
        (of([1.0, 1.0, 1.0, 1.0, -1.0]), (1.25, 1.0, 1.0, 1.0)),  # 0.6 is one-way
        (of([1.0, 1.0, 1.0, 1.0, -1.0], trend=1), (1.25, 1.0, 0.85, 1.0)),
        (of([-1.0] * 5, trend=-1), (1.25, 1.0, 0.85, 1.0)),
        (of([-1.0] * 5, trend=1), (1.25, 1.0, 1.0, 1.0)),  # the trend disagrees
        (of([1.0, 1.0, -1.0, 0.4, -1.0]), (0.90, 1.0, 1.15, 1.0)),  # 0: mixed
        (of([1.0, 0.49, 0.49, 0.49, 0.49]), (0.90, 1.0, 1.15, 1.0)),  # 0.2 is mixed
        (of([1.0, 1.0, 1.0, 0.0, -1.0], ratio=1.3), (1.15, 0.8, 1.15, 1.0)),
        (of([1.0, 1.0, 1.0, 0.0, -1.0], ratio=0.8), (0.95, 1.0, 0.95, 1.0)),
        (of([1.0, 1.0, 1.0, 0.0, -1.0], ratio=1.29), (1.0, 1.0, 1.0, 1.0)),
        (of([1.0] * 5, ratio=2.0, trend=1), (1.25 * 1.15, 0.8, 0.85 * 1.15, 1.0)),
        (of([0.0] * 5, ratio=0.5), (0.90 * 0.95, 1.0, 1.15 * 0.95, 1.0)),
    ],
)
def test_the_analysts_multipliers_follow_its_stated_rules(view, expected):
    analysis = analyse(view)
    assert analysis.multipliers.as_tuple() == pytest.approx(expected)
    assert analysis.as_of == AS_OF
    assert analysis.status is Status.OK


def test_a_market_without_any_z_gets_the_base_thresholds():
    analysis = analyse(of([NAN] * 5, ratio=NAN))
    assert analysis.multipliers.as_tuple() == (1.0, 1.0, 1.0, 1.0)
    assert analysis.confidence == 40.0
    assert analysis.opportunities == ()


@pytest.mark.parametrize(
    ("z", "confidence"),
    [([1.0] * 5, 100.0), ([0.0] * 5, 70.0), ([1.0, NAN, NAN, NAN, NAN], 76.0), ([NAN] * 5, 40.0)],
)
def test_confidence_is_breadth_and_readiness(z, confidence):
    assert analyse(of(z)).confidence == confidence


def test_opportunities_are_the_three_most_stretched():
    found = analyse(of([1.1, -2.0, 0.9, 3.0, 1.5])).opportunities
    assert found == ("D at z +3.00", "B at z -2.00", "E at z +1.50")


def test_conditions_are_measured_over_what_is_known():
    conditions = Conditions.of(market(symbol(1.0, 2.0, 1), symbol(NAN, NAN, -1), symbol(-0.4, 4.0)))
    assert conditions == Conditions(breadth=0.5, volatility=3.0, trend=0.0, ready=2 / 3)


def test_evidence_cites_facts_of_the_view():
    view = of([1.0, -1.0])
    assert set(analyse(view).evidence) <= set(view.facts())
    verdict = validate(signal(Setup.MEAN_REVERSION, 1, 0.5), view)
    assert set(verdict.evidence) <= set(view.facts())


numbers = st.one_of(st.floats(-6, 6), st.just(NAN))


@given(st.lists(st.tuples(numbers, st.floats(0, 10), st.sampled_from([-1, 0, 1])), min_size=1))
def test_the_analyst_always_answers_within_bounds(rows):
    view = market(*(symbol(z, ratio, trend) for z, ratio, trend in rows))
    analysis = analyse(view)
    assert all(0.5 <= factor <= 2.0 for factor in analysis.multipliers.as_tuple())
    assert 0.0 <= analysis.confidence <= 100.0
    assert analysis == analyse(view)
    assert analysis.assessment
    assert analysis.reasoning


# ---------------------------------------------------------------------------- validator


def signal(setup: Setup, side: Side, z: float) -> Signal:
    return Signal(
        symbol="A", start=AS_OF, setup=setup, side=side, price=100.0, stop=99.0, target=101.5, z=z
    )


UP = [1.0] * 5


@pytest.mark.parametrize(
    ("setup", "side", "z", "view", "ruling", "factor"),
    [
        (Setup.MEAN_REVERSION, -1, 0.5, of(UP, ratio=1.3), "veto", 1.0),
        (Setup.MEAN_REVERSION, -1, 0.5, of(UP, ratio=1.29), "reduce", 0.5),
        (Setup.MEAN_REVERSION, 1, 0.5, of(UP, ratio=1.3), "approve", 1.0),
        (Setup.MEAN_REVERSION, -1, 0.5, of([1.0, 1.0, 1.0, 0.0, 0.0]), "reduce", 0.5),
        (Setup.MEAN_REVERSION, -1, 0.5, of([1.0, 1.0, 0.0, 0.0, 0.0]), "approve", 1.0),
        (Setup.MEAN_REVERSION, 1, -0.5, of([-1.0] * 5, ratio=2.0), "veto", 1.0),
        (Setup.TREND_CONTINUATION, 1, 2.99, of(UP), "approve", 1.0),
        (Setup.TREND_CONTINUATION, 1, 3.0, of(UP), "reduce", 0.5),
        (Setup.TREND_CONTINUATION, -1, -3.0, of(UP, ratio=2.0), "reduce", 0.5),
        (Setup.MEAN_REVERSION, -1, 4.0, of([0.0] * 5), "approve", 1.0),
    ],
)
def test_the_validators_rulings_follow_its_stated_rules(setup, side, z, view, ruling, factor):
    verdict = validate(signal(setup, side, z), view)
    assert (verdict.ruling, verdict.size_factor) == (ruling, factor)


# -------------------------------------------------------------------------------- view


def snapshot(name: str = "A", **values) -> Snapshot:
    facts = {
        "symbol": name,
        "date": date(2025, 1, 8),
        "ema_slope_daily": 0.1,
        "ema_slope_hourly": 0.1,
        "hh_ll_tag": "HH",
        "atr_percentile": 50.0,
        "sessions": 252,
        "htf_trend": 1,
        "mean_5m": 100.0,
        "deviation_5m": 1.0,
        "atr_5m": 0.5,
        "average_volume": 1e7,
        "previous_close": 80.0,
    }
    return Snapshot(**{**facts, **values})


def test_a_view_holds_closed_bars_only():
    """At the moment row 3 begins, row 2 is the last closed bar."""
    day = Day().z([1.0, 2.0, 3.0, 4.0]).bar(2, close=101.0).bar(3, close=150.0)
    view = view_market(day.grid, FULL_DAY, [snapshot()], day.begin(), 3)
    assert view.as_of == to_datetime(FULL_DAY.open + 3)
    facts = view.of("A")
    assert (facts.close, facts.z) == (101.0, 3.0)
    assert facts.change == pytest.approx(100 * (101.0 / 80.0 - 1))
    assert facts.range_ratio == pytest.approx(2.0)


def test_at_the_open_a_view_knows_the_premarket_only():
    day = Day()
    view = view_market(day.grid, FULL_DAY, [snapshot()], day.begin(), 0)
    facts = view.of("A")
    assert (facts.close, facts.change, facts.range_ratio) == (80.0, 0.0, 1.0)
    assert math.isnan(facts.z)


def test_a_symbol_without_bars_or_history_is_shown_as_unknown():
    day = Day()
    day.missing(*range(390))
    view = view_market(
        day.grid, FULL_DAY, [snapshot(previous_close=NAN, atr_5m=NAN)], day.begin(), 10
    )
    facts = view.of("A")
    for value in (facts.close, facts.z, facts.change, facts.range_ratio):
        assert math.isnan(value)


def test_a_missing_minute_shows_the_last_closed_bar():
    day = Day().z([1.0, 2.0]).missing(2, 3)
    assert view_market(day.grid, FULL_DAY, [snapshot()], day.begin(), 4).of("A").z == 2.0


def test_a_view_tells_the_account():
    day = long_day().bar(4, close=99.0)
    played = day.play(until=5)
    view = view_market(day.grid, FULL_DAY, [snapshot()], played.desk, 5)
    assert view.open_positions == 1
    assert view.equity == pytest.approx(100_000.0 - 101.0)
    assert view.daily_loss == pytest.approx(101.0)
    assert view.facts()["account.daily_loss"] == view.daily_loss
    assert view.facts()["A.z"] == view.of("A").z


@given(seed=st.integers(0, 2**32 - 1), row=st.integers(0, 389))
def test_a_view_takes_nothing_from_the_future(seed, row):
    day = random_day(seed)
    snapshots = [snapshot(name) for name in names(4)]
    before = repr(view_market(day.grid, FULL_DAY, snapshots, day.begin(), row))
    for column in day.columns.values():
        column[row:] = np.random.default_rng(seed).normal(size=column[row:].shape)
    day.present[row:] = True
    assert repr(view_market(day.grid, FULL_DAY, snapshots, day.begin(), row)) == before
