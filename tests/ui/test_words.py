"""Figures, times and other people's text, as a reader sees them."""

from datetime import UTC, date, datetime

import pytest

from ui import words


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (words.money(1234.5), "$1,234.50"),
        (words.money(-3.1), "−$3.10"),
        (words.money(None), "–"),
        (words.earned(12.0), "+$12.00"),
        (words.earned(0.0), "$0.00"),
        (words.percent(-0.0032), "−0.32 %"),
        (words.percent(0.0032, sign=True), "+0.32 %"),
        (words.percent(None), "–"),
        (words.signed(-1.318), "−1.32"),
        (words.number(1e6, 0), "1,000,000"),
        (words.span(4.2), "4 s"),
        (words.span(600), "10 min"),
        (words.span(9_000), "2 h"),
        (words.plural(1, "trade"), "1 trade"),
        (words.plural(2_000, "trade"), "2,000 trades"),
        (words.day(date(2025, 1, 8)), "Wed 8 Jan 2025"),
    ],
)
def test_figures(written: str, expected: str) -> None:
    assert written == expected


@pytest.mark.parametrize(
    ("moment", "shown", "hover"),
    [
        (datetime(2025, 1, 8, 15, 41, tzinfo=UTC), ">10:41<", "2025-01-08 15:41 UTC"),
        (datetime(2025, 7, 8, 15, 41, tzinfo=UTC), ">11:41<", "2025-07-08 15:41 UTC"),
    ],
)
def test_times_are_new_yorks_with_utc_on_hover(moment: datetime, shown: str, hover: str) -> None:
    assert shown in words.clock(moment)
    assert f'title="{hover}"' in words.clock(moment)


def test_other_peoples_text_stays_text() -> None:
    assert words.text('<b onclick="x">&') == "&lt;b onclick=&quot;x&quot;&gt;&amp;"
    assert len(words.text("long " * 10_000)) < 5_000
