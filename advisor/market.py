"""From files to a market that can be replayed: read, judge, seed, and count what was refused.

Nothing here depends on a decision. Every given file supplies history (R5, R14); `first` and `last`
bound what is traded. What is wrong with the request as a whole (a symbol without bars, a date that
is no session) is an error that says so; what is wrong with a row is a counted rejection.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from advisor.settings import Settings
from quant_core.bars import (
    BarSeries,
    Gap,
    RawBars,
    accept_days,
    accept_minutes,
    gaps,
    spacing,
)
from quant_core.calendar import Calendar, Session, premarket_moment, to_datetime, xnys
from quant_core.grid import Grid
from quant_core.premarket import SymbolHistory
from quant_core.premarket_price import PremarketPrice, premarket_prices
from quant_core.tracks import Track, session_grid
from quant_core.types import Snapshot
from tools.errors import BadInput, NoData
from tools.market.files import BarFormat, read_bars, rejection_table

EARLIEST_YEAR = 1900
VIX = "VIX"
STALE_DAILY_SESSIONS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketRequest:
    """Which bars, which symbols (in watchlist order), and which dates are traded."""

    bars: tuple[Path, ...]
    daily: Path | None
    first: date
    last: date
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Accepted bars, seeded tracks and premarket histories of a request.

    `premarket` holds the last price of each symbol known at 08:30 New York of a session's date;
    `vix` the daily bars of that symbol, when the daily folder has it.
    """

    calendar: Calendar
    symbols: tuple[str, ...]
    sessions: tuple[Session, ...]
    minutes: tuple[BarSeries, ...]
    tracks: tuple[Track, ...]
    histories: tuple[SymbolHistory, ...]
    feed: str
    rejections: pa.Table
    bars_read: dict[str, int]
    bars_accepted: dict[str, int]
    gaps: list[tuple[date, Gap]]
    digest: str
    notes: list[str] = field(default_factory=list)
    premarket: dict[date, dict[str, PremarketPrice]] = field(default_factory=dict)
    vix: BarSeries | None = None

    def index(self, session: Session) -> int:
        """Position of a session in the calendar."""
        return int(np.searchsorted(self.calendar.opens, session.open))

    def grid(self, session: Session) -> Grid:
        """One session of all symbols on a grid."""
        return session_grid(self.tracks, self.calendar, self.index(session))

    def snapshots(self, session: Session) -> list[Snapshot]:
        """The premarket snapshots for a session, in watchlist order."""
        index = self.index(session)
        return [history.snapshot(index, self.calendar) for history in self.histories]

    def benchmark(self) -> list[float]:
        """Daily return of an equal-weight holding of the watchlist; NaN where no symbol has one."""
        closes = np.array([_session_closes(bars, self) for bars in self.minutes])
        with np.errstate(invalid="ignore"):
            returns = closes[:, 1:] / closes[:, :-1] - 1.0
        known = ~np.isnan(returns)
        with np.errstate(invalid="ignore"):
            means = np.where(known, returns, 0.0).sum(axis=0) / known.sum(axis=0)
        return [float(value) for value in means]


def prepare_market(request: MarketRequest, settings: Settings) -> Market:
    """Read and judge everything a replay of the request needs."""
    if request.first > request.last:
        raise BadInput(f"--from {request.first} lies after --to {request.last}; swap them")
    if request.first.year < EARLIEST_YEAR:
        raise BadInput(f"--from {request.first} lies before {EARLIEST_YEAR}; name a later date")
    form = BarFormat(
        columns=settings.bars.columns, tz=settings.bars.timezone, label=settings.bars.label
    )
    raw = read_bars(list(request.bars), list(request.symbols), form)
    return assemble(request, settings, raw, read_daily(request.daily, request.symbols, form))


def read_daily(daily: Path | None, symbols: Sequence[str], form: BarFormat) -> dict[str, RawBars]:
    """Daily rows of the symbols, and of VIX, as far as there are any."""
    if daily is None:
        return {}
    daily_form = BarFormat(columns=form.columns, tz=form.tz, timeframe="1day")
    wanted = [*symbols, *([] if VIX in symbols else [VIX])]
    return read_bars([daily], wanted, daily_form, required=False)


