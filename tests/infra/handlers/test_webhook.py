"""Alerts of TradingView as API Gateway hands them over, right and wrong."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.handlers.given import Given
from infra.handlers.webhook import Webhook
from tests.infra.handlers.cloud import Context
from tools.aws.parameters import AwsParameters
from tools.errors import NotConfigured
from tools.market.tradingview import COMPONENTS


class Noon:
    """A clock that stands still."""

    def now(self) -> datetime:
        return datetime(2025, 3, 12, 16, 0, tzinfo=UTC)


class Intake:
    """What the webhook is given: a secret and a queue."""

    def __init__(self, admin: Callable[[str], Any]) -> None:
        self.clock: Any = Noon()
        self.sqs = admin("sqs")
        made = self.sqs.create_queue(QueueName="alerts.fifo", Attributes={"FifoQueue": "true"})
        self.alerts = str(made["QueueUrl"])
        kept = admin("secretsmanager").create_secret(Name="webhook", SecretString="open sesame")
        self.environment = {"WEBHOOK_SECRET": kept["ARN"], "WEBHOOK_QUEUE_URL": self.alerts}

    def given(self, **more: str) -> Given:
        return Given({k: v for k, v in (self.environment | more).items() if v})


@pytest.fixture
def cloud(
    aws: AwsParameters, admin: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> Intake:
    assert aws.endpoint_url
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint_url)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return Intake(admin)


def alert(cloud: Intake, **changed: Any) -> dict[str, Any]:
    at = cloud.clock.now() - timedelta(minutes=1)
    return {
        "passphrase": "open sesame", "nonce": "n-20250312-1", "symbol": "NVDA",
        "time": at.isoformat().replace("+00:00", "Z"), "direction": "long", "grade": "A+",
        "score": 7.5, "confidence": 80, "entry": 120.0, "stop": 118.5, "targets": [122.0, 124.0],
        "components": dict.fromkeys(COMPONENTS, 0.5),
    } | changed  # fmt: skip


def rest(body: str, *, encoded: bool = False) -> dict[str, Any]:
    """A REST API's proxy event (payload 1.0)."""
    return {
        "resource": "/api/tv-alert", "path": "/api/tv-alert", "httpMethod": "POST",
        "headers": {"Content-Type": "text/plain; charset=utf-8"}, "multiValueHeaders": {},
        "queryStringParameters": None, "pathParameters": None, "stageVariables": None,
        "requestContext": {"stage": "v1", "identity": {"sourceIp": "52.89.214.238"}},
        "body": body, "isBase64Encoded": encoded,
    }  # fmt: skip


def http(body: str) -> dict[str, Any]:
    """An HTTP API's proxy event (payload 2.0)."""
    return {
        "version": "2.0", "routeKey": "POST /api/tv-alert", "rawPath": "/api/tv-alert",
        "rawQueryString": "", "headers": {"content-type": "application/json"},
        "requestContext": {"http": {"method": "POST", "path": "/api/tv-alert"}},
        "body": base64.b64encode(body.encode()).decode(), "isBase64Encoded": True,
    }  # fmt: skip


def waiting(cloud: Intake) -> list[dict[str, Any]]:
    found = cloud.sqs.receive_message(QueueUrl=cloud.alerts, MaxNumberOfMessages=10)
    return [json.loads(one["Body"]) for one in found.get("Messages", [])]


def test_an_alert_is_enqueued_once_however_often_it_comes(cloud: Intake) -> None:
    hook, text = Webhook(cloud.given(), cloud.clock), json.dumps(alert(cloud))
    cold = Webhook(cloud.given(), cloud.clock)
    answers = [
        hook(rest(text), Context()),
        hook(http(text), Context()),
        cold(rest(text), Context()),
    ]
    assert [one["statusCode"] for one in answers] == [202, 202, 202]
    (one,) = waiting(cloud)
    assert (one["symbol"], one["direction"], one["targets"]) == ("NVDA", "long", [122.0, 124.0])
    assert "passphrase" not in one


