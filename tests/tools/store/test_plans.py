"""Every query of a big ledger finds its rows by an index: no table of rows is read through.

The queries are those that the program makes, caught on their way to the database; the plans are
the database's own, with its statistics of the ledger at hand.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from quant_core.calendar import to_minute
from quant_core.types import ChartAlert
from tests.tools.store import examples as ex
from tests.tools.store.test_outbox import LEG, ROW
from tools.outbox import OutboxRow
from tools.store import Store, codec
from tools.store.codec import KINDS
from tools.store.dialect import engine_at
from tools.store.holdings import Holdings
from tools.store.paging import Pages, Span
from tools.store.retention import due, prune
from tools.trade_sums import TradeSums

pytestmark = pytest.mark.slow
SMALL = {"runs", "lanes", "ledger_version", "alembic_version"}
RUNS, SESSIONS, EACH = 12, 40, 5
LANE = "advised"
KEPT = [record for record in ex.ALL if record not in (ex.DAY, ex.CHART_ALERT)]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def big(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Twelve runs of one lane, three of them without texts: 480 to 2,400 records of each kind."""
    if request.param == "sqlite":
        where = str(tmp_path_factory.mktemp("big") / "ledger.sqlite")
    else:
        where = request.getfixturevalue("postgresql")
        engine = engine_at(where, "NORMAL")
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
        engine.dispose()
    with Store.open(where, synchronous="NORMAL") as store:
        for number in range(RUNS):
            write_run(store, f"run{number}")
            if number > 4:
                store.finish_run(f"run{number}")
        old = due(store, minutes_before=None, texts_before=ex.ALWAYS)
        prune(store, [lot for lot in old if lot.run_id > "run6"], None, at=ex.ALWAYS)
    engine = engine_at(where, "NORMAL")
    with engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")
    engine.dispose()
    return where


def write_run(store: Store, run_id: str) -> None:
    ex.start(store, run_id)
    for session in range(SESSIONS):
        opened = ex.OPEN + timedelta(days=session)
        store.commit_cycle(
            run_id, LANE, ex.minutes(opened, 10), [*(KEPT * EACH), *alerts(session), ex.DAY],
            b"state",
            outbox=[
                ex_row(f"{run_id}-{session}-{number}") for number in range(EACH)
            ],
        )  # fmt: skip


def alerts(session: int) -> list[ChartAlert]:
    """A session's alerts: a run keeps each id once."""
    at = ex.CHART_ALERT.known_at + timedelta(days=session)
    ids = [f"alert-{session}-{number}" for number in range(EACH)]
    return [replace(ex.CHART_ALERT, id=one, known_at=at) for one in ids]


def ex_row(name: str) -> OutboxRow:
    return replace(ROW, client_order_id=name)


class Caught:
    """The statements that were made while a block ran, with their parameters."""

    def __init__(self) -> None:
        self.made: dict[str, Any] = {}

    def __enter__(self) -> "Caught":
        event.listen(Engine, "before_cursor_execute", self.keep)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(Engine, "before_cursor_execute", self.keep)

    def keep(
        self, _c: object, _cursor: object, text: str, given: Any, _x: object, many: bool
    ) -> None:
        if text.lstrip().startswith(("SELECT", "UPDATE", "DELETE")) and not many:
            self.made[text] = given


def scans(connection: Connection, text: str, given: Any) -> Iterator[str]:
    """The tables of rows that a statement reads from end to end, or by an index without a key."""
    if connection.dialect.name == "sqlite":
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given).fetchall()
        for row in plan:
            words = str(row[-1]).split()
            if words[0] == "SCAN" and words[1] not in SMALL and words[1] != "CONSTANT":
                yield str(row[-1])
        return
    (plan,) = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {text}", given).one()
    waiting = [(plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]]
    while waiting:
        node = waiting.pop()
        waiting += node.get("Plans", [])
        table = node.get("Relation Name", "")
        if table in SMALL or table.startswith("pg_") or "Scan" not in node["Node Type"]:
            continue
        by_key = "Index Cond" in node or "Recheck Cond" in node or "TID Cond" in node
        if node["Node Type"] == "Seq Scan" or (table and not by_key):
            yield f"{node['Node Type']} on {table}"


