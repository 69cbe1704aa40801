"""A lane's state through a restart: what is written is what is read, to the last bit."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_core.desk import (
    ACCOUNT,
    ACTIVE,
    COOLDOWN,
    HALTED,
    IDLE,
    IN_TRADE,
    MR_ARMED,
    REDUCING,
    RISK_STATES,
    SLOT,
    TC_ARMED,
    TRIGGERED,
    VERSION,
    Desk,
)
from quant_core.types import RiskState, State
from tests.quant_core.worlds import random_day, random_limits


def test_a_new_desk_has_its_equity_in_cash_and_every_symbol_idle():
    desk = Desk.new(3, 25_000.0)
    account = desk.account[0]
    for name in ("start_equity", "equity", "peak", "session_equity"):
        assert account[name] == 25_000.0
    assert account["realised"] == 0.0
    assert account["risk_state"] == ACTIVE
    assert np.isnan(account["cvar_95"])
    assert [account[n] for n in ("mr_arm", "mr_trigger", "tc_arm", "tc_trigger")] == [1.0] * 4
    assert desk.slots.shape == (3,)
    assert not desk.slots["state"].any()
    assert not desk.slots["quantity"].any()


def test_codes_follow_the_order_of_the_types():
    states = (IDLE, MR_ARMED, TC_ARMED, TRIGGERED, IN_TRADE, COOLDOWN)
    assert [tuple(State)[code].value for code in states] == [
        "idle",
        "mr_armed",
        "tc_armed",
        "triggered",
        "in_trade",
        "cooldown",
    ]
    assert [RISK_STATES[code] for code in (ACTIVE, REDUCING, HALTED)] == list(RiskState)


@given(symbols=st.integers(0, 12), noise=st.binary(min_size=SLOT.itemsize * 12 + ACCOUNT.itemsize))
def test_any_state_survives_text(symbols, noise):
    """Also NaN payloads, infinities and negative zeros: bytes in, the same bytes out."""
    slots = np.frombuffer(noise[: SLOT.itemsize * symbols], SLOT).copy()
    account = np.frombuffer(noise[-ACCOUNT.itemsize :], ACCOUNT).copy()
    found = Desk.load(Desk(slots, account).dump())
    assert found.slots.tobytes() == slots.tobytes()
    assert found.account.tobytes() == account.tobytes()
    assert found.slots.shape == (symbols,)


@given(seed=st.integers(0, 2**32 - 1), row=st.integers(1, 389))
def test_a_desk_in_the_middle_of_a_session_round_trips(seed, row):
    desk = random_day(seed).play(limits=random_limits(seed), until=row).desk
    text = desk.dump()
    found = Desk.load(text)
    assert found.slots.tobytes() == desk.slots.tobytes()
    assert found.account.tobytes() == desk.account.tobytes()
    assert found.dump() == text


def test_a_dump_is_text_that_names_its_version():
    assert json.loads(Desk.new(1, 1.0).dump())["version"] == VERSION


def test_a_loaded_desk_can_be_changed_and_shares_nothing():
    desk = Desk.new(2, 100.0)
    loaded, copied = Desk.load(desk.dump()), desk.copy()
    loaded.account["equity"] = 1.0
    copied.slots["quantity"] = 7
    assert desk.account["equity"][0] == 100.0
    assert not desk.slots["quantity"].any()


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"version": 1, "slots": "AA=="}'])
def test_a_text_that_is_no_dump_is_an_error(text):
    with pytest.raises((ValueError, KeyError, TypeError)):
        Desk.load(text)
