"""What calls have cost, by the day that paid for them: what a restarted budget begins with."""

from collections.abc import Iterable
from datetime import date

from quant_core.calendar import NEW_YORK
from tools.llm.budget import Spent
from tools.llm.calls import LlmCall


def spent_by_day(calls: Iterable[LlmCall]) -> dict[date, Spent]:
    """USD and tokens by New York date (see `DailyBudget`); a call that comes twice counts once."""
    seen: set[tuple[object, ...]] = set()
    spent: dict[date, Spent] = {}
    for call in calls:
        identity = (call.key, call.sequence, call.asked_at)
        if identity in seen:
            continue
        seen.add(identity)
        day = call.asked_at.astimezone(NEW_YORK).date()
        cost = Spent(call.cost_usd, call.tokens_in + call.tokens_out)
        spent[day] = spent.get(day, Spent()) + cost
    return spent
