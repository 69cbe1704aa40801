"""A ledger that is locked, a disk that is full: the session goes on, with nothing half done."""

import resource
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from advisor.replay import LEDGER
from tests.advisor.live.theatre import BUSY, Kept, Play, Theatre, agrees, theatre
from tests.stand_ins.alpaca import Fault

pytestmark = pytest.mark.slow


def is_whole(stage: Theatre, minutes: int) -> Kept:
    """Every minute is on record once, and every decision has its order."""
    kept = agrees(stage)
    assert len(kept.cycles.minute) == minutes * 3
    ordered = {row.client_order_id for row in kept.outbox if row.kind == "entry"}
    assert ordered == {order.client_order_id for order in kept.orders}
    assert len([one for one in kept.decisions if one.plan.quantity]) == len(kept.orders)
    return kept


def in_the_next_wait(stage: Theatre, act: Callable[[], None]) -> None:
    """What happens when the session has done what it could and waits."""

    def once() -> None:
        stage.waited_for = lambda: None
        act()

    stage.waited_for = once


@pytest.mark.parametrize("broker", ["answers", "does not answer either"])
def test_a_ledger_that_is_locked_while_an_entry_is_decided_loses_nothing(
    tmp_path: Path, broker: str
) -> None:
    with theatre(tmp_path, BUSY) as stage:

        def lock() -> None:
            (tmp_path / "run").mkdir(exist_ok=True)
            held = sqlite3.connect(tmp_path / "run" / LEDGER, isolation_level=None)
            held.execute("BEGIN IMMEDIATE")

            def unlock() -> None:
                held.execute("ROLLBACK")
                held.close()
                if broker != "answers":
                    stage.rest.down.add("/v2/positions")

            in_the_next_wait(stage, unlock)

        stage.at[4] = lock  # QQQ's signal is in the minute that has just closed
        stage.at[8] = stage.rest.down.clear
        play = Play(stage)
        assert play.run(until=13) == "stopped"
        kept = is_whole(stage, 12)
    assert "is locked by another program" in play.said
    late = [one.plan.blocked_by for one in kept.decisions if one.signal.symbol == "QQQ"]
    # Decided again, in time when only the ledger had failed.
    assert late[0] == ("" if broker == "answers" else "bar_age")


def test_a_disk_that_is_full_for_minutes_loses_nothing(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with theatre(tmp_path, BUSY) as stage:

        def fill() -> None:
            size = (tmp_path / "run" / "bars" / f"{BUSY}.csv").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 30, limits[1]))

        def empty() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

        stage.at[6], stage.at[9] = fill, empty  # QQQ is held, and closed at its target in 8
        play = Play(stage)
        try:
            assert play.run(until=13) == "stopped"
        finally:
            empty()
        kept = is_whole(stage, 12)
    assert "File too large" in play.said
    assert [one.symbol for one in kept.trades][:1] == ["QQQ"]


def test_what_waits_to_be_sent_is_not_sent_when_a_person_has_halted_meanwhile(
    tmp_path: Path,
) -> None:
    with theatre(tmp_path, BUSY) as stage:
        play = Play(stage)

        def asked_to_wait() -> None:
            stage.rest.faults.append(Fault(kind="status", status=429))
            in_the_next_wait(stage, play.stop.set)

        stage.at[4] = asked_to_wait
        assert play.run() == "stopped"
        (waits,) = agrees(stage).outbox
        assert waits.state == "PENDING"
        (tmp_path / "run" / "HALT").touch()
        assert Play(stage).run(until=6) == "stopped"
        kept = agrees(stage)
        assert stage.rest.exchange.tickets == []
    assert [row.state.is_over for row in kept.outbox] == [True]
