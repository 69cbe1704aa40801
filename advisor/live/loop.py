"""The minutes of a session as they happen: wait for the bars, decide, order, agree, and again.

Invariants: a minute is decided once, after its bars are known (`feed`) and kept (`minutes`), by
the cycle that a replay runs; what the broker filled is booked before, what was decided is ordered
after; nothing waits for a model but a verdict. Between minutes orders are looked after, and a
person's word is obeyed within a second.

A process may end anywhere: the next one takes up the ledger and the broker's truth and catches up
with the minutes that it missed. Their bars are old by then, so they open nothing. When the ledger
cannot be written, or anything else fails that another process would get over, the loop does the
same in place: it forgets what it knows and takes up again, as often as it takes, because what it
knows may be half a minute's decisions. Exits need no loop: stop and target rest at the broker.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from advisor.control import Control
from advisor.cycle import CycleDependencies, ask_if_due, run_cycle
from advisor.halting import obey
from advisor.lanes import Lane, TradingDay
from advisor.live.alerts import ChartAlerts
from advisor.live.clock import LiveClock
from advisor.live.feed import LiveFeed
from advisor.live.minutes import SessionBars
from advisor.live.telling import Telling
from advisor.session import enter, run_day
from advisor.settings import LiveSettings
from advisor.trading import Trading
from quant_core.calendar import to_datetime
from quant_core.exchange import END_OF_DAY
from tools.broker.book import OrderUpdate
from tools.errors import AdvisorError, BookMismatch, Rejected, Transient
from tools.ports import Ledger, Quotes
from tools.stream import StreamThread

Ended = Literal["closed", "stopped"]
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 15.0  # a position may be waiting for its stop
ONE_MINUTE = timedelta(minutes=1)
LAST_WORDS = timedelta(seconds=20)  # how long a stop waits for what is under way
GIVES_UP = timedelta(minutes=30)  # after the close, what failed until then is raised


@dataclass(frozen=True, slots=True)
class Crew:
    """The lanes of a session, as the ledger has them, and the broker's side of one of them."""

    lanes: tuple[Lane, ...]
    trading: Trading | None

    @property
    def at_work(self) -> list[Lane]:
        """The lanes that go from minute to minute, in their order."""
        return [lane for lane in self.lanes if not lane.hindsight]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a session works with. `take_up` makes its lanes from the ledger, as often as asked.

    `control` is what a person wants, `alerts` what charts told.
    `updates` tells that something happened to an order; what did is asked of the broker.
    """

    day: TradingDay
    bars: SessionBars
    feed: LiveFeed
    deps: CycleDependencies
    ledger: Ledger
    take_up: Callable[[], Crew]
    control: Control
    alerts: ChartAlerts
    updates: StreamThread[OrderUpdate] | None
    quotes: Quotes | None
    telling: Telling
    settings: LiveSettings


class LiveSession:
    """One session; `run` returns when it has closed, or when it is stopped."""

    def __init__(self, parts: Parts, clock: LiveClock, stop: threading.Event) -> None:
        """Nothing is taken up yet. When `stop` is set, `run` ends after the step it is in."""
        self._parts, self._clock, self._stop = parts, clock, stop
        self._crew = Crew((), None)
        self._settle_at = self._gaps = 0.0
        self._pause = FIRST_PAUSE
        self._pause_between_looks = timedelta(seconds=parts.settings.look_seconds)

    def run(self) -> Ended:
        """The minutes that are left of the session.

        Raises what `Trading.start` does from its start. Later it gets over every AdvisorError and
        OSError, unless one is still there half an hour after the close.
        """
        self._take_up()
        try:
            while not self._stop.is_set():
                try:
                    if self._is_over():
                        self._close()
                        return "closed"
                    self._minute()
                    self._pause = FIRST_PAUSE
                except (AdvisorError, OSError) as error:
                    self._recover(error)
            self._leave()
        except Exception as error:
            self._parts.telling.ended(error, self._clock.now())
            raise
        return "stopped"

    def catch_up(self) -> int:
        """The minutes that are over and not decided yet; how many there were.

        For a process that is started anew each minute. Asks what falls due in the minute under way.
        Raises what a minute raises: the next process takes up from there.
        """
        self._take_up(going_on=True)
        first = self._row()
        while not self._stop.is_set() and not self._is_over():
            if self._clock.now() < self._closed(self._row()):
                break
            self._minute()
        taken, day = self._row() - first, self._parts.day
        if taken and self._crew.trading is not None and not self._stop.is_set():
            # What these minutes want closed must not wait for the next process.
            self._crew.trading.tend(self._clock.now())
        if not self._is_over():
            self._between(first_look=taken == 0)
        elif taken or any(not lane.finished(day) for lane in self._crew.lanes):
            self._close()
        return taken

    @property
    def row(self) -> int:
        """The minute that comes next, from the open."""
        return self._row()

    @property
    def run_id(self) -> str:
        """The run that it writes."""
        return self._parts.deps.run_id

    def _between(self, *, first_look: bool) -> None:
        """What is left to do in the minute under way."""
        now, row = self._clock.now(), self._row()
        if first_look:
            self._look(now)
            if self._crew.trading is not None:
                self._crew.trading.agree(now)
        # Last, so that no commit keeps a question that was asked in vain.
        if not self._stop.is_set() and now >= self._closed(row - 1):
            for lane in (one for one in self._crew.at_work if one.row == row):
                ask_if_due(lane, self._parts.day, self._parts.deps.settings)

    # The way of one minute

    def _minute(self) -> None:
        parts, row = self._parts, self._row()
        due = [lane for lane in self._crew.at_work if lane.row == row]
        for lane in due:
            ask_if_due(lane, parts.day, parts.deps.settings)
        if not self._wait_for(row):
            return
        now = self._clock.now()
        parts.alerts.take(self._closed(row - 1), now)
        late = now - self._closed(row)
        # Within the next minute bars are as fresh as bars can be, and decided as in a replay.
        is_fresh = late < ONE_MINUTE
        if is_fresh:
            self._settle(now)
        day = self._see(row)
        if self._crew.trading is not None:
            self._crew.trading.judge_slippage(day.grid, day.session.open, row, now)
        spreads = self._spreads() if is_fresh else None
        for lane in due:
            if spreads is not None:
                lane.desk.slots["spread"] = spreads
            age = 0.0 if is_fresh else late.total_seconds()
            run_cycle(lane, day, row + 1, parts.deps, age)
        if self._crew.trading is not None and not self._stop.is_set():
            self._crew.trading.send(self._clock.now())
            if is_fresh:  # a broker allows so many questions a minute, and many may be caught up
                self._crew.trading.agree(self._clock.now())
        for symbol in parts.bars.symbols:
            parts.deps.telemetry.feed_lag(symbol, parts.feed.silent(symbol, now).total_seconds())
        parts.telling.minute(self._crew.lanes, day, row, self._clock.now())

    def _spreads(self) -> list[float] | None:
        """The spreads of now; NaN where nobody answers, which blocks; None without a source."""
        quotes, symbols = self._parts.quotes, self._parts.bars.symbols
        if quotes is None:
            return None
        try:
            return quotes.spreads(symbols)
        except (Transient, Rejected) as error:
            self._parts.telling.say(f"no spreads: {error}", self._clock.now())
            return [float("nan")] * len(symbols)

    def _see(self, row: int) -> TradingDay:
        """The day as it is known at the close of a minute."""
        grid, alerts = self._parts.bars.take(row), self._parts.alerts.known
        day = replace(self._parts.day, grid=grid, alerts=alerts)
        self._parts = replace(self._parts, day=day)
        return day

    def _wait_for(self, row: int) -> bool:
        """Look after orders until a minute is known; False when it is time to stop."""
        while not self._stop.is_set():
            now = self._clock.now()
            self._look(now)
            if self._parts.feed.ready(row, now):
                return True
            until, closed = now + self._pause_between_looks, self._closed(row)
            self._clock.wait(self._stop, min(until, closed) if now < closed else until)
        return False

    def _look(self, now: datetime) -> None:
        """What is done between minutes."""
        self._parts.feed.listen(now)
        obeyed, blind = self._obey(now), self._go_flat_blind(now)
        if obeyed or blind or self._was_told() or self._clock.monotonic() >= self._settle_at:
            self._settle(now)
        self._parts.telling.since(self._crew.lanes, now)

    def _obey(self, now: datetime) -> bool:
        """Halt or resume the lane that trades, if a person asked for it."""
        parts = self._parts
        asked = obey(
            parts.control, self._crew.lanes[:1], parts.bars.symbols, parts.deps.rules,
            parts.ledger, parts.deps.run_id, now,
        )  # fmt: skip
        return asked is not None

    def _settle(self, now: datetime) -> None:
        if self._crew.trading is not None:
            self._crew.trading.settle(now)
        self._settle_at = self._clock.monotonic() + self._parts.settings.settle_seconds

    def _was_told(self) -> bool:
        """Whether the broker said that something happened, or may have said it unheard."""
        updates = self._parts.updates
        if updates is None:
            return False
        told = len(updates.drain())
        gaps = updates.state().connections + updates.unread
        told, self._gaps = told + (gaps != self._gaps), gaps
        return told > 0

    def _go_flat_blind(self, now: datetime) -> bool:
        """Close what is open when it is time to be flat and the minutes stand still."""
        day = self._parts.day
        flat_at = to_datetime(day.session.open + int(day.clock["flat_from"][0]))
        trading = self._crew.trading
        if trading is None or now < flat_at + ONE_MINUTE:
            return False
        return trading.close_all(END_OF_DAY)

    # Beginning, getting over, ending

    def _take_up(self, *, going_on: bool = False) -> None:
        """`going_on`: in a session that has begun, a difference holds up entries, not minutes."""
        crew = self._parts.take_up()
        begun = going_on and all(lane.day == self._parts.day.session.date for lane in crew.at_work)
        for lane in crew.at_work:
            enter(lane, self._parts.day, self._parts.deps.settings)
            if not lane.asking.held():
                lane.asking.give_up()  # what was open is on record as lost
        self._crew = crew
        self._parts.bars.pass_over(self._row())
        self._parts.alerts.take_up(self._closed(self._row() - 1))
        self._see(self._row() - 1)
        self._parts.telling.begin(crew.lanes)
        self._obey(self._clock.now())  # an entry that was left to be sent must not be, when halted
        if crew.trading is not None and begun:
            crew.trading.settle(self._clock.now())
        elif crew.trading is not None:
            crew.trading.start(self._clock.now())

    def _recover(self, error: Exception) -> None:
        """Another process would get over it; so does this one, as often as it takes."""
        self._parts.deps.telemetry.failure("session", error)
        self._crew = Crew((), None)
        over = to_datetime(self._parts.day.session.close) + GIVES_UP
        while not self._stop.is_set():
            if self._clock.now() >= over:
                raise error
            self._parts.telling.trouble(error, self._clock.now())
            self._rest()
            try:
                self._take_up()
                return
            except BookMismatch as mismatch:
                # No new entries until it is gone; what is held is still looked after.
                self._parts.telling.trouble(mismatch, self._clock.now())
                assert self._crew.trading is not None
                self._crew.trading.agree(self._clock.now())
                return
            except (AdvisorError, OSError) as again:
                self._crew, error = Crew((), None), again

    def _rest(self) -> None:
        """A pause, longer each time until a minute has gone well."""
        until = self._clock.now() + timedelta(seconds=self._pause)
        while not self._stop.is_set() and self._clock.now() < until:
            self._clock.wait(self._stop, until)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _leave(self) -> None:
        """Open nothing more, and see to it that what is open has its stop."""
        trading, now = self._crew.trading, self._clock.now()
        until, never = now + LAST_WORDS, threading.Event()
        while trading is not None and not trading.leave(now) and now < until:
            self._clock.wait(never, now + timedelta(seconds=1))
            now = self._clock.now()

    def _close(self) -> None:
        """The lanes of hindsight go through the day; then it is over."""
        parts, day = self._parts, self._parts.day
        late = [lane for lane in self._crew.lanes if lane.hindsight]
        run_day(late, day, parts.deps, lambda *_: None)
        parts.telling.close(self._crew.lanes, day, parts.bars.remarks(), self._clock.now())

    # Questions

    def _row(self) -> int:
        """The minute that comes next for the lane that is furthest behind."""
        return min(lane.row for lane in self._crew.at_work)

    def _closed(self, row: int) -> datetime:
        return to_datetime(self._parts.day.session.open + row + 1)

    def _is_over(self) -> bool:
        return self._row() >= self._parts.day.session.minutes