def assemble(
    request: MarketRequest,
    settings: Settings,
    raw: dict[str, RawBars],
    raw_daily: dict[str, RawBars],
) -> Market:
    """Judge rows that are already in memory and make the market of a request."""
    calendar = calendar_for(raw, raw_daily, request.first, request.last)
    sessions = _sessions(calendar, request)
    minutes, tables = [], []
    for symbol in request.symbols:
        accepted, refused = judge_minutes(raw[symbol], calendar)
        tables.append(refused)
        minutes.append(accepted)
    daily: dict[str, BarSeries] = {}
    for symbol, rows in raw_daily.items():
        daily[symbol], codes = accept_days(rows, calendar)
        tables.append(rejection_table(rows, codes, "daily_bar"))
    vix = daily.get(VIX) if VIX in request.symbols else daily.pop(VIX, None)
    traded, notes = _with_bars(calendar, sessions, minutes, request)
    first = int(np.searchsorted(calendar.opens, traded[0].open))
    notes += _daily_notes(request.symbols, daily, calendar, first)
    return Market(
        calendar=calendar,
        symbols=request.symbols,
        sessions=tuple(traded),
        minutes=tuple(minutes),
        tracks=tuple(
            Track.of(bars, calendar, settings.stdev, first, settings.premarket.atr_period)
            for bars in minutes
        ),
        histories=tuple(
            SymbolHistory.of(
                bars.symbol, bars, daily.get(bars.symbol), calendar, settings.premarket
            )
            for bars in minutes
        ),
        feed=next(iter(raw.values())).feed,
        rejections=pa.concat_tables(tables).unify_dictionaries(),
        bars_read={symbol: len(raw[symbol].start) for symbol in request.symbols},
        bars_accepted={bars.symbol: len(bars) for bars in minutes},
        gaps=_gaps(minutes, calendar, traded),
        digest=_digest(minutes, daily),
        notes=notes,
        premarket=_premarket(raw, request.symbols, traded),
        vix=vix,
    )


def judge_minutes(raw: RawBars, calendar: Calendar) -> tuple[BarSeries, pa.Table]:
    """Accepted minutes of a symbol and the table of those refused.

    NoData when none can be used; BadInput when they are longer than a minute.
    """
    bars, codes = accept_minutes(raw, calendar)
    refused = rejection_table(raw, codes, "bar")
    if len(bars) == 0:
        raise NoData(_all_refused(raw, refused))
    if (step := spacing(bars, calendar)) > 1:
        raise BadInput(
            f"the bars of {bars.symbol} look like {step}-minute bars: every start is a "
            f"multiple of {step} minutes after the open; a replay needs 1-minute bars"
        )
    return bars, refused


def _premarket(
    raw: dict[str, RawBars], symbols: Sequence[str], sessions: Sequence[Session]
) -> dict[date, dict[str, PremarketPrice]]:
    moments = [premarket_moment(session) for session in sessions]
    prices = {symbol: premarket_prices(raw[symbol], sessions, moments) for symbol in symbols}
    return {
        session.date: {symbol: prices[symbol][position] for symbol in symbols}
        for position, session in enumerate(sessions)
    }


def calendar_for(
    raw: dict[str, RawBars], raw_daily: dict[str, RawBars], first: date, last: date
) -> Calendar:
    """A calendar that covers the data and the dates, whole years."""
    years = [first.year, last.year]
    for rows in (*raw.values(), *raw_daily.values()):
        if len(rows.start):
            ends = rows.start.min(), rows.start.max()
            years += [datetime.fromtimestamp(int(end) / 1e6, UTC).year for end in ends]
    return xnys(max(EARLIEST_YEAR, min(years)), max(years))


def _sessions(calendar: Calendar, request: MarketRequest) -> list[Session]:
    sessions = calendar.between(request.first, request.last)
    if sessions:
        return sessions
    before, after = calendar.around(request.first)
    asked = (
        f"{request.first} is no session"
        if request.first == request.last
        else f"there is no session from {request.first} to {request.last}"
    )
    raise BadInput(f"{asked} of the New York Stock Exchange; the nearest are {before} and {after}")


