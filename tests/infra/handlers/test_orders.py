"""Orders from the cycle to the broker by the queue, and what watches over them."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.handlers.live_cycle import LiveCycle
from infra.handlers.position_monitor import PositionMonitor
from infra.handlers.trade_executor import TradeExecutor
from infra.replay_dlq import main as replay_dlq
from tests.infra.handlers.cloud import Cloud, Context, record, scheduled
from tools.aws.queue import MOST_BYTES, Queue, Sent
from tools.errors import BadInput
from tools.store.store import Store


def until_an_order(cloud: Cloud) -> list[str]:
    """The session up to its first decided order; its id waits in the queue."""
    cycle = LiveCycle(cloud.given(), cloud.clock)
    for minute in range(1, 120):
        cloud.at(minute + 0.01)
        cloud.tick(cycle)
        waiting = cloud.sqs.get_queue_attributes(
            QueueUrl=cloud.orders, AttributeNames=["ApproximateNumberOfMessages"]
        )["Attributes"]["ApproximateNumberOfMessages"]
        if int(waiting):
            with cloud.store() as store:
                (run,) = store.runs()
                rows = store.outbox(run.run_id, "advised")
            return [row.client_order_id for row in rows]
    raise AssertionError("no order in two hours")


def batch(*bodies: Any, queue: str = "orders.fifo") -> dict[str, Any]:
    return {"Records": [record(body, f"m{n}", queue) for n, body in enumerate(bodies)]}


def failed(answer: dict[str, Any]) -> list[str]:
    return [one["itemIdentifier"] for one in answer["batchItemFailures"]]


@pytest.mark.slow
def test_an_order_is_sent_once_however_it_is_delivered(cloud: Cloud, capsys: Any) -> None:
    (order,) = until_an_order(cloud)
    asked, tickets = json.dumps({"order": order}), cloud.stage.rest.exchange.tickets
    executor = TradeExecutor(cloud.given(), cloud.clock)
    # Another call is the writer: it comes again. Nothing was sent by the cycle itself.
    assert tickets == []
    with Store.open(cloud.ledger, read_only=False):
        assert failed(executor(batch(asked, asked), Context())) == ["m0", "m1"]
    # Twice in one batch, again from a cold container, and with poison between.
    poison = ["no json", '{"order": 7}', "x" * 5_000, 7, '{"order": "unknown-1"}']
    assert failed(executor(batch(asked, *poison, asked), Context())) == []
    assert failed(TradeExecutor(cloud.given(), cloud.clock)(batch(asked), Context())) == []
    assert [one.client_order_id for one in tickets] == [order]
    reasons = " | ".join(one["reason"] for one in cloud.letters())
    for told in ("is not", "the order's id is 7", "5,000 characters", "no order unknown-1"):
        assert told in reasons
    _replayed(cloud, capsys)
    _watched(cloud, order)


def _replayed(cloud: Cloud, capsys: Any) -> None:
    """The letters are shown, then put back to their queue as they were."""
    for name in ("1",):
        _ = name
    cloud.sqs.purge_queue(QueueUrl=cloud.dead)
    cloud.sqs.send_message(
        QueueUrl=cloud.dead, MessageBody=json.dumps({"reason": "why", "message": '{"order": "a"}'}),
        MessageGroupId="orders", MessageDeduplicationId="a",
    )  # fmt: skip
    cloud.sqs.purge_queue(QueueUrl=cloud.orders)
    assert replay_dlq(["show", cloud.dead]) == 0
    assert "why" in capsys.readouterr().out
    assert replay_dlq(["put-back", cloud.dead, cloud.orders]) == 0
    assert "1 messages put back" in capsys.readouterr().out
    found = cloud.sqs.receive_message(QueueUrl=cloud.orders)["Messages"]
    assert [one["Body"] for one in found] == ['{"order": "a"}']


def _watched(cloud: Cloud, order: str) -> None:
    """The monitor books the fill and agrees; a HALT in the bucket halts from here too."""
    cloud.stage.until(cloud.stage.now + timedelta(minutes=1))
    monitor = PositionMonitor(cloud.given(), cloud.clock)
    told = monitor(scheduled(cloud.stage.now), Context())
    assert (told["outcome"], told["positions"]) == ("agreed", 1)
    cloud.s3.put_object(Bucket="archive", Key="control/HALT", Body=b"")
    assert monitor(scheduled(cloud.stage.now), Context())["outcome"] == "agreed"
    with cloud.store() as store:
        (run,) = store.runs()
        end = cloud.stage.now + timedelta(minutes=5)
        (change, *_) = reversed(store.risk_changes(run.run_id, "advised", as_of=end))
        fills = store.fills(run.run_id, "advised", as_of=end)
    assert change.state == "HALTED"
    assert len(fills) == 1
    assert order.split("-")[3] == fills[0].symbol


@pytest.mark.slow
def test_minutes_that_stand_still_are_closed_by_the_monitor(cloud: Cloud) -> None:
    until_an_order(cloud)
    cloud.deliver(TradeExecutor(cloud.given(), cloud.clock))
    cloud.stage.until(cloud.stage.now + timedelta(minutes=1))
    monitor = PositionMonitor(cloud.given(), cloud.clock)
    assert monitor(scheduled(cloud.stage.now), Context())["positions"] == 1
    # The cycle is never called again: bars go on without it, and the stop or the monitor ends it.
    cloud.at(cloud.stage.session.minutes - 3)
    monitor(scheduled(cloud.stage.now), Context())
    cloud.stage.until(cloud.stage.now + timedelta(minutes=1.5))
    assert monitor(scheduled(cloud.stage.now), Context())["positions"] == 0
    held = cloud.stage.rest.exchange.positions
    assert not any(getattr(one, "quantity", one) for one in dict(held).values())


@pytest.mark.slow
def test_a_deployment_in_the_middle_of_a_session_leaves_no_position_alone(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    until_an_order(cloud)
    cloud.deliver(TradeExecutor(cloud.given(), cloud.clock))
    cloud.stage.until(cloud.stage.now + timedelta(minutes=1))
    for place in ("advisor.live.standing.code_version", "advisor.code_version"):
        monkeypatch.setattr(place, lambda: "other code")
    cycle = LiveCycle(cloud.given(), cloud.clock)
    with pytest.raises(BadInput, match="began the session of 2025-03-12 under other"):
        cloud.tick(cycle)
    monitor = PositionMonitor(cloud.given(), cloud.clock)
    told = monitor(scheduled(cloud.stage.now), Context())
    assert (told["outcome"], told["positions"]) == ("agreed", 1)
    cloud.s3.put_object(Bucket="archive", Key="control/HALT", Body=b"")  # still obeyed
    monitor(scheduled(cloud.stage.now), Context())
    cloud.at(cloud.stage.session.minutes - 3)
    monitor(scheduled(cloud.stage.now), Context())
    cloud.stage.until(cloud.stage.now + timedelta(minutes=1.5))
    assert monitor(scheduled(cloud.stage.now), Context())["positions"] == 0
    assert cloud.stage.rest.exchange.positions == {}
    with cloud.store() as store:
        (run,) = store.runs()
        end = cloud.stage.now + timedelta(minutes=5)
        changes = store.risk_changes(run.run_id, "advised", as_of=end)
        assert store.trades(run.run_id, "advised", as_of=end)
        assert store.verify_chain(run.run_id).intact
    assert "HALTED" in [one.state for one in changes]


def test_before_anything_is_traded_there_is_nothing_to_watch(cloud: Cloud, tmp_path: Path) -> None:
    cloud.at(1)
    told = PositionMonitor(cloud.given(), cloud.clock)(scheduled(cloud.stage.now), Context())
    assert told == {"outcome": "nothing is traded yet"}
    assert tmp_path.is_dir()


@pytest.mark.parametrize("event", [None, {}, {"Records": 7}, {"Records": [{"body": "x"}]}])
def test_what_is_no_batch(cloud: Cloud, event: Any) -> None:
    with pytest.raises(BadInput, match="no batch of an SQS queue"):
        TradeExecutor(cloud.given(), cloud.clock)(event, Context())


def test_orders_wait_when_the_time_is_up(cloud: Cloud) -> None:
    cloud.at(1)
    executor = TradeExecutor(cloud.given(), cloud.clock)
    with Store.open(cloud.ledger, read_only=False):
        answer = executor(batch('{"order": "a"}', '{"order": "b"}'), Context(left=3_000))
    assert failed(answer) == ["m0", "m1"]


class Letters(Queue):
    """The dead letters' queue, which refuses what names `refused`."""

    refused = "never mind"

    def send(self, messages: Any) -> Sent:
        given = list(messages)
        taken = super().send(one for one in given if self.refused not in one.body)
        return Sent(
            accepted=taken.accepted,
            refused={one.id: "InvalidParameter" for one in given if self.refused in one.body},
        )


