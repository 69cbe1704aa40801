"""An external lane at a broker: the real client and ledger, an exchange that does as Alpaca."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from advisor.lanes import Lane
from advisor.settings import BrokerLimits
from advisor.trading import Trading
from quant_core.calendar import to_minute
from quant_core.desk import ACTIVE, HALTED, IDLE, IN_TRADE, REDUCING, TRIGGERED, Desk
from quant_core.engine import open_session
from quant_core.events import EventLog
from quant_core.exchange import END_OF_DAY
from quant_core.parameters import FillRules, RiskLimits, StdevParameters, pack
from quant_core.types import ExitReason, Order
from tests.stand_ins.alpaca import KEY, SECRET, AlpacaStandIn, Fault, alpaca_stand_in
from tools.broker.alpaca import AlpacaBroker
from tools.errors import BookMismatch, Transient
from tools.notify.alerts import Alert
from tools.outbox import OutboxRow, Purpose, Sending
from tools.store import Store

KEYS = {"APCA_API_KEY_ID": KEY, "APCA_API_SECRET_KEY": SECRET}
BAR = datetime(2025, 1, 8, 15, 0, tzinfo=UTC)  # 10:00 New York; known, and sent, a minute later
SENT = BAR + timedelta(minutes=1)
ENTRY = "advised-20250108-1000-NVDA-MR"


def later(seconds: float) -> datetime:
    return SENT + timedelta(seconds=seconds)


@dataclass
class Scene:
    """One symbol, one lane, one account. `restart` is a new process over the same ledger."""

    store: Store
    server: AlpacaStandIn
    options: dict[str, Any] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.exchange = self.server.exchange
        self.exchange.now = SENT
        self.exchange.prices["NVDA"] = 140.14
        self.restart()
        open_session(self.lane.desk, np.array([0]), np.array([1]), np.array([1e7]), float("nan"))

    def restart(self) -> Trading:
        self.lane = Lane(
            name="advised", desk=Desk.new(1, 100_000.0), external=True,
            log=EventLog.with_room_for(1),
        )  # fmt: skip
        if (kept := self.store.checkpoint("run", "advised")) is not None:
            self.lane.restore(kept)
        self.trading = Trading(
            self.lane, ["NVDA"], pack(StdevParameters(), RiskLimits(), FillRules()), self.store,
            "run", AlpacaBroker(KEYS, base_url=self.server.url, read_seconds=0.5),
            limits=BrokerLimits(), expected_bps=1.0, alert=self.alerts.append, **self.options,
        )  # fmt: skip
        return self.trading

    def decide(self) -> "Scene":
        """What a cycle leaves behind when risk has let a long entry of 70 shares pass."""
        slot = self.slot
        slot["state"], slot["side"], slot["setup"] = TRIGGERED, 1, 0
        slot["signal_minute"], slot["entry_quantity"] = to_minute(BAR), 70
        slot["reference"], slot["stop"], slot["target"] = 140.14, 139.4, 141.25
        slot["trades_today"] += 1
        self.lane.desk.account["trades_today"] += 1
        order = Order(
            client_order_id=ENTRY, symbol="NVDA", side=1, quantity=70, reference=140.14,
            stop=139.4, target=141.25, decided_at=BAR,
        )  # fmt: skip
        self.store.commit_cycle(
            "run", "advised", None, [order], self.lane.checkpoint(),
            outbox=[OutboxRow.for_entry(order)],
        )  # fmt: skip
        return self

    def bought(self) -> "Scene":
        """The entry is sent and filled whole at 140.2."""
        self.decide().trading.send(SENT)
        self.exchange.trade("NVDA", 140.2)
        self.trading.settle(later(1))
        assert self.slot["quantity"] == 70
        return self

    @property
    def slot(self) -> Any:
        return self.lane.desk.slots[0]

    @property
    def risk_state(self) -> int:
        return int(self.lane.desk.account["risk_state"][0])

    def row(self, name: str = ENTRY) -> OutboxRow:
        return next(
            one for one in self.store.outbox("run", "advised") if one.client_order_id == name
        )

    def rows(self, kind: Purpose) -> list[OutboxRow]:
        return [one for one in self.store.outbox("run", "advised") if one.kind is kind]

    def working_stops(self) -> float:
        return sum(
            one.qty - one.filled
            for one in self.exchange.everything()
            if one.type == "stop" and one.status in ("new", "partially_filled")
        )

    def on_record(self, what: str) -> list[Any]:
        records: list[Any] = getattr(self.store, what)("run", "advised", as_of=later(86_400))
        return records


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "ledger.sqlite", synchronous="NORMAL") as opened:
        opened.start_run("run", kind="paper", config_hash="", code_version="", config_json="{}")
        yield opened


@pytest.fixture
def server() -> Iterator[AlpacaStandIn]:
    with alpaca_stand_in() as running:
        yield running


@pytest.fixture
def scene(store: Store, server: AlpacaStandIn) -> Scene:
    return Scene(store, server)


def test_an_entry_lives_from_its_row_to_its_trade(scene: Scene) -> None:
    assert scene.decide().row().state is Sending.PENDING
    assert scene.trading.send(SENT)
    assert (scene.row().state, scene.row().attempts) == (Sending.ACKNOWLEDGED, 1)
    scene.exchange.trade("NVDA", 140.2, size=30)
    scene.exchange.trade("NVDA", 140.3)
    scene.trading.settle(later(1))
    assert (scene.slot["quantity"], scene.slot["state"]) == (70, IN_TRADE)
    scene.exchange.trade("NVDA", 139.3)
    scene.trading.settle(later(2))
    scene.trading.settle(later(3))
    (trade,) = scene.on_record("trades")
    assert (trade.quantity, trade.exit_reason) == (70, ExitReason.STOP)
    assert trade.entry_price == pytest.approx((30 * 140.2 + 40 * 140.3) / 70)
    assert trade.exit_price == 139.3
    assert len(scene.on_record("fills")) == 2
    assert {row.state for row in scene.store.outbox("run", "advised")} == {Sending.DONE}
    assert scene.alerts == []


@pytest.mark.parametrize("kind", ["cut", "garbage"])
def test_an_answer_that_got_lost_is_asked_for_and_the_order_is_one(scene: Scene, kind: Any) -> None:
    scene.server.faults.append(Fault(kind=kind, after_effect=True))
    scene.decide().trading.send(SENT)
    assert scene.row().state is Sending.UNKNOWN
    scene.restart().start(later(1))
    scene.trading.send(later(2))
    assert scene.row().state is Sending.ACKNOWLEDGED
    assert len(scene.exchange.tickets) == 1


def test_a_request_that_got_lost_is_sent_again_only_after_the_broker_had_time(
    scene: Scene,
) -> None:
    scene.server.faults.append(Fault(kind="cut"))
    scene.decide().trading.send(SENT)
    scene.trading.settle(later(5))
    scene.trading.send(later(5))
    assert (scene.row().state, scene.exchange.tickets) == (Sending.UNKNOWN, [])
    scene.trading.settle(later(11))
    assert (scene.row().state, scene.row().attempts) == (Sending.ACKNOWLEDGED, 2)
    assert len(scene.exchange.tickets) == 1


def test_an_entry_older_than_its_bar_is_not_sent(scene: Scene) -> None:
    scene.server.faults.append(Fault(kind="cut"))
    scene.decide().trading.send(later(50))
    scene.trading.settle(later(61))
    assert (scene.row().state, scene.row().reason) == (Sending.DONE, "too late to send")
    (rejection,) = scene.on_record("order_rejections")
    assert (rejection.quantity, rejection.reason) == (70, "entry_not_sent_in_time")
    assert (scene.slot["state"], scene.slot["trades_today"]) == (IDLE, 0)
    assert scene.exchange.tickets == []


def test_a_given_up_entry_that_arrives_after_all_is_ours(scene: Scene) -> None:
    scene.server.faults.append(Fault(kind="cut"))
    scene.decide().trading.send(later(50))
    scene.trading.settle(later(61))
    scene.trading._sender._broker.place(scene.row().order())  # the packet that was under way
    scene.exchange.trade("NVDA", 140.2)
    scene.trading.agree(later(70))
    scene.trading.settle(later(71))
    assert (scene.slot["quantity"], scene.slot["stop"], scene.slot["trades_today"]) == (
        70, 139.4, 1,
    )  # fmt: skip
    assert scene.working_stops() == 70
    assert scene.risk_state == ACTIVE


def test_a_refusal_is_kept_in_the_brokers_words(scene: Scene) -> None:
    scene.exchange.cash = 100.0
    scene.decide().trading.send(SENT)
    assert scene.row().state is Sending.REJECTED
    assert "insufficient buying power" in scene.row().reason
    assert scene.on_record("order_rejections")[0].reason == "entry_refused_by_broker"
    assert scene.slot["state"] == IDLE
    scene.trading.send(later(5))
    assert scene.row().attempts == 1


def test_what_was_surely_not_sent_waits_longer_each_time(scene: Scene) -> None:
    scene.server.faults += [Fault(kind="status", status=429), Fault(kind="status", status=429)]
    scene.decide()
    for seconds, attempts in ((0, 1), (1, 1), (2, 2), (5, 2), (6, 3)):
        scene.trading.send(later(seconds))
        assert scene.row().attempts == attempts
    assert scene.row().state is Sending.ACKNOWLEDGED


def test_after_a_risk_stop_no_entry_is_sent(scene: Scene) -> None:
    scene.decide().lane.desk.account["risk_state"] = HALTED
    scene.trading.send(SENT)
    assert scene.row().reason == "a risk stop came first"
    assert scene.exchange.tickets == []


def test_a_position_whose_stop_is_gone_gets_a_new_one(scene: Scene) -> None:
    scene.bought().exchange.cancel(scene.rows(Purpose.STOP)[0].broker_id)
    assert scene.working_stops() == 0
    scene.trading.settle(later(5))
    assert scene.working_stops() == 70
    (row,) = scene.rows(Purpose.PROTECT)
    assert (row.client_order_id, row.stop) == (f"{ENTRY}-stop-1", 139.4)
    assert "70 shares had no live stop" in scene.alerts[0].text
    scene.exchange.trade("NVDA", 139.0)
    scene.trading.settle(later(9))
    assert scene.on_record("trades")[0].exit_reason is ExitReason.STOP


def test_a_position_that_cannot_be_protected_is_closed_and_told(scene: Scene) -> None:
    scene.bought().exchange.cancel(scene.rows(Purpose.STOP)[0].broker_id)
    scene.server.faults.append(Fault(kind="status", status=422))
    scene.trading.settle(later(5))
    assert "closed" in scene.alerts[0].title
    scene.exchange.trade("NVDA", 139.0)
    scene.trading.settle(later(6))
    assert scene.exchange.positions == {}
    assert scene.on_record("trades")[0].exit_reason is ExitReason.KILL


def test_part_of_an_entry_is_protected_when_the_rest_does_not_come(scene: Scene) -> None:
    scene.decide().trading.send(SENT)
    scene.exchange.trade("NVDA", 140.2, size=30)
    for seconds in (1, 3):
        scene.trading.settle(later(seconds))
        assert (scene.slot["quantity"], scene.slot["entry_quantity"]) == (30, 40)
    for seconds in (7, 8):
        scene.trading.settle(later(seconds))
    assert (scene.slot["quantity"], scene.slot["entry_quantity"]) == (30, 0)
    assert scene.working_stops() == 30
    assert scene.on_record("order_rejections")[0].quantity == 40


def test_an_entry_without_any_fill_waits_for_the_symbol_to_trade(scene: Scene) -> None:
    scene.decide().trading.send(SENT)
    for seconds in (5, 15, 30, 59):
        scene.trading.settle(later(seconds))
    assert scene.row().state is Sending.ACKNOWLEDGED
    scene.exchange.trade("NVDA", 140.2)
    scene.trading.settle(later(60))
    assert (scene.slot["quantity"], scene.working_stops()) == (70, 70)


def test_at_the_end_of_the_day_the_bracket_goes_and_the_exit_follows(scene: Scene) -> None:
    scene.bought().slot["exit_due"] = END_OF_DAY
    scene.trading.settle(later(5))
    assert scene.working_stops() == 0
    (row,) = scene.rows(Purpose.EXIT)
    assert (row.client_order_id, row.quantity, row.side) == (f"{ENTRY}-exit-1", 70, -1)
    scene.trading.settle(later(6))
    assert len(scene.rows(Purpose.EXIT)) == 1
    scene.exchange.trade("NVDA", 140.9)
    scene.trading.settle(later(7))
    (trade,) = scene.on_record("trades")
    assert (trade.exit_reason, trade.exit_price) == (ExitReason.END_OF_DAY, 140.9)


def test_a_stop_bigger_than_its_position_is_made_equal(scene: Scene) -> None:
    scene.bought()
    stop = scene.exchange.by_id(scene.rows(Purpose.STOP)[0].broker_id)
    stop.qty = 90.0
    for seconds in (5, 6):
        scene.trading.settle(later(seconds))
    assert scene.working_stops() == 70


def test_a_position_nobody_here_ordered_stops_the_session(scene: Scene) -> None:
    scene.exchange.positions["NVDA"] = (12.0, 139.0)
    scene.exchange.positions["KO"] = (100.0, 60.0)
    with pytest.raises(BookMismatch, match="holds 12 shares of NVDA, the desk 0") as caught:
        scene.trading.start(SENT)
    assert "KO" not in str(caught.value)
    assert scene.exchange.tickets == []


def test_an_order_nobody_here_sent_stops_the_session(scene: Scene) -> None:
    scene.exchange.submit(
        {"symbol": "NVDA", "side": "buy", "qty": "5", "type": "limit", "limit_price": "120",
         "time_in_force": "day", "client_order_id": "by hand"}
    )  # fmt: skip
    with pytest.raises(BookMismatch, match=r"5 NVDA \(by hand\) that was not sent from here"):
        scene.trading.start(SENT)


def test_by_policy_both_are_taken_in(store: Store, server: AlpacaStandIn) -> None:
    scene = Scene(store, server, {"unknown": "adopt"})
    scene.exchange.positions["NVDA"] = (-12.0, 140.0)
    scene.exchange.submit(
        {"symbol": "NVDA", "side": "sell", "qty": "5", "type": "limit", "limit_price": "150",
         "time_in_force": "day", "client_order_id": "by hand"}
    )  # fmt: skip
    scene.trading.start(SENT)
    assert (scene.slot["quantity"], scene.slot["side"], scene.slot["stop"]) == (12, -1, 147.0)
    assert scene.working_stops() == 12
    assert scene.exchange.by_client_id("by hand").status == "canceled"
    assert scene.risk_state == ACTIVE


def test_a_broker_that_does_not_answer_is_no_agreement(scene: Scene) -> None:
    scene.server.faults.append(Fault(method="GET", kind="cut"))
    with pytest.raises(Transient):
        scene.trading.start(SENT)
    scene.server.faults.append(Fault(method="GET", kind="cut"))
    assert not scene.trading.settle(SENT)
    assert scene.trading.trouble
    assert scene.trading.settle(SENT)
    assert scene.trading.trouble == ""


def test_a_difference_blocks_entries_until_it_is_gone(scene: Scene) -> None:
    scene.bought().exchange.positions["NVDA"] = (50.0, 140.2)
    assert scene.trading.agree(later(60))
    assert scene.risk_state == REDUCING
    assert "the broker holds 50 shares of NVDA, the desk 70" in scene.alerts[0].text
    scene.exchange.positions["NVDA"] = (70.0, 140.2)
    scene.trading.agree(later(120))
    assert scene.risk_state == ACTIVE
    states = [change.state.value for change in scene.on_record("risk_changes")]
    assert states == ["REDUCING", "ACTIVE"]
    scene.lane.desk.account["risk_state"] = HALTED
    scene.trading.agree(later(180))
    assert scene.risk_state == HALTED


# ------------------------------------------------------------------- a broker that does badly


def grid(open_: float, row: int) -> Any:
    """One symbol's bars of which only that of `row` is there."""
    present = np.zeros((row + 1, 1), bool)
    present[row] = True
    return SimpleNamespace(present=present, open=np.full((row + 1, 1), open_))


