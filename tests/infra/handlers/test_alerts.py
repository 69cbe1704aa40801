"""Alerts of charts from the webhook to the ledger: twice, out of order, malformed, cut short."""

import json
from typing import Any

import pytest

from infra.handlers.live_cycle import LiveCycle
from infra.handlers.webhook import Webhook
from quant_core.calendar import to_datetime
from quant_core.types import ChartAlert
from tests.infra.handlers.cloud import Cloud, Context
from tests.infra.handlers.test_webhook import alert, rest
from tools.aws.queue import Queue
from tools.errors import Transient
from tools.market.tradingview import on_its_way


def sends(cloud: Cloud, nonce: str, **changed: Any) -> None:
    """An alert through the webhook."""
    body = json.dumps(alert(cloud, nonce=nonce, **changed))  # type: ignore[arg-type]
    assert Webhook(cloud.given(), cloud.clock)(rest(body), Context())["statusCode"] == 202


def straight(cloud: Cloud, body: str, name: str) -> None:
    """A message that the webhook did not send."""
    cloud.sqs.send_message(
        QueueUrl=cloud.alerts, MessageBody=body, MessageGroupId="x", MessageDeduplicationId=name
    )


def waiting(cloud: Cloud) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = cloud.sqs.get_queue_attributes(QueueUrl=cloud.alerts, AttributeNames=names)
    return sum(int(found["Attributes"][name]) for name in names)


def recorded(cloud: Cloud) -> list[ChartAlert]:
    with cloud.store() as store:
        (run,) = store.runs()
        assert store.verify_chain(run.run_id).intact
        return store.chart_alerts(run.run_id, "market", as_of=cloud.stage.now)


def test_alerts_are_recorded_once_and_leave_the_queue(cloud: Cloud) -> None:
    cycle = LiveCycle(cloud.given(), cloud.clock)
    cloud.at(1.05)
    cloud.tick(cycle)
    came = cloud.at(1.5)
    sends(cloud, "n-1-of-spy", symbol="SPY", grade="B")
    sends(cloud, "n-1-of-nvda", direction="short", entry=120, stop=121.0, targets=[118])
    sends(cloud, "n-1-of-spy", symbol="SPY", grade="B")
    cloud.at(2.05)
    assert cloud.tick(cycle)["outcome"] == "decided"
    found = recorded(cloud)
    assert sorted(one.symbol for one in found) == ["NVDA", "SPY"]
    assert {one.known_at for one in found} == {came}
    assert waiting(cloud) == 0
    assert cloud.tick(LiveCycle(cloud.given(), cloud.clock))["outcome"] == "nothing to decide"
    # SQS forgets an id after five minutes, and delivers at least once.
    with cloud.store() as store:
        (run,) = store.runs()
        before = store.heads(run.run_id)["market"]
    straight(cloud, on_its_way(found[0]), "delivered again")
    cloud.at(3.05)
    cloud.tick(LiveCycle(cloud.given(), cloud.clock))
    with cloud.store() as store:
        assert store.heads(run.run_id)["market"] == before
    assert waiting(cloud) == 0


def test_a_call_that_dies_after_the_commit_leaves_it_to_the_next(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cycle = LiveCycle(cloud.given(), cloud.clock)
    cloud.at(0.5)
    sends(cloud, "n-1-of-nvda")
    cloud.at(1.05)

    def silent(*_: object) -> None:
        raise Transient("SQS does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(Queue, "done", silent)
        patched.setattr("tools.market.alert_inboxes.HIDDEN_SECONDS", 0)
        assert cloud.tick(cycle)["outcome"] == "decided"
    first = recorded(cloud)
    assert (len(first), waiting(cloud)) == (1, 1)
    cloud.at(2.05)
    assert cloud.tick(LiveCycle(cloud.given(), cloud.clock))["outcome"] == "decided"
    assert recorded(cloud) == first
    assert waiting(cloud) == 0


def test_what_is_no_alert_goes_to_the_dead_letters_with_the_reason(cloud: Cloud) -> None:
    wrong = {"score": 99, "id": "a" * 32}
    for number, body in enumerate(("no json", json.dumps(wrong), "[]")):
        straight(cloud, body, f"m{number}")
    cloud.at(0.5)
    sends(cloud, "n-1-of-nvda")
    cloud.at(1.05)
    assert cloud.tick(LiveCycle(cloud.given(), cloud.clock))["outcome"] == "decided"
    assert [one.symbol for one in recorded(cloud)] == ["NVDA"]
    assert waiting(cloud) == 0
    letters = cloud.letters(cloud.no_alerts)
    assert {one["message"] for one in letters} == {"no json", json.dumps(wrong), "[]"}
    assert all("alert" in one["reason"] for one in letters)


def test_a_queue_that_is_away_stops_no_minute(cloud: Cloud) -> None:
    cloud.at(1.05)
    given = cloud.given(WEBHOOK_QUEUE_URL=cloud.alerts + "-gone")
    assert cloud.tick(LiveCycle(given, cloud.clock))["outcome"] == "decided"
    assert recorded(cloud) == []


def test_what_came_while_nobody_looked_is_known_from_the_moment_reached(cloud: Cloud) -> None:
    cloud.stage.now = to_datetime(cloud.stage.session.open - 2)
    sends(cloud, "n-1-of-nvda")
    cloud.at(1.05)
    cloud.tick(LiveCycle(cloud.given(), cloud.clock))
    (one,) = recorded(cloud)
    assert one.known_at == to_datetime(cloud.stage.session.open)
