"""Bars through the real alpaca-py client, from the stand-in to the lake."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from advisor.cli import app, exit_code
from tests.stand_ins.alpaca import KEY, SECRET, AlpacaStandIn, Fault, alpaca_stand_in
from tools.clock import SystemClock
from tools.errors import AdvisorError, NoData, NotConfigured, Rejected, Transient
from tools.market.alpaca import AlpacaBars

KEYS = {"APCA_API_KEY_ID": KEY, "APCA_API_SECRET_KEY": SECRET}


class Hasty(SystemClock):
    """Pauses are counted, not waited for."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def row(start: datetime, price: float = 100.0, **differs: Any) -> dict[str, Any]:
    values = {"o": price, "h": price + 1, "l": price - 1, "c": price, "v": 1000, "n": 9, "vw": 100}
    return {"t": start.isoformat().replace("+00:00", "Z"), **values, **differs}


def minutes(day: date, count: int = 390) -> list[dict[str, Any]]:
    opening = datetime(day.year, day.month, day.day, 14, 30, tzinfo=UTC)
    return [row(opening + timedelta(minutes=i), 100 + i / 100) for i in range(count)]


@pytest.fixture
def server() -> Iterator[AlpacaStandIn]:
    with alpaca_stand_in() as running:
        running.bars["SPY"] = [
            row(datetime(2025, 1, 2, 14, 29, tzinfo=UTC)),  # before the open
            *minutes(date(2025, 1, 2)),
            *minutes(date(2025, 1, 31), 10),
            *minutes(date(2025, 2, 3), 5),
        ]
        running.page = 100
        yield running


def source(server: AlpacaStandIn, **options: Any) -> AlpacaBars:
    return AlpacaBars(KEYS, base_url=server.url, read_seconds=0.5, **options)


def test_all_pages_of_all_months_come_as_they_are(server: AlpacaStandIn) -> None:
    found = list(source(server).months("SPY", date(2025, 1, 1), date(2025, 3, 31), "1min"))
    assert [len(month.start) for month in found] == [401, 5, 0]
    first = found[0]
    assert first.start[1] == datetime(2025, 1, 2, 14, 30, tzinfo=UTC).timestamp() * 1e6
    assert (first.open[1], first.high[1], first.volume[1], first.feed) == (
        100.0,
        101.0,
        1000,
        "iex",
    )
    assert first.files == ("alpaca 2025-01-01..2025-01-31",)
    assert np.all(np.diff(first.start) > 0)


def test_a_passing_trouble_is_waited_out_and_a_lasting_one_is_told(server: AlpacaStandIn) -> None:
    clock = Hasty()
    for kind, status in (("status", 429), ("status", 500), ("cut", 0)):
        server.faults.append(Fault(method="GET", kind=kind, status=status))  # type: ignore[arg-type]
    bars = source(server, clock=clock)
    (month,) = bars.months("SPY", date(2025, 2, 1), date(2025, 2, 28), "1min")
    assert (len(month.start), clock.slept) == (5, [1.0, 2.0, 4.0])
    server.faults += [Fault(method="GET", kind="status") for _ in range(4)]
    with pytest.raises(Transient, match="the 1min bars of SPY from 2025-02-01"):
        next(bars.months("SPY", date(2025, 2, 1), date(2025, 2, 28), "1min"))


def test_what_alpaca_refuses_is_told_in_its_words(server: AlpacaStandIn) -> None:
    server.exchange.unknown.add("NOPE")
    with pytest.raises(Rejected, match="invalid symbol: NOPE"):
        next(source(server).months("NOPE", date(2025, 2, 1), date(2025, 2, 2), "1min"))
    with pytest.raises(Rejected, match="SIP"):
        next(source(server, feed="sip").months("SPY", date(2025, 2, 1), date(2025, 2, 2), "1min"))
    with pytest.raises(NotConfigured, match="APCA_API_KEY_ID"):
        AlpacaBars({})


def test_fetching_fills_a_lake_once(
    server: AlpacaStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**KEYS, "ADVISOR_BROKER__DATA_URL": server.url}.items():
        monkeypatch.setenv(name, value)
    span = ["--from", "2025-01-01", "--to", "2025-02-28"]
    command = ["data", "fetch", "--symbols", "spy,IWM", *span, "--lake", str(tmp_path), "--json"]
    rows = []
    for _ in range(2):
        ran = CliRunner().invoke(app, command)
        assert ran.exit_code == 0, (ran.exception, ran.stderr)
        rows.append(json.loads(ran.stdout)["symbols"])
    nothing = {"symbol": "IWM", "fetched": 0, "added": 0, "known": 0, "differing": 0, "refused": {}}
    spy = {"symbol": "SPY", "fetched": 406, "differing": 0, "refused": {"outside_calendar": 1}}
    assert rows[0] == [{**spy, "added": 405, "known": 0}, nothing]
    assert rows[1] == [{**spy, "added": 0, "known": 405}, nothing]
    backwards = ["data", "fetch", "--symbols", "SPY", "--from", "2025-02-01", "--to", "2025-01-01"]
    error = CliRunner().invoke(app, [*backwards, "--lake", str(tmp_path)]).exception
    assert isinstance(error, AdvisorError)
    assert not isinstance(error, NoData)
    assert exit_code(error) == 2


def test_when_there_is_nothing_it_says_so(
    server: AlpacaStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**KEYS, "ADVISOR_BROKER__DATA_URL": server.url}.items():
        monkeypatch.setenv(name, value)
    span = ["--from", "2024-12-01", "--to", "2024-12-31", "--lake", str(tmp_path)]
    error = CliRunner().invoke(app, ["data", "fetch", "--symbols", "SPY", *span]).exception
    assert isinstance(error, NoData)
    assert "no 1min bars of SPY from 2024-12-01 to 2024-12-31 on iex" in str(error)


def test_daily_bars_belong_to_their_session(server: AlpacaStandIn) -> None:
    server.bars["SPY"] = [row(datetime(2025, 1, day, 5, tzinfo=UTC)) for day in (2, 3, 6)]
    (month,) = source(server).months("SPY", date(2025, 1, 1), date(2025, 1, 31), "1day")
    assert len(month.start) == 3
