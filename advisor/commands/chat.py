"""`advisor ask` and `advisor chat`: questions about a run, answered from its ledger.

Nothing here can place an order or change a setting: the ledger is opened for reading, and a
question reaches read-only tools and nothing else.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.commands.output import console, print_json

if TYPE_CHECKING:
    from graph.chat import Reply
    from graph.ports import Event

SOURCES = 8
NO_DATA = ("closed", "no_evidence", "no_index", "not_verified")

_Run = Annotated[
    str | None,
    typer.Option(
        "--run", "--ledger",
        help="Output folder of a run, a ledger file or a database URL; default: ledger.url.",
    ),
]  # fmt: skip
_AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of", metavar="MOMENT",
        help="Answer from what was known then (New York); default: now, for a replay its end.",
    ),
]  # fmt: skip
_Lane = Annotated[str, typer.Option(help="Lane to ask about; default: the run's main one.")]
_Model = Annotated[
    bool,
    typer.Option(
        "--model",
        help="Let a language model choose lookups and word answers; checked all the same.",
    ),
]
_Config = Annotated[Path | None, typer.Option(help="Settings file (TOML).")]


def ask(
    question: Annotated[str, typer.Argument(help="A question in plain English; - reads stdin.")],
    run: _Run = None,
    as_of: _AsOf = None,
    lane: _Lane = "",
    model: _Model = False,
    config: _Config = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")] = False,
) -> None:
    """Ask about trades, P/L, skipped signals, verdicts, analyses, positions, biases or lanes."""
    from advisor.chatting import conversation, read_moment
    from advisor.settings import load_settings

    text = sys.stdin.read() if question == "-" else question
    moment = read_moment(as_of) if as_of else None
    with (
        console().status("Reading the ledger …") as status,
        conversation(
            run, load_settings(config), as_of=moment, lane=lane, with_model=model,
            progress=lambda event: status.update(_step(event)),
        ) as talk,
    ):  # fmt: skip
        reply = talk.ask(text)
    if json:
        print_json(plain_reply(reply))
    else:
        _show(reply)
    if reply.why is not None:
        raise typer.Exit(3 if reply.why in NO_DATA else 2)


def chat(
    run: _Run = None,
    as_of: _AsOf = None,
    lane: _Lane = "",
    model: _Model = False,
    config: _Config = None,
) -> None:
    """Ask one question after the other; a follow-up may leave out what the last one named."""
    from advisor.chatting import conversation, read_moment
    from advisor.settings import load_settings

    screen = console()
    moment = read_moment(as_of) if as_of else None
    with conversation(
        run, load_settings(config), as_of=moment, lane=lane, with_model=model
    ) as talk:
        screen.print("Ask about this run; an empty line or “quit” ends.")
        while True:
            screen.print("\n> ", end="")
            line = sys.stdin.readline()
            if not line.strip() or line.strip().lower() in ("quit", "exit"):
                return
            with screen.status("Reading the ledger …"):
                reply = talk.ask(line)
            _show(reply)


def _step(event: "Event") -> str:
    return f"{event.step}: {event.outcome} …"


def _show(reply: "Reply") -> None:
    """An answer for people, with its sources."""
    from graph.sentences import minute

    screen = console()
    screen.print(reply.text, markup=False)
    for note in reply.notes:
        screen.print(f"Note: {note}", markup=False, style="yellow")
    sources = [row.id for row in reply.citations]
    if sources:
        more = f" and {len(sources) - SOURCES} more" if len(sources) > SOURCES else ""
        shown = ", ".join(sources[:SOURCES])
        screen.print(
            f"As of {minute(reply.as_of)} New York. Sources: {shown}{more}",
            markup=False, style="dim",
        )  # fmt: skip


def plain_reply(reply: "Reply") -> dict[str, Any]:
    """An answer as JSON: its sentences with what each cites, and the rows cited, exactly."""
    return {
        "question": reply.question,
        "answered": reply.why is None,
        "text": reply.text,
        "why": reply.why,
        "as_of": reply.as_of.isoformat(),
        "writer": reply.writer,
        "notes": list(reply.notes),
        "sentences": [
            {
                "text": one.text,
                "cites": list(one.cites),
                "derived": [
                    {"operation": made.operation, "field": made.field, "of": list(made.of)}
                    for made in one.derived
                ],
            }
            for one in reply.sentences
        ],
        "citations": [row.plain() for row in reply.citations],
    }
