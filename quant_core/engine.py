"""The loop over minutes: the one step that replay, paper, live, backtests and sweeps run.

`advance` takes a desk through a block of minutes. Live passes one minute, replay everything up to
the next moment at which something outside must be asked; the result does not depend on how the
minutes are cut into blocks. It returns early in two cases: a signal waits for a verdict, or the
event log is full.

One minute, in the order of R34: waiting entries fill at the open; exits; marks at the close and
the account's test; then, symbol by symbol in watchlist order, the playbook's step, and risk on
what triggered.
"""

from typing import Any, NamedTuple

import numpy as np

from quant_core.compiled import compiled
from quant_core.desk import Desk
from quant_core.events import (
    ARMED,
    EXPIRED,
    MOST_PER_SYMBOL_MINUTE,
    SIGNAL,
    TRANSITION,
    WINDOW_END,
    EventLog,
    write,
)
from quant_core.exchange import (
    END_OF_DAY,
    account_breach,
    close_session,
    exit_at_market,
    fill_entry,
    halt_account,
    mark,
    process_exits,
)
from quant_core.grid import Grid
from quant_core.playbooks.stdev import ARMS, EXPIRES, LEAVES_WINDOW, QUIET, TRIGGERS, step
from quant_core.risk.plan import plan_entry

DONE, AWAITS_VERDICT, LOG_FULL = range(3)
NOBODY_ASKED = -1.0


class Floor(NamedTuple):
    """What the kernels work on: the session, the lane's desk, the rules, and where events go.

    `clock`, `account` and `rules` are record arrays of shape (1,); `slots` has one per symbol.
    """

    clock: np.ndarray
    grid: Grid
    slots: np.ndarray
    account: np.ndarray
    rules: np.ndarray
    log: EventLog


@compiled
def _thresholds(account: Any, rules: Any, minute: int) -> tuple[float, float, float, float]:
    """The z thresholds in force: multipliers until they expire, tighten-only in drawdown."""
    if minute >= account.multipliers_until:
        return rules.mr_arm_z, rules.mr_trigger_z, rules.tc_arm_z, rules.tc_trigger_z
    mr_arm, tc_arm = account.mr_arm, account.tc_arm
    loss = account.session_equity - account.equity
    limit = min(rules.max_daily_loss, rules.max_daily_loss_percent / 100.0 * account.session_equity)
    if loss > limit / 2.0:
        mr_arm, tc_arm = max(mr_arm, 1.0), max(tc_arm, 1.0)
    return (
        rules.mr_arm_z * mr_arm,
        rules.mr_trigger_z * account.mr_trigger,
        rules.tc_arm_z * tc_arm,
        rules.tc_trigger_z * account.tc_trigger,
    )


@compiled
def _report(
    log: EventLog, slot: Any, rules: Any, s: int, minute: int, outcome: int,
    before: tuple[int, int], z: float, price: float, atr_5m: float,
) -> None:  # fmt: skip
    """Write what the playbook's step did; `before` are side and setup before it."""
    if outcome == ARMS:
        write(log, TRANSITION, ARMED, minute, s, slot).z = z
    elif outcome in (EXPIRES, LEAVES_WINDOW):
        reason = EXPIRED if outcome == EXPIRES else WINDOW_END
        event = write(log, TRANSITION, reason, minute, s, slot)
        event.z = z
        event.side, event.setup = before
    elif outcome == TRIGGERS:
        distance = rules.atr_multiplier_sl * atr_5m
        slot.reference = price
        slot.stop = price - slot.side * distance
        slot.target = price + slot.side * rules.min_rr_ratio * distance
        slot.signal_minute = minute
        event = write(log, SIGNAL, 0, minute, s, slot)
        event.z, event.price = z, price


