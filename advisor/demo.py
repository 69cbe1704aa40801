"""The demo's market: synthetic, seeded, and marked as such wherever it is shown."""

from datetime import timedelta

from advisor.market import Market, MarketRequest, assemble
from advisor.settings import Settings
from quant_core.calendar import xnys
from quant_core.synthetic import DEMO_DATE, DEMO_SEED, DEMO_SYMBOLS, synthetic_market

# Hourly slopes need 23 hourly bars, the 5-minute band 120 bars: two weeks of minutes are plenty.
HISTORY = timedelta(days=14)


def demo_request() -> MarketRequest:
    """One full session of the demo's symbols."""
    return MarketRequest(
        bars=(), daily=None, first=DEMO_DATE, last=DEMO_DATE, symbols=tuple(DEMO_SYMBOLS)
    )


def demo_market(request: MarketRequest, settings: Settings) -> Market:
    """The synthetic market of a request, judged and seeded like any other."""
    calendar = xnys(request.first.year - 3, request.last.year)
    made = synthetic_market(
        request.symbols, request.first - HISTORY, request.last, calendar, DEMO_SEED
    )
    return assemble(request, settings, dict(made.minutes), dict(made.daily))
