"""The real clients against a mail server and a web server of our own."""

import email
import email.policy
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from typer.testing import CliRunner

from advisor.cli import app
from advisor.settings import Settings
from tests.tools.notify.test_policy import alert
from tools.errors import NotConfigured, Rejected, Transient
from tools.notify import AlertChannels, Severity, open_channels
from tools.notify.channels import PASSWORD, WEBHOOK, Mail, Webhook


class Mailbox:
    """What a mail server accepted; it refuses nobody@…"""

    def __init__(self) -> None:
        self.got: list[Envelope] = []

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("nobody@"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.got.append(envelope)
        return "250 OK"


def password_is_right(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
) -> AuthResult:
    return AuthResult(success=data.password == b"right", handled=False)


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, AlertChannels]]:
    box = Mailbox()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(
        box, "127.0.0.1", port, authenticator=password_is_right, auth_require_tls=False
    )
    controller.start()
    settings = AlertChannels(
        recipients=("trader@example.org", "desk@example.org"),
        sender="advisor@example.org",
        smtp_host="127.0.0.1",
        smtp_port=port,
        security="none",
    )
    yield box, settings
    controller.stop()


def test_a_mail_arrives_as_it_was_meant(mailbox: tuple[Mailbox, AlertChannels]) -> None:
    box, settings = mailbox
    title = "HALTED\nBcc: everybody@example.org — daily loss"
    Mail(settings, "").send(alert(title=title, severity=Severity.CRITICAL, text="Loss $510. €"))
    (envelope,) = box.got
    assert envelope.rcpt_tos == ["trader@example.org", "desk@example.org"]
    got = email.message_from_bytes(envelope.content, policy=email.policy.default)  # type: ignore[arg-type]
    assert got["Subject"] == ("Advisor: [CRITICAL] HALTED Bcc: everybody@example.org — daily loss")
    assert got["Bcc"] is None
    assert "Loss $510. €" in got.get_content()
    assert "2025-01-08 12:00" in got.get_content()


def test_what_a_mail_server_refuses_is_told(mailbox: tuple[Mailbox, AlertChannels]) -> None:
    box, settings = mailbox
    nobody = replace(settings, recipients=("nobody@example.org",))
    with pytest.raises(Rejected, match=r"refused the recipients nobody@example\.org"):
        Mail(nobody, "").send(alert())
    with pytest.raises(Rejected, match="does not offer"):
        Mail(replace(settings, security="starttls"), "").send(alert())
    user = replace(settings, smtp_user="advisor")
    with pytest.raises(Rejected, match=PASSWORD) as caught:
        Mail(user, "wr0ng").send(alert())
    assert "wr0ng" not in str(caught.value)
    Mail(user, "right").send(alert())
    assert len(box.got) == 1


def test_a_mail_server_that_is_not_there_may_be_there_in_a_moment() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        settings = AlertChannels(
            recipients=("a@b",),
            sender="c@d",
            smtp_host="127.0.0.1",
            smtp_port=probe.getsockname()[1],
        )
        with pytest.raises(Transient, match="cannot be reached"):
            Mail(settings, "", seconds=2.0).send(alert())


class Chat:
    """A web server that answers with the statuses it is told, and keeps the bodies."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: list[dict[str, object]] = []
        chat = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                chat.got.append(json.loads(body))
                status = chat.statuses.pop(0) if chat.statuses else 200
                self.send_response(status)
                if status == 302:
                    self.send_header("location", chat.url + "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook/s3cret"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def chat() -> Iterator[Chat]:
    made = Chat()
    yield made
    made.close()


def test_each_chat_gets_its_shape(chat: Chat) -> None:
    told = alert(title="<!channel> & co", severity=Severity.WARNING)
    for shape in ("slack", "discord", "telegram", "json"):
        Webhook(shape, chat.url, "42").send(told)  # type: ignore[arg-type]
    slack, discord, telegram, plain = chat.got
    assert "&lt;!channel&gt; &amp; co" in str(slack["text"])
    assert discord["allowed_mentions"] == {"parse": []}
    assert "[WARNING] <!channel>" in str(discord["embeds"])
    assert (telegram["chat_id"], "parse_mode" in telegram) == ("42", False)
    assert (plain["kind"], plain["severity"]) == ("feed", "warning")


@pytest.mark.parametrize(
    ("status", "error"), [(500, Transient), (429, Transient), (404, Rejected), (302, Rejected)]
)
def test_an_answer_of_a_webhook_becomes_a_reaction_and_keeps_the_secret(
    chat: Chat, status: int, error: type[Exception]
) -> None:
    chat.statuses = [status]
    with pytest.raises(error, match=str(status)) as caught:
        Webhook("slack", chat.url, "").send(alert())
    assert "s3cret" not in str(caught.value)
    assert len(chat.got) == 1


def test_a_channel_without_its_secret_says_which_variable() -> None:
    with pytest.raises(NotConfigured, match=WEBHOOK):
        open_channels(AlertChannels(webhook="slack"), {})
    mail = AlertChannels(recipients=("a@b",), sender="c@d", smtp_host="x", smtp_user="u")
    with pytest.raises(NotConfigured, match=PASSWORD):
        open_channels(mail, {})
    assert open_channels(AlertChannels(), {}) == []


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"recipients": ("a@b",)}, "smtp_host"),
        ({"recipients": ("a b@c",), "sender": "c@d", "smtp_host": "x"}, "mail address"),
        ({"smtp_port": 0}, "smtp_port"),
        ({"webhook": "telegram"}, "chat_id"),
    ],
)
def test_a_channel_that_could_never_deliver_is_refused(
    values: dict[str, object], word: str
) -> None:
    with pytest.raises(ValueError, match=word):
        AlertChannels(**values)  # type: ignore[arg-type]


def test_the_command_sends_and_says_what_became_of_it(
    chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "advisor.toml"
    file.write_text('[alerts]\nwebhook = "json"\n')
    monkeypatch.setenv(WEBHOOK, chat.url)
    ran = CliRunner().invoke(app, ["alerts", "test", "--config", str(file), "--json"])
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout) == {"webhook": {"sent": 1, "error": ""}}
    assert chat.got[0]["kind"] == "test"
    chat.statuses = [404]
    ran = CliRunner().invoke(app, ["alerts", "test", "--config", str(file)])
    assert isinstance(ran.exception, Rejected)
    assert "answered 404; check ADVISOR_ALERT_WEBHOOK" in ran.stderr
    file.write_text("")
    ran = CliRunner().invoke(app, ["alerts", "test", "--config", str(file)])
    assert isinstance(ran.exception, NotConfigured)


def test_alerts_are_no_part_of_what_a_run_is() -> None:
    plain = Settings()
    told = Settings(alerts=AlertChannels(webhook="slack"))
    assert told.config_hash() == plain.config_hash()
