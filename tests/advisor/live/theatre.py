"""A trading day on a stage: Alpaca's servers, a market that moves through them, and a clock.

Everything that the advisor talks to is there over real sockets; only time is ours. It passes when
the advisor waits, and so a whole session takes seconds. When a minute is over its bar acts on the
orders at the exchange, and then the stream tells it, like any exchange.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from advisor.bootstrap import EVER, ReplayOptions
from advisor.live.opening import LiveRequest, Mode, Opening
from advisor.replay import LEDGER
from advisor.settings import Settings
from quant_core.bars import RawBars
from quant_core.calendar import Session, to_datetime, xnys
from quant_core.synthetic import DEMO_SEED, synthetic_market
from tests.simulation.fate import Fate
from tests.simulation.pit import Pit
from tests.stand_ins.alpaca import KEY, SECRET, AlpacaStandIn, alpaca_stand_in
from tests.stand_ins.alpaca_exchange import OPEN, Exchange
from tests.stand_ins.alpaca_streams import StreamStandIn, stream_stand_in
from tools.store.store import Store

DAY = date(2025, 3, 12)
# Half a session. QQQ is sold short in minute 5 and bought back in 8, SPY sold in 9, bought in 10;
# both are sold in 46 and held for two hours.
BUSY = date(2025, 11, 28)
SYMBOLS = ("SPY", "QQQ", "NVDA")
ENVIRONMENT = {"APCA_API_KEY_ID": KEY, "APCA_API_SECRET_KEY": SECRET}
# What the stream sends takes a moment to arrive; longer than this, and the archive is asked.
ARRIVES = 0.004


class Bars(Protocol):
    """A market's bars by symbol: minutes until the day that is played, and daily bars."""

    @property
    def minutes(self) -> Mapping[str, RawBars]: ...

    @property
    def daily(self) -> Mapping[str, RawBars]: ...


class Theatre:
    """The day of a market, a synthetic one unless `market` is given; `now` is its time."""

    def __init__(
        self,
        folder: Path,
        rest: AlpacaStandIn,
        bars: StreamStandIn,
        updates: StreamStandIn,
        day: date = DAY,
        symbols: tuple[str, ...] = SYMBOLS,
        market: Bars | None = None,
    ) -> None:
        made = market or synthetic_market(
            symbols, day - timedelta(days=14), day, xnys(day.year - 3, day.year), DEMO_SEED
        )
        self.symbols = symbols
        self.session: Session = xnys(day.year, day.year).on(day)  # type: ignore[assignment]
        self.folder, self.rest, self.bars, self.updates = folder, rest, bars, updates
        self.now = rest.exchange.now = to_datetime(self.session.open - 30)
        self.today = {symbol: _of(raw, self.session, True) for symbol, raw in made.minutes.items()}
        self.earlier = {s: _of(raw, self.session, False) for s, raw in made.minutes.items()}
        self.daily = dict(made.daily)
        given = folder / f"given-{day}"
        self.history, self.days = given / "minutes", given / "days"
        _write(self.history, self.earlier)
        _write(self.days, self.daily)
        self.pit = Pit(rest.exchange, symbols, self.session.open, Fate(0), 0.0)
        self.grid: Any = None
        self.row = 0  # the minute that is under way
        self.exact = False
        self.ledger: str | Path = folder / "run" / LEDGER  # of whoever trades
        self._made_exact: set[str] = set()
        self.waited_for: Callable[[], None] = lambda: None  # real time passes, where it has to
        self.heard: Callable[[int], bool] = lambda _: True  # whether the stream tells of a minute
        self.at: dict[int, Callable[[], None]] = {}  # what happens when a minute begins
        self.before_trading: Callable[[], None] = lambda: None  # the minute before has settled
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
            self.before_trading()
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
        with Store.open(self.ledger, read_only=True) as store:
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
        for symbol in self.symbols:
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
        self._theatre.waited_for()
        if not event.is_set():
            self._theatre.until(until)


