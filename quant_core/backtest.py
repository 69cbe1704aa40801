"""A baseline lane through many sessions without leaving compiled code: one pass of a sweep.

`replay` stops for advice, cycle rows and the ledger; a sweep needs none of them, and asks the same
question of the same bars hundreds of times. A pass therefore lays all sessions end to end once (a
`Course`), and takes a fresh desk through them with the engine's own `begin_session` and
`run_rows`: nothing about fills, exits, risk or the playbook is said here again, so the trades of a
pass are the trades of a replay. What the engine logs is kept as a `Book`: fills and trades.

A session is left once its entry window is over and nothing is held: from then on the account
cannot change, and a slot forgets everything else when the next session begins.

A pass releases the interpreter's lock, reads the course and writes only what is its own, so passes
run side by side in threads on one copy of the bars.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant_core.bars import Floats, Ints
from quant_core.compiled import compiled
from quant_core.desk import Desk
from quant_core.engine import NOBODY_ASKED, Floor, begin_session, run_rows
from quant_core.events import ENTRY, EVENT, EXIT, SIGNAL, TRADE, EventLog
from quant_core.grid import Grid, session_clocks
from quant_core.parameters import StdevParameters
from quant_core.performance import cvar_95
from quant_core.types import Multipliers, Snapshot

FOREVER = 2**62
STRIDE = 30
UNADVISED = Multipliers()


class Course(NamedTuple):
    """Sessions laid end to end, in order; D sessions of R rows (minutes) in all, S symbols.

    `first` (D + 1,) is where each session begins in the arrays of `grid` (R, S). `htf_trend`,
    `average_volume`, `atr_percentile` and `complete` (D, S) are the premarket snapshots. `sector`
    (S,) and `earnings` (D, S) are as `quant_core.desk` numbers them. `minutes` (M,) are the starts
    of the minutes in which any symbol has a bar, and `closes` (M, S) every symbol's last close by
    then.
    """

    opens: Ints
    first: Ints
    grid: Grid
    htf_trend: NDArray[np.int8]
    average_volume: Floats
    atr_percentile: Floats
    complete: NDArray[np.bool_]
    sector: NDArray[np.int16]
    earnings: NDArray[np.int8]
    minutes: Ints
    closes: Floats


class Premises(NamedTuple):
    """What a playbook makes of a course: landmarks (D,) and who may arm (D, S)."""

    clocks: np.ndarray
    armable: NDArray[np.int8]


FILL = np.dtype(
    [
        ("minute", np.int64),
        ("symbol", np.int64),
        ("shares", np.int64),
        ("price", np.float64),
        ("fees", np.float64),
    ]
)
OUTCOME = np.dtype([("event", EVENT), ("reference", np.float64)])


@dataclass(frozen=True, slots=True)
class Book:
    """What a pass did: `equity` (D, 2) at the begin and end of each session, fills and trades.

    A fill's `shares` are signed. A trade is the engine's event with its signal's price.
    """

    equity: Floats
    signals: int
    fills: np.ndarray
    trades: np.ndarray

    @property
    def returns(self) -> Floats:
        """Return of each session on the equity it began with, NaN where that was not positive."""
        begin, end = self.equity[:, 0], self.equity[:, 1]
        positive = begin > 0.0
        return np.where(positive, end / np.where(positive, begin, 1.0) - 1.0, np.nan)

    @property
    def r_multiples(self) -> Floats:
        """Profit of each trade over the risk planned for it; NaN where nothing was at risk."""
        event = self.trades["event"]
        risk = event["quantity"] * np.abs(self.trades["reference"] - event["stop"])
        return np.where(risk > 0.0, event["pnl"] / np.where(risk > 0.0, risk, 1.0), np.nan)


def lay_course(
    opens: Sequence[int],
    grids: Sequence[Grid],
    snapshots: Sequence[Sequence[Snapshot]],
    sector: NDArray[np.int16],
    earnings: NDArray[np.int8],
) -> Course:
    """Sessions in order as one course; snapshots are per session, in the grid's symbol order."""
    grid = Grid(*(np.concatenate([getattr(one, name) for one in grids]) for name in Grid._fields))
    first = np.cumsum([0] + [len(one.z) for one in grids])
    starts = np.concatenate(
        [np.arange(open, open + len(one.z)) for open, one in zip(opens, grids, strict=True)]
    )
    recorded = grid.present.any(axis=1)
    known = grid.present[recorded]
    latest = np.where(known, np.arange(len(known))[:, None], 0)
    latest = np.maximum.accumulate(latest, axis=0)
    closes = np.take_along_axis(np.where(known, grid.close[recorded], np.nan), latest, axis=0)

    def table(name: str, kind: Any) -> Any:
        return np.array([[getattr(one, name) for one in day] for day in snapshots], kind)

    return Course(
        opens=np.asarray(opens, np.int64),
        first=first,
        grid=grid,
        htf_trend=table("htf_trend", np.int8),
        average_volume=table("average_volume", np.float64),
        atr_percentile=table("atr_percentile", np.float64),
        sector=sector,
        earnings=earnings,
        complete=np.array([[not one.incomplete for one in day] for day in snapshots]),
        minutes=starts[recorded],
        closes=closes,
    )


def premises(course: Course, playbook: StdevParameters) -> Premises:
    """The landmarks of every session, and which symbols may arm in it."""
    with np.errstate(invalid="ignore"):
        calm = course.atr_percentile <= playbook.atr_percentile_cap
    return Premises(
        clocks=session_clocks(course.opens, np.diff(course.first), playbook),
        armable=(course.complete & calm).astype(np.int8),
    )


