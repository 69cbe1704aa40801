"""Notifications of the desktop: a program on the path that writes down what it was given."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tools.errors import NotConfigured, Transient
from tools.notify import Alert, AlertChannels, Severity, open_channels

SHOWN = Alert(
    kind="trade", severity=Severity.CRITICAL, title="--help $(touch owned)\nx", text='"; rm',
    at=datetime(2026, 11, 20, 15, 0, tzinfo=UTC),
)  # fmt: skip


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def program(folder: Path, text: str) -> None:
    path = folder / "notify-send"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def test_an_alert_is_shown_as_it_is_and_never_run(programs: Path) -> None:
    program(programs, 'printf "%s|" "$@" > shown\n')
    (channel,) = open_channels(AlertChannels(desktop=True), {})
    channel.send(SHOWN)
    words = (programs / "shown").read_text().split("|")
    assert words[:3] == ["--urgency=critical", "--app-name=Advisor", "--"]
    assert words[3] == "Advisor: [CRITICAL] --help $(touch owned) x"
    assert words[4].startswith('"; rm\n')
    assert not (programs / "owned").exists()


def test_a_desktop_that_does_not_answer_is_tried_again(programs: Path) -> None:
    program(programs, 'echo "no  bus" >&2\nexit 3\n')
    (channel,) = open_channels(AlertChannels(desktop=True), {})
    with pytest.raises(Transient, match="did not take an alert: no bus"):
        channel.send(SHOWN)


def test_without_the_program_it_is_said_what_to_install(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(NotConfigured, match="no notify-send here; install it"):
        open_channels(AlertChannels(desktop=True), {})
