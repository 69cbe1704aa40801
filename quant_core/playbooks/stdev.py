"""Playbook `stdev`: mean reversion and trend continuation on the z-score of closes.

idle → mr_armed | tc_armed → triggered → in_trade → cooldown → idle, one symbol, one closed bar at
a time. Arming is on level and only from idle; a bar makes at most one transition (R9). Setup and
side are fixed at arming (R26). This module decides when a setup triggers; what becomes of the
trigger (risk, fills, the trade) is shared by all playbooks and only moves the state here.
"""

from typing import Any

from quant_core.compiled import compiled
from quant_core.desk import COOLDOWN, IDLE, IN_TRADE, MR_ARMED, TC_ARMED, TRIGGERED

MR, TC = 0, 1
QUIET, ARMS, TRIGGERS, EXPIRES, LEAVES_WINDOW = range(5)


@compiled
def _sign(value: float) -> int:
    return 1 if value > 0.0 else (-1 if value < 0.0 else 0)


@compiled
def _try_to_arm(slot: Any, z: float, mr_arm: float, tc_arm: float) -> int:
    """Arm on level: with the trend it is TC, against it or without one MR."""
    direction = _sign(z)
    if direction == 0:
        return QUIET
    if slot.htf_trend == direction:
        if abs(z) < tc_arm:
            return QUIET
        slot.state, slot.setup, slot.side = TC_ARMED, TC, direction
    else:
        if abs(z) < mr_arm:
            return QUIET
        slot.state, slot.setup, slot.side = MR_ARMED, MR, -direction
    slot.elapsed = 0
    slot.extreme = slot.side * z
    slot.previous = slot.side * z
    slot.pulled_back = 0
    return ARMS


@compiled
def _triggers(slot: Any, z: float, mr_trigger: float, tc_trigger: float) -> bool:
    """MR: |z| has come back (R22). TC: after a pullback, s moves in the trade's direction (R25)."""
    if slot.state == MR_ARMED:
        return abs(z) <= mr_trigger
    s = slot.side * z
    if slot.pulled_back == 1 and s > slot.previous:
        return True
    slot.extreme = max(slot.extreme, s)
    if slot.extreme - s >= tc_trigger:
        slot.pulled_back = 1
    slot.previous = s
    return False


@compiled
def _release(slot: Any) -> None:
    slot.state, slot.side = IDLE, 0


@compiled
def step(
    slot: Any,
    z: float,
    minute: int,
    in_window: bool,
    rules: Any,
    mr_arm: float,
    mr_trigger: float,
    tc_arm: float,
    tc_trigger: float,
) -> int:
    """Advance one symbol by one ready bar; says what happened (QUIET … LEAVES_WINDOW).

    The four thresholds are those in force at this close (R10). A refused trigger is idle on this
    bar and may arm again (R30); bars 1 to `cooldown_bars` after a close rest (R32).
    """
    if slot.state == IN_TRADE or (slot.state == COOLDOWN and slot.closed_minute == minute):
        return QUIET
    if slot.state == TRIGGERED:
        if slot.entry_quantity > 0:  # a broker has not filled it yet
            return QUIET
        _release(slot)
    elif slot.state == COOLDOWN:
        slot.elapsed += 1
        if slot.elapsed <= rules.cooldown_bars or slot.entry_quantity > 0:
            return QUIET
        _release(slot)
    if slot.state == IDLE:
        if in_window and slot.armable == 1:
            return _try_to_arm(slot, z, mr_arm, tc_arm)
        return QUIET
    if not in_window:
        _release(slot)
        return LEAVES_WINDOW
    slot.elapsed += 1
    if _triggers(slot, z, mr_trigger, tc_trigger):
        slot.state = TRIGGERED
        return TRIGGERS
    if slot.elapsed >= rules.arm_expiry_bars:
        _release(slot)
        return EXPIRES
    return QUIET
