"""Orders on their way are kept with the cycle that decided on them, or not at all."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.tools.store import examples as ex
from tools.errors import BadInput
from tools.outbox import OutboxRow, Purpose, Sending
from tools.store import Store

ROW = OutboxRow.for_entry(ex.ORDER)
LEG = replace(
    ROW, client_order_id="leg-1", kind=Purpose.STOP, side=-1, parent=ROW.client_order_id,
    target=float("nan"), state=Sending.ACKNOWLEDGED, broker_id="b-1", reason="held",
    attempts=1, filled=3, value=3 * 140.0001, decided_at=ROW.decided_at + timedelta(seconds=1),
)  # fmt: skip


def test_a_row_is_kept_with_its_cycle_and_moves_in_place(store: Store) -> None:
    ex.start(store)
    store.commit_cycle("run", "advised", None, [ex.DECISION, ex.ORDER], b"s", outbox=[ROW])
    head = store.heads("run")
    assert store.outbox("run", "advised") == [ROW]
    sent = replace(ROW, state=Sending.SENT, attempts=1)
    store.keep_outbox("run", "advised", [sent])
    store.commit_cycle("run", "advised", None, [], None, outbox=[replace(sent, filled=5), LEG])
    kept, leg = store.outbox("run", "advised")
    assert kept == replace(sent, filled=5)
    assert repr(leg) == repr(LEG)  # NaN and all
    assert store.heads("run") == head
    assert store.verify_chain("run").intact
    assert store.outbox("run", "baseline") == []


def test_the_order_of_a_row_is_the_order_that_was_decided() -> None:
    assert ROW.order() == ex.ORDER
    assert (ROW.state, ROW.state.is_over, ROW.state.is_doubtful) == (Sending.PENDING, False, False)
    assert Sending.SENT.is_doubtful
    assert Sending.REJECTED.is_over


def test_a_cycle_that_fails_leaves_no_order(store: Store) -> None:
    ex.start(store)
    store.commit_cycle("run", "advised", None, [], b"s")
    with pytest.raises(BadInput):
        store.commit_cycle("run", "advised", None, [object()], None, outbox=[ROW])  # type: ignore[list-item]
    assert store.outbox("run", "advised") == []


def test_an_id_belongs_to_one_run(store: Store) -> None:
    ex.start(store)
    store.commit_cycle("run", "advised", None, [], b"s", outbox=[ROW])
    store.start_run("other", kind="paper", config_hash="c", code_version="v", config_json="{}")
    with pytest.raises(BadInput, match="does not hold what this process wrote"):
        store.commit_cycle("other", "advised", None, [], b"s", outbox=[ROW])
    assert store.outbox("run", "advised") == [ROW]
    store.discard_run("run")
    store.commit_cycle("other", "advised", None, [], b"s", outbox=[ROW])
    assert store.outbox("other", "advised") == [ROW]
