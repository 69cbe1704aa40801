"""The state of one lane: a record per symbol, and one for the account.

This is everything the core must remember between two minutes, apart from the bars. Kernels change
it in place; `dump` and `load` carry it through a restart exactly (floats round-trip), so a session
that was interrupted goes on as if it never had been.
"""

import base64
import json
from dataclasses import dataclass

import numpy as np

from quant_core.types import Multipliers, RiskState, State

IDLE, MR_ARMED, TC_ARMED, TRIGGERED, IN_TRADE, COOLDOWN = range(len(State))
ACTIVE, REDUCING, HALTED = range(len(RiskState))
RISK_STATES = tuple(RiskState)
VERSION = 2

# What is known of a symbol today besides its bars; 0 where no source is configured. Sectors are
# numbered from 1; a spread of NaN was asked for and not answered.
NOT_CONFIGURED = 0
CLEAR, BLACKOUT = 1, 2

# One symbol. `side` and `setup` are fixed at arming and stand until the symbol is idle again.
# entry_*: an accepted entry waiting for the next open. quantity > 0: an open position, of which
# `opened` shares were bought; exit_due != 0: a market exit is waiting, with that reason.
SLOT = np.dtype(
    [
        ("state", np.int8),
        ("setup", np.int8),
        ("side", np.int8),
        ("pulled_back", np.int8),
        ("elapsed", np.int64),
        ("extreme", np.float64),
        ("previous", np.float64),
        ("closed_minute", np.int64),
        ("signal_minute", np.int64),
        ("entry_quantity", np.int64),
        ("reference", np.float64),
        ("stop", np.float64),
        ("target", np.float64),
        ("quantity", np.int64),
        ("opened", np.int64),
        ("fill_price", np.float64),
        ("fill_minute", np.int64),
        ("best", np.float64),
        ("exit_due", np.int8),
        ("exit_reason", np.int8),
        ("exit_value", np.float64),
        ("fees", np.float64),
        ("last_close", np.float64),
        ("last_minute", np.int64),
        ("htf_trend", np.int8),
        ("armable", np.int8),
        ("average_volume", np.float64),
        ("trades_today", np.int64),
        ("sector", np.int16),
        ("earnings", np.int8),
        ("spread", np.float64),
    ]
)

# The account. `equity` is as of the last marks; the multipliers hold for bars that start before
# `multipliers_until`, afterwards all are 1. REDUCING lasts until `held_until` at least.
ACCOUNT = np.dtype(
    [
        ("start_equity", np.float64),
        ("realised", np.float64),
        ("equity", np.float64),
        ("peak", np.float64),
        ("session_equity", np.float64),
        ("risk_state", np.int8),
        ("trades_today", np.int64),
        ("order_minute", np.int64),
        ("orders_in_minute", np.int64),
        ("cvar_95", np.float64),
        ("mr_arm", np.float64),
        ("mr_trigger", np.float64),
        ("tc_arm", np.float64),
        ("tc_trigger", np.float64),
        ("multipliers_until", np.int64),
        ("held_until", np.int64),
    ]
)


@dataclass(frozen=True, slots=True)
class Desk:
    """One lane's state: `slots` of shape (symbols,) and dtype SLOT, `account` of shape (1,)."""

    slots: np.ndarray
    account: np.ndarray

    @classmethod
    def new(cls, symbols: int, equity: float) -> "Desk":
        """A desk that has never traded."""
        account = np.zeros(1, ACCOUNT)
        for name in ("start_equity", "equity", "peak", "session_equity"):
            account[name] = equity
        account["cvar_95"] = np.nan
        for name in ("mr_arm", "mr_trigger", "tc_arm", "tc_trigger"):
            account[name] = 1.0
        return cls(np.zeros(symbols, SLOT), account)

    def dump(self) -> bytes:
        """The whole state as JSON text."""
        return json.dumps(
            {
                "version": VERSION,
                "slots": base64.b64encode(self.slots.tobytes()).decode(),
                "account": base64.b64encode(self.account.tobytes()).decode(),
            }
        ).encode()

    @classmethod
    def load(cls, text: bytes) -> "Desk":
        """The state a `dump` described; ValueError for that of another version."""
        parts = json.loads(text)
        if parts["version"] != VERSION:
            raise ValueError(f"the state is of version {parts['version']}, this is {VERSION}")
        slots = np.frombuffer(base64.b64decode(parts["slots"]), SLOT).copy()
        account = np.frombuffer(base64.b64decode(parts["account"]), ACCOUNT).copy()
        return cls(slots, account)

    def take_advice(self, multipliers: Multipliers, until: int) -> None:
        """Put multipliers in force for bars that start before `until` (epoch minutes)."""
        for name in ("mr_arm", "mr_trigger", "tc_arm", "tc_trigger"):
            self.account[name] = getattr(multipliers, name)
        self.account["multipliers_until"] = until

    def copy(self) -> "Desk":
        """An independent copy."""
        return Desk(self.slots.copy(), self.account.copy())
