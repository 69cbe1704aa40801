"""Feeds over real HTTP from a small server: polite, bounded, and safe to parse."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.stand_ins.feeds import FeedServer, Page, feed_server
from tools.errors import BadInput, Rejected, Transient
from tools.news import feeds
from tools.news.feeds import Feed, FeedState, Fetched, fetch

NOW = datetime(2025, 1, 8, 13, tzinfo=UTC)
ITEM = """<item><guid>1</guid><title>Chips &amp; more <b>fly</b></title>
<description><![CDATA[<p>A <a href="x">long</a> story<script>alert(1)</script></p>]]></description>
<pubDate>Wed, 08 Jan 2025 07:00:00 -0500</pubDate></item>"""
RSS = '<?xml version="1.0"?><rss version="2.0"><channel><title>Wire</title>{}</channel></rss>'
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>Wire</title>
<entry><id>a</id><title>Atom</title><updated>2025-01-08T12:30:00Z</updated></entry></feed>"""


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with feed_server() as running:
        yield running


def get(server: FeedServer, page: Page, state: FeedState | None = None, **how: float) -> Fetched:
    server.pages["/feed"] = page
    feed = Feed(url=f"{server.url}/feed", symbols=("NVDA",))
    return fetch(feed, state or FeedState(), NOW, **how)


def test_an_item_is_plain_text_and_known_when_received(server: FeedServer) -> None:
    (item,) = get(server, Page(body=RSS.format(ITEM).encode())).items
    assert (item.id, item.title, item.source) == ("1", "Chips & more fly", "Wire")
    assert item.summary == "A long story"
    assert item.published_at == datetime(2025, 1, 8, 12, tzinfo=UTC)
    assert (item.received_at, item.known_at) == (NOW, NOW)
    assert item.symbols == ("NVDA",)


def test_atom_and_compressed_documents_are_read(server: FeedServer) -> None:
    packed = Page(body=gzip.compress(ATOM.encode()), headers={"Content-Encoding": "gzip"})
    (item,) = get(server, packed).items
    assert (item.id, item.published_at) == ("a", NOW - timedelta(minutes=30))


def test_an_item_without_a_date_is_dated_by_its_receipt(server: FeedServer) -> None:
    (item,) = get(server, Page(body=RSS.format("<item><title>x</title></item>").encode())).items
    assert item.published_at == NOW


def test_bad_items_are_refused_by_name(server: FeedServer) -> None:
    body = RSS.format(f"<item><guid>2</guid></item><item><title>{'x' * 2000}</title></item>{ITEM}")
    found = get(server, Page(body=body.encode()))
    assert [(one.row, one.reason) for one in found.rejections] == [
        (1, "no_title"),
        (2, "title_too_long"),
    ]
    assert [one.id for one in found.items] == ["1"]


def test_an_unchanged_feed_is_not_sent_twice(server: FeedServer) -> None:
    tags = {"ETag": '"v1"', "Last-Modified": "Wed, 08 Jan 2025 12:00:00 GMT"}
    first = get(server, Page(body=RSS.format(ITEM).encode(), headers=tags))
    assert first.state == FeedState(etag='"v1"', modified=tags["Last-Modified"])
    again = get(server, server.pages["/feed"], first.state)
    assert (again.unchanged, again.items, again.state) == (True, (), first.state)
    assert server.requests[1]["if-none-match"] == '"v1"'
    assert server.requests[1]["if-modified-since"] == tags["Last-Modified"]


@pytest.mark.parametrize(
    ("page", "error", "told"),
    [
        (Page(status=404), Rejected, "answers 404"),
        (Page(status=503), Transient, "answers 503; try again"),
        (Page(status=429), Transient, "answers 429"),
        (Page(status=302, headers={"Location": "/feed"}), Rejected, "redirects more than 4"),
        (Page(status=302, headers={"Location": "file:///etc/passwd"}), Rejected, "neither http"),
        (Page(body=b"<html><p>hello"), BadInput, "neither RSS nor Atom"),
        (Page(body=b""), BadInput, "neither RSS nor Atom"),
        (Page(body=RSS.format(ITEM).encode("utf-16")), BadInput, "is no text"),
    ],
)
def test_what_is_no_feed_is_one_sentence(
    server: FeedServer, page: Page, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        get(server, page)


def test_entities_are_never_expanded(server: FeedServer) -> None:
    bomb = '<!DOCTYPE r [<!entity a "ha"><!ENTITY b SYSTEM "file:///etc/passwd">]>'
    with pytest.raises(BadInput, match="declares entities"):
        get(server, Page(body=(bomb + RSS.format("<item><title>&b;</title></item>")).encode()))


def test_size_is_bounded_after_decompression(
    server: FeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "BYTES", 100_000)
    packed = gzip.compress(b"<rss>" + b" " * 10_000_000)
    assert len(packed) < 100_000
    with pytest.raises(BadInput, match="more than 100000 bytes"):
        get(server, Page(body=packed, headers={"Content-Encoding": "gzip"}))


def test_a_body_that_drips_ends_with_the_deadline(server: FeedServer) -> None:
    with pytest.raises(Transient, match="took too long"):
        get(server, Page(body=RSS.format(ITEM).encode(), drip=0.02), seconds=0.3)


def test_a_server_that_is_not_there(server: FeedServer) -> None:
    with pytest.raises(Transient, match="could not be fetched"):
        fetch(Feed(url="http://127.0.0.1:9/feed"), FeedState(), NOW)
    with pytest.raises(BadInput, match="is no address of a feed"):
        fetch(Feed(url="file:///etc/passwd"), FeedState(), NOW)
