"""Alerts through Amazon: mail by SES, and SNS for whoever subscribed to a topic.

Sending is not idempotent at either: a repetition after a lost answer may arrive twice, which for an
alert is better than not at all.
"""

from tools.aws.clients import asked, client
from tools.aws.parameters import AwsParameters
from tools.notify.alerts import Alert


class SesMail:
    """Mail by Amazon SES, from an address or domain that is verified there."""

    name = "ses"

    def __init__(self, sender: str, recipients: tuple[str, ...], parameters: AwsParameters) -> None:
        """Nothing is asked yet."""
        self._client = client("sesv2", parameters)
        self._sender, self._recipients = sender, recipients

    def send(self, alert: Alert) -> None:
        """One message to all recipients; Rejected when the sender is not verified."""
        text = {"Data": alert.body(), "Charset": "UTF-8"}
        subject = {"Data": alert.subject(), "Charset": "UTF-8"}
        asked(
            f"mail from {self._sender} (SES)",
            lambda: self._client.send_email(
                FromEmailAddress=self._sender,
                Destination={"ToAddresses": list(self._recipients)},
                Content={"Simple": {"Subject": subject, "Body": {"Text": text}}},
            ),
        )


class SnsTopic:
    """A topic: SMS, mail, chats and pagers that subscribed to it."""

    name = "sns"

    def __init__(self, topic: str, parameters: AwsParameters) -> None:
        """`topic` is the topic's ARN; nothing is asked yet."""
        self._client, self._topic = client("sns", parameters), topic

    def send(self, alert: Alert) -> None:
        """One message, with severity and kind as attributes to filter by."""
        about = {"severity": alert.severity.value, "kind": alert.kind}
        asked(
            f"the topic {self._topic}",
            lambda: self._client.publish(
                TopicArn=self._topic,
                Subject=_line(alert.subject()),
                Message=alert.body(),
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in about.items()
                },
            ),
        )


def _line(subject: str) -> str:
    """What SNS takes as a subject: printable ASCII, less than 100 characters."""
    plain = subject.encode("ascii", "replace").decode()
    return "".join(one if one.isprintable() else " " for one in plain)[:99]
