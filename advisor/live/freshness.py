"""Not asking a model about a moment that is over: catching up costs nothing."""

from datetime import datetime, timedelta

from advisor.asking import Asking, degraded
from quant_core.market_view import MarketView
from quant_core.types import Analysis
from tools.clock import Clock
from tools.ports import Analyst


class WhileFresh:
    """Asks as another way of asking does, within `limit` of the moment that is asked about."""

    def __init__(self, asking: Asking, clock: Clock, limit: timedelta) -> None:
        """Over another way of asking."""
        self._asking, self._clock, self._limit = asking, clock, limit
        self._refused: list[Analysis] = []

    def ask(self, analyst: Analyst, view: MarketView) -> None:
        """Ask, or note a DEGRADED analysis when it is too late for an answer to count."""
        late = self._clock.now() - view.as_of
        if late <= self._limit:
            self._asking.ask(analyst, view)
            return
        minutes = late.total_seconds() / 60
        told = f"it was not asked: its moment was {minutes:.0f} minutes ago"
        self._refused.append(degraded(view.as_of, told))

    def answers(self, closed: datetime) -> list[Analysis]:
        """As the other has them, with what was not asked."""
        refused, self._refused = self._refused, []
        found = [*refused, *self._asking.answers(closed)]
        return sorted(found, key=lambda analysis: analysis.as_of)

    def give_up(self) -> list[Analysis]:
        """As the other does, with what was not asked."""
        refused, self._refused = self._refused, []
        return [*refused, *self._asking.give_up()]

    def held(self) -> str:
        """As the other does."""
        return self._asking.held()

    def take_up(self, held: str) -> bool:
        """As the other does."""
        return self._asking.take_up(held)
