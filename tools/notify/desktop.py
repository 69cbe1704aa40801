"""Alerts as notifications of the desktop, by the system's own program.

Linux has `notify-send` (package libnotify-bin), macOS `osascript`. The text is an argument, never a
piece of a script: what a model or a headline wrote is shown and not run.
"""

import os
import shutil
import subprocess
import sys

from tools.errors import NotConfigured, Transient
from tools.notify.alerts import Alert, Severity

SECONDS = 5.0
URGENCY = {Severity.INFO: "low", Severity.WARNING: "normal", Severity.CRITICAL: "critical"}
SCRIPT = "on run argv\ndisplay notification (item 2 of argv) with title (item 1 of argv)\nend run"


class Desktop:
    """The desktop of whoever started the program."""

    name = "desktop"

    def __init__(self) -> None:
        """NotConfigured where there is no program to show them."""
        wanted = "osascript" if sys.platform == "darwin" else "notify-send"
        program = shutil.which(wanted)
        if program is None:
            raise NotConfigured(
                f"alerts.desktop is set, and there is no {wanted} here; install it (Debian: "
                "libnotify-bin), or set alerts.desktop = false"
            )
        self._program = program

    def send(self, alert: Alert) -> None:
        """Show one; Transient when the desktop does not take it."""
        title, text = alert.subject(), alert.body()
        words = ["-e", SCRIPT, title, text]
        if not self._program.endswith("osascript"):
            words = [
                f"--urgency={URGENCY[alert.severity]}",
                "--app-name=Advisor",
                "--",
                title,
                text,
            ]
        try:
            done = subprocess.run(
                [self._program, *words], capture_output=True, text=True, timeout=SECONDS,
                check=False, env=os.environ,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Transient(f"the desktop did not take an alert: {error}") from error
        if done.returncode:
            said = " ".join(done.stderr.split())[:200] or f"exit code {done.returncode}"
            raise Transient(f"the desktop did not take an alert: {said}")
