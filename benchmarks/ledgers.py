"""A big ledger for the benchmarks of what reads it: written through the Store, like any other.

A hundred trades in each of a thousand sessions, with the signal, order and fills of every trade,
an analysis every quarter of an hour, and one minute row a symbol and minute in the last sessions.
Prices walk at random from a fixed seed; nothing here claims to be a strategy.
"""

import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from advisor.settings import Settings
from quant_core.calendar import to_minute
from quant_core.cycles import CycleRows
from quant_core.types import (
    Analysis,
    Check,
    Decision,
    ExitReason,
    Fill,
    LaneDay,
    Multipliers,
    Order,
    Plan,
    RiskState,
    Setup,
    Signal,
    Trade,
    Verdict,
)
from tools.ports import LedgerRecord
from tools.store import Store

SYMBOLS = ("SPY", "QQQ", "IWM", "NVDA", "TSLA")
SESSIONS = 1_000
TRADES_A_SESSION = 100
SESSIONS_WITH_MINUTES = 5
RUN = "benchmark"
LANE = "advised"
_CHECKS = tuple(
    Check(name=f"check_{number}", before=float(number), after=100.0, outcome="pass")
    for number in range(12)
)
_MINUTE = timedelta(minutes=1)


def write_ledger(path: Path, sessions: int = SESSIONS) -> None:
    """Write the ledger; about twenty seconds for a thousand sessions."""
    import msgspec

    config = msgspec.json.encode(Settings().plain(), order="deterministic").decode()
    with Store.open(path, synchronous="NORMAL") as store:
        store.start_run(
            RUN, kind="replay", config_hash="0" * 16, code_version="benchmark", config_json=config
        )
        equity = 100_000.0
        days = list(_weekdays(date(2022, 1, 3), sessions))
        for number, day in enumerate(days):
            opened = datetime(day.year, day.month, day.day, 14, 30, tzinfo=UTC)
            draw = np.random.Generator(np.random.PCG64(number))
            records, pnl = _session(opened, draw, LANE)
            closed = _closed(day, equity, pnl)
            equity += pnl
            rows = _minutes(opened, draw) if number >= sessions - SESSIONS_WITH_MINUTES else None
            store.commit_cycle(RUN, LANE, rows, [*records, closed], b"{}")


def trading_session(
    opened: datetime, draw: np.random.Generator, lane: str, day: date
) -> list[LedgerRecord]:
    """A session's records of a lane, its close included."""
    records, pnl = _session(opened, draw, lane)
    return [*records, _closed(day, 100_000.0, pnl)]


def _closed(day: date, equity: float, pnl: float) -> LaneDay:
    return LaneDay(
        date=day, start_equity=equity, end_equity=equity + pnl, trades=TRADES_A_SESSION,
        signals=TRADES_A_SESSION, risk_state=RiskState.ACTIVE,
    )  # fmt: skip


def _weekdays(first: date, count: int) -> Iterator[date]:
    day = first
    while count:
        if day.weekday() < 5:
            yield day
            count -= 1
        day += timedelta(days=1)


def _session(
    opened: datetime, draw: np.random.Generator, lane: str
) -> tuple[list[LedgerRecord], float]:
    """One session's analyses and trades in the order of their exits, and what they earned."""
    records: list[LedgerRecord] = [
        Analysis(
            as_of=opened + timedelta(minutes=15 * quarter), analyst="rules",
            multipliers=Multipliers(mr_arm=0.9), confidence=60.0, assessment="calm",
            opportunities=("SPY back to its mean",), reasoning="two lines\nof text", evidence=(),
        )
        for quarter in range(26)
    ]  # fmt: skip
    total = 0.0
    exits = np.sort(draw.integers(3, 388, TRADES_A_SESSION))
    for number, minute in enumerate(exits):
        trade_records, pnl = _trade(opened + int(minute) * _MINUTE, number, draw, lane)
        records += trade_records
        total += pnl
    return records, total


def _trade(
    exit_time: datetime, number: int, draw: np.random.Generator, lane: str
) -> tuple[list[LedgerRecord], float]:
    symbol = SYMBOLS[number % len(SYMBOLS)]
    side = 1 if number % 2 else -1
    price, move = round(float(draw.uniform(90, 110)), 4), round(float(draw.normal(0.02, 0.5)), 4)
    quantity = int(draw.integers(5, 90))
    signal = Signal(
        symbol=symbol, start=exit_time - 2 * _MINUTE, setup=tuple(Setup)[number % 2], side=side,
        price=price, stop=price - side, target=price + 1.5 * side, z=0.55,
    )  # fmt: skip
    verdict = Verdict(ruling="approve", reasoning="nothing speaks against it", validator="rules")
    entered = exit_time - _MINUTE
    pnl = side * quantity * move
    return [
        Decision(
            signal=signal, verdict=verdict,
            plan=Plan(quantity=quantity, blocked_by="", checks=_CHECKS),
        ),
        Order(
            client_order_id=f"{lane}-{signal.start:%Y%m%d-%H%M}-{symbol}-{number}", symbol=symbol,
            side=side, quantity=quantity, reference=price, stop=signal.stop, target=signal.target,
            decided_at=signal.start,
        ),
        Fill(
            symbol=symbol, start=entered, side=side, quantity=quantity, price=price, fees=0.1,
            reason="entry",
        ),
        Fill(
            symbol=symbol, start=exit_time, side=-side, quantity=quantity, price=price + move,
            fees=0.1, reason="target",
        ),
        Trade(
            symbol=symbol, setup=signal.setup, side=side, quantity=quantity, entry_time=entered,
            entry_price=price, exit_time=exit_time, exit_price=price + move,
            exit_reason=ExitReason.TARGET, pnl=pnl - 0.2, fees=0.2, stop=signal.stop,
            target=signal.target, signal_start=signal.start,
        ),
    ], pnl - 0.2  # fmt: skip


def _minutes(opened: datetime, draw: np.random.Generator) -> CycleRows:
    """A full session of every symbol."""
    count = 390 * len(SYMBOLS)
    wave = draw.normal(0.0, 0.3, count).cumsum() * 0.05
    return CycleRows(
        symbols=SYMBOLS,
        minute=np.repeat(np.arange(390) + to_minute(opened), len(SYMBOLS)).astype(np.int64),
        symbol=np.tile(np.arange(len(SYMBOLS)), 390).astype(np.int16),
        close=100.0 + wave,
        mean=np.full(count, 100.0),
        deviation=np.full(count, 0.7),
        z=wave / 0.7,
        ready=np.ones(count, np.bool_),
        htf_trend=np.zeros(count, np.int8),
        state=np.zeros(count, np.int8),
        side=np.zeros(count, np.int8),
    )


if __name__ == "__main__":
    write_ledger(Path(sys.argv[1]))
