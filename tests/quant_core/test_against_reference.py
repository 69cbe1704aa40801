"""The engine against an independent reading of the rules, on real bars and on hostile ones.

`tests/reference/stdev_reference.py` computes the same replay in plain Python and shares nothing
with the core. States, sides, readiness, signals, refusals, trades and rejected rows must be equal;
μ, σ, z and prices to 1e-9.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant_core.bars import REASONS, accept_days, accept_minutes
from quant_core.calendar import Calendar, Session, xnys
from quant_core.desk import Desk
from quant_core.engine import open_session
from quant_core.grid import session_clock
from quant_core.parameters import FillRules, RiskLimits, StdevParameters, pack
from quant_core.premarket import SymbolHistory
from quant_core.tracks import Track, session_grid
from quant_core.types import Decision, RiskChange, Snapshot, State, Trade
from tests.quant_core.worlds import LIFTED, NAN, Runner, put_in_force, stored
from tests.reference import stdev_reference
from tests.reference.stdev_reference import Reference, reference_replay

JANUARY = ["SPY", "AAPL", "MSFT", "NVDA", "AMD", "META", "AMZN", "INTC", "SNOW"]
PLAIN = (1.0, 1.0, 1.0, 1.0)
EAGER = (0.5, 2.0, 0.5, 0.5)
REJECTIONS = {
    "high_below_open_or_close": "high_below_body",
    "low_above_open_or_close": "low_above_body",
}
REFUSALS = {
    "halted": "risk_state",
    "no_stop": "atr_5m_known",
    "concurrent_positions": "positions",
    "trades_per_symbol_day": "trades_per_symbol",
}
SIZES = {"risk_per_trade", "position_size", "symbol_exposure", "total_exposure", "open_risk"}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is replayed."""

    bars: Sequence[Path]
    daily: Path
    first: date
    last: date
    symbols: Sequence[str]
    start_equity: float = 100_000.0
    caps_lifted: bool = False
    multipliers: tuple[float, float, float, float] = PLAIN


@dataclass
class Replayed:
    """What the core made of a request."""

    rejections: Counter[tuple[str, str]] = field(default_factory=Counter)
    snapshots: list[Snapshot] = field(default_factory=list)
    cycles: list[pd.DataFrame] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    risk_changes: list[RiskChange] = field(default_factory=list)
    equity: float = 0.0


def replay(request: Request) -> Replayed:
    """The request through quant_core alone, one block a session."""
    found = Replayed()
    calendar = xnys(2018, 2026)
    sessions = calendar.between(request.first, request.last)
    first = int(np.searchsorted(calendar.opens, sessions[0].open))
    playbook = StdevParameters()
    tracks, histories = [], []
    for symbol in request.symbols:
        rows = stored([p for f in request.bars if (p := f / f"{symbol}.parquet").exists()], symbol)
        minutes, codes = accept_minutes(rows, calendar)
        for code, count in zip(*np.unique(codes[codes > 0], return_counts=True), strict=True):
            reason = REASONS[code]
            found.rejections[symbol, REJECTIONS.get(reason, reason)] = int(count)
        days, _ = accept_days(stored([request.daily / f"{symbol}.parquet"], symbol), calendar)
        tracks.append(Track.of(minutes, calendar, playbook, first))
        histories.append(SymbolHistory.of(symbol, minutes, days, calendar))
    limits = LIFTED if request.caps_lifted else RiskLimits()
    rules = pack(playbook, limits, FillRules())
    desk = Desk.new(len(request.symbols), request.start_equity)
    for offset, session in enumerate(sessions):
        snapshots = [history.snapshot(first + offset, calendar) for history in histories]
        runner = Runner(
            session_grid(tracks, calendar, first + offset),
            session_clock(session, playbook),
            rules,
            tuple(request.symbols),
        )
        open_session(
            desk,
            np.array([s.htf_trend for s in snapshots]),
            np.array([not s.incomplete and s.atr_percentile <= 85.0 for s in snapshots]),
            np.array([s.average_volume for s in snapshots]),
            NAN,
        )
        put_in_force(desk, request.multipliers, session.close)
        runner.run(desk, 0, session.minutes)
        found.snapshots += snapshots
        found.cycles.append(cycle_rows(runner, snapshots, session))
        found.decisions += [e for e in runner.events if isinstance(e, Decision)]
        found.trades += [e for e in runner.events if isinstance(e, Trade)]
        found.risk_changes += [e for e in runner.events if isinstance(e, RiskChange)]
    rank = {symbol: place for place, symbol in enumerate(request.symbols)}
    found.trades.sort(key=lambda trade: (trade.exit_time, rank[trade.symbol]))
    found.equity = float(desk.account["equity"][0])
    return found


