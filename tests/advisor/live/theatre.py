"""A trading day on a stage: Alpaca's servers, a market that moves through them, and a clock.

Everything that the advisor talks to is there over real sockets; only time is ours. It passes when
the advisor waits, and so a whole session takes seconds. When a minute is over its bar acts on the
orders at the exchange, and then the stream tells it, like any exchange.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from advisor.bootstrap import ReplayOptions
from advisor.live.opening import LiveRequest, Mode, Opening
from advisor.replay import LEDGER
from advisor.settings import Settings
from quant_core.bars import RawBars
from quant_core.calendar import Session, to_datetime, xnys
from quant_core.synthetic import DEMO_SEED, synthetic_market
from tests.simulation.fate import Fate
from tests.simulation.pit import Pit
from tests.stand_ins.alpaca import KEY, SECRET, AlpacaStandIn, alpaca_stand_in
from tests.stand_ins.alpaca_exchange import Exchange
from tests.stand_ins.alpaca_streams import StreamStandIn, stream_stand_in
from tools.store.store import Store

DAY = date(2025, 3, 12)
SYMBOLS = ("SPY", "QQQ", "NVDA")
ENVIRONMENT = {"APCA_API_KEY_ID": KEY, "APCA_API_SECRET_KEY": SECRET}
# What the stream sends takes a moment to arrive; longer than this, and the archive is asked.
ARRIVES = 0.004


class Theatre:
    """The day of a synthetic market; `now` is its time."""

    def __init__(
        self, folder: Path, rest: AlpacaStandIn, bars: StreamStandIn, updates: StreamStandIn
    ) -> None:
        made = synthetic_market(
            SYMBOLS, DAY - timedelta(days=14), DAY, xnys(DAY.year - 3, DAY.year), DEMO_SEED
        )
        self.session: Session = xnys(DAY.year, DAY.year).on(DAY)  # type: ignore[assignment]
        self.folder, self.rest, self.bars, self.updates = folder, rest, bars, updates
        self.now = to_datetime(self.session.open - 30)
        self.today = {symbol: _of(raw, self.session, True) for symbol, raw in made.minutes.items()}
        self.earlier = {s: _of(raw, self.session, False) for s, raw in made.minutes.items()}
        self.daily = dict(made.daily)
        self.history, self.days = folder / "given" / "minutes", folder / "given" / "days"
        _write(self.history, self.earlier)
        _write(self.days, self.daily)
        self.pit = Pit(rest.exchange, SYMBOLS, self.session.open, Fate(0), 0.0)
        self.grid: Any = None
        self.row = 0  # the minute that is under way
        self.exact = False
        self._made_exact: set[str] = set()
        self.heard: Callable[[int], bool] = lambda _: True  # whether the stream tells of a minute
        self.at: dict[int, Callable[[], None]] = {}  # what happens when a minute begins
        rest.exchange.listeners.append(
            lambda told: updates.send({"stream": "trade_updates", "data": told})
        )

    def settings(self, **groups: dict[str, Any]) -> Settings:
        """Settings that lead to the servers of the stage."""
        broker = {
            "base_url": self.rest.url, "data_url": self.rest.url,
            "bar_stream_url": self.bars.url, "order_stream_url": self.updates.url,
        }  # fmt: skip
        live = {"look_seconds": 30.0, "settle_seconds": 60.0}
        spending = {"file": str(self.folder / "state" / "spending.sqlite")}
        values = {"broker": broker, "live": live, "spending": spending}
        for name, more in groups.items():
            values[name] = values.get(name, {}) | more
        return Settings.model_validate(values)

    def until(self, moment: datetime) -> None:
        """Let time pass; minutes that end on the way act on the market and are told."""
        while self.now < moment:
            ends = to_datetime(self.session.open + self.row + 1)
            if moment < ends or self.row >= self.session.minutes:
                self.now = moment
                break
            with self.rest.lock:
                self._trade()
            self.now = self.rest.exchange.now = ends
            self._tell()
            self.row += 1
            if (happens := self.at.get(self.row)) is not None:
                happens()

    def _trade(self) -> None:
        if self.exact:
            self._to_the_last_digit()
        self.pit.trade(self.grid, self.row)

    def _to_the_last_digit(self) -> None:
        """Brackets at the prices that were decided, not at their ticks, as in a replay."""
        legs = [leg for one in self.rest.exchange.tickets for leg in one.legs]
        rounded = [leg for leg in legs if leg.id not in self._made_exact]
        if not rounded:
            return
        with Store.open(self.folder / "run" / LEDGER, read_only=True) as store:
            (run,) = store.runs()
            kept = store.orders(run.run_id, "advised", as_of=self.now + timedelta(minutes=5))
        decided = {order.client_order_id: order for order in kept}
        for leg in rounded:
            order = decided[leg.parent.client_order_id]  # type: ignore[union-attr]
            if leg.type == "stop":
                leg.stop_price = order.stop
            else:
                leg.limit_price = order.target
            self._made_exact.add(leg.id)

    def _tell(self) -> None:
        start = to_datetime(self.session.open + self.row)
        told = []
        for symbol in SYMBOLS:
            bar = self.today[symbol].get(self.row)
            if bar is None:
                continue
            names = dict(zip("ohlcv", bar, strict=True))
            stamp = start.isoformat().replace("+00:00", "Z")
            self.rest.bars.setdefault(symbol, []).append({"t": stamp, **names})
            told.append({"T": "b", "S": symbol, **names, "t": start})
        if told and self.heard(self.row):
            self.bars.send(*told)
            time.sleep(ARRIVES)


class StageClock:
    """The theatre's time, which passes when it is waited for."""

    def __init__(self, theatre: Theatre) -> None:
        self._theatre = theatre

    def now(self) -> datetime:
        return self._theatre.now

    def monotonic(self) -> float:
        return self._theatre.now.timestamp()

    def sleep(self, seconds: float) -> None:
        self._theatre.until(self._theatre.now + timedelta(seconds=seconds))

    def wait(self, event: threading.Event, until: datetime) -> None:
        if not event.is_set():
            self._theatre.until(until)


