"""`advisor news`: fetch feeds into a file that the premarket and the analyst read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.commands.output import console, print_json

if TYPE_CHECKING:
    from tools.news.feeds import Feed

app = typer.Typer(help="News: fetch RSS and Atom feeds into a file for --news.")


@app.callback()
def _news() -> None:
    """Keep `fetch` a subcommand."""


@app.command()
def fetch(
    feeds: Annotated[
        list[str],
        typer.Argument(
            metavar="FEED…", help="URL of a feed, NVDA,AMD=URL for its symbols, or alpaca:NVDA,AMD."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of news.jsonl and the feeds' state.")] = Path(
        "out/news"
    ),
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")] = False,
) -> None:
    """Fetch every feed once, and add what is new to OUT/news.jsonl. Run it before 08:30."""
    from dataclasses import asdict
    from datetime import UTC, datetime

    from rich.text import Text

    from advisor.feeds import NEWS_FILE, fetcher, poll_feeds
    from advisor.settings import load_settings

    fetch_one = fetcher(load_settings(config))
    polled = poll_feeds([_feed(one) for one in feeds], out, lambda: datetime.now(UTC), fetch_one)
    if json:
        print_json([asdict(one) for one in polled])
    for one in polled:
        if one.failure:
            console().print(Text(one.failure, style="yellow"))
            continue
        words = "unchanged" if one.unchanged else f"{one.new} new, {one.known} known"
        refused = f", {len(one.rejections)} refused" if one.rejections else ""
        console().print(Text(f"{one.url}: {words}{refused}"))
        for row in one.rejections:
            console().print(Text(f"  item {row.row}: {row.reason} {row.value}", style="yellow"))
    if all(one.failure for one in polled):
        raise typer.Exit(3)
    console().print(Text(f"News is in {out / NEWS_FILE}; read it with --news {out / NEWS_FILE}"))


def _feed(text: str) -> "Feed":
    """A feed as it is named on the command line."""
    from tools.errors import BadInput
    from tools.news.alpaca import SCHEME
    from tools.news.feeds import Feed

    if text.startswith(SCHEME):
        named = [part.strip().upper() for part in text.removeprefix(SCHEME).split(",")]
        if not all(named):
            raise BadInput(f"{text} names no symbols; write alpaca:NVDA,AMD")
        return Feed(url=SCHEME + ",".join(named), symbols=tuple(named))
    before, equals, after = text.partition("=")
    if equals and "://" not in before:
        symbols = tuple(part.strip().upper() for part in before.split(",") if part.strip())
        return Feed(url=after, symbols=symbols)
    return Feed(url=text)
