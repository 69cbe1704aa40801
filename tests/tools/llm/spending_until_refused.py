"""A process that spends a cent at a time until the day has none left, and says how many it had.

With `and hang` it asks a model that never answers instead, and says so once the call has begun.
"""

import sys
import threading
from decimal import Decimal
from pathlib import Path

from tests.tools.llm.worlds import PROMPT, HandClock, View, says, scripted
from tools.llm import BudgetLimits, DailyBudget, Spending, SpendingFile, Spent
from tools.llm.providers import Reply
from tools.llm.spending_table import SpendingTable

CENT = Spent(Decimal("0.01"), 1)


def opened(place: str) -> Spending:
    """The spending in a file or a database."""
    return SpendingTable.at(place) if "://" in place else SpendingFile.open(Path(place))


def hang() -> Reply:
    print("asked", flush=True)
    threading.Event().wait()
    return says()


if __name__ == "__main__":
    day = DailyBudget(BudgetLimits(usd_per_day=1.0), HandClock(), opened(sys.argv[1]))
    if sys.argv[2:] == ["and", "hang"]:
        model, _ = scripted({"anthropic:claude-opus-5-5": [hang]})
        model.ask(PROMPT, View, 60.0, day)
    print("ready", flush=True)
    sys.stdin.readline()
    granted = 0
    while hold := day.hold(CENT):
        hold.settle(CENT)
        granted += 1
    print(granted)