@contextmanager
def theatre(folder: Path) -> Iterator[Theatre]:
    """A stage for one day."""
    with (
        alpaca_stand_in(Exchange()) as rest,
        stream_stand_in("bars") as bars,
        stream_stand_in("updates") as updates,
    ):
        made = Theatre(folder, rest, bars, updates)
        made.grid = _grid(made)
        yield made


class Play:
    """A process that trades the day; `lines` is what it said."""

    def __init__(
        self,
        stage: Theatre,
        mode: Mode = "paper",
        options: ReplayOptions | None = None,
        settings: Settings | None = None,
        given: bool = True,
    ) -> None:
        self.lines: list[str] = []
        self.stop = threading.Event()
        self.stage = stage
        self.opening = Opening(
            request=LiveRequest(
                mode=mode,
                folder=stage.folder / "run",
                symbols=SYMBOLS,
                bars=(stage.history,) if given else (),
                daily=stage.days if given else None,
            ),
            options=options or ReplayOptions(),
            settings=settings or stage.settings(),
            environment=ENVIRONMENT,
            session=stage.session,
            clock=StageClock(stage),
            stop=self.stop,
            say=self.lines.append,
        )

    def run(self) -> str:
        with self.opening.open() as session:
            stage = self.stage
            stage.bars.wait_for_client(stage.bars.logins or 1)
            if self.opening.request.mode != "dry":
                stage.updates.wait_for_client(stage.updates.logins or 1)
            return session.run()


def _of(raw: RawBars, session: Session, today: bool) -> Any:
    """Today's bars by row, or those of earlier sessions as they are."""
    minute = raw.start // 60_000_000
    inside = (minute >= session.open) & (minute < session.close)
    if not today:
        keep = minute < session.open
        arrays = {
            name: getattr(raw, name)[keep]
            for name in ("start", "open", "high", "low", "close", "volume", "file", "row")
        }
        return RawBars(symbol=raw.symbol, files=raw.files, feed=raw.feed, **arrays)
    columns = [getattr(raw, name)[inside] for name in ("open", "high", "low", "close", "volume")]
    return {
        int(row): tuple(float(column[i]) for column in columns)
        for i, row in enumerate(minute[inside] - session.open)
    }


def _write(folder: Path, bars: dict[str, RawBars]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for symbol, raw in bars.items():
        table = pa.table(
            {
                "symbol": [symbol] * len(raw.start),
                "timestamp": pa.array(raw.start, pa.timestamp("us", tz="UTC")),
                **{n: getattr(raw, n) for n in ("open", "high", "low", "close", "volume")},
            }
        )
        pq.write_table(table, folder / f"{symbol}.parquet")


def _grid(stage: Theatre) -> Any:
    """The whole day as the market knows it."""
    from types import SimpleNamespace

    shape = stage.session.minutes, len(SYMBOLS)
    present = np.zeros(shape, bool)
    columns = {name: np.full(shape, np.nan) for name in ("open", "high", "low", "close", "volume")}
    for s, symbol in enumerate(SYMBOLS):
        for row, bar in stage.today[symbol].items():
            present[row, s] = True
            for name, value in zip(columns, bar, strict=True):
                columns[name][row, s] = value
    return SimpleNamespace(present=present, **columns)
