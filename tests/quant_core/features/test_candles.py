"""Candle patterns and bar shapes: one hand-worked example of each, and one that just misses."""

import pytest

from tests.quant_core.features.worlds import features

# Before each pattern: bars with a body of 1.0 and a range of 2.0, alternating.
WHITE, BLACK = (100.0, 101.5, 99.5, 101.0), (101.0, 101.5, 99.5, 100.0)
BEFORE = [WHITE, BLACK] * 7

Rows = list[tuple[float, float, float, float]]
PATTERNS: list[tuple[str, Rows, float]] = [
    # A body of at most 10 % of the average range of 2.
    ("cdl_doji", [(100.0, 101.0, 99.0, 100.19)], 100.0),
    ("cdl_doji", [(100.0, 101.0, 99.0, 100.21)], 0.0),
    # Body 0.4 (below the average 1), lower shadow 1.1, upper 0.1 (below 0.2), near the low before.
    ("cdl_hammer", [(99.1, 99.6, 98.0, 99.5)], 100.0),
    ("cdl_hammer", [(99.1, 99.8, 98.0, 99.5)], 0.0),  # upper shadow 0.3
    ("cdl_hammer", [(101.1, 101.6, 100.0, 101.5)], 0.0),  # far from the low before
    # Body 0.4 above the body before (100..101), upper shadow 1.5, lower 0.1.
    ("cdl_shooting_star", [(101.5, 103.0, 101.0, 101.1)], -100.0),
    ("cdl_shooting_star", [(101.3, 103.0, 100.8, 100.9)], 0.0),  # no gap between the bodies
    # After a black body 101 to 100: a white one around it; 80 when one end is equal.
    ("cdl_engulfing", [(99.8, 101.5, 99.5, 101.2)], 100.0),
    ("cdl_engulfing", [(100.0, 101.5, 99.5, 101.2)], 80.0),
    ("cdl_engulfing", [(100.0, 101.5, 99.5, 101.0)], 0.0),  # the same body
    ("cdl_engulfing", [WHITE, (101.2, 101.5, 99.5, 99.8)], -100.0),
    # A long black body 102 to 99, then a short one within.
    ("cdl_harami", [(102.0, 102.2, 98.8, 99.0), (100.0, 100.6, 99.9, 100.5)], 100.0),
    ("cdl_harami", [(102.0, 102.2, 98.8, 99.0), (99.0, 99.6, 98.9, 99.5)], 80.0),
    ("cdl_harami", [(102.0, 102.2, 98.8, 99.0), (98.9, 99.6, 98.9, 99.5)], 0.0),
    # A body of 2 with shadows of 0.1 (below 10 % of the average range).
    ("cdl_marubozu", [(100.0, 102.1, 99.9, 102.0)], 100.0),
    ("cdl_marubozu", [(102.0, 102.1, 99.9, 100.0)], -100.0),
    ("cdl_marubozu", [(100.0, 102.3, 99.9, 102.0)], 0.0),
    # Long black 102 to 99, short body below 99, long white above 99 + 0.3 * 3 = 99.9.
    (
        "cdl_morning_star",
        [(102.0, 102.1, 98.9, 99.0), (98.5, 98.9, 98.2, 98.7), (98.6, 101.2, 98.5, 101.0)],
        100.0,
    ),
    (
        "cdl_morning_star",
        [(102.0, 102.1, 98.9, 99.0), (98.5, 98.9, 98.2, 98.7), (98.0, 99.9, 97.9, 99.9)],
        0.0,
    ),
    # Long white 99 to 102, short body above 102, long black below 102 - 0.9 = 101.1.
    (
        "cdl_evening_star",
        [(99.0, 102.1, 98.9, 102.0), (102.5, 102.9, 102.2, 102.7), (102.6, 102.8, 100.2, 100.3)],
        -100.0,
    ),
    (
        "cdl_evening_star",
        [(99.0, 102.1, 98.9, 102.0), (102.5, 102.9, 102.2, 102.7), (103.6, 103.8, 101.2, 101.3)],
        0.0,
    ),
]


@pytest.mark.parametrize(("name", "rows", "value"), PATTERNS)
def test_a_pattern(name: str, rows: Rows, value: float) -> None:
    assert features([*BEFORE, *rows])[name][-1] == value


def test_the_shape_of_a_bar() -> None:
    table = features([(100.0, 105.0, 98.0, 103.0), (100.0, 100.0, 100.0, 100.0)])
    assert table["candle_dir"].tolist() == [1, 0]
    assert table["body_ratio"] == pytest.approx([3 / 7, 0])
    assert table["upper_wick"] == pytest.approx([2 / 7, 0])
    assert table["lower_wick"] == pytest.approx([2 / 7, 0])
    assert table["close_position"] == pytest.approx([5 / 7, 0.5])


def test_runs_end_at_an_equal_close() -> None:
    closes = [100.0, 101.0, 102.0, 102.0, 101.0, 100.0, 101.0]
    table = features([(c, c + 1, c - 1, c) for c in closes])
    assert table["run_length"][1:].tolist() == [1, 2, 0, -1, -2, 1]


def test_inside_and_outside_bars() -> None:
    rows = [
        (100.0, high, low, 100.0)
        for high, low in ((105, 95), (104, 96), (106, 94), (106, 94), (107, 95))
    ]
    assert features(rows)["inside_outside"][1:].tolist() == [-1, 1, -1, 0]


def test_higher_highs_and_breakouts() -> None:
    rows = [(100.0, 101.0 + k % 2, 99.0, 100.0) for k in range(21)]
    table = features([*rows, (100.0, 103.0, 99.0, 102.5), (100.0, 104.0, 98.0, 98.5)])
    assert table["higher_highs_10"][[20, 21, 22]].tolist() == [5, 5, 6]
    assert table["lower_lows_10"][[20, 22]].tolist() == [0, 1]
    assert table["breakout_20"][[20, 21, 22]].tolist() == [0, 1, -1]


def test_a_breakout_is_of_exactly_the_twenty_bars_before() -> None:
    rows = [(100.0, 110.0, 90.0, 100.0), *[(100.0, 101.0, 99.0, 100.0)] * 19]
    up = features([*rows, (100.0, 105.0, 100.0, 105.0), (105.0, 106.0, 104.0, 105.5)])
    assert up["breakout_20"][20:].tolist() == [0, 1]
    down = features([*rows, (100.0, 100.0, 95.0, 95.0), (95.0, 95.0, 94.0, 94.5)])
    assert down["breakout_20"][20:].tolist() == [0, -1]
