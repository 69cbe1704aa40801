"""The command line: `advisor COMMAND`. Results go to stdout as JSON with `--json`, words to stderr.

Exit codes: 0 done · 2 the request or its input cannot be used · 3 there is no data for it ·
4 an earlier run in the folder needs `--resume` or `--fresh` · 5 a ledger's history was changed,
it is locked, or an index differs from it · 6 a check found what it looks for · 130 interrupted ·
1 a defect of ours. Command modules import what is heavy inside their functions, so that help is
instant.
"""

import sys

import typer

from advisor.commands import (
    alerts,
    backtest,
    chat,
    check,
    control,
    data,
    doctor,
    evaluate,
    features,
    graph,
    index,
    keys,
    ledger,
    live,
    news,
    premarket,
    replay,
    schedule,
    serve,
    settings,
    sweep,
)

app = typer.Typer(
    name="advisor",
    help="An LLM-orchestrated trading advisor on a deterministic quant core.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("premarket")(premarket.premarket)
app.command("replay")(replay.replay)
app.command("backtest")(backtest.backtest)
app.command("sweep")(sweep.sweep)
app.command("demo")(replay.demo)
app.command("evaluate")(evaluate.evaluate)
app.command("live")(live.live)
app.command("serve")(serve.serve)
app.command("halt")(control.halt)
app.command("resume")(control.resume)
app.command("ask")(chat.ask)
app.command("chat")(chat.chat)
app.command("settings")(settings.settings)
app.command("doctor")(doctor.doctor)
app.add_typer(alerts.app, name="alerts")
app.add_typer(check.app, name="check")
app.add_typer(data.app, name="data")
app.add_typer(features.app, name="features")
app.add_typer(graph.app, name="graph")
app.add_typer(keys.app, name="keys")
app.add_typer(ledger.app, name="ledger")
app.add_typer(schedule.app, name="schedule")
app.add_typer(news.app, name="news")
app.add_typer(index.app, name="index")


def main() -> None:
    """Entry point: turns the errors that a user can act on into one sentence and an exit code."""
    from tools.errors import AdvisorError

    try:
        app()
    except AdvisorError as error:
        print(f"advisor: {error}", file=sys.stderr)
        sys.exit(exit_code(error))
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"advisor: {place}{error.strerror or error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("advisor: interrupted", file=sys.stderr)
        sys.exit(130)


def exit_code(error: Exception) -> int:
    """The documented exit code of an error that a user can act on."""
    from advisor.replay import UnfinishedRun
    from tools.errors import BookMismatch, NoData, Transient

    if isinstance(error, NoData):
        return 3
    if isinstance(error, UnfinishedRun):
        return 4
    if isinstance(error, BookMismatch | Transient):
        return 5
    return 2
