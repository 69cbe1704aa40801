"""What would have been: the trade of one signal taken alone, the signals of other multipliers.

Vetoes and approvals are judged by the first, analyses by the second. The engine, fills and exits
are those of any trade. A followed signal has a desk of its own: one position, no other limits, and
volume caps as always. This answers questions after the session; no decision may read it.
"""

from typing import Any

import numpy as np

from quant_core.compiled import compiled
from quant_core.desk import MR_ARMED, Desk
from quant_core.engine import advance
from quant_core.events import EventLog, read
from quant_core.exchange import close_session, fill_entry, process_exits
from quant_core.grid import Grid
from quant_core.types import Decision, Multipliers, Setup, Signal, Trade

SHARES = 100


@compiled
def _follow(
    clocks: np.ndarray, grid: Grid, s: int, slots: np.ndarray, accounts: np.ndarray,
    rule_records: np.ndarray, log: EventLog, after: int,
) -> None:  # fmt: skip
    clock, account, rules, slot = clocks[0], accounts[0], rule_records[0], slots[0]
    for row in range(after, clock.minutes):
        if not grid.present[row, s]:
            continue
        minute = clock.open + row
        flat = row >= clock.flat_from
        open, volume = grid.open[row, s], grid.volume[row, s]
        if slot.entry_quantity > 0:
            fill_entry(log, slot, account, rules, 0, minute, open, volume, flat)
        if slot.quantity > 0:
            high, low = grid.high[row, s], grid.low[row, s]
            process_exits(log, slot, account, rules, 0, minute, open, high, low, volume, flat)
        slot.last_close = grid.close[row, s]
        slot.last_minute = minute
        if slot.entry_quantity == 0 and slot.quantity == 0:
            return
    close_session(log, slots, account, rules)


def follow(
    signal: Signal, grid: Grid, clock: np.ndarray, rules: np.ndarray, symbol: int, row: int
) -> Trade | None:
    """The trade of 100 shares a signal at `row` would have made; None when it never filled.

    `symbol` is the column of the grid; the entry fills at the symbol's next bar, as any entry.
    """
    desk = Desk.new(1, 1.0)
    slot: Any = desk.slots[0]
    slot["setup"] = list(Setup).index(signal.setup)
    slot["side"] = signal.side
    slot["state"] = MR_ARMED
    slot["entry_quantity"] = SHARES
    slot["reference"], slot["stop"], slot["target"] = signal.price, signal.stop, signal.target
    slot["signal_minute"] = clock["open"][0] + row
    log = EventLog.with_room_for(1)
    _follow(clock, grid, symbol, desk.slots, desk.account, rules, log, row + 1)
    trades = [event for event in read(log, (signal.symbol,), {}) if isinstance(event, Trade)]
    return trades[0] if trades else None


def in_r(trade: Trade, signal: Signal) -> float:
    """A trade's profit after costs in units of the risk its signal planned; NaN without risk."""
    risk = trade.quantity * abs(signal.price - signal.stop)
    return trade.pnl / risk if risk > 0.0 else np.nan


def signals_under(
    desk: Desk, multipliers: Multipliers, rows: range, grid: Grid, clock: np.ndarray,
    rules: np.ndarray, symbols: tuple[str, ...],
) -> list[Signal]:  # fmt: skip
    """The signals that risk lets pass in some rows of a session under these multipliers.

    `desk` is the state before the first row and is left as it is; nobody validates. The
    multipliers hold in all rows, but not beyond.
    """
    alone, log = desk.copy(), EventLog.with_room_for(len(symbols))
    alone.take_advice(multipliers, int(clock["open"][0]) + rows.stop)
    states = np.zeros(grid.present.shape, np.int8)
    found: list[Signal] = []
    row = rows.start
    while row < rows.stop:
        _, row, _ = advance(
            alone, grid, clock, rules, log, states, np.zeros_like(states), row, rows.stop
        )
        found += [
            event.signal
            for event in read(log, symbols, {})
            if isinstance(event, Decision) and event.plan.quantity > 0
        ]
        log.used[0] = 0
    return found