@compiled
def _plan(
    slots: np.ndarray,
    log: EventLog,
    account: Any,
    rules: Any,
    s: int,
    minute: int,
    in_window: bool,
    age: float,
    size_factor: float,
    commit: bool,
) -> int:
    """Let risk decide on the log's last event, a signal; `commit` queues the entry."""
    signal, table = log.events[log.used[0] - 1], log.checks[log.used[0] - 1]
    table[:] = 0.0
    quantity = plan_entry(
        table,
        slots,
        account,
        rules,
        s,
        minute,
        in_window,
        age,
        signal.price,
        signal.stop,
        signal.target,
        size_factor,
    )
    signal.quantity = quantity
    if quantity > 0 and commit:
        slots[s].entry_quantity = quantity
        slots[s].trades_today += 1
        account.trades_today += 1
        if account.order_minute != minute:
            account.order_minute, account.orders_in_minute = minute, 0
        account.orders_in_minute += 1
    return quantity


@compiled
def run_rows(
    floor: Any,
    states: np.ndarray,
    sides: np.ndarray,
    first: int,
    last: int,
    resume: int,
    size_factor: float,
    age: float,
    validate: bool,
    external: bool,
) -> tuple[int, int, int]:
    """`advance` for kernels.

    Surprise recorded here: handing a group of ten arrays to a function costs 150 ns in reference
    counts, ten times what a quiet minute needs. So the minute is written out in this one loop, and
    what it calls on every bar takes records and numbers only.
    """
    grid, slots, log = floor.grid, floor.slots, floor.log
    present, close, z, atr_5m = grid.present, grid.close, grid.z, grid.atr_5m
    open, high, low, volume = grid.open, grid.high, grid.low, grid.volume
    clock, account, rules = floor.clock[0], floor.account[0], floor.rules[0]
    used, room = log.used, len(log.events) - MOST_PER_SYMBOL_MINUTE * len(slots)
    for row in range(first, last):
        minute = clock.open + row
        in_window = clock.entry_from <= row < clock.entry_until
        begin = 0
        if row == first and resume >= 0:
            _plan(slots, log, account, rules, resume, minute, in_window, age, size_factor, True)
            begin = resume + 1
        else:
            if used[0] > room:
                return LOG_FULL, row, -1
            flat = row >= clock.flat_from
            for s in range(len(slots)):
                if external:
                    exit_at_market(
                        slots[s], rules, minute, present[row, s], high[row, s], low[row, s],
                        row + 1 >= clock.flat_from,
                    )  # fmt: skip
                elif slots[s].entry_quantity > 0 and present[row, s]:
                    fill_entry(
                        log, slots[s], account, rules, s, minute,
                        open[row, s], volume[row, s], flat,
                    )  # fmt: skip
            for s in range(len(slots)):
                if not present[row, s]:
                    continue
                if slots[s].quantity > 0 and not external:
                    process_exits(
                        log, slots[s], account, rules, s, minute,
                        open[row, s], high[row, s], low[row, s], volume[row, s], flat,
                    )  # fmt: skip
                slots[s].last_close = close[row, s]
                slots[s].last_minute = minute
            mark(slots, account)
            breach = account_breach(account, rules)
            if breach != 0:
                halt_account(log, slots, account, minute, breach, external)
        for s in range(begin, len(slots)):
            if not present[row, s] or np.isnan(z[row, s]):
                continue
            slot = slots[s]
            before = slot.side, slot.setup
            mr_arm, mr_trigger, tc_arm, tc_trigger = _thresholds(account, rules, minute)
            outcome = step(
                slot, z[row, s], minute, in_window, rules, mr_arm, mr_trigger, tc_arm, tc_trigger
            )
            if outcome == QUIET:
                continue
            _report(
                log, slot, rules, s, minute, outcome, before,
                z[row, s], close[row, s], atr_5m[row, s],
            )  # fmt: skip
            if outcome != TRIGGERS:
                continue
            passes = _plan(
                slots, log, account, rules, s, minute, in_window, age, NOBODY_ASKED, not validate
            )
            if validate and passes > 0:
                return AWAITS_VERDICT, row, s
        for s in range(len(slots)):
            states[row, s] = slots[s].state
            sides[row, s] = slots[s].side
        if row == clock.minutes - 1 and not external:
            # After the rows: whoever reads a bar's row sees what was known at its close (R31, R41).
            close_session(log, slots, account, rules)
            mark(slots, account)
    return DONE, last, -1


