"""The channels a user can name: mail by SMTP or SES, an SNS topic, webhooks of the common chats.

Addresses are settings. The password and the webhook's URL (whoever has it can write to the chat)
are secrets: they come from the environment, and no error message repeats them.
"""

import json
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Literal

from tools.aws.parameters import AwsParameters
from tools.errors import NotConfigured, Rejected, Transient
from tools.notify.alerts import Alert, Channel, Severity

PASSWORD = "ADVISOR_SMTP_PASSWORD"
WEBHOOK = "ADVISOR_ALERT_WEBHOOK"
SECONDS = 10.0
AWS = AwsParameters()
COLOURS = {Severity.INFO: 0x2F6F9F, Severity.WARNING: 0xC98A1B, Severity.CRITICAL: 0xB3261E}

Shape = Literal["slack", "discord", "telegram", "json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertChannels:
    """Where alerts go: mail to `recipients` when there are any, a webhook when `webhook` is set.

    Mail goes by `smtp`, or by Amazon SES (`ses`); `sns_topic` is the ARN of an SNS topic.
    `security`: `starttls` (usual on port 587), `tls` from the first byte (465), or `none`.
    `chat_id` is Telegram's. With `desktop` they are also shown where the program runs.
    """

    recipients: tuple[str, ...] = ()
    sender: str = ""
    smtp_host: str = ""
    smtp_port: int = 587
    smtp_user: str = ""
    security: Literal["starttls", "tls", "none"] = "starttls"
    webhook: Shape | None = None
    chat_id: str = ""
    mail_by: Literal["smtp", "ses"] = "smtp"
    sns_topic: str = ""
    desktop: bool = False

    def __post_init__(self) -> None:
        """Refuse a channel that could never deliver."""
        if self.recipients and self.mail_by == "smtp" and not (self.smtp_host and self.sender):
            raise ValueError("recipients are named, so smtp_host and sender must be too")
        if self.recipients and not self.sender:
            raise ValueError("recipients are named, so sender must be too")
        if self.sns_topic and not self.sns_topic.startswith("arn:"):
            raise ValueError(f"sns_topic is {self.sns_topic!r}; it must be a topic's ARN")
        for address in (*self.recipients, *([self.sender] if self.sender else [])):
            if "@" not in address or any(c.isspace() for c in address):
                raise ValueError(f"{address!r} is not a mail address")
        if not 1 <= self.smtp_port <= 65_535:
            raise ValueError(f"smtp_port is {self.smtp_port}; it must lie in [1, 65535]")
        if self.webhook == "telegram" and not self.chat_id:
            raise ValueError("webhook is telegram, so chat_id must say which chat")


def open_channels(
    settings: AlertChannels, environment: Mapping[str, str], aws: AwsParameters = AWS
) -> list[Channel]:
    """The channels that are set up; NotConfigured when one lacks its secret."""
    channels: list[Channel] = []
    if settings.recipients and settings.mail_by == "ses":
        from tools.notify.amazon import SesMail

        channels.append(SesMail(settings.sender, settings.recipients, aws))
    elif settings.recipients:
        password = environment.get(PASSWORD, "")
        if settings.smtp_user and not password:
            raise NotConfigured(f"alerts.smtp_user is set, so the environment must have {PASSWORD}")
        channels.append(Mail(settings, password))
    if settings.webhook:
        url = environment.get(WEBHOOK, "")
        if not url.startswith(("https://", "http://")):
            raise NotConfigured(
                f"alerts.webhook is {settings.webhook}, so the environment must have "
                f"{WEBHOOK}, the address to post to (https://…)"
            )
        channels.append(Webhook(settings.webhook, url, settings.chat_id))
    if settings.sns_topic:
        from tools.notify.amazon import SnsTopic

        channels.append(SnsTopic(settings.sns_topic, aws))
    if settings.desktop:
        from tools.notify.desktop import Desktop

        channels.append(Desktop())
    return channels


class Mail:
    """Mail through an SMTP server."""

    name = "mail"

    def __init__(self, settings: AlertChannels, password: str, seconds: float = SECONDS) -> None:
        """As the settings say; each step of the conversation may take `seconds`."""
        self._settings, self._password, self._seconds = settings, password, seconds

    def send(self, alert: Alert) -> None:
        """One message to all recipients."""
        message = EmailMessage()
        message["Subject"] = alert.subject()
        message["From"] = self._settings.sender
        message["To"] = ", ".join(self._settings.recipients)
        message.set_content(alert.body())
        host = f"the mail server {self._settings.smtp_host}:{self._settings.smtp_port}"
        try:
            with self._connect() as server:
                if self._settings.smtp_user:
                    server.login(self._settings.smtp_user, self._password)
                server.send_message(message)
        except smtplib.SMTPAuthenticationError as error:
            raise Rejected(
                f"{host} refused user {self._settings.smtp_user}; check {PASSWORD}"
            ) from error
        except smtplib.SMTPRecipientsRefused as error:
            names = ", ".join(error.recipients)
            raise Rejected(f"{host} refused the recipients {names}") from error
        except smtplib.SMTPNotSupportedError as error:
            raise Rejected(
                f"{host} does not offer what alerts.security asks for: {error}"
            ) from error
        except smtplib.SMTPResponseException as error:
            refused = 500 <= error.smtp_code < 600
            raise (Rejected if refused else Transient)(
                f"{host} answered {error.smtp_code}"
            ) from error
        except (OSError, smtplib.SMTPException) as error:
            raise Transient(f"{host} cannot be reached: {error}") from error

    def _connect(self) -> smtplib.SMTP:
        place = (self._settings.smtp_host, self._settings.smtp_port)
        if self._settings.security == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(*place, timeout=self._seconds, context=context)
        server = smtplib.SMTP(*place, timeout=self._seconds)
        if self._settings.security == "starttls":
            try:
                server.starttls(context=ssl.create_default_context())
            except BaseException:
                server.close()
                raise
        return server


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A webhook that moved is told to the user; what it carries goes nowhere else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Webhook:
    """A POST of JSON in the shape that a chat expects."""

    name = "webhook"

    def __init__(self, shape: Shape, url: str, chat_id: str, seconds: float = SECONDS) -> None:
        """`url` is a secret."""
        self._shape, self._url, self._chat_id, self._seconds = shape, url, chat_id, seconds
        self._opener = urllib.request.build_opener(_NoRedirect)

    def send(self, alert: Alert) -> None:
        """One request; 408, 429 and 5xx may be tried again."""
        # http or https only: `open_channels` has looked.
        request = urllib.request.Request(
            self._url,
            data=json.dumps(self.payload(alert)).encode(),
            headers={"content-type": "application/json", "user-agent": "advisor"},
        )
        try:
            with self._opener.open(request, timeout=self._seconds) as answer:
                answer.read(1024)
        except urllib.error.HTTPError as error:
            error.close()
            again = error.code in (408, 429) or error.code >= 500
            raise (Transient if again else Rejected)(
                f"the {self._shape} webhook answered {error.code}"
                + ("" if again else f"; check {WEBHOOK}")
            ) from None
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise Transient(f"the {self._shape} webhook cannot be reached: {reason}") from None

    def payload(self, alert: Alert) -> dict[str, Any]:
        """What is posted."""
        if self._shape == "slack":
            return {"text": _slack(f"{alert.subject()}\n{alert.body()}")}
        if self._shape == "discord":
            embed = {
                "title": alert.subject()[:256],
                "description": alert.body()[:4000],
                "color": COLOURS[alert.severity],
            }
            return {"embeds": [embed], "allowed_mentions": {"parse": []}}
        if self._shape == "telegram":
            text = f"{alert.subject()}\n{alert.body()}"[:4000]
            return {"chat_id": self._chat_id, "text": text, "disable_web_page_preview": True}
        return {
            "kind": alert.kind,
            "severity": alert.severity.value,
            "title": alert.title,
            "text": alert.text,
            "at": alert.at.isoformat(),
        }


def _slack(text: str) -> str:
    """Slack reads <…> as links and mentions; foreign text must stay text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
