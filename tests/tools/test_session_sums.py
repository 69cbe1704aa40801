"""Signals and analyses counted by session: the figures must be those of the records themselves."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from quant_core.types import (
    Analysis,
    Decision,
    LaneDay,
    Multipliers,
    Plan,
    RiskState,
    Setup,
    Signal,
    Status,
    Verdict,
)
from tests.tools.test_trade_sums import same
from tools.evidence import Row, remade
from tools.scopes import Scope
from tools.store import Store
from tools.toolbox import Toolbox
from tools.trade_sums import NONE, Want

FIRST = date(2025, 1, 6)
AFTER = datetime(2025, 2, 1, tzinfo=UTC)
NAN = float("nan")
_signals = st.lists(
    st.tuples(
        st.integers(0, 5), st.sampled_from(["SPY", "NVDA", "AMD"]), st.sampled_from(list(Setup)),
        st.sampled_from([1, -1]), st.sampled_from([None, "approve", "reduce", "veto", "abstain"]),
        st.sampled_from(["", "positions", "validation", "cvar_95"]),
    ),
    max_size=25,
)  # fmt: skip
_analyses = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(list(Status)), st.sampled_from([NAN, 40.0, 62.5])),
    max_size=12,
)


def opened(day: int, number: int) -> datetime:
    return datetime(2025, 1, 6 + day, 15, tzinfo=UTC) + timedelta(minutes=number)


def decision(number: int, drawn: Any) -> Decision:
    day, symbol, setup, side, ruling, blocked = drawn
    signal = Signal(
        symbol=symbol, start=opened(day, number), setup=setup, side=side, price=100.0,
        stop=100.0 - side, target=102.0, z=-0.5,
    )  # fmt: skip
    factor = 0.5 if ruling == "reduce" else 1.0
    verdict = ruling and Verdict(
        ruling=ruling, size_factor=factor, reasoning="as drawn", validator="rules"
    )
    plan = Plan(quantity=0 if blocked else 10, blocked_by=blocked, checks=())
    return Decision(signal=signal, verdict=verdict, plan=plan)


def analysis(number: int, drawn: Any) -> Analysis:
    day, status, confidence = drawn
    return Analysis(
        as_of=opened(day, 15 * number), analyst="rules", multipliers=Multipliers(),
        confidence=confidence, assessment="calm", opportunities=(), reasoning="", evidence=(),
        status=status, degraded_reason="late" if status is Status.DEGRADED else "",
    )  # fmt: skip


def written(place: Path, signals: list[Any], analyses: list[Any], closed: int) -> Store:
    """Six sessions of which the first `closed` are over."""
    store = Store.open(place, synchronous="NORMAL")
    store.start_run("r", kind="replay", config_hash="c", code_version="1", config_json="{}")
    for day in range(6):
        records: list[Any] = [analysis(n, one) for n, one in enumerate(analyses) if one[0] == day]
        told = [decision(n, one) for n, one in enumerate(signals) if one[0] == day]
        records += told
        if day < closed:
            records.append(
                LaneDay(
                    date=FIRST + timedelta(days=day), start_equity=1.0, end_equity=1.0, trades=0,
                    signals=len(told), risk_state=RiskState.ACTIVE,
                )
            )  # fmt: skip
        store.commit_cycle("r", "advised", None, records, b"{}")
    return store


def agree(counted: Any, plain: Any) -> None:
    """Every figure over records is among the counted ones, and those come out again."""
    mine = {row.id: row for row in counted.figures}
    assert set(mine) >= {row.id for row in plain.figures}
    for row in plain.figures:
        same(mine[row.id], row)
    rows: dict[str, Row] = counted.all()
    for row in mine.values():
        for derivation in row.derived:
            assert remade(derivation, rows) == row.number(derivation.name)


@pytest.mark.slow
@settings(
    max_examples=40, deadline=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(
    signals=_signals,
    analyses=_analyses,
    closed=st.integers(1, 6),
    by=st.sampled_from(["", "day", "symbol", "setup", "side", "ruling", "blocked_by"]),
    scope=st.builds(
        Scope,
        symbols=st.sampled_from([(), ("SPY",), ("SPY", "AMD")]),
        first=st.sampled_from([None, FIRST + timedelta(days=2)]),
        last=st.sampled_from([None, FIRST + timedelta(days=4)]),
        side=st.sampled_from([0, 1]),
        ruling=st.sampled_from([None, "veto", "approve"]),
        blocked_by=st.sampled_from([None, "positions"]),
    ),
)
def test_counts_give_the_figures_of_the_records(
    tmp_path_factory: pytest.TempPathFactory, signals: list[Any], analyses: list[Any], closed: int,
    by: Any, scope: Scope,
) -> None:  # fmt: skip
    place = tmp_path_factory.mktemp("sums") / "ledger.sqlite"
    with written(place, signals, analyses, closed) as store:
        plain, counting = Toolbox(store, "r", AFTER), Toolbox(store, "r", AFTER, many=-1)
        agree(counting.signals(scope, by, NONE), plain.signals(scope, by))
        agree(counting.skipped(scope, by, NONE), plain.skipped(scope, by))
        agree(counting.analyses(scope, NONE), plain.analyses(scope))
        newest = counting.signals(scope, "", Want("newest", 2)).rows
        assert [row.id for row in newest][-2:] == [row.id for row in plain.signals(scope).rows][-2:]


def test_what_is_asked_of_an_earlier_moment_counts_what_was_known_then(tmp_path: Path) -> None:
    drawn = [(day, "SPY", Setup.MEAN_REVERSION, 1, "veto", "validation") for day in range(6)]
    with written(tmp_path / "ledger.sqlite", drawn, [], 6) as store:
        box = Toolbox(store, "r", datetime(2025, 1, 8, 15, 3, tzinfo=UTC), many=-1)
        found = box.skipped(Scope(), "", NONE).figures[0]
        assert (found.number("skipped"), found.number("vetoed")) == (3, 3)