def test_poison_that_cannot_be_buried_stays_in_the_queue(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cloud.at(1)
    poison = batch("no json", "nor this", queue="orders")
    for trouble in ({"TRADE_DEAD_LETTERS_URL": ""}, {"TRADE_DEAD_LETTERS_URL": cloud.dead + "x"}):
        executor = TradeExecutor(cloud.given(**trouble), cloud.clock)
        assert failed(executor(poison, Context())) == ["m0", "m1"]
        assert "the dead letters could not be written" in caplog.text
        caplog.clear()
    assert cloud.letters() == []

    monkeypatch.setattr("infra.handlers.given.Queue", Letters)
    executor = TradeExecutor(cloud.given(), cloud.clock)
    monkeypatch.setattr(Letters, "refused", "nor this")
    assert failed(executor(poison, Context())) == ["m1"]
    assert "was refused: InvalidParameter" in caplog.text
    assert [one["message"] for one in cloud.letters()] == ["no json"]


def test_poison_as_large_as_a_queue_takes_is_buried_too(cloud: Cloud) -> None:
    cloud.at(1)
    executor = TradeExecutor(cloud.given(), cloud.clock)
    for character in ("x", "\N{EURO SIGN}", "\N{BELL}"):
        body = character * (MOST_BYTES // len(character.encode()))
        assert failed(executor(batch(body, queue=f"{ord(character)}"), Context())) == []
    letters = cloud.letters()
    assert len(letters) == 3
    assert all("characters" in one["reason"] for one in letters)


def test_letters_that_cannot_be_shown_are_counted(cloud: Cloud, capsys: Any) -> None:
    assert replay_dlq(["show", cloud.dead]) == 0
    assert capsys.readouterr().out == "0 messages in dead.fifo\n"
    for n in range(25):
        cloud.sqs.send_message(
            QueueUrl=cloud.dead, MessageBody=f'{{"order": "o{n}"}}', MessageGroupId="orders",
            MessageDeduplicationId=str(n),
        )  # fmt: skip
    assert replay_dlq(["show", cloud.dead]) == 0
    told = capsys.readouterr().out
    assert told.count("order") == 10
    assert "10 messages of dead.fifo are shown; about 15 more are behind them" in told
    assert replay_dlq(["put-back", cloud.dead, cloud.orders]) == 0
    assert "25 messages put back to orders.fifo, 0 stay" in capsys.readouterr().out
