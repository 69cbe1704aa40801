"""The `stdev` playbook in plain Python, for engines that call a function at every bar's close.

The same rules as `quant_core/playbooks/stdev.py` at its default thresholds, and the part of the
risk rules that binds here: two trades a day, size by risk, by 10 % of equity and by $10,000.
"""

import json
import resource
import statistics
import sys
from collections.abc import Callable
from math import isnan
from pathlib import Path
from time import process_time

import numpy as np

MR_ARM, MR_TRIGGER, TC_ARM, TC_TRIGGER = 1.2, 0.6, 1.8, 0.6
STOP, REWARD, EXPIRY, COOLDOWN_BARS = 1.4, 1.5, 60, 10
TRADES_A_DAY, EQUITY = 2, 100_000.0
IDLE, MR, TC, TRIGGERED, IN_TRADE, COOLDOWN = range(6)


class Columns:
    """The prepared columns as lists, quicker to read one by one than arrays; and as arrays."""

    def __init__(self, path: str) -> None:
        """Read the columns that `benchmarks.peers` wrote."""
        with np.load(path) as stored:
            self.arrays = {name: stored[name] for name in stored.files}
        for name, values in self.arrays.items():
            setattr(self, name, values.tolist())


class Rules:
    """One symbol's state machine; `bar` is called once at every close and may give a trigger."""

    def __init__(self, columns: Columns) -> None:
        """Idle, before the first bar."""
        self.c, self.closed, self.today = columns, 0, 0
        self._rest()

    def _rest(self) -> None:
        self.state, self.side, self.elapsed = IDLE, 0, 0
        self.extreme = self.previous = 0.0
        self.pulled_back = False

    def bar(self, i: int, is_open: bool, closed: int) -> int:
        """The side of a trigger at the close of bar i, 0 for none.

        `is_open`: a position is open now; `closed`: trades that have been closed until now.
        """
        if self.c.row[i] == 0:
            self.today = 0
            self._rest()
        if closed > self.closed:
            self.closed, self.state, self.elapsed = closed, COOLDOWN, 0
            return 0
        if is_open:
            self.state = IN_TRADE
            return 0
        z = self.c.z[i]
        if isnan(z):
            return 0
        if self.state == TRIGGERED:
            self._rest()
        elif self.state == COOLDOWN:
            self.elapsed += 1
            if self.elapsed <= COOLDOWN_BARS:
                return 0
            self._rest()
        if self.state == IDLE:
            if self.c.in_window[i] and self.c.armable[i]:
                self._arm(z, self.c.trend[i])
            return 0
        if not self.c.in_window[i]:
            self._rest()
            return 0
        self.elapsed += 1
        if self._triggers(z):
            self.state = TRIGGERED
            if self.today >= TRADES_A_DAY:
                return 0
            self.today += 1
            return self.side
        if self.elapsed >= EXPIRY:
            self._rest()
        return 0

    def _arm(self, z: float, trend: int) -> None:
        direction = (z > 0) - (z < 0)
        if direction != 0 and trend == direction and abs(z) >= TC_ARM:
            self.state, self.side = TC, direction
        elif direction != 0 and trend != direction and abs(z) >= MR_ARM:
            self.state, self.side = MR, -direction
        else:
            return
        self.elapsed, self.pulled_back = 0, False
        self.extreme = self.previous = self.side * z

    def _triggers(self, z: float) -> bool:
        if self.state == MR:
            return abs(z) <= MR_TRIGGER
        s = self.side * z
        if self.pulled_back and s > self.previous:
            return True
        self.extreme = max(self.extreme, s)
        self.pulled_back = self.pulled_back or self.extreme - s >= TC_TRIGGER
        self.previous = s
        return False

    def order(self, i: int, side: int, equity: float) -> tuple[int, float, float]:
        """Shares, stop and target of a trigger at the close of bar i."""
        price, distance = self.c.close[i], STOP * self.c.atr_5m[i]
        shares = int(min(0.01 * equity / distance, 0.1 * equity / price, 10_000.0 / price))
        return shares, price - side * distance, price + side * REWARD * distance


def peak_memory() -> float:
    """This program's largest size so far (MB).

    Surprise recorded here: Linux hands `ru_maxrss` through `exec`, so a small program started by a
    large one reports the large one's peak. `VmHWM` belongs to the program alone.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(one for one in status.read_text().splitlines() if one.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(name: str, version: str, run: Callable[[], tuple[int, float]], times: int) -> None:
    """Run once to compile and warm, then `times`; print the figures as JSON.

    `run` gives the number of trades and the profit ($). Processor time is counted, so that other
    work on the machine falls on nobody; every engine runs in one thread.
    """
    began = process_time()
    trades, profit = run()
    cold, seconds = process_time() - began, []
    for _ in range(times):
        began = process_time()
        again = run()
        seconds.append(process_time() - began)
        if again != (trades, profit):
            raise SystemExit(f"{name} gave {again} after {(trades, profit)}")
    figures = {
        "engine": name,
        "version": version,
        "seconds": statistics.median(seconds),
        "first": cold,
        "memory": peak_memory(),
        "trades": trades,
        "profit": profit,
    }
    print(json.dumps(figures), file=sys.stdout)
