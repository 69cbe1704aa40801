"""The real alpaca-py client against a stand-in that keeps an account."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from quant_core.types import Order
from tests.stand_ins.alpaca import KEY, SECRET, AlpacaStandIn, Fault, alpaca_stand_in
from tools.broker import OrderState
from tools.broker.alpaca import AlpacaBroker, bracket_on_ticks, on_tick
from tools.broker.wire import order_of
from tools.errors import Ambiguous, NotConfigured, Rejected, Transient

KEYS = {"APCA_API_KEY_ID": KEY, "APCA_API_SECRET_KEY": SECRET}


def order(name: str = "advised-NVDA-1", **differs: Any) -> Order:
    values: dict[str, Any] = {
        "client_order_id": name, "symbol": "NVDA", "side": 1, "quantity": 70, "reference": 140.14,
        "stop": 139.4412, "target": 141.1882, "decided_at": datetime(2025, 1, 8, 15, tzinfo=UTC),
    }  # fmt: skip
    return Order(**{**values, **differs})


@pytest.fixture
def server() -> Iterator[AlpacaStandIn]:
    with alpaca_stand_in() as running:
        running.exchange.prices["NVDA"] = 140.14
        yield running


@pytest.fixture
def broker(server: AlpacaStandIn) -> AlpacaBroker:
    return AlpacaBroker(KEYS, base_url=server.url, read_seconds=0.5)


def posts(server: AlpacaStandIn) -> int:
    return sum(method == "POST" for method, _ in server.seen)


def test_a_bracket_lives_from_order_to_exit(server: AlpacaStandIn, broker: AlpacaBroker) -> None:
    placed = broker.place(order())
    assert (placed.client_order_id, placed.state, placed.quantity) == (
        "advised-NVDA-1",
        OrderState.WORKING,
        70.0,
    )
    target, stop = placed.legs
    assert (target.limit, target.state, stop.stop) == (141.18, OrderState.HELD, 139.45)

    server.exchange.trade("NVDA", 140.2, size=30)
    found = broker.find("advised-NVDA-1")
    assert found is not None
    assert (found.filled, found.average_price, found.state) == (30.0, 140.2, OrderState.WORKING)
    assert all(leg.state is OrderState.HELD for leg in found.legs)

    server.exchange.trade("NVDA", 140.3)
    assert [(p.symbol, p.quantity) for p in broker.positions()] == [("NVDA", 70.0)]
    (bracket,) = broker.open_orders()
    assert [leg.state for leg in bracket.legs] == [OrderState.WORKING] * 2

    server.exchange.trade("NVDA", 139.4)
    assert broker.positions() == broker.open_orders() == []
    ended = broker.find("advised-NVDA-1")
    assert ended is not None
    assert [leg.state for leg in ended.legs] == [OrderState.CANCELLED, OrderState.FILLED]
    assert broker.account().cash == pytest.approx(
        100_000 - 30 * 140.2 - 40 * 140.3 + 70 * 139.4, abs=0.01
    )


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="cut", after_effect=True),
        Fault(kind="hang", seconds=5.0, after_effect=True),
        Fault(kind="status", status=500, after_effect=True),
        Fault(kind="status", status=504, after_effect=True),
        Fault(kind="garbage", after_effect=True),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
def test_an_order_whose_answer_is_lost_is_asked_about_and_never_doubled(
    server: AlpacaStandIn, broker: AlpacaBroker, fault: Fault
) -> None:
    server.faults.append(fault)
    with pytest.raises(Ambiguous, match="advised-NVDA-1"):
        broker.place(order())
    assert posts(server) == 1
    found = broker.find("advised-NVDA-1")
    assert found is not None
    # Sent again all the same (a process that forgot), it is answered as it is.
    assert broker.place(order()).id == found.id
    assert len(server.exchange.tickets) == 1


def test_an_order_that_got_lost_on_the_way_is_not_there(
    server: AlpacaStandIn, broker: AlpacaBroker
) -> None:
    server.faults.append(Fault(kind="cut"))
    with pytest.raises(Ambiguous):
        broker.place(order())
    assert broker.find("advised-NVDA-1") is None


def test_what_was_surely_not_sent_or_not_accepted_may_be_sent_again(
    server: AlpacaStandIn, broker: AlpacaBroker
) -> None:
    server.faults.append(Fault(kind="status", status=429))
    with pytest.raises(Transient, match="fewer requests"):
        broker.place(order())
    assert (posts(server), server.exchange.tickets) == (1, [])
    server.close()
    away = AlpacaBroker(KEYS, base_url=server.url)
    with pytest.raises(Transient, match="was not sent"):
        away.place(order())


@pytest.mark.parametrize("kind", ["cut", "status", "garbage", "hang"])
def test_a_question_that_failed_may_be_asked_again(
    server: AlpacaStandIn, broker: AlpacaBroker, kind: Any
) -> None:
    server.faults.append(Fault(method="GET", kind=kind, seconds=5.0))
    with pytest.raises(Transient):
        broker.positions()
    assert broker.positions() == []


def test_refusals_are_given_in_the_brokers_words(
    server: AlpacaStandIn, broker: AlpacaBroker
) -> None:
    with pytest.raises(Rejected, match="insufficient buying power"):
        broker.place(order(quantity=10_000))
    server.exchange.unshortable.add("NVDA")
    with pytest.raises(Rejected, match="cannot be sold short"):
        broker.place(order(side=-1, stop=141.0, target=139.0))
    server.exchange.unknown.add("NOPE")
    with pytest.raises(Rejected, match='asset "NOPE" not found'):
        broker.place(order(symbol="NOPE"))
    with pytest.raises(Rejected, match="closer than a tick"):
        broker.place(order(stop=140.1399))
    assert server.exchange.tickets == []


def test_wrong_keys_and_no_keys_say_which_variables(server: AlpacaStandIn) -> None:
    wrong = AlpacaBroker({**KEYS, "APCA_API_SECRET_KEY": "wrong"}, base_url=server.url)
    with pytest.raises(NotConfigured, match="APCA_API_SECRET_KEY") as caught:
        wrong.account()
    assert "wrong" not in str(caught.value)
    with pytest.raises(NotConfigured, match="lacks APCA_API_KEY_ID and APCA_API_SECRET_KEY"):
        AlpacaBroker({})


def test_a_cancel_that_comes_too_late_is_no_error(
    server: AlpacaStandIn, broker: AlpacaBroker
) -> None:
    placed = broker.place(order())
    broker.cancel(placed.id)
    broker.cancel(placed.id)
    broker.cancel("00000000-0000-0000-0000-00000000ffff")
    found = broker.find("advised-NVDA-1")
    assert found is not None
    assert {found.state, *(leg.state for leg in found.legs)} == {OrderState.CANCELLED}
    server.faults.append(Fault(method="DELETE", kind="cut"))
    with pytest.raises(Ambiguous, match="cancel"):
        broker.cancel(placed.id)


def test_an_exit_and_a_new_stop_for_a_naked_position(
    server: AlpacaStandIn, broker: AlpacaBroker
) -> None:
    server.exchange.positions["NVDA"] = (-5.5, 141.0)
    stop = broker.protect("guard-NVDA-1", "NVDA", 1, 5.5, 142.3456)
    assert (stop.kind, stop.stop, stop.side) == ("stop", 142.34, 1)
    with pytest.raises(Rejected, match="insufficient qty available"):
        broker.exit("exit-NVDA-1", "NVDA", 1, 5.5)
    broker.cancel(stop.id)
    broker.exit("exit-NVDA-1", "NVDA", 1, 5.5)
    server.exchange.trade("NVDA", 141.5)
    assert broker.positions() == []


def test_the_account_says_why_it_may_not_trade(server: AlpacaStandIn, broker: AlpacaBroker) -> None:
    assert broker.account().blocked == ""
    server.exchange.account_fields = {"trading_blocked": True, "status": "ACCOUNT_CLOSED"}
    assert broker.account().blocked == "trading_blocked, status ACCOUNT_CLOSED"
    assert broker.clock().is_open


@pytest.mark.parametrize(
    ("price", "up", "tick"),
    [
        (139.4412, True, 139.45), (139.4412, False, 139.44), (139.44, True, 139.44),
        (0.1 + 0.2, True, 0.3), (1.0049999999, False, 1.0), (0.12345, True, 0.1235),
        (0.12345, False, 0.1234), (140.30999999999997, True, 140.31),
    ],
)  # fmt: skip
def test_prices_go_to_the_tick(price: float, up: bool, tick: float) -> None:
    assert on_tick(price, up=up) == tick


@pytest.mark.parametrize("side", [1, -1])
def test_a_bracket_is_rounded_towards_the_entry(side: Any) -> None:
    asked = order(side=side, stop=140.14 - side * 0.7051, target=140.14 + side * 1.0577)
    stop, target = bracket_on_ticks(asked)
    assert 0 < side * (asked.reference - stop) <= 0.7051
    assert 0 < side * (target - asked.reference) <= 1.0577


def test_recorded_payloads_of_the_real_service_are_read(market_data: Path) -> None:
    folder = market_data / "fixtures" / "alpaca-py"
    file = folder / "tests__trading__trading_client__test_order_routes.json"
    read = 0
    for case in json.loads(Path(file).read_text()):
        payloads = case["payload"] if isinstance(case["payload"], list) else [case["payload"]]
        for payload in payloads:
            if "client_order_id" in payload:
                found = order_of(payload)
                assert found.quantity >= 1
                assert found.status
                read += 1
    assert read >= 5
