"""The checks clear the pipeline, and convict every pipeline that reads the future."""

from dataclasses import replace

import numpy as np
import pytest

from advisor.bootstrap import ReplayOptions
from advisor.lookahead.checking import OURS, Canary, Pipeline, Report, check, choose_moments, usable
from advisor.lookahead.leaks import minutes_late, todays_daily_bar
from advisor.market import assemble
from quant_core.features import compute
from quant_core.tracks import Track
from tests.advisor.lookahead.worlds import OPTIONS, REQUEST, SETTINGS, rows
from tools.errors import BadInput

MARKET = assemble(REQUEST, SETTINGS, *rows())
OPEN = [session.open for session in MARKET.sessions]
# Two minutes into a session, inside a 5-minute bucket, on an hour, in the afternoon, at the close.
MOMENTS = [OPEN[0] + 47, OPEN[0] + 390, OPEN[1] + 2, OPEN[1] + 90, OPEN[2] + 301]


def checked(pipeline=OURS, moments=MOMENTS, options=OPTIONS):
    return check(REQUEST, options, SETTINGS, rows(), moments, pipeline=pipeline)


def leaking_outputs(report, way):
    return {one.comparison.output for one in report.leaks if one.way == way}


def test_the_pipeline_reads_nothing_of_the_future():
    report = checked()
    assert report.passed, report.leaks or report.blind
    compared = {}
    for one in report.results:
        compared[one.comparison.output] = (
            compared.get(one.comparison.output, 0) + one.comparison.rows
        )
    for output in ("snapshots", "cycles advised", "analyses", "decisions", "trades", "state"):
        assert compared[output] > 0, output
    assert compared["features NVDA"] > 1000
    assert len(report.canaries) == 2


def test_the_baseline_alone_passes_too():
    report = checked(moments=MOMENTS[:1], options=ReplayOptions(analyst="none", validation="off"))
    assert report.passed
    assert "cycles baseline" in {one.comparison.output for one in report.results}
    assert "cycles advised" not in {one.comparison.output for one in report.results}


def test_a_delay_is_no_look_ahead():
    assert not checked(OURS.leaking(minutes_late(1)), MOMENTS[:2]).leaks


@pytest.mark.parametrize("leak", [minutes_late(-1), todays_daily_bar], ids=["band", "daily"])
def test_a_pipeline_with_a_canarys_leak_is_convicted_by_cut_and_noise(leak):
    report = checked(OURS.leaking(leak), MOMENTS[:1])
    assert not report.passed
    assert leaking_outputs(report, "cut")
    assert leaking_outputs(report, "noise")


def test_a_strategy_that_is_given_tomorrow_is_convicted_by_name():
    """z leans a little towards where the next session will close: profitable, and impossible."""

    def knows_tomorrow(market):
        tracks = []
        for one in market.tracks:
            bars = one.bars
            last = np.searchsorted(bars.session, bars.session + 1, side="right") - 1
            lean = 0.05 * np.sign(bars.close[last] - bars.close)
            tracks.append(Track(bars, one.mean, one.deviation, one.z - lean, one.atr_5m))
        return replace(market, tracks=tuple(tracks))

    report = checked(OURS.leaking(knows_tomorrow))
    assert not report.passed
    assert "cycles advised" in leaking_outputs(report, "cut")
    assert "cycles advised" in leaking_outputs(report, "noise")
    first = report.leaks[0].comparison
    assert " z: " in first.first
    assert "on all data" in first.first


def test_a_scale_taken_from_the_whole_sample_is_convicted():
    """The commonest leak: a band divided by a deviation that knows all of the sample."""

    def scaled(market):
        tracks = tuple(
            Track(one.bars, one.mean, one.deviation, one.z / np.nanstd(one.z), one.atr_5m)
            for one in market.tracks
        )
        return replace(market, tracks=tracks)

    report = checked(OURS.leaking(scaled), [MOMENTS[3]])
    assert {"cycles advised", "cycles baseline"} <= leaking_outputs(report, "cut")
    assert {"cycles advised", "cycles baseline"} <= leaking_outputs(report, "noise")


def test_a_feature_that_looks_one_bar_ahead_is_convicted():
    def centred(bars, timeframe, calendar):
        table = compute(bars, timeframe, calendar)
        values = table.values.copy()
        column = table.catalogue.index("sma_20")
        values[:-1, column] = (values[:-1, column] + values[1:, column]) / 2.0
        return replace(table, values=values)

    report = checked(Pipeline(OURS.prepare, centred), MOMENTS[:1])
    assert leaking_outputs(report, "cut") == {"features SPY", "features NVDA"}
    assert "sma_20" in report.leaks[0].comparison.first


def test_a_pipeline_that_drops_the_last_bars_is_convicted():
    def shortened(bars, timeframe, calendar):
        return compute(bars.part(slice(0, max(0, len(bars) - 20))), timeframe, calendar)

    report = checked(Pipeline(OURS.prepare, shortened), MOMENTS[:1])
    assert "features SPY" in leaking_outputs(report, "cut")


def test_a_canary_that_is_not_caught_is_no_pass():
    report = Report(moments=[1], canaries=[Canary(name="a leak", caught="")])
    assert not report.passed
    assert [one.name for one in report.blind] == ["a leak"]


def test_the_timings_compare_the_same_sessions():
    timings = {one.late: one for one in checked(moments=MOMENTS[:1]).timings}
    assert sorted(timings) == [-1, 0, 1]
    assert timings[0].gain.mean == 0.0
    assert timings[1].gain.sessions == len(MARKET.sessions)
    assert timings[1].gain.total == pytest.approx(timings[1].pnl - timings[0].pnl)
    assert timings[-1].pnl != timings[0].pnl


def test_moments_are_drawn_where_they_can_be_checked():
    drawn = choose_moments(MARKET, 12, seed=3)
    assert drawn == sorted(set(drawn))
    assert len(drawn) == 12
    assert all(usable(MARKET, moment) for moment in drawn)
    assert drawn == choose_moments(MARKET, 12, seed=3)
    closes = {session.close for session in MARKET.sessions}
    assert closes & set(drawn)
    assert not usable(MARKET, OPEN[0])
    assert not usable(MARKET, MARKET.sessions[0].close + 1)
    assert usable(MARKET, MARKET.sessions[0].close)


def test_no_usable_moment_is_said():
    empty = replace(MARKET, sessions=(MARKET.sessions[0]._replace(close=OPEN[0] + 60),))
    late = replace(MARKET, minutes=tuple(bars.part(slice(-5, None)) for bars in MARKET.minutes))
    assert choose_moments(replace(empty), 1, 0)
    with pytest.raises(BadInput, match="no moment"):
        choose_moments(replace(late, sessions=MARKET.sessions[:1]), 3, 0)
