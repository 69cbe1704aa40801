"""A small synthetic market as stored rows, so that it can be cut and falsified."""

from datetime import date
from functools import lru_cache

from advisor.bootstrap import ReplayOptions
from advisor.lookahead.rows import Rows
from advisor.market import MarketRequest
from advisor.settings import Settings
from quant_core.calendar import xnys
from quant_core.parameters import StdevParameters
from quant_core.synthetic import DEMO_SEED, synthetic_market

FIRST, LAST = date(2025, 1, 6), date(2025, 1, 8)
SYMBOLS = ("SPY", "NVDA")
# Without the cap on volatility, so that signals and trades are there to be compared.
SETTINGS = Settings(stdev=StdevParameters(atr_percentile_cap=100.0))
OPTIONS = ReplayOptions(analyst="rules", validation="rules")
REQUEST = MarketRequest(bars=(), daily=None, first=FIRST, last=LAST, symbols=SYMBOLS)


@lru_cache(maxsize=1)
def rows() -> Rows:
    """Three sessions with two weeks before them, minutes and days."""
    history = date.fromordinal(FIRST.toordinal() - 14)
    made = synthetic_market(
        SYMBOLS, history, LAST, xnys(FIRST.year - 3, LAST.year), DEMO_SEED
    )  # fmt: skip
    return dict(made.minutes), dict(made.daily)
