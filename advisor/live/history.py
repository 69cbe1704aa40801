"""What is known before a session: from bars of one's own, or fetched into the run's folder."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np

from advisor.fetching import fetch_bars
from advisor.lakes import open_lake
from advisor.morning_bars import MorningBars, MorningRequest, read_morning
from advisor.settings import Settings
from quant_core.calendar import PREMARKET, Session, premarket_moment, xnys
from tools.market.alpaca import AlpacaBars

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

    What the lake has stays as it is, so a session that is taken up again is seeded as it was.
    """
    sessions = settings.live.history_sessions
    calendar = xnys(session.date.year - 3, session.date.year)
    index = int(np.searchsorted(calendar.opens, session.open))
    before, first = (calendar.session(index - back).date for back in (1, sessions))
    tell(f"fetching {sessions} sessions of minutes, and the daily bars")
    add = open_lake(lake, settings)
    for symbol in symbols:
        fetch_bars(source, symbol, first, before, add, "1min", lambda _: None)
        fetch_bars(source, symbol, before - DAILY_HISTORY, before, add, "1day", lambda _: None)
    return History(bars=(lake / "timeframe=1min",), daily=lake / "timeframe=1day")
