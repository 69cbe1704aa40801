"""Bars from Alpaca into a lake, judged on the way."""

from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Any, Literal

from advisor.lakes import Add
from tools.market.alpaca import AlpacaBars
from tools.market.inspection import calendar_of, inspect_bars


def fetch_bars(
    source: AlpacaBars,
    symbol: str,
    first: date,
    last: date,
    add: Add,
    timeframe: Literal["1min", "1day"],
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """Fetch and import one symbol, month by month; what it came to, in counts.

    `add` puts bars into the lake, `tell` is given what is being fetched. Rows that the lake has
    already stay as they are.
    """
    totals: Counter[str] = Counter(fetched=0, added=0, known=0, differing=0)
    refused: Counter[str] = Counter()
    for month in source.months(symbol, first, last, timeframe):
        tell(f"{symbol} {month.files[0].removeprefix('alpaca ')} …")
        if not len(month.start):
            continue
        found = inspect_bars(month, calendar_of([month]), timeframe)
        (got,) = add([found.accepted], timeframe)
        totals.update(fetched=found.rows, added=got.added, known=got.known, differing=got.differing)
        refused.update(found.reasons)
    return {"symbol": symbol, **totals, "refused": dict(refused)}
