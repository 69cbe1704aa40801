"""`advisor ledger`: look at a ledger, and prove that its history was not changed."""

from pathlib import Path
from typing import Annotated

import typer

from advisor.commands.output import console, print_json

app = typer.Typer(help="The ledger: what it holds, and whether its history is intact.")


@app.command()
def verify(
    ledger: Annotated[Path, typer.Argument(help="A ledger file, or a folder that holds one.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")] = False,
) -> None:
    """Check the hash chain of every run: each decision, and each session's cycle rows."""
    from dataclasses import asdict

    from advisor.replay import LEDGER
    from tools.errors import BookMismatch, NoData
    from tools.store.store import Store

    path = ledger / LEDGER if ledger.is_dir() else ledger
    if not path.is_file():
        raise NoData(f"there is no ledger at {path}; name a ledger file or an output folder")
    with Store.open(path, read_only=True) as store:
        reports = {run.run_id: store.verify_chain(run.run_id) for run in store.runs()}
    if not reports:
        raise BookMismatch(
            f"the ledger {path} holds no run: nothing was ever replayed into it, or its history "
            "was removed"
        )
    if json:
        print_json({run: asdict(report) for run, report in reports.items()})
    for run, report in reports.items():
        size = f"{report.records} decision records, {report.cycle_rows} minute rows"
        words = "intact" if report.intact else f"[bold red]BROKEN[/bold red]: {report.broken}"
        console().print(f"run {run}: {size}, {words}")
    if not all(report.intact for report in reports.values()):
        raise typer.Exit(5)


@app.command()
def upgrade(
    ledger: Annotated[Path, typer.Argument(help="A ledger file, or a folder that holds one.")],
) -> None:
    """Bring a ledger of an earlier version up to date; every record and its chain stay."""
    from advisor.replay import LEDGER
    from tools.errors import NoData
    from tools.store.store import Store

    path = ledger / LEDGER if ledger.is_dir() else ledger
    if not path.is_file():
        raise NoData(f"there is no ledger at {path}; name a ledger file or an output folder")
    with Store.open(path) as store:
        console().print(f"{path} is up to date; it holds {len(store.runs())} runs")
