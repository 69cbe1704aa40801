"""After the session: the day into the index, and out to the bucket for a knowledge base."""

from datetime import UTC
from typing import Any

from advisor.indexing import open_index
from advisor.ledgers import open_ledger
from advisor.live.clock import LiveClock, WallClock
from advisor.secrets import provide_keys
from advisor.timetable import session_of
from infra.handlers.given import Given
from infra.handlers.invocation import Context, ended, scheduled
from rag.building import build
from rag.knowledge_base import put_sources
from rag.ledger import of_ledger

EXPORT = "export"


class Nightly:
    """The function."""

    def __init__(self, given: Given | None = None, clock: LiveClock | None = None) -> None:
        """Cold: nothing is read before the first call."""
        self._given, self._clock = given or Given(), clock or WallClock()

    def __call__(self, event: Any, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """One call of EventBridge Scheduler; a repetition finds everything there."""
        scheduled(event)
        now = self._clock.now().astimezone(UTC)
        if session_of(now) is None:
            return ended("no session today")
        given = self._given
        provide_keys(given.settings, model=False)
        with open_ledger(given.ledger, given.settings, secrets=given.secrets) as store:
            index = open_index(given.settings.rag, given.scratch, create=True)
            try:
                done = build(index, store, as_of=now)
            finally:
                index.close()
            written, unchanged = put_sources(of_ledger(store, as_of=now), given.bucket(EXPORT))
        return ended(
            "indexed and exported", documents=done.documents, added=done.added,
            changed=done.changed, written=written, unchanged=unchanged,
        )  # fmt: skip


handler = Nightly()