def _with_bars(
    calendar: Calendar, sessions: list[Session], minutes: list[BarSeries], request: MarketRequest
) -> tuple[list[Session], list[str]]:
    """The sessions in which some symbol has a bar, and a note on every other one."""
    covered = {int(index) for bars in minutes for index in np.unique(bars.session)}
    index = {s: int(np.searchsorted(calendar.opens, s.open)) for s in sessions}
    traded = [session for session in sessions if index[session] in covered]
    if not traded:
        raise NoData(
            f"no bar of {', '.join(request.symbols)} lies in a session from {request.first} to "
            f"{request.last}; {_coverage(minutes)}"
        )
    notes = []
    without = [session.date for session in sessions if index[session] not in covered]
    if without:
        shown = ", ".join(str(day) for day in without[:5]) + (" …" if len(without) > 5 else "")
        notes.append(f"{len(without)} sessions without any bar were left out: {shown}")
    wanted = {index[session] for session in traded}
    notes += [
        f"{bars.symbol} has no bars in the sessions replayed; {_coverage([bars])}"
        for bars in minutes
        if not wanted & {int(i) for i in np.unique(bars.session)}
    ]
    return traded, notes


def _all_refused(raw: RawBars, refused: pa.Table) -> str:
    """What to say of a symbol of which no row can be used."""
    own = refused.filter(pc.equal(refused["symbol"].cast(pa.string()), raw.symbol))
    if own.num_rows == 0:
        return f"{raw.symbol} has no rows at all"
    counts = Counter(own["reason"].to_pylist())
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
    first = own.slice(0, 1).to_pylist()[0]
    return (
        f"all {own.num_rows} rows of {raw.symbol} were refused ({reasons}); the first is "
        f"{first['file']}, row {first['row']}: {first['value']}"
    )


def _daily_notes(
    symbols: Sequence[str], daily: dict[str, BarSeries], calendar: Calendar, first: int
) -> list[str]:
    """Symbols whose daily history is missing, or ended long before the first session."""
    notes = []
    for symbol in symbols:
        bars = daily.get(symbol)
        if bars is None or len(bars) == 0:
            notes.append(
                f"{symbol} has no daily bars: its premarket snapshot is incomplete "
                "and it does not arm"
            )
            continue
        before = bars.session[bars.session < first]
        late = first - 1 - int(before[-1]) if len(before) else 0
        if late > STALE_DAILY_SESSIONS:
            ended = calendar.session(int(before[-1])).date
            notes.append(
                f"the daily bars of {symbol} end on {ended}, {late} sessions before the first one "
                "replayed: its trend and volatility are that old"
            )
    return notes


def _coverage(minutes: Sequence[BarSeries]) -> str:
    spans = [
        f"{bars.symbol} has {to_datetime(bars.start[0]).date()} to "
        f"{to_datetime(bars.start[-1]).date()}"
        if len(bars)
        else f"{bars.symbol} has no accepted bar at all"
        for bars in minutes
    ]
    return "; ".join(spans)


def _gaps(
    minutes: list[BarSeries], calendar: Calendar, sessions: list[Session]
) -> list[tuple[date, Gap]]:
    wanted = {int(np.searchsorted(calendar.opens, s.open)): s.date for s in sessions}
    return [(wanted[gap.session], gap) for bars in minutes for gap in gaps(bars, calendar, wanted)]


def _session_closes(bars: BarSeries, market: Market) -> list[float]:
    """Close before the first session, then of each session; NaN where there is none."""
    edges = [market.index(session) for session in market.sessions]
    ends = np.searchsorted(bars.session, np.array([edges[0], *(edge + 1 for edge in edges)]))
    closes = [float(bars.close[end - 1]) if end > 0 else float("nan") for end in ends]
    if np.isnan(closes[0]) and len(bars):
        closes[0] = float(bars.open[0])
    return closes


def _digest(minutes: list[BarSeries], daily: dict[str, BarSeries]) -> str:
    """Identity of the accepted bars."""
    digest = hashlib.sha256()
    for bars in (*minutes, *(daily[symbol] for symbol in sorted(daily))):
        digest.update(bars.symbol.encode())
        for name in ("start", "open", "high", "low", "close", "volume"):
            digest.update(np.ascontiguousarray(getattr(bars, name)).tobytes())
    return digest.hexdigest()[:16]
