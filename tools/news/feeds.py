"""RSS and Atom over HTTP: fetched politely, within limits, and read as headlines.

Polite: ETag and Last-Modified go back with the next request, and an unchanged feed costs nothing.
Limits: http and https only, a few redirects, so many seconds and so many bytes in all (after
decompression), whatever the server does. A document that declares entities is refused before any
parser sees it. What an item says is foreign text: a row that is no headline is refused by name.

An item is received when it is fetched, however far back it dates itself; one without a date is
dated by its receipt.
"""

import calendar
import html
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from quant_core.types import Headline
from tools.errors import BadInput, NotConfigured, Rejected, Transient
from tools.news.rows import NewsRejection, Refused, headline

AGENT = "advisor-news/1"
SECONDS = 20.0
BYTES = 5_000_000
ENTRIES = 1_000
REDIRECTS = 4
EXTRA = "pip install -e '.[news]'"
_TAG = re.compile(r"<[^>]*>")
_FIELDS = {name: name for name in ("id", "published_at", "received_at", "source", "title")}
_FIELDS |= {"summary": "summary", "symbols": "symbols"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """Where a feed is, and the symbols that its items are about (none: the market)."""

    url: str
    symbols: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """What a server said of a feed when it was last fetched; goes back with the next request."""

    etag: str = ""
    modified: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a fetch brought. `unchanged`: the server had nothing new since the state before."""

    items: tuple[Headline, ...]
    rejections: tuple[NewsRejection, ...]
    state: FeedState
    unchanged: bool = False


def fetch(
    feed: Feed, state: FeedState, received_at: datetime, *, seconds: float = SECONDS
) -> Fetched:
    """Fetch a feed once.

    Raises Transient for what may pass (network, time, 429, 5xx), Rejected for another refusal of
    the server, BadInput for an address or a document that is no feed, NotConfigured when a
    package is missing.
    """
    if not re.match(r"https?://[^\s/]", feed.url):
        raise BadInput(f"{feed.url!r} is no address of a feed; it begins with http:// or https://")
    content, state, unchanged = _get(feed.url, state, seconds)
    if unchanged:
        return Fetched(items=(), rejections=(), state=state, unchanged=True)
    items, rejections = read_feed(content, feed, received_at)
    return Fetched(items=items, rejections=rejections, state=state)


def _get(url: str, state: FeedState, seconds: float) -> tuple[bytes, FeedState, bool]:
    """(document, state after it, whether nothing has changed) within all limits."""
    try:
        import httpx
    except ModuleNotFoundError as error:
        raise NotConfigured(f"feeds need httpx: {EXTRA}") from error
    asked = {"User-Agent": AGENT, "Accept": "application/rss+xml, application/atom+xml, */*;q=0.1"}
    if state.etag:
        asked["If-None-Match"] = state.etag
    if state.modified:
        asked["If-Modified-Since"] = state.modified
    end = time.monotonic() + seconds
    try:
        with (
            httpx.Client(
                timeout=seconds, follow_redirects=True, max_redirects=REDIRECTS, trust_env=True
            ) as client,
            client.stream("GET", url, headers=asked) as response,
        ):
            if response.status_code == 304:
                return b"", state, True
            _check_status(url, response.status_code)
            after = FeedState(
                etag=response.headers.get("etag", "")[:500],
                modified=response.headers.get("last-modified", "")[:100],
            )
            return _body(url, response.iter_bytes(), end), after, False
    except httpx.InvalidURL as error:
        raise BadInput(f"{url} is no address of a feed: {error}") from error
    except httpx.TooManyRedirects as error:
        raise Rejected(f"{url} redirects more than {REDIRECTS} times") from error
    except httpx.UnsupportedProtocol as error:
        raise Rejected(f"{url} redirects to what is neither http nor https") from error
    except httpx.HTTPError as error:
        words = str(error) or type(error).__name__
        raise Transient(f"{url} could not be fetched: {words}") from error


def _check_status(url: str, status: int) -> None:
    if status in (408, 425, 429) or status >= 500:
        raise Transient(f"{url} answers {status}; try again later")
    if status != 200:
        raise Rejected(f"{url} answers {status}; is the address right?")


def _body(url: str, chunks: Iterator[bytes], end: float) -> bytes:
    """All chunks; they must come as the network gives them, or a slow server is never cut off."""
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > BYTES:
            raise BadInput(f"{url} has more than {BYTES} bytes; that is no feed")
        if time.monotonic() > end:
            raise Transient(f"{url} took too long; what had come was thrown away")
    return bytes(body)


def read_feed(
    content: bytes, feed: Feed, received_at: datetime
) -> tuple[tuple[Headline, ...], tuple[NewsRejection, ...]]:
    """The items of a document; BadInput when it is no feed."""
    if b"\x00" in content or re.search(rb"<!ENTITY", content, re.IGNORECASE):
        raise BadInput(f"{feed.url} declares entities or is no text; such a document is not read")
    try:
        import feedparser
    except ModuleNotFoundError as error:
        raise NotConfigured(f"feeds need feedparser: {EXTRA}") from error
    # As a stream: a text might be taken for an address or a file.
    parsed = feedparser.parse(BytesIO(content), resolve_relative_uris=False)
    if not parsed.get("version"):
        raise BadInput(f"{feed.url} is neither RSS nor Atom")
    source = _plain(parsed.feed.get("title", ""))[:200] or feed.url[:200]
    items: dict[str, Headline] = {}
    rejections = []
    for number, entry in enumerate(parsed.entries[:ENTRIES], 1):
        try:
            item = headline(_row(entry, source, feed, received_at), _FIELDS, None)
            items.setdefault(item.id, item)
        except Refused as error:
            rejections.append(NewsRejection(feed.url, number, *error.args))
    return tuple(items.values()), tuple(rejections)


def _row(
    entry: Mapping[str, Any], source: str, feed: Feed, received_at: datetime
) -> dict[str, Any]:
    return {
        "id": entry.get("id") or entry.get("link"),
        "published_at": _published(entry) or received_at,
        "received_at": received_at,
        "source": source,
        "title": _plain(entry.get("title", "")),
        "summary": _plain(entry.get("summary", "")),
        "symbols": list(feed.symbols),
    }


def _published(entry: Mapping[str, Any]) -> datetime | None:
    """When an item says that it was published."""
    found = entry.get("published_parsed") or entry.get("updated_parsed")
    return datetime.fromtimestamp(calendar.timegm(found), UTC) if found else None


def _plain(text: str) -> str:
    """Text without tags, on one line."""
    return " ".join(html.unescape(_TAG.sub(" ", text)).split())
