"""What happens to our orders, as the broker tells it: a queue that the loop drains.

A told event is news, not truth: it may come twice, late, out of order or not at all. The truth is
what the broker answers when asked, so after a gap (`state().connections` grew) the caller asks.
"""

import queue
from collections.abc import Mapping
from typing import Any, Literal

from tools import alpaca as edge
from tools.broker import wire
from tools.broker.book import OrderUpdate
from tools.stream import StreamState, StreamThread

PAPER, LIVE = "wss://paper-api.alpaca.markets/stream", "wss://api.alpaca.markets/stream"
ROOM = 10_000


class OrderUpdates:
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
        self._keys = edge.keys(environment)
        self._url = url or (PAPER if mode == "paper" else LIVE)
        self._told: queue.Queue[OrderUpdate] = queue.Queue(ROOM)
        self._unread = 0
        self._thread = StreamThread("order updates", self._make)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def drain(self) -> list[OrderUpdate]:
        """What was told since the last time, in the order in which it arrived."""
        found = []
        while True:
            try:
                found.append(self._told.get_nowait())
            except queue.Empty:
                return found

    def state(self) -> StreamState:
        """How the connection fares."""
        return self._thread.state()

    @property
    def unread(self) -> int:
        """Messages that could not be read or found no room: a reason to ask the broker."""
        return self._unread

    def close(self) -> None:
        """Stop listening."""
        self._thread.close()

    def _make(self) -> Any:
        from alpaca.trading.stream import TradingStream

        stream = TradingStream(*self._keys, raw_data=True, url_override=self._url)
        stream.subscribe_trade_updates(self._take)
        return stream

    async def _take(self, message: Any) -> None:
        try:
            self._told.put_nowait(wire.update_of(message["data"]))
        except (queue.Full, KeyError, TypeError, ValueError):
            self._unread += 1
