"""`advisor features`: what features there are, and features of recorded bars as one Parquet file.

`compute` runs the live step over history, a symbol per process, and writes whole symbols in the
order asked for. The file appears under its name only when it is complete. Columns are symbol,
timestamp (UTC, start of the bar), then the catalogue's names; the row is known at the bar's end.
"""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from advisor.commands.output import console, print_json

if TYPE_CHECKING:
    import pyarrow as pa

    from quant_core.features import Feature, FeatureTable
    from tools.market.files import BarFormat

app = typer.Typer(help="Features: list, compute, docs.", no_args_is_help=True)

NAMED_SHORTAGES = 3
PAGE = Path("docs/features.md")

_Frame = Literal["1min", "5min", "15min", "1hr"]
_Timeframe = Annotated[_Frame, typer.Option(help="Length of the bars.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]


@app.command("list")
def list_features(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these; else all.")
    ] = None,
    timeframe: _Timeframe = "1min",
    json: _Json = False,
) -> None:
    """Show features: formula, unit, range, warm-up and source, in column order."""
    features = _chosen(timeframe, names)
    _show_features(features)
    if json:
        rows = [_as_json(feature) for feature in features]
        print_json({"timeframe": timeframe, "count": len(rows), "features": rows})


@app.command("compute")
def compute(
    bars: Annotated[
        list[Path],
        typer.Option("--bars", help="Folder (or file) of 1-minute bars; repeat for more history."),
    ],
    out: Annotated[Path, typer.Option(help="Parquet file to write, replaced if it exists.")],
    symbols: Annotated[
        str | None, typer.Option(help="Symbols, separated by commas; else all there are.")
    ] = None,
    timeframe: _Timeframe = "1min",
    feed: Annotated[
        str,
        typer.Option(
            help="Where the bars came from: iex (marks volume as unreliable), sip, delayed, "
            "replay or synthetic."
        ),
    ] = "replay",
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
    json: _Json = False,
) -> None:
    """Compute the features of recorded 1-minute bars, built into longer ones if asked."""
    from tools.errors import BadInput

    if out.suffix != ".parquet":
        raise BadInput(
            f"--out is {out}; features are written as Parquet, name it {out.stem}.parquet"
        )
    _check_place(out, bars)
    form = _format(config, feed)
    with _interrupted_by_sigterm():
        named = _symbols(bars, symbols, form)
        with console().status("Preparing the feature engine (compiled on its first use) …"):
            _prepare(timeframe)
        with closing(_computed(bars, named, form, timeframe)) as parts:
            summaries = _write(parts, out, len(named))
    _show_summaries(summaries, out)
    if json:
        columns = len(_chosen(timeframe, None))
        print_json(
            {"out": str(out), "timeframe": timeframe, "features": columns, "symbols": summaries}
        )


@app.command("docs")
def docs(
    out: Annotated[Path, typer.Option(help="Page to write.")] = PAGE,
) -> None:
    """Write the page of all features from the catalogue."""
    from quant_core.features.document import page

    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page(), encoding="utf-8")
    console().print(f"Wrote {out}")


def _chosen(timeframe: str, names: Sequence[str] | None) -> list["Feature"]:
    from quant_core.features import catalogue
    from tools.errors import BadInput

    entries = catalogue(timeframe)
    try:
        return [entries[name] for name in names or entries.names]
    except ValueError as error:
        raise BadInput(str(error)) from error


def _as_json(feature: "Feature") -> dict[str, Any]:
    import math

    low, high = (None if math.isinf(edge) else edge for edge in feature.range)
    return {
        "name": feature.name,
        "family": feature.family,
        "formula": feature.formula,
        "unit": feature.unit,
        "low": low,
        "high": high,
        "warm_up": feature.warm_up,
        "warm_up_counts": feature.frame or "bars",
        "uses_volume": feature.uses_volume,
        "source": feature.source,
    }


