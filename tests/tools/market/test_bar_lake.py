"""The lake keeps what it has, gains what is new, and survives a kill at any moment."""

import subprocess
import sys
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from quant_core.bars import BarSeries, accept_days
from tests.tools.market.bars_on_disk import accepted, calendar, micros, raw_bars, write_session
from tools.errors import BadInput, NoData, Transient
from tools.market.files import read_bars
from tools.market.lake import Imported, holdings, import_bars, stored_bars

FIRST, SECOND, NEXT_YEAR = date(2025, 12, 30), date(2025, 12, 31), date(2026, 1, 2)


def contents(lake: Path) -> dict[str, bytes]:
    return {str(p.relative_to(lake)): p.read_bytes() for p in sorted(lake.rglob("*.parquet"))}


def assert_reads_as(lake: Path, *expected: BarSeries) -> None:
    """The lake, read as an ordinary folder of bars, holds exactly these bars in this order."""
    found = read_bars([lake / "timeframe=1min"], [expected[0].symbol])[expected[0].symbol]
    for name in ("open", "high", "low", "close", "volume"):
        values = np.concatenate([getattr(bars, name) for bars in expected])
        assert np.array_equal(getattr(found, name), values), name
    starts = np.concatenate([bars.start for bars in expected])
    assert np.array_equal(found.start, starts * 60_000_000)


def test_imported_bars_are_read_back_as_they_were(tmp_path: Path) -> None:
    bars = accepted(FIRST)
    assert import_bars(tmp_path, [bars], "1min") == [
        Imported(symbol="SPY", added=390, known=0, differing=0)
    ]
    assert_reads_as(tmp_path, bars)


def test_importing_the_same_again_changes_no_file(tmp_path: Path) -> None:
    for _ in range(2):
        outcome = import_bars(tmp_path, [accepted(FIRST), accepted(FIRST, symbol="QQQ")], "1min")
        times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
        before = contents(tmp_path)
    assert [(one.added, one.known, one.differing) for one in outcome] == [(0, 390, 0)] * 2
    import_bars(tmp_path, [accepted(FIRST)], "1min")
    assert contents(tmp_path) == before
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")} == times


def test_sessions_may_come_in_any_order_and_years_are_kept_apart(tmp_path: Path) -> None:
    for day in (NEXT_YEAR, SECOND, FIRST):
        import_bars(tmp_path, [accepted(day)], "1min")
    assert_reads_as(tmp_path, accepted(FIRST), accepted(SECOND), accepted(NEXT_YEAR))
    assert list(contents(tmp_path)) == [
        "timeframe=1min/symbol=SPY/year=2025.parquet",
        "timeframe=1min/symbol=SPY/year=2026.parquet",
    ]


def test_what_is_there_stays_whatever_a_later_file_says(tmp_path: Path) -> None:
    import_bars(tmp_path, [accepted(FIRST, 100)], "1min")
    other = accepted(FIRST, 390, volume=[7.0] * 390)
    assert import_bars(tmp_path, [other], "1min") == [
        Imported(symbol="SPY", added=290, known=100, differing=100)
    ]
    found = read_bars([tmp_path], ["SPY"])["SPY"]
    assert found.volume.tolist() == [1000.0 + i for i in range(100)] + [7.0] * 290


def test_a_symbol_that_is_no_file_name_is_kept_all_the_same(tmp_path: Path) -> None:
    lake = tmp_path / "deep" / "lake"
    for symbol in ("BRK/B", "..", "^GSPC", "A B"):
        import_bars(lake, [accepted(FIRST, 3, symbol)], "1min")
        assert len(stored_bars(lake, "1min", symbol)) == 3
    assert [one.symbol for one in holdings(lake, "1min")] == ["..", "A B", "BRK/B", "^GSPC"]
    assert sorted(read_bars([lake], None)) == ["..", "A B", "BRK/B", "^GSPC"]
    assert [path.name for path in tmp_path.rglob("*.parquet")] == ["year=2025.parquet"] * 4
    assert len(list((lake / "timeframe=1min").iterdir())) == 4


def test_daily_bars_live_beside_minutes(tmp_path: Path) -> None:
    midnights = [datetime(2025, 1, day, 5, tzinfo=UTC) for day in (2, 3)]
    daily, _ = accept_days(raw_bars(micros(midnights)), calendar())
    import_bars(tmp_path, [daily], "1day")
    import_bars(tmp_path, [accepted(FIRST, 2)], "1min")
    assert [bar.start for bar in stored_bars(tmp_path, "1day", "SPY")] == [
        datetime(2025, 1, day, 14, 30, tzinfo=UTC) for day in (2, 3)
    ]
    again, _ = accept_days(read_bars([tmp_path / "timeframe=1day"], None)["SPY"], calendar())
    assert np.array_equal(again.session, daily.session)


