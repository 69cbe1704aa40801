"""Recorded bars from Alpaca's market data, as unchecked rows: what is usable is judged later.

A request is cut into calendar months, so that memory stays small and a fetch that was interrupted
loses a month at most. Prices are not adjusted for splits (`raw`) unless asked otherwise, because a
ledger of past trades must find the prices at which they were made. `iex` is one exchange's trades
and free; `sip` is all of them; the label stays with the rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import numpy as np

from quant_core.bars import RawBars
from tools import alpaca as edge
from tools.broker.pace import Pace
from tools.clock import Clock, SystemClock
from tools.errors import Transient
from tools.market.live_bar import LiveBar

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

    def between(self, symbols: Sequence[str], first: datetime, until: datetime) -> list[LiveBar]:
        """The minutes of some symbols that start in [first, until), each symbol's in order.

        Raises as `months` does, after one attempt: whoever waits for a minute asks again.
        """
        what = f"the minutes of {', '.join(symbols)} from {first:%H:%M} UTC on"
        request = self._request(list(symbols), "1min", first, until - timedelta(seconds=1))
        now = self._clock.now()
        return [
            LiveBar(
                symbol=symbol,
                start=datetime.fromisoformat(row["t"]),
                open=float(row["o"]),
                high=float(row["h"]),
                low=float(row["l"]),
                close=float(row["c"]),
                volume=float(row["v"]),
                received_at=now,
            )
            for symbol, rows in self._ask(what, request).items()
            for row in rows
        ]

    def spreads(self, symbols: Sequence[str]) -> list[float]:
        """Ask less bid of each symbol now, as a part of their middle; NaN without both.

        Transient when it cannot be reached, after one attempt.
        """
        from alpaca.data.enums import DataFeed
        from alpaca.data.requests import StockLatestQuoteRequest

        request = StockLatestQuoteRequest(
            symbol_or_symbols=list(symbols), feed=DataFeed(self._feed)
        )
        self._pace.wait()
        found = edge.asked(
            f"the quotes of {', '.join(symbols)}",
            lambda: self._client.get_stock_latest_quote(request),
            lost=Transient,
        )
        return [_spread(found.get(symbol) or {}) for symbol in symbols]

    def _rows(self, symbol: str, first: date, last: date, timeframe: str) -> RawBars:
        request = self._request(
            symbol,
            timeframe,
            datetime(first.year, first.month, first.day, tzinfo=UTC),
            datetime(last.year, last.month, last.day, 23, 59, 59, tzinfo=UTC),
        )
        what = f"the {timeframe} bars of {symbol} from {first} to {last}"
        found = self._patiently(what, request)
        return _raw_bars(symbol, found.get(symbol) or [], self._feed, f"alpaca {first}..{last}")

    def _request(
        self, symbols: str | list[str], timeframe: str, first: datetime, last: datetime
    ) -> Any:
        from alpaca.data.enums import Adjustment, DataFeed
        from alpaca.data.requests import StockBarsRequest
        from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

        unit = TimeFrameUnit.Minute if timeframe == "1min" else TimeFrameUnit.Day
        return StockBarsRequest(
            symbol_or_symbols=symbols,
            timeframe=TimeFrame(1, unit),
            start=first,
            end=last,
            adjustment=Adjustment.RAW if timeframe == "1min" else Adjustment.SPLIT,
            feed=DataFeed(self._feed),
        )

    def _ask(self, what: str, request: Any) -> dict[str, list[dict[str, Any]]]:
        self._pace.wait()
        found: dict[str, list[dict[str, Any]]] = edge.asked(
            what, lambda: self._client.get_stock_bars(request), lost=Transient
        )
        return found

    def _patiently(self, what: str, request: Any) -> dict[str, list[dict[str, Any]]]:
        for attempt in range(ATTEMPTS):
            try:
                return self._ask(what, request)
            except Transient:
                if attempt == ATTEMPTS - 1:
                    raise
                self._clock.sleep(2.0**attempt)
        raise AssertionError


def _spread(quote: Mapping[str, Any]) -> float:
    bid, ask = float(quote.get("bp") or 0.0), float(quote.get("ap") or 0.0)
    return (ask - bid) / ((ask + bid) / 2) if 0.0 < bid <= ask else float("nan")


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
