"""The bars that minutes are decided on: kept once, on disk first, whole lines or none."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import pytest

from advisor.live.kept_bars import LocalBars
from advisor.live.minutes import SessionBars
from quant_core.bars import BarSeries
from quant_core.calendar import to_datetime, xnys
from tests.advisor.live.theatre import DAY
from tests.advisor.worlds import SETTINGS, SYMBOLS, market
from tools.errors import BadInput
from tools.market.live_bar import LiveBar

CALENDAR = xnys(DAY.year - 3, DAY.year)
SESSION = CALENDAR.on(DAY)
GOOD = (100.0, 101.0, 99.0, 100.5, 1200.0)


@lru_cache(maxsize=1)
def history() -> tuple[BarSeries, ...]:
    made = market(DAY - timedelta(days=2), DAY - timedelta(days=1))
    return tuple(one.part(slice(-500, None)) for one in made.minutes)


def taken_up(folder: Path) -> SessionBars:
    assert SESSION is not None
    file = LocalBars(folder / f"{SESSION.date}.csv")
    return SessionBars(file, SESSION, CALENDAR, history(), SETTINGS)


def bar(symbol: str, row: int, values: tuple[float, ...] = GOOD) -> LiveBar:
    assert SESSION is not None
    names = dict(zip(("open", "high", "low", "close", "volume"), values, strict=True))
    start = to_datetime(SESSION.open + row)
    return LiveBar(symbol=symbol, start=start, received_at=datetime.now(UTC), **names)


def keep(bars: SessionBars, row: int, values: tuple[float, ...] = GOOD) -> None:
    for symbol in SYMBOLS:
        bars.keep(bar(symbol, row, values))


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file of this process may become larger, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0, 1, 20, 57, 58, 90, 150])
def test_a_full_disk_leaves_whole_lines_and_the_minute_is_taken_when_there_is_room(
    tmp_path: Path, room: int
) -> None:
    bars = taken_up(tmp_path)
    keep(bars, 0)
    bars.take(0)
    path = tmp_path / f"{DAY}.csv"
    before = path.read_bytes()
    keep(bars, 1)
    with room_for(len(before) + room), pytest.raises(OSError, match="large"):
        bars.take(1)
    assert path.read_bytes() == before
    assert bars.next_row == 1
    assert bars.take(1).present[1].all()
    assert taken_up(tmp_path).take(1).present[:2].all()
    assert len(path.read_text().splitlines()) == 1 + 2 * len(SYMBOLS)


@pytest.mark.parametrize("cut", [1, 5, 30, 60, 75])
def test_a_minute_whose_last_line_was_cut_off_was_not_decided_and_comes_again(
    tmp_path: Path, cut: int
) -> None:
    bars = taken_up(tmp_path)
    path = tmp_path / f"{DAY}.csv"
    keep(bars, 0)
    bars.take(0)
    decided = path.read_bytes()
    keep(bars, 1)
    bars.take(1)
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    again = taken_up(tmp_path)
    assert path.read_bytes() == decided
    assert again.missing(1) == list(SYMBOLS)
    keep(again, 1)
    assert again.take(1).present[1].all()
    assert path.read_bytes() == whole


@pytest.mark.parametrize("left", [0, 3, 42])
def test_a_file_of_which_only_a_part_of_its_head_was_written_is_begun_anew(
    tmp_path: Path, left: int
) -> None:
    bars = taken_up(tmp_path)
    keep(bars, 0)
    bars.take(0)
    path = tmp_path / f"{DAY}.csv"
    whole = path.read_bytes()
    path.write_bytes(whole[:left])
    again = taken_up(tmp_path)
    keep(again, 0)
    again.take(0)
    assert path.read_bytes() == whole


def test_a_minute_on_file_needs_nothing_more_to_be_decided(tmp_path: Path) -> None:
    bars = taken_up(tmp_path)
    keep(bars, 0)
    bars.take(0)
    assert bars.missing(0) == []
    assert taken_up(tmp_path).missing(0) == []
    assert taken_up(tmp_path).missing(1) == list(SYMBOLS)


def test_what_comes_after_its_minute_is_counted_and_changes_nothing(tmp_path: Path) -> None:
    bars = taken_up(tmp_path)
    bars.keep(bar("SPY", 0))
    bars.keep(bar("SPY", 0, (100.0, 102.0, 99.0, 101.5, 1300.0)))  # revised in time: it counts
    bars.take(0)
    before = (tmp_path / f"{DAY}.csv").read_bytes()
    bars.keep(bar("SPY", 0))
    bars.keep(bar("SPY", 0, (100.0, 102.0, 99.0, 101.5, 1300.0)))  # the same once more
    bars.keep(bar("QQQ", 0))
    bars.keep(bar("TSLA", 1))
    bars.keep(bar("SPY", -1))
    bars.keep(bar("SPY", 390))
    grid = bars.take(0)
    assert grid.close[0, SYMBOLS.index("SPY")] == 101.5
    assert not grid.present[0, SYMBOLS.index("QQQ")]
    assert (tmp_path / f"{DAY}.csv").read_bytes() == before
    assert bars.counts == {
        "revised after its minute": 1,
        "too late": 1,
        "of another symbol or time": 3,
    }


@pytest.mark.parametrize(
    "values",
    [
        (float("nan"), 101.0, 99.0, 100.5, 1.0),
        (100.0, 99.0, 101.0, 100.5, 1.0),
        (100.0, 101.0, 99.0, -1.0, 1.0),
        (100.0, 101.0, 99.0, 100.5, float("nan")),
        (100.0, float("inf"), 99.0, 100.5, 1.0),
        (100.0, 101.0, 99.0, 100.5, -5.0),
    ],
)
def test_a_bar_that_cannot_be_is_refused_and_counted_also_by_the_next_process(
    tmp_path: Path, values: tuple[float, ...]
) -> None:
    bars = taken_up(tmp_path)
    keep(bars, 0)
    bars.keep(bar("SPY", 0, values))
    bars.take(0)
    for one in (bars, taken_up(tmp_path)):
        grid = one.take(0)
        assert list(grid.present[0]) == [symbol != "SPY" for symbol in SYMBOLS]
        assert sum(one.refused()["SPY"].values()) == 1


def test_a_file_that_something_else_changed_is_named(tmp_path: Path) -> None:
    bars = taken_up(tmp_path)
    keep(bars, 0)
    bars.take(0)
    path = tmp_path / f"{DAY}.csv"
    path.write_text(path.read_text().replace("100.5", "about 100"))
    with pytest.raises(BadInput, match="line 2, was changed by something else"):
        taken_up(tmp_path)
