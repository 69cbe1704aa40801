"""What an analyst or a validator may look at: facts known at a moment, each with an id to cite.

A view is built from closed bars and the lane's own account only; `as_of` is the close of the last
bar it contains. The same view feeds the rules analyst and a language model, so neither can see
more than the other, and a claim can be checked against the fact it cites. What charts told
(`quant_core.chart_alerts`) is beside those facts: the rules do not read it, a model may weigh it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from quant_core.calendar import Session, to_datetime
from quant_core.chart_alerts import in_force
from quant_core.desk import Desk
from quant_core.grid import Grid
from quant_core.types import ChartAlert, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolView:
    """One symbol as of a moment; NaN where nothing is known yet.

    `change` is percent since the previous daily close, `range_ratio` the 5-minute ATR now over the
    one before the open (1 = as volatile as the last sessions were).
    """

    symbol: str
    close: float
    z: float
    change: float
    range_ratio: float
    htf_trend: int
    hh_ll_tag: str
    atr_percentile: float
    state: int
    side: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketView:
    """The watchlist and the account as of a moment; `alerts` are those of charts in force then."""

    as_of: datetime
    minutes_since_open: int
    symbols: tuple[SymbolView, ...]
    equity: float
    daily_loss: float
    open_positions: int
    alerts: tuple[ChartAlert, ...] = ()

    def of(self, symbol: str) -> SymbolView:
        """The facts of one symbol."""
        return next(view for view in self.symbols if view.symbol == symbol)

    def facts(self) -> Mapping[str, float]:
        """Every number of the view under the id by which evidence cites it."""
        found = {
            f"{view.symbol}.{name}": float(getattr(view, name))
            for view in self.symbols
            for name in ("close", "z", "change", "range_ratio", "htf_trend", "atr_percentile")
        }
        found["account.equity"] = self.equity
        found["account.daily_loss"] = self.daily_loss
        found["account.open_positions"] = float(self.open_positions)
        return found


def view_market(
    grid: Grid,
    session: Session,
    snapshots: Sequence[Snapshot],
    desk: Desk,
    row: int,
    alerts: Sequence[ChartAlert] = (),
) -> MarketView:
    """The view at the moment row `row` of a session begins: rows before it are closed.

    Of `alerts` it has what counts at that moment.
    """
    account, as_of = desk.account[0], to_datetime(session.open + row)
    watched = [snapshot.symbol for snapshot in snapshots]
    return MarketView(
        as_of=as_of,
        minutes_since_open=row,
        symbols=tuple(
            _view_symbol(grid, snapshot, desk.slots[s], row, s)
            for s, snapshot in enumerate(snapshots)
        ),
        equity=float(account["equity"]),
        daily_loss=float(account["session_equity"] - account["equity"]),
        open_positions=int(np.count_nonzero(desk.slots["quantity"])),
        alerts=in_force(alerts, watched, as_of),
    )


def _view_symbol(grid: Grid, snapshot: Snapshot, slot: np.void, row: int, s: int) -> SymbolView:
    closed = np.flatnonzero(grid.present[:row, s])
    known = len(closed) > 0
    last = int(closed[-1]) if known else 0
    close = float(grid.close[last, s]) if known else snapshot.previous_close
    atr = float(grid.atr_5m[last, s]) if known else snapshot.atr_5m
    return SymbolView(
        symbol=snapshot.symbol,
        close=close,
        z=float(grid.z[last, s]) if known else float("nan"),
        change=100.0 * (close / snapshot.previous_close - 1.0),
        range_ratio=atr / snapshot.atr_5m if snapshot.atr_5m > 0 else float("nan"),
        htf_trend=snapshot.htf_trend,
        hh_ll_tag=snapshot.hh_ll_tag,
        atr_percentile=snapshot.atr_percentile,
        state=int(slot["state"]),
        side=int(slot["side"]),
    )