def _show_features(features: list["Feature"]) -> None:
    from rich.table import Table

    from quant_core.features.document import extent, warm_up

    table = Table("feature", "family", "formula", "unit", "range", "warm-up", "source", box=None)
    for one in features:
        table.add_row(
            *(one.name, one.family, one.formula, one.unit, extent(one), warm_up(one), one.source)
        )
    console().print(table)


def _check_place(out: Path, bars: Sequence[Path]) -> None:
    """Refuse a file that would replace or join the bars, or that cannot be written."""
    import os

    from tools.errors import BadInput

    target = out.resolve()
    for source in bars:
        if source.resolve() in (target, *target.parents):
            raise BadInput(f"--out {out} lies in --bars {source}; write it outside of the bars")
    if out.is_dir():
        raise BadInput(f"{out} cannot be written: it is a folder")
    parent = next(folder for folder in target.parents if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise BadInput(f"{out} cannot be written: {parent} is no folder that can be written to")


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the work as Ctrl-C does; once is enough, so that cleaning up is not cut off."""
    import signal
    import threading

    def interrupt(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _format(config: Path | None, feed: str) -> "BarFormat":
    """How to read the files, from the settings."""
    from advisor.settings import load_settings
    from quant_core.features.quality import feed_label
    from tools.errors import BadInput
    from tools.market.files import BarFormat

    try:
        label = feed_label(feed)
    except ValueError as error:
        raise BadInput(str(error)) from error
    settings = load_settings(config).bars
    return BarFormat(
        columns=settings.columns, tz=settings.timezone, label=settings.label, feed=label
    )


def _symbols(bars: list[Path], given: str | None, form: "BarFormat") -> list[str]:
    from tools.errors import BadInput
    from tools.market.files import read_bars

    if given is None:
        with console().status("Looking for symbols …"):
            return list(read_bars(bars, None, form))
    named = list(dict.fromkeys(part.strip().upper() for part in given.split(",") if part.strip()))
    if not named:
        raise BadInput(f"--symbols is {given!r}; name symbols separated by commas, e.g. SPY,QQQ")
    return named


def _prepare(timeframe: str) -> None:
    """Compile before there are processes, so that they all find the compiled engine on disk."""
    import numpy as np

    from quant_core.features.engine import advance, first_fault, new_frames
    from quant_core.features.window import BAR

    frames, none = new_frames(timeframe), np.empty(0, BAR)
    first_fault(frames, none)
    advance(frames, none, np.empty((0, 0)), np.empty(0, np.uint8))


_Part = tuple["pa.Table", dict[str, Any]]


def _computed(
    bars: list[Path], symbols: list[str], form: "BarFormat", timeframe: str
) -> Generator[_Part]:
    """The features of each symbol in order, at most two symbols per process ahead of the reader."""
    import os
    from concurrent.futures import Future, ProcessPoolExecutor
    from multiprocessing import active_children, get_context

    workers = min(len(symbols), os.cpu_count() or 1)
    if workers == 1:
        yield from (_of_symbol(bars, symbol, form, timeframe) for symbol in symbols)
        return
    waiting, running = deque(symbols), deque[Future[_Part]]()
    others = active_children()
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_ignore_interrupts)
    try:
        while waiting or running:
            while waiting and len(running) < 2 * workers:
                running.append(pool.submit(_of_symbol, bars, waiting.popleft(), form, timeframe))
            yield running.popleft().result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in active_children():
            if process not in others:
                process.terminate()
                process.join()
        raise
    pool.shutdown()


def _ignore_interrupts() -> None:
    """Ctrl-C reaches every process of a terminal; the parent ends its workers itself."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _of_symbol(bars: list[Path], symbol: str, form: "BarFormat", timeframe: str) -> _Part:
    """Read, judge, aggregate and compute one symbol; what a process does."""
    from quant_core.bars import accept_minutes, aggregate
    from quant_core.features import TIMEFRAMES, FeatureStream
    from tools.errors import NoData
    from tools.market.files import read_bars
    from tools.market.inspection import calendar_of

    raw = read_bars(bars, [symbol], form)[symbol]
    calendar = calendar_of([raw])
    minutes, codes = accept_minutes(raw, calendar)
    if len(minutes) == 0:
        raise NoData(
            f"none of the {len(codes)} rows of {symbol} can be used; `advisor data check` says why"
        )
    stream = FeatureStream(symbol, timeframe, calendar, form.feed)
    table = stream.run(aggregate(minutes, calendar, TIMEFRAMES[timeframe]))
    lacking = [str(shortage) for shortage in stream.shortages()]
    refused = len(codes) - len(minutes)
    summary = {"symbol": symbol, "rejected": refused, **_described(table), "lacking": lacking}
    return _as_arrow(table, timeframe, form.feed), summary


def _described(table: "FeatureTable") -> dict[str, Any]:
    from quant_core.calendar import to_datetime
    from quant_core.features import Quality

    flags = {str(flag.name).lower(): int(((table.quality & flag) != 0).sum()) for flag in Quality}
    return {
        "bars": len(table),
        "first": to_datetime(table.start[0]).isoformat(),
        "last": to_datetime(table.start[-1]).isoformat(),
        **flags,
    }


def _as_arrow(table: "FeatureTable", timeframe: str, feed: str) -> "pa.Table":
    import numpy as np
    import pyarrow as pa

    columns = {
        "symbol": pa.repeat(table.symbol, len(table)),
        "timestamp": pa.array(table.start * 60_000_000).cast(pa.timestamp("us", "UTC")),
    }
    matrix = np.asfortranarray(table.values)
    for k, name in enumerate(table.catalogue.names):
        columns[name] = pa.array(matrix[:, k])
    return pa.table(columns).replace_schema_metadata({"timeframe": timeframe, "feed": feed})


def _write(parts: Iterator[_Part], out: Path, symbols: int) -> list[dict[str, Any]]:
    """Append the parts to a file beside `out` that takes its name when complete."""
    import os
    from contextlib import ExitStack
    from secrets import token_hex

    import pyarrow.parquet as pq
    from rich.progress import Progress

    summaries: list[dict[str, Any]] = []
    unfinished = out.with_name(f".{out.name}.{os.getpid()}-{token_hex(4)}.part")
    with _writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with ExitStack() as opened:
            progress = opened.enter_context(Progress(console=console()))
            task = progress.add_task("Computing features", total=symbols)
            for table, summary in parts:
                with _writing(out):
                    if not summaries:
                        writer = opened.enter_context(
                            pq.ParquetWriter(unfinished, table.schema, use_dictionary=["symbol"])
                        )
                    writer.write_table(table)
                summaries.append(summary)
                progress.update(task, advance=1, description=f"Computed {summary['symbol']}")
        with _writing(out):
            unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
    return summaries


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    from tools.errors import BadInput

    try:
        yield
    except OSError as error:
        raise BadInput(f"{out} cannot be written: {error.strerror or error}") from error


def _show_summaries(summaries: list[dict[str, Any]], out: Path) -> None:
    from datetime import datetime

    from rich.table import Table

    from quant_core.calendar import new_york

    counts = ("bars", "rejected", "warm_up", "stale", "volume_unreliable")
    heads = ("symbol", *(name.replace("_", " ") for name in counts), "first", "last")
    table = Table(*heads, box=None)
    for one in summaries:
        edges = (new_york(datetime.fromisoformat(one[name]))[:10] for name in ("first", "last"))
        table.add_row(one["symbol"], *(str(one[name]) for name in counts), *edges)
    screen = console()
    screen.print(table)
    for one in summaries:
        if one["lacking"]:
            more = len(one["lacking"]) - NAMED_SHORTAGES
            screen.print(
                f"{one['symbol']} has too little history for {len(one['lacking'])} features: "
                f"{'; '.join(one['lacking'][:NAMED_SHORTAGES])}"
                f"{f'; and {more} more' if more > 0 else ''}",
                style="yellow",
                markup=False,
            )
    screen.print(f"Wrote {out}", markup=False)
