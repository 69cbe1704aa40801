"""What every news source promises: nothing that was not known, and the same when asked again."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quant_core.types import Headline
from tools.news.ledger import LedgerNews
from tools.news.shelf import JoinedNews, NewsShelf
from tools.ports import NewsReader
from tools.store import Store

NOON = datetime(2025, 1, 8, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def item(id: str, hours: float, *symbols: str, received: float | None = None) -> Headline:
    late = hours if received is None else received
    return Headline(
        id=id, published_at=NOON + hours * HOUR, received_at=NOON + late * HOUR, source="Wire",
        title=f"Title {id}", symbols=symbols,
    )  # fmt: skip


ITEMS = [
    item("old", -30, "NVDA"),
    item("morning", -2, "NVDA", "AMD"),
    item("market", -1),
    item("other", -1, "TSLA"),
    item("late", -3, "NVDA", received=1),
    item("skewed", 1, "NVDA", received=-1),
    item("now", 0, "NVDA"),
]


@pytest.fixture(params=["shelf", "ledger", "joined"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewsReader]:
    if request.param == "shelf":
        yield NewsShelf(ITEMS)
    elif request.param == "joined":
        yield JoinedNews([NewsShelf(ITEMS[:4]), NewsShelf(ITEMS[2:])])
    else:
        with Store.open(tmp_path / "ledger.sqlite") as store:
            for run, part in (("one", ITEMS[:4]), ("two", ITEMS[3:])):
                store.start_run(run, kind="t", config_hash="", code_version="", config_json="{}")
                store.commit_cycle(run, "market", None, part, None)
            yield LedgerNews(store)


def ids(source: NewsReader, symbols: Sequence[str], as_of: datetime, hours: float) -> list[str]:
    found = source.news(symbols, as_of=as_of, since=as_of - hours * HOUR)
    return [one.id for one in found]


def test_what_was_known_in_the_window_and_concerns_the_symbols(source: NewsReader) -> None:
    assert ids(source, ["NVDA"], NOON, 24) == ["morning", "market", "now"]
    assert ids(source, ["NVDA"], NOON, 24) == ["morning", "market", "now"]
    assert ids(source, ["AMD"], NOON, 24) == ["morning", "market"]
    assert ids(source, ["NVDA"], NOON, 48) == ["old", "morning", "market", "now"]
    assert ids(source, ["NVDA"], NOON + HOUR, 1) == ["late", "skewed"]


def test_nothing_is_known_before_it_was_published_and_received(source: NewsReader) -> None:
    instant = timedelta(microseconds=1)
    for one in ITEMS:
        assert one.id not in ids(source, ["NVDA", "TSLA"], one.known_at - instant, 100)
        assert one.id in ids(source, ["NVDA", "TSLA"], one.known_at, 100)
