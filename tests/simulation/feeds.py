"""Bars that are told, and an archive that is asked, each in its own bad way; in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from quant_core.calendar import to_datetime, to_minute
from quant_core.grid import Grid
from tests.simulation.fate import Fate
from tools.errors import Transient
from tools.market.live_bar import LiveBar
from tools.stream import StreamState

MINUTE = timedelta(minutes=1)


class Market:
    """What happened until now: the bars of a grid, by the minutes that are over."""

    def __init__(self, grid: Grid, symbols: Sequence[str], opening: int) -> None:
        self.grid, self.symbols, self.opening = grid, tuple(symbols), opening
        self.over = 0

    def bars(self, first: int, until: int) -> list[LiveBar]:
        """The bars of rows [first, until) that are over."""
        grid, found = self.grid, []
        for row in range(max(first, 0), min(until, self.over)):
            for s, symbol in enumerate(self.symbols):
                if grid.present[row, s]:
                    columns = (grid.open, grid.high, grid.low, grid.close, grid.volume)
                    values = (float(column[row, s]) for column in columns)
                    names = ("open", "high", "low", "close", "volume")
                    start = to_datetime(self.opening + row)
                    bar = dict(zip(names, values, strict=True))
                    found.append(
                        LiveBar(symbol=symbol, start=start, received_at=start + MINUTE, **bar)
                    )
        return found


class Stream:
    """Tells each minute's bars, unless it is mute for a while; some twice, late or broken."""

    def __init__(self, market: Market, fate: Fate) -> None:
        self.market, self.fate = market, fate
        self._told: list[LiveBar] = []
        self._late: list[LiveBar] = []
        self._mute_until = 0

    def minute_is_over(self) -> None:
        market = self.market
        bars, late = market.bars(market.over - 1, market.over), self._late
        self._late = []
        if market.over < self._mute_until:
            return
        match self.fate.draws("stream mute", "bars late", "bars twice", "bars broken"):
            case "stream mute":
                self._mute_until = market.over + self.fate.random.randint(1, 6)
                return
            case "bars late":
                self._late, bars = bars[1:], bars[:1]
            case "bars twice":
                revised = [replace(bar, close=bar.close + 0.01, revised=True) for bar in bars]
                late, bars = [*late, *revised], [*bars, *bars]
            case "bars broken":
                broken = [replace(bar, symbol="?", close=float("nan")) for bar in bars]
                late = [*late, *broken, *(replace(bar, start=bar.start - MINUTE) for bar in broken)]
        self._told += [*bars, *late]

    def drain(self) -> list[LiveBar]:
        told, self._told = self._told, []
        return told

    def state(self) -> StreamState:
        return StreamState(connected=True, connections=1, trouble="")


class Archive:
    """Answers with everything that is over, unless it is silent for a while."""

    def __init__(self, market: Market, fate: Fate) -> None:
        self.market, self.fate = market, fate
        self._silent_until = 0

    def between(self, symbols: Sequence[str], first: datetime, until: datetime) -> list[LiveBar]:
        over = self.market.over
        if over >= self._silent_until and self.fate.draws("archive silent", rare=True):
            self._silent_until = over + self.fate.random.randint(1, 5)
        if over < self._silent_until:
            raise Transient("scripted")
        opening = self.market.opening
        found = self.market.bars(to_minute(first) - opening, to_minute(until) - opening)
        return [bar for bar in found if bar.symbol in symbols]
