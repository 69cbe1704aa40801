import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from advisor.feeds import NEWS_FILE, STATE_FILE, Polled, poll_feeds
from tests.stand_ins.feeds import FeedServer, Page, feed_server
from tests.tools.news.test_feeds import ATOM, ITEM, RSS
from tools.errors import BadInput
from tools.news.feeds import Feed
from tools.news.files import NewsFormat, read_news_files

NOW = datetime(2025, 1, 8, 13, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with feed_server() as running:
        running.pages["/rss"] = Page(body=RSS.format(ITEM).encode(), headers={"ETag": '"v1"'})
        running.pages["/atom"] = Page(body=ATOM.encode())
        yield running


def poll(server: FeedServer, folder: Path, *paths: str) -> list[Polled]:
    found = [Feed(url=f"{server.url}{path}", symbols=("NVDA",)) for path in paths]
    return poll_feeds(found, folder, lambda: NOW)


def titles(folder: Path) -> list[str]:
    files = read_news_files([folder / NEWS_FILE], NewsFormat())
    return [item.title for item in files.shelf.items]


def test_an_item_is_kept_once_with_the_moment_of_its_receipt(
    server: FeedServer, tmp_path: Path
) -> None:
    first = poll(server, tmp_path, "/rss", "/atom")
    again = poll(server, tmp_path, "/rss", "/atom")
    assert [(one.new, one.known, one.unchanged) for one in first] == [(1, 0, False)] * 2
    assert [(one.new, one.known, one.unchanged) for one in again] == [(0, 0, True), (0, 1, False)]
    files = read_news_files([tmp_path / NEWS_FILE], NewsFormat())
    assert [item.title for item in files.shelf.items] == ["Chips & more fly", "Atom"]
    assert {item.known_at for item in files.shelf.items} == {NOW}


def test_one_feed_that_fails_does_not_keep_the_others(server: FeedServer, tmp_path: Path) -> None:
    gone, fine = poll(server, tmp_path, "/gone", "/rss")
    assert "answers 404" in gone.failure
    assert (fine.new, titles(tmp_path)) == (1, ["Chips & more fly"])


def test_a_line_that_was_cut_off_is_healed(server: FeedServer, tmp_path: Path) -> None:
    (tmp_path / NEWS_FILE).write_text('{"id": "1", "ti')
    poll(server, tmp_path, "/rss")
    poll(server, tmp_path, "/atom")
    assert titles(tmp_path) == ["Chips & more fly", "Atom"]


def test_a_state_that_somebody_changed_is_said(server: FeedServer, tmp_path: Path) -> None:
    (tmp_path / STATE_FILE).write_text(json.dumps({"x": 5}))
    with pytest.raises(BadInput, match="was changed by something else"):
        poll(server, tmp_path, "/rss")
