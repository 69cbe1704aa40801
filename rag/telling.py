"""How moments, money, setups and checks are said in documents: plain words a trader would use."""

import math
from datetime import date, datetime, timedelta

from quant_core.calendar import NEW_YORK
from quant_core.types import Check, ExitReason, Setup, Signal

MINUTE = timedelta(minutes=1)
SETUPS = {
    Setup.MEAN_REVERSION: "mean reversion",
    Setup.TREND_CONTINUATION: "trend continuation",
}
EXITS = {
    ExitReason.STOP: "its stop was hit",
    ExitReason.TRAILING_STOP: "its trailing stop was hit",
    ExitReason.TARGET: "its target was reached",
    ExitReason.END_OF_DAY: "the end of the day, when every position is closed",
    ExitReason.MAX_HOLD: "it was held for the longest time allowed",
    ExitReason.KILL: "the kill switch",
    ExitReason.DRAWDOWN: "the drawdown limit, which liquidates the account",
}
CHECKS = {
    "risk_state": "the account's risk state is not ACTIVE, only exits are allowed",
    "session_window": "outside the entry window of the session",
    "atr_5m_known": "the 5-minute ATR, and so the stop distance, is not known",
    "bar_age": "the last bar is too old (stale data)",
    "z_age": "the z-score is too old (stale data)",
    "average_volume": "the average volume is too low (illiquid)",
    "spread": "the spread is too wide",
    "earnings_blackout": "earnings are too near (blackout)",
    "reward_risk": "the reward to risk ratio is too low",
    "daily_loss": "the daily loss limit in dollars is used up",
    "daily_loss_percent": "the daily loss limit in percent is used up",
    "positions": "too many positions are open at once",
    "trades_per_day": "the maximum of trades for the day is reached",
    "trades_per_symbol": "the maximum of trades in this symbol for the day is reached",
    "orders_per_minute": "too many orders in one minute",
    "sector_exposure": "the sector exposure would be too high",
    "cvar_95": "the CVaR of the book is over its limit",
    "risk_per_trade": "the risk per trade allows no share",
    "position_size": "the position size cap allows no share",
    "symbol_exposure": "the symbol exposure cap allows no share",
    "total_exposure": "the total exposure cap allows no share",
    "open_risk": "the open risk cap allows no share",
    "validation": "the validator was against it or had no opinion",
    "quantity": "the quantity is below one share",
}


def day(when: date) -> str:
    """`Tuesday 14 January 2025`."""
    return f"{when:%A} {when.day} {when:%B %Y}"


def clock(moment: datetime) -> str:
    """`10:41`, New York."""
    return f"{moment.astimezone(NEW_YORK):%H:%M}"


def moment(when: datetime) -> str:
    """`Tuesday 14 January 2025 at 10:41 New York`."""
    return f"{day(when.astimezone(NEW_YORK).date())} at {clock(when)} New York"


def dollars(amount: float) -> str:
    """`$1,234.50`; what is not known is said to be so."""
    return f"${amount:,.2f}" if math.isfinite(amount) else "an unknown amount"


def result(amount: float) -> str:
    """`a profit of $12.30`, `a loss of $4.00`."""
    if not math.isfinite(amount):
        return "an unknown result"
    if amount == 0:
        return "neither profit nor loss ($0.00)"
    return f"a {'loss' if amount < 0 else 'profit'} of {dollars(abs(amount))}"


def number(value: float) -> str:
    """A count, limit or ratio as it is shortest, with at most four decimals."""
    if not math.isfinite(value):
        return "no limit" if value == math.inf else "unknown"
    return f"{value:,.4f}".rstrip("0").rstrip(".")


def side(direction: int) -> str:
    """`long` or `short`."""
    return "long" if direction > 0 else "short"


def setup(signal: Signal) -> str:
    """`NVDA long mean reversion (MR)`."""
    return f"{signal.symbol} {side(signal.side)} {SETUPS[signal.setup]} ({signal.setup})"


def refusal(check: Check) -> str:
    """A blocking check: what it means, its name, the value measured and the limit."""
    meaning = CHECKS.get(check.name, "a check refused it")
    measured = ""
    if check.name not in ("risk_state", "session_window", "validation"):
        measured = f": {number(check.before)} against a limit of {number(check.after)}"
    return f"{meaning} (check {check.name}{measured})"


def count(amount: int, singular: str, plural: str = "") -> str:
    """`1 trade`, `2 trades`."""
    return f"{amount} {singular if amount == 1 else plural or singular + 's'}"
