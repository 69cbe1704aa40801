"""`advisor backtest`: months or years of sessions, and what they allow one to say."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.commands.output import console, print_json
from advisor.commands.replay import (
    AnalystChoice,
    Bars,
    Config,
    Daily,
    First,
    Fresh,
    Json,
    Last,
    ModelMode,
    Symbols,
    ValidationChoice,
    keep_apart,
    progress_bar,
    watchlist,
)

if TYPE_CHECKING:
    from advisor.backtest import Backtest


def backtest(
    bars: Bars,
    first: First,
    last: Last,
    out: Annotated[Path, typer.Option(help="Folder for trades, figures and the page.")],
    daily: Daily = None,
    symbols: Symbols = None,
    analyst: Annotated[
        AnalystChoice, typer.Option(help="Who proposes multipliers; none: the baseline lane alone.")
    ] = AnalystChoice.NONE,
    validation: Annotated[
        ValidationChoice, typer.Option(help="Who rules on signals before they are ordered.")
    ] = ValidationChoice.OFF,
    llm: Annotated[
        ModelMode, typer.Option(help="A model's answers: only replayed, from --recordings.")
    ] = ModelMode.REPLAY,
    recordings: Annotated[
        Path | None, typer.Option(help="The recording a model's answers come from.")
    ] = None,
    stress: Annotated[
        bool, typer.Option("--stress", help="Also run under multiples of slippage and fees.")
    ] = False,
    ledger: Annotated[
        bool, typer.Option("--ledger", help="Also keep every minute in a ledger, as replay does.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run (with --ledger).")
    ] = False,
    fresh: Fresh = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Run many sessions without a ledger, and read them: months, drawdowns, regimes, costs."""
    from advisor.backtest import backtest as run_backtest
    from advisor.bootstrap import ReplayOptions
    from advisor.market import MarketRequest, prepare_market
    from advisor.replay import LEDGER, prepare_folder
    from advisor.settings import load_settings
    from tools.errors import BadInput

    if resume and fresh:
        raise BadInput("--resume and --fresh contradict each other; give one of them")
    if resume and not ledger:
        raise BadInput("--resume goes on from a ledger; add --ledger, or leave it out")
    settings = load_settings(config)
    options = ReplayOptions(
        analyst=analyst.value, validation=validation.value, llm=llm.value,
        recordings=recordings, resume=resume, fresh=fresh,
    )  # fmt: skip
    request = MarketRequest(
        bars=tuple(bars), daily=daily, first=first.date(), last=last.date(),
        symbols=watchlist(symbols, settings),
    )  # fmt: skip
    keep_apart(out, [*bars, *([daily] if daily else [])])
    if not ledger and (out / LEDGER).exists():
        raise BadInput(
            f"--out {out} holds a replay and its ledger; choose another folder, or add --ledger"
        )
    prepare_folder(out, options)
    with console().status("Reading bars …"):
        market = prepare_market(request, settings)
    with progress_bar("minutes") as progress:
        task = progress.add_task("Backtesting", total=None)

        def show(done: int, total: int, text: str) -> None:
            progress.update(task, completed=done, total=total, description=text)

        found = run_backtest(
            request, options, settings, market,
            ledger=out if ledger else None, stress=stress, progress=show,
        )  # fmt: skip
    _write(found, out)
    if json:
        print_json(found.plain())
    else:
        _show(found, out)


def _write(found: "Backtest", out: Path) -> None:
    """Trades of every lane as a replay exports them, the figures, and the page."""
    import json as writer

    from advisor.exports import write_trades, write_whole
    from advisor.report.backtest_page import write_backtest_page

    result = found.result
    for lane in result.lanes.values():
        place = out if lane is result.main else out / "lanes" / lane.name
        place.mkdir(parents=True, exist_ok=True)
        write_trades(lane.trades, result.symbols, place / "trades.parquet")
    write_whole(
        out / "backtest.json", writer.dumps(found.plain(), indent=2, allow_nan=False) + "\n"
    )
    write_backtest_page(found, out / "backtest.html")


def _show(found: "Backtest", out: Path) -> None:
    from advisor.report import terminal_summary
    from advisor.report.backtest_page import backtest_summary

    console().print(terminal_summary(found.result, found.summary, kind="Backtest"))
    console().print(backtest_summary(found))
    console().print(f"Files are in {out}; the page is {out / 'backtest.html'}")
