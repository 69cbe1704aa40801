"""What is known before a session: from bars of one's own, or fetched into the run's folder."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from advisor.fetching import fetch_bars
from advisor.lakes import bucket_of, open_lake
from advisor.morning_bars import MorningBars, MorningRequest, read_morning
from advisor.settings import Settings
from quant_core.calendar import PREMARKET, Session, premarket_moment, xnys
from tools.market.alpaca import AlpacaBars
from tools.market.buckets import in_bucket

FETCHED = "fetched.json"
DAILY_HISTORY = timedelta(days=800)  # a year of ATR ranks, with what the ATR itself needs


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Files with the minutes and daily bars before a session."""

    bars: tuple[Path, ...]
    daily: Path | None

    def morning(
        self, symbols: tuple[str, ...], session: Session, settings: Settings
    ) -> MorningBars:
        """The session's snapshots, and the minutes that its bands are seeded from."""
        asked = MorningRequest(
            date=session.date, clock=PREMARKET, bars=self.bars, daily=self.daily, symbols=symbols
        )
        return read_morning(asked, settings, session, premarket_moment(session))


def fetched(
    source: AlpacaBars,
    symbols: tuple[str, ...],
    lake: Path,
    session: Session,
    settings: Settings,
    tell: Callable[[str], None],
) -> History:
    """The minutes and daily bars before a session, from Alpaca; how many is a setting.

    What the lake has stays as it is, so a session that is taken up again is seeded as it was, and
    what was fetched once is not asked for again: a restart must not wait for hundreds of answers.
    """
    sessions = settings.live.history_sessions
    calendar = xnys(session.date.year - 3, session.date.year)
    index = int(np.searchsorted(calendar.opens, session.open))
    before, first = (calendar.session(index - back).date for back in (1, sessions))
    tell(f"fetching {sessions} sessions of minutes, and the daily bars")
    add, known = open_lake(lake, settings), _Known(lake, settings)
    for symbol in symbols:
        for timeframe, begin in _spans(first, before):
            since = known.until(symbol, timeframe, begin)
            if since is None or since < before:
                fetch_bars(source, symbol, since or begin, before, add, timeframe, lambda _: None)
                known.note(symbol, timeframe, begin, before)
    return History(bars=(lake / "timeframe=1min",), daily=lake / "timeframe=1day")


def _spans(first: date, before: date) -> list[tuple[Literal["1min", "1day"], date]]:
    return [("1min", first), ("1day", before - DAILY_HISTORY)]


class _Known:
    """What was fetched into a lake: of each symbol and timeframe, from when until when."""

    def __init__(self, lake: Path, settings: Settings) -> None:
        """A note that cannot be read means that nothing is known, and everything is asked for."""
        self._path = lake / FETCHED
        self._bucket = bucket_of(lake, settings) if in_bucket(lake) else None
        try:
            self._spans = msgspec.json.decode(self._read(), type=dict[str, tuple[date, date]])
        except (OSError, msgspec.DecodeError):
            self._spans = {}

    def _read(self) -> bytes:
        if self._bucket is None:
            return self._path.read_bytes()
        found = self._bucket.find(FETCHED)
        return found.body if found else b"{}"

    def until(self, symbol: str, timeframe: str, begin: date) -> date | None:
        """Until when everything since `begin` is there; None when it is not."""
        span = self._spans.get(f"{symbol} {timeframe}")
        return None if span is None or span[0] > begin else span[1]

    def note(self, symbol: str, timeframe: str, begin: date, until: date) -> None:
        """Note what is there now; a process that dies on the way asks again for a little."""
        self._spans[f"{symbol} {timeframe}"] = begin, until
        if self._bucket is not None:
            self._bucket.put(FETCHED, msgspec.json.encode(self._spans), "application/json")
            return
        beside = self._path.with_suffix(".new")
        beside.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(msgspec.json.encode(self._spans))
        beside.replace(self._path)
