"""Listed option contracts and their chain, from Alpaca: what exists, and what it is quoted at.

Open interest is of an earlier day and carries its date. What nobody quotes is NaN, never 0. Which
feed the quotes are of stays with them: `indicative` is free and derived, `opra` is the market's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any, Literal

from tools import alpaca as edge
from tools.broker.pace import Pace
from tools.clock import Clock, SystemClock
from tools.errors import Transient
from tools.market.alpaca import DATA, REQUESTS_A_MINUTE

Right = Literal["call", "put"]
Feed = Literal["indicative", "opra"]
PAPER = "https://paper-api.alpaca.markets"
PAGE = 10_000
NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionContract:
    """A contract that is listed; `symbol` is its OCC symbol, `size` the shares it is on."""

    symbol: str
    underlying: str
    expiration: date
    right: Right
    strike: float
    size: float
    style: str
    tradable: bool
    open_interest: float
    open_interest_date: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionQuote:
    """What a contract is quoted at, in dollars a share; `at` is the quote's moment, UTC.

    `implied_volatility` and greeks are the vendor's own, NaN where it gives none.
    """

    symbol: str
    feed: Feed
    at: datetime | None
    bid: float
    ask: float
    last: float
    implied_volatility: float
    delta: float
    gamma: float
    theta: float
    vega: float


class AlpacaOptions:
    """Contracts and chains of underlyings."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        feed: Feed = "indicative",
        base_url: str | None = None,
        data_url: str | None = None,
        clock: Clock | None = None,
        read_seconds: float = 30.0,
    ) -> None:
        """NotConfigured without keys or without alpaca-py."""
        edge.installed()
        from alpaca.data.historical.option import OptionHistoricalDataClient
        from alpaca.trading.client import TradingClient

        keys = edge.keys(environment)
        self._trading = TradingClient(*keys, raw_data=True, url_override=base_url or PAPER)
        self._data = OptionHistoricalDataClient(*keys, raw_data=True, url_override=data_url or DATA)
        for client in (self._trading, self._data):
            edge.tame(client, read_seconds)
        self._pace = Pace(REQUESTS_A_MINUTE, clock or SystemClock())
        self._feed: Feed = feed

    def contracts(self, underlying: str, first: date, last: date) -> list[OptionContract]:
        """Contracts of an underlying that expire from one date to another, both included.

        Raises Rejected with Alpaca's words, Transient when it cannot be reached.
        """
        from alpaca.trading.requests import GetOptionContractsRequest

        found: list[OptionContract] = []
        page: str | None = None
        while True:
            request = GetOptionContractsRequest(
                underlying_symbols=[underlying],
                expiration_date_gte=first,
                expiration_date_lte=last,
                limit=PAGE,
                page_token=page,
            )
            self._pace.wait()
            asked = partial(self._trading.get_option_contracts, request)
            answer = edge.asked(f"the option contracts of {underlying}", asked, lost=Transient)
            found += [_contract(row) for row in answer.get("option_contracts") or []]
            page = answer.get("next_page_token")
            if not page:
                return found

    def chain(self, underlying: str, first: date, last: date) -> list[OptionQuote]:
        """The quotes of now of the same contracts, by symbol. Raises as `contracts` does."""
        from alpaca.data.enums import OptionsFeed
        from alpaca.data.requests import OptionChainRequest

        request = OptionChainRequest(
            underlying_symbol=underlying,
            feed=OptionsFeed(self._feed),
            expiration_date_gte=first,
            expiration_date_lte=last,
        )
        self._pace.wait()
        found = edge.asked(
            f"the option chain of {underlying}",
            lambda: self._data.get_option_chain(request),
            lost=Transient,
        )
        return [_quote(symbol, found[symbol], self._feed) for symbol in sorted(found)]


def _contract(row: Mapping[str, Any]) -> OptionContract:
    counted = row.get("open_interest_date")
    return OptionContract(
        symbol=row["symbol"],
        underlying=row["underlying_symbol"],
        expiration=date.fromisoformat(row["expiration_date"]),
        right=row["type"],
        strike=float(row["strike_price"]),
        size=float(row["size"]),
        style=row["style"],
        tradable=bool(row["tradable"]),
        open_interest=_number(row.get("open_interest")),
        open_interest_date=date.fromisoformat(counted) if counted else None,
    )


def _quote(symbol: str, row: Mapping[str, Any], feed: Feed) -> OptionQuote:
    quote, trade = row.get("latestQuote") or {}, row.get("latestTrade") or {}
    greeks = row.get("greeks") or {}
    stamp = quote.get("t")
    return OptionQuote(
        symbol=symbol,
        feed=feed,
        at=datetime.fromisoformat(stamp) if stamp else None,
        bid=_price(quote.get("bp")),
        ask=_price(quote.get("ap")),
        last=_price(trade.get("p")),
        implied_volatility=_number(row.get("impliedVolatility")),
        delta=_number(greeks.get("delta")),
        gamma=_number(greeks.get("gamma")),
        theta=_number(greeks.get("theta")),
        vega=_number(greeks.get("vega")),
    )


def _number(value: Any) -> float:
    return NAN if value is None else float(value)


def _price(value: Any) -> float:
    """A price; 0 is how the vendor says that nobody quotes."""
    return float(value) if value else NAN
