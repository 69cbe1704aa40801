"""Option contracts and chains: the real client against a stand-in that answers as Alpaca does."""

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from tests.stand_ins.alpaca import KEY, SECRET, AlpacaStandIn, Fault, alpaca_stand_in
from tools.errors import NotConfigured, Transient
from tools.market.alpaca_options import AlpacaOptions

KEYS = {"APCA_API_KEY_ID": KEY, "APCA_API_SECRET_KEY": SECRET}
FIRST, LAST = date(2026, 11, 20), date(2026, 12, 18)


def listed(expiration: str, strike: str, right: str, **differs: Any) -> dict[str, Any]:
    """A contract as Alpaca lists it."""
    letter, day = right[0].upper(), expiration[2:].replace("-", "")
    return {
        "id": "00000000-0000-0000-0000-000000000000",
        "symbol": f"NVDA{day}{letter}{int(float(strike) * 1000):08}",
        "name": "NVDA", "status": "active", "tradable": True, "expiration_date": expiration,
        "root_symbol": "NVDA", "underlying_symbol": "NVDA",
        "underlying_asset_id": "00000000-0000-0000-0000-000000000000", "type": right,
        "style": "american", "strike_price": strike, "size": "100", "open_interest": "250",
        "open_interest_date": "2026-11-19", "close_price": None, "close_price_date": None,
        **differs,
    }  # fmt: skip


@pytest.fixture
def server() -> Iterator[AlpacaStandIn]:
    with alpaca_stand_in() as running:
        running.contracts = [
            listed("2026-11-20", "170", "call"),
            listed("2026-11-20", "172.5", "put", open_interest=None, open_interest_date=None),
            listed("2026-12-18", "180", "call"),
            listed("2027-01-15", "180", "call"),
        ]
        running.chain = {
            "NVDA261120C00170000": {
                "greeks": {"delta": 0.52, "gamma": 0.03, "theta": -0.2, "vega": 0.1, "rho": 0.0},
                "impliedVolatility": 0.41,
                "latestQuote": {"t": "2026-11-20T15:00:00.123456789Z", "bp": 2.1, "ap": 2.2},
                "latestTrade": {"t": "2026-11-20T14:59:00Z", "p": 2.15},
            },
            "NVDA261120P00172500": {"latestQuote": {"t": "2026-11-20T15:00:00Z", "bp": 0, "ap": 4}},
        }
        yield running


def options(server: AlpacaStandIn) -> AlpacaOptions:
    return AlpacaOptions(KEYS, base_url=server.url, data_url=server.url, read_seconds=1.0)


def test_contracts_of_all_pages_with_open_interest_as_of_its_day(server: AlpacaStandIn) -> None:
    found = options(server).contracts("NVDA", FIRST, LAST)
    assert [one.symbol for one in found] == [
        "NVDA261120C00170000", "NVDA261120P00172500", "NVDA261218C00180000",
    ]  # fmt: skip
    call, put, _ = found
    assert (call.strike, call.right, call.size) == (170.0, "call", 100.0)
    assert (call.open_interest, call.open_interest_date) == (250.0, date(2026, 11, 19))
    assert math.isnan(put.open_interest)
    assert put.open_interest_date is None


def test_what_nobody_quotes_is_nan(server: AlpacaStandIn) -> None:
    call, put = options(server).chain("NVDA", FIRST, LAST)
    assert (call.bid, call.ask, call.last, call.implied_volatility) == (2.1, 2.2, 2.15, 0.41)
    assert (call.delta, call.vega, call.feed) == (0.52, 0.1, "indicative")
    assert call.at == datetime(2026, 11, 20, 15, 0, 0, 123456, tzinfo=UTC)
    assert put.ask == 4.0
    for value in (put.bid, put.last, put.implied_volatility, put.delta):
        assert math.isnan(value)


def test_what_goes_wrong_is_said(server: AlpacaStandIn) -> None:
    server.faults.append(Fault(method="GET", kind="status"))
    with pytest.raises(Transient, match="the option contracts of NVDA"):
        options(server).contracts("NVDA", FIRST, LAST)
    with pytest.raises(NotConfigured, match="APCA_API_KEY_ID"):
        AlpacaOptions({})
