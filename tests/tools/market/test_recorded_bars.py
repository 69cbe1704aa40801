"""The recorded market data: what is known of it comes out."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from quant_core.bars import OUTSIDE, accept_minutes
from tools.errors import BadInput
from tools.market.files import BarFormat, read_bars, rejection_table
from tools.market.inspection import Inspection, calendar_of, inspect_bars
from tools.market.lake import import_bars

DAILY = BarFormat(timeframe="1day")


def inspected(folder: Path, form: BarFormat = BarFormat()) -> dict[str, Inspection]:  # noqa: B008
    bars = read_bars([folder], None, form)
    calendar = calendar_of(bars.values())
    return {s: inspect_bars(raw, calendar, form.timeframe) for s, raw in bars.items()}


def test_the_auction_rows_of_2018_are_outside_the_calendar(market_data: Path) -> None:
    found = inspected(market_data / "bars/1min/us-2018")
    assert len(found) == 10
    for one in found.values():
        assert one.sessions == 44
        assert one.reasons == {"outside_calendar": 44}
        shown = {str(value)[11:] for value in one.refused["value"].to_pylist()}
        assert shown == {"21:00 UTC", "20:00 UTC"}  # 16:00 in New York, winter and summer
        assert one.hints == ()
    assert found["GOOGL"].missing == 172
    assert found["AAPL"].missing == 0


def test_extended_hours_are_refused_and_regular_ones_kept(market_data: Path) -> None:
    one = inspected(market_data / "bars/1min/us-2024-extended")["SPY"]
    assert one.rows == 49720
    assert one.rows == len(one.accepted) + sum(one.reasons.values())
    assert set(one.reasons) == {"outside_calendar"}
    assert one.sessions == 63
    assert one.hints == ()


def test_after_the_early_close_of_a_half_day_nothing_is_accepted(market_data: Path) -> None:
    one = inspected(market_data / "bars/1min/us-2025-11")["SPY"]
    assert (one.rows, len(one.accepted), one.missing) == (6060, 6060, 0)
    assert one.last is not None
    assert (one.last.date(), one.last.hour, one.last.minute) == (date(2025, 11, 28), 17, 59)


def test_no_recorded_bars_look_wrongly_labelled(market_data: Path) -> None:
    for folder in sorted((market_data / "bars/1min").iterdir()):
        for one in inspected(folder).values():
            assert one.hints == (), (folder.name, one.symbol)


def test_daily_bars_are_whole(market_data: Path) -> None:
    found = inspected(market_data / "bars/1day/us-2024-2026", DAILY)
    assert len(found) == 33
    for one in found.values():
        assert one.missing == 0
    assert {s: one.reasons for s, one in found.items() if one.reasons} == {
        "VIX": {"outside_calendar": 1}
    }


def test_a_symbol_spread_over_many_folders_is_one_history(market_data: Path) -> None:
    raw = read_bars([market_data / "bars/1min"], ["SPY"])["SPY"]
    first = [int(raw.start[raw.file == i][0]) for i in dict.fromkeys(raw.file.tolist())]
    assert first == sorted(first)
    assert len(raw.start) == 5786 + 82501 + 49720 + 7820 + 6060
    _, codes = accept_minutes(raw, calendar_of([raw]))
    table = rejection_table(raw, codes, "bar")
    outside = table.filter(np.array(table["reason"].to_pylist()) == "outside_calendar")
    assert outside.num_rows == int(np.count_nonzero(codes == OUTSIDE))


def test_recorded_sessions_survive_the_lake(market_data: Path, tmp_path: Path) -> None:
    before = inspected(market_data / "bars/1min/us-2025-01")
    import_bars(tmp_path, [one.accepted for one in before.values()], "1min")
    after = inspected(tmp_path / "timeframe=1min")
    assert list(after) == list(before)
    for symbol, one in after.items():
        assert one.reasons == {}
        for name in ("start", "open", "high", "low", "close", "volume", "session"):
            kept, original = getattr(one.accepted, name), getattr(before[symbol].accepted, name)
            assert np.array_equal(kept, original), (symbol, name)


def test_malformed_files_have_clear_outcomes(market_data: Path) -> None:
    folder = market_data / "malformed"
    with pytest.raises(BadInput, match=r"bad\.csv, row 201: timestamp '' is missing"):
        read_bars([folder / "bad.csv"], None, DAILY)
    with pytest.raises(BadInput, match=r"zeros\.csv, row 1: timestamp '01/03/17'"):
        read_bars([folder / "zeros.csv"], None, DAILY)
    penny = inspected(folder / "penny.csv", DAILY)["PENNY"]
    assert (penny.rows, len(penny.accepted), penny.reasons) == (533, 533, {})
    mismatch = inspected(folder / "mismatch.csv", DAILY)["MISMATCH"]
    assert mismatch.reasons == {"out_of_order": 464}
    assert mismatch.refused.slice(0, 1).to_pylist()[0]["row"] == 20


def test_zero_prices_are_refused_row_by_row(market_data: Path, tmp_path: Path) -> None:
    text = (market_data / "malformed/zeros.csv").read_text(encoding="utf-8-sig")
    file = tmp_path / "ZEROS.csv"
    file.write_text(text.replace("/17,", "/2017,"))
    one = inspected(file, DAILY)["ZEROS"]
    assert one.reasons == {"nan_or_non_positive_price": 200}
    assert one.refused["value"].to_pylist()[0] == "open 0, high 0, low 0, close 0"
