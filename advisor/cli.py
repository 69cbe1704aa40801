"""The command line: `advisor COMMAND`. Results go to stdout as JSON with `--json`, words to stderr.

Exit codes: 0 done · 2 the request or its input cannot be used · 3 there is no data for it ·
4 an earlier run in the folder needs `--resume` or `--fresh` · 5 a ledger's history was changed,
or it is locked · 130 interrupted · 1 a defect of ours. Command modules import what is heavy
inside their functions, so that help is instant.
"""

import sys

import typer

from advisor.commands import chat, data, features, graph, index, ledger, replay, settings

app = typer.Typer(
    name="advisor",
    help="An LLM-orchestrated trading advisor on a deterministic quant core.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("replay")(replay.replay)
app.command("demo")(replay.demo)
app.command("ask")(chat.ask)
app.command("chat")(chat.chat)
app.command("settings")(settings.settings)
app.add_typer(data.app, name="data")
app.add_typer(features.app, name="features")
app.add_typer(graph.app, name="graph")
app.add_typer(ledger.app, name="ledger")
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
