"""A symbol's features over time: a whole history at once, then bar by bar, from one state.

`FeatureStream.run` takes many bars and `FeatureStream.update` one; both run `engine.advance`, in
any mixture, and the values do not depend on how a history was cut. After a restart, `rebuilt`
brings a stream to where it was: the state is a function of the bars alone. It must be given the
same first bar as the training set: obv, ad_line and vpt depend on it, and recursive values of 15min
and 1hr need long histories to forget it.

A bar that is not acceptable is refused by name before it reaches the state, and a refused bar
leaves no trace. State per symbol is fixed (about 101 kB on 1min) and does not grow with history.
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import SupportsFloat, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from quant_core.bars import BarSeries, Floats, Ints
from quant_core.calendar import Calendar, new_york, to_datetime
from quant_core.features.catalogue import Catalogue, catalogue, longer
from quant_core.features.engine import REASONS, advance, first_fault, new_frames
from quant_core.features.quality import (
    GRACE,
    PARTIAL_VOLUME_FEEDS,
    Quality,
    Shortage,
    TooLittleHistory,
    feed_label,
    shortages,
)
from quant_core.features.window import BAR

_PRICES = ("open", "high", "low", "close", "volume")
_CHUNK = 4096
_NAMED = 3


class RejectedBar(ValueError):
    """A bar that was refused and changed nothing. `reason` is one of `engine.REASONS`."""

    def __init__(self, symbol: str, bar: np.void, reason: str) -> None:
        """Say which bar, why, and with which values."""
        self.symbol, self.start, self.reason = symbol, int(bar["start"]), reason
        values = ", ".join(f"{name} {float(bar[name]):g}" for name in _PRICES)
        super().__init__(
            f"{symbol} bar of {new_york(to_datetime(self.start))} New York refused: {reason} "
            f"({values}); features are as before it, send a correct bar"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureTable:
    """Features of consecutive bars of a symbol.

    `values` has shape (bars, features) in catalogue order; `start`, `end` (minutes since the
    epoch) and `quality` (bits of `Quality`) have shape (bars,). A row is known at `end`.
    """

    symbol: str
    catalogue: Catalogue
    start: Ints
    end: Ints
    values: Floats
    quality: NDArray[np.uint8]

    def __len__(self) -> int:
        """Number of bars."""
        return len(self.start)

    def __getitem__(self, name: str) -> Floats:
        """One feature, shape (bars,), as a view; ValueError names the nearest for a wrong name."""
        return self.values[:, self.catalogue.index(name)]


class FeatureStream:
    """The live features of one symbol and timeframe."""

    def __init__(
        self, symbol: str, timeframe: str, calendar: Calendar, feed: str = "replay"
    ) -> None:
        """Start before any bar; `calendar` must cover the dates to come.

        `feed` is one of `quality.FEEDS` in any capitals, else a ValueError.
        """
        self.symbol = symbol
        self.catalogue = catalogue(timeframe)
        self._calendar = calendar
        self._frames = new_frames(timeframe)
        partial = feed_label(feed) in PARTIAL_VOLUME_FEEDS
        self._volume = Quality.VOLUME_UNRELIABLE if partial else Quality(0)
        self._bar = np.zeros(1, BAR)
        self._session = (-1, -1, 0)
        self._flags = np.full(1, Quality.WARM_UP, np.uint8)

    @classmethod
    def rebuilt(cls, history: BarSeries, timeframe: str, calendar: Calendar) -> "FeatureStream":
        """A stream that has seen a history, oldest bar first, as if it had run all along."""
        stream = cls(history.symbol, timeframe, calendar, history.feed)
        for first in range(0, len(history), _CHUNK):
            stream.run(history.part(slice(first, first + _CHUNK)))
        return stream

    def run(self, bars: BarSeries) -> FeatureTable:
        """Take bars of this timeframe and give their rows; RejectedBar refuses all of them.

        Integers and float32 are converted; bars of another timeframe are a ValueError.
        """
        records = self.records(bars)
        self._refuse(records)
        values = np.empty((len(records), len(self.catalogue.features)))
        quality = np.empty(len(records), np.uint8)
        advance(self._frames, records, values, quality)
        if len(records):
            self._flags[0] = quality[-1]
        return FeatureTable(
            symbol=self.symbol,
            catalogue=self.catalogue,
            start=records["start"].copy(),
            end=records["end"].copy(),
            values=values,
            quality=quality | np.uint8(self._volume),
        )

    def update(
        self,
        start: SupportsIndex,
        open: SupportsFloat,
        high: SupportsFloat,
        low: SupportsFloat,
        close: SupportsFloat,
        volume: SupportsFloat,
    ) -> Floats:
        """Take one closed bar, `start` in minutes since the epoch; its row, shape (features,).

        RejectedBar says why a bar was refused; the stream is then as it was before.
        """
        minute = operator.index(start)
        opening, closing, before = self._session_of(minute)
        self._bar[0] = (
            minute,
            min(minute + self.catalogue.minutes, closing),
            opening,
            closing,
            before,
            float(open),
            float(high),
            float(low),
            float(close),
            float(volume),
        )
        self._refuse(self._bar)
        values = np.empty((1, len(self.catalogue.features)))
        advance(self._frames, self._bar, values, self._flags)
        row: Floats = values[0]
        return row

    def quality(self, now: datetime | None = None) -> Quality:
        """Flags of the newest row; with `now` (aware) also whether it has become too old."""
        flags = Quality(int(self._flags[0])) | self._volume
        if now is None:
            return flags
        if now.utcoffset() is None:
            raise ValueError(f"now is {now} without a time zone; give an aware datetime")
        seconds = now.timestamp() - 60 * int(self._frames["window"]["end"][0])
        late = seconds > 60 * (self.catalogue.minutes + GRACE)
        return flags | Quality.STALE if late else flags

    def shortages(self, names: Sequence[str] | None = None) -> list[Shortage]:
        """Which of the features (None: all) are still warming up, the greatest lack first."""
        features = self.catalogue.features
        if names is not None:
            features = tuple(self.catalogue[name] for name in names)
        window = self._frames["window"]
        frames = ("", *longer(self.catalogue.timeframe))
        seen = {name: int(count) for name, count in zip(frames, window["count"], strict=True)}
        seen["session"] = int(window["sessions"][0])
        return shortages(features, seen)

    def require(self, names: Sequence[str] | None = None) -> None:
        """Raise TooLittleHistory, saying what is needed, unless the features are all known."""
        lacking = self.shortages(names)
        if not lacking:
            return
        more = f", and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
        raise TooLittleHistory(
            f"{self.symbol} has too little history on {self.catalogue.timeframe}: "
            f"{'; '.join(map(str, lacking[:_NAMED]))}{more}; supply earlier bars"
        )

    @property
    def nbytes(self) -> int:
        """Size of the state, the same for every length of history."""
        return int(self._frames.nbytes)

    def _session_of(self, minute: int) -> tuple[int, int, int]:
        """Open and close of a minute's session and the close before it; (-1, -1, 0) outside all."""
        if not self._session[0] <= minute < self._session[1]:
            index = int(self._calendar.session_index(np.array([minute]))[0])
            if index < 0:
                return -1, -1, 0
            self._session = (
                int(self._calendar.opens[index]),
                int(self._calendar.closes[index]),
                int(self._calendar.closes[index - 1]) if index > 0 else 0,
            )
        return self._session

    def records(self, bars: BarSeries) -> np.ndarray:
        """The bars as the engine takes them, dtype BAR; ValueError for another timeframe."""
        records = np.empty(len(bars), BAR)
        records["start"] = bars.start
        records["end"] = bars.end
        records["session_open"] = self._calendar.opens[bars.session]
        records["session_close"] = self._calendar.closes[bars.session]
        before = self._calendar.closes[bars.session - 1]
        records["close_before"] = np.where(bars.session > 0, before, 0)
        for name in _PRICES:
            records[name] = getattr(bars, name)
        length = np.minimum(self.catalogue.minutes, records["session_close"] - records["start"])
        if np.any(records["end"] - records["start"] != length):
            raise ValueError(
                f"these bars of {bars.symbol} are not {self.catalogue.timeframe} bars; build them "
                f"with quant_core.bars.aggregate(..., {self.catalogue.minutes})"
            )
        return records

    def _refuse(self, records: np.ndarray) -> None:
        row, code = first_fault(self._frames, records)
        if row >= 0:
            raise RejectedBar(self.symbol, records[row], REASONS[code])


def compute(bars: BarSeries, timeframe: str, calendar: Calendar) -> FeatureTable:
    """The features of a whole history: what a live stream would have said at each bar."""
    return FeatureStream(bars.symbol, timeframe, calendar, bars.feed).run(bars)
