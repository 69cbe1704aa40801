"""What a signal would have made, had it been taken alone: how vetoes and approvals are judged.

The same fills and exits as any trade, on a desk of its own: one position, no other limits, and
volume caps as always. It answers a question after the session; no decision may read it.
"""

from typing import Any

import numpy as np

from quant_core.compiled import compiled
from quant_core.desk import MR_ARMED, Desk
from quant_core.events import EventLog, read
from quant_core.exchange import close_session, fill_entry, process_exits
from quant_core.grid import Grid
from quant_core.types import Setup, Signal, Trade

_SHARES = 100


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
    slot["entry_quantity"] = _SHARES
    slot["reference"], slot["stop"], slot["target"] = signal.price, signal.stop, signal.target
    slot["signal_minute"] = clock["open"][0] + row
    log = EventLog.with_room_for(1)
    _follow(clock, grid, symbol, desk.slots, desk.account, rules, log, row + 1)
    trades = [event for event in read(log, (signal.symbol,), {}) if isinstance(event, Trade)]
    return trades[0] if trades else None
