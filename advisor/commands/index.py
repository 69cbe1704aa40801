"""`advisor index`: make the decisions of a run findable, look for them, prove that none is lost."""

from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.commands.output import console, print_json

if TYPE_CHECKING:
    from rag.index import Filters, Index
    from rag.parameters import RagParameters
    from tools.store.store import Store

app = typer.Typer(help="The index of everything that was decided: build, search, verify.")

_Run = Annotated[
    str | None,
    typer.Argument(
        help="Folder of a run, a ledger file, or a database URL; default: the settings' ledger, "
        "or the newest below ./out."
    ),
]
_Index = Annotated[
    str | None,
    typer.Option("--index", help="Folder, file or OpenSearch URL; default: beside the ledger."),
]
_Embedder = Annotated[
    str | None, typer.Option(help="lexical, minilm, openai or bedrock; default from the settings.")
]
_Config = Annotated[Path | None, typer.Option(help="Settings file (TOML).")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]
_SHOWN = 5


@app.command()
def build(
    run_dir: _Run = None,
    index: _Index = None,
    embedder: _Embedder = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Replace all that the index holds, of any schema.")
    ] = False,
    config: _Config = None,
    json: _Json = False,
) -> None:
    """Bring the index to what the ledger says; what is there already is left alone."""
    from rag.building import build as bring

    place = _named(run_dir, config)
    with _ledger(place, config) as store:
        folder = _beside(place)
        opened = _open(index, embedder, config, folder, create=True, replacing=rebuild)
        try:
            with console().status("Indexing …"):
                done = bring(opened, store, as_of=_now(), rebuild=rebuild)
            where, maker = opened.status().place, opened.status().embedder
        finally:
            opened.close()
    if json:
        print_json({"index": where, "embedder": maker, **asdict(done)})
    console().print(
        f"{done.documents:,} documents: {done.added:,} added, {done.changed:,} changed, "
        f"{done.unchanged:,} unchanged, {done.removed:,} removed. Index: {where} ({maker})"
    )


@app.command()
def export(
    run_dir: Annotated[
        str, typer.Argument(help="Folder of a run with its ledger, a ledger file, or a URL.")
    ],
    place: Annotated[str, typer.Argument(help="A folder of a bucket: s3://bucket/folder.")],
    config: _Config = None,
    json: _Json = False,
) -> None:
    """Put the documents into a bucket, for a Bedrock Knowledge Base (rag.index bedrock-kb:ID)."""
    from advisor.settings import load_settings
    from rag.knowledge_base import put_sources
    from rag.ledger import of_ledger
    from tools.aws.objects import Objects

    bucket = Objects(place, load_settings(config).aws)
    with _ledger(run_dir, config) as store, console().status("Writing …"):
        written, unchanged = put_sources(of_ledger(store, as_of=_now()), bucket)
    if json:
        print_json({"place": bucket.place(), "written": written, "unchanged": unchanged})
    console().print(
        f"{written:,} documents written to {bucket.place()}, {unchanged:,} were there already",
        markup=False,
    )


@app.command()
def status(
    place: Annotated[
        Path | None, typer.Argument(help="Folder of a run or of an index; default: rag.index.")
    ] = None,
    index: _Index = None,
    embedder: _Embedder = None,
    config: _Config = None,
    json: _Json = False,
) -> None:
    """What an index holds."""
    from quant_core.calendar import new_york

    opened = _open(index, embedder, config, place)
    try:
        found = opened.status()
    finally:
        opened.close()
    if json:
        print_json(asdict(found))
        return
    span = "nothing yet"
    if found.first and found.last:
        span = f"{new_york(found.first)} to {new_york(found.last)} New York"
    screen = console()
    screen.print(f"{found.place}: {found.documents:,} documents, {found.bytes / 1e6:,.1f} MB")
    screen.print(f"embedder {found.embedder}, schema {found.schema}, known {span}")
    for title in ("kinds", "lanes", "symbols", "runs"):
        counts = getattr(found, title)
        screen.print(f"{title}: {', '.join(f'{name} {n:,}' for name, n in counts.items()) or '—'}")


