"""Paged reads give what the plain reads give, in pieces, on both databases; nothing from later."""

from datetime import UTC, datetime, timedelta

import pytest

from quant_core.calendar import to_minute
from tests.tools.store.examples import (
    ALWAYS,
    DECISION,
    KNOWN,
    MINUTE,
    OPEN,
    TRADE,
    keep_history,
    minutes,
    same,
    same_rows,
    start,
)
from tools.errors import NoData
from tools.store import Store, codec
from tools.store.paging import Pages, Span

KINDS = {
    "snapshots": codec.SNAPSHOTS,
    "analyses": codec.ANALYSES,
    "decisions": codec.DECISIONS,
    "orders": codec.ORDERS,
    "fills": codec.FILLS,
    "order_rejections": codec.ORDER_REJECTIONS,
    "trades": codec.TRADES,
    "transitions": codec.TRANSITIONS,
    "risk_changes": codec.RISK_CHANGES,
    "lane_days": codec.LANE_DAYS,
}


@pytest.mark.parametrize("reader", sorted(KINDS))
def test_pages_together_are_what_the_plain_read_gives(store: Store, reader: str) -> None:
    keep_history(store)
    pages, kind = Pages(store), KINDS[reader]
    place = pages.place("run").lanes["advised"]
    whole = getattr(store, reader)("run", "advised", as_of=ALWAYS)
    found, span = [], Span()
    while page := pages.newest(kind, place, as_of=ALWAYS, limit=1, span=span):
        found += page
        span = span.before(page[-1].seq)
    assert len(whole) == len(found) > 0
    assert all(same(one, entry.record) for one, entry in zip(reversed(whole), found, strict=True))
    forward = pages.following(kind, place, as_of=ALWAYS)
    assert [entry.seq for entry in forward] == [entry.seq for entry in reversed(found)]


@pytest.mark.parametrize("reader", sorted(KINDS))
def test_a_record_is_there_from_the_moment_it_was_known(store: Store, reader: str) -> None:
    keep_history(store)
    pages, kind = Pages(store), KINDS[reader]
    place = pages.place("run").lanes["advised"]
    known = KNOWN[reader][1]
    earliest = pages.following(kind, place, as_of=known, limit=1)
    if reader == "lane_days":  # an account's day is known when its last recorded minute has closed
        known = pages.following(kind, place, as_of=ALWAYS, limit=1)[0].at
        earliest = pages.following(kind, place, as_of=known, limit=1)
    assert [entry.at for entry in earliest] == [known]
    assert not pages.following(kind, place, as_of=known - timedelta(microseconds=1), limit=1)


def test_filters_and_columns_are_sql(store: Store) -> None:
    keep_history(store)
    pages = Pages(store)
    place = pages.place("run").lanes["advised"]
    nvda = pages.newest(codec.TRADES, place, as_of=ALWAYS, limit=9, where={"symbol": "NVDA"})
    assert [entry.record for entry in nvda] == [TRADE]
    assert not pages.newest(codec.TRADES, place, as_of=ALWAYS, limit=9, where={"symbol": "SPY"})
    moment = {"start": DECISION.signal.start, "quantity": 53}
    assert len(pages.newest(codec.DECISIONS, place, as_of=ALWAYS, limit=9, where=moment)) == 1
    row = pages.columns(codec.TRADES, place, ("seq", "pnl"), as_of=ALWAYS)[0]
    assert (row[0], str(row[1])) == (nvda[0].seq, "22.62614")


def test_minutes_come_by_bounds_and_the_newest_of_each_symbol(store: Store) -> None:
    start(store)
    rows = minutes(OPEN, 20)
    store.commit_cycle("run", "advised", rows, [], None)
    pages = Pages(store)
    place = pages.place("run").lanes["advised"]
    first = to_minute(OPEN)
    assert same_rows(pages.minutes(place, first, first + 99, as_of=ALWAYS), rows)
    seen = pages.minutes(place, first, first + 99, as_of=OPEN + 5 * MINUTE, symbol="QQQ")
    assert seen.minute.tolist() == list(range(first, first + 5))
    assert pages.last_minute(place, as_of=OPEN + 5 * MINUTE) == first + 4
    newest = pages.latest(place, as_of=OPEN + 5 * MINUTE)
    assert newest.minute.tolist() == [first + 4] * 3
    assert pages.last_minute(place, as_of=datetime(1990, 1, 1, tzinfo=UTC)) is None


def test_the_newest_run_is_the_one_without_a_name(store: Store) -> None:
    pages = Pages(store)
    with pytest.raises(NoData, match="no run"):
        pages.place()
    start(store, "one")
    start(store, "two")
    store.commit_cycle("two", "advised", minutes(OPEN, 3), [TRADE], None)
    found = pages.place()
    assert found.run.run_id == "two"
    assert found.lanes["advised"].head == 1
    assert found.lanes["advised"].open_rows == 9
    assert found.heads == store.heads("two")
    assert pages.place("one").lanes == {}
