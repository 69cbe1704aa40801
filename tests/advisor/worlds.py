"""Small markets for tests of the application: synthetic, so no file and no network is needed."""

from datetime import date
from functools import lru_cache

from advisor.market import Market, MarketRequest, assemble
from advisor.settings import Settings
from quant_core.calendar import xnys
from quant_core.synthetic import DEMO_SEED, synthetic_market

SYMBOLS = ("SPY", "QQQ", "NVDA")
SETTINGS = Settings()


def request(first: date, last: date, symbols: tuple[str, ...] = SYMBOLS) -> MarketRequest:
    """A request without files."""
    return MarketRequest(bars=(), daily=None, first=first, last=last, symbols=symbols)


@lru_cache(maxsize=4)
def market(first: date, last: date, symbols: tuple[str, ...] = SYMBOLS) -> Market:
    """Synthetic sessions with two weeks of minutes before them."""
    history = date.fromordinal(first.toordinal() - 14)
    made = synthetic_market(symbols, history, last, xnys(first.year - 3, last.year), DEMO_SEED)
    asked = request(first, last, symbols)
    return assemble(asked, SETTINGS, dict(made.minutes), dict(made.daily))
