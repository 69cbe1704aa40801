"""From a signal to a quantity, or to a named refusal: the checks of DOMAIN.md section 3.

All checks are evaluated for every signal and written to a table (before, after, outcome), so that
a refusal shows not only the first limit that was hit but how far each other one was away. Size
caps reduce; a size below one share blocks (R38). Limits are strict: a loss of exactly the limit
passes (R36). What has no source configured is recorded as not applicable (R45).
"""

from typing import Any, Literal

import numpy as np

from quant_core.compiled import compiled
from quant_core.desk import ACTIVE, CLEAR, NOT_CONFIGURED
from quant_core.risk.checks import CHECKS

(
    RISK_STATE, SESSION_WINDOW, ATR_KNOWN, BAR_AGE, Z_AGE, AVERAGE_VOLUME, SPREAD, EARNINGS,
    REWARD_RISK, DAILY_LOSS, DAILY_LOSS_PERCENT, POSITIONS, TRADES_PER_DAY, TRADES_PER_SYMBOL,
    ORDERS_PER_MINUTE, CVAR, RISK_PER_TRADE, POSITION_SIZE, SYMBOL_EXPOSURE, SECTOR,
    TOTAL_EXPOSURE, OPEN_RISK, VALIDATION, QUANTITY,
) = range(len(CHECKS))  # fmt: skip

Outcome = Literal["pass", "reduce", "block", "not_applicable"]
OUTCOMES: dict[float, Outcome] = {0: "pass", 1: "reduce", 2: "block", 3: "not_applicable"}
PASS, REDUCE, BLOCK, NOT_APPLICABLE = range(4)
REWARD_RISK_TOLERANCE = 1e-9


@compiled
def _test(table: np.ndarray, check: int, value: float, limit: float, fine: bool) -> bool:
    table[check, 0] = value
    table[check, 1] = limit
    table[check, 2] = PASS if fine else BLOCK
    return fine


@compiled
def _skip(table: np.ndarray, check: int) -> None:
    table[check, 0] = np.nan
    table[check, 1] = np.nan
    table[check, 2] = NOT_APPLICABLE


@compiled
def _cap(table: np.ndarray, check: int, size: float, limit: float) -> float:
    """Reduce a size to a cap in shares (NaN blocks); both are recorded as whole shares."""
    after = 0.0 if np.isnan(limit) else min(size, limit)
    table[check, 0] = np.floor(size)
    table[check, 1] = np.floor(after)
    if after < 1.0:
        table[check, 2] = BLOCK
    else:
        table[check, 2] = REDUCE if np.floor(after) < np.floor(size) else PASS
    return after


@compiled
def exposures(slots: np.ndarray) -> tuple[float, float, int]:
    """Exposure ($, at last closes, waiting entries at reference), open risk ($), slots used."""
    exposure = 0.0
    risk = 0.0
    used = 0
    for slot in slots:
        if slot.quantity > 0 or slot.entry_quantity > 0:
            used += 1
            exposure += slot.quantity * slot.last_close + slot.entry_quantity * slot.reference
            risk += (slot.quantity + slot.entry_quantity) * abs(slot.reference - slot.stop)
    return exposure, risk, used


@compiled
def sector_exposure(slots: np.ndarray, sector: int) -> float:
    """Exposure ($) in one sector, counted as in `exposures`."""
    exposure = 0.0
    for slot in slots:
        if slot.sector == sector:
            exposure += slot.quantity * slot.last_close + slot.entry_quantity * slot.reference
    return exposure


@compiled
def _filters(
    table: np.ndarray,
    account: Any,
    slot: Any,
    rules: Any,
    in_window: bool,
    age: float,
    price: float,
    stop: float,
    target: float,
) -> bool:
    """Everything that is asked before size is: state, freshness, liquidity, reward."""
    fine = _test(table, RISK_STATE, account.risk_state, ACTIVE, account.risk_state == ACTIVE)
    fine &= _test(table, SESSION_WINDOW, 1.0 if in_window else 0.0, 1.0, in_window)
    fine &= _test(table, ATR_KNOWN, abs(price - stop), 0.0, abs(price - stop) > 0.0)
    fine &= _test(table, BAR_AGE, age, rules.max_bar_age, age <= rules.max_bar_age)
    fine &= _test(table, Z_AGE, age, rules.max_z_age, age <= rules.max_z_age)
    fine &= _test(
        table,
        AVERAGE_VOLUME,
        slot.average_volume,
        rules.min_average_volume,
        slot.average_volume >= rules.min_average_volume,
    )
    if slot.spread == NOT_CONFIGURED:
        _skip(table, SPREAD)
    else:
        percent = 100.0 * slot.spread
        fine &= _test(table, SPREAD, percent, rules.max_spread, percent < rules.max_spread)
    if slot.earnings == NOT_CONFIGURED:
        _skip(table, EARNINGS)
    else:
        fine &= _test(table, EARNINGS, slot.earnings, CLEAR, slot.earnings == CLEAR)
    reward = abs(target - price) / abs(price - stop)
    fine &= _test(
        table,
        REWARD_RISK,
        reward,
        rules.min_reward_risk,
        reward >= rules.min_reward_risk - REWARD_RISK_TOLERANCE,
    )
    return fine


