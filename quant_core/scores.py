"""Hundreds of passes at once, each reduced to its daily returns and a row of figures.

The loop over combinations is compiled: nothing of Python runs between two of them. The figures are
what `performance.metrics_of` asks for, and every metric is defined there; the minute curve
is followed here only where a position is open (`quant_core.equity` says what it is), because the
account does not move elsewhere. The tests compare the two row by row.
"""

from typing import Any

import numpy as np

from quant_core.arrays import Floats
from quant_core.backtest import (
    FILL,
    OUTCOME,
    Book,
    Course,
    Premises,
    run_sessions,
    run_through,
)
from quant_core.compiled import compiled
from quant_core.desk import Desk
from quant_core.events import EventLog
from quant_core.performance import Curve, Metrics, Tally, metrics_of
from quant_core.types import Multipliers

FIGURES = np.dtype(
    [
        ("signals", np.int64),
        ("trades", np.int64),
        ("wins", np.int64),
        ("won", np.float64),
        ("lost", np.float64),
        ("average_r", np.float64),
        ("notional", np.float64),
        ("fees", np.float64),
        ("mean_equity", np.float64),
        ("exposure", np.float64),
        ("gross_exposure", np.float64),
        ("fall", np.float64),
        ("fall_minutes", np.float64),
    ]
)


@compiled
def _curve(minutes: Any, closes: Floats, start_equity: float, fills: np.ndarray, out: Any) -> None:
    """The minute curve's figures, as `Curve.of` defines them, from signed fills.

    Index 0 is the account before the first minute and i + 1 after minute i. While nothing is held
    the account stands still, so such a stretch is one step.
    """
    count = len(minutes)
    at = np.minimum(np.searchsorted(minutes, fills["minute"]), count - 1)
    order = np.argsort(at, kind="mergesort")
    shares = np.zeros(closes.shape[1], np.int64)
    cash, total, held_minutes, gross_share = start_equity, 0.0, 0, 0.0
    peak, peak_at, worst, left, back, down = start_equity, 0, 0.0, 0, 0, False
    done, row = 0, 0
    while row < count:
        while done < len(order) and at[order[done]] == row:
            fill = fills[order[done]]
            shares[fill.symbol] += fill.shares
            cash -= fill.shares * fill.price + fill.fees
            done += 1
        equity, gross, until = cash, 0.0, row + 1
        for s in range(len(shares)):
            if shares[s] != 0:
                equity += shares[s] * closes[row, s]
                gross += abs(shares[s] * closes[row, s])
        if gross > 0.0:
            held_minutes += 1
            gross_share += gross / equity
        else:
            until = at[order[done]] if done < len(order) else count
        total += equity * (until - row)
        if equity >= peak:
            if down:
                back, down = row + 1, False
            peak, peak_at = equity, until
        elif equity / peak - 1.0 < worst:
            worst, left, down = equity / peak - 1.0, peak_at, True
        row = until
    out.mean_equity = total / count
    out.exposure = held_minutes / count
    out.gross_exposure = gross_share / count
    out.fall = worst
    out.fall_minutes = ((count if down else back) - left) if worst < 0.0 else worst


@compiled
def _figures(
    minutes: Any, closes: Floats, start_equity: float, fills: np.ndarray, trades: np.ndarray,
    signals: int, out: Any,
) -> None:  # fmt: skip
    """Fill one row of figures."""
    out.signals = signals
    out.trades = len(trades)
    out.wins = 0
    out.won = out.lost = out.notional = out.fees = 0.0
    r = 0.0
    for i in range(len(trades)):
        event = trades[i].event
        if event.pnl > 0.0:
            out.wins += 1
            out.won += event.pnl
        else:
            out.lost -= event.pnl
        risk = event.quantity * abs(trades[i].reference - event.stop)
        r += event.pnl / risk if risk > 0.0 else np.nan
    out.average_r = r / len(trades) if len(trades) > 0 else np.nan
    for i in range(len(fills)):
        out.notional += abs(fills[i].shares) * fills[i].price
        out.fees += fills[i].fees
    _curve(minutes, closes, start_equity, fills, out)


