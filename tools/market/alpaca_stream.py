"""Live 1-minute bars from Alpaca's stream (msgpack), as rows that are judged like any others.

Alpaca sends a bar when its minute is over and, half a minute later, once more if a late trade
changed it; `revised` says so. Bars wait in a queue until the loop takes them; nothing is dropped
silently: what found no room is counted.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from tools import alpaca as edge
from tools.market.live_bar import LiveBar
from tools.stream import StreamThread

ROOM = 100_000


class AlpacaBarStream(StreamThread[LiveBar]):
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
        keys = edge.keys(environment)
        super().__init__("bars", lambda told: _stream(keys, symbols, feed, url, told), ROOM)


def _stream(
    keys: tuple[str, str],
    symbols: Sequence[str],
    feed: str,
    url: str | None,
    told: StreamThread[LiveBar],
) -> Any:
    from alpaca.data.enums import DataFeed
    from alpaca.data.live.stock import StockDataStream

    async def take(message: Any) -> None:
        told.keep(lambda: _bar(message, revised=False))

    async def take_revised(message: Any) -> None:
        told.keep(lambda: _bar(message, revised=True))

    stream = StockDataStream(*keys, raw_data=True, feed=DataFeed(feed), url_override=url)
    stream.subscribe_bars(take, *symbols)
    stream.subscribe_updated_bars(take_revised, *symbols)
    return stream


def _bar(message: Any, *, revised: bool) -> LiveBar:
    return LiveBar(
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
