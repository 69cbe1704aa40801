"""vectorbt: `Portfolio.from_signals` with a compiled signal function that holds the state machine.

At bar i the function judges the close of bar i - 1, with the position as it is then, and enters at
the open of bar i; the stop and the target are given as shares of the entry by their own functions.
"""

import sys
import warnings

import numpy as np
from plain import (
    COOLDOWN,
    COOLDOWN_BARS,
    EQUITY,
    EXPIRY,
    IDLE,
    IN_TRADE,
    MR,
    MR_ARM,
    MR_TRIGGER,
    REWARD,
    STOP,
    TC,
    TC_ARM,
    TC_TRIGGER,
    TRADES_A_DAY,
    TRIGGERED,
    Columns,
    report,
)

warnings.simplefilter("ignore")
import vectorbt as vbt  # noqa: E402
from numba import njit  # noqa: E402
from vectorbt.portfolio.enums import StopExitPrice  # noqa: E402

columns = Columns(sys.argv[1])
# What the machine remembers, by position in one array of numbers.
STATE, SIDE, ELAPSED, EXTREME, PREVIOUS, PULLED, TODAY, STOP_AT, TARGET_AT, HELD = range(10)
NOTHING = (False, False, False, False)


@njit
def step(m, z, in_window, armable, trend):
    """One close; the side of a trigger or 0."""
    if m[STATE] == TRIGGERED:
        m[STATE] = IDLE
    elif m[STATE] == COOLDOWN:
        m[ELAPSED] += 1
        if m[ELAPSED] <= COOLDOWN_BARS:
            return 0
        m[STATE] = IDLE
    if m[STATE] == IDLE:
        direction = np.sign(z)
        if in_window and armable and direction != 0:
            if trend == direction:
                if abs(z) < TC_ARM:
                    return 0
                m[STATE], m[SIDE] = TC, direction
            else:
                if abs(z) < MR_ARM:
                    return 0
                m[STATE], m[SIDE] = MR, -direction
            m[ELAPSED], m[PULLED] = 0, 0
            m[EXTREME] = m[PREVIOUS] = m[SIDE] * z
        return 0
    if not in_window:
        m[STATE] = IDLE
        return 0
    m[ELAPSED] += 1
    s = m[SIDE] * z
    triggered = abs(z) <= MR_TRIGGER if m[STATE] == MR else m[PULLED] == 1 and s > m[PREVIOUS]
    if triggered:
        m[STATE] = TRIGGERED
        if m[TODAY] >= TRADES_A_DAY:
            return 0
        m[TODAY] += 1
        return int(m[SIDE])
    m[EXTREME] = max(m[EXTREME], s)
    if m[EXTREME] - s >= TC_TRIGGER:
        m[PULLED] = 1
    m[PREVIOUS] = s
    if m[ELAPSED] >= EXPIRY:
        m[STATE] = IDLE
    return 0


@njit
def signal(c, m, row, z, in_window, armable, trend, close, atr, last_before_flat):
    """Signals at the open of bar c.i, from the close of the bar before."""
    i = c.i - 1
    if i < 0:
        return NOTHING
    if row[i] == 0:
        m[TODAY], m[STATE] = 0, IDLE
    holds = c.position_now != 0
    had = m[HELD]
    m[HELD] = 1 if holds else 0
    if holds:
        m[STATE] = IN_TRADE
        if last_before_flat[i]:
            return False, c.position_now > 0, False, c.position_now < 0
        return NOTHING
    if had == 1:
        m[STATE], m[ELAPSED] = COOLDOWN, 0
        return NOTHING
    if np.isnan(z[i]):
        return NOTHING
    side = step(m, z[i], in_window[i], armable[i], trend[i])
    if side == 0:
        return NOTHING
    m[HELD] = 1  # a stop in the very next bar is not announced: it must still be seen as a close
    m[STOP_AT] = close[i] - side * STOP * atr[i]
    m[TARGET_AT] = close[i] + side * REWARD * STOP * atr[i]
    return side > 0, False, side < 0, False


@njit
def stop_share(c, m):
    """How far the stop lies from the entry."""
    return abs(c.init_price - m[STOP_AT]) / c.init_price, False


@njit
def target_share(c, m):
    """How far the target lies from the entry."""
    return abs(c.init_price - m[TARGET_AT]) / c.init_price


a = columns.arrays
before = np.r_[np.nan, a["close"][:-1]]
distance = STOP * np.r_[np.nan, a["atr_5m"][:-1]]
shares = np.floor(
    np.minimum(np.minimum(0.01 * EQUITY / distance, 0.1 * EQUITY / before), 10_000.0 / before)
)
given = ("row", "z", "in_window", "armable", "trend", "close", "atr_5m", "last_before_flat")


def run() -> tuple[int, float]:
    memory = np.zeros(10)
    portfolio = vbt.Portfolio.from_signals(
        close=a["close"], open=a["open"], high=a["high"], low=a["low"], price=a["open"],
        signal_func_nb=signal, signal_args=(memory, *(a[name] for name in given)),
        size=np.nan_to_num(shares), slippage=1e-4, init_cash=EQUITY,
        sl_stop=0.5, tp_stop=0.5, stop_entry_price="fillprice",
        stop_exit_price=StopExitPrice.StopMarket,
        adjust_sl_func_nb=stop_share, adjust_sl_args=(memory,),
        adjust_tp_func_nb=target_share, adjust_tp_args=(memory,),
        freq="1min",
    )  # fmt: skip
    trades = portfolio.trades.records
    return len(trades), float(trades["pnl"].sum())


report("vectorbt", vbt.__version__, run, 7)
