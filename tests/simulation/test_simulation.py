"""Whatever dies and whenever: no order twice, no position without a stop, ledger as the broker."""

from collections import defaultdict
from datetime import date
from functools import lru_cache
from pathlib import Path

import pytest

from advisor.cycle import dependencies
from advisor.lanes import Lane, TradingDay
from advisor.session import run_day, trading_day
from quant_core.desk import Desk
from quant_core.events import EventLog
from tests.advisor.worlds import SETTINGS, market
from tests.simulation.fate import Fate
from tests.simulation.world import LANE, RUN, World

DAY = date(2025, 3, 12)


@lru_cache(maxsize=1)
def day() -> TradingDay:
    made = market(DAY, DAY)
    return trading_day(made, made.sessions[0], SETTINGS)


def holds(world: World, row: int) -> None:
    """What must be true when a minute is over and every answer has come."""
    at = f"seed {world.fate.seed}, row {row}"
    lane, exchange = world.lane, world.exchange
    filled: dict[str, int] = defaultdict(int)
    for fill in world.fills():
        filled[fill.symbol] += fill.side * fill.quantity
    for s, symbol in enumerate(world.symbols):
        slot = lane.desk.slots[s]
        held = exchange.positions.get(symbol, (0.0, 0.0))[0]
        assert int(slot["side"]) * int(slot["quantity"]) == held, f"{at}: desk and {symbol}"
        assert filled[symbol] == held, f"{at}: fills on record and {symbol}"
        closing = [
            one
            for one in exchange.everything()
            if one.symbol == symbol
            and one.status in ("new", "partially_filled")
            and (one.type == "stop" or "-exit-" in one.client_order_id)
        ]
        cover = sum(one.sign * (one.qty - one.filled) for one in closing)
        assert cover == -held, f"{at}: {symbol} holds {held:g}, covered by {cover:g}"
        assert abs(held) * exchange.prices.get(symbol, 0.0) <= 11_000, f"{at}: {symbol} too large"
    entries = [one.client_order_id for one in exchange.tickets if one.order_class == "bracket"]
    decided = {order.client_order_id for order in world.orders()}
    assert len(entries) == len(set(entries)), f"{at}: an entry twice"
    assert set(entries) <= decided, f"{at}: an entry that was not decided"
    assert len(exchange.positions) <= 3, f"{at}: too many positions"


def is_over(world: World) -> None:
    """What must be true after the session."""
    assert world.exchange.positions == {}
    assert [one for one in world.exchange.everything() if one.status in ("new", "held")] == []
    assert world.store is not None
    assert world.store.verify_chain(RUN).intact
    made = sum(trade.pnl for trade in world.trades())
    assert made == pytest.approx(world.exchange.cash - SETTINGS.account.start_equity, abs=0.01)


def test_a_session_at_a_broker_makes_the_trades_of_its_replay(tmp_path: Path) -> None:
    world = World(tmp_path, day(), SETTINGS, Fate(0))
    world.broker.ticks = False
    is_over(world.play(holds))
    count = len(world.symbols)
    lane = Lane(
        name=LANE,
        desk=Desk.new(count, SETTINGS.account.start_equity),
        log=EventLog.with_room_for(count),
    )
    run_day([lane], day(), dependencies(RUN, SETTINGS, None), lambda *_: None)
    replayed, traded = lane.result().trades, world.trades()
    assert len(traded) >= 2
    same = ("symbol", "setup", "side", "quantity", "entry_time", "exit_time", "exit_reason")
    for one, other in zip(replayed, traded, strict=True):
        assert [getattr(one, name) for name in same] == [getattr(other, name) for name in same]
        assert other.entry_price == pytest.approx(one.entry_price, rel=1e-8)
        assert other.exit_price == pytest.approx(one.exit_price, rel=1e-8)
    assert world.alerts == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_or_doubled_whatever_fails(tmp_path: Path, seed: int) -> None:
    world = World(tmp_path, day(), SETTINGS, Fate(seed, 0.15), partial=0.3).play(holds)
    is_over(world)
    assert sum(world.fate.met.values()) > 20
