"""backtesting.py: `Strategy.next` at every close, orders with stop and target at the next open."""

import sys
import warnings

import pandas as pd
from plain import EQUITY, Columns, Rules, report

warnings.simplefilter("ignore")
import backtesting  # noqa: E402
from backtesting import Backtest, Strategy  # noqa: E402

columns = Columns(sys.argv[1])


class Stdev(Strategy):
    """The plain rules; a position is closed on the bar before the flat time, at its open."""

    def init(self) -> None:
        """Begin with an idle machine."""
        self.rules = Rules(columns)

    def next(self) -> None:
        """One close."""
        i = len(self.data) - 1
        is_open = bool(self.trades)
        side = self.rules.bar(i, is_open, len(self.closed_trades))
        if side:
            shares, stop, target = self.rules.order(i, side, self.equity)
            if shares:
                (self.buy if side > 0 else self.sell)(size=shares, sl=stop, tp=target)
        elif is_open and columns.last_before_flat[i]:
            self.position.close()


frame = pd.DataFrame(
    {name.title(): columns.arrays[name] for name in ("open", "high", "low", "close", "volume")},
    index=pd.to_datetime(columns.arrays["minute"] * 60, unit="s"),
)
backtesting.backtesting._tqdm = lambda bars, **_: bars


def run() -> tuple[int, float]:
    test = Backtest(frame, Stdev, cash=EQUITY, spread=1e-4, finalize_trades=True)
    trades = test.run()["_trades"]
    return len(trades), float(trades["PnL"].sum())


report("backtesting.py", backtesting.__version__, run, 3)
