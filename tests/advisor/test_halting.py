"""What a halt and a resume do to a lane, in the simulated exchange and at a broker."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from advisor.control import Control, Halt, Resume
from advisor.halting import apply, obey
from advisor.lanes import Lane
from quant_core.calendar import to_minute
from quant_core.desk import ACTIVE, HALTED, IDLE, IN_TRADE, REDUCING, TRIGGERED, Desk
from quant_core.events import EventLog
from quant_core.exchange import KILL
from quant_core.parameters import FillRules, RiskLimits, StdevParameters, pack
from quant_core.types import ExitReason, OrderRejection, RiskChange, RiskState
from tests.advisor.test_trading import BAR, SENT, Scene, later
from tests.stand_ins.alpaca import alpaca_stand_in
from tools.outbox import Purpose, Sending
from tools.store import Store

HALT = Halt(by="ann", at=SENT, reason="fed day")
FLATTEN = Halt(by="ann", at=SENT, reason="fed day", flatten=True)
RESUME = Resume(by="bob", at=SENT)
RULES = pack(StdevParameters(), RiskLimits(), FillRules())
SYMBOLS = ("SPY", "NVDA")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "ledger.sqlite", synchronous="NORMAL") as opened:
        opened.start_run("run", kind="paper", config_hash="", code_version="", config_json="{}")
        yield opened


@pytest.fixture
def lane() -> Lane:
    """SPY is held, an entry in NVDA waits for the next open."""
    made = Lane(name="advised", desk=Desk.new(2, 100_000.0), log=EventLog.with_room_for(2))
    spy, nvda = made.desk.slots
    spy["state"], spy["side"], spy["quantity"], spy["opened"] = IN_TRADE, 1, 40, 40
    nvda["state"], nvda["side"], nvda["entry_quantity"] = TRIGGERED, -1, 70
    for slot in (spy, nvda):
        slot["trades_today"], slot["signal_minute"] = 1, to_minute(BAR)
    made.desk.account["trades_today"] = 2
    return made


def state(lane: Lane) -> int:
    return int(lane.desk.account["risk_state"][0])


def applied(request: Halt | Resume, lane: Lane) -> list[Any]:
    return apply(request, lane, SYMBOLS, RULES, SENT)


def test_a_halt_calls_back_what_waits_and_leaves_what_is_held(lane: Lane) -> None:
    change, rejection = applied(HALT, lane)
    assert isinstance(change, RiskChange)
    assert (change.state, change.reason) == (RiskState.HALTED, "halted by ann: fed day")
    assert change.start == SENT - timedelta(minutes=1), "known at once"
    assert isinstance(rejection, OrderRejection)
    assert (rejection.symbol, rejection.quantity) == ("NVDA", 70)
    spy, nvda = lane.desk.slots
    assert (spy["quantity"], spy["exit_due"]) == (40, 0)
    assert (nvda["entry_quantity"], nvda["state"], nvda["trades_today"]) == (0, IDLE, 0)
    assert state(lane) == HALTED
    assert applied(HALT, lane) == []


def test_flattening_closes_what_is_held_also_after_a_halt(lane: Lane) -> None:
    applied(HALT, lane)
    (change,) = applied(FLATTEN, lane)
    assert change.reason == "halted by ann: fed day; positions are closed at market"
    assert lane.desk.slots["exit_due"].tolist() == [KILL, 0]
    assert applied(FLATTEN, lane) == []
    assert applied(HALT, lane) == []
    assert lane.desk.slots["exit_due"].tolist() == [KILL, 0], "it goes on"


def test_only_what_is_halted_is_resumed(lane: Lane) -> None:
    assert applied(RESUME, lane) == []
    lane.desk.account["risk_state"] = REDUCING
    assert applied(RESUME, lane) == []
    assert state(lane) == REDUCING
    applied(HALT, lane)
    (change,) = applied(RESUME, lane)
    assert (change.state, change.reason) == (RiskState.ACTIVE, "resumed by bob")
    assert state(lane) == ACTIVE


def test_a_drawdown_that_halted_is_measured_anew_and_a_smaller_one_is_not(lane: Lane) -> None:
    account = lane.desk.account
    for equity, peak in ((89_999.0, 89_999.0), (95_000.0, 100_000.0)):
        account["risk_state"], account["equity"], account["peak"] = HALTED, equity, 100_000.0
        (change,) = applied(RESUME, lane)
        assert account["peak"][0] == peak
        assert ("measured from here" in change.reason) == (peak == equity)


def test_obeying_commits_once_and_survives_a_death_before_it_is_acknowledged(
    lane: Lane,
    store: Store,
    tmp_path: Path,
) -> None:
    Control(tmp_path).halt(by="ann", reason="fed day", flatten=True, now=SENT)

    def looked(lane: Lane, at: Any) -> Any:
        return obey(Control(tmp_path), [lane], SYMBOLS, RULES, store, "run", at)

    assert isinstance(looked(lane, SENT), Halt)
    again = Lane(name="advised", desk=Desk.new(2, 1.0), log=EventLog.with_room_for(2))
    kept = store.checkpoint("run", "advised")
    assert kept is not None
    again.restore(kept)
    assert isinstance(looked(again, later(1)), Halt)
    (change,) = store.risk_changes("run", "advised", as_of=SENT)
    assert change.state is RiskState.HALTED
    Control(tmp_path).resume(by="bob", now=later(2))
    assert isinstance(looked(again, later(3)), Resume)
    assert looked(again, later(4)) is None
    changes = store.risk_changes("run", "advised", as_of=later(4))
    assert [one.state for one in changes] == [RiskState.HALTED, RiskState.ACTIVE]
    assert again.records[-1] == changes[-1]


# At a broker


@pytest.fixture
def scene(store: Store) -> Iterator[Scene]:
    with alpaca_stand_in() as server:
        yield Scene(store, server)


def done(scene: Scene, request: Halt | Resume, seconds: float) -> None:
    scene.store.commit_cycle(
        "run", "advised", None,
        apply(request, scene.lane, ["NVDA"], RULES, later(seconds)), scene.lane.checkpoint(),
    )  # fmt: skip


def test_a_halt_keeps_a_decided_entry_from_being_sent(scene: Scene) -> None:
    scene.decide()
    done(scene, HALT, 0)
    scene.restart().settle(later(0.1))
    assert len(scene.exchange.tickets) == 0
    assert scene.row().state is Sending.DONE
    assert scene.slot["state"] == IDLE


def test_a_halt_brings_back_an_entry_that_is_under_way(scene: Scene) -> None:
    scene.decide().trading.send(SENT)
    done(scene, HALT, 0.5)
    scene.trading.settle(later(1))
    scene.trading.settle(later(2))
    assert scene.row().state is Sending.DONE
    assert (scene.slot["quantity"], scene.slot["exit_due"], scene.slot["state"]) == (0, 0, IDLE)


def test_a_halt_leaves_a_position_its_stop_and_its_target(scene: Scene) -> None:
    scene.bought()
    done(scene, HALT, 2)
    for seconds in (3, 4, 70):
        scene.trading.settle(later(seconds))
        scene.trading.agree(later(seconds))
    assert (scene.slot["quantity"], scene.working_stops()) == (70, 70)
    assert scene.rows(Purpose.EXIT) == []
    assert scene.risk_state == HALTED, "agreement is not a person"


def test_flattening_closes_a_position_and_leaves_no_order_behind(scene: Scene) -> None:
    scene.bought()
    done(scene, FLATTEN, 2)
    scene.trading.settle(later(3))
    scene.exchange.trade("NVDA", 140.0)
    scene.trading.settle(later(4))
    (trade,) = scene.on_record("trades")
    assert trade.exit_reason is ExitReason.KILL
    assert (scene.slot["quantity"], scene.working_stops()) == (0, 0)


def test_after_a_resume_entries_wait_until_the_broker_agrees(scene: Scene) -> None:
    scene.bought()
    done(scene, HALT, 2)
    done(scene, RESUME, 3)
    assert scene.risk_state == REDUCING
    scene.trading.agree(later(4))
    assert scene.risk_state == ACTIVE
    told = [one.reason for one in scene.on_record("risk_changes")]
    assert told[1] == "resumed by bob; entries wait until ledger and broker agree"
    assert np.isfinite(scene.lane.desk.account["equity"][0])
