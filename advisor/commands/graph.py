"""`advisor graph`: what the machines look like, drawn from the code that runs."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The LangGraph machines: what they do, step by step.")


class Format(StrEnum):
    """How a machine is drawn."""

    MERMAID = "mermaid"
    SVG = "svg"
    PNG = "png"


@app.callback()
def _graph() -> None:
    """Keep `show` a subcommand."""


@app.command()
def show(
    name: Annotated[str | None, typer.Argument(help="A machine; all of them without one.")] = None,
    form: Annotated[
        Format, typer.Option("--format", help="Text for Markdown, or a picture.")
    ] = Format.MERMAID,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write NAME.mmd, .svg or .png into.")
    ] = None,
) -> None:
    """Draw a machine, or all of them, to stdout or into a folder."""
    from graph.drawing import FORMATS, MACHINES
    from tools.errors import BadInput

    names = [name] if name else list(MACHINES)
    drawn = {one: FORMATS[form](one) for one in names}
    if out is None and form is Format.PNG and len(names) > 1:
        raise BadInput("several pictures do not fit on stdout: name a machine, or give --out")
    for one, picture in drawn.items():
        data = picture.encode() if isinstance(picture, str) else picture
        if out is None:
            sys.stdout.buffer.write(data)
            continue
        ending = "mmd" if form is Format.MERMAID else form.value
        try:
            out.mkdir(parents=True, exist_ok=True)
            (out / f"{one}.{ending}").write_bytes(data)
        except OSError as error:
            raise BadInput(f"--out {out} cannot be used: {error.strerror}") from error
    sys.stdout.buffer.flush()
