"""`advisor replay` and `advisor demo`: sessions through the whole advisor, then its files."""

import os
import shutil
import sys
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.commands.output import console, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from advisor.bootstrap import ReplayOptions
    from advisor.market import Market, MarketRequest
    from advisor.settings import Settings
    from graph.ports import Event, Progress


class AnalystChoice(StrEnum):
    """Who analyses the market every 15 minutes."""

    NONE = "none"
    RULES = "rules"
    MODEL = "model"


class ValidationChoice(StrEnum):
    """Who rules on triggered signals."""

    OFF = "off"
    RULES = "rules"
    MODEL = "model"


class PremarketChoice(StrEnum):
    """Who prepares each session before it opens."""

    OFF = "off"
    RULES = "rules"
    MODEL = "model"


class ModelMode(StrEnum):
    """Where a language model's answers come from."""

    LIVE = "live"
    RECORD = "record"
    REPLAY = "replay"


Bars = Annotated[
    list[Path],
    typer.Option("--bars", help="Folder (or file) of 1-minute bars; repeat for more history."),
]
First = Annotated[
    datetime,
    typer.Option(
        "--from", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="First date that is traded."
    ),
]
Last = Annotated[
    datetime,
    typer.Option(
        "--to", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="Last date that is traded."
    ),
]
Daily = Annotated[
    Path | None, typer.Option(help="Folder of daily bars; without it no symbol arms.")
]
Symbols = Annotated[
    str | None, typer.Option(help="Comma-separated watchlist; default from the settings.")
]
Out = Annotated[Path, typer.Option(help="Folder for exports, report and ledger.")]
Config = Annotated[Path | None, typer.Option(help="Settings file (TOML).")]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as JSON to stdout.")]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Discard an earlier run in --out and start clean.")
]


