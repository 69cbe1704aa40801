"""What was held at the end of sessions: fills added up by symbol, each stretch of them once.

Fills of a closed session never change, so a sum up to its end is kept and the next one goes on from
it. A run that is discarded and made anew is another one here: its start is part of the key.
"""

import threading
from bisect import bisect_right
from collections import Counter, OrderedDict
from typing import Any

from sqlalchemy import BigInteger, func, select, type_coerce

from tools.store import codec
from tools.store.paging import Place
from tools.store.store import Store

_MOST_LANES = 32
_FILLS = codec.FILLS.table
_signed = type_coerce(_FILLS.c.side, BigInteger) * type_coerce(_FILLS.c.quantity, BigInteger)


class Holdings:
    """Shares held (negative: short) after a record of a lane, by symbol; flat symbols left out."""

    def __init__(self, store: Store) -> None:
        """Over a store, which stays the caller's to close."""
        self._store = store
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Any, ...], list[tuple[int, Counter[str]]]] = OrderedDict()

    def after(self, place: Place, seq: int) -> dict[str, int]:
        """What was held after the record that closed a session."""
        key = (place.key, place.run.created_at, place.lane)
        with self._lock:
            kept = self._kept.setdefault(key, [(0, Counter())])
            self._kept.move_to_end(key)
            if len(self._kept) > _MOST_LANES:
                self._kept.popitem(last=False)
            stands = bisect_right(kept, seq, key=lambda one: one[0])
            known, held = kept[stands - 1]
            if known < seq:
                held = Counter(held)
                held.update(self._moved(place, known, seq))
                kept.insert(stands, (seq, Counter({name: n for name, n in held.items() if n})))
            return {name: number for name, number in held.items() if number}

    def _moved(self, place: Place, after: int, through: int) -> dict[str, int]:
        moved = (
            select(_FILLS.c.symbol, func.sum(_signed))
            .where(_FILLS.c.run == place.key, _FILLS.c.lane == place.lane)
            .where(_FILLS.c.seq > after, _FILLS.c.seq <= through)
            .group_by(_FILLS.c.symbol)
        )
        with self._store.reading() as connection:
            return {symbol: int(number) for symbol, number in connection.execute(moved)}
