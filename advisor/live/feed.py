"""Today's bars: from the stream, and from the archive what the stream did not bring.

A minute is ready when every symbol has its bar, or when it is known that there is none: the stream
had its time, and the archive, asked afterwards, had none either (on one exchange a symbol may well
not trade for a minute). While neither stream nor archive speaks nothing is known, and the minute
waits: a missing minute must not be taken for a quiet one. It waits until the session is over at
most. When they speak again, everything that was missed is asked for at once.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from advisor.live.minutes import SessionBars
from advisor.settings import LiveSettings
from quant_core.calendar import Session, new_york, to_datetime
from tools.errors import AdvisorError
from tools.notify.alerts import Alert, Severity
from tools.ports import BarArchive, BarStream

LONGEST_PAUSE = timedelta(seconds=30)
AFTER_THE_CLOSE = timedelta(minutes=2)


class LiveFeed:
    """Brings bars into a session, and says which minutes can be taken."""

    def __init__(
        self,
        stream: BarStream,
        archive: BarArchive,
        bars: SessionBars,
        session: Session,
        settings: LiveSettings,
        alert: Callable[[Alert], None],
    ) -> None:
        """`alert` is told when a symbol falls silent and when it is heard again."""
        self._stream, self._archive, self._bars = stream, archive, bars
        self._session, self._settings, self._alert = session, settings, alert
        self._patience = timedelta(seconds=settings.patience_seconds)
        self._known_until = self._failed_at = self._not_before = to_datetime(0)
        self._listening_since: datetime | None = None
        self._failures = 0
        self._mute: set[str] = set()
        self.trouble = ""

    def listen(self, now: datetime) -> None:
        """Take what the stream brought, and watch over who is silent."""
        self._listening_since = self._listening_since or now
        for bar in self._stream.drain():
            self._bars.keep(bar)
        if to_datetime(self._session.open) <= now <= to_datetime(self._session.close):
            for symbol in self._bars.symbols:
                self._watch(symbol, now)

    def ready(self, row: int, now: datetime) -> bool:
        """Whether everything is known of a minute that can be known."""
        closed = to_datetime(self._session.open + row + 1)
        if now < closed:
            return False
        if not self._bars.missing(row):
            return True
        if now < closed + self._patience:
            return False
        pausing = self._failed_at <= now < self._not_before  # a clock may have been set back
        if self._known_until < closed and not pausing:
            self._ask(row, now)
        is_over = now >= to_datetime(self._session.close) + AFTER_THE_CLOSE
        return self._known_until >= closed or not self._bars.missing(row) or is_over

    def silent(self, symbol: str, now: datetime) -> timedelta:
        """How long nothing was heard of a symbol while the session was running."""
        last = self._bars.last_bar(symbol)
        since = to_datetime(self._session.open + (0 if last is None else last + 1))
        return now - max(since, self._listening_since or now)

    def _ask(self, row: int, now: datetime) -> None:
        first = to_datetime(self._session.open + row)
        try:
            found = self._archive.between(self._bars.symbols, first, now)
        except AdvisorError as error:
            self._failures += 1
            self.trouble = str(error)
            pause = timedelta(seconds=2.0 ** min(self._failures, 10))
            self._failed_at, self._not_before = now, now + min(pause, LONGEST_PAUSE)
            return
        for bar in found:
            if bar.start + timedelta(minutes=1) <= now:  # the archive shows a minute in the making
                self._bars.keep(bar)
        self._failures, self.trouble = 0, ""
        self._known_until = now - self._patience

    def _watch(self, symbol: str, now: datetime) -> None:
        silent = self.silent(symbol, now)
        mute = silent > timedelta(seconds=self._settings.mute_seconds)
        if mute == (symbol in self._mute):
            return
        self._mute ^= {symbol}
        minutes = silent.total_seconds() / 60
        state = self._stream.state()
        stream = "connected" if state.connected else f"not connected ({state.trouble})"
        self._alert(
            Alert(
                kind="feed",
                severity=Severity.WARNING if mute else Severity.INFO,
                title=f"{symbol} is silent" if mute else f"{symbol} is heard again",
                text=f"no bar of {symbol} for {minutes:.0f} minutes; the stream is {stream}. "
                "It gets no new entries until it is heard again."
                if mute
                else f"bars of {symbol} come again since {new_york(now)[11:]}",
                at=now,
            )
        )