def advance(
    desk: Desk,
    grid: Grid,
    clock: np.ndarray,
    rules: np.ndarray,
    log: EventLog,
    states: np.ndarray,
    sides: np.ndarray,
    first: int,
    last: int,
    *,
    resume: int = -1,
    size_factor: float = NOBODY_ASKED,
    age: float = 0.0,
    validate: bool = False,
    external: bool = False,
) -> tuple[int, int, int]:
    """Take a desk through rows [first, last) of a session; returns (outcome, row, symbol).

    DONE: every row was processed. LOG_FULL: rows before `row` were; empty the log and go on from
    it. AWAITS_VERDICT: the last event of the log is a signal of `symbol` in `row` that risk would
    let pass; call again with `first=row, resume=symbol, size_factor=…` (0 for a veto) and the
    minute goes on where it stopped. `states` and `sides` (minutes, symbols) receive what the cycle
    rows show after each bar. `age` is the seconds since the bars became known (0 in replay).

    With `external` orders are a broker's: nothing fills here, the caller has booked what the broker
    filled since the last bar (`quant_core.booking`), and after each bar `exit_due` says which
    positions it has to close at market, and which waiting entries it has to cancel.
    """
    floor = Floor(clock, grid, desk.slots, desk.account, rules, log)
    return run_rows(floor, states, sides, first, last, resume, size_factor, age, validate, external)


@compiled
def begin_session(
    slots: np.ndarray,
    account: Any,
    htf_trend: np.ndarray,
    armable: np.ndarray,
    average_volume: np.ndarray,
    sector: np.ndarray,
    earnings: np.ndarray,
    cvar_95: float,
) -> None:
    """`open_session` for kernels; `account` is the record, not its array."""
    for s in range(len(slots)):
        slot = slots[s]
        slot.elapsed = 0
        slot.trades_today = 0
        if slot.quantity > 0 or slot.entry_quantity > 0:
            # Left over at a broker from the session before: it goes at the open.
            slot.exit_due = END_OF_DAY
        else:
            slot.state = 0
            slot.side = 0
            slot.exit_due = 0
        slot.pulled_back = 0
        slot.htf_trend = htf_trend[s]
        slot.armable = armable[s]
        slot.average_volume = average_volume[s]
        slot.closed_minute = -1
        slot.sector = sector[s]
        slot.earnings = earnings[s]
    account.trades_today = 0
    account.orders_in_minute = 0
    account.session_equity = account.equity
    account.cvar_95 = cvar_95
    account.multipliers_until = 0


@compiled
def _open(
    slots: np.ndarray,
    account: np.ndarray,
    htf_trend: np.ndarray,
    armable: np.ndarray,
    average_volume: np.ndarray,
    sector: np.ndarray,
    earnings: np.ndarray,
    cvar_95: float,
) -> None:
    begin_session(slots, account[0], htf_trend, armable, average_volume, sector, earnings, cvar_95)


def open_session(
    desk: Desk,
    htf_trend: np.ndarray,
    armable: np.ndarray,
    average_volume: np.ndarray,
    cvar_95: float,
    sector: np.ndarray | None = None,
    earnings: np.ndarray | None = None,
) -> None:
    """Begin a session: every symbol idle (R33), counts at zero, the day's constants in place.

    Arrays have shape (symbols,). `sector` and `earnings` are as `quant_core.desk` numbers them;
    None where no source is configured.
    """
    nothing = np.zeros(len(desk.slots))
    _open(
        desk.slots,
        desk.account,
        htf_trend.astype(np.int8),
        armable.astype(np.int8),
        average_volume.astype(np.float64),
        (nothing if sector is None else sector).astype(np.int16),
        (nothing if earnings is None else earnings).astype(np.int8),
        float(cvar_95),
    )
