"""Today's minutes as they were decided on.

A minute is *taken* once: with the bars that are there, in the version that is there. What comes
later for it (a revision, a bar that was stuck) changes nothing any more and is counted, because a
decision was made without it and a replay has to make the same one. The bars of a minute are in the
session's file (`kept_bars`) before the minute is decided; a process that takes over reads them
there and not from the archive, which may have been corrected meanwhile.

The file is a plain table of bars, in the order of minutes, which `advisor replay --bars` reads.
"""

import csv
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from advisor.live.kept_bars import BarsFile
from advisor.settings import Settings
from quant_core.bars import ACCEPTED, REASONS, BarSeries, Floats, Ints, RawBars, accept_minutes
from quant_core.calendar import Calendar, Session, to_minute
from quant_core.grid import Grid
from quant_core.tracks import Track, session_grid
from tools.errors import BadInput
from tools.market.live_bar import LiveBar

HEADER = ("symbol", "timestamp", "open", "high", "low", "close", "volume")
Row = tuple[float, float, float, float, float]


class SessionBars:
    """The bars of one session of a watchlist; `history` are each symbol's minutes before it.

    `counts` says what came besides the bars that were used: revised, late, of other minutes.
    """

    def __init__(
        self,
        file: BarsFile,
        session: Session,
        calendar: Calendar,
        history: Sequence[BarSeries],
        settings: Settings,
    ) -> None:
        """Takes up what the file has of the session."""
        self._session, self._calendar, self._settings = session, calendar, settings
        self._history = tuple(history)
        self.symbols = tuple(bars.symbol for bars in history)
        self._index = int(np.searchsorted(calendar.opens, session.open))
        self._taken: dict[str, list[tuple[int, Row]]] = {symbol: [] for symbol in self.symbols}
        self._waiting: dict[tuple[str, int], Row] = {}
        self._used: dict[tuple[str, int], Row] = {}
        self.next_row = 0
        self.counts: Counter[str] = Counter()
        self._file, self._is_new = file, True
        self._read()

    def keep(self, bar: LiveBar) -> None:
        """Keep a bar for its minute, unless that minute has been taken."""
        row = to_minute(bar.start) - self._session.open
        key, values = (bar.symbol, row), (bar.open, bar.high, bar.low, bar.close, bar.volume)
        if bar.symbol not in self._taken or not 0 <= row < self._session.minutes:
            self.counts["of another symbol or time"] += 1
        elif row >= self.next_row:
            self._waiting[key] = values
        elif key not in self._used:
            self.counts["too late"] += 1
        elif self._used[key] != values:
            self.counts["revised after its minute"] += 1

    def pass_over(self, row: int) -> None:
        """Minutes before this one were decided on, with the bars that are on file."""
        self.next_row = max(self.next_row, row)
        for key in [key for key in self._waiting if key[1] < self.next_row]:
            del self._waiting[key]
            self.counts["too late"] += 1

    def missing(self, row: int) -> list[str]:
        """The symbols that have no bar for a minute; of one that was taken nothing is missing."""
        if row < self.next_row:
            return []
        return [symbol for symbol in self.symbols if (symbol, row) not in self._waiting]

    def last_bar(self, symbol: str) -> int | None:
        """The row of a symbol's latest bar, taken or waiting."""
        waiting = [row for name, row in self._waiting if name == symbol]
        taken = [row for row, _ in self._taken[symbol][-1:]]
        return max(waiting + taken, default=None)

    def take(self, row: int) -> Grid:
        """Settle a minute (and those before it), and give the grid with everything up to it.

        OSError when it cannot be written, and then it is not taken.
        """
        if row >= self.next_row:
            self._settle(row)
        tracks = [self._track(symbol, bars, row) for symbol, bars in self._each()]
        return session_grid(tracks, self._calendar, self._index)

    def remarks(self) -> list[str]:
        """What came besides the bars that were used, a sentence for each kind."""
        found = [f"{count} bars {kind}: not used" for kind, count in sorted(self.counts.items())]
        for symbol, reasons in self.refused().items():
            told = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
            found.append(f"bars of {symbol} refused: {told}")
        return found

    def refused(self) -> dict[str, dict[str, int]]:
        """How many taken bars were refused, by symbol and reason."""
        found = {}
        for symbol, _ in self._each():
            codes = accept_minutes(self._raw(symbol, self._session.minutes), self._calendar)[1]
            reasons = Counter(REASONS[code] for code in codes if code != ACCEPTED)
            if reasons:
                found[symbol] = dict(reasons)
        return found

    def _each(self) -> list[tuple[str, BarSeries]]:
        return list(zip(self.symbols, self._history, strict=True))

    def _settle(self, row: int) -> None:
        settled = [
            (symbol, one, self._waiting[symbol, one])
            for one in range(self.next_row, row + 1)
            for symbol in self.symbols
            if (symbol, one) in self._waiting
        ]
        if settled:
            self._append(settled)
        for symbol, one, values in settled:
            self._taken[symbol].append((one, values))
            self._used[symbol, one] = self._waiting.pop((symbol, one))
        self.next_row = row + 1

    def _track(self, symbol: str, history: BarSeries, row: int) -> Track:
        today, _ = accept_minutes(self._raw(symbol, row + 1), self._calendar)
        return Track.of(
            history.followed_by(today),
            self._calendar,
            self._settings.stdev,
            self._index,
            self._settings.premarket.atr_period,
        )

    def _raw(self, symbol: str, until: int) -> RawBars:
        taken = [(row, values) for row, values in self._taken[symbol] if row < until]
        rows: Ints = np.array([row for row, _ in taken], np.int64)
        columns: Floats = np.array([values for _, values in taken], float).reshape(-1, 5).T
        return RawBars(
            symbol=symbol,
            start=(rows + self._session.open) * 60_000_000,
            open=columns[0], high=columns[1], low=columns[2], close=columns[3], volume=columns[4],
            file=np.zeros(len(rows), np.int64),
            row=np.arange(2, len(rows) + 2),
            files=(self._file.place,),
            feed=self._settings.live.feed,
        )  # fmt: skip

    # The file

    def _append(self, settled: Sequence[tuple[str, int, Row]]) -> None:
        """Add whole minutes and have them kept."""
        lines = [(symbol, self._stamp(row), *map(repr, values)) for symbol, row, values in settled]
        head = [HEADER] if self._is_new else []
        text = "".join(",".join(line) + "\n" for line in (*head, *lines))
        self._file.append(text.encode())
        self._is_new = False

    def _stamp(self, row: int) -> str:
        moment = datetime.fromtimestamp((self._session.open + row) * 60, UTC)
        return moment.isoformat().replace("+00:00", "Z")

    def _read(self) -> None:
        """Take up the file."""
        whole = self._file.read()
        self._is_new = not whole
        lines = list(csv.reader(whole.decode().splitlines()))
        rows: dict[str, int] = {}  # a minute stands there once for each symbol
        for number, line in enumerate(lines[1:], 2):
            try:
                symbol, stamp, *numbers = line
                row = rows.get(stamp, -1)
                if row < 0:
                    row = to_minute(datetime.fromisoformat(stamp)) - self._session.open
                    rows[stamp] = row
                opened, high, low, close, volume = map(float, numbers)
            except ValueError as error:
                raise BadInput(
                    f"{self._file.place}, line {number}, was changed by something else ({error}); "
                    "restore it, or move the run's folder away and start anew"
                ) from error
            if symbol in self._taken:
                values = (opened, high, low, close, volume)
                self._taken[symbol].append((row, values))
                self._used[symbol, row] = values
        self.next_row = max(rows.values(), default=-1) + 1
