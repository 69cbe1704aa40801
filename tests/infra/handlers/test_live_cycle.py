"""A morning through the functions, called as EventBridge and SQS call them."""

from typing import Any

import pytest

from infra.handlers.live_cycle import LiveCycle
from infra.handlers.trade_executor import TradeExecutor
from quant_core.calendar import to_datetime
from tests.infra.handlers.cloud import Cloud, Context, scheduled
from tests.stand_ins.aws import Fault, Front
from tools.errors import BadInput, NotConfigured
from tools.store.store import Store

MORNING = 75
DUPLICATES = {3, 15, 16, 40, 61}
MISSED = {7, 8, 9, 22, 50}
PARTS = ("transitions", "decisions", "analyses", "minutes", "z")
COLD = {1, 20, 45}  # containers that AWS has started anew


def decided(store: Store, cloud: Cloud) -> dict[str, Any]:
    """What the ledger has of a morning, without what fills moved."""
    (run,) = store.runs()
    # What was asked when the last bar closed is answered with the next.
    end = to_datetime(cloud.stage.session.open + MORNING - 1)
    found: dict[str, Any] = {}
    for lane in ("advised", "baseline"):
        of = (run.run_id, lane)
        rows = store.cycles(*of, as_of=end)
        found[lane] = (
            [(one.start, one.symbol, one.state, one.reason) for one in
             store.transitions(*of, as_of=end)],
            [(one.signal.start, one.signal.symbol, one.signal.setup, one.signal.side,
              one.signal.stop, one.signal.target, one.plan.blocked_by) for one in
             store.decisions(*of, as_of=end)],
            store.analyses(*of, as_of=end),
            rows.minute.tolist(), rows.z.tolist().__repr__(),
        )  # fmt: skip
    return found


@pytest.mark.slow
def test_a_morning_in_calls_decides_as_the_replay_of_its_bars(cloud: Cloud) -> None:
    cycle = LiveCycle(cloud.given(), cloud.clock)
    executor = TradeExecutor(cloud.given(), cloud.clock)
    outcomes, orders = [], []
    for minute in range(MORNING + 1):
        cloud.at(minute + 0.01)
        if minute in MISSED:
            continue
        if minute in COLD:
            cycle = LiveCycle(cloud.given(), cloud.clock)
        outcomes.append(cloud.tick(cycle))
        orders += cloud.deliver(executor)
        if minute in DUPLICATES:
            again = cloud.tick(cycle)
            assert again["outcome"] == "nothing to decide"
    assert {one["outcome"] for one in outcomes} <= {"decided", "nothing to decide"}
    assert sum(one["minutes"] for one in outcomes) == MORNING
    with cloud.store() as store:
        made = decided(store, cloud)
        (run,) = store.runs()
        outbox = store.outbox(run.run_id, "advised")
    cloud.replayed()
    with Store.open(cloud.folder / "replay" / "ledger.sqlite", read_only=True) as store:
        again_made = decided(store, cloud)
    for lane, parts in made.items():
        for name, one, other in zip(PARTS, parts, again_made[lane], strict=True):
            assert one == other, f"{name} of {lane}"
    assert orders, "no order was decided: the morning proves little"
    assert len(orders) == len(set(orders))
    assert {row.client_order_id for row in outbox} >= set(orders)


def test_a_holiday_an_early_hour_and_the_evening_are_quiet(cloud: Cloud) -> None:
    cycle = LiveCycle(cloud.given(), cloud.clock)
    assert cloud.tick(cycle)["outcome"] == "the session has not opened"
    cloud.stage.now = to_datetime(cloud.stage.session.close + 60)
    assert cloud.tick(cycle)["outcome"] == "the session is over"


@pytest.mark.parametrize("event", [None, [], {}, {"scheduled": 7}, {"scheduled": "x" * 300_000}])
def test_an_event_that_no_schedule_sends(cloud: Cloud, event: Any) -> None:
    with pytest.raises(BadInput, match="a schedule sends") as raised:
        LiveCycle(cloud.given(), cloud.clock)(event, Context())
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize("name", ["LEDGER_URL", "ARCHIVE_BUCKET"])
def test_what_is_missing_is_named(cloud: Cloud, name: str) -> None:
    cloud.at(1.1)
    with pytest.raises(NotConfigured, match=name):
        cloud.tick(LiveCycle(cloud.given(**{name: ""}), cloud.clock))


def test_another_writer_is_waited_for_and_then_left_alone(cloud: Cloud) -> None:
    cloud.at(1.1)
    with Store.open(cloud.ledger, read_only=False):
        told = LiveCycle(cloud.given(), cloud.clock)(scheduled(cloud.stage.now), Context())
    assert told == {"outcome": "another call is at work"}


def test_a_call_without_time_leaves_the_minute_to_the_next(cloud: Cloud) -> None:
    cycle = LiveCycle(cloud.given(), cloud.clock)
    cloud.at(2.1)
    told = cloud.tick(cycle, left=3_000)
    assert (told["outcome"], told["minutes"]) == ("out of time: the next call goes on", 0)
    told = cloud.tick(cycle)
    assert (told["outcome"], told["minutes"]) == ("decided", 2)


EXPIRED = b"<Error><Code>ExpiredToken</Code><Message>The token has expired</Message></Error>"
SLOW = b"<Error><Code>SlowDown</Code><Message>Reduce your request rate</Message></Error>"


def test_aws_in_trouble_loses_nothing(cloud: Cloud, front: Front) -> None:
    troubled = {"ADVISOR_AWS__ENDPOINT_URL": front.url}
    cloud.at(1.1)
    front.faults.append(Fault(503, SLOW))  # repeated by the client
    assert cloud.tick(LiveCycle(cloud.given(**troubled), cloud.clock))["minutes"] == 1
    cloud.at(2.1)
    front.faults.append(Fault(400, EXPIRED))
    cycle = LiveCycle(cloud.given(**troubled), cloud.clock)
    with pytest.raises(NotConfigured, match="credentials have expired"):
        cloud.tick(cycle)
    cloud.at(3.1)
    assert cloud.tick(cycle)["minutes"] == 2
