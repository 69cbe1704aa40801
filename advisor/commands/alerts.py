"""`advisor alerts`: see whether alerts arrive before they are needed."""

from pathlib import Path
from typing import Annotated

import typer

from advisor.commands.output import console, print_json

app = typer.Typer(help="Alerts by mail and webhook.", no_args_is_help=True)

SECONDS = 60.0


@app.callback()
def alerts() -> None:
    """Alerts by mail, webhook and SNS."""


@app.command("test")
def send_test(
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")] = False,
) -> None:
    """Send a test alert through every channel that is set up, and say what became of it."""
    from datetime import UTC, datetime

    from advisor.secrets import open_secrets
    from advisor.settings import load_settings
    from tools.errors import NotConfigured, Rejected
    from tools.notify import Alert, Alerts, Severity, open_channels

    settings = load_settings(config)
    channels = open_channels(settings.alerts, open_secrets(settings), settings.aws)
    if not channels:
        raise NotConfigured(
            "no channel is set up; name alerts.recipients, alerts.sender and alerts.smtp_host for "
            "mail (or alerts.mail_by = ses), alerts.webhook for a chat, or alerts.sns_topic"
        )
    sending = Alerts(channels, settings.alert_limits)
    sending.tell(
        Alert(
            kind="test",
            severity=Severity.INFO,
            title="a test",
            text="If you can read this, alerts reach you.",
            at=datetime.now(UTC),
        )
    )
    with console().status("Sending …"):
        in_time = sending.flush(SECONDS)
    states = sending.states()
    for state in states:
        said = "sent" if state.sent else state.last_error or f"no answer within {SECONDS:.0f} s"
        console().print(f"{state.name}: {said}", markup=False)
    if json:
        print_json(
            {state.name: {"sent": state.sent, "error": state.last_error} for state in states}
        )
    if not in_time or any(state.sent == 0 for state in states):
        raise Rejected("not every channel delivered; the reasons are above")
