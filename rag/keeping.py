"""Keeping an index up to what a ledger says while the ledger grows.

A catch-up reads only the lanes that have moved, from the week of the last session that the index
has the summary of. Telling what is held already changes nothing, so it may be done at any time, by
several processes, again after a crash; what is late or lost (a run that was discarded, a week that
ended without its last session) is what `rag.building.build` finds every night.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from rag.index import Index, Upserted
from rag.ledger import of_lane_since
from tools.store import Store
from tools.store.paging import Pages, Place

Lane = tuple[str, str]


@dataclass(slots=True)
class Keeper:
    """One index kept beside one open ledger; both stay the caller's to close."""

    index: Index
    store: Store
    _pages: Pages = field(init=False)
    _heads: dict[Lane, int] = field(default_factory=dict)
    _summed: dict[Lane, date] | None = None

    def __post_init__(self) -> None:
        """Nothing is read before the first catch-up."""
        self._pages = Pages(self.store)

    def catch_up(self, *, as_of: datetime) -> Upserted:
        """Put in what has become true by `as_of` since the last time; errors leave it to do."""
        if self._summed is None:
            self._summed = last_summaries(self.index)
        total = Upserted()
        for run in self.store.runs():
            for place in self._pages.place(run.run_id).lanes.values():
                total += self._lane(place, self._summed, as_of)
        return total

    def _lane(self, place: Place, summed: Mapping[Lane, date], as_of: datetime) -> Upserted:
        lane = (place.run.run_id, place.lane)
        before = self._heads.get(lane, 0)
        if place.head == before:
            return Upserted()
        # A shorter lane is another one: its run was discarded and began again.
        since = summed.get(lane) if place.head > before else None
        documents = of_lane_since(self._pages, place, since, as_of=as_of)
        done = self.index.upsert(documents)
        known = self._pages.head_known_at(place)
        if known is not None and known <= as_of:
            self._heads[lane] = place.head
        days = [session_of(one.id) for one in documents if one.kind == "day"]
        if days and self._summed is not None:
            self._summed[lane] = max(days)
        return done


def last_summaries(index: Index) -> dict[Lane, date]:
    """The last session of each lane that an index has the summary of."""
    found: dict[Lane, date] = {}
    for name in index.hashes("day"):
        run, lane, _ = name.split("/", 2)
        day = session_of(name)
        found[run, lane] = max(day, found.get((run, lane), day))
    return found


def session_of(name: str) -> date:
    """The session of a day's document, by its id."""
    return date.fromisoformat(name.rsplit("/", 1)[1])
