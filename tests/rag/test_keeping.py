"""An index kept beside a growing ledger is the index that a build makes."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from quant_core.types import Decision, LaneDay, Plan, RiskState, Setup, Signal, Trade
from rag.building import build, compare
from rag.keeping import Keeper, last_summaries
from tests.graph.worlds import trade
from tests.rag.worlds import ALWAYS, KINDS, empty_index
from tests.tools.store.examples import start
from tools.ports import LedgerRecord
from tools.store import Store

LANE = "advised"
FRIDAY, MONDAY = date(2025, 1, 10), date(2025, 1, 13)


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """UTC, so 15:00 is ten in the morning in New York."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def signal(when: datetime) -> Decision:
    return Decision(
        signal=Signal(
            symbol="NVDA", start=when, setup=Setup.MEAN_REVERSION, side=1, price=100.0, stop=99.0,
            target=102.0, z=-1.2,
        ),
        verdict=None,
        plan=Plan(quantity=10, blocked_by="", checks=()),
    )  # fmt: skip


def closed(when: datetime, signalled: datetime) -> Trade:
    return trade(when, signal_start=signalled, entry_time=signalled + timedelta(minutes=1))


def over(day: date, trades: int) -> LaneDay:
    return LaneDay(
        date=day, start_equity=100_000.0, end_equity=100_020.0, trades=trades, signals=1,
        risk_state=RiskState.ACTIVE,
    )  # fmt: skip


def session(day: date) -> list[list[LedgerRecord]]:
    """What a day commits, cycle by cycle."""
    return [
        [signal(at(day, 15))],
        [closed(at(day, 16), at(day, 15)), signal(at(day, 16, 30))],
        [over(day, 1)],
    ]


def write(store: Store, cycles: Sequence[Sequence[LedgerRecord]], run: str = "r1") -> None:
    for records in cycles:
        store.commit_cycle(run, LANE, None, list(records), b"{}")


@pytest.mark.parametrize("kind", KINDS)
def test_after_every_cycle_the_index_says_what_the_ledger_says(kind: str, tmp_path: Path) -> None:
    with Store.open(tmp_path / "ledger.sqlite") as store, empty_index(kind, tmp_path) as index:
        start(store, "r1")
        keeper = Keeper(index, store)
        days = [date(2025, 1, 8), FRIDAY, MONDAY, date(2025, 1, 14)]
        for cycle in [cycle for day in days for cycle in session(day)]:
            write(store, [cycle])
            keeper.catch_up(as_of=ALWAYS)
            assert compare(index, store, as_of=ALWAYS).intact
        assert keeper.catch_up(as_of=ALWAYS).unchanged == 0  # nothing moved: nothing is read
        assert last_summaries(index) == {("r1", LANE): days[-1]}


@pytest.mark.parametrize("kind", KINDS)
def test_another_process_goes_on_from_what_is_held(kind: str, tmp_path: Path) -> None:
    with Store.open(tmp_path / "ledger.sqlite") as store, empty_index(kind, tmp_path) as index:
        start(store, "r1")
        for day in (FRIDAY, MONDAY):
            write(store, session(day))
            Keeper(index, store).catch_up(as_of=ALWAYS)
        write(store, session(date(2025, 1, 14)))
        done = Keeper(index, store).catch_up(as_of=ALWAYS)
        assert (done.added, done.changed) == (4, 1)  # the week that is told anew
        assert done.unchanged == 4  # Monday's; Friday's week is over and is not read
        assert compare(index, store, as_of=ALWAYS).intact


def test_a_trade_held_over_a_weekend_finds_its_signal(tmp_path: Path) -> None:
    with (
        Store.open(tmp_path / "ledger.sqlite") as store,
        empty_index("embedded", tmp_path) as index,
    ):
        start(store, "r1")
        write(store, [[signal(at(FRIDAY, 20))], [over(FRIDAY, 0)]])
        Keeper(index, store).catch_up(as_of=ALWAYS)
        write(store, [[closed(at(MONDAY, 15), at(FRIDAY, 20))], [over(MONDAY, 1)]])
        Keeper(index, store).catch_up(as_of=ALWAYS)
        write(store, [[over(date(2025, 1, 14), 0)]])
        Keeper(index, store).catch_up(as_of=ALWAYS)
        assert compare(index, store, as_of=ALWAYS).intact


def test_nothing_is_put_in_before_it_is_true(tmp_path: Path) -> None:
    with (
        Store.open(tmp_path / "ledger.sqlite") as store,
        empty_index("embedded", tmp_path) as index,
    ):
        start(store, "r1")
        write(store, session(FRIDAY))
        keeper = Keeper(index, store)
        keeper.catch_up(as_of=at(FRIDAY, 15, 59))
        assert {name.split("/")[2] for name in index.hashes()} == {"signal"}
        keeper.catch_up(as_of=at(FRIDAY, 16, 2))
        assert {name.split("/")[2] for name in index.hashes()} == {"signal", "trade"}
        keeper.catch_up(as_of=ALWAYS)
        assert compare(index, store, as_of=ALWAYS).intact


def test_a_run_that_began_again_is_told_from_its_beginning(tmp_path: Path) -> None:
    with (
        Store.open(tmp_path / "ledger.sqlite") as store,
        empty_index("embedded", tmp_path) as index,
    ):
        start(store, "r1")
        write(store, [*session(FRIDAY), *session(MONDAY)])
        keeper = Keeper(index, store)
        keeper.catch_up(as_of=ALWAYS)
        store.discard_run("r1")
        start(store, "r1")
        write(store, [[signal(at(FRIDAY, 17))]])
        for one in (keeper, Keeper(index, store)):
            one.catch_up(as_of=ALWAYS)
            assert not compare(index, store, as_of=ALWAYS).missing
        build(index, store, as_of=ALWAYS)  # the night takes out what is said no more
        assert compare(index, store, as_of=ALWAYS).intact


def test_a_build_leaves_what_is_put_in_while_it_reads(tmp_path: Path) -> None:
    with (
        Store.open(tmp_path / "ledger.sqlite") as store,
        empty_index("embedded", tmp_path) as index,
    ):
        start(store, "r1")
        write(store, session(FRIDAY)[:1])

        def meanwhile(_: int) -> None:
            if len(index.hashes()) == 0:
                write(store, session(FRIDAY)[1:])
                Keeper(index, store).catch_up(as_of=ALWAYS)

        build(index, store, as_of=ALWAYS, progress=meanwhile)
        assert compare(index, store, as_of=ALWAYS).intact
