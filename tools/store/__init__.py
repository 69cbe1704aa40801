"""The ledger: one hash chain a lane, whole cycles, on SQLite or PostgreSQL."""

from tools.store.reading import Entry
from tools.store.runs import Run
from tools.store.store import Store
from tools.store.verify import ChainReport
from tools.store.walk import ChainBreak

__all__ = ["ChainBreak", "ChainReport", "Entry", "Run", "Store"]
