"""The checks on a month of recorded bars of nine symbols."""

from datetime import date

import pytest

from advisor.bootstrap import ReplayOptions
from advisor.lookahead.checking import Report, check, choose_moments
from advisor.lookahead.leaks import minutes_late, timings
from advisor.market import MarketRequest, assemble, read_rows
from advisor.settings import Settings
from benchmarks.run import JANUARY

pytestmark = pytest.mark.slow
SETTINGS = Settings()


@pytest.fixture(scope="module")
def asked(market_data):
    return MarketRequest(
        bars=(market_data / "bars" / "1min" / "us-2025-01",),
        daily=market_data / "bars" / "1day" / "us-2024-2026",
        first=date(2025, 1, 2), last=date(2025, 1, 31), symbols=JANUARY,
    )  # fmt: skip


@pytest.fixture(scope="module")
def rows(asked):
    return read_rows(asked, SETTINGS)


def test_a_month_can_be_cut_anywhere(asked, rows):
    moments = choose_moments(assemble(asked, SETTINGS, *rows), 6, seed=11)
    options = ReplayOptions(analyst="rules", validation="rules")
    report = check(asked, options, SETTINGS, rows, moments)
    assert report.passed, report.leaks or report.blind
    compared = sum(one.comparison.rows for one in report.results)
    assert compared > 100_000
    assert not report.delay_costs


def test_a_gain_that_a_minutes_delay_destroys_is_noticed(asked, rows):
    """A pipeline that peeks by a minute earns what an honest one cannot, and loses it when late."""
    honest = assemble(asked, SETTINGS, *rows)
    peeking = minutes_late(-1)(honest)
    report = Report(moments=[], timings=timings(peeking, SETTINGS, seed=0))
    assert report.delay_costs
    late = next(one for one in report.timings if one.late == 1)
    on_time = next(one for one in timings(honest, SETTINGS, seed=0) if one.late == 0)
    # Two NaN at the edges of a month apart, a peeking pipeline that is late is the honest one.
    assert late.trades == pytest.approx(on_time.trades, abs=1)
