"""NautilusTrader: the low-level backtest engine, a bracket order for each trigger."""

import sys
from decimal import Decimal

import nautilus_trader
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy
from plain import EQUITY, Columns, Rules, report

columns = Columns(sys.argv[1])
VENUE = Venue("SIM")
PLACES = 4
spy = Equity(
    instrument_id=InstrumentId(Symbol("SPY"), VENUE),
    raw_symbol=Symbol("SPY"),
    currency=USD,
    price_precision=PLACES,
    price_increment=Price(10**-PLACES, PLACES),
    lot_size=Quantity.from_int(1),
    ts_event=0,
    ts_init=0,
)
bar_type = BarType.from_str(f"{spy.id}-1-MINUTE-LAST-EXTERNAL")


class Stdev(Strategy):
    """The plain rules; a position is closed at the close of the bar before the flat time."""

    def on_start(self) -> None:
        """Begin with an idle machine."""
        self.rules, self.i = Rules(columns), -1
        self.subscribe_bars(bar_type)

    def on_bar(self, _bar: Bar) -> None:
        """One close."""
        self.i += 1
        i = self.i
        is_open = not self.portfolio.is_flat(spy.id)
        side = self.rules.bar(i, is_open, self.cache.positions_closed_count())
        if side:
            balance = float(self.portfolio.account(VENUE).balance_total(USD))
            shares, stop, target = self.rules.order(i, side, balance)
            if shares:
                self.submit_order_list(
                    self.order_factory.bracket(
                        instrument_id=spy.id,
                        order_side=OrderSide.BUY if side > 0 else OrderSide.SELL,
                        quantity=Quantity.from_int(shares),
                        sl_trigger_price=Price(stop, PLACES),
                        tp_price=Price(target, PLACES),
                    )
                )
        elif is_open and columns.last_before_flat[i]:
            self.cancel_all_orders(spy.id)
            self.close_all_positions(spy.id)


def bars() -> list[Bar]:
    """The columns as the engine's own bars, stamped with their close."""
    rows = zip(
        columns.open, columns.high, columns.low, columns.close, columns.volume, columns.minute,
        strict=True,
    )  # fmt: skip
    return [
        Bar(
            bar_type, *(Price(price, PLACES) for price in prices), Quantity(volume, 0), stamp, stamp
        )
        for *prices, volume, minute in rows
        for stamp in ((minute + 1) * 60_000_000_000,)
    ]


engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
engine.add_venue(
    VENUE, OmsType.HEDGING, AccountType.MARGIN, [Money(EQUITY, USD)], base_currency=USD,
    default_leverage=Decimal(1),
)  # fmt: skip
engine.add_instrument(spy)
engine.add_data(bars())
engine.add_strategy(Stdev())


def run() -> tuple[int, float]:
    engine.reset()
    engine.run()
    positions = engine.cache.positions()
    kept = [*positions, *engine.cache.position_snapshots()]
    return len(kept), sum(float(position.realized_pnl) for position in kept)


report("NautilusTrader", nautilus_trader.__version__, run, 3)