def test_five_failures_in_a_minute_stop_entries_until_a_minute_without_one(scene: Scene) -> None:
    scene.server.faults += [Fault(method="GET", kind="status") for _ in range(5)]
    for second in range(0, 20, 5):
        assert not scene.trading.agree(later(second))
        assert scene.risk_state == ACTIVE
    assert not scene.trading.agree(later(20))
    assert scene.risk_state == REDUCING
    scene.decide().trading.send(later(21))
    assert "risk stop" in scene.row().reason
    assert scene.exchange.tickets == []
    assert scene.trading.agree(later(60))
    assert scene.risk_state == REDUCING  # it answers, but not for long
    assert scene.trading.agree(later(81))
    assert scene.risk_state == ACTIVE
    reasons = [change.reason for change in scene.on_record("risk_changes")]
    assert len(reasons) == 2
    assert "keeps failing" in reasons[0]


def test_failures_that_are_spread_out_stop_nothing(scene: Scene) -> None:
    for number in range(8):
        scene.server.faults.append(Fault(method="GET", kind="status"))
        assert not scene.trading.agree(later(20 * number))
    assert scene.risk_state == ACTIVE


def test_an_entry_that_slips_too_much_stops_entries_for_half_an_hour(scene: Scene) -> None:
    scene.bought()
    opening, row = to_minute(BAR) - 30, 31
    scene.trading.judge_slippage(grid(140.2, row), opening, row - 1, later(2))
    assert scene.risk_state == ACTIVE  # the bar of the fill is not known yet
    scene.trading.judge_slippage(grid(140.15, row), opening, row, later(61))
    assert scene.risk_state == REDUCING
    (change,) = scene.on_record("risk_changes")
    assert "3.6 bp" in change.reason
    assert "10:32" in change.reason
    assert scene.alerts[-1].title == "an entry slipped by too much"
    scene.restart().start(later(120))
    scene.trading.agree(later(1800))
    assert scene.risk_state == REDUCING
    scene.trading.agree(later(1861))
    assert scene.risk_state == ACTIVE


def test_an_entry_that_slips_as_expected_stops_nothing(scene: Scene) -> None:
    scene.bought()
    opening, row = to_minute(BAR) - 30, 31
    scene.trading.judge_slippage(grid(140.17, row), opening, row, later(61))
    assert scene.risk_state == ACTIVE
