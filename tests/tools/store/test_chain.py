"""How the chain is made, derived again here from the file alone, without the ledger's code."""

import hashlib
import json
import math
import sqlite3
import struct
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_core.cycles import STATES, CycleRows
from tests.tools.store import examples as ex
from tools.store import Store
from tools.store.chain import Lane, grown
from tools.store.codec import LANE_DAYS

KEY = ("run", "lane", "seq")
# Columns of later schemas, hashed only where they have a value.
LATER = {("applies_from", None)}


def rows_of(path: Path, query: str) -> list[dict[str, object]]:
    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        found = [dict(row) for row in connection.execute(query)]
    connection.close()
    return found


def test_each_hash_is_over_the_one_before_and_the_row(path: Path) -> None:
    with Store.open(path) as store:
        ex.keep_history(store)
        heads = store.heads("run")
    before = hashlib.sha256(b"advisor ledger 1 advised").hexdigest()
    for step in rows_of(path, "SELECT * FROM decisions ORDER BY seq"):
        (row,) = rows_of(path, f"SELECT * FROM {step['kind']} WHERE seq = {step['seq']}")
        content = {
            "kind": step["kind"],
            "at": step["at"],
            "row": {
                name: value
                for name, value in row.items()
                if name not in KEY and (name, value) not in LATER
            },
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert step["prev_hash"] == before
        before = hashlib.sha256(before.encode() + text.encode()).hexdigest()
        assert step["hash"] == before
    assert heads == {"advised": before}


def test_a_history_has_the_head_that_it_always_had(path: Path) -> None:
    """A change here means that old ledgers no longer verify; a new pin does not mend that."""
    with Store.open(path) as store:
        ex.keep_history(store)
        assert store.heads("run") == {
            "advised": "e3586ee144556907e844bd6bf5f9a630ec687913c8b339f9e0b1e4470e00ac92"
        }


def test_from_when_a_late_analysis_applied_is_part_of_its_hash(path: Path) -> None:
    late = replace(ex.ANALYSIS, applies_from=ex.ANALYSIS.as_of + timedelta(minutes=7))
    with Store.open(path) as store:
        ex.start(store)
        store.commit_cycle("run", "advised", None, [late], None)
        assert store.analyses("run", "advised", as_of=ex.ALWAYS) == [late]
        assert store.analyses("run", "advised", as_of=late.as_of + timedelta(minutes=6)) == []
        assert store.verify_chain("run").intact
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE market_analysis SET applies_from = NULL")
    with Store.open(path, read_only=True) as store:
        broken = store.verify_chain("run").broken
    assert broken is not None
    assert (broken.kind, broken.seq, broken.fault) == ("market_analysis", 1, "changed")


def test_a_sessions_digest_is_over_its_watchlist_and_packed_rows(path: Path) -> None:
    rows = ex.minutes(ex.OPEN, 3)
    with Store.open(path) as store:
        ex.start(store)
        store.commit_cycle("run", "advised", rows, [ex.DAY], None)
    packed = b"".join(
        struct.pack(
            "<qhddddBbbb",
            rows.minute[i],
            rows.symbol[i],
            *(getattr(rows, name)[i] for name in ("close", "mean", "deviation", "z")),
            int(rows.ready[i]),
            rows.htf_trend[i],
            rows.state[i],
            rows.side[i],
        )
        for i in range(len(rows))
    )
    (day,) = rows_of(path, "SELECT * FROM lane_days")
    assert day["cycle_digest"] == hashlib.sha256(b'["SPY","QQQ","NVDA"]' + packed).hexdigest()
    assert (day["cycle_rows"], day["cycles_through"]) == (9, "2026-01-05T14:32Z")


@settings(deadline=None)
@given(cuts=st.sets(st.integers(1, 59), max_size=12))
def test_a_digest_does_not_depend_on_the_batches(cuts: set[int]) -> None:
    rows = ex.minutes(ex.OPEN, 20)
    lane = Lane.new(1, "advised")
    at_once = grown(lane, rows, [ex.DAY]).after
    for first, last in zip([0, *sorted(cuts)], [*sorted(cuts), len(rows)], strict=True):
        lane = grown(lane, ex.part(rows, first, last), []).after
    assert grown(lane, None, [ex.DAY]).after.hash == at_once.hash


@pytest.mark.parametrize("name", CycleRows.__slots__)
def test_a_digest_depends_on_every_column(name: str) -> None:
    rows = ex.part(ex.minutes(ex.OPEN, 2), 0, 5)
    columns = {one: getattr(rows, one) for one in CycleRows.__slots__}
    if name == "symbols":
        columns[name] = ("SPY", "QQQ", "AAPL")
    else:
        columns[name] = columns[name].copy()
        columns[name][-1] = not columns[name][-1] if name == "ready" else columns[name][-1] + 1
    assert digest_of(rows) != digest_of(CycleRows(**columns))


def digest_of(rows: CycleRows) -> str:
    growth = grown(Lane.new(1, "advised"), rows, [ex.DAY])
    ((*_, digest),) = growth.records[LANE_DAYS.table]
    return str(digest)


def test_one_nan_and_one_zero(path: Path) -> None:
    """The sign of a NaN or of zero is no reading: it does not come back, so it is not hashed."""
    rows = ex.minutes(ex.OPEN, 1)
    odd = np.frombuffer(struct.pack("<3Q", 0xFFF8000000000001, 0x8000000000000000, 0x7FF8 << 48))
    plain = np.array([math.nan, 0.0, math.nan])
    columns = {name: getattr(rows, name) for name in CycleRows.__slots__}
    assert digest_of(CycleRows(**columns | {"z": odd})) == digest_of(
        CycleRows(**columns | {"z": plain})
    )


def test_a_person_can_read_the_file(path: Path) -> None:
    with Store.open(path) as store:
        ex.start(store)
        store.commit_cycle(
            "run", "advised", ex.minutes(ex.OPEN, 1), [ex.FILL, ex.TRADE, ex.DAY], b"state"
        )
    (fill,) = rows_of(path, "SELECT start, price, typeof(price) AS kind FROM fills")
    assert fill == {"start": "2026-01-05T14:51:00.000000Z", "price": "186.948693", "kind": "text"}
    assert Decimal(str(fill["price"])) == Decimal(repr(ex.FILL.price))
    (trade,) = rows_of(path, "SELECT setup, exit_reason FROM trades")
    assert trade == {"setup": "MR", "exit_reason": "target"}
    cycle = rows_of(path, "SELECT * FROM cycles WHERE symbol = 'NVDA'")[0]
    assert cycle["minute"] == "2026-01-05T14:30Z"
    assert cycle["state"] in list(STATES)
    (run,) = rows_of(path, "SELECT r.config_hash FROM cycles c JOIN runs r ON r.id = c.run LIMIT 1")
    assert run == {"config_hash": "c0ffee"}
