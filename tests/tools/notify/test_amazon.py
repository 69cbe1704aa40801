"""Alerts through SES and SNS, by the real clients against moto's server."""

import json
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.stand_ins.aws import Fault, Front
from tests.tools.aws.conftest import admin, aws, front, moto  # noqa: F401
from tests.tools.notify.test_policy import alert
from tools.aws.parameters import AwsParameters
from tools.errors import Rejected, Transient
from tools.notify import AlertChannels, Severity, open_channels

TRADER = "trader@example.org"


def sent(moto: str) -> list[dict[str, Any]]:  # noqa: F811
    address = f"{moto}/moto-api/data.json"
    with urllib.request.urlopen(address) as answer:
        return list(json.loads(answer.read()).get("ses", {}).get("Message", []))


def test_a_mail_goes_by_ses(aws: AwsParameters, admin: Callable[[str], Any]) -> None:  # noqa: F811
    settings = AlertChannels(recipients=(TRADER,), sender="advisor@example.org", mail_by="ses")
    (mail,) = open_channels(settings, {}, aws)
    with pytest.raises(Rejected, match=r"mail from advisor@example\.org \(SES\)"):
        mail.send(alert())
    admin("ses").verify_email_identity(EmailAddress="advisor@example.org")
    mail.send(alert(title="HALTED\nBcc: all@example.org", severity=Severity.CRITICAL))
    assert admin("ses").get_send_quota()["SentLast24Hours"] == 1


def test_a_topic_is_told(aws: AwsParameters, admin: Callable[[str], Any]) -> None:  # noqa: F811
    topic = admin("sns").create_topic(Name="alerts")["TopicArn"]
    queue = admin("sqs").create_queue(QueueName="listener")["QueueUrl"]
    arn = admin("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    admin("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
    (sns,) = open_channels(AlertChannels(sns_topic=topic), {}, aws)
    sns.send(alert(title="HALTED — daily loss\n" + "x" * 200, text="Loss $510. €"))
    (got,) = admin("sqs").receive_message(QueueUrl=queue)["Messages"]
    message = json.loads(got["Body"])
    assert message["Subject"].startswith("Advisor: ")
    assert len(message["Subject"]) < 100
    assert message["Subject"].isascii()
    assert "Loss $510. €" in message["Message"]
    assert message["MessageAttributes"]["severity"]["Value"] == alert().severity.value


def test_throttling_may_be_tried_again(aws: AwsParameters, front: Front) -> None:  # noqa: F811
    slow = replace(aws, endpoint_url=front.url)
    (sns,) = open_channels(AlertChannels(sns_topic="arn:aws:sns:us-east-1:1:a"), {}, slow)
    throttled = (
        b"<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code>"
        b"<Message>slow</Message></Error></ErrorResponse>"
    )
    front.faults.extend([Fault(400, throttled)] * 2)
    with pytest.raises(Transient, match="Throttling"):
        sns.send(alert())


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"recipients": (TRADER,), "mail_by": "ses"}, "sender"),
        ({"recipients": (TRADER,), "sender": TRADER}, "smtp_host"),
        ({"sns_topic": "alerts"}, "ARN"),
    ],
)
def test_a_channel_that_could_never_deliver(wrong: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        AlertChannels(**wrong)
