"""Polling feeds into a file of news that every command reads with `--news`.

`news.jsonl` grows by whole lines, an item once, with the moment at which it was received; a process
that dies leaves at most one broken line, which is refused by name when read, and the item comes
again. `feeds.json` keeps what each server said, so that an unchanged feed is not sent twice.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from advisor.exports import write_whole
from advisor.secrets import open_secrets
from advisor.settings import Settings
from quant_core.types import Headline
from tools.errors import AdvisorError, BadInput, NoData, NotConfigured
from tools.news.alpaca import SCHEME, fetch_alpaca
from tools.news.feeds import Feed, FeedState, Fetched, fetch
from tools.news.files import NewsFormat, read_news_files
from tools.news.rows import FIELDS, NewsRejection

NEWS_FILE = "news.jsonl"
STATE_FILE = "feeds.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """What became of one feed: new items, or why there are none."""

    url: str
    new: int
    known: int
    unchanged: bool
    rejections: tuple[NewsRejection, ...]
    failure: str


Fetch = Callable[[Feed, FeedState, datetime], Fetched]


def fetcher(settings: Settings) -> Fetch:
    """Fetches a feed from where its address says: `alpaca:NVDA,AMD`, or RSS and Atom by URL."""

    def fetch_one(feed: Feed, state: FeedState, now: datetime) -> Fetched:
        if not feed.url.startswith(SCHEME):
            return fetch(feed, state, now)
        base_url = settings.broker.data_url
        return fetch_alpaca(open_secrets(settings), feed.symbols, state, now, base_url=base_url)

    return fetch_one


def poll_feeds(
    feeds: Sequence[Feed], folder: Path, now: Callable[[], datetime], fetch_one: Fetch = fetch
) -> list[Polled]:
    """Fetch every feed once; one that fails is named and keeps no other from being read."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"--out {folder} cannot be used: {error.strerror}") from error
    known = _known(folder / NEWS_FILE)
    states = _states(folder / STATE_FILE)
    return [_poll(feed, folder, known, states, now, fetch_one) for feed in feeds]


def _poll(
    feed: Feed,
    folder: Path,
    known: set[str],
    states: dict[str, FeedState],
    now: Callable[[], datetime],
    fetch_one: Fetch,
) -> Polled:
    try:
        found = fetch_one(feed, states.get(feed.url, FeedState()), now())
    except NotConfigured:
        raise
    except AdvisorError as error:
        return Polled(
            url=feed.url, new=0, known=0, unchanged=False, rejections=(), failure=str(error)
        )
    new = [item for item in found.items if item.id not in known]
    _append(folder / NEWS_FILE, new)
    known.update(item.id for item in new)
    states[feed.url] = found.state
    plain = {url: asdict(state) for url, state in sorted(states.items())}
    write_whole(folder / STATE_FILE, msgspec.json.encode(plain).decode() + "\n")
    return Polled(
        url=feed.url,
        new=len(new),
        known=len(found.items) - len(new),
        unchanged=found.unchanged,
        rejections=found.rejections,
        failure="",
    )


def _append(path: Path, items: Sequence[Headline]) -> None:
    """Add items as whole lines, on disk before the feed's state is."""
    if not items:
        return
    lines = b"".join(msgspec.json.encode(asdict(item)) + b"\n" for item in items)
    with path.open("ab+") as file:
        if file.tell() and _last_byte(file) != b"\n":
            lines = b"\n" + lines
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())


def _last_byte(file: Any) -> bytes:
    file.seek(-1, os.SEEK_END)
    last: bytes = file.read(1)
    return last


def _known(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    form = NewsFormat(columns={name: name for name in FIELDS})
    try:
        return {item.id for item in read_news_files([path], form).shelf.items}
    except NoData:  # nothing but a line that was cut off
        return set()


def _states(path: Path) -> dict[str, FeedState]:
    if not path.is_file():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, FeedState])
    except msgspec.MsgspecError as error:
        raise BadInput(f"{path} was changed by something else ({error}); remove it") from error
