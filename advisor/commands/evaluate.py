"""`advisor evaluate`: does the advice of finished replays add value?"""

from pathlib import Path
from typing import Annotated

import typer

from advisor.commands.output import console, print_json


def evaluate(
    runs: Annotated[
        list[Path], typer.Argument(help="Output folders of `advisor replay`; several count as one.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for evaluation.json and evaluation.html.")],
    bars: Annotated[
        list[Path] | None,
        typer.Option("--bars", help="The run's 1-minute bars, if they have moved; repeatable."),
    ] = None,
    daily: Annotated[
        Path | None, typer.Option(help="The run's daily bars, if they have moved.")
    ] = None,
    ledger: Annotated[
        str | None,
        typer.Option(help="The ledger, if it is not where the run left it: file or database URL."),
    ] = None,
    placebos: Annotated[
        int, typer.Option(min=0, max=1000, help="Random orders of each day's multipliers.")
    ] = 20,
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the evaluation as JSON.")] = False,
) -> None:
    """Say what the advice of finished replays was worth, and whether that could be luck."""
    from advisor.evaluation import Elsewhere, as_plain, write_evaluation
    from advisor.evaluation import evaluate as run
    from advisor.evaluation.terminal import terminal_evaluation
    from advisor.settings import load_settings

    elsewhere = Elsewhere(
        bars=tuple(bars or ()), daily=daily, ledger=ledger, reach=load_settings(config)
    )
    with console().status("Evaluating …") as status:
        found = run(runs, elsewhere, placebos, lambda text: status.update(f"Evaluating {text} …"))
    write_evaluation(found, out)
    if json:
        print_json(as_plain(found))
    else:
        console().print(terminal_evaluation(found))
        console().print(f"Files are in {out}; the page is {out / 'evaluation.html'}")
