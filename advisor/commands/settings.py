"""`advisor settings`: the values in force and where each came from."""

from pathlib import Path
from typing import Annotated

import typer

from advisor.commands.output import console, print_json


def settings(
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")] = False,
) -> None:
    """Show every setting, its value and its source."""
    from rich.table import Table

    from advisor.settings import explain_settings

    rows = explain_settings(config)
    if json:
        print_json({key: {"value": value, "source": source} for key, value, source in rows})
        return
    table = Table("setting", "value", "source", box=None)
    for key, value, source in rows:
        shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        table.add_row(key, shown, source, style=None if source == "default" else "bold")
    console().print(table)
