"""One definition: a history at once, bar by bar, in pieces, after a restart: the same bits."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_core.bars import BarSeries, aggregate
from quant_core.features import TIMEFRAMES, FeatureStream, compute
from tests.quant_core.features.worlds import CALENDAR, recorded, walk

timeframes = pytest.mark.parametrize("timeframe", TIMEFRAMES)
dull = st.sampled_from([0.0, 0.1, 0.4])
walks = st.builds(
    walk, st.integers(0, 2**32 - 1), st.integers(300, 1500), missing=dull, flat=dull, idle=dull
)


def bars_of(minutes: BarSeries, timeframe: str) -> BarSeries:
    return aggregate(minutes, CALENDAR, TIMEFRAMES[timeframe])


def streamed(stream: FeatureStream, bars: BarSeries) -> np.ndarray:
    columns = (bars.start, bars.open, bars.high, bars.low, bars.close, bars.volume)
    rows = [stream.update(*bar) for bar in zip(*columns, strict=True)]
    return np.array(rows).reshape(len(bars), len(stream.catalogue.features))


@timeframes
@settings(max_examples=15, deadline=None)
@given(minutes=walks)
def test_streaming_equals_batch(timeframe: str, minutes: BarSeries) -> None:
    bars = bars_of(minutes, timeframe)
    live = streamed(FeatureStream("WALK", timeframe, CALENDAR), bars)
    np.testing.assert_array_equal(live, compute(bars, timeframe, CALENDAR).values)


@timeframes
@settings(max_examples=15, deadline=None)
@given(minutes=walks, share=st.floats(0.0, 1.0))
def test_the_future_changes_nothing(timeframe: str, minutes: BarSeries, share: float) -> None:
    bars = bars_of(minutes, timeframe)
    known = round(share * len(bars))
    part = compute(bars.part(slice(0, known)), timeframe, CALENDAR)
    whole = compute(bars, timeframe, CALENDAR)
    np.testing.assert_array_equal(part.values, whole.values[:known])
    np.testing.assert_array_equal(part.quality, whole.quality[:known])


@timeframes
@settings(max_examples=15, deadline=None)
@given(minutes=walks, share=st.floats(0.0, 1.0))
def test_a_restart_at_any_bar_changes_nothing(
    timeframe: str, minutes: BarSeries, share: float
) -> None:
    bars = bars_of(minutes, timeframe)
    restart = round(share * len(bars))
    whole = compute(bars, timeframe, CALENDAR)
    stream = FeatureStream.rebuilt(bars.part(slice(0, restart)), timeframe, CALENDAR)
    after = streamed(stream, bars.part(slice(restart, None)))
    np.testing.assert_array_equal(after, whole.values[restart:])
    assert stream.quality() == whole.quality[-1]


@settings(max_examples=15, deadline=None)
@given(minutes=walks, cuts=st.lists(st.floats(0.0, 1.0), max_size=5))
def test_how_a_history_is_cut_changes_nothing(minutes: BarSeries, cuts: list[float]) -> None:
    stream = FeatureStream("WALK", "1min", CALENDAR)
    edges = [0, *sorted(round(cut * len(minutes)) for cut in cuts), len(minutes)]
    parts = [stream.run(minutes.part(slice(low, high))).values for low, high in pairwise(edges)]
    whole = compute(minutes, "1min", CALENDAR)
    np.testing.assert_array_equal(np.concatenate(parts), whole.values)


@timeframes
def test_recorded_bars_stream_as_they_batch(market_data: Path, timeframe: str) -> None:
    for name, symbol in (("us-2025-11", "SPY"), ("us-2025-01", "SNOW")):
        bars = bars_of(recorded(market_data, name, symbol), timeframe)
        whole = compute(bars, timeframe, CALENDAR)
        half = len(bars) // 2
        stream = FeatureStream.rebuilt(bars.part(slice(0, half)), timeframe, CALENDAR)
        np.testing.assert_array_equal(
            streamed(stream, bars.part(slice(half, None))), whole.values[half:]
        )


@pytest.mark.slow
@timeframes
def test_a_year_of_recorded_bars_streams_as_it_batches(market_data: Path, timeframe: str) -> None:
    bars = bars_of(recorded(market_data, "us-2024", "SPY"), timeframe)
    live = streamed(FeatureStream("SPY", timeframe, CALENDAR), bars)
    np.testing.assert_array_equal(live, compute(bars, timeframe, CALENDAR).values)


def test_a_long_history_rebuilds_in_pieces_into_a_state_of_fixed_size() -> None:
    minutes = walk(1, 9000)
    stream = FeatureStream.rebuilt(minutes.part(slice(0, -1)), "1min", CALENDAR)
    assert stream.nbytes == FeatureStream("WALK", "1min", CALENDAR).nbytes < 110_000
    last = streamed(stream, minutes.part(slice(-1, None)))
    np.testing.assert_array_equal(last, compute(minutes, "1min", CALENDAR).values[-1:])


def test_the_start_of_the_history_is_forgotten_except_by_running_totals() -> None:
    minutes = walk(3, 9000, idle=0.1)
    whole = compute(minutes, "1min", CALENDAR)
    late = compute(minutes.part(slice(3900, None)), "1min", CALENDAR)
    names = late.catalogue.names
    kept = [k for k, name in enumerate(names[:139]) if name not in ("obv", "ad_line", "vpt")]
    tail, same = late.values[-100:, kept], whole.values[-100:, kept]
    size = np.maximum(np.abs(same), 1.0)
    worst = dict(
        zip([names[k] for k in kept], (np.abs(tail - same) / size).max(axis=0), strict=True)
    )
    assert {name: error for name, error in worst.items() if error > 1e-9} == {}