def test_the_lake_says_what_it_holds(tmp_path: Path) -> None:
    import_bars(tmp_path, [accepted(FIRST), accepted(NEXT_YEAR)], "1min")
    (held,) = holdings(tmp_path, "1min")
    assert (held.symbol, held.bars, held.sessions) == ("SPY", 780, 2)
    assert held.first == datetime(2025, 12, 30, 14, 30, tzinfo=UTC)
    assert held.last == datetime(2026, 1, 2, 20, 59, tzinfo=UTC)


def test_bars_are_found_by_session_date_and_the_limit_keeps_the_latest(tmp_path: Path) -> None:
    days = (FIRST, SECOND, NEXT_YEAR)
    import_bars(tmp_path, [accepted(day) for day in days], "1min")

    def dates(**limits: object) -> list[date]:
        bars = stored_bars(tmp_path, "1min", "SPY", **limits)  # type: ignore[arg-type]
        assert all(a.start < b.start for a, b in pairwise(bars))
        return [bar.start.date() for bar in bars]

    assert dates() == [day for day in days for _ in range(390)]
    assert dates(first=SECOND) == [SECOND] * 390 + [NEXT_YEAR] * 390
    assert dates(last=SECOND) == [FIRST] * 390 + [SECOND] * 390
    assert dates(first=SECOND, last=SECOND) == [SECOND] * 390
    assert dates(limit=391) == [SECOND] + [NEXT_YEAR] * 390
    last = stored_bars(tmp_path, "1min", "SPY", limit=1)[0]
    assert (last.open, last.volume) == (489.0, 1389.0)


def test_what_a_lake_does_not_hold_is_no_data(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no lake at"):
        holdings(tmp_path / "none", "1min")
    import_bars(tmp_path, [accepted(FIRST, 3)], "1min")
    with pytest.raises(NoData, match="no 1day bars"):
        holdings(tmp_path, "1day")
    with pytest.raises(NoData, match="no 1min bars of QQQ"):
        stored_bars(tmp_path, "1min", "QQQ")
    with pytest.raises(NoData, match="SPY from 2026-01-01"):
        stored_bars(tmp_path, "1min", "SPY", first=date(2026, 1, 1))


def test_a_damaged_file_of_the_lake_is_named(tmp_path: Path) -> None:
    import_bars(tmp_path, [accepted(FIRST, 3)], "1min")
    (file,) = tmp_path.rglob("*.parquet")
    file.write_bytes(b"PAR1 not quite")
    with pytest.raises(BadInput, match=r"year=2025\.parquet"):
        import_bars(tmp_path, [accepted(SECOND, 3)], "1min")
    with pytest.raises(BadInput, match="cannot be read"):
        holdings(tmp_path, "1min")
    assert file.read_bytes() == b"PAR1 not quite"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(BadInput, match="cannot be written"):
        import_bars(tmp_path / "file", [accepted(FIRST, 3)], "1min")


IMPORT = """
import os, signal, sys
from pathlib import Path
from quant_core.bars import accept_minutes
from quant_core.calendar import xnys
from tools.market.files import read_bars
from tools.market.lake import import_bars

moment, source, lake = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])

def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)

def hold(*_: object) -> None:
    print("writing", flush=True)
    sys.stdin.read()

if moment in ("fsync", "replace"):
    setattr(os, moment, die)
elif moment == "hold":
    os.fsync = hold
bars = [accept_minutes(raw, xnys(2025, 2026))[0] for raw in read_bars([source], None).values()]
import_bars(lake, bars, "1min")
"""


def run_import(moment: str, source: Path, lake: Path) -> "subprocess.Popen[str]":
    """An import in another process, which dies or waits at a moment of its first write."""
    return subprocess.Popen(
        [sys.executable, "-c", IMPORT, moment, str(source), str(lake)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_kill_before_a_file_is_in_place_loses_nothing(tmp_path: Path, moment: str) -> None:
    lake = tmp_path / "lake"
    import_bars(lake, [accepted(FIRST)], "1min")
    before = contents(lake)
    source = write_session(tmp_path / "new" / "SPY.parquet", SECOND)
    with run_import(moment, source, lake) as process:
        assert process.wait(timeout=60) == -9
    assert contents(lake) == before
    assert_reads_as(lake, accepted(FIRST))
    assert [one.bars for one in holdings(lake, "1min")] == [390]
    import_bars(lake, [accepted(SECOND)], "1min")
    assert_reads_as(lake, accepted(FIRST), accepted(SECOND))
    assert {path.name for path in lake.rglob("*") if path.is_file()} == {
        ".lock",
        "year=2025.parquet",
    }


def test_a_second_import_is_turned_away_while_one_is_running(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    source = write_session(tmp_path / "SPY.parquet", SECOND)
    with run_import("hold", source, lake) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        with pytest.raises(Transient, match="another import is writing"):
            import_bars(lake, [accepted(FIRST)], "1min")
        process.communicate("", timeout=60)
    assert process.returncode == 0
    import_bars(lake, [accepted(FIRST)], "1min")
    assert_reads_as(lake, accepted(FIRST), accepted(SECOND))
