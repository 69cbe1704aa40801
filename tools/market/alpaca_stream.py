"""Live 1-minute bars from Alpaca's stream (msgpack), as rows that are judged like any others.

Alpaca sends a bar when its minute is over and, half a minute later, once more if a late trade
changed it; `revised` says so. Bars wait in a queue until the loop takes them; nothing is dropped
silently: what found no room is counted.
"""

import queue
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from tools import alpaca as edge
from tools.stream import StreamState, StreamThread

ROOM = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveBar:
    """A minute of one symbol as it arrived, unchecked; `start` is its start, UTC."""

    symbol: str
    start: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    received_at: datetime
    revised: bool = False


class AlpacaBarStream:
    """Minute bars of some symbols."""

    def __init__(
        self,
        environment: Mapping[str, str],
        symbols: Sequence[str],
        *,
        feed: Literal["iex", "sip"] = "iex",
        url: str | None = None,
    ) -> None:
        """NotConfigured without keys or without alpaca-py."""
        edge.installed()
        self.feed = feed
        self._keys, self._symbols, self._url = edge.keys(environment), tuple(symbols), url
        self._bars: queue.Queue[LiveBar] = queue.Queue(ROOM)
        self._unread = 0
        self._thread = StreamThread("bars", self._make)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def drain(self) -> list[LiveBar]:
        """The bars that arrived since the last time, in that order."""
        found = []
        while True:
            try:
                found.append(self._bars.get_nowait())
            except queue.Empty:
                return found

    def state(self) -> StreamState:
        """How the connection fares."""
        return self._thread.state()

    @property
    def unread(self) -> int:
        """Messages that could not be read or found no room."""
        return self._unread

    def close(self) -> None:
        """Stop listening."""
        self._thread.close()

    def _make(self) -> Any:
        from alpaca.data.enums import DataFeed
        from alpaca.data.live.stock import StockDataStream

        stream = StockDataStream(
            *self._keys, raw_data=True, feed=DataFeed(self.feed), url_override=self._url
        )
        stream.subscribe_bars(self._take, *self._symbols)
        stream.subscribe_updated_bars(self._take_revised, *self._symbols)
        return stream

    async def _take(self, message: Any) -> None:
        self._keep(message, revised=False)

    async def _take_revised(self, message: Any) -> None:
        self._keep(message, revised=True)

    def _keep(self, message: Any, revised: bool) -> None:
        try:
            bar = LiveBar(
                symbol=message["S"],
                start=message["t"].to_datetime(),
                open=float(message["o"]),
                high=float(message["h"]),
                low=float(message["l"]),
                close=float(message["c"]),
                volume=float(message["v"]),
                received_at=datetime.now(UTC),
                revised=revised,
            )
            self._bars.put_nowait(bar)
        except (queue.Full, KeyError, TypeError, ValueError, AttributeError):
            self._unread += 1
