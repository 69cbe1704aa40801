"""Pages without a script: nothing of the data becomes markup, and drawings stand on their own."""

import numpy as np

from advisor.report.document import Cell, Part, document, figure, table, toned
from advisor.report.drawing import Line, heat_map, line_chart, spread_chart, ticks

HOSTILE = '<script>alert(1)</script>"&'


def test_no_text_becomes_markup() -> None:
    page = document(
        title=HOSTILE, kicker=HOSTILE, headline=HOSTILE, footer=HOSTILE, synthetic=True,
        parts=[
            Part(
                anchor="a", label=HOSTILE, heading=HOSTILE,
                body=table([HOSTILE], [[Cell(HOSTILE, why=HOSTILE)]], caption=HOSTILE)
                + heat_map([HOSTILE], [HOSTILE], np.ones((1, 1)), figure,
                           names=(HOSTILE, HOSTILE), chosen=None, title=HOSTILE)
                + line_chart([Line(HOSTILE, "other", np.ones(2))], [HOSTILE, "b"], figure,
                             title=HOSTILE)
                + spread_chart([HOSTILE], [np.ones(2)], figure, chosen=0, title=HOSTILE),
            )
        ],
    )  # fmt: skip
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert " style=" not in page
    assert "SYNTHETIC" in page


def test_an_undefined_number_is_a_dash_and_never_zero() -> None:
    assert [figure(None), figure(float("nan")), figure(-1.5)] == ["–", "–", "−1.50"]
    assert toned(float("nan"), "–").tone == "plain"
    assert (toned(0.1, "x").tone, toned(-0.1, "x").tone) == ("gain", "loss")


def test_ticks_are_round_and_inside() -> None:
    assert ticks(0.0, 1.0) == [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]
    assert ticks(3.0, 3.0) == [3.0]


def test_a_line_leaves_a_gap_where_it_is_undefined() -> None:
    chart = line_chart(
        [Line("a", "other", np.array([1.0, np.nan, 2.0, 3.0]))], list("abcd"), figure, title="t"
    )
    path = chart.split(' d="')[1].split('"')[0]
    assert path.count("M") == 2
    assert "nan" not in path


def test_nothing_defined_is_still_a_drawing() -> None:
    blank = np.full(3, np.nan)
    assert "<svg" in line_chart([Line("a", "other", blank)], list("abc"), figure, title="t")
    assert "<svg" in spread_chart(list("abc"), [blank] * 3, figure, chosen=None, title="t")
    cells = heat_map(list("abc"), ["r"], blank[None], figure, names=("c", "r"), chosen=None,
                     title="t")  # fmt: skip
    assert cells.count('class="heat none"') == 3
