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
        typer.Argument(metavar="FEED…", help="URL of a feed, or NVDA,AMD=URL for its symbols."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of news.jsonl and the feeds' state.")] = Path(
        "out/news"
    ),
    json: Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")] = False,
) -> None:
    """Fetch every feed once, and add what is new to OUT/news.jsonl. Run it before 08:30."""
    from dataclasses import asdict
    from datetime import UTC, datetime

    from rich.text import Text

    from advisor.feeds import NEWS_FILE, poll_feeds

    polled = poll_feeds([_feed(one) for one in feeds], out, lambda: datetime.now(UTC))
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
    from tools.news.feeds import Feed

    before, equals, after = text.partition("=")
    if equals and "://" not in before:
        symbols = tuple(part.strip().upper() for part in before.split(",") if part.strip())
        return Feed(url=after, symbols=symbols)
    return Feed(url=text)
