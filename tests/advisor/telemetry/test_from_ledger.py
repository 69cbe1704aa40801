"""The ledger's metrics are the record's figures, on both databases, whoever wrote it."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from advisor.results import ReplayResult
from advisor.telemetry.from_ledger import market_is_open, slippage
from quant_core.types import Fill, Order, Status
from tests.advisor.telemetry.scraping import Samples, of_ledger, value
from tests.tools.store import examples
from tools.outbox import OutboxRow, Sending
from tools.store import Store


def test_the_figures_are_those_of_the_replay(session: tuple[Path, ReplayResult]) -> None:
    with Store.open(session[0], read_only=True) as store:
        found = of_ledger(store)
    assert value(found, "advisor_ledger_readable") == 1
    for name, lane in session[1].lanes.items():
        day = lane.days[-1]
        assert value(found, "advisor_equity_usd", lane=name) == pytest.approx(day.end_equity)
        profit = day.end_equity - day.start_equity
        assert value(found, "advisor_daily_pnl_usd", lane=name) == pytest.approx(profit)
        outcomes = Counter(one.plan.blocked_by or "ordered" for one in lane.decisions)
        for outcome, count in outcomes.items():
            got = value(found, "advisor_risk_decisions_total", lane=name, outcome=outcome)
            assert got == count
        setups = {trade.setup.value for trade in lane.trades}
        for setup in setups:
            pnl = sum(trade.pnl for trade in lane.trades if trade.setup == setup)
            kept = value(found, "advisor_trade_pnl_usd", lane=name, setup=setup)
            assert kept == pytest.approx(pnl)
        assert value(found, "advisor_positions", lane=name) == 0
        assert value(found, "advisor_risk_state", lane=name, state="ACTIVE") == 1
    assert value(found, "advisor_analyses_total", lane="advised", status="OK") == 26
    # Entries pay one basis point of slippage, beyond what the next open differs.
    assert abs(value(found, "advisor_slippage_bps", lane="advised")) < 20


LATER = replace(examples.ANALYSIS, as_of=datetime(2026, 1, 8, 15, 0, tzinfo=UTC), confidence=61.5)


def test_both_databases_give_the_same_metrics(tmp_path: Path, postgresql: str) -> None:
    found = []
    for where in (tmp_path / "ledger.sqlite", postgresql):
        with Store.open(where) as store:
            examples.keep_history(store)
            examples.keep_premarket(store, lane="market")
            failed = replace(LATER, status=Status.DEGRADED, degraded_reason="no answer")
            store.commit_cycle("run", "advised", None, [LATER, failed], None)
            waits = OutboxRow.for_entry(examples.ORDER)
            store.keep_outbox("run", "advised", [waits])
            found.append(of_run(store))
            store.discard_run("run")
    assert found[0] == found[1]
    assert value(found[0], "advisor_outbox_orders", lane="advised", state=Sending.PENDING) == 1
    assert value(found[0], "advisor_risk_state", lane="advised", state="HALTED") == 1
    assert sum(n for (name, _), n in found[0].items() if name == "advisor_model_calls_total") == 1
    degraded = value(found[0], "advisor_analyses_total", lane="advised", status="DEGRADED")
    assert degraded == 1
    assert value(found[0], "advisor_degraded_seconds_total", lane="advised") == 15 * 60
    confidence = value(
        found[0], "advisor_model_confidence_percent", lane="advised", opinion="analysis"
    )
    assert confidence == LATER.confidence


def of_run(store: Store) -> Samples:
    """What is said about a ledger, without whether the market is open."""
    return {key: one for key, one in of_ledger(store).items() if key[0] != "advisor_market_open"}


def test_a_ledger_without_a_run_is_readable_and_says_nothing_else(tmp_path: Path) -> None:
    with Store.open(tmp_path / "ledger.sqlite") as store:
        assert of_run(store) == {("advisor_ledger_readable", ()): 1.0}


def test_a_ledger_that_was_damaged_is_said_to_be_unreadable(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    with Store.open(file) as store:
        examples.keep_history(store)
    with Store.open(file, read_only=True) as store:
        file.write_bytes(b"not a database" * 1000)
        Path(f"{file}-wal").unlink(missing_ok=True)
        assert of_run(store) == {("advisor_ledger_readable", ()): 0.0}


AT = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)


def order(side: int, reference: float) -> Order:
    return Order(
        client_order_id="one", symbol="SPY", side=side, quantity=30, reference=reference,
        stop=1.0, target=2.0, decided_at=AT,
    )  # fmt: skip


def fill(side: int, quantity: int, price: float, reason: str = "entry") -> Fill:
    return Fill(
        symbol="SPY", start=AT, side=side, quantity=quantity, price=price, fees=0.0, reason=reason
    )


@pytest.mark.parametrize(
    ("side", "prices", "expected"),
    [
        (1, [(30, 100.1)], 10.0),  # paid a tenth of a per cent more
        (-1, [(30, 100.1)], -10.0),  # sold dearer: better than decided
        (-1, [(10, 99.9), (20, 100.0)], 10.0 / 3),  # parts count by their shares
    ],
)
def test_slippage_is_what_an_entry_cost_beyond_the_price_decided_on(
    side: int, prices: list[tuple[int, float]], expected: float
) -> None:
    fills = [fill(side, quantity, price) for quantity, price in prices]
    fills.append(fill(-side, 30, 50.0, "target"))  # exits are no entries
    assert slippage([order(side, 100.0)], fills) == pytest.approx(expected)


def test_without_an_entry_there_is_no_slippage() -> None:
    assert slippage([order(1, 100.0)], [fill(-1, 30, 50.0, "stop")]) is None
    assert slippage([], [fill(1, 30, 50.0)]) is None


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        (datetime(2026, 7, 6, 13, 30, tzinfo=UTC), True),  # 09:30 in summer
        (datetime(2026, 1, 5, 13, 30, tzinfo=UTC), False),  # 08:30 in winter
        (datetime(2026, 11, 27, 18, 30, tzinfo=UTC), False),  # 13:30 on a half-day
        (datetime(2026, 12, 25, 16, 0, tzinfo=UTC), False),
        (datetime(2026, 1, 5, 21, 0, tzinfo=UTC), False),  # the close itself
    ],
)
def test_the_market_is_open_when_the_exchange_says_so(moment: datetime, is_open: bool) -> None:
    assert market_is_open(moment) is is_open
