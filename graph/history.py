"""A lane's past as machines read it: the ledger, bound to one run and one lane."""

from datetime import datetime

from quant_core.types import Order, Trade
from tools.store.store import Store


class LedgerHistory:
    """Reads one lane of one run; nothing that the ledger did not know at `as_of`."""

    def __init__(self, store: Store, run_id: str, lane: str) -> None:
        """Over an open ledger."""
        self._store, self._run_id, self._lane = store, run_id, lane

    def trades(self, *, as_of: datetime) -> list[Trade]:
        """Trades known to be closed."""
        return self._store.trades(self._run_id, self._lane, as_of=as_of)

    def orders(self, *, as_of: datetime) -> list[Order]:
        """Orders decided."""
        return self._store.orders(self._run_id, self._lane, as_of=as_of)
