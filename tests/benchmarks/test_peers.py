"""The comparison with other engines is of the same strategy: its plain rules trigger as ours do."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from advisor.market import prepare_market
from advisor.replay import replay
from advisor.settings import Settings
from benchmarks.peer_engines.plain import Columns, Rules
from benchmarks.peers import OPTIONS, columns, measured, request
from quant_core.calendar import to_datetime


@pytest.fixture(scope="module")
def asked(market_data):
    return replace(request(market_data), first=date(2024, 10, 1), last=date(2024, 10, 31))


def test_the_plain_rules_trigger_where_the_engine_does(asked, tmp_path):
    settings = Settings()
    market = prepare_market(asked, settings)
    found = replay(asked, OPTIONS, settings, market, None).main
    np.savez(tmp_path / "columns.npz", **columns(market, settings))
    given = Columns(str(tmp_path / "columns.npz"))
    rules, triggers = Rules(given), {}
    entries = [trade.entry_time for trade in found.trades]
    exits = [trade.exit_time for trade in found.trades]
    for i, minute in enumerate(given.minute):
        now = to_datetime(minute)
        closed = sum(moment <= now for moment in exits)
        side = rules.bar(i, sum(moment <= now for moment in entries) > closed, closed)
        if side:
            triggers[now] = (side, *rules.order(i, side, 100_000.0)[1:])
    expected = {
        decision.signal.start: (
            decision.signal.side, decision.signal.stop, decision.signal.target
        )
        for decision in found.decisions
        if decision.plan.quantity > 0
    }  # fmt: skip
    assert len(expected) > 10
    assert list(triggers) == list(expected)
    for moment, trigger in triggers.items():
        assert trigger == pytest.approx(expected[moment], rel=1e-12)


def test_an_engine_that_is_not_there_is_left_out_with_the_reason(tmp_path):
    import sys

    assert "No module named" in measured([sys.executable, "-c", "import no_such_engine"])
    assert "No such file" in measured([str(tmp_path / "python")])
    assert measured([sys.executable, "-c", "print('noise'); print('{\"trades\": 3}')"]) == {
        "trades": 3
    }
