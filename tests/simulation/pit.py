"""The market that orders meet: each bar trades as the simulated exchange does.

Entries and exits at the open with slippage, then the stop, then the target.
"""

from quant_core.calendar import to_datetime
from quant_core.grid import Grid
from tests.simulation.fate import Fate
from tests.stand_ins.alpaca_exchange import Exchange, Ticket

SLIPPAGE = 1e-4


class Pit:
    """One session's bars, as they act on the orders at an exchange."""

    def __init__(
        self, exchange: Exchange, symbols: tuple[str, ...], opening: int, fate: Fate, partial: float
    ) -> None:
        """`opening` is the session's, in epoch minutes; `partial` the share of partial fills."""
        self.exchange, self.symbols, self.opening = exchange, symbols, opening
        self.fate, self.partial = fate, partial

    def trade(self, grid: Grid, row: int) -> None:
        """What a bar does to the orders at the exchange."""
        self.exchange.now = to_datetime(self.opening + row)
        for s, symbol in enumerate(self.symbols):
            if not grid.present[row, s]:
                continue
            open_, high, low = (float(c[row, s]) for c in (grid.open, grid.high, grid.low))
            self.exchange.prices[symbol] = open_
            for ticket in self._working(symbol, "market"):
                self._fill(ticket, open_ * (1 + ticket.sign * SLIPPAGE))
            for ticket in self._working(symbol, "stop"):
                stop = float(ticket.stop_price or 0.0)
                if (low <= stop) if ticket.sign < 0 else (high >= stop):
                    base = min(open_, stop) if ticket.sign < 0 else max(open_, stop)
                    self._fill(ticket, base * (1 + ticket.sign * SLIPPAGE), whole=True)
            for ticket in self._working(symbol, "limit"):
                limit = float(ticket.limit_price or 0.0)
                if (high >= limit) if ticket.sign < 0 else (low <= limit):
                    best = max(open_, limit) if ticket.sign < 0 else min(open_, limit)
                    self._fill(ticket, best, whole=True)
            self.exchange.prices[symbol] = float(grid.close[row, s])

    def _working(self, symbol: str, kind: str) -> list[Ticket]:
        return [
            one
            for one in self.exchange.everything()
            if (one.symbol, one.type) == (symbol, kind)
            and one.status in ("new", "partially_filled")
        ]

    def _fill(self, ticket: Ticket, price: float, whole: bool = False) -> None:
        if ticket.status not in ("new", "partially_filled"):
            return  # its sibling has just filled
        shares = ticket.qty - ticket.filled
        if not whole and shares > 1 and self.fate.random.random() < self.partial:
            shares = float(self.fate.random.randint(1, int(shares) - 1))
            self.fate.met["partial fill"] += 1
        self.exchange._fill(ticket, shares, price)
