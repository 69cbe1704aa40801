"""`advisor data fetch`: recorded bars from Alpaca into a lake."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from advisor.commands.output import console, print_json

_Timeframe = Literal["1min", "1day"]


def fetch(
    symbols: Annotated[str, typer.Option(help="Comma-separated.")],
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First date.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last date.")],
    lake: Annotated[Path, typer.Option(help="Folder of the lake.")],
    timeframe: Annotated[_Timeframe, typer.Option(help="Length of the bars.")] = "1min",
    feed: Annotated[Literal["iex", "sip"], typer.Option(help="iex is free and thin.")] = "iex",
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")] = False,
) -> None:
    """Fetch bars from Alpaca into a lake, month by month; run it again to go on."""

    from advisor.fetching import fetch_bars
    from advisor.lakes import bars_of, open_lake
    from advisor.secrets import open_secrets
    from advisor.settings import load_settings
    from tools.errors import BadInput, NoData
    from tools.market.alpaca import AlpacaBars

    named = [part.strip().upper() for part in symbols.split(",") if part.strip()]
    if not named or first > last:
        raise BadInput("name at least one symbol with --symbols, and --from not after --to")
    settings = load_settings(config)
    source = AlpacaBars(open_secrets(settings), feed=feed, base_url=settings.broker.data_url)
    add = open_lake(lake, settings)
    with console().status("") as status:
        rows = [
            fetch_bars(source, symbol, first.date(), last.date(), add, timeframe, status.update)
            for symbol in named
        ]
    _show_fetched(rows)
    if not any(row["fetched"] for row in rows):
        raise NoData(
            f"Alpaca has no {timeframe} bars of {', '.join(named)} from {first:%Y-%m-%d} to "
            f"{last:%Y-%m-%d} on {feed}"
        )
    console().print(f"Use it with --bars {bars_of(lake, timeframe)}", markup=False)
    if json:
        print_json({"lake": str(lake), "timeframe": timeframe, "feed": feed, "symbols": rows})


def _show_fetched(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table("symbol", "fetched", "added", "already there", "differing", "refused", box=None)
    for row in rows:
        refused = ", ".join(f"{count} {reason}" for reason, count in row["refused"].items())
        counts = (str(row[name]) for name in ("fetched", "added", "known", "differing"))
        table.add_row(row["symbol"], *counts, refused or "none")
    console().print(table)