def reads(store: Store) -> None:
    """Everything that is ever read of a lane."""
    run, far = "run5", ex.ALWAYS
    for reader in ex.READERS:
        getattr(store, reader)(run, LANE, as_of=far)
    for kind in KINDS:
        store.entries(run, LANE, kind, as_of=far)
    store.chart_alerts(run, LANE, as_of=far, since=ex.OPEN + timedelta(days=SESSIONS - 1))
    store.chart_alert_ids(run, {"alert-3-1", "unheard-of"})
    store.cycles(run, LANE, as_of=far)
    store.checkpoint(run, LANE)
    store.watchlist(run, LANE)
    store.outbox(run, LANE)
    store.heads(run)
    store.runs()
    assert store.verify_chain(run).intact


def pages(store: Store) -> None:
    """Everything that the API and the chat read, piece by piece."""
    found = Pages(store)
    place = found.place("run5").lanes[LANE]
    far, half = ex.ALWAYS, Span(place.head // 2, place.head // 2 + 60)
    for kind in KINDS.values():
        found.newest(kind, place, as_of=far, limit=20)
        found.following(kind, place, as_of=far, limit=20, span=half)
        found.columns(kind, place, ("seq",), as_of=far, span=half)
        if "symbol" in kind.columns:
            found.newest(kind, place, as_of=far, limit=20, where={"symbol": "NVDA"})
    found.last_closed(place, as_of=far)
    first = to_minute(ex.OPEN + timedelta(days=20))
    found.minutes(place, first, first + 30, as_of=far)
    found.minutes(place, first, first + 30, as_of=far, symbol="QQQ")
    found.last_minute(place, as_of=far)
    found.latest(place, as_of=far)
    Holdings(store).after(place, place.head)
    days = found.following(codec.LANE_DAYS, place, as_of=far)
    TradeSums(found).sessions(place, days)  # type: ignore[arg-type]


def retention(store: Store) -> None:
    due(store, minutes_before=ex.ALWAYS, texts_before=ex.ALWAYS)


@pytest.mark.parametrize("work", [reads, pages, retention])
def test_no_query_reads_a_table_through(big: str, work: Callable[[Store], None]) -> None:
    with Store.open(big, read_only=True) as store, Caught() as caught:
        work(store)
    found = plans(big, caught)
    assert len(caught.made) > 2
    assert found == {}


def test_no_write_reads_a_table_through(big: str) -> None:
    with Store.open(big) as store, Caught() as caught:
        ex.start(store, "more")
        store.commit_cycle("more", LANE, ex.minutes(ex.OPEN, 1), [ex.FILL], b"s", outbox=[LEG])
        store.commit_cycle("more", LANE, ex.minutes(ex.OPEN + ex.MINUTE, 1), [ex.DAY], b"s")
        store.keep_outbox("more", LANE, [LEG])
        store.finish_run("more")
        store.discard_run("more")
    with Store.open(big) as store, Caught() as again:
        store.commit_cycle(
            "run3", LANE, ex.minutes(ex.OPEN + timedelta(days=90), 1), [ex.FILL], b"s"
        )
    caught.made |= again.made
    assert plans(big, caught) == {}


def plans(where: str, caught: Caught) -> dict[str, list[str]]:
    engine = engine_at(where, "NORMAL")
    with engine.connect() as connection:
        found = {
            text: told
            for text, given in caught.made.items()
            if "pg_" not in text
            and "sqlite_master" not in text
            and (told := list(scans(connection, text, given)))
        }
    engine.dispose()
    return found


def test_a_query_without_an_index_would_be_found(big: str) -> None:
    caught = Caught()
    caught.made["SELECT * FROM cycles WHERE close > 1.0"] = ()
    caught.made["SELECT * FROM trades WHERE symbol = 'NVDA'"] = ()
    assert set(plans(big, caught)) == set(caught.made)
