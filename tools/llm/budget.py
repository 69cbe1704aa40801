"""What may be spent on models in a day, held before a call and settled after it.

Invariant: what is spent plus what is held never exceeds a limit when a call begins, however many
threads ask. A hold is an upper bound of its call (every byte of the prompt a token, every token of
output used), so a settled day exceeds a limit only if a provider bills more than it was allowed.
A call that may or may not have been billed keeps its whole hold. A day is a New York date.
"""

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from quant_core.calendar import NEW_YORK
from tools.llm.clock import Clock

NOTHING = Decimal(0)


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


@dataclass(frozen=True, slots=True)
class Spent:
    """USD and tokens."""

    usd: Decimal = NOTHING
    tokens: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        """Both together."""
        return Spent(self.usd + other.usd, self.tokens + other.tokens)

    def __sub__(self, other: "Spent") -> "Spent":
        """The difference."""
        return Spent(self.usd - other.usd, self.tokens - other.tokens)


class DailyBudget:
    """The budget of every day, shared by all who ask.

    `spent` says what was spent before this process began, so that a restart forgets nothing.
    """

    def __init__(
        self, limits: BudgetLimits, clock: Clock, spent: Mapping[date, Spent] | None = None
    ) -> None:
        """A budget from which nothing is held yet."""
        self._limit = Spent(Decimal(str(limits.usd_per_day)), limits.tokens_per_day)
        self._clock = clock
        self._spent = dict(spent or {})
        self._held: dict[date, Spent] = {}
        self._lock = threading.Lock()

    def today(self) -> date:
        """The day that pays for a call made now."""
        return self._clock.now().astimezone(NEW_YORK).date()

    def hold(self, most: Spent) -> "Hold | None":
        """Set aside the most that a call can cost; None when the day has not that much left."""
        day = self.today()
        with self._lock:
            held = self._held.get(day, Spent()) + most
            total = self._spent.get(day, Spent()) + held
            if total.usd > self._limit.usd or total.tokens > self._limit.tokens:
                return None
            self._held[day] = held
        return Hold(self, day, most)

    def settle(self, day: date, held: Spent, spent: Spent) -> None:
        """Replace a hold by what its call cost (called by the hold, once)."""
        with self._lock:
            self._held[day] -= held
            self._spent[day] = self._spent.get(day, Spent()) + spent

    def spent(self, day: date) -> Spent:
        """What the calls of a day have cost so far."""
        with self._lock:
            return self._spent.get(day, Spent())

    def left_in_words(self) -> str:
        """How much of today's budget is left, for a message."""
        day = self.today()
        with self._lock:
            left = self._limit - self._spent.get(day, Spent()) - self._held.get(day, Spent())
        usd, tokens = max(left.usd, NOTHING), max(left.tokens, 0)
        return f"{usd:.4f} USD and {tokens} tokens are left today"


class Hold:
    """An amount set aside for one call. Settle it exactly once, whatever became of the call."""

    def __init__(self, budget: DailyBudget, day: date, most: Spent) -> None:
        """Made by the budget."""
        self._budget, self._day = budget, day
        self.most = most

    def settle(self, spent: Spent) -> None:
        """What the call cost after all."""
        self._budget.settle(self._day, self.most, spent)
