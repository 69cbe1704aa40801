"""`advisor data`: look at bar files before trusting them, and keep bars in a lake.

`check` only reads. `import` writes what `check` would accept, `fetch` the same from Alpaca. `show`
says what the lake holds.
The tables are for people and go to stderr; with `--json` the same facts go to stdout.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from advisor.commands.fetch import fetch
from advisor.commands.output import console, print_json

if TYPE_CHECKING:
    from quant_core.types import Bar
    from tools.market.files import BarFormat
    from tools.market.inspection import Inspection
    from tools.market.lake import Holding, Imported

app = typer.Typer(
    help="Bar files and the bar lake: check, import, fetch, show.", no_args_is_help=True
)

SHOWN_PER_REASON = 3
SHOWN_DATES = 5

_Label = Literal["start", "end"]
_Timeframe = Literal["1min", "1day"]
_Sources = Annotated[
    list[Path],
    typer.Argument(metavar="SRC...", help="Files or folders: .parquet, .csv, .csv.gz."),
]
_Lake = Annotated[Path, typer.Option(help="Folder of the lake.")]
_Zone = Annotated[str | None, typer.Option(help="Zone of naive times, e.g. America/New_York.")]
_LabelOption = Annotated[
    _Label | None, typer.Option(help="Which end of a bar its timestamp is (settings: start).")
]
_Map = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="COLUMN=NAME", help="E.g. close=last; repeat for more columns."),
]
_TimeframeOption = Annotated[_Timeframe, typer.Option(help="Length of the bars.")]
_Symbols = Annotated[
    list[str] | None,
    typer.Option("--symbol", help="Only this symbol; repeat, or separate by commas, for more."),
]
_Config = Annotated[Path | None, typer.Option(help="Settings file (TOML).")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]
_From = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First session.")
]
_To = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last session.")]


@app.command("check")
def check(
    sources: _Sources,
    tz: _Zone = None,
    label: _LabelOption = None,
    columns: _Map = None,
    timeframe: _TimeframeOption = "1min",
    symbols: _Symbols = None,
    config: _Config = None,
    json: _Json = False,
) -> None:
    """Say what is in bar files: rows refused and why, gaps, and signs of wrong times."""
    from tools.errors import NoData

    form = _format(tz, label, columns, timeframe, config)
    found = _inspect(sources, symbols, form)
    _show_inspections(found)
    if json:
        print_json({"timeframe": timeframe, "symbols": [_as_json(one) for one in found]})
    if not any(len(one.accepted) for one in found):
        raise NoData("not one row can be used; the reasons are above")


@app.command("import")
def import_(
    sources: _Sources,
    lake: _Lake,
    tz: _Zone = None,
    label: _LabelOption = None,
    columns: _Map = None,
    timeframe: _TimeframeOption = "1min",
    symbols: _Symbols = None,
    config: _Config = None,
    json: _Json = False,
) -> None:
    """Add the usable bars of files to a lake; bars that it has already stay as they are."""
    from advisor.lakes import bars_of, open_lake
    from advisor.settings import load_settings
    from tools.errors import NoData

    add = open_lake(lake, load_settings(config))
    form = _format(tz, label, columns, timeframe, config)
    found = _inspect(sources, symbols, form)
    if not any(len(one.accepted) for one in found):
        raise NoData("not one row can be used; `advisor data check` says why")
    imported = add([one.accepted for one in found], timeframe)
    _show_imported(found, imported)
    console().print(f"Use it with --bars {bars_of(lake, timeframe)}", markup=False)
    if json:
        rows = [
            {
                "symbol": one.symbol,
                "rows": one.rows,
                "rejected": one.reasons,
                "added": got.added,
                "known": got.known,
                "differing": got.differing,
            }
            for one, got in zip(found, imported, strict=True)
        ]
        print_json({"lake": str(lake), "timeframe": timeframe, "symbols": rows})


app.command("fetch")(fetch)


@app.command("show")
def show(
    lake: _Lake,
    symbol: Annotated[str | None, typer.Argument(help="Show its bars; else list all.")] = None,
    first: _From = None,
    last: _To = None,
    limit: Annotated[int, typer.Option(min=1, help="Show this many bars, the latest ones.")] = 20,
    timeframe: _TimeframeOption = "1min",
    json: _Json = False,
) -> None:
    """Show what a lake holds, or the bars of one symbol."""
    from tools.market.lake import holdings, stored_bars

    if symbol is None:
        held = holdings(lake, timeframe)
        _show_holdings(held)
        rows: list[dict[str, Any]] = [
            {
                "symbol": one.symbol,
                "bars": one.bars,
                "sessions": one.sessions,
                "first": one.first.isoformat(),
                "last": one.last.isoformat(),
            }
            for one in held
        ]
    else:
        bars = stored_bars(
            lake,
            timeframe,
            symbol,
            first=first.date() if first else None,
            last=last.date() if last else None,
            limit=limit,
        )
        _show_bars(bars)
        rows = [_bar_as_json(bar) for bar in bars]
    if json:
        print_json(rows)


def _format(
    tz: str | None,
    label: _Label | None,
    columns: list[str] | None,
    timeframe: _Timeframe,
    config: Path | None,
) -> "BarFormat":
    """How to read the files: the options, and the settings for what they leave open."""
    from advisor.settings import load_settings
    from tools.errors import BadInput
    from tools.market.files import BarFormat

    settings = load_settings(config).bars
    mapped = dict(settings.columns)
    for pair in columns or ():
        name, separator, in_file = pair.partition("=")
        if not separator:
            raise BadInput(f"--map is {pair!r}; write it as COLUMN=NAME, for example close=last")
        mapped[name.strip()] = in_file.strip()
    return BarFormat(
        columns=mapped,
        tz=tz or settings.timezone,
        label=label or settings.label,
        timeframe=timeframe,
    )


def _inspect(
    sources: Sequence[Path], symbols: list[str] | None, form: "BarFormat"
) -> list["Inspection"]:
    from tools.market.files import read_bars
    from tools.market.inspection import calendar_of, inspect_bars

    named = [part.strip().upper() for text in symbols or () for part in text.split(",")]
    with console().status("Reading bars …"):
        bars = read_bars(sources, [name for name in named if name] or None, form)
        calendar = calendar_of(bars.values())
        return [inspect_bars(raw, calendar, form.timeframe) for raw in bars.values()]


def _as_json(one: "Inspection") -> dict[str, Any]:
    return {
        "symbol": one.symbol,
        "rows": one.rows,
        "accepted": len(one.accepted),
        "rejected": one.reasons,
        "sessions": one.sessions,
        "gaps": {
            "sessions": one.gap_sessions,
            "missing": one.missing,
            "longest": one.longest_gap,
        },
        "absent_sessions": [str(day) for day in one.absent],
        "first": one.first.isoformat() if one.first else None,
        "last": one.last.isoformat() if one.last else None,
        "zero_volume": one.zero_volume,
        "hints": one.hints,
        "first_rejected": [
            {name: row[name] for name in ("file", "row", "reason", "value")}
            for reason in one.reasons
            for row in _first_refused(one, reason)
        ],
    }


def _bar_as_json(bar: "Bar") -> dict[str, Any]:
    values = {name: getattr(bar, name) for name in ("open", "high", "low", "close", "volume")}
    return {"start": bar.start.isoformat(), **values}


def _show_inspections(found: list["Inspection"]) -> None:
    from rich.table import Table

    from quant_core.calendar import new_york

    table = Table(box=None)
    for name in ("symbol", "rows", "accepted", "sessions", "missing", "longest", "first", "last"):
        numeric = name not in ("symbol", "first", "last")
        table.add_column(name, justify="right" if numeric else "left")
    for one in found:
        table.add_row(
            one.symbol,
            *map(str, (one.rows, len(one.accepted), one.sessions, one.missing, one.longest_gap)),
            *(new_york(edge)[:10] if edge else "" for edge in (one.first, one.last)),
        )
    screen = console()
    screen.print(table)
    for one in found:
        for hint in one.hints:
            screen.print(f"{one.symbol}: {hint}", style="yellow", markup=False)
        if one.zero_volume:
            screen.print(f"{one.symbol}: {one.zero_volume} bars without volume", markup=False)
        if one.absent:
            days = ", ".join(map(str, one.absent[:SHOWN_DATES]))
            more = " …" if len(one.absent) > SHOWN_DATES else ""
            screen.print(
                f"{one.symbol}: {len(one.absent)} sessions without any bar: {days}{more}",
                markup=False,
            )
        for reason, count in one.reasons.items():
            screen.print(f"{one.symbol}: {count} refused, {reason}; the first:", markup=False)
            for row in _first_refused(one, reason):
                place = f"{row['file']}, row {row['row']}"
                screen.print(f"  {place}: {row['value']}", markup=False)


def _first_refused(one: "Inspection", reason: str) -> list[dict[str, Any]]:
    import pyarrow.compute as pc

    matching = one.refused.filter(pc.equal(one.refused["reason"].cast("string"), reason))
    rows: list[dict[str, Any]] = matching.slice(0, SHOWN_PER_REASON).to_pylist()
    return rows


def _show_imported(found: list["Inspection"], imported: list["Imported"]) -> None:
    from rich.table import Table

    table = Table("symbol", "rows", "rejected", "added", "already there", "differing", box=None)
    for one, got in zip(found, imported, strict=True):
        refused = one.rows - len(one.accepted)
        table.add_row(
            one.symbol, *map(str, (one.rows, refused, got.added, got.known, got.differing))
        )
    console().print(table)


def _show_holdings(held: list["Holding"]) -> None:
    from rich.table import Table

    from quant_core.calendar import new_york

    table = Table("symbol", "bars", "sessions", "first (New York)", "last", box=None)
    for one in held:
        table.add_row(
            one.symbol, str(one.bars), str(one.sessions), new_york(one.first), new_york(one.last)
        )
    console().print(table)


def _show_bars(bars: list["Bar"]) -> None:
    from rich.table import Table

    from quant_core.calendar import new_york

    table = Table("start (New York)", "open", "high", "low", "close", "volume", box=None)
    for bar in bars:
        values = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        table.add_row(new_york(bar.start), *(f"{value:,.10g}" for value in values))
    console().print(table)
