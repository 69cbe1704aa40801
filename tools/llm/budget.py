"""What may be spent on models in a day, held before a call and settled after it.

Invariant: what is spent plus what is held never exceeds a limit when a call begins, however many
threads and processes ask, and whatever became of earlier ones (see `spending`). A hold is an upper
bound of its call (every byte of the prompt a token, every token of output used), so a settled day
exceeds a limit only if a provider bills more than it was allowed. A call that may or may not have
been billed keeps its whole hold. A day is a New York date.
"""

import math
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from quant_core.calendar import NEW_YORK
from tools.clock import Clock
from tools.llm.spending import NOTHING, Spending, SpendingFile, Spent


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLimits:
    """What a day may cost: USD, and tokens in and out together."""

    usd_per_day: float = 5.0
    tokens_per_day: int = 5_000_000

    def __post_init__(self) -> None:
        """Refuse limits that are not limits; 0 forbids every call that costs something."""
        if not math.isfinite(self.usd_per_day) or self.usd_per_day < 0:
            raise ValueError(f"usd_per_day must be 0 or more, not {self.usd_per_day!r}")
        if self.tokens_per_day < 0:
            raise ValueError(f"tokens_per_day must be 0 or more, not {self.tokens_per_day!r}")


class DailyBudget:
    """The budget of every day, shared by all who ask, in this process and in others.

    `spending` is where it is counted; without it, nothing outside this object is.
    """

    def __init__(
        self, limits: BudgetLimits, clock: Clock, spending: Spending | None = None
    ) -> None:
        """A budget from which all that `spending` has counted is gone."""
        self._limit = Spent(Decimal(str(limits.usd_per_day)), limits.tokens_per_day)
        self._clock = clock
        self._spending: Spending = spending or SpendingFile.open()

    def today(self) -> date:
        """The day that pays for a call made now."""
        return self._clock.now().astimezone(NEW_YORK).date()

    def hold(self, most: Spent) -> "Hold | None":
        """Set aside the most that a call can cost; None when the day has not that much left.

        Raises Transient when it cannot be kept: then the call must not be made.
        """
        day = self.today()
        number = self._spending.hold(day, most, self._limit)
        return None if number is None else Hold(self._spending, number, day, most)

    def spent(self, day: date) -> Spent:
        """What the calls of a day have cost so far."""
        return self._spending.spent(day)

    def left_in_words(self) -> str:
        """How much of today's budget is left, for a message."""
        left = self._limit - self._spending.counted(self.today())
        usd, tokens = max(left.usd, NOTHING), max(left.tokens, 0)
        return f"{usd:.4f} USD and {tokens} tokens are left today"


class Hold:
    """An amount set aside for one call. Settle it exactly once, whatever became of the call."""

    def __init__(self, spending: Spending, number: int, day: date, most: Spent) -> None:
        """Made by the budget."""
        self._spending, self._number, self._day = spending, number, day
        self.most = most

    def settle(self, spent: Spent) -> None:
        """What the call cost after all."""
        self._spending.settle(self._number, self._day, spent)