@compiled
def _limits(table: np.ndarray, account: Any, slot: Any, rules: Any, used: int, minute: int) -> bool:
    """Losses and counts; entries waiting for a fill count as trades and positions (R35, R37)."""
    loss = account.session_equity - account.equity
    allowed = rules.max_daily_loss_percent / 100.0 * account.session_equity
    orders = account.orders_in_minute if account.order_minute == minute else 0
    fine = _test(table, DAILY_LOSS, loss, rules.max_daily_loss, loss <= rules.max_daily_loss)
    fine &= _test(table, DAILY_LOSS_PERCENT, loss, allowed, loss <= allowed)
    fine &= _test(table, POSITIONS, used, rules.max_positions, used < rules.max_positions)
    fine &= _test(
        table,
        TRADES_PER_DAY,
        account.trades_today,
        rules.max_trades_per_day,
        account.trades_today < rules.max_trades_per_day,
    )
    fine &= _test(
        table,
        TRADES_PER_SYMBOL,
        slot.trades_today,
        rules.max_trades_per_symbol,
        slot.trades_today < rules.max_trades_per_symbol,
    )
    fine &= _test(
        table,
        ORDERS_PER_MINUTE,
        orders,
        rules.max_orders_per_minute,
        orders < rules.max_orders_per_minute,
    )
    if np.isinf(rules.max_cvar_95) or np.isnan(account.cvar_95):
        _skip(table, CVAR)
    else:
        fine &= _test(
            table, CVAR, account.cvar_95, rules.max_cvar_95, account.cvar_95 <= rules.max_cvar_95
        )
    return fine


@compiled
def plan_entry(
    table: np.ndarray,
    slots: np.ndarray,
    account: Any,
    rules: Any,
    symbol: int,
    minute: int,
    in_window: bool,
    age: float,
    price: float,
    stop: float,
    target: float,
    size_factor: float,
) -> int:
    """Shares to order, 0 when blocked; every check's line is written to `table` (checks, 3).

    `price` is the reference; `age` the seconds since the bar became known; `size_factor` the
    verdict's: 0 for a veto, negative when nobody was asked. The caps are those of R38.
    """
    slot = slots[symbol]
    exposure, open_risk, used = exposures(slots)
    own = slot.quantity * slot.last_close
    distance = abs(price - stop)
    equity = account.equity
    fine = _filters(table, account, slot, rules, in_window, age, price, stop, target)
    fine &= _limits(table, account, slot, rules, used, minute)
    size = equity * (rules.max_risk_per_trade / 100.0) / distance
    _cap(table, RISK_PER_TRADE, size, size)
    size = _cap(table, POSITION_SIZE, size, rules.max_position / 100.0 * equity / price)
    size = _cap(table, SYMBOL_EXPOSURE, size, (rules.max_symbol_exposure - own) / price)
    if slot.sector == NOT_CONFIGURED:
        _skip(table, SECTOR)
    else:
        allowed = rules.max_sector_exposure / 100.0 * equity
        room = allowed - sector_exposure(slots, slot.sector)
        size = _cap(table, SECTOR, size, room / price)
    size = _cap(table, TOTAL_EXPOSURE, size, (rules.max_total_exposure - exposure) / price)
    budget = rules.max_open_risk / 100.0 * equity - open_risk
    size = _cap(table, OPEN_RISK, size, budget / distance)
    shares = np.floor(size)
    if size_factor < 0.0:
        _skip(table, VALIDATION)
    else:
        shares = np.floor(_cap(table, VALIDATION, shares, shares * size_factor))
    sized = shares >= 1.0
    _test(table, QUANTITY, shares if sized else 0.0, 1.0, sized)
    return int(shares) if fine and sized else 0
