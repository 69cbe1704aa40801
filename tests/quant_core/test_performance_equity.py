"""The account by minute: hand-worked histories, its laws, and the engine's own books."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from quant_core.calendar import Session, to_datetime, to_minute
from quant_core.cycles import CycleRows
from quant_core.desk import Desk
from quant_core.engine import DONE, advance, open_session
from quant_core.equity import drawdown, equity_curve, gross_exposure
from quant_core.events import EventLog, read
from quant_core.grid import Grid, session_clock
from quant_core.parameters import FillRules, RiskLimits, StdevParameters, pack
from quant_core.types import Fill, Trade

SYMBOLS = ("SPY", "QQQ", "IWM")
MINUTE = 28_000_000


def rows_of(*rows):
    """(minutes after the start, symbol, close) each, in order of minute."""
    count = len(rows)
    nothing = np.full(count, np.nan)
    return CycleRows(
        symbols=SYMBOLS,
        minute=np.array([MINUTE + after for after, _, _ in rows], np.int64),
        symbol=np.array([SYMBOLS.index(symbol) for _, symbol, _ in rows], np.int16),
        close=np.array([close for _, _, close in rows], np.float64),
        mean=nothing,
        deviation=nothing,
        z=nothing,
        ready=np.zeros(count, np.bool_),
        htf_trend=np.zeros(count, np.int8),
        state=np.zeros(count, np.int8),
        side=np.zeros(count, np.int8),
    )


def fill(after, symbol, side, quantity, price, fees=0.0):
    return Fill(
        symbol=symbol,
        start=to_datetime(MINUTE + after),
        side=side,
        quantity=quantity,
        price=price,
        fees=fees,
        reason="entry",
    )


def curve(fills, *rows, start=1000.0):
    minutes, equity = equity_curve(start, fills, rows_of(*rows))
    return dict(zip((minutes - MINUTE).tolist(), equity.tolist(), strict=True))


# Degenerate rows first.


def test_without_rows_there_is_no_curve():
    minutes, equity = equity_curve(1000.0, [], rows_of())
    assert (len(minutes), len(equity), len(gross_exposure([], rows_of()))) == (0, 0, 0)


@pytest.mark.parametrize(
    ("rows", "after", "symbol"),
    [
        ([], 0, "SPY"),
        ([(0, "SPY", 10.0)], 0, "TSLA"),
        ([(0, "SPY", 10.0), (1, "QQQ", 20.0)], 0, "QQQ"),
        ([(0, "SPY", 10.0)], 5, "IWM"),
    ],
)
def test_a_fill_that_no_close_can_value_is_an_error(rows, after, symbol):
    with pytest.raises(ValueError, match=f"fill of 3 {symbol} .* cannot be valued"):
        equity_curve(1000.0, [fill(after, symbol, 1, 3, 10.0)], rows_of(*rows))


@given(
    st.floats(1.0, 1e9),
    st.lists(st.tuples(st.integers(0, 9), st.floats(1.0, 1e4)), min_size=1, max_size=30),
)
def test_without_fills_equity_stays_exactly_what_it_was(start, closes):
    rows = [(minute, "SPY", close) for minute, close in dict(closes).items()]
    assert set(curve([], *sorted(rows), start=start).values()) == {start}


# Hand-worked.


def test_a_long_and_a_short_in_turn():
    """Bought 10 at 100 for a fee of 1; sold 4 at 103; sold 6 at 99; then 5 short from 98 to 96."""
    fills = [
        fill(1, "SPY", 1, 10, 100.0, 1.0),
        fill(2, "SPY", -1, 4, 103.0, 0.5),
        fill(3, "SPY", -1, 6, 99.0, 0.5),
        fill(4, "SPY", -1, 5, 98.0),
        fill(5, "SPY", 1, 5, 96.0),
    ]
    closes = [(i, "SPY", close) for i, close in enumerate([100.0, 101.0, 102.0, 98.0, 97.0, 90.0])]
    assert curve(fills, *closes) == {
        0: 1000.0,
        1: 1000.0 - 1.0 + 10 * 1.0,
        2: 1000.0 - 1.5 + 4 * 3.0 + 6 * 2.0,
        3: 1000.0 - 2.0 + 4 * 3.0 - 6 * 1.0,
        4: 1004.0 + 5 * 1.0,
        5: 1004.0 + 5 * 2.0,
    }
    expected = [0.0, 1010.0, 612.0, 0.0, 485.0, 0.0]
    assert gross_exposure(fills, rows_of(*closes)).tolist() == expected


def test_a_symbol_keeps_its_last_close_through_missing_minutes_and_a_night():
    rows = [
        (0, "SPY", 100.0),
        (0, "QQQ", 50.0),
        (1, "QQQ", 60.0),
        (4, "QQQ", 60.0),
        (1441, "QQQ", 70.0),
        (1442, "SPY", 80.0),
    ]
    found = curve([fill(0, "SPY", 1, 2, 90.0), fill(4, "QQQ", -1, 1, 61.0)], *rows)
    assert found == {0: 1020.0, 1: 1020.0, 4: 1021.0, 1441: 1011.0, 1442: 971.0}


def test_a_fill_counts_from_the_next_row_and_after_the_last_row_in_the_last():
    rows = [(0, "SPY", 10.0), (3, "SPY", 12.0), (4, "SPY", 11.0)]
    found = curve([fill(1, "SPY", 1, 1, 9.0), fill(7, "SPY", -1, 1, 20.0)], *rows)
    assert found == {0: 1000.0, 3: 1003.0, 4: 1011.0}


def test_a_position_closed_on_its_last_bar_is_gone_from_that_bar_on():
    """IWM has no late bar: the exchange closes it at its last close, less slippage (R41)."""
    rows = [(0, "IWM", 10.0), (1, "IWM", 11.0), (1, "SPY", 5.0), (2, "SPY", 6.0)]
    fills = [fill(1, "IWM", 1, 10, 10.5), fill(1, "IWM", -1, 10, 10.9)]
    assert curve(fills, *rows) == {0: 1000.0, 1: pytest.approx(1004.0), 2: pytest.approx(1004.0)}


@pytest.mark.parametrize(
    ("equity", "expected"),
    [
        ([], (math.nan, math.nan)),
        ([5.0], (0.0, 0.0)),
        ([5.0, 5.0, 6.0, 6.0], (0.0, 0.0)),
        ([10.0, 9.0], (-0.1, 1)),
        ([10.0, 10.0, 9.0, 8.0, 9.0, 10.0, 7.0], (-0.3, 1)),
        ([10.0, 10.0, 9.0, 7.0, 9.0, 10.0, 8.0, 9.0, 9.0, 9.0, 9.0], (-0.3, 4)),
        ([10.0, 8.0, 20.0, 17.0, 16.0, 19.0, 19.0], (-0.2, 2)),
        ([10.0, 20.0, 17.0, 15.0, 19.0, 19.0], (-0.25, 4)),
        ([10.0, 5.0, math.nan], (math.nan, math.nan)),
    ],
)
def test_drawdown_and_its_duration_by_hand(equity, expected):
    assert drawdown(np.array(equity)) == pytest.approx(expected, nan_ok=True)


# Laws.


@given(arrays(np.float64, st.integers(1, 50), elements=st.floats(1.0, 1e6)))
def test_a_drawdown_is_a_fall_that_some_pair_of_steps_shows(equity):
    fall, steps = drawdown(equity)
    pairs = [b / a - 1.0 for i, a in enumerate(equity) for b in equity[i:]]
    assert fall == min(pairs) <= 0.0
    assert (steps > 0) == (fall < 0.0)
    assert steps <= len(equity) - 1


# Against the engine: what it marks minute by minute, and what its trades add up to.


def random_day(seed, minutes=390):
    """A grid whose z wanders across the thresholds, with missing minutes and thin bars."""
    draw = np.random.Generator(np.random.PCG64(seed))
    shape = (minutes, len(SYMBOLS))
    close = 100.0 * np.exp(np.cumsum(draw.normal(0.0, 8e-4, shape), axis=0))
    open_ = close * (1.0 + draw.normal(0.0, 3e-4, shape))
    z = np.zeros(shape)
    for i in range(1, minutes):
        z[i] = 0.9 * z[i - 1] + draw.normal(0.0, 0.7, len(SYMBOLS))
    return Grid(
        present=draw.random(shape) < 0.85,
        open=open_,
        high=np.maximum(open_, close) * 1.0005,
        low=np.minimum(open_, close) * 0.9995,
        close=close,
        volume=np.floor(draw.choice([5.0, 200.0, 5000.0], shape)),
        mean=close,
        deviation=np.ones(shape),
        z=z,
        atr_5m=np.full(shape, 0.15),
    )


def trade_through(grid):
    """Run the engine one minute at a time; returns the equity it marked, its events, the desk."""
    minutes, symbols = grid.present.shape
    playbook = StdevParameters()
    fees = FillRules(fee_per_share=0.01)
    rules = pack(playbook, RiskLimits(max_trades_per_symbol=9, max_trades_per_day=20), fees)
    clock = session_clock(Session(to_datetime(MINUTE).date(), MINUTE, MINUTE + minutes), playbook)
    desk, log = Desk.new(symbols, 100_000.0), EventLog.with_room_for(symbols)
    everyone = np.ones(symbols)
    open_session(desk, np.zeros(symbols), everyone, 1e6 * everyone, math.nan)
    states, sides = np.zeros(grid.present.shape, np.int8), np.zeros(grid.present.shape, np.int8)
    marked, events = [], []
    for row in range(minutes):
        log.used[0] = 0
        outcome = advance(desk, grid, clock, rules, log, states, sides, row, row + 1)
        assert outcome[0] == DONE
        marked.append(float(desk.account["equity"][0]))
        events += read(log, SYMBOLS, {})
    return np.array(marked), events, desk


def recorded(grid, events):
    """What the ledger keeps of a run: its fills, its trades, and the rows of the grid."""
    fills = [event for event in events if isinstance(event, Fill)]
    trades = [event for event in events if isinstance(event, Trade)]
    rows = [(row, SYMBOLS[s], grid.close[row, s]) for row, s in np.argwhere(grid.present)]
    return fills, trades, rows_of(*rows)


@pytest.mark.parametrize("seed", range(6))
def test_the_curve_is_what_the_engine_marked(seed):
    grid = random_day(seed)
    marked, events, desk = trade_through(grid)
    fills, trades, cycles = recorded(grid, events)
    minutes, equity = equity_curve(100_000.0, fills, cycles)
    held = gross_exposure(fills, cycles)

    assert len(fills) > 2 * len(trades) > 10, "too few trades, or no exit split by a thin bar"
    assert all(fill.reason != "end_of_day" for fill in fills)
    assert equity == pytest.approx(marked[minutes - MINUTE], abs=1e-7)
    end = 100_000.0 + math.fsum(trade.pnl for trade in trades)
    assert equity[-1] == pytest.approx(end, abs=1e-7)
    assert end == pytest.approx(100_000.0 + desk.account["realised"][0], abs=1e-7)
    assert held[-1] == 0.0
    assert held.max() > 0.0


@pytest.mark.parametrize("seed", range(6))
def test_the_curve_is_flat_after_a_symbol_whose_bars_ended_in_a_trade(seed):
    grid = random_day(seed)
    _, events, _ = trade_through(grid)
    entry = next(
        event.entry_time
        for event in events
        if isinstance(event, Trade) and event.symbol == "SPY" and event.exit_time > event.entry_time
    )
    last = to_minute(entry) - MINUTE
    grid.present[last + 1 :, 0] = False
    marked, events, _ = trade_through(grid)
    fills, trades, cycles = recorded(grid, events)
    minutes, equity = equity_curve(100_000.0, fills, cycles)

    closed = [trade for trade in trades if trade.symbol == "SPY"][-1]
    assert (closed.entry_time, closed.exit_time) == (entry, entry)
    assert closed.exit_reason == "end_of_day"
    earlier = minutes < MINUTE + last
    assert equity[earlier] == pytest.approx(marked[minutes[earlier] - MINUTE], abs=1e-7)
    others = [fill for fill in fills if fill.symbol != "SPY"]
    difference = equity - equity_curve(100_000.0, others, cycles)[1]
    own = math.fsum(trade.pnl for trade in trades if trade.symbol == "SPY")
    assert difference[~earlier] == pytest.approx(np.full((~earlier).sum(), own), abs=1e-7)