@contextmanager
def theatre(
    folder: Path,
    day: date = DAY,
    exchange: Exchange | None = None,
    symbols: tuple[str, ...] = SYMBOLS,
    market: Bars | None = None,
) -> Iterator[Theatre]:
    """A stage for one day; an `exchange` of an earlier one keeps its account."""
    with (
        alpaca_stand_in(exchange or Exchange()) as rest,
        stream_stand_in("bars") as bars,
        stream_stand_in("updates") as updates,
    ):
        rest.exchange.listeners.clear()
        made = Theatre(folder, rest, bars, updates, day, symbols, market)
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
        symbols: tuple[str, ...] = SYMBOLS,
        environment: dict[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.lines: list[str] = []
        self.stop = threading.Event()
        self.stage = stage
        self.opening = Opening(
            request=LiveRequest(
                mode=mode,
                folder=folder or stage.folder / "run",
                symbols=symbols,
                bars=(stage.history,) if given else (),
                daily=stage.days if given else None,
            ),
            options=options or ReplayOptions(),
            settings=settings or stage.settings(),
            environment=ENVIRONMENT | (environment or {}),
            session=stage.session,
            clock=StageClock(stage),
            stop=self.stop,
            say=self.lines.append,
        )

    def run(self, until: int | None = None) -> str:
        """Play to the close, or be stopped when a minute begins."""
        stage = self.stage
        if until is not None:
            stage.at[until] = self.stop.set
        bars, updates = stage.bars.logins + 1, stage.updates.logins + 1
        with self.opening.open() as session:
            stage.bars.wait_for_client(bars)
            if self.opening.request.mode != "dry":
                stage.updates.wait_for_client(updates)
            return session.run()

    @property
    def said(self) -> str:
        """Everything that it said."""
        return "\n".join(self.lines)


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

    shape = stage.session.minutes, len(stage.symbols)
    present = np.zeros(shape, bool)
    columns = {name: np.full(shape, np.nan) for name in ("open", "high", "low", "close", "volume")}
    for s, symbol in enumerate(stage.symbols):
        for row, bar in stage.today[symbol].items():
            present[row, s] = True
            for name, value in zip(columns, bar, strict=True):
                columns[name][row, s] = value
    return SimpleNamespace(present=present, **columns)


class Kept:
    """What the ledger of a folder says of the lane that trades, to its last moment."""

    def __init__(self, folder: Path, lane: str = "advised", which: int = -1) -> None:
        with Store.open(folder / LEDGER, read_only=True) as store:
            self.runs = store.runs()
            run = self.run_id = self.runs[which].run_id
            assert store.verify_chain(run).intact
            self.trades = store.trades(run, lane, as_of=EVER)
            self.fills = store.fills(run, lane, as_of=EVER)
            self.orders = store.orders(run, lane, as_of=EVER)
            self.decisions = store.decisions(run, lane, as_of=EVER)
            self.analyses = store.analyses(run, lane, as_of=EVER)
            self.risk = store.risk_changes(run, lane, as_of=EVER)
            self.days = store.lane_days(run, lane, as_of=EVER)
            self.outbox = store.outbox(run, lane)
            self.checkpoint = store.checkpoint(run, lane)
            self.lanes = store.heads(run)
            self.cycles = store.cycles(run, lane, as_of=EVER)


def agrees(stage: Theatre, folder: Path | None = None) -> Kept:
    """The ledger, which is the broker's truth: positions, covers, entries, money."""
    kept, exchange = Kept(folder or stage.folder / "run"), stage.rest.exchange
    for symbol in stage.symbols:
        held = exchange.positions.get(symbol, (0.0, 0.0))[0]
        booked = sum(fill.side * fill.quantity for fill in kept.fills if fill.symbol == symbol)
        assert booked == held, f"{symbol}: {booked} booked, {held:g} held"
        cover = sum(
            one.sign * (one.qty - one.filled)
            for one in exchange.everything()
            if one.symbol == symbol
            and one.status in ("new", "partially_filled")
            and (one.type == "stop" or "-exit-" in one.client_order_id)
        )
        assert cover == -held, f"{symbol}: {held:g} held, {cover:g} covered"
    entries = [one.client_order_id for one in exchange.tickets if one.order_class == "bracket"]
    assert len(entries) == len(set(entries))
    assert set(entries) <= {order.client_order_id for order in kept.orders}
    return kept


def is_flat(stage: Theatre) -> Kept:
    """The ledger after a session: nothing is held, ordered or doubtful, and the money is right."""
    kept, exchange = agrees(stage), stage.rest.exchange
    assert exchange.positions == {}
    assert [one for one in exchange.everything() if one.status in OPEN] == []
    assert [row for row in kept.outbox if not row.state.is_over] == []
    made = sum(trade.pnl for trade in kept.trades)
    assert made == pytest.approx(exchange.cash - 100_000.0, abs=0.01)
    return kept


def tell_history(stage: Theatre) -> None:
    """Give the archive what was before today."""
    for symbol in SYMBOLS:
        for shelf, raw in (
            (stage.rest.bars, stage.earlier[symbol]),
            (stage.rest.days, stage.daily[symbol]),
        ):
            columns = zip(
                raw.start, raw.open, raw.high, raw.low, raw.close, raw.volume, strict=True
            )
            shelf[symbol] = [
                {
                    "t": (to_datetime(0) + timedelta(microseconds=int(start))).isoformat(),
                    **dict(zip("ohlcv", map(float, values), strict=True)),
                }
                for start, *values in columns
            ]
