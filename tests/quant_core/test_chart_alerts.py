"""Which alert of a chart counts at a moment."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from quant_core.chart_alerts import in_force, is_aged
from quant_core.types import ChartAlert

NOW = datetime(2025, 3, 12, 15, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def alert(name: str = "a", seconds_old: float = 60, symbol: str = "SPY", known: float = 0.0):
    """An alert whose bar is so old; `known` seconds before NOW, if not with its bar."""
    time = NOW - seconds_old * SECOND
    return ChartAlert(
        id=name, symbol=symbol, time=time, known_at=NOW - known * SECOND if known else time,
        direction="long", grade="A", score=5.0, confidence=60.0, entry=10.0, stop=9.0,
        targets=(11.0,), components={},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "counts", "aged"),
    [(1, True, False), (300, True, False), (300.5, True, True), (600, True, True),
     (600.5, False, True)],
)  # fmt: skip
def test_it_weighs_half_after_five_minutes_and_nothing_after_ten(
    seconds: float, counts: bool, aged: bool
) -> None:
    one = alert(seconds_old=seconds)
    assert in_force([one], ["SPY"], NOW) == ((one,) if counts else ())
    assert is_aged(one, NOW) == aged


def test_what_comes_in_the_very_moment_was_not_known_before_it() -> None:
    one = alert(seconds_old=0)
    assert in_force([one], ["SPY"], NOW) == ()
    assert in_force([one], ["SPY"], NOW + SECOND) == (one,)


def test_the_latest_bar_counts_in_whatever_order_alerts_come() -> None:
    spy = [alert("a", 120), alert("b", 60), alert("c", 180, known=1)]
    others = [alert("d", 30, "QQQ"), alert("e", 30, "GME")]
    for order in permutations([*spy, *others]):
        assert [one.id for one in in_force(order, ["SPY", "QQQ"], NOW)] == ["d", "b"]


def test_a_later_one_takes_the_place_of_an_earlier_one_for_good() -> None:
    older, newer = alert("a", 500), alert("b", 400)
    after = NOW + 190 * SECOND  # the newer is 590 s old, the older past its time
    assert in_force([older, newer], ["SPY"], after) == (newer,)
    assert in_force([older, newer], ["SPY"], NOW + 210 * SECOND) == ()