def cycle_rows(runner: Runner, snapshots: Sequence[Snapshot], session: Session) -> pd.DataFrame:
    """One row per bar, by minute and then by watchlist order, as the reference has them."""
    grid = runner.grid
    row, symbol = np.nonzero(grid.present)
    z = grid.z[row, symbol]
    starts = pd.to_datetime((session.open + row) * 60, unit="s", utc=True)
    return pd.DataFrame(
        {
            "symbol": np.array(runner.symbols, object)[symbol],
            "timestamp": starts,
            "close": grid.close[row, symbol],
            "mu": grid.mean[row, symbol],
            "sigma": grid.deviation[row, symbol],
            "z": z,
            "ready": ~np.isnan(z),
            "htf_trend": np.array([s.htf_trend for s in snapshots])[symbol],
            "state": np.array([str(state) for state in State], object)[runner.states[row, symbol]],
            "side": runner.sides[row, symbol].astype(int),
        }
    )


def check(request: Request) -> tuple[Replayed, Reference]:
    """Replay a request twice and compare everything."""
    mine = replay(request)
    reference = reference_replay(
        list(request.bars),
        request.daily,
        request.first,
        request.last,
        list(request.symbols),
        start_equity=request.start_equity,
        caps_lifted=request.caps_lifted,
        multipliers=request.multipliers,
    )
    same_rejections(mine, reference)
    same_snapshots(mine, reference)
    same_cycles(pd.concat(mine.cycles, ignore_index=True), reference.cycles)
    same_signals(mine.decisions, reference.signals)
    same_trades(mine.trades, reference.trades)
    earned = sum(trade.pnl for trade in mine.trades)
    assert mine.equity == pytest.approx(request.start_equity + earned, rel=1e-12)
    return mine, reference


def same_rejections(mine: Replayed, reference: Reference) -> None:
    rows = reference.bar_rejections.itertuples(index=False)
    assert mine.rejections == Counter({(row.symbol, row.reason): row.count for row in rows})


def same_snapshots(mine: Replayed, reference: Reference) -> None:
    assert len(mine.snapshots) == len(reference.snapshots)
    for ours, theirs in zip(
        mine.snapshots, reference.snapshots.itertuples(index=False), strict=True
    ):
        assert (ours.symbol, ours.date, ours.hh_ll_tag, ours.sessions, ours.htf_trend) == (
            theirs.symbol,
            theirs.date,
            theirs.hh_ll_tag,
            theirs.sessions,
            theirs.htf_trend,
        )
        for name in ("ema_slope_daily", "ema_slope_hourly", "atr_percentile", "atr_5m"):
            value = pytest.approx(getattr(theirs, name), rel=1e-9, abs=1e-12, nan_ok=True)
            assert getattr(ours, name) == value, (name, ours)


