"""`advisor ledger`: look at a ledger, prove that its history was not changed, keep it small."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.commands.output import console, print_json

if TYPE_CHECKING:
    from datetime import datetime

    from tools.store.retention import Lot

app = typer.Typer(help="The ledger: what it holds, and whether its history is intact.")

_Ledger = Annotated[
    str | None,
    typer.Argument(help="A ledger file, a folder that holds one, or a database URL; default: "
                   "ledger.url of the settings."),
]  # fmt: skip
_Config = Annotated[Path | None, typer.Option(help="Settings file (TOML).")]


@app.command()
def verify(
    ledger: _Ledger = None,
    config: _Config = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")] = False,
) -> None:
    """Check the hash chain of every run: each decision, and each session's cycle rows."""
    from dataclasses import asdict

    from advisor.ledgers import ledger_at, open_ledger
    from advisor.settings import load_settings
    from tools.errors import BookMismatch

    settings = load_settings(config)
    with open_ledger(ledger_at(ledger, settings), settings) as store:
        place = store.place
        reports = {run.run_id: store.verify_chain(run.run_id) for run in store.runs()}
    if not reports:
        raise BookMismatch(
            f"the ledger {place} holds no run: nothing was ever replayed into it, or its history "
            "was removed"
        )
    if json:
        print_json({run: asdict(report) for run, report in reports.items()})
    for run, report in reports.items():
        size = f"{report.records} decision records, {report.cycle_rows} minute rows"
        if report.pruned_rows or report.pruned_texts:
            size += (
                f" (taken out by retention: {report.pruned_rows} minute rows, the texts of "
                f"{report.pruned_texts} calls)"
            )
        words = "intact" if report.intact else f"[bold red]BROKEN[/bold red]: {report.broken}"
        console().print(f"run {run}: {size}, {words}")
    if not all(report.intact for report in reports.values()):
        raise typer.Exit(5)


@app.command()
def upgrade(ledger: _Ledger = None, config: _Config = None) -> None:
    """Bring a ledger of an earlier version up to date; every record and its chain stay."""
    from advisor.ledgers import is_address, ledger_at, open_ledger
    from advisor.settings import load_settings
    from tools.errors import BadInput

    settings = load_settings(config)
    place = ledger_at(ledger, settings)
    try:
        # One that is current may be in use: there is nothing to do, and nobody to wait for.
        opened = open_ledger(place, settings)
    except BadInput:
        opened = open_ledger(place, settings, read_only=False)
    with opened as store:
        made = " (an empty database was made a ledger)" if not store.runs() else ""
        console().print(
            f"{store.place} is up to date; it holds {len(store.runs())} runs"
            + (made if is_address(place) else ""),
            markup=False,
        )


@app.command()
def prune(
    ledger: _Ledger = None,
    minutes_days: Annotated[
        float | None,
        typer.Option(min=1, help="Take out minute rows older than so many days; default: "
                     "ledger.keep_minutes_days."),
    ] = None,
    texts_days: Annotated[
        float | None,
        typer.Option(min=1, help="Take out what models were told and said, older than so many "
                     "days; default: ledger.keep_texts_days."),
    ] = None,
    archive: Annotated[
        Path | None, typer.Option(help="Folder into which it is written before it goes.")
    ] = None,
    no_archive: Annotated[
        bool, typer.Option("--no-archive", help="Throw it away: there is no other copy.")
    ] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Do it; without, only say what would go.")
    ] = False,
    config: _Config = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")] = False,
) -> None:  # fmt: skip
    """Say, or take out, what is old and large; decisions, trades and the chain stay for ever."""
    from datetime import UTC, datetime

    from advisor.ledgers import ledger_at, open_ledger
    from advisor.settings import load_settings
    from tools.errors import BadInput
    from tools.store import retention

    settings = load_settings(config)
    minutes = minutes_days or settings.ledger.keep_minutes_days
    texts = texts_days or settings.ledger.keep_texts_days
    if minutes is None and texts is None:
        raise BadInput(
            "nothing has an age yet: say --minutes-days or --texts-days, or set "
            "ledger.keep_minutes_days or ledger.keep_texts_days"
        )
    if apply and (archive is None) != no_archive:
        raise BadInput("say either where it is written first (--archive DIR) or --no-archive")
    now = datetime.now(UTC)
    with open_ledger(ledger_at(ledger, settings), settings, read_only=not apply) as store:
        lots = retention.due(
            store,
            minutes_before=_before(now, minutes),
            texts_before=_before(now, texts),
        )
        if apply:
            retention.prune(store, lots, archive, at=now)
        place = store.place
    if json:
        print_json(
            {
                "applied": apply,
                "lots": [
                    {
                        "run": lot.run_id, "lane": lot.lane, "sessions": len(lot.sessions),
                        "minute_rows": lot.minute_rows, "calls": len(lot.calls),
                    }
                    for lot in lots
                ],
            }
        )  # fmt: skip
    _say(lots, place, apply=apply, archive=archive)


def _before(now: "datetime", days: float | None) -> "datetime | None":
    from datetime import timedelta

    return None if days is None else now - timedelta(days=days)


def _say(lots: "list[Lot]", place: str, *, apply: bool, archive: Path | None) -> None:
    screen = console()
    for lot in lots:
        screen.print(
            f"run {lot.run_id}, lane {lot.lane}: {lot.minute_rows:,} minute rows of "
            f"{len(lot.sessions)} sessions, the texts of {len(lot.calls)} calls",
            markup=False,
        )
    rows, calls = sum(lot.minute_rows for lot in lots), sum(len(lot.calls) for lot in lots)
    told = f"{rows:,} minute rows and the texts of {calls:,} calls"
    if not lots:
        screen.print(f"nothing in {place} is that old", markup=False)
    elif apply:
        where = f"; they are in {archive}" if archive else ""
        screen.print(f"taken out of {place}: {told}{where}. The chain is as it was", markup=False)
    else:
        screen.print(
            f"{told} would go from {place}; nothing was changed. Say --apply, with --archive DIR "
            "or --no-archive",
            markup=False,
        )


@app.command()
def backup(
    ledger: Annotated[Path, typer.Argument(help="A ledger file, or a folder that holds one.")],
    to: Annotated[Path, typer.Argument(help="The file to make; one that exists is not replaced.")],
    config: _Config = None,
) -> None:
    """Copy a ledger file, also while it is written, and verify the copy."""
    from advisor.ledgers import ledger_at
    from advisor.settings import load_settings
    from tools.errors import BadInput
    from tools.store.backup import back_up

    if "://" in str(ledger) or ":/" in str(ledger):
        raise BadInput(
            "a ledger on PostgreSQL is copied with pg_dump; docs/operations.md has the commands"
        )
    reports = back_up(Path(ledger_at(ledger, load_settings(config))), to)
    records = sum(report.records for report in reports)
    console().print(f"{to}: {len(reports)} run(s), {records} decision records, verified")
