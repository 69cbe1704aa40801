"""`advisor keys`: who may call the API."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.commands.output import console, print_json

if TYPE_CHECKING:
    from advisor.api.keys import KeyFile

app = typer.Typer(help="Keys of the REST API: shown once when made, kept as hashes.")
_Config = Annotated[Path | None, typer.Option(help="Settings file (TOML).")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]


class Scope(StrEnum):
    """What a key may do."""

    READ = "read"
    ADMIN = "admin"


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for, such as portfolio-site.")],
    scope: Annotated[
        Scope, typer.Option(help="read: everything recorded; admin: settings and controls too.")
    ] = Scope.READ,
    per_minute: Annotated[
        int | None,
        typer.Option(min=1, max=1_000_000, help="Requests a minute; the setting without it."),
    ] = None,
    config: _Config = None,
    json: _Json = False,
) -> None:
    """Make a key and print it; it cannot be shown again."""
    from tools.errors import BadInput

    if not name.strip() or len(name) > 64 or not name.isprintable():
        raise BadInput(f"{name!r} is no name for a key: give 1 to 64 printable characters")
    file = _file(config)
    key, text = file.create(name.strip(), scope.value, per_minute)
    if json:
        print_json({"id": key.id, "name": key.name, "scope": key.scope, "key": text})
        return
    console().print(
        f"Key {key.name} ({key.scope}), send it as X-API-Key. It is not shown again; "
        f"`advisor keys revoke {key.id}` ends it."
    )
    print(text)


@app.command("list")
def list_keys(config: _Config = None, json: _Json = False) -> None:
    """Every key that was made, and whether it is in force."""
    from rich.table import Table

    keys = _file(config).listed()
    if json:
        print_json(
            [
                {
                    "id": key.id, "name": key.name, "scope": key.scope,
                    "requests_per_minute": key.requests_per_minute,
                    "created_at": key.created_at.isoformat(),
                    "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
                }
                for key in keys
            ]
        )  # fmt: skip
        return
    if not keys:
        console().print("There is no key yet; `advisor keys create NAME` makes one.")
        return
    table = Table("id", "name", "scope", "a minute", "made (UTC)", "revoked (UTC)", box=None)
    for key in keys:
        table.add_row(
            key.id, key.name, key.scope, str(key.requests_per_minute or "default"),
            f"{key.created_at:%Y-%m-%d %H:%M}",
            f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "",
            style="dim" if key.revoked_at else None,
        )  # fmt: skip
    console().print(table)


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Name or id of the key.")], config: _Config = None
) -> None:
    """End a key; a running server refuses it at once."""
    ended = _file(config).revoke(key)
    console().print(f"Key {ended.name} ({ended.id}) is refused from now on.")


def _file(config: Path | None) -> "KeyFile":
    from advisor.api.keys import KeyFile
    from advisor.settings import load_settings

    return KeyFile(Path(load_settings(config).api.keys_file).expanduser())
