"""Both of Alpaca's streams through the real client: what is heard, and what a gap looks like."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.stand_ins.alpaca import KEY, SECRET
from tests.stand_ins.alpaca_exchange import Exchange
from tests.stand_ins.alpaca_streams import minute_bar, stream_stand_in
from tools.broker import OrderState
from tools.broker.updates import OrderUpdates
from tools.errors import NotConfigured
from tools.market.alpaca_stream import AlpacaBarStream

KEYS = {"APCA_API_KEY_ID": KEY, "APCA_API_SECRET_KEY": SECRET}
START = datetime(2025, 1, 8, 15, 30, tzinfo=UTC)


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """The condition's value once it is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
    return found


def gathered(drain: Callable[[], list[Any]], count: int) -> list[Any]:
    """Everything drained until there are so many."""
    found: list[Any] = []
    until(lambda: found.extend(drain()) or len(found) >= count)
    return found


def test_the_life_of_an_order_is_told(tmp_path: Any) -> None:
    exchange = Exchange()
    exchange.prices["NVDA"] = 140.0
    with stream_stand_in("updates") as server:
        exchange.listeners.append(
            lambda data: server.send({"stream": "trade_updates", "data": data})
        )
        updates = OrderUpdates(KEYS, url=server.url)
        updates.start()
        server.wait_for_client()
        exchange.submit(
            {
                "symbol": "NVDA", "side": "buy", "qty": "10", "type": "market",
                "time_in_force": "day", "client_order_id": "advised-1", "order_class": "bracket",
                "take_profit": {"limit_price": 142.0}, "stop_loss": {"stop_price": 139.0},
            }
        )  # fmt: skip
        exchange.trade("NVDA", 140.1, size=4)
        exchange.trade("NVDA", 140.2)
        told = gathered(updates.drain, 5)
        assert [one.event for one in told] == ["new", "partial_fill", "fill", "new", "new"]
        fills = [one for one in told if one.quantity]
        assert [(one.quantity, one.price) for one in fills] == [(4.0, 140.1), (6.0, 140.2)]
        assert len({one.execution_id for one in fills}) == 2
        assert fills[1].order.state is OrderState.FILLED
        server.send({"stream": "trade_updates", "data": {"event": "fill"}})
        until(lambda: updates.unread == 1)
        updates.close()
        assert not updates.state().connected


@pytest.mark.slow
def test_a_gap_is_seen_and_listening_goes_on() -> None:
    with stream_stand_in("updates") as server:
        updates = OrderUpdates(KEYS, url=server.url)
        updates.start()
        server.wait_for_client()
        until(lambda: updates.state().connections == 1)
        server.cut()
        server.wait_for_client(logins=2)
        until(lambda: updates.state().connections == 2)
        updates.close()


def test_refused_keys_are_the_streams_trouble() -> None:
    with stream_stand_in("updates") as server:
        updates = OrderUpdates({**KEYS, "APCA_API_KEY_ID": "other"}, url=server.url)
        updates.start()
        assert "authenticate" in until(lambda: updates.state().trouble)
        assert not updates.state().connected
        updates.close()
    with pytest.raises(NotConfigured, match="APCA_API_KEY_ID"):
        OrderUpdates({})


def test_bars_arrive_as_rows_revised_ones_marked() -> None:
    with stream_stand_in("bars") as server:
        bars = AlpacaBarStream(KEYS, ["SPY", "NVDA"], url=server.url)
        bars.start()
        server.wait_for_client()
        assert set(server.subscribed["bars"]) == {"SPY", "NVDA"}
        server.send(minute_bar("SPY", START, 590.0), minute_bar("NVDA", START, 140.0))
        server.send(minute_bar("SPY", START, 590.1, T="u"))
        server.send({"T": "b", "S": "SPY", "o": "not a price"})
        found = gathered(bars.drain, 3)
        assert [(one.symbol, one.close, one.revised) for one in found] == [
            ("SPY", 590.0, False),
            ("NVDA", 140.0, False),
            ("SPY", 590.1, True),
        ]
        assert found[0].start == START
        assert found[0].received_at.tzinfo is not None
        until(lambda: bars.unread == 1)
        bars.close()