def run_through(
    course: Course,
    given: Premises,
    rules: np.ndarray,
    start_equity: float,
    multipliers: Multipliers = UNADVISED,
) -> Book:
    """One pass: a fresh desk through every session with `multipliers` in force throughout.

    `rules` is a record array of shape (1,). A configured CVaR limit needs the daily returns so far
    before each session, as a lane does; such a pass goes session by session.
    """
    desk = Desk.new(course.closes.shape[1], start_equity)
    log = EventLog.with_room_for(len(desk.slots))
    factors = np.array(multipliers.as_tuple())
    count = len(course.opens)
    whole = [(0, count)]
    if np.isfinite(rules["max_cvar_95"][0]):
        whole = [(day, day + 1) for day in range(count)]
    parts: list[tuple[Any, int, Any, Any]] = []
    returns: list[float] = []
    for begin, end in whole:
        part = run_sessions(
            course, given.clocks, given.armable, rules, factors, desk.slots, desk.account, log,
            cvar_95(np.array(returns))[0], begin, end,
            np.zeros(64, FILL), np.zeros(64, OUTCOME),
        )  # fmt: skip
        returns += (part[0][:, 1] / part[0][:, 0] - 1.0).tolist()
        parts.append(part)
    equity, signals, fills, trades = zip(*parts, strict=True)
    return Book(np.concatenate(equity), sum(signals), np.concatenate(fills), np.concatenate(trades))


@compiled
def _grown(records: np.ndarray, used: int) -> np.ndarray:
    """The same records, with room for as many again where there is none left."""
    if used < len(records):
        return records
    larger = np.empty(2 * len(records), records.dtype)
    larger[:used] = records
    return larger


@compiled
def _session_grid(whole: Any, low: int, high: int) -> Any:
    return Grid(
        whole.present[low:high],
        whole.open[low:high],
        whole.high[low:high],
        whole.low[low:high],
        whole.close[low:high],
        whole.volume[low:high],
        whole.mean[low:high],
        whole.deviation[low:high],
        whole.z[low:high],
        whole.atr_5m[low:high],
    )


@compiled
def _keep(
    log: Any, references: Floats, fills: np.ndarray, filled: int, trades: np.ndarray, traded: int
) -> Any:
    """Move fills and trades out of the log, and empty it; also counts its signals."""
    signals = 0
    for i in range(log.used[0]):
        event = log.events[i]
        symbol = event.symbol
        if event.kind == SIGNAL:
            signals += 1
            if event.quantity > 0:
                references[symbol] = event.price
        elif event.kind in (ENTRY, EXIT):
            fills = _grown(fills, filled)
            fill = fills[filled]
            fill.minute = event.minute
            fill.symbol = symbol
            fill.shares = event.quantity * (event.side if event.kind == ENTRY else -event.side)
            fill.price = event.price
            fill.fees = event.fees
            filled += 1
        elif event.kind == TRADE:
            trades = _grown(trades, traded)
            trades[traded].event = event
            trades[traded].reference = references[symbol]
            traded += 1
    log.used[0] = 0
    return signals, fills, filled, trades, traded


@compiled
def _is_flat(slots: np.ndarray) -> bool:
    """Nothing is held and no entry waits: after the entry window nothing can happen any more."""
    for s in range(len(slots)):
        if slots[s].quantity > 0 or slots[s].entry_quantity > 0:
            return False
    return True


@compiled
def run_sessions(
    course: Any,
    clocks: np.ndarray,
    armable: np.ndarray,
    rules: np.ndarray,
    multipliers: Floats,
    slots: np.ndarray,
    account: np.ndarray,
    log: Any,
    cvar_95: float,
    begin: int,
    end: int,
    fills: np.ndarray,
    trades: np.ndarray,
) -> Any:
    """Sessions [begin, end) of a course; `fills` and `trades` are room to begin with."""
    longest = np.max(np.diff(course.first))
    states = np.empty((longest, len(slots)), np.int8)
    sides = np.empty((longest, len(slots)), np.int8)
    references = np.zeros(len(slots))
    equity = np.empty((end - begin, 2))
    filled, traded, signals = 0, 0, 0
    now = account[0]
    for day in range(begin, end):
        begin_session(
            slots, now, course.htf_trend[day], armable[day], course.average_volume[day],
            course.sector, course.earnings[day], cvar_95,
        )  # fmt: skip
        now.mr_arm, now.mr_trigger = multipliers[0], multipliers[1]
        now.tc_arm, now.tc_trigger = multipliers[2], multipliers[3]
        now.multipliers_until = FOREVER
        low, high = course.first[day], course.first[day + 1]
        grid = _session_grid(course.grid, low, high)
        floor = Floor(clocks[day : day + 1], grid, slots, account, rules, log)
        row = 0
        while row < high - low:
            stop = min(max(clocks[day].entry_until, row + STRIDE), high - low)
            _, row, _ = run_rows(
                floor, states, sides, row, stop, -1, NOBODY_ASKED, 0.0, False, False
            )
            found, fills, filled, trades, traded = _keep(
                log, references, fills, filled, trades, traded
            )
            signals += found
            if row >= clocks[day].entry_until and _is_flat(slots):
                break
        equity[day - begin, 0] = now.session_equity
        equity[day - begin, 1] = now.equity
    return equity, signals, fills[:filled], trades[:traded]
