"""Recorded bars from Alpaca's market data, as unchecked rows: what is usable is judged later.

A request is cut into calendar months, so that memory stays small and a fetch that was interrupted
loses a month at most. Prices are not adjusted for splits (`raw`) unless asked otherwise, because a
ledger of past trades must find the prices at which they were made. `iex` is one exchange's trades
and free; `sip` is all of them; the label stays with the rows.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import numpy as np

from quant_core.bars import RawBars
from tools import alpaca as edge
from tools.broker.pace import Pace
from tools.clock import Clock, SystemClock
from tools.errors import Transient

Feed = Literal["iex", "sip"]
DATA = "https://data.alpaca.markets"
ATTEMPTS = 4
REQUESTS_A_MINUTE = 190
_FIELDS = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}


class AlpacaBars:
    """Bars of stocks, by symbol and month."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        feed: Feed = "iex",
        base_url: str | None = None,
        clock: Clock | None = None,
        read_seconds: float = 30.0,
    ) -> None:
        """NotConfigured without keys or without alpaca-py."""
        edge.installed()
        from alpaca.data.historical.stock import StockHistoricalDataClient

        key, secret = edge.keys(environment)
        self._client = StockHistoricalDataClient(
            key, secret, raw_data=True, url_override=base_url or DATA
        )
        edge.tame(self._client, read_seconds)
        self._clock = clock or SystemClock()
        self._pace = Pace(REQUESTS_A_MINUTE, self._clock)
        self._feed: Feed = feed

    def months(
        self, symbol: str, first: date, last: date, timeframe: Literal["1min", "1day"]
    ) -> Iterator[RawBars]:
        """Rows from one date to another (both included), a calendar month at a time.

        Raises Rejected with Alpaca's words (an unknown symbol, a feed one has not subscribed to),
        Transient when it cannot be reached after a few attempts.
        """
        begin = first
        while begin <= last:
            until = min(last, _end_of_month(begin))
            yield self._rows(symbol, begin, until, timeframe)
            begin = until + timedelta(days=1)

    def _rows(self, symbol: str, first: date, last: date, timeframe: str) -> RawBars:
        from alpaca.data.enums import Adjustment, DataFeed
        from alpaca.data.requests import StockBarsRequest
        from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

        unit = TimeFrameUnit.Minute if timeframe == "1min" else TimeFrameUnit.Day
        request = StockBarsRequest(
            symbol_or_symbols=symbol,
            timeframe=TimeFrame(1, unit),
            start=datetime(first.year, first.month, first.day, tzinfo=UTC),
            end=datetime(last.year, last.month, last.day, 23, 59, 59, tzinfo=UTC),
            adjustment=Adjustment.RAW if timeframe == "1min" else Adjustment.SPLIT,
            feed=DataFeed(self._feed),
        )
        what = f"the {timeframe} bars of {symbol} from {first} to {last}"
        found = self._patiently(what, request)
        return _raw_bars(symbol, found.get(symbol) or [], self._feed, f"alpaca {first}..{last}")

    def _patiently(self, what: str, request: Any) -> dict[str, list[dict[str, Any]]]:
        for attempt in range(ATTEMPTS):
            self._pace.wait()
            try:
                found: dict[str, list[dict[str, Any]]] = edge.asked(
                    what, lambda: self._client.get_stock_bars(request), lost=Transient
                )
                return found
            except Transient:
                if attempt == ATTEMPTS - 1:
                    raise
                self._clock.sleep(2.0**attempt)
        raise AssertionError


def _raw_bars(symbol: str, rows: list[dict[str, Any]], feed: str, source: str) -> RawBars:
    columns = {
        name: np.array([row.get(letter, np.nan) for row in rows], float)
        for name, letter in _FIELDS.items()
    }
    starts = [round(datetime.fromisoformat(row["t"]).timestamp() * 1e6) for row in rows]
    return RawBars(
        symbol=symbol,
        start=np.array(starts, np.int64),
        file=np.zeros(len(rows), np.int64),
        row=np.arange(1, len(rows) + 1),
        files=(source,),
        feed=feed,
        **columns,
    )


def _end_of_month(day: date) -> date:
    later = day.replace(day=28) + timedelta(days=4)
    return later - timedelta(days=later.day)
