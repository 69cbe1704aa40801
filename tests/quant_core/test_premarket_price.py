import math
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from quant_core.bars import RawBars
from quant_core.calendar import Session, premarket_moment, xnys
from quant_core.premarket_price import premarket_prices

CALENDAR = xnys(2024, 2026)
DAY = date(2025, 1, 8)
MOMENT = datetime(2025, 1, 8, 13, 30, tzinfo=UTC)


def session(day: date) -> Session:
    found = CALENDAR.on(day)
    assert found is not None
    return found


def rows(*closes: tuple[str, float]) -> RawBars:
    """Bars on 8 January (or another date) at New York winter times."""
    starts = [datetime.fromisoformat(f"{at}-05:00") for at, _ in closes]
    close = np.array([price for _, price in closes])
    count = np.arange(len(closes))
    return RawBars(
        symbol="SPY",
        start=np.array([int(start.timestamp() * 1e6) for start in starts], np.int64),
        open=close,
        high=close,
        low=close,
        close=close,
        volume=np.ones(len(closes)),
        file=0 * count,
        row=count + 1,
        files=("made",),
    )


def price(raw: RawBars) -> tuple[float, datetime | None, str]:
    (found,) = premarket_prices(raw, [session(DAY)], [MOMENT])
    return found.price, found.at, found.note


def test_the_last_bar_that_had_closed_counts() -> None:
    raw = rows(
        ("2025-01-08T08:00", 101.0),
        ("2025-01-08T08:29", 102.0),
        ("2025-01-08T08:30", 777.0),
        ("2025-01-08T09:30", 888.0),
    )
    assert price(raw) == (102.0, MOMENT, "")


@pytest.mark.parametrize(
    "at", ["2025-01-07T16:00", "2025-01-07T19:59", "2025-01-08T03:59", "2025-01-08T08:30"]
)
def test_bars_outside_the_morning_are_no_premarket_price(at: str) -> None:
    found, known, note = price(rows((at, 101.0)))
    assert math.isnan(found)
    assert known is None
    assert note == "no bar between 04:00 and 08:30 New York"


def test_a_bad_bar_is_refused_by_the_rules_for_bars() -> None:
    raw = rows(
        ("2025-01-08T07:00", 101.0), ("2025-01-08T07:01", -3.0), ("2025-01-08T07:02", math.nan),
        ("2025-01-08T07:03", 1e12), ("2025-01-08T06:00", 55.0),
    )  # fmt: skip
    assert price(raw)[:2] == (101.0, datetime(2025, 1, 8, 12, 1, tzinfo=UTC))


def test_every_session_has_its_own() -> None:
    raw = rows(("2025-01-07T08:00", 90.0), ("2025-01-10T08:00", 95.0))
    days = [session(date(2025, 1, day)) for day in (7, 8, 10)]
    found = premarket_prices(raw, days, [premarket_moment(day) for day in days])
    assert [one.price for one in found[::2]] == [90.0, 95.0]
    assert found[1].at is None


@pytest.mark.parametrize(
    ("day", "utc"),
    [
        (date(2025, 3, 7), "13:30"),  # winter time; the clocks change on the 9th
        (date(2025, 3, 10), "12:30"),
        (date(2025, 10, 31), "12:30"),
        (date(2025, 11, 3), "13:30"),
        (date(2025, 11, 28), "13:30"),  # a half-day begins like any other
    ],
)
def test_the_premarket_is_due_at_half_past_eight_new_york(day: date, utc: str) -> None:
    moment = premarket_moment(session(day))
    assert f"{moment:%Y-%m-%d %H:%M}" == f"{day} {utc}"
    assert moment.utcoffset() == timedelta(0)
