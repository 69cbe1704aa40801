"""The bars behind a morning: snapshots, premarket prices and VIX of a session that has not begun.

A replay needs the bars of its sessions; a morning has only those before. What is old or missing is
said, and a symbol of which little is known gets an incomplete snapshot instead of an invented one.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path

import numpy as np

from advisor.market import VIX, calendar_for, judge_minutes, read_daily
from advisor.premarket import news_since, vix_before
from advisor.settings import Settings
from graph.premarket_facts import Morning
from quant_core.bars import BarSeries, RawBars, accept_days, accept_minutes
from quant_core.calendar import Calendar, Session
from quant_core.parameters import PremarketParameters
from quant_core.premarket import SymbolHistory
from quant_core.premarket_price import PremarketPrice, no_price, premarket_prices
from tools.errors import NoData
from tools.market.files import BarFormat, read_bars

OUTSIDE = "outside_calendar"


@dataclass(frozen=True, slots=True, kw_only=True)
class MorningRequest:
    """Which session, at what time of its morning in New York, and from which files."""

    date: date
    clock: time
    bars: tuple[Path, ...]
    daily: Path | None
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MorningBars:
    """A morning, with remarks on its bars and the rows that were refused, by symbol and reason.

    `minutes` are the accepted minutes of each symbol before the session, in watchlist order.
    """

    morning: Morning
    notes: list[str]
    rejections: dict[str, dict[str, int]]
    calendar: Calendar
    minutes: tuple[BarSeries, ...]


def read_morning(
    request: MorningRequest, settings: Settings, session: Session, moment: datetime
) -> MorningBars:
    """Everything that bars say of a morning."""
    form = BarFormat(
        columns=settings.bars.columns, tz=settings.bars.timezone, label=settings.bars.label
    )
    raw = read_bars(list(request.bars), list(request.symbols), form, required=False)
    raw_daily = read_daily(request.daily, request.symbols, form)
    for symbol in request.symbols:
        if symbol not in raw and symbol not in raw_daily:
            raise NoData(
                f"there are no bars of {symbol}, neither minutes nor daily ones; name files that "
                "have it, or leave it out with --symbols"
            )
    calendar = calendar_for(raw, raw_daily, request.date, request.date)
    index = int(np.searchsorted(calendar.opens, session.open))
    desk = _Desk(calendar, index, session, moment, settings.premarket)
    snapshots, prices, earlier = [], {}, []
    for symbol in request.symbols:
        minutes = desk.minutes(symbol, raw.get(symbol))
        earlier.append(minutes.part(slice(0, int(np.searchsorted(minutes.session, index)))))
        history = desk.history(symbol, minutes, raw_daily.get(symbol))
        snapshots.append(history.snapshot(index, calendar))
        prices[symbol] = desk.price(symbol, raw.get(symbol))
    vix, vix_date = vix_before(desk.days(VIX, raw_daily.get(VIX)), calendar, index)
    if vix_date is None:
        desk.notes.append("VIX is not known: no daily bars of VIX before the session")
    morning = Morning(
        as_of=moment,
        snapshots=snapshots,
        prices=prices,
        vix=vix,
        vix_date=vix_date,
        news_since=news_since(calendar, index, moment, settings.news.hours),
    )
    return MorningBars(morning, desk.notes, desk.rejections, calendar, tuple(earlier))


class _Desk:
    """The bars of one symbol after another, judged, with remarks on what is old or missing."""

    def __init__(
        self,
        calendar: Calendar,
        index: int,
        session: Session,
        moment: datetime,
        parameters: PremarketParameters,
    ) -> None:
        self._calendar, self._index = calendar, index
        self._session, self._moment = session, moment
        self._parameters = parameters
        self.notes: list[str] = []
        self.rejections: dict[str, dict[str, int]] = {}

    def history(self, symbol: str, minutes: BarSeries, raw_daily: RawBars | None) -> SymbolHistory:
        """What a symbol's snapshot is read from."""
        daily = self.days(symbol, raw_daily)
        self._remark(symbol, "minutes", minutes)
        self._remark(symbol, "daily bars", daily)
        return SymbolHistory.of(symbol, minutes, daily, self._calendar, self._parameters)

    def price(self, symbol: str, raw: RawBars | None) -> PremarketPrice:
        """The last price known before the open."""
        if raw is None:
            return no_price(f"no minute bars of {symbol}")
        return premarket_prices(raw, [self._session], [self._moment])[0]

    def days(self, symbol: str, raw: RawBars | None) -> BarSeries | None:
        """Accepted daily bars; None without a source."""
        if raw is None:
            return None
        bars, codes = accept_days(raw, self._calendar)
        self._count(symbol, "daily bars", np.bincount(codes))
        return bars

    def minutes(self, symbol: str, raw: RawBars | None) -> BarSeries:
        """Accepted minutes; none without a source."""
        if raw is None:
            return accept_minutes(_no_rows(symbol), self._calendar)[0]
        bars, refused = judge_minutes(raw, self._calendar)
        counts = Counter(refused["reason"].to_pylist())
        counts.pop(OUTSIDE, None)  # premarket bars are used here, by rules of their own
        if counts:
            self.rejections.setdefault(symbol, {}).update(sorted(counts.items()))
        return bars

    def _count(self, symbol: str, kind: str, counts: np.ndarray) -> None:
        refused = int(counts[1:].sum())
        if refused:
            self.rejections.setdefault(symbol, {})[f"{kind} refused"] = refused

    def _remark(self, symbol: str, kind: str, bars: BarSeries | None) -> None:
        before = None if bars is None else bars.session[bars.session < self._index]
        if before is None or len(before) == 0:
            self.notes.append(f"{symbol} has no {kind} before the session")
            return
        late = self._index - 1 - int(before[-1])
        if late:
            ended = self._calendar.session(int(before[-1])).date
            self.notes.append(f"the {kind} of {symbol} end on {ended}, {late} sessions too early")


def _no_rows(symbol: str) -> RawBars:
    none, no_numbers = np.empty(0, np.int64), np.empty(0, np.float64)
    return RawBars(
        symbol=symbol, start=none, open=no_numbers, high=no_numbers, low=no_numbers,
        close=no_numbers, volume=no_numbers, file=none, row=none, files=(),
    )  # fmt: skip
