"""Whatever dies and whenever: no order twice, no position without a stop, ledger as the broker."""

from collections import defaultdict
from datetime import date
from functools import lru_cache
from pathlib import Path

import pytest

from advisor.bootstrap import EVER
from advisor.lanes import TradingDay
from advisor.replay import MARKET_LANE
from advisor.session import trading_day
from quant_core.bars import BarSeries
from quant_core.calendar import Calendar, Session
from quant_core.grid import session_clock
from quant_core.types import ChartAlert
from tests.advisor.live.test_alerts import alert
from tests.advisor.worlds import SETTINGS, market
from tests.simulation.fate import Fate
from tests.simulation.world import RUN, World

# Days on which much is traded in the first hour.
DAYS = (date(2025, 11, 28), date(2025, 3, 10))
MINUTES = 60  # flat from 45 on, as on a half-day
HISTORY = 1200  # minutes: what bands and averages look back to
SEEDS, PART = 300, 10  # how many sessions CI plays, and how many in one test
RATES = (0.05, 0.1, 0.15, 0.25)


@lru_cache(maxsize=2)
def day(which: date) -> tuple[TradingDay, tuple[Calendar, tuple[BarSeries, ...]]]:
    """A session that closes early, and what was known before it."""
    made = market(which, which)
    whole = made.sessions[0]
    short = Session(whole.date, whole.open, whole.open + MINUTES)
    found = trading_day(made, whole, SETTINGS)
    clock = session_clock(short, SETTINGS.stdev)
    clock["entry_until"] = clock["flat_from"]  # as on every day of the exchange: entries end first
    earlier = tuple(
        bars.part(slice(0, int((bars.start < whole.open).sum()))).part(slice(-HISTORY, None))
        for bars in made.minutes
    )
    return TradingDay(session=short, grid=found.grid, snapshots=found.snapshots, clock=clock), (
        made.calendar,
        earlier,
    )


def session(seed: int, folder: Path) -> Fate:
    """One session; what it met with. AssertionError says how to play it again."""
    folder.mkdir(exist_ok=True)
    fate = Fate(seed, RATES[seed % len(RATES)])
    world = World(folder, *day(DAYS[seed % len(DAYS)]), SETTINGS, fate, partial=0.3)
    try:
        is_over(world.play(holds))
    except AssertionError as error:
        again = f"again: python -m tests.simulation {seed} 1"
        raise AssertionError(f"seed {seed}: {error}\n{again}") from error
    finally:
        world.close()
    return fate


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
    for first, until in world.halts:
        for asked, name in world.broker.entries:
            assert not first <= asked < until, f"{at}: {name} was sent while HALT stood"


def is_over(world: World) -> None:
    """What must be true after the session."""
    assert world.exchange.positions == {}
    assert [one for one in world.exchange.everything() if one.status in ("new", "held")] == []
    assert world.store is not None
    assert world.store.verify_chain(RUN).intact
    made = sum(trade.pnl for trade in world.trades())
    assert made == pytest.approx(world.exchange.cash - SETTINGS.account.start_equity, abs=0.01)


def test_a_calm_session_trades_and_alarms_nobody(tmp_path: Path) -> None:
    world = World(tmp_path, *day(DAYS[0]), SETTINGS, Fate(0))
    is_over(world.play(holds))
    assert len(world.trades()) == 2
    assert {alert.kind for alert in world.alerts} == {"trade", "summary"}
    assert world.processes == 1
    world.close()


@pytest.mark.parametrize("seed", range(2))
def test_an_alert_of_a_chart_is_on_record_once_whatever_fails(tmp_path: Path, seed: int) -> None:
    world = World(tmp_path, *day(DAYS[0]), SETTINGS, Fate(seed, 0.15))
    told: list[ChartAlert] = []

    def tells(row: int) -> None:
        if row % 3 == 0:
            told.append(alert(world.now, f"{row:032d}"))
        for one in told[-2:]:  # the last but one again
            world.charts.put(one)

    world.at_its_end = tells
    is_over(world.play(holds))
    assert world.store is not None
    kept = world.store.chart_alerts(RUN, MARKET_LANE, as_of=EVER)
    waiting = {one.id for one in world.charts.take()}
    world.close()
    assert len({one.id for one in kept}) == len(kept)
    assert {one.id for one in kept} | waiting == {one.id for one in told}
    assert len(kept) >= len(told) - 2
    assert world.processes > 2


def test_a_seed_is_a_session(tmp_path: Path) -> None:
    one, other = (session(2, tmp_path / name) for name in ("one", "other"))
    assert one.met == other.met
    assert sum(one.met.values()) > 20


@pytest.mark.slow
@pytest.mark.parametrize("part", range(SEEDS // PART))
def test_nothing_is_lost_or_doubled_whatever_fails(tmp_path: Path, part: int) -> None:
    met = 0
    for seed in range(part * PART, (part + 1) * PART):
        met += sum(session(seed, tmp_path / str(seed)).met.values())
    assert met > 20 * PART
