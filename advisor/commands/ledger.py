"""`advisor ledger`: prove that a ledger's history was not changed, keep it current and safe."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.commands.output import console, print_json, without_password

if TYPE_CHECKING:
    from tools.store.store import Store

app = typer.Typer(help="The ledger: is its history intact, its schema current, is there a copy?")
_Ledger = Annotated[
    str, typer.Argument(help="A ledger file, a folder that holds one, or a database URL.")
]


@app.command()
def verify(
    ledger: _Ledger,
    json: Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")] = False,
) -> None:
    """Check the hash chain of every run: each decision, and each session's cycle rows."""
    from dataclasses import asdict

    from tools.errors import BookMismatch

    with _read(ledger) as store:
        reports = {run.run_id: store.verify_chain(run.run_id) for run in store.runs()}
    if not reports:
        raise BookMismatch(
            f"the ledger {without_password(_place(ledger))} holds no run: nothing was ever "
            "recorded in it, or its history was removed"
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
def upgrade(ledger: _Ledger) -> None:
    """Bring a ledger up to date (made, on an empty database); every record and its chain stay."""
    from tools.errors import BadInput
    from tools.store.store import Store

    place = _place(ledger)
    try:
        # One that is current may be in use: there is nothing to do, and nobody to wait for.
        with Store.open(place, read_only=True) as store:
            count = len(store.runs())
    except BadInput:
        with Store.open(place) as store:
            count = len(store.runs())
    console().print(f"{without_password(place)} is up to date; it holds {count} run(s)")


@app.command()
def backup(
    ledger: Annotated[Path, typer.Argument(help="A ledger file, or a folder that holds one.")],
    to: Annotated[Path, typer.Argument(help="The file to make; one that exists is not replaced.")],
) -> None:
    """Copy a ledger file, also while it is written, and verify the copy."""
    from tools.errors import BadInput
    from tools.store.backup import back_up

    if "://" in str(ledger) or ":/" in str(ledger):
        raise BadInput(
            "a ledger on PostgreSQL is copied with pg_dump; docs/operations.md has the commands"
        )
    reports = back_up(Path(_place(str(ledger))), to)
    records = sum(report.records for report in reports)
    console().print(f"{to}: {len(reports)} run(s), {records} decision records, verified")


def _read(ledger: str) -> "Store":
    from tools.store.store import Store

    return Store.open(_place(ledger), read_only=True)


def _place(ledger: str) -> str:
    """Where a ledger is: a URL as it is, the file of a folder; NoData when there is none."""
    from tools.errors import NoData
    from tools.store.dialect import LEDGER_FILE

    if "://" in ledger:
        return ledger
    path = Path(ledger) / LEDGER_FILE if Path(ledger).is_dir() else Path(ledger)
    if not path.is_file():
        raise NoData(f"there is no ledger at {path}; name a ledger file or an output folder")
    return str(path)