@app.command()
def verify(
    run_dir: _Run = None,
    index: _Index = None,
    embedder: _Embedder = None,
    config: _Config = None,
    json: _Json = False,
) -> None:
    """Compare the index with the ledger; exit code 5 when they differ."""
    from rag.building import compare

    place = _named(run_dir, config)
    with _ledger(place, config) as store:
        opened = _open(index, embedder, config, _beside(place))
        try:
            found = compare(opened, store, as_of=_now())
        finally:
            opened.close()
    if json:
        print_json({"intact": found.intact, **asdict(found)})
    screen = console()
    if found.intact:
        screen.print(f"{found.documents:,} documents: the index says what the ledger says")
        return
    for word in ("missing", "stale", "orphaned", "damaged"):
        names = getattr(found, word)
        if names:
            more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
            screen.print(f"{len(names):,} {word}: {', '.join(names[:_SHOWN])}{more}")
    where = store.place if "://" in place else run_dir or place
    again = "advisor index build --rebuild" if found.damaged else "advisor index build"
    screen.print(f"`{again} {where}` brings the index to the ledger")
    raise typer.Exit(5)


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="What to look for, in words.")],
    as_of: Annotated[
        str, typer.Option("--as-of", help="Only what was known then: a date or a time, New York.")
    ],
    index: _Index = None,
    symbol: Annotated[list[str] | None, typer.Option(help="Only this symbol; repeatable.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind; repeatable.")] = None,
    lane: Annotated[list[str] | None, typer.Option(help="Only this lane; repeatable.")] = None,
    since: Annotated[str | None, typer.Option(help="Known at or after (New York).")] = None,
    until: Annotated[str | None, typer.Option(help="Known before (New York).")] = None,
    k: Annotated[int, typer.Option("-k", help="How many documents.")] = 5,
    embedder: _Embedder = None,
    config: _Config = None,
    json: _Json = False,
) -> None:
    """Find documents by words and meaning, as of a moment."""
    moment = _moment("--as-of", as_of, end_of_day=True)
    where = _filters(symbol, kind, lane, since, until)
    opened = _open(index, embedder, config, None)
    try:
        hits = opened.search(query, as_of=moment, k=k, where=where)
        if not hits:
            _explain_nothing(opened, where)
    finally:
        opened.close()
    if json:
        print_json([{**asdict(hit), "why": hit.why} for hit in hits])
        return
    from rich.markup import escape

    screen = console()
    for number, hit in enumerate(hits, 1):
        screen.print(f"[bold]{number}. {escape(hit.document.id)}[/bold]  {hit.score:.4f}")
        screen.print(f"   {escape(hit.document.text)}")
        screen.print(f"   [dim]{escape(hit.why)}; rows {escape(_rows(hit.document.cites))}[/dim]")


def _rows(cites: tuple[str, ...]) -> str:
    more = f" and {len(cites) - _SHOWN} more" if len(cites) > _SHOWN else ""
    return ", ".join(cites[:_SHOWN]) + more


def _explain_nothing(index: "Index", where: "Filters") -> None:
    """NoData that says why nothing came back; an unknown name is told with the known ones."""
    from tools.errors import NoData

    held = index.status()
    for word, asked, known in (
        ("symbol", where.symbols, held.symbols),
        ("lane", where.lanes, held.lanes),
    ):
        unknown = [name for name in asked if name not in known]
        if unknown:
            names = ", ".join(list(known)[:20]) or "none"
            raise NoData(f"the index has no {word} {', '.join(unknown)}; it has {names}")
    raise NoData("nothing was known then that fits; ask as of a later moment, or with less")


def _named(run_dir: str | None, config: Path | None) -> str:
    from advisor.ledgers import named_or_newest
    from advisor.settings import load_settings

    return named_or_newest(run_dir, load_settings(config))


def _ledger(place: str, config: Path | None) -> "Store":
    from advisor.ledgers import ledger_at, open_ledger
    from advisor.settings import load_settings

    settings = load_settings(config)
    return open_ledger(ledger_at(place, settings), settings)


def _beside(place: str) -> Path | None:
    from advisor.ledgers import folder_of

    return folder_of(place)


def _open(
    index: str | None, embedder: str | None, config: Path | None, folder: Path | None,
    *, create: bool = False, replacing: bool = False,
) -> "Index":  # fmt: skip
    from advisor.indexing import open_index

    return open_index(
        _parameters(index, embedder, config), folder, create=create, replacing=replacing
    )


def _parameters(index: str | None, embedder: str | None, config: Path | None) -> "RagParameters":
    from advisor.secrets import provide_keys
    from advisor.settings import load_settings
    from tools.errors import BadInput

    settings = load_settings(config)
    given: dict[str, Any] = {"index": index, "embedder": embedder}
    try:
        chosen = replace(
            settings.rag,
            **{name: value for name, value in given.items() if value is not None},
        )
    except ValueError as error:
        raise BadInput(str(error)) from error
    provide_keys(settings.model_copy(update={"rag": chosen}), model=False)
    return chosen


def _filters(
    symbols: list[str] | None,
    kinds: list[str] | None,
    lanes: list[str] | None,
    since: str | None,
    until: str | None,
) -> "Filters":
    from rag.index import Filters

    return Filters(
        symbols=tuple(symbols or ()),
        kinds=tuple(kinds or ()),  # type: ignore[arg-type]  # Filters refuses what is none
        lanes=tuple(lanes or ()),
        since=_moment("--since", since) if since else None,
        until=_moment("--until", until) if until else None,
    )


def _moment(option: str, text: str, *, end_of_day: bool = False) -> datetime:
    """A date or time, New York unless it carries a zone; a bare date can mean its last moment."""
    from datetime import time

    from quant_core.calendar import NEW_YORK
    from tools.errors import BadInput

    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(
            f"{option} is {text!r}; write a date or time that there is, such as 2025-01-31 or "
            "2025-01-31T10:41"
        ) from error
    if end_of_day and len(text.strip()) <= 10:
        moment = datetime.combine(moment.date(), time.max)
    return moment if moment.tzinfo else moment.replace(tzinfo=NEW_YORK)


def _now() -> datetime:
    from datetime import UTC

    return datetime.now(UTC)
