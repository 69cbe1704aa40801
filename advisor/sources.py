"""What risk knows of symbols besides their bars, as the desk numbers it: sectors and earnings."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from advisor.settings import Settings
from quant_core.calendar import Session, xnys
from quant_core.desk import BLACKOUT, CLEAR, NOT_CONFIGURED


def sectors(settings: Settings, symbols: Sequence[str]) -> NDArray[np.int16]:
    """The number of each symbol's sector, shape (symbols,); all 0 without a map.

    A symbol that the map does not name is a sector of its own.
    """
    named = settings.sources.sectors
    if not named:
        return np.full(len(symbols), NOT_CONFIGURED, np.int16)
    own = [named.get(symbol, f"of its own: {symbol}") for symbol in symbols]
    numbers = {sector: 1 + place for place, sector in enumerate(dict.fromkeys(own))}
    return np.array([numbers[sector] for sector in own], np.int16)


def earnings(
    settings: Settings, symbols: Sequence[str], sessions: Sequence[Session]
) -> NDArray[np.int8]:
    """CLEAR or BLACKOUT of each symbol in each session, shape (sessions, symbols); 0 without dates.

    The blackout counts sessions, not days: what is reported on a Friday evening moves Monday. A
    report on a day without a session counts as of the session after it. A symbol without dates
    reports nothing, as funds do.
    """
    dates = settings.sources.earnings
    if not dates:
        return np.full((len(sessions), len(symbols)), NOT_CONFIGURED, np.int8)
    found = np.full((len(sessions), len(symbols)), CLEAR, np.int8)
    reach = settings.sources.earnings_sessions
    years = [one.year for days in dates.values() for one in days]
    years += [session.date.year for session in sessions]
    calendar = xnys(min(years) - 1, max(years) + 1)
    places = np.searchsorted(calendar.opens, [session.open for session in sessions])
    for s, symbol in enumerate(symbols):
        for one in dates.get(symbol, ()):
            day = np.datetime64(one, "D").astype(np.int64)
            place = int(np.searchsorted(calendar.days, day))
            found[np.abs(places - place) <= reach, s] = BLACKOUT
    return found
