"""`advisor sweep`: many combinations of settings on the same bars, and what the best is worth."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.commands.output import console, print_json
from advisor.commands.replay import (
    Bars,
    Config,
    Daily,
    First,
    Fresh,
    Json,
    Last,
    Symbols,
    keep_apart,
    watchlist,
)

if TYPE_CHECKING:
    from advisor.sweep.run import SweepRequest


class MethodChoice(StrEnum):
    """How combinations are found."""

    GRID = "grid"
    RANDOM = "random"
    OPTUNA = "optuna"


class EngineChoice(StrEnum):
    """Where combinations are run."""

    LOCAL = "local"
    RAY = "ray"


def sweep(
    bars: Bars,
    first: First,
    last: Last,
    out: Annotated[Path, typer.Option(help="Folder for results, trades and the page.")],
    vary: Annotated[
        list[str],
        typer.Option(
            help="KEY=VALUES to try, of the groups stdev, risk, fills, multipliers: "
            "stdev.mr_arm_z=1.0:1.6:0.1 or fills.slippage_bps=0,1,2; repeat for more keys."
        ),
    ],
    daily: Daily = None,
    symbols: Symbols = None,
    method: Annotated[
        MethodChoice,
        typer.Option(help="Every combination, a random sample, or Optuna's proposals."),
    ] = MethodChoice.GRID,
    trials: Annotated[
        int, typer.Option(min=1, max=100_000, help="Combinations for random and optuna.")
    ] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Seed of random and optuna.")] = 7,
    objective: Annotated[
        str, typer.Option(help="The metric the best one is chosen by.")
    ] = "sharpe",
    keep_trades: Annotated[
        str, typer.Option(help="Whose trades are kept: best, none, or numbers such as best,3,17.")
    ] = "best",
    folds: Annotated[
        int, typer.Option(min=1, max=250, help="Test stretches of the walk-forward.")
    ] = 5,
    purge: Annotated[
        int, typer.Option(min=0, help="Sessions before a test whose outcome may reach into it.")
    ] = 0,
    embargo: Annotated[
        int, typer.Option(min=0, help="Sessions left out besides, for what depends in time.")
    ] = 1,
    engine: Annotated[
        EngineChoice, typer.Option(help="This machine's cores, or a Ray cluster.")
    ] = EngineChoice.LOCAL,
    address: Annotated[
        str | None, typer.Option(help="Ray cluster to join; without it one is started here.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Cores to use; default all of them.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted sweep in --out.")
    ] = False,
    fresh: Fresh = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Try many settings on the same bars, and say honestly what the best of them is worth."""
    from advisor.market import MarketRequest, prepare_market
    from advisor.settings import load_settings
    from advisor.sweep.judgement import Folds
    from advisor.sweep.run import SweepRequest, planned
    from advisor.sweep.space import read_axes
    from tools.errors import BadInput

    if resume and fresh:
        raise BadInput("--resume and --fresh contradict each other; give one of them")
    numbers, best = _kept(keep_trades)
    request = SweepRequest(
        axes=read_axes(vary), method=method.value, trials=trials, seed=seed,
        objective=_objective(objective), engine=engine.value, address=address, workers=workers,
        keep=numbers, keep_best=best, resume=resume, fresh=fresh,
        folds=Folds(count=folds, purge=purge, embargo=embargo),
    )  # fmt: skip
    settings = load_settings(config)
    planned(request, settings)  # a grid that cannot be run is refused before any bar is read
    asked = MarketRequest(
        bars=tuple(bars), daily=daily, first=first.date(), last=last.date(),
        symbols=watchlist(symbols, settings),
    )  # fmt: skip
    keep_apart(out, [*bars, *([daily] if daily else [])])
    with console().status("Reading bars …"):
        market = prepare_market(asked, settings)
    _run(request, settings, market, out, json)


def _run(request: "SweepRequest", settings: object, market: object, out: Path, json: bool) -> None:
    """Sweep under a progress bar, write the page, and show what came out."""
    from advisor.commands.replay import progress_bar
    from advisor.report.sweep_page import sweep_summary, write_sweep_page
    from advisor.sweep.files import PLAN
    from advisor.sweep.run import sweep as run_sweep

    with progress_bar("combinations") as progress:
        task = progress.add_task("Sweeping", total=None)

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        try:
            result = run_sweep(request, settings, market, out, show)  # type: ignore[arg-type]
        except KeyboardInterrupt:
            console().print(
                f"Interrupted. Every finished batch is kept in {out}: give the same command with "
                "--resume to go on, or with --fresh to start clean."
            )
            raise typer.Exit(130) from None
    write_sweep_page(result, out / "sweep.html")
    if json:
        import json as reader

        print_json(reader.loads((out / PLAN).read_text(encoding="utf-8")))
    else:
        console().print(sweep_summary(result))
        console().print(f"Files are in {out}; the page is {out / 'sweep.html'}")


def _objective(name: str) -> str:
    import difflib

    from advisor.sweep.judgement import OBJECTIVES
    from tools.errors import BadInput

    if name in OBJECTIVES:
        return name
    near = difflib.get_close_matches(name, OBJECTIVES, 1)
    hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(OBJECTIVES)}"
    raise BadInput(f"--objective is {name!r}; {hint}")


def _kept(text: str) -> tuple[tuple[int, ...], bool]:
    """The numbers named, and whether the best one is."""
    from tools.errors import BadInput

    parts = [part.strip() for part in text.split(",") if part.strip()]
    if parts == ["none"]:
        return (), False
    numbers = []
    for part in parts:
        if part == "best":
            continue
        if not part.isdigit():
            raise BadInput(
                f"--keep-trades is {text!r}; write best, none, or numbers of combinations such as "
                "best,3,17"
            )
        numbers.append(int(part))
    return tuple(numbers), "best" in parts