def same_cycles(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    assert len(ours) == len(theirs)
    for name in ("symbol", "timestamp", "close", "ready", "htf_trend", "state", "side"):
        left, right = ours[name].to_numpy(), theirs[name].to_numpy()
        differs = np.flatnonzero(left != right)
        if len(differs):
            at = differs[0]
            pytest.fail(
                f"{name} differs in {len(differs)} cycles, first in\n{theirs.iloc[at].to_dict()}"
                f"\nwhere the core has {left[at]!r}"
            )
    for name in ("mu", "sigma", "z"):
        np.testing.assert_allclose(
            ours[name].to_numpy(), theirs[name].to_numpy(), rtol=1e-9, atol=1e-9, err_msg=name
        )


def same_signals(ours: Sequence[Decision], theirs: pd.DataFrame) -> None:
    assert len(ours) == len(theirs)
    for decision, row in zip(ours, theirs.itertuples(index=False), strict=True):
        signal = decision.signal
        side = "long" if signal.side > 0 else "short"
        assert (signal.symbol, signal.start, str(signal.setup), side, signal.price) == (
            row.symbol,
            row.timestamp,
            row.setup,
            row.side,
            row.price,
        )
        for name in ("stop", "target", "z"):
            expected = pytest.approx(getattr(row, name), rel=1e-9, abs=1e-9, nan_ok=True)
            assert getattr(signal, name) == expected, (name, row)
        assert decision.plan.quantity == row.qty, row
        assert refusals(decision) == {REFUSALS.get(name, name) for name in row.blocks.split("|")}


def refusals(decision: Decision) -> set[str]:
    """Every check that blocks, in the reference's words; an entry without a stop is only that."""
    found = {line.name for line in decision.plan.checks if line.outcome == "block"}
    found.discard("quantity")
    if "daily_loss_percent" in found:
        found = found - {"daily_loss_percent"} | {"daily_loss"}
    if "atr_5m_known" in found:
        found.discard("reward_risk")
    if found & SIZES:
        found = found - SIZES | {"size"}
    return found or {""}


def same_trades(ours: Sequence[Trade], theirs: pd.DataFrame) -> None:
    assert len(ours) == len(theirs)
    for trade, row in zip(ours, theirs.itertuples(index=False), strict=True):
        side = "long" if trade.side > 0 else "short"
        mine = (trade.symbol, str(trade.setup), side, trade.quantity, str(trade.exit_reason))
        assert mine == (row.symbol, row.setup, row.side, row.qty, row.exit_reason), row
        assert (trade.entry_time, trade.exit_time) == (row.entry_time, row.exit_time), row
        for name in ("entry_price", "exit_price", "pnl", "fees"):
            expected = pytest.approx(getattr(row, name), rel=1e-9, abs=1e-8)
            assert getattr(trade, name) == expected, (name, row)


# ------------------------------------------------------------------------------ real bars


def january(data: Path, **values) -> Request:
    return Request(
        **{
            "bars": [data / "bars/1min/us-2025-01"],
            "daily": data / "bars/1day/us-2024-2026",
            "first": date(2025, 1, 2),
            "last": date(2025, 1, 31),
            "symbols": JANUARY,
            **values,
        }
    )


def test_january_2025_nine_symbols(market_data):
    mine, reference = check(january(market_data))
    assert len(reference.cycles) == 70_053
    assert len(mine.decisions) == 182
    assert len(mine.trades) == 130
    assert sum(trade.pnl for trade in mine.trades) == pytest.approx(-216.641061, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("lifted", [False, True])
@pytest.mark.parametrize("multipliers", [PLAIN, EAGER, (2.0, 0.5, 2.0, 2.0), (0.5,) * 4])
def test_january_2025_with_caps_and_multipliers(market_data, lifted, multipliers):
    mine, _ = check(january(market_data, caps_lifted=lifted, multipliers=multipliers))
    assert len(mine.trades) > 50


def test_january_2025_easier_thresholds_and_lifted_caps(market_data):
    request = january(
        market_data,
        first=date(2025, 1, 13),
        last=date(2025, 1, 17),
        symbols=["SNOW", "SPY", "NVDA", "INTC"],
        caps_lifted=True,
        multipliers=EAGER,
    )
    mine, _ = check(request)
    assert len(mine.trades) > 10


def test_november_2025_with_its_half_day(market_data):
    request = Request(
        bars=[market_data / "bars/1min/us-2025-11"],
        daily=market_data / "bars/1day/us-2024-2026",
        first=date(2025, 11, 6),
        last=date(2025, 11, 28),
        symbols=["SPY", "QQQ"],
    )
    mine, reference = check(request)
    assert len(mine.trades) > 10
    half = reference.cycles["timestamp"].dt.date == date(2025, 11, 28)
    assert half.sum() == 2 * 210


@pytest.mark.slow
def test_spy_over_ten_months_and_both_clock_changes(market_data):
    """Two folders for one symbol; daily bars begin in July 2024, so it arms from September on."""
    request = Request(
        bars=[market_data / "bars/1min/us-2024", market_data / "bars/1min/us-2025-11"],
        daily=market_data / "bars/1day/us-2024-2026",
        first=date(2024, 9, 3),
        last=date(2025, 1, 31),
        symbols=["SPY"],
        caps_lifted=True,
        multipliers=EAGER,
    )
    mine, _ = check(request)
    assert len(mine.trades) > 100


def test_spy_in_the_weeks_around_the_autumn_clock_change(market_data):
    request = Request(
        bars=[market_data / "bars/1min/us-2024"],
        daily=market_data / "bars/1day/us-2024-2026",
        first=date(2024, 10, 28),
        last=date(2024, 11, 8),
        symbols=["SPY"],
    )
    mine, _ = check(request)
    assert len(mine.snapshots) == 10


@pytest.mark.slow
def test_rows_of_two_folders_overlap_and_are_refused_alike(market_data):
    """January is in both SPY files: every second row of it is a duplicate or out of order."""
    request = Request(
        bars=[market_data / "bars/1min/us-2025-01", market_data / "bars/1min/us-2024"],
        daily=market_data / "bars/1day/us-2024-2026",
        first=date(2025, 1, 6),
        last=date(2025, 1, 10),
        symbols=["SPY"],
    )
    mine, _ = check(request)
    assert mine.rejections["SPY", "duplicate"] > 7000


# --------------------------------------------------------------------------- hostile bars

WINDOWS = [
    (date(2025, 1, 7), date(2025, 1, 10)),  # a day of mourning between
    (date(2025, 3, 6), date(2025, 3, 11)),  # clocks go forward
    (date(2025, 7, 2), date(2025, 7, 7)),  # half-day in summer
    (date(2025, 10, 30), date(2025, 11, 4)),  # clocks go back
    (date(2025, 11, 25), date(2025, 12, 1)),  # half-day in winter
]


@lru_cache(maxsize=1)
def calendar_of_tests() -> Calendar:
    return xnys(2023, 2026)


class Hostile:
    """A market meant to break something: thin, gapped, jumping, with holes and bad rows.

    It is a random walk by seed and claims no likeness to anything.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        self.rng = np.random.default_rng(seed)
        rng = self.rng
        self.folder = folder
        self.first, self.last = WINDOWS[seed % len(WINDOWS)]
        self.symbols = ["AA", "BB", "CC", "DD", "EE", "FF"][: int(rng.integers(2, 7))]
        self.scale = float(rng.choice([0.0003, 0.002, 0.01]))
        self.jump = float(rng.choice([0.0, 0.002, 0.004, 0.01]))
        self.thick = float(rng.choice([150.0, 3_000.0, 1e7], p=[0.2, 0.3, 0.5]))
        self.hole = float(rng.choice([0.0, 0.02, 0.5]))
        self.faults = float(rng.choice([0.0, 0.01]))
        self.together = float(rng.choice([0.0, 0.8, 0.99]))
        self.crowd: dict[int, np.ndarray] = {}

    def write(self) -> Request:
        rng = self.rng
        bars, daily = self.folder / "bars", self.folder / "daily"
        bars.mkdir()
        daily.mkdir()
        for symbol in self.symbols:
            price = float(rng.choice([4.0, 60.0, 700.0]))
            self.minutes(price).to_parquet(bars / f"{symbol}.parquet")
            self.days(price).to_parquet(daily / f"{symbol}.parquet")
        multipliers = [PLAIN, EAGER, (0.5, 0.5, 0.5, 0.5), (1.3, 1.7, 0.8, 1.2)]
        return Request(
            bars=[bars],
            daily=daily,
            first=self.first,
            last=self.last,
            symbols=self.symbols,
            start_equity=float(rng.choice([4_000.0, 30_000.0, 100_000.0, 2e6])),
            caps_lifted=bool(rng.random() < 0.5),
            multipliers=multipliers[int(rng.integers(4))],
        )

    def minutes(self, price: float) -> pd.DataFrame:
        """Some sessions of history and those of the replay, with rows outside the hours."""
        lead = int(self.rng.choice([2, 5], p=[0.1, 0.9]))
        calendar = calendar_of_tests()
        sessions = calendar.between(self.first - timedelta(days=20), self.first)[-1 - lead : -1]
        sessions += calendar.between(self.first, self.last)
        parts = []
        for session in sessions:
            part, price = self.session(session, price)
            parts.append(part)
        frame = pd.concat(parts, ignore_index=True)
        return self.spoiled(frame)

    def session(self, session: Session, price: float) -> tuple[pd.DataFrame, float]:
        rng = self.rng
        starts = np.arange(session.open - 3, session.close + 2)
        count = len(starts)
        if session.open not in self.crowd:
            self.crowd[session.open] = self.steps(count)
        own = np.sqrt(1.0 - self.together**2)
        steps = self.together * self.crowd[session.open] + own * self.steps(count)
        steps[0] += rng.normal(0.0, 5 * self.scale)
        close = np.maximum(price * np.exp(np.cumsum(steps)), 1.0)
        before = np.r_[price, close[:-1]]
        open_ = np.maximum(before * np.exp(rng.normal(0.0, self.scale / 2, count)), 1.0)
        wick = np.exp(np.abs(rng.normal(0.0, self.scale / 2, count)))
        frame = pd.DataFrame(
            {
                "timestamp": pd.to_datetime(starts * 60, unit="s", utc=True).as_unit("us"),
                "open": np.round(open_, 2),
                "high": np.round(np.maximum(open_, close) * wick, 2),
                "low": np.round(np.minimum(open_, close) / wick, 2),
                "close": np.round(close, 2),
                "volume": np.floor(self.thick * np.exp(rng.normal(0.0, 1.5, count))),
            }
        )
        frame.loc[rng.random(count) < 0.02, "volume"] = 0.0
        keep = rng.random(count) >= self.hole
        fate = rng.random()
        if fate < 0.05:
            keep[:] = False  # never trades that day
        elif fate < 0.35:  # falls silent, and may come back
            begin = int(rng.integers(0, min(count, 200)))
            end = int(rng.choice([begin + 40, count - 8, count]))
            keep[begin:end] = False
        elif fate < 0.45:  # dries up in the afternoon
            frame.loc[count - 60 :, "volume"] = np.minimum(frame["volume"][count - 60 :], 30.0)
        return frame[keep], float(close[-1])

    def steps(self, count: int) -> np.ndarray:
        """Log returns with jumps, of one symbol or of all together."""
        steps = self.rng.normal(0.0, self.scale, count)
        jumps = self.rng.random(count) < self.jump
        steps[jumps] += self.rng.choice([-0.3, -0.06, 0.06, 0.4], int(jumps.sum()))
        return steps

    def spoiled(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Rows of every kind that must be refused, in stored order."""
        rng = self.rng
        frame = frame.copy()
        places = np.flatnonzero(rng.random(len(frame)) < self.faults)
        for place in places:
            kind = int(rng.integers(6))
            if kind == 0:
                frame.iloc[place, 1 + int(rng.integers(5))] = NAN
            elif kind == 1:
                frame.iloc[place, 2] = frame.iloc[place, 3] - 0.5
            elif kind == 2:
                frame.iloc[place, 3] = frame.iloc[place, 2] + 0.5
            elif kind == 3:
                frame.iloc[place, 5] = -1.0
            elif kind == 4 and place:  # twice, with another price
                frame.iloc[place, 0] = frame.iloc[place - 1, 0]
            elif place > 3:  # out of order
                frame.iloc[place, 0] = frame.iloc[place - 3, 0] - pd.Timedelta(minutes=1)
        return frame

    def days(self, price: float) -> pd.DataFrame:
        rng = self.rng
        calendar = calendar_of_tests()
        history = int(rng.choice([22, 60, 280], p=[0.1, 0.4, 0.5]))
        sessions = calendar.between(date(2023, 1, 3), self.last)
        before = sum(1 for session in sessions if session.date < self.first)
        sessions = sessions[before - history :]
        growth = np.linspace(rng.choice([0.5, 1.0, 2.0]), 1.0, len(sessions))
        steps = rng.normal(rng.choice([-0.003, 0.0, 0.003]), 0.015, len(sessions)) * growth
        close = price * np.exp(np.cumsum(steps) - steps.sum())
        open_ = close * np.exp(rng.normal(0, 0.003, len(sessions)))
        wick = np.exp(np.abs(rng.normal(0.0, 0.006, len(sessions))) * growth)
        volume = np.full(len(sessions), rng.choice([4e5, 1e6, 1e7], p=[0.05, 0.45, 0.5]))
        stamps = [pd.Timestamp(s.date, tz="America/New_York").tz_convert("UTC") for s in sessions]
        return pd.DataFrame(
            {
                "timestamp": pd.DatetimeIndex(stamps).as_unit("us"),
                "open": np.round(open_, 2),
                "high": np.round(np.maximum(open_, close) * wick, 2),
                "low": np.round(np.minimum(open_, close) / wick, 2),
                "close": np.round(close, 2),
                "volume": volume,
            }
        )


@pytest.fixture
def one_calendar(monkeypatch):
    """The reference builds its calendar anew for every replay; here it is built once a range."""
    monkeypatch.setattr(stdev_reference, "load_sessions", sessions_once)


@lru_cache(maxsize=64)
def sessions_once(first: date, last: date) -> stdev_reference.Sessions:
    return ORIGINAL_LOAD(first, last)


ORIGINAL_LOAD = stdev_reference.load_sessions


# 258 is a market in which the kill switch is thrown.
@pytest.mark.parametrize("seed", [*range(15), 258])
@pytest.mark.usefixtures("one_calendar")
def test_hostile_bars(seed, tmp_path):
    check(Hostile(seed, tmp_path).write())


@pytest.mark.slow
@pytest.mark.parametrize("block", range(20))
@pytest.mark.usefixtures("one_calendar")
def test_very_many_hostile_bars(block, tmp_path):
    for seed in range(1000 + 20 * block, 1020 + 20 * block):
        folder = tmp_path / str(seed)
        folder.mkdir()
        check(Hostile(seed, folder).write())


@pytest.mark.slow
def test_hostile_bars_reach_every_corner(tmp_path):
    """What the comparison above is worth: these exits and refusals happen in such markets."""
    seen: Counter[str] = Counter()
    for seed in (*range(100), 258):
        folder = tmp_path / str(seed)
        folder.mkdir()
        mine = replay(Hostile(seed, folder).write())
        seen.update(str(trade.exit_reason) for trade in mine.trades)
        seen.update(decision.plan.blocked_by for decision in mine.decisions)
    assert {"stop", "trailing_stop", "target", "end_of_day"} <= set(seen)
    assert {
        "positions",
        "trades_per_day",
        "trades_per_symbol",
        "daily_loss",
        "risk_state",
        "average_volume",
        "risk_per_trade",
        "position_size",
    } <= set(seen)