def replay(
    bars: Bars,
    first: First,
    last: Last,
    out: Out,
    daily: Daily = None,
    symbols: Symbols = None,
    analyst: Annotated[
        AnalystChoice, typer.Option(help="Who proposes multipliers; none: the baseline lane alone.")
    ] = AnalystChoice.RULES,
    validation: Annotated[
        ValidationChoice, typer.Option(help="Who rules on signals before they are ordered.")
    ] = ValidationChoice.OFF,
    premarket: Annotated[
        PremarketChoice, typer.Option(help="Who gives each session's biases; changes no trade.")
    ] = PremarketChoice.RULES,
    news: Annotated[
        list[Path] | None,
        typer.Option("--news", help="News for models: file, folder or ledger; may be repeated."),
    ] = None,
    llm: Annotated[
        ModelMode,
        typer.Option(help="A model's answers: live, recorded in --out, or replayed from there."),
    ] = ModelMode.RECORD,
    recordings: Annotated[
        Path | None, typer.Option(help="Recording to use instead of the one in --out.")
    ] = None,
    mask: Annotated[
        bool, typer.Option("--mask", help="Hide symbols, dates and news text from the model.")
    ] = False,
    pace: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Watch it move: each minute takes this long (60: real time), and a model's "
            "analyses run beside it, as in live trading.",
        ),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say every step of the machines (stderr).")
    ] = False,
    ledger: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Keep the ledger in this database (postgresql://…), beside others."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run in --out.")
    ] = False,
    fresh: Fresh = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Replay recorded sessions minute by minute, exactly as live trading would go."""
    from advisor.market import MarketRequest, prepare_market
    from advisor.settings import load_settings

    settings = load_settings(config)
    request = MarketRequest(
        bars=tuple(bars),
        daily=daily,
        first=first.date(),
        last=last.date(),
        symbols=watchlist(symbols, settings),
    )
    options = replace(
        _options(analyst, validation, resume, fresh, llm, recordings),
        premarket=premarket.value,
        news=tuple(news or ()),
        mask=mask,
        pace=pace,
        ledger=ledger,
    )
    _check_manner(options, verbose)
    keep_apart(out, [*bars, *([daily] if daily else [])])
    _prepare_folder(out, options)
    with console().status("Reading bars …"):
        market = prepare_market(request, settings)
    _run(request, options, settings, market, out, json, verbose=verbose)


def demo(
    out: Out = Path("out/demo"), fresh: Fresh = False, config: Config = None, json: Json = False
) -> None:
    """Replay one synthetic session of SPY, QQQ, IWM, NVDA and TSLA; needs no data and no key."""
    from advisor.demo import demo_market, demo_request
    from advisor.settings import load_settings

    settings = load_settings(config)
    options = _options(AnalystChoice.RULES, ValidationChoice.RULES, resume=False, fresh=fresh)
    _prepare_folder(out, options)
    with console().status("Making a synthetic market …"):
        request = demo_request()
        market = demo_market(request, settings)
    _run(request, options, settings, market, out, json)
    if not json:
        console().print(
            f"\nNext: open [bold]{out / 'report.html'}[/bold] in a browser (it works offline), or\n"
            f"  {_program()} ledger verify {out}\n"
            f"  {_program()} replay --bars DIR --daily DIR --from DATE --to DATE --out out/mine"
            "   (your own bars)\n"
            f"  {_program()} settings   (every setting, its value and its source)"
        )


def _program() -> str:
    """How the user can call this program from where they are."""
    return "advisor" if shutil.which("advisor") else os.path.relpath(sys.argv[0])


def watchlist(symbols: str | None, settings: "Settings") -> tuple[str, ...]:
    """The symbols named, or those of the settings; BadInput for none, or for one twice."""
    from tools.errors import BadInput

    named = symbols.split(",") if symbols is not None else settings.watchlist
    chosen = tuple(symbol.strip().upper() for symbol in named if symbol.strip())
    if not chosen:
        raise BadInput(f"--symbols is {symbols!r}; name at least one symbol, such as SPY,QQQ")
    repeated = {symbol for symbol in chosen if chosen.count(symbol) > 1}
    if repeated:
        raise BadInput(f"--symbols names {', '.join(sorted(repeated))} twice; name each once")
    return chosen


def _options(
    analyst: AnalystChoice,
    validation: ValidationChoice,
    resume: bool,
    fresh: bool,
    llm: ModelMode = ModelMode.RECORD,
    recordings: Path | None = None,
) -> "ReplayOptions":
    from advisor.bootstrap import ReplayOptions
    from tools.errors import BadInput

    if resume and fresh:
        raise BadInput("--resume and --fresh contradict each other; give one of them")
    return ReplayOptions(
        analyst=analyst.value,
        validation=validation.value,
        llm=llm.value,
        recordings=recordings,
        resume=resume,
        fresh=fresh,
    )


def _check_manner(options: "ReplayOptions", verbose: bool) -> None:
    """Refuse a manner of replaying that cannot be, or that would have nothing to act on."""
    from advisor.pacing import LONGEST_PACE, SHORTEST_PACE
    from tools.errors import BadInput

    for given, option in ((options.mask, "--mask"), (verbose, "--verbose")):
        if given and not options.asks_model:
            raise BadInput(
                f"{option} is about a language model, and none is asked: "
                "add --analyst model, --validation model or --premarket model"
            )
    if options.ledger is not None and "://" not in options.ledger:
        raise BadInput(
            "--ledger of a replay is a database URL (postgresql://USER@HOST/DATABASE); a file is "
            "kept in --out"
        )
    pace = options.pace
    if pace is not None and not SHORTEST_PACE <= pace <= LONGEST_PACE:
        raise BadInput(
            f"--pace is {pace:g}; give the seconds that a minute takes, "
            f"from {SHORTEST_PACE:g} to {LONGEST_PACE:g} (60 is real time)"
        )


def keep_apart(out: Path, sources: list[Path]) -> None:
    """Refuse to write results among the bars: the next replay would read them as bars."""
    from tools.errors import BadInput

    for source in sources:
        if source.is_dir() and source.resolve() in (out.resolve(), *out.resolve().parents):
            raise BadInput(f"--out {out} lies in the bars' folder {source}; choose another folder")


def _prepare_folder(out: Path, options: "ReplayOptions") -> None:
    """Refuse a folder that cannot be used before minutes are spent on reading bars."""
    from advisor.replay import prepare_folder

    prepare_folder(out, options)


def _run(
    request: "MarketRequest",
    options: "ReplayOptions",
    settings: "Settings",
    market: "Market",
    out: Path,
    json: bool,
    verbose: bool = False,
) -> None:
    """Replay under a progress bar, write the files, and show what came out."""
    from advisor.exports import write_exports
    from advisor.replay import replay as run_replay
    from advisor.report import terminal_summary, write_report
    from advisor.summary import summarise

    with progress_bar("minutes") as progress:
        task = progress.add_task("Replaying", total=None)

        def show(done: int, total: int, text: str) -> None:
            progress.update(task, completed=done, total=total, description=text)

        watch = _say_steps(progress.console) if verbose else None
        try:
            result = run_replay(request, options, settings, market, out, show, watch)
        except KeyboardInterrupt:
            console().print(
                f"Interrupted. Every finished cycle is kept in {out}: give the same command with "
                "--resume to go on, or with --fresh to start clean."
            )
            raise typer.Exit(130) from None
    summary = summarise(result, settings)
    write_exports(result, summary, out)
    write_report(result, summary, out / "report.html")
    if json:
        print_json(summary)
    else:
        console().print(terminal_summary(result, summary))
        console().print(f"Files are in {out}; the report is {out / 'report.html'}")


def _say_steps(screen: "Console") -> "Progress":
    """Prints every step of a machine as a line; a failure stands out."""
    from rich.text import Text

    def say(event: "Event") -> None:
        line = f"{event.about}  {event.machine}: {event.step}"
        told = event.failure or event.outcome
        text = Text(f"{line}: {told}" if told else line, style="yellow" if event.failure else "dim")
        screen.print(text)

    return say


def progress_bar(unit: str) -> Any:
    """A bar with an ETA on a terminal; silent when stderr is a file."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    screen = console()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        console=screen,
        disable=not screen.is_terminal,
        transient=True,
    )
