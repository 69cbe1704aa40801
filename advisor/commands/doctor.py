"""`advisor doctor`: what is ready for a trading day, what is not, and what to do about it."""

from pathlib import Path
from typing import Annotated

import typer

from advisor.commands.output import console, print_json

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red", "off": "dim"}


def doctor(
    ledger: Annotated[
        str | None, typer.Option(help="A ledger to look into: file, folder or database URL.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where runs would be written.")] = Path(),
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")] = False,
) -> None:
    """Check keys, clock, calendar, ledger, disk, broker, model and alerts."""
    from dataclasses import asdict

    from rich.table import Table

    from advisor.doctor import examine
    from advisor.secrets import open_secrets
    from advisor.settings import load_settings

    with console().status("Looking …"):
        settings = load_settings(config)
        findings = examine(settings, open_secrets(settings), ledger, folder)
    if json:
        print_json([asdict(one) for one in findings])
    else:
        table = Table("", "check", "found", box=None)
        for one in findings:
            style = STYLES[one.outcome]
            words = one.found + (f"\n[italic]→ {one.todo}[/italic]" if one.todo else "")
            table.add_row(f"[{style}]{one.outcome}[/{style}]", one.check, words)
        console().print(table)
    if any(one.outcome == "fail" for one in findings):
        raise typer.Exit(2)
