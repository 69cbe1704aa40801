"""What is old and large goes, into an archive; the chain stays as it was and says what is gone."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.tools.store import examples as ex
from tools.errors import BadInput, BookMismatch
from tools.store import Store
from tools.store.archive import digest_of, read_calls, read_minutes
from tools.store.columns import Verbatim
from tools.store.dialect import engine_at
from tools.store.retention import due, prune

LATER = ex.ALWAYS
AT = datetime(2027, 1, 1, tzinfo=UTC)
ANSWERED = dataclasses.replace(ex.CALL, as_of=ex.OPEN)


def finished(store: Store, run_id: str = "run") -> None:
    ex.keep_history(store, run_id, ("advised", "baseline"))
    ex.keep_premarket(store, run_id, "market")
    store.commit_cycle(run_id, "market", None, [ANSWERED], None)
    store.finish_run(run_id)


def pruned_all(store: Store, archive: Path | None) -> None:
    prune(store, due(store, minutes_before=LATER, texts_before=LATER), archive, at=AT)


def test_old_minutes_and_texts_go_and_the_chain_is_as_it_was(store: Store, tmp_path: Path) -> None:
    finished(store)
    before, heads = store.verify_chain("run"), store.heads("run")
    lots = due(store, minutes_before=LATER, texts_before=LATER)
    assert [(lot.lane, lot.minute_rows, len(lot.calls)) for lot in lots] == [
        ("advised", 330, 0),
        ("baseline", 330, 0),
        ("market", 0, 2),
    ]
    prune(store, lots, tmp_path / "archive", at=AT)
    after = store.verify_chain("run")
    assert after.intact, after.broken
    assert after.heads == before.heads == heads == store.heads("run")
    assert (after.records, after.cycle_rows) == (before.records, before.cycle_rows - 660)
    assert (after.pruned_rows, after.pruned_texts) == (660, 2)
    assert due(store, minutes_before=LATER, texts_before=LATER) == []
    for reader in ex.READERS:
        if reader != "llm_calls":
            lane = "market" if reader in ("news", "daily_biases") else "advised"
            getattr(store, reader)("run", lane, as_of=ex.ALWAYS)


def test_what_is_left_of_a_call_says_what_it_cost(store: Store) -> None:
    finished(store)
    pruned_all(store, None)
    for kept, given in zip(
        store.llm_calls("run", "market", as_of=ex.ALWAYS), [ex.CALL, ANSWERED], strict=True
    ):
        assert kept.call.prompt.text == "removed by retention on 2027-01-01"
        assert kept.call.attempts[0].response == "removed by retention on 2027-01-01"
        assert (kept.as_of, kept.call.key) == (given.as_of, given.call.key)
        assert kept.call.cost_usd == given.call.cost_usd
        assert kept.call.tokens_out == given.call.tokens_out


def test_an_archive_holds_what_went_and_fits_the_chain(store: Store, tmp_path: Path) -> None:
    finished(store)
    rows = store.cycles("run", "advised", as_of=ex.ALWAYS)
    sealed = {lot.lane: lot for lot in due(store, minutes_before=LATER, texts_before=LATER)}
    pruned_all(store, tmp_path)
    (minutes,) = (tmp_path / "run" / "advised").glob("minutes-*.parquet")
    found = read_minutes(minutes)
    assert {seq: digest_of(one) for seq, one in found.items()} == {
        one.seq: one.digest for one in sealed["advised"].sessions
    }
    assert ex.same_rows(next(iter(found.values())), ex.part(rows, 0, 240))
    (calls,) = (tmp_path / "run" / "market").glob("calls-*.jsonl")
    assert [Verbatim().read(text) for text in read_calls(calls).values()] == [
        ex.CALL.call,
        ANSWERED.call,
    ]


def test_only_what_nothing_goes_on_from_is_due(store: Store) -> None:
    ex.keep_history(store, "interrupted")
    store.start_run("live", kind="live", config_hash="c", code_version="1", config_json="{}")
    store.commit_cycle("live", "advised", ex.minutes(ex.OPEN, 5), [ex.DAY], None)
    tomorrow = ex.minutes(ex.OPEN + timedelta(days=1), 5)
    store.commit_cycle("live", "advised", tomorrow, [ex.FILL], b"state")
    (lot,) = due(store, minutes_before=LATER, texts_before=LATER)
    assert (lot.run_id, lot.minute_rows) == ("live", 15)
    pruned_all(store, None)
    assert ex.same_rows(store.cycles("live", "advised", as_of=ex.ALWAYS), tomorrow)


def test_a_live_run_goes_on_after_its_old_sessions_went(where: str) -> None:
    with Store.open(where) as store:
        store.start_run("live", kind="live", config_hash="c", code_version="1", config_json="{}")
        store.commit_cycle("live", "advised", ex.minutes(ex.OPEN, 5), [ex.DAY], b"one")
        pruned_all(store, None)
    with Store.open(where) as store:
        rows = ex.minutes(ex.OPEN + timedelta(days=1), 5)
        store.commit_cycle("live", "advised", rows, [ex.next_day(ex.DAY)], b"two")
        report = store.verify_chain("live")
        assert (report.intact, report.cycle_rows, report.pruned_rows) == (True, 15, 15)


def test_a_replay_made_lately_of_old_bars_is_not_old(store: Store) -> None:
    finished(store)
    assert due(store, minutes_before=ex.OPEN + timedelta(days=60), texts_before=ex.ALWAYS)[0].calls
    assert due(store, minutes_before=ex.OPEN + timedelta(days=60), texts_before=None) == []
    assert due(store, minutes_before=None, texts_before=None) == []


CHANGES = {
    "a pruned call costs less": ("llm_calls", "UPDATE llm_calls SET tokens_in = 1"),
    "a pruned session has a row again": (
        "cycles",
        "INSERT INTO cycles SELECT run, lane, '2026-01-05T14:31:00Z', symbol, close, mu, sigma, z, "
        "ready, htf_trend, state, side FROM cycles WHERE lane = 'advised' AND symbol = 'SPY' "
        "AND minute = '2026-01-07T14:31Z'",
    ),
    "a marker says less": ("cycles", "UPDATE pruned SET rows = 1 WHERE lane = 'advised'"),
    "a marker is gone": ("cycles", "DELETE FROM pruned WHERE lane = 'advised'"),
    "a marker of a call is gone": ("llm_calls", "DELETE FROM pruned WHERE kind = 'llm_calls'"),
    "a marker too many": (
        "pruned",
        "INSERT INTO pruned SELECT run, lane, 1, kind, rows, digest, archive, at FROM pruned "
        "WHERE lane = 'advised' AND seq = (SELECT min(seq) FROM pruned WHERE lane = 'advised')",
    ),
}


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_what_is_changed_after_retention_is_named(store: Store, where: str, change: str) -> None:
    finished(store)
    pruned_all(store, None)
    table, statement = CHANGES[change]
    behind(where, statement)
    broken = store.verify_chain("run").broken
    assert broken is not None
    assert broken.kind == table


def behind(where: str, statement: str) -> None:
    engine = engine_at(where, "FULL")
    with engine.begin() as connection:
        assert connection.exec_driver_sql(statement).rowcount > 0
    engine.dispose()


def test_a_run_that_was_changed_is_left_alone(store: Store, where: str, tmp_path: Path) -> None:
    finished(store)
    behind(where, "UPDATE cycles SET z = 9 WHERE lane = 'baseline'")
    count = len(store.cycles("run", "advised", as_of=ex.ALWAYS))
    with pytest.raises(BookMismatch, match="nothing of it is taken out"):
        pruned_all(store, tmp_path)
    assert len(store.cycles("run", "advised", as_of=ex.ALWAYS)) == count
    assert not list(tmp_path.rglob("*.parquet"))


def test_an_archive_that_cannot_be_written_costs_nothing(store: Store, tmp_path: Path) -> None:
    finished(store)
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="nothing was deleted"):
        pruned_all(store, tmp_path / "file")
    report: Any = store.verify_chain("run")
    assert (report.intact, report.pruned_rows) == (True, 0)
