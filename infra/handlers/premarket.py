"""08:30 New York: the bars before the session into the lake, and the day prepared.

The day is prepared in the run that the live cycle goes on with, so a model is asked once; what was
formed is archived as YEAR/MONTH/DATE in the bucket. Called again, it finds all of it there.
"""

import json
from dataclasses import asdict
from typing import Any

from advisor.commands.replay import watchlist
from advisor.ledgers import open_ledger
from advisor.live.clock import LiveClock, WallClock
from advisor.live.history import fetched
from advisor.replay import MARKET_LANE
from advisor.summary import plain
from advisor.timetable import session_of
from infra.handlers.given import Given, soon
from infra.handlers.invocation import Context, Limited, ended, log, scheduled, when_free
from quant_core.calendar import Session, premarket_moment, to_datetime
from tools.market.alpaca import AlpacaBars

ARCHIVE = "archive"
PATIENCE_SECONDS = 120.0


class Premarket:
    """The function."""

    def __init__(self, given: Given | None = None, clock: LiveClock | None = None) -> None:
        """Cold: nothing is read before the first call."""
        self._given, self._clock = given or Given(), clock or WallClock()

    def __call__(self, event: Any, context: Context) -> dict[str, Any]:
        """One call of EventBridge Scheduler."""
        scheduled(event)
        clock = Limited(self._clock, context)
        now = clock.now()
        session = session_of(now)
        if session is None:
            return ended("no session today")
        if now >= to_datetime(session.open):
            return ended("too late: the live cycle has prepared the day by itself")
        while clock.now() < premarket_moment(session) and not clock.is_short:
            clock.wait(clock.stop, premarket_moment(session))
        self._fetch(session, clock)

        def work() -> str:
            opening = self._given.opening(session, clock, clock.stop)
            with opening.open() as prepared:
                return prepared.run_id

        run_id = when_free(work, clock, soon(clock, PATIENCE_SECONDS))
        if run_id is None:
            return ended("another call is at work")
        return ended("prepared", run=run_id, archived=self._archive(run_id, session))

    def _fetch(self, session: Session, clock: LiveClock) -> None:
        """Bring the bars before the session into the lake; what is there stays as it is."""
        given, settings = self._given, self._given.settings
        source = AlpacaBars(
            given.secrets, feed=settings.live.feed, base_url=settings.broker.data_url, clock=clock
        )
        fetched(source, watchlist(None, settings), given.lake, session, settings, log.info)

    def _archive(self, run_id: str, session: Session) -> str:
        """Put what was formed of the day into the bucket; gives its place."""
        given, moment = self._given, premarket_moment(session)
        with open_ledger(given.ledger, given.settings, secrets=given.secrets) as store:
            of = (run_id, MARKET_LANE)
            reads = (store.snapshots, store.daily_biases, store.market_contexts)
            kept = [
                [one for one in read(*of, as_of=moment) if one.date == session.date]
                for read in reads
            ]
        names = ("snapshots", "biases", "contexts")
        document: dict[str, Any] = {"run_id": run_id, "date": str(session.date), "as_of": moment}
        for name, rows in zip(names, kept, strict=True):
            document[name] = [asdict(one) | {"date": str(one.date)} for one in rows]
        text = json.dumps(plain(document), indent=1, ensure_ascii=False, allow_nan=False)
        bucket = given.bucket(ARCHIVE)
        key = f"{session.date:%Y/%m/%d}/premarket-{run_id}.json"
        bucket.put(key, text.encode(), "application/json")
        return bucket.place(key)


handler = Premarket()