WRONG = [
    ({"passphrase": "open"}, 401, "passphrase"),
    ({"passphrase": 7}, 401, "passphrase"),
    ({"passphrase": "\ud800"}, 401, "passphrase"),
    ({"\ud800": 1}, 400, "unknown"),
    ({"components": dict.fromkeys(COMPONENTS, 0.1) | {"supertrend": 512.3}}, 400, "raw price"),
    ({"components": {"cloud": 1}}, 400, "components must be exactly"),
    ({"score": 11}, 400, "score is 11"),
    ({"confidence": -1}, 400, "confidence"),
    ({"grade": "C"}, 400, "grade"),
    ({"direction": "up"}, 400, "direction"),
    ({"stop": 121.0}, 400, "the stop lies below"),
    ({"targets": [124.0, 122.0]}, 400, "targets rise"),
    ({"targets": []}, 400, "targets must be"),
    ({"entry": 0}, 400, "entry is 0"),
    ({"entry": True}, 400, "entry is 'True'"),
    ({"nonce": "short"}, 400, "nonce has 5"),
    ({"symbol": "NASDAQ:NVDA"}, 400, "symbol must be"),
    ({"symbol": "DROP TABLE"}, 400, "symbol must be"),
    ({"time": "2025-03-12T09:00:00Z"}, 400, "minutes old"),
    ({"time": "2035-03-12T09:00:00Z"}, 400, "lies ahead"),
    ({"time": "soon"}, 400, "time is 'soon'"),
    ({"time": 10**30}, 400, "time is"),
    ({"more": 1}, 400, "unknown more"),
]


@pytest.mark.parametrize(("changed", "status", "told"), WRONG)
def test_what_is_wrong_is_said_and_nothing_is_enqueued(
    cloud: Intake, changed: dict[str, Any], status: int, told: str
) -> None:
    answer = Webhook(cloud.given(), cloud.clock)(
        rest(json.dumps(alert(cloud, **changed))), Context()
    )
    assert answer["statusCode"] == status
    assert told in json.loads(answer["body"])["detail"]
    assert "sesame" not in answer["body"]
    assert waiting(cloud) == []


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (None, 400), ({}, 400), ({"body": 7}, 400), (rest(""), 400), (rest("{"), 400),
        (rest("[]"), 400), (rest("[" * 9_000), 400), (rest('{"score": NaN}'), 400),
        (rest("no base64!", encoded=True), 400), (rest("x" * 20_000), 413),
        (rest("x" * 5_000_000), 413),
    ],
)  # fmt: skip
def test_what_is_no_alert(cloud: Intake, event: Any, status: int) -> None:
    assert Webhook(cloud.given(), cloud.clock)(event, Context())["statusCode"] == status


def test_a_queue_that_is_gone_is_no_loss_unsaid(cloud: Intake) -> None:
    hook = Webhook(cloud.given(WEBHOOK_QUEUE_URL=cloud.alerts + "x"), cloud.clock)
    answer = hook(rest(json.dumps(alert(cloud))), Context())
    assert answer["statusCode"] == 503
    assert "send it again" in answer["body"]


def test_a_secret_that_is_not_named(cloud: Intake) -> None:
    hook = Webhook(cloud.given(WEBHOOK_SECRET=""), cloud.clock)
    assert hook(rest(json.dumps(alert(cloud))), Context())["statusCode"] == 503
    with pytest.raises(NotConfigured, match="WEBHOOK_SECRET"):
        cloud.given(WEBHOOK_SECRET="").required("WEBHOOK_SECRET")


def test_a_secret_that_cannot_be_used_is_not_told_to_the_caller(
    cloud: Intake, admin: Callable[[str], Any], caplog: pytest.LogCaptureFixture
) -> None:
    kept = admin("secretsmanager").create_secret(Name="binary", SecretBinary=b"open sesame")["ARN"]
    for settings in ({"WEBHOOK_SECRET": kept}, {"ADVISOR_AWS__ATTEMPTS": "99"}):
        answer = Webhook(cloud.given(**settings), cloud.clock)(
            rest(json.dumps(alert(cloud))), Context()
        )
        assert answer["statusCode"] == 503
        assert json.loads(answer["body"])["detail"].startswith("the alert could not be verified")
    assert "is binary" in caplog.text
    assert waiting(cloud) == []
