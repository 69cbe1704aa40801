"""A refused row can be found again: its reason, the value that was wrong, its file and row."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from quant_core.bars import BAD_PRICE, REASONS, accept_days, accept_minutes
from tests.tools.market.bars_on_disk import calendar, micros, raw_bars, session_minutes
from tools.market.files import rejection_table

NAN, INF = float("nan"), float("inf")
MINUTE = 60_000_000
STARTS = micros(session_minutes(count=12))
SOUND = {"open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 100.0}


def table_of(*rows: dict[str, float]) -> pa.Table:
    """The rejection table of rows that are sound but for what is given; `start` shifts in µs."""
    starts = [STARTS[i] + int(row.get("start", 0)) for i, row in enumerate(rows)]
    values = {name: [row.get(name, value) for row in rows] for name, value in SOUND.items()}
    raw = raw_bars(starts, **values)
    return rejection_table(raw, accept_minutes(raw, calendar())[1], "bar")


def test_each_reason_shows_the_values_that_were_wrong() -> None:
    table = table_of(
        {},
        {"open": NAN, "close": -1.5},
        {"volume": NAN},
        {"high": INF},
        {"low": 0.0},
        {"high": 10.5},
        {"high": 9.5, "open": 11.25},
        {"low": 10.75},
        {"volume": -3.0},
        {"start": -9 * MINUTE},
        {"start": 30_000_000},
    )
    found = [(row["reason"], row["value"], row["row"]) for row in table.to_pylist()]
    assert found == [
        ("nan_or_non_positive_price", "open nan, close -1.5", 2),
        ("nan_or_non_positive_price", "volume nan", 3),
        ("nan_or_non_positive_price", "high inf", 4),
        ("nan_or_non_positive_price", "low 0", 5),
        ("high_below_open_or_close", "high 10.5 < close 11", 6),
        ("high_below_open_or_close", "high 9.5 < open 11.25", 7),
        ("low_above_open_or_close", "low 10.75 > open 10", 8),
        ("negative_volume", "volume -3", 9),
        ("duplicate", "2025-01-02 14:30 UTC", 10),
        ("not_on_a_minute", "2025-01-02 14:40:30.000000 UTC", 11),
    ]


def test_rows_outside_sessions_and_out_of_order_show_their_time() -> None:
    starts = [STARTS[1], STARTS[0], STARTS[0] - MINUTE, STARTS[0] + 390 * MINUTE]
    raw = raw_bars(starts)
    table = rejection_table(raw, accept_minutes(raw, calendar())[1], "bar")
    assert [(row["reason"], row["value"]) for row in table.to_pylist()] == [
        ("out_of_order", "2025-01-02 14:30 UTC"),
        ("out_of_order", "2025-01-02 14:29 UTC"),
        ("outside_calendar", "2025-01-02 21:00 UTC"),
    ]


def test_the_columns_and_their_types() -> None:
    table = table_of({"volume": -1.0})
    word = pa.dictionary(pa.int32(), pa.string())
    assert table.schema == pa.schema(
        {
            "kind": word,
            "symbol": word,
            "timestamp": pa.timestamp("us", "UTC"),
            "reason": word,
            "value": pa.string(),
            "file": word,
            "row": pa.int64(),
        }
    )
    assert table.to_pylist() == [
        {
            "kind": "bar",
            "symbol": "SPY",
            "timestamp": datetime(2025, 1, 2, 14, 30, tzinfo=UTC),
            "reason": "negative_volume",
            "value": "volume -1",
            "file": "a.csv",
            "row": 1,
        }
    ]


def test_sound_rows_make_an_empty_table_that_joins_with_others() -> None:
    empty, other = table_of({}), table_of({"volume": -1.0})
    assert empty.num_rows == 0
    assert pa.concat_tables([empty, other]).unify_dictionaries().num_rows == 1


def test_daily_rows_are_told_from_minutes() -> None:
    raw = raw_bars([micros([datetime(2025, 1, 1, 5, tzinfo=UTC)])[0]])
    table = rejection_table(raw, accept_days(raw, calendar())[1], "daily_bar")
    assert table.to_pylist()[0]["kind"] == "daily_bar"
    assert table.to_pylist()[0]["value"] == "2025-01-01 05:00 UTC"


def test_every_refused_row_is_there_once_and_in_stored_order() -> None:
    generator = np.random.default_rng(7)
    codes = generator.integers(0, len(REASONS), 5000).astype(np.int8)
    opens = np.where(codes == BAD_PRICE, NAN, 10.0)
    raw = raw_bars([STARTS[0] + i * MINUTE for i in range(5000)], open=opens)
    table = rejection_table(raw, codes, "bar")
    refused = codes != 0
    assert table["row"].to_pylist() == raw.row[refused].tolist()
    assert table["reason"].to_pylist() == [REASONS[code] for code in codes[refused]]
    assert table["timestamp"].cast(pa.int64()).to_pylist() == raw.start[refused].tolist()
    assert table["value"].null_count == 0
