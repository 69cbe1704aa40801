"""Bad bars change nothing, too little history says what is needed, and flags say the rest."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_core.bars import REASONS, RawBars, accept_minutes, aggregate
from quant_core.calendar import to_datetime
from quant_core.features import (
    FeatureStream,
    Quality,
    RejectedBar,
    TooLittleHistory,
    compute,
)
from tests.quant_core.features.worlds import CALENDAR, features, minutes_of, series, walk

GOOD = (100.0, 101.0, 99.0, 100.5, 1000.0)
NAN, INF = float("nan"), float("inf")
OPEN = int(minutes_of("2024-03-26")[0][0])


def stream_after(bars: int) -> FeatureStream:
    stream = FeatureStream("TEST", "1min", CALENDAR)
    stream.run(series([GOOD] * bars))
    return stream


BAD_BARS = [
    ((NAN, 101, 99, 100, 1), 3, "nan_or_non_positive_price"),
    ((100, 101, 99, NAN, 1), 3, "nan_or_non_positive_price"),
    ((100, 101, 99, 100, NAN), 3, "nan_or_non_positive_price"),
    ((100, INF, 99, 100, 1), 3, "nan_or_non_positive_price"),
    ((100, 101, 0, 100, 1), 3, "nan_or_non_positive_price"),
    ((100, 101, -5, 100, 1), 3, "nan_or_non_positive_price"),
    ((100, 100.4, 99, 100.5, 1), 3, "high_below_open_or_close"),
    ((100, 101, 100.2, 100.5, 1), 3, "low_above_open_or_close"),
    ((100, 101, 99, 100.5, -1), 3, "negative_volume"),
    ((100, 2e9, 99, 100.5, 1), 3, "implausible_magnitude"),
    ((100, 101, 99, 100.5, 2e15), 3, "implausible_magnitude"),
    (GOOD, 2, "duplicate"),
    (GOOD, 1, "out_of_order"),
    (GOOD, 390, "outside_calendar"),
    (GOOD, 60 * 24 * 4, "outside_calendar"),
]


@pytest.mark.parametrize(("bar", "minute", "reason"), BAD_BARS)
def test_a_bad_bar_is_refused_by_name_and_leaves_no_trace(
    bar: tuple[float, ...], minute: int, reason: str
) -> None:
    stream, untouched = stream_after(3), stream_after(3)
    with pytest.raises(
        RejectedBar, match=f"TEST bar of 2024-03-.. ..:.. New York refused: {reason}"
    ) as error:
        stream.update(OPEN + minute, *bar)
    assert error.value.reason == reason
    after, expected = stream.update(OPEN + 3, *GOOD), untouched.update(OPEN + 3, *GOOD)
    np.testing.assert_array_equal(after, expected)
    assert stream.quality() == untouched.quality()


def test_a_bad_bar_in_a_history_refuses_all_of_it() -> None:
    bars = series([GOOD] * 10)
    bars.close[7] = NAN
    stream = FeatureStream("TEST", "1min", CALENDAR)
    with pytest.raises(RejectedBar, match="09:37 New York refused: nan_or_non_positive_price"):
        stream.run(bars)
    np.testing.assert_array_equal(
        stream.run(bars.part(slice(0, 7))).values, features([GOOD] * 7).values
    )


def test_a_bar_off_the_timeframe_is_refused() -> None:
    stream = FeatureStream("TEST", "5min", CALENDAR)
    with pytest.raises(RejectedBar, match="not_on_the_timeframe"):
        stream.update(OPEN + 3, *GOOD)
    with pytest.raises(
        ValueError, match=r"not 5min bars; build them with quant_core.bars.aggregate"
    ):
        stream.run(series([GOOD] * 10))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_refusals_are_those_of_the_bar_checks(seed: int) -> None:
    """Rows with every defect, one by one: the stream's reason is `accept_minutes`'s."""
    rng = np.random.default_rng(seed)
    bars = walk(seed % 1000, 60)
    minutes = bars.start + rng.integers(-2, 3, 60) * (rng.random(60) < 0.2)
    columns = {
        name: getattr(bars, name).copy() for name in ("open", "high", "low", "close", "volume")
    }
    for values in columns.values():
        values[rng.random(60) < 0.06] = (rng.choice([NAN, INF, -1.0, 0.0, 500.0, 1.0, 2e9, 1e300]),)
    raw = RawBars(
        symbol="TEST",
        start=minutes * 60_000_000,
        file=np.zeros(60, np.int64),
        row=np.arange(60),
        files=("memory",),
        **columns,
    )
    accepted, codes = accept_minutes(raw, CALENDAR)
    stream, rows = FeatureStream("TEST", "1min", CALENDAR), []
    for k, code in enumerate(codes):
        bar = [values[k] for values in columns.values()]
        if REASONS[code] == "accepted":
            rows.append(stream.update(minutes[k], *bar))
            continue
        with pytest.raises(RejectedBar) as error:
            stream.update(minutes[k], *bar)
        # A stream remembers only the newest start: an older duplicate is out of order.
        older = REASONS[code] == "duplicate" and error.value.reason == "out_of_order"
        assert older or error.value.reason == REASONS[code]
    np.testing.assert_array_equal(np.array(rows), compute(accepted, "1min", CALENDAR).values)


def test_integers_and_float32_are_converted() -> None:
    rows = [(100.0 + k % 3, 105.0, 95.0, 101.0 + k % 2, 7.0) for k in range(50)]
    expected = features(rows).values
    bars = series(rows)
    for kind in (np.int32, np.float32):
        numbers = {
            name: getattr(bars, name).astype(kind)
            for name in ("open", "high", "low", "close", "volume")
        }
        np.testing.assert_array_equal(
            compute(replace(bars, **numbers), "1min", CALENDAR).values, expected
        )
    stream = FeatureStream("TEST", "1min", CALENDAR)
    for k, (row, kind) in enumerate(zip(rows, [int, np.float32, np.int64] * 20, strict=False)):
        live = stream.update(np.int64(OPEN + k), *(kind(value) for value in row))
    np.testing.assert_array_equal(live, expected[-1])
    with pytest.raises(TypeError):
        stream.update(OPEN + 50.5, *GOOD)  # type: ignore[arg-type]


def test_too_little_history_says_how_much_is_needed() -> None:
    stream = stream_after(120)
    stream.require(["rsi_14", "sma_100"])
    with pytest.raises(
        TooLittleHistory,
        match=r"TEST has too little history on 1min: sma_200 needs 200 bars and has 120; "
        r"rsi_1hr needs 15 bars of 1hr and has 2; session_gap needs 2 sessions and has 1; "
        "supply earlier bars",
    ):
        stream.require(["session_gap", "rsi_14", "sma_200", "rsi_1hr"])
    with pytest.raises(TooLittleHistory, match=r", and [0-9]+ more; supply earlier bars"):
        stream.require()
    with pytest.raises(ValueError, match="the nearest name is 'rsi_14'"):
        stream.require(["rsi14"])


def test_history_is_enough_exactly_when_no_value_is_missing() -> None:
    bars = walk(2, 390 * 9)
    stream = FeatureStream.rebuilt(bars.part(slice(0, -1)), "1min", CALENDAR)
    stream.update(
        *(getattr(bars, name)[-1] for name in ("start", "open", "high", "low", "close", "volume"))
    )
    stream.require()
    assert stream.shortages() == []
    assert stream.quality() == Quality(0)


def test_a_live_row_becomes_stale_a_minute_after_the_next_is_due() -> None:
    stream = stream_after(3)
    known = to_datetime(OPEN + 3)
    assert Quality.STALE not in stream.quality(known + timedelta(seconds=120))
    assert Quality.STALE in stream.quality(known + timedelta(seconds=121))
    assert Quality.STALE in FeatureStream("TEST", "1min", CALENDAR).quality(known)
    slow = FeatureStream("TEST", "5min", CALENDAR)
    slow.run(aggregate(series([GOOD] * 5), CALENDAR, 5))
    known = to_datetime(OPEN + 5)
    assert Quality.STALE not in slow.quality(known + timedelta(seconds=360))
    assert Quality.STALE in slow.quality(known + timedelta(seconds=361))


def test_a_row_after_a_hole_is_stale_and_the_next_is_not() -> None:
    table = features([GOOD] * 8, skip=[2, 4, 5])
    stale = [bool(flags & Quality.STALE) for flags in table.quality]
    assert (table.start - OPEN).tolist() == [0, 1, 3, 6, 7, 8, 9, 10]
    assert stale == [False, False, False, True, False, False, False, False]


def test_a_session_that_begins_late_is_stale_at_its_first_row() -> None:
    table = features([GOOD] * 3, skip=[0, 1])
    assert [bool(flags & Quality.STALE) for flags in table.quality] == [True, False, False]


@pytest.mark.parametrize(
    ("skip", "stale"),
    [([], False), ([389], False), ([388, 389], True), ([389, 390], True), ([*range(2, 390)], True)],
)
def test_the_first_row_after_missing_minutes_at_the_end_of_a_session(
    skip: list[int], stale: bool
) -> None:
    table = features([GOOD] * (395 - len(skip)), skip=skip)
    first = int(np.argmax(np.diff(table.start) > 390)) + 1
    assert bool(table.quality[first] & Quality.STALE) == stale
    assert not table.quality[first + 1] & Quality.STALE


def test_a_row_after_a_missing_session_is_stale_live_and_at_once() -> None:
    table = features([GOOD] * 392, skip=range(390, 780))
    assert [bool(flags & Quality.STALE) for flags in table.quality[389:]] == [False, True, False]
    stream = stream_after(390)
    stream.update(table.start[390], *GOOD)
    assert Quality.STALE in stream.quality()


def test_now_must_have_a_time_zone() -> None:
    with pytest.raises(ValueError, match="without a time zone; give an aware datetime"):
        stream_after(1).quality(datetime(2024, 3, 26, 9, 31))


def test_feeds_are_known_by_name_whatever_their_capitals() -> None:
    assert (features([GOOD] * 3, feed="IEX").quality & Quality.VOLUME_UNRELIABLE).all()
    with pytest.raises(ValueError, match=r"feed is 'iexx'.*; the nearest is 'iex'"):
        features([GOOD], feed="iexx")
    with pytest.raises(ValueError, match=r"must be one of iex, sip, delayed, replay, synthetic$"):
        FeatureStream("TEST", "1min", CALENDAR, feed="")


def test_a_feed_with_partial_volume_is_flagged() -> None:
    assert not (features([GOOD] * 3).quality & Quality.VOLUME_UNRELIABLE).any()
    assert (features([GOOD] * 3, feed="iex").quality & Quality.VOLUME_UNRELIABLE).all()
    stream = FeatureStream("TEST", "1min", CALENDAR, feed="iex")
    stream.update(OPEN, *GOOD)
    assert Quality.VOLUME_UNRELIABLE in stream.quality()


def test_a_history_of_no_bars_has_no_rows() -> None:
    table = compute(series([]), "1min", CALENDAR)
    assert table.values.shape == (0, 163)
    assert len(table) == 0
