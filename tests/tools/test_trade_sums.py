"""Many trades are added up by session: the figures must be those of the trades themselves."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from graph.sentences import say
from graph.verification import problems
from quant_core.types import ExitReason, LaneDay, RiskState, Setup, Trade
from tools.evidence import Row, remade
from tools.scopes import Scope
from tools.store import Store
from tools.toolbox import Toolbox
from tools.trade_sums import EXTREME, TooManyRecords, Want

FIRST = date(2025, 1, 6)
AFTER = datetime(2025, 2, 1, tzinfo=UTC)
SYMBOLS = ("SPY", "NVDA", "AMD")
_trades = st.lists(
    st.tuples(
        st.integers(0, 5), st.sampled_from(SYMBOLS), st.sampled_from(list(Setup)),
        st.sampled_from([1, -1]), st.sampled_from(list(ExitReason)),
        st.integers(-30_000, 30_000).map(lambda cents: cents / 100), st.integers(1, 90),
    ),
    max_size=25,
)  # fmt: skip


def trade(number: int, drawn: Any) -> Trade:
    day, symbol, setup, side, reason, pnl, quantity = drawn
    opened = datetime(2025, 1, 6 + day, 15, tzinfo=UTC) + timedelta(minutes=number)
    return Trade(
        symbol=symbol, setup=setup, side=side, quantity=quantity, entry_time=opened,
        entry_price=100.0, exit_time=opened + timedelta(minutes=number % 7), exit_price=100.5,
        exit_reason=reason, pnl=pnl, fees=0.1 * (number % 3), stop=100.0 - side, target=102.0,
        signal_start=opened - timedelta(minutes=1),
    )  # fmt: skip


def written(place: Path, drawn: list[Any], closed: int) -> Store:
    """Six sessions of which the first `closed` are over."""
    store = Store.open(place, synchronous="NORMAL")
    store.start_run("r", kind="replay", config_hash="c", code_version="1", config_json="{}")
    ordered = sorted(enumerate(drawn), key=lambda one: (one[1][0], one[0]))
    for day in range(6):
        records: list[Any] = [trade(number, one) for number, one in ordered if one[0] == day]
        if day < closed:
            records.append(
                LaneDay(
                    date=FIRST + timedelta(days=day), start_equity=1.0, end_equity=1.0,
                    trades=len(records), signals=0, risk_state=RiskState.ACTIVE,
                )
            )  # fmt: skip
        store.commit_cycle("r", "advised", None, records, b"{}")
    return store


def same(one: Row, other: Row) -> None:
    for name, fact in other.facts.items():
        found = one.facts.get(name)
        assert found is not None, (name, other.id)
        assert found.unit == fact.unit
        if fact.unit in ("usd", "count", "percent", "number"):
            assert abs(found.number - fact.number) < Decimal("1e-12"), name
        else:
            assert found == fact


@pytest.mark.slow
@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(
    drawn=_trades,
    closed=st.integers(1, 6),
    by=st.sampled_from(["", "day", "symbol", "setup", "side", "exit_reason"]),
    scope=st.builds(
        Scope,
        symbols=st.sampled_from([(), ("SPY",), ("SPY", "AMD")]),
        first=st.sampled_from([None, FIRST + timedelta(days=2)]),
        last=st.sampled_from([None, FIRST + timedelta(days=4)]),
        side=st.sampled_from([0, 1]),
        outcome=st.sampled_from([None, "won", "lost"]),
    ),
)
def test_sums_give_the_figures_of_the_trades(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[Any], closed: int, by: Any, scope: Scope
) -> None:
    place = tmp_path_factory.mktemp("sums") / "ledger.sqlite"
    with written(place, drawn, closed) as store:
        plain = Toolbox(store, "r", AFTER).trades(scope, by)
        summed = Toolbox(store, "r", AFTER, many=-1).trades(scope, by, EXTREME)
        assert {row.id for row in summed.figures} == {row.id for row in plain.figures}
        mine = {row.id: row for row in summed.figures}
        rows = summed.all()
        for row in plain.figures:
            same(mine[row.id], row)
        for row in mine.values():
            for derivation in row.derived:
                assert remade(derivation, rows) == row.number(derivation.name)
        for pick in (max, min):
            heaviest = pick((row.number("pnl") or 0 for row in plain.rows), default=None)
            assert heaviest == pick((row.number("pnl") or 0 for row in summed.rows), default=None)


def test_only_the_records_that_are_wanted_are_read(tmp_path: Path) -> None:
    drawn = [
        (day, "SPY", Setup.MEAN_REVERSION, 1, ExitReason.TARGET, 1.0 + day, 10) for day in range(6)
    ] * 3
    with written(tmp_path / "ledger.sqlite", drawn, 6) as store:
        box = Toolbox(store, "r", AFTER, many=0)
        last = box.trades(Scope(), want=Want("newest", 4))
        assert {row.text("exit_time")[:10] for row in last.rows} == {"2025-01-10", "2025-01-11"}
        assert last.figures[0].number("trades") == 18
        early = Toolbox(store, "r", datetime(2025, 1, 8, tzinfo=UTC), many=0)
        assert early.trades(Scope(), want=Want("oldest", 1)).figures[0].number("trades") == 6


def test_a_changed_sum_is_noticed(tmp_path: Path) -> None:
    drawn = [(0, "SPY", Setup.MEAN_REVERSION, 1, ExitReason.TARGET, 10.0, 5)] * 2
    with written(tmp_path / "ledger.sqlite", drawn, 1) as store:
        found = Toolbox(store, "r", AFTER, many=0).trades(Scope(), want=Want("none"))
    whole, rows = found.figures[0], found.all()
    assert not problems([say("P/L: $20.00.", whole)], rows, SYMBOLS)
    facts = {**whole.facts, "pnl": whole.facts["pnl"]._replace(value="21")}
    rows[whole.id] = Row(id=whole.id, kind=whole.kind, facts=facts, derived=whole.derived)
    assert problems([say("P/L: $21.00.", whole)], rows, SYMBOLS)


def test_more_records_than_can_be_told_are_refused(tmp_path: Path) -> None:
    day = LaneDay(
        date=FIRST, start_equity=1.0, end_equity=1.0, trades=1_001, signals=20_000,
        risk_state=RiskState.ACTIVE,
    )  # fmt: skip
    with Store.open(tmp_path / "ledger.sqlite", synchronous="NORMAL") as store:
        store.start_run("r", kind="replay", config_hash="c", code_version="1", config_json="{}")
        store.commit_cycle("r", "advised", None, [day], b"{}")
        box = Toolbox(store, "r", AFTER)
        with pytest.raises(TooManyRecords, match="20,000 signals"):
            box.signals(Scope())
        with pytest.raises(TooManyRecords, match="name fewer days"):
            box.trades(Scope())
