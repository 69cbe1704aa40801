"""What happens to our orders, as the broker tells it: a queue that the loop drains.

A told event is news, not truth: it may come twice, late, out of order or not at all. The truth is
what the broker answers when asked, so after a gap (`state().connections` grew), or when `unread`
grew, the caller asks.
"""

from collections.abc import Mapping
from typing import Any, Literal

from tools import alpaca as edge
from tools.broker import wire
from tools.broker.book import OrderUpdate
from tools.stream import StreamThread

PAPER, LIVE = "wss://paper-api.alpaca.markets/stream", "wss://api.alpaca.markets/stream"
ROOM = 10_000


class OrderUpdates(StreamThread[OrderUpdate]):
    """Alpaca's trade-update stream (JSON)."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        mode: Literal["paper", "live"] = "paper",
        url: str | None = None,
    ) -> None:
        """NotConfigured without keys or without alpaca-py."""
        edge.installed()
        keys = edge.keys(environment)
        address = url or (PAPER if mode == "paper" else LIVE)
        super().__init__("order updates", lambda told: _stream(keys, address, told), ROOM)


def _stream(keys: tuple[str, str], url: str, told: StreamThread[OrderUpdate]) -> Any:
    from alpaca.trading.stream import TradingStream

    async def take(message: Any) -> None:
        told.keep(lambda: wire.update_of(message["data"]))

    stream = TradingStream(*keys, raw_data=True, url_override=url)
    stream.subscribe_trade_updates(take)
    return stream
