"""Bars for the tests: hand-written rows, random walks with dull stretches, recorded ones."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from quant_core.bars import BarSeries, accept_minutes
from quant_core.calendar import xnys
from quant_core.features import FeatureTable, compute
from quant_core.features.engine import FRAME, WIDTH, advance, new_frames
from quant_core.features.window import BAR
from tools.market.files import read_bars

CALENDAR = xnys(2013, 2026)
Row = tuple[float, float, float, float] | tuple[float, float, float, float, float]


def minutes_of(session: str, sessions: int = 1) -> np.ndarray:
    """All minutes of consecutive sessions from a date on, shape (2, minutes): start, session."""
    first = int(np.searchsorted(CALENDAR.days, np.datetime64(session, "D").astype(np.int64)))
    spans = [
        np.array([np.arange(CALENDAR.opens[k], CALENDAR.closes[k]), np.full(minutes(k), k)])
        for k in range(first, first + sessions)
    ]
    return np.concatenate(spans, axis=1)


def minutes(session: int) -> int:
    return int(CALENDAR.closes[session] - CALENDAR.opens[session])


def series(
    rows: Sequence[Row],
    *,
    session: str = "2024-03-26",
    skip: Sequence[int] = (),
    feed: str = "replay",
) -> BarSeries:
    """Rows (open, high, low, close[, volume = 1000]) on the minutes of a session on.

    `skip` are positions of minutes that get no row.
    """
    columns = np.array([(*row, 1000.0)[:5] for row in rows], float).reshape(-1, 5).T
    when = minutes_of(session, 1 + (len(rows) + len(skip)) // 210)
    when = np.delete(when, list(skip), axis=1)[:, : len(rows)]
    return BarSeries(
        symbol="TEST",
        feed=feed,
        start=when[0],
        end=when[0] + 1,
        session=when[1],
        **dict(zip(("open", "high", "low", "close", "volume"), columns, strict=True)),
    )


def walk(
    seed: int,
    bars: int,
    *,
    session: str = "2024-06-28",
    missing: float = 0.0,
    flat: float = 0.0,
    idle: float = 0.0,
    price: float = 100.0,
) -> BarSeries:
    """A random walk in cents over consecutive sessions (2024-07-03 is a half-day).

    `missing`, `flat` and `idle` are shares of minutes without a bar, without movement, and without
    volume; the latter two come in runs, long enough to fill every window.
    """
    rng = np.random.default_rng(seed)
    when = minutes_of(session, 2 + int(bars / (1.0 - missing)) // 200)
    when = when[:, rng.random(when.shape[1]) >= missing][:, :bars]

    def runs(share: float) -> np.ndarray:
        return np.repeat(rng.random(bars // 30 + 1) < share, 30)[:bars]

    still = runs(flat)
    steps = np.where(still, 0, np.rint(rng.standard_t(3, bars) * 6)).astype(int)
    close = np.maximum(np.cumsum(steps) + round(price * 100), 100)
    open = np.where(still, close, np.maximum(close - np.rint(rng.normal(0, 6, bars)), 100))
    reach = np.where(still, 0, rng.integers(0, 9, (2, bars)))
    high = np.maximum(open, close) + reach[0]
    low = np.maximum(np.minimum(open, close) - reach[1], 1)
    volume = np.where(runs(idle), 0, rng.integers(0, 5000, bars)).astype(float)
    return BarSeries(
        symbol="WALK",
        start=when[0],
        end=when[0] + 1,
        session=when[1],
        open=open / 100.0,
        high=high / 100.0,
        low=low / 100.0,
        close=close / 100.0,
        volume=volume,
    )


def recorded(folder: Path, name: str, symbol: str) -> BarSeries:
    """Accepted 1-minute bars of the recorded market data."""
    raw = read_bars([folder / "bars" / "1min" / name], [symbol])[symbol]
    return accept_minutes(raw, CALENDAR)[0]


def features(rows: Sequence[Row], **options: object) -> FeatureTable:
    """The 1-minute features of hand-written rows."""
    return compute(series(rows, **options), "1min", CALENDAR)  # type: ignore[arg-type]


def columns(
    open: np.ndarray, high: np.ndarray, low: np.ndarray, close: np.ndarray, volume: np.ndarray
) -> dict[str, np.ndarray]:
    """The 139 features of any series of bars, taken as one endless session."""
    bars = np.zeros(len(close), BAR)
    bars["start"] = np.arange(len(close)) + 1_000_000
    bars["end"] = bars["start"] + 1
    bars["session_open"], bars["session_close"] = 1_000_000, 1_000_000 + len(close)
    for name, values in zip(
        ("open", "high", "low", "close", "volume"), (open, high, low, close, volume), strict=True
    ):
        bars[name] = values
    frames = new_frames("1hr")
    frames["bucket"]["timeframe"] = 1
    out = np.empty((len(bars), WIDTH))
    advance(frames, bars, out, np.empty(len(bars), np.uint8))
    names = FRAME["row"].names or ()
    return {name: out[:, k] for k, name in enumerate(names)}