@compiled
def _many(
    course: Any, clocks: np.ndarray, armable: np.ndarray, rules: np.ndarray, multipliers: Floats,
    start_equity: float, fresh_slots: np.ndarray, fresh_account: np.ndarray, log: Any,
    fills: np.ndarray, trades: np.ndarray, returns: Floats, figures: np.ndarray,
) -> None:  # fmt: skip
    """Every combination in turn: row c of `rules` and `multipliers` gives row c of the results."""
    days = len(course.opens)
    for c in range(len(rules)):
        slots, account = fresh_slots.copy(), fresh_account.copy()
        equity, signals, filled, traded = run_sessions(
            course, clocks, armable, rules[c : c + 1], multipliers[c], slots, account, log,
            np.nan, 0, days, fills, trades,
        )  # fmt: skip
        for day in range(days):
            begin = equity[day, 0]
            returns[c, day] = equity[day, 1] / begin - 1.0 if begin > 0.0 else np.nan
        _figures(course.minutes, course.closes, start_equity, filled, traded, signals, figures[c])


def score(
    course: Course,
    given: Premises,
    rules: np.ndarray,
    multipliers: Floats,
    start_equity: float,
) -> tuple[Floats, np.ndarray]:
    """Daily returns (C, D) and figures (C,) of C combinations that share their premises.

    `rules` (C,) of dtype RULES, `multipliers` (C, 4) as `Multipliers.as_tuple`.
    """
    count = len(rules)
    returns = np.empty((count, len(course.opens)))
    figures = np.zeros(count, FIGURES)
    plain = ~np.isfinite(rules["max_cvar_95"])
    desk = Desk.new(course.closes.shape[1], start_equity)
    if plain.all():
        _many(
            course, given.clocks, given.armable, rules, multipliers, start_equity,
            desk.slots, desk.account, EventLog.with_room_for(len(desk.slots)),
            np.zeros(256, FILL), np.zeros(256, OUTCOME), returns, figures,
        )  # fmt: skip
        return returns, figures
    for c in range(count):
        factors = Multipliers.clamped(
            dict(zip(("mr_arm", "mr_trigger", "tc_arm", "tc_trigger"), multipliers[c], strict=True))
        )
        book = run_through(course, given, rules[c : c + 1], start_equity, factors)
        returns[c] = book.returns
        figures[c] = figures_of(course, book, start_equity)
    return returns, figures


def figures_of(course: Course, book: Book, start_equity: float) -> np.ndarray:
    """The row of figures of one pass, dtype FIGURES and shape ()."""
    row = np.zeros(1, FIGURES)
    _figures_of(
        course.minutes, course.closes, start_equity, book.fills, book.trades, book.signals, row
    )
    line: np.ndarray = row[0]
    return line


@compiled
def _figures_of(
    minutes: Any, closes: Floats, start_equity: float, fills: np.ndarray, trades: np.ndarray,
    signals: int, rows: np.ndarray,
) -> None:  # fmt: skip
    _figures(minutes, closes, start_equity, fills, trades, signals, rows[0])


def metrics_of_row(returns: Floats, row: Any) -> Metrics:
    """The metrics of one combination from its daily returns (D,) and its row of figures."""
    curve = Curve(
        mean_equity=float(row["mean_equity"]),
        exposure=float(row["exposure"]),
        gross_exposure=float(row["gross_exposure"]),
        fall=float(row["fall"]),
        fall_minutes=float(row["fall_minutes"]),
    )
    tally = Tally(
        trades=int(row["trades"]),
        wins=int(row["wins"]),
        won=float(row["won"]),
        lost=float(row["lost"]),
        average_r=float(row["average_r"]),
        notional=float(row["notional"]),
        fees=float(row["fees"]),
    )
    return metrics_of(returns, curve, tally)
