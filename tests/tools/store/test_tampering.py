"""Whoever changes the file behind the ledger's back is found out, and the change is named."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tools.store import examples as ex
from tools.errors import BadInput
from tools.store import ChainBreak, Store
from tools.store.chain import link
from tools.store.codec import BY_NAME

LANE = "advised"
# What `keep_history` writes into each lane, by number.
SEQ = {
    "premarket_snapshots": 1,
    "transitions": 2,
    "market_analysis": 3,
    "trade_signals": 4,
    "orders": 5,
    "fills": 6,
    "order_rejections": 7,
    "trades": 8,
    "risk_changes": 9,
    "lane_days": 11,
}
LAST = 14
# What `keep_premarket` writes, into a lane of its own.
MARKET = "market"
MARKET_SEQ = {
    "news": 1,
    "daily_bias": 2,
    "market_context": 3,
    "llm_calls": 4,
    "llm_findings": 5,
    "chart_alerts": 6,
}


def standing(table: str) -> tuple[str, int]:
    """Lane and number of the record of a kind."""
    return (MARKET, MARKET_SEQ[table]) if table in MARKET_SEQ else (LANE, SEQ[table])


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    with Store.open(path, synchronous="NORMAL") as store:
        ex.keep_history(store, lanes=("advised", "baseline"))
        ex.keep_premarket(store, lane=MARKET)
    return path


@pytest.fixture
def copy(original: Path, path: Path) -> Path:
    shutil.copy(original, path)
    return path


def edit(path: Path, *statements: str) -> None:
    """What a person with the sqlite3 shell would do."""
    connection = sqlite3.connect(path)
    for statement in statements:
        assert connection.execute(statement).rowcount != 0, f"touched nothing: {statement}"
    connection.commit()
    connection.close()


def found(path: Path) -> ChainBreak | None:
    with Store.open(path, read_only=True) as store:
        return store.verify_chain("run").broken


def place(broken: ChainBreak | None) -> tuple[object, ...]:
    assert broken is not None
    return broken.fault, broken.kind, broken.seq, broken.lane


def test_an_untouched_ledger_is_intact(copy: Path) -> None:
    with Store.open(copy, read_only=True) as store:
        report = store.verify_chain("run")
        assert report.intact
        assert report.records == 2 * LAST + len(MARKET_SEQ)
        assert report.cycle_rows == 2 * 115 * len(ex.WATCHLIST)
        assert report.heads == store.heads("run")


# Values

COLUMNS = [(table, column) for table, kind in BY_NAME.items() for column in kind.columns]
CHANGE = "CASE WHEN {0} IS NULL THEN '1' WHEN typeof({0}) = 'text' THEN {0} || '0' ELSE {0} + 1 END"


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_changed_value_is_named(copy: Path, table: str, column: str) -> None:
    lane, seq = standing(table)
    where = f"WHERE lane = '{lane}' AND seq = {seq}"
    change = CHANGE.format(column)
    if column in MONEY_OF.get(table, ()):
        change = f"CASE WHEN {column} IS NULL THEN '1' ELSE '0.01' END"
    edit(copy, f"UPDATE {table} SET {column} = {change} {where}")
    assert place(found(copy)) == ("changed", table, seq, lane)


MONEY_OF = {
    table: [column.name for column in kind.table.columns if type(column.type).__name__ == "Money"]
    for table, kind in BY_NAME.items()
}


@pytest.mark.parametrize(
    "value", ["'186.94869300000000000000001'", "'cheap'", "NULL", "x'00ff'", "'nan'", "187.5"]
)
def test_a_price_that_is_none_of_ours_is_named(copy: Path, value: str) -> None:
    edit(copy, f"UPDATE fills SET price = {value} WHERE lane = '{LANE}' AND seq = 6")
    assert place(found(copy)) == ("changed", "fills", 6, LANE)


@pytest.mark.parametrize("column", ["prev_hash", "at", "kind"])
def test_a_changed_link_is_named(copy: Path, column: str) -> None:
    value = "'orders'" if column == "kind" else CHANGE.format(column)
    edit(copy, f"UPDATE decisions SET {column} = {value} WHERE lane = '{LANE}' AND seq = 6")
    fault, _, seq, lane = place(found(copy))
    assert (fault, seq, lane) == ("changed", 6, LANE)


def test_a_changed_hash_is_named(copy: Path) -> None:
    edit(copy, f"UPDATE decisions SET hash = hash || '0' WHERE lane = '{LANE}' AND seq = 6")
    assert place(found(copy)) == ("changed", "decisions", 6, LANE)


def test_a_change_with_its_own_hash_made_anew_is_named(copy: Path) -> None:
    """The next record still names the old one."""
    edit(
        copy,
        f"UPDATE fills SET price = '1.0' WHERE lane = '{LANE}' AND seq = 6",
        f"UPDATE decisions SET hash = '{forged(copy, 6)}' WHERE lane = '{LANE}' AND seq = 6",
    )
    assert place(found(copy)) == ("missing", "order_rejections", 7, LANE)


def test_a_change_of_the_last_record_with_its_hash_is_named(copy: Path) -> None:
    edit(
        copy,
        f"UPDATE fills SET price = '1.0' WHERE lane = '{LANE}' AND seq = {LAST}",
        f"UPDATE decisions SET hash = '{forged(copy, LAST)}' "
        f"WHERE lane = '{LANE}' AND seq = {LAST}",
    )
    assert place(found(copy)) == ("changed", "decisions", LAST, LANE)


def forged(path: Path, seq: int) -> str:
    """The hash that a fill of price 1.0 would have at a place of the chain."""
    kind = BY_NAME["fills"]
    connection = sqlite3.connect(path)
    before, at = connection.execute(
        f"SELECT prev_hash, at FROM decisions WHERE lane = '{LANE}' AND seq = {seq}"
    ).fetchone()
    row = connection.execute(
        f"SELECT {', '.join(kind.columns)} FROM fills WHERE lane = '{LANE}' AND seq = {seq}"
    ).fetchone()
    connection.close()
    values = dict(zip(kind.columns, row, strict=True)) | {"price": "1.0"}
    return link(before, kind.content(at, tuple(values.values())))


# Rows that go, come, or change places


@pytest.mark.parametrize("table", [*SEQ, *MARKET_SEQ])
def test_a_missing_row_is_named(copy: Path, table: str) -> None:
    lane, seq = standing(table)
    edit(copy, f"DELETE FROM {table} WHERE lane = '{lane}' AND seq = {seq}")
    assert place(found(copy)) == ("missing", table, seq, lane)


def test_a_missing_link_is_named(copy: Path) -> None:
    edit(copy, f"DELETE FROM decisions WHERE lane = '{LANE}' AND seq = 6")
    assert place(found(copy)) == ("missing", "decisions", 6, LANE)


def remove(path: Path, seq: int) -> None:
    edit(
        path,
        f"DELETE FROM fills WHERE lane = '{LANE}' AND seq = {seq}",
        f"DELETE FROM decisions WHERE lane = '{LANE}' AND seq = {seq}",
    )


def renumber(path: Path, first: int, by: int) -> None:
    """Move all records from `first` on; in two steps, because numbers are unique."""
    for table in ("decisions", *BY_NAME):
        connection = sqlite3.connect(path)
        since = f"lane = '{LANE}' AND seq >= "
        connection.execute(f"UPDATE {table} SET seq = seq + 1000 WHERE {since}{first}")
        connection.execute(f"UPDATE {table} SET seq = seq - {1000 - by} WHERE {since}1000")
        connection.commit()
        connection.close()


def test_a_missing_record_is_named(copy: Path) -> None:
    remove(copy, 6)
    assert place(found(copy)) == ("missing", "decisions", 6, LANE)


def test_a_missing_record_is_named_when_the_gap_was_closed(copy: Path) -> None:
    remove(copy, 6)
    renumber(copy, 7, -1)
    edit(copy, f"UPDATE lanes SET seq = seq - 1 WHERE lane = '{LANE}'")
    fault, _, seq, lane = place(found(copy))
    assert (fault, seq, lane) == ("missing", 6, LANE)


def test_a_missing_end_is_named(copy: Path) -> None:
    remove(copy, LAST)
    assert place(found(copy)) == ("missing", "decisions", LAST, LANE)


def test_a_missing_end_is_named_when_the_lane_was_set_back(copy: Path) -> None:
    remove(copy, LAST)
    edit(copy, f"UPDATE lanes SET seq = {LAST - 1} WHERE lane = '{LANE}'")
    assert place(found(copy)) == ("changed", "decisions", LAST - 1, LANE)


def test_a_missing_lane_is_named(copy: Path) -> None:
    edit(copy, f"DELETE FROM lanes WHERE lane = '{LANE}'")
    assert place(found(copy)) == ("missing", "lanes", None, LANE)


def test_a_lane_that_vanished_from_a_finished_run_is_noticed(copy: Path) -> None:
    with Store.open(copy) as store:
        store.finish_run("run")
    tables = ("lanes", "decisions", "cycles", *SEQ)
    edit(copy, *(f"DELETE FROM {table} WHERE lane = '{LANE}'" for table in tables))
    assert place(found(copy)) == ("changed", "runs", None, None)


def test_swapped_lanes_are_noticed(copy: Path) -> None:
    """Otherwise "the model adds value" and "it costs" could be exchanged."""
    other = f"CASE lane WHEN '{LANE}' THEN 'x' ELSE '{LANE}' END"
    for table in ("lanes", "decisions", "cycles", *SEQ):
        edit(
            copy,
            f"UPDATE {table} SET lane = {other.replace(LANE, 'baseline')} WHERE lane = 'baseline'",
            f"UPDATE {table} SET lane = 'baseline' WHERE lane = '{LANE}'",
            f"UPDATE {table} SET lane = '{LANE}' WHERE lane = 'x'",
        )
    broken = found(copy)
    assert broken is not None
    assert (broken.lane, broken.seq) == (LANE, 1)


def insert_link(path: Path, seq: int, prev: str, digest: str) -> None:
    edit(
        path,
        f"INSERT INTO decisions SELECT run, lane, {seq}, kind, at, '{prev}', '{digest}' "
        f"FROM decisions WHERE lane = '{LANE}' AND kind = 'fills' LIMIT 1",
    )


@pytest.mark.parametrize("seq", [0, -3, 8, LAST + 1])
def test_an_inserted_row_is_named(copy: Path, seq: int) -> None:
    columns = ", ".join(BY_NAME["fills"].columns)
    edit(
        copy,
        f"INSERT INTO fills SELECT run, lane, {seq}, {columns} FROM fills "
        f"WHERE lane = '{LANE}' AND seq = 6",
    )
    assert place(found(copy)) == ("inserted", "fills", seq, LANE)


def test_an_inserted_row_without_a_number_is_named(copy: Path) -> None:
    columns = ", ".join(BY_NAME["fills"].columns)
    edit(
        copy,
        f"INSERT INTO fills SELECT run, lane, 'new', {columns} FROM fills "
        f"WHERE lane = '{LANE}' AND seq = 6",
    )
    assert place(found(copy)) == ("inserted", "fills", None, LANE)


@pytest.mark.parametrize("skilled", [False, True])
def test_an_inserted_record_is_named(copy: Path, skilled: bool) -> None:
    """With a hash that fits the record before it, or with any."""
    columns = ", ".join(BY_NAME["fills"].columns)
    connection = sqlite3.connect(copy)
    before, at = connection.execute(
        f"SELECT prev_hash, at FROM decisions WHERE lane = '{LANE}' AND seq = 6"
    ).fetchone()
    connection.close()
    digest = forged(copy, 6) if skilled else "f" * 64
    renumber(copy, 6, 1)
    edit(
        copy,
        f"INSERT INTO fills SELECT run, lane, 6, {columns} FROM fills "
        f"WHERE lane = '{LANE}' AND seq = 7",
        f"UPDATE fills SET price = '1.0' WHERE lane = '{LANE}' AND seq = 6",
        f"INSERT INTO decisions SELECT run, lane, 6, 'fills', '{at}', '{before}', '{digest}' "
        f"FROM decisions WHERE lane = '{LANE}' AND seq = 7",
        f"UPDATE lanes SET seq = seq + 1 WHERE lane = '{LANE}'",
    )
    fault, _, seq, lane = place(found(copy))
    assert (fault, seq, lane) == ("inserted", 6, LANE)


def swap(path: Path, tables: tuple[str, ...], one: int, other: int) -> None:
    for table in tables:
        edit(
            path,
            f"UPDATE {table} SET seq = 1000 WHERE lane = '{LANE}' AND seq = {one}",
            f"UPDATE {table} SET seq = {one} WHERE lane = '{LANE}' AND seq = {other}",
            f"UPDATE {table} SET seq = {other} WHERE lane = '{LANE}' AND seq = 1000",
        )


@pytest.mark.parametrize("tables", [("fills",), ("fills", "decisions")])
def test_reordered_records_are_named(copy: Path, tables: tuple[str, ...]) -> None:
    swap(copy, tables, 6, 12)
    assert place(found(copy)) == ("reordered", "fills", 6, LANE)


def test_neighbours_that_changed_places_are_named(copy: Path) -> None:
    connection = sqlite3.connect(copy)
    for table in ("orders", "fills", "decisions"):
        connection.execute(
            f"UPDATE {table} SET seq = 1011 - seq WHERE lane = '{LANE}' AND seq IN (5, 6)"
        )
        connection.execute(f"UPDATE {table} SET seq = seq - 1000 WHERE seq > 1000")
    connection.commit()
    connection.close()
    assert place(found(copy)) == ("reordered", "fills", 5, LANE)


def test_a_record_moved_to_another_lane_is_named(copy: Path) -> None:
    edit(copy, f"UPDATE fills SET lane = 'placebo' WHERE lane = '{LANE}' AND seq = 6")
    assert place(found(copy)) == ("missing", "fills", 6, LANE)


def test_rows_of_a_lane_that_never_was_are_named(copy: Path) -> None:
    edit(copy, "UPDATE cycles SET lane = 'zebra' WHERE lane = 'baseline' AND minute < '2026-01-06'")
    edit(copy, "DELETE FROM lanes WHERE lane = 'baseline'")
    broken = found(copy)
    assert broken is not None
    assert (broken.fault, broken.kind) == ("missing", "lanes")


# Minute rows

FIRST_DAY = f"lane = '{LANE}' AND minute = '2026-01-05T15:00Z' AND symbol = 'QQQ'"
OPEN_DAY = f"lane = '{LANE}' AND minute = '2026-01-07T14:33Z' AND symbol = 'QQQ'"
SESSIONS = [(FIRST_DAY, 11), (OPEN_DAY, None)]


@pytest.mark.parametrize(("row", "seq"), SESSIONS)
@pytest.mark.parametrize(
    "change",
    [
        "close = close + 1e-12 * close",
        "mu = NULL",
        "sigma = 'wide'",
        "z = -z",
        "ready = 1 - ready",
        "ready = 5",
        "side = side * 1.5",
        "htf_trend = 300",
        "state = 'asleep'",
        "state = CASE state WHEN 'idle' THEN 'cooldown' ELSE 'idle' END",
        "side = -side",
        "symbol = 'AAPL'",
        "minute = '2026-01-05T15:00:30Z'",
    ],
)
def test_a_changed_minute_row_is_found_in_its_session(
    copy: Path, row: str, seq: int | None, change: str
) -> None:
    if seq is None:
        change = change.replace("2026-01-05T15:00:30Z", "2026-01-07T14:33:30Z")
    edit(copy, f"UPDATE cycles SET {change} WHERE {row}")
    assert place(found(copy)) == ("changed", "cycles", seq, LANE)


@pytest.mark.parametrize(("row", "seq"), SESSIONS)
def test_a_missing_minute_row_is_found_in_its_session(
    copy: Path, row: str, seq: int | None
) -> None:
    edit(copy, f"DELETE FROM cycles WHERE {row}")
    assert place(found(copy)) == ("missing", "cycles", seq, LANE)


COPIED = "close, mu, sigma, z, ready, htf_trend, state, side FROM cycles WHERE"


@pytest.mark.parametrize(
    ("minute", "seq"),
    [
        ("2026-01-05T18:00Z", 13),
        ("2026-01-01T15:00Z", 11),
        ("2026-01-06T14:40:10Z", 13),
        ("2026-01-09T15:00Z", None),
        ("never", None),
        ("", None),
    ],
)
def test_an_inserted_minute_row_is_found(copy: Path, minute: str, seq: int | None) -> None:
    edit(copy, f"INSERT INTO cycles SELECT run, lane, '{minute}', symbol, {COPIED} {FIRST_DAY}")
    assert place(found(copy)) == ("inserted", "cycles", seq, LANE)


def test_minute_rows_that_changed_places_are_found(copy: Path) -> None:
    minutes = "('2026-01-05T15:00Z', '2026-01-05T15:01Z')"
    where = f"WHERE lane = '{LANE}' AND symbol = 'QQQ'"
    edit(
        copy,
        f"UPDATE cycles SET minute = 'x' || minute {where} AND minute IN {minutes}",
        f"UPDATE cycles SET minute = CASE minute WHEN 'x2026-01-05T15:00Z' "
        f"THEN '2026-01-05T15:01Z' ELSE '2026-01-05T15:00Z' END {where} AND minute LIKE 'x%'",
    )
    assert place(found(copy)) == ("changed", "cycles", 11, LANE)


# What stands above the rows


@pytest.mark.parametrize(
    "change",
    [
        "kind = 'live'",
        "config_hash = 'other'",
        "code_version = '9'",
        """config_json = '{"n": 60}'""",
        "status = 'finished'",
        "seal = 'x'",
    ],
)
def test_a_changed_run_is_named(copy: Path, change: str) -> None:
    edit(copy, f"UPDATE runs SET {change}")
    assert place(found(copy)) == ("changed", "runs", None, None)


def test_a_finished_run_made_to_run_again_is_noticed(copy: Path) -> None:
    with Store.open(copy) as store:
        store.finish_run("run")
    assert found(copy) is None
    edit(copy, "UPDATE runs SET status = 'running'")
    assert place(found(copy)) == ("changed", "runs", None, None)


@pytest.mark.parametrize(
    ("change", "fault", "kind", "seq"),
    [
        ("hash = 'x'", "changed", "decisions", LAST),
        ("seq = seq + 1", "missing", "decisions", LAST + 1),
        ("open_rows = open_rows - 1", "inserted", "cycles", None),
        ("open_digest = 'x'", "changed", "cycles", None),
        ("""symbols = '["QQQ","SPY","NVDA"]'""", "changed", "cycles", 11),
        ("symbols = 'SPY'", "changed", "lanes", None),
    ],
)
def test_a_changed_lane_is_named(
    copy: Path, change: str, fault: str, kind: str, seq: int | None
) -> None:
    edit(copy, f"UPDATE lanes SET {change} WHERE lane = '{LANE}'")
    assert place(found(copy)) == (fault, kind, seq, LANE)


# What a changed ledger does to those who use it


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ("UPDATE fills SET price = 'cheap'", lambda s: s.fills("run", LANE, as_of=ex.ALWAYS)),
        ("UPDATE trades SET setup = 'XX'", lambda s: s.trades("run", LANE, as_of=ex.ALWAYS)),
        (
            "UPDATE market_analysis SET mr_arm = 9",
            lambda s: s.analyses("run", LANE, as_of=ex.ALWAYS),
        ),
        ("UPDATE cycles SET state = 'asleep'", lambda s: s.cycles("run", LANE, as_of=ex.ALWAYS)),
        ("UPDATE lanes SET symbols = 'SPY'", lambda s: s.cycles("run", LANE, as_of=ex.ALWAYS)),
        ("UPDATE runs SET created_at = 'yesterday'", lambda s: s.runs()),
    ],
)
def test_an_unreadable_value_is_a_sentence(
    copy: Path, change: str, read: Callable[[Store], object]
) -> None:
    edit(copy, change)
    with (
        Store.open(copy, read_only=True) as store,
        pytest.raises(BadInput, match=r"ledger\.sqlite was changed by something else: .*verify"),
    ):
        read(store)


@pytest.mark.parametrize(
    "change",
    [
        f"UPDATE decisions SET hash = 'x' WHERE lane = '{LANE}' AND seq = {LAST}",
        f"DELETE FROM decisions WHERE lane = '{LANE}' AND seq = {LAST}",
        f"UPDATE cycles SET z = 9 WHERE {OPEN_DAY}",
        f"DELETE FROM cycles WHERE {OPEN_DAY}",
        f"UPDATE cycles SET state = 'asleep' WHERE {OPEN_DAY}",
    ],
)
def test_nothing_is_added_to_a_lane_that_was_changed(copy: Path, change: str) -> None:
    edit(copy, change)
    with Store.open(copy) as store:
        with pytest.raises(BadInput, match="changed"):
            store.commit_cycle("run", LANE, None, [ex.FILL], None)
        store.commit_cycle("run", "baseline", None, [ex.FILL], None)


def test_a_lane_that_moved_under_the_writer_gets_nothing_more(copy: Path) -> None:
    with Store.open(copy) as store:
        store.commit_cycle("run", LANE, None, [ex.FILL], None)
        edit(copy, f"UPDATE lanes SET seq = seq + 1 WHERE lane = '{LANE}'")
        with pytest.raises(BadInput, match="no longer stands at record 15"):
            store.commit_cycle("run", LANE, None, [ex.FILL], None)
        edit(copy, f"UPDATE lanes SET seq = seq - 1 WHERE lane = '{LANE}'")
        insert_link(copy, 16, "x", "y")
        with pytest.raises(BadInput, match="does not hold what this process wrote last"):
            store.commit_cycle("run", LANE, None, [ex.FILL], None)
