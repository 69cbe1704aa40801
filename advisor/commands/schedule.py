"""`advisor schedule`: when the day's jobs are due, and a process that runs them."""

import logging
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.commands.output import console, print_json

if TYPE_CHECKING:
    from advisor.settings import Settings
    from quant_core.calendar import Session

app = typer.Typer(
    help="Premarket at 08:30 New York, session start and end, nightly: sessions only."
)
_Config = Annotated[Path | None, typer.Option(help="Settings file (TOML).")]
STOPPING_SECONDS = 10.0


@app.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    count: Annotated[int, typer.Option("--next", min=1, max=10_000, help="How many to list.")] = 9,
    config: _Config = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")] = False,
) -> None:
    """List what is due next, and the command each job would start. Nothing is run."""
    if context.invoked_subcommand is not None:
        return
    from rich.table import Table

    from advisor.settings import load_settings
    from advisor.timetable import upcoming
    from quant_core.calendar import new_york

    lines = _lines(load_settings(config))
    rows = list(islice(upcoming(datetime.now(UTC)), count))
    if json:
        print_json(
            [
                {"due": row.moment.isoformat(), "job": row.name, "session": row.session.date,
                 "command": lines[row.name] or None}
                for row in rows
            ]
        )  # fmt: skip
        return
    table = Table("due (New York)", "job", "session", "command", box=None)
    for row in rows:
        half = " (half-day)" if row.session.minutes < 390 else ""
        command = lines[row.name] or "–"
        style = None if lines[row.name] else "dim"
        table.add_row(
            f"{row.moment:%a} {new_york(row.moment)}",
            row.name, f"{row.session.date}{half}", command, style=style,
        )  # fmt: skip
    console().print(table)
    if not all(lines.values()):
        console().print("– runs nothing; commands are set under \\[schedule] in advisor.toml")


@app.command()
def run(config: _Config = None) -> None:
    """Run the jobs whose commands are set, each when it is due, until it is stopped."""
    from advisor.scheduler import Scheduler
    from advisor.settings import load_settings
    from quant_core.calendar import new_york
    from tools.errors import BadInput

    settings = load_settings(config)
    lines = {name: line for name, line in _lines(settings).items() if line}
    if not lines:
        raise BadInput(
            "there is nothing to run: set a command for premarket, session_start, session_end or "
            "nightly under [schedule] in advisor.toml; `advisor schedule` lists when each is due"
        )
    # It would say in its own words what is said here.
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    screen = console()

    def tell(text: str) -> None:
        screen.print(f"{new_york(datetime.now(UTC))}  {text}", markup=False)

    commands = {name: Command(name, line) for name, line in lines.items()}
    scheduler = Scheduler(commands, tell)
    signal.signal(signal.SIGTERM, lambda *_: scheduler.stop())
    tell(f"waiting for {', '.join(lines)}; stop with Ctrl-C")
    try:
        scheduler.run()
    except KeyboardInterrupt:
        tell("interrupted")
        raise typer.Exit(130) from None
    finally:
        for command in commands.values():
            command.end()


def _lines(settings: "Settings") -> dict[str, str]:
    """The command line of every job of the timetable; empty for none."""
    from advisor.timetable import TIMETABLE

    return {job.name: getattr(settings.schedule, job.name).strip() for job in TIMETABLE}


class Command:
    """A command line as a job; its output is where ours is."""

    def __init__(self, name: str, line: str) -> None:
        """BadInput when the line cannot be read or names a program that is not there."""
        from tools.errors import BadInput

        try:
            self._words = shlex.split(line)
        except ValueError as error:
            raise BadInput(f"schedule.{name} is {line!r}, which cannot be read: {error}") from error
        # Beside this Python first: the scheduler need not run in an activated environment.
        places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        program = shutil.which(self._words[0], path=places)
        if program is None:
            raise BadInput(
                f"schedule.{name} is {line!r}, and there is no program {self._words[0]!r}"
            )
        self._words[0] = program
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False

    def __call__(self, session: "Session") -> None:
        """Run it for a session; RuntimeError with the exit code when it fails."""
        words = [word.replace("{date}", str(session.date)) for word in self._words]
        with self._lock:
            if self._ended:
                return
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        code = self._process.wait()
        if code:
            raise RuntimeError(f"exit code {code} of {shlex.join(words)}")

    def end(self) -> None:
        """Stop it if it runs: asked first, made to after a while. It does not start again."""
        with self._lock:
            self._ended, process = True, self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(STOPPING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
