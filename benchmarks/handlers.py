"""The functions on AWS: what `make bench` says of a minute, of a cold start, and of the executor.

PostgreSQL is pgserver's, S3 and SQS are moto's in a process of its own, the broker and its archive
are the tests' stand-ins in this one: their time is in the figures, a network's is not. The run has
a history of SESSIONS sessions, 30 symbols by the minute, because a call must not take longer
with every day that a run is old. Where pgserver or moto is missing, the rows are left out.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter, sleep
from typing import Any
from urllib.request import Request, urlopen

import numpy as np

from benchmarks.figure import Figure
from benchmarks.fresh import ROOT, measured
from benchmarks.ledgers import trading_session

DAY = date(2025, 3, 12)
SESSIONS = 60
SYMBOLS = tuple(f"S{number:02}" for number in range(30))
MORNING, AFTERNOON = range(30, 60), range(301, 371)
SIGNALS, STARTS = 100, 3
HISTORY_DAYS = 45  # of minutes in the lake: thirty sessions, as the premarket fetches
FUNCTIONS = (
    "premarket", "live_cycle", "market_analysis", "trade_executor", "position_monitor", "nightly",
    "api", "webhook",
)  # fmt: skip


def figures() -> Iterator[Figure]:
    """Every figure, from fresh processes."""
    if find_spec("pgserver") is None or find_spec("moto") is None:
        print("no pgserver or no moto: the functions' rows are left out", file=sys.stderr)
        return
    found = measured("benchmarks.handlers")
    what = f"30 symbols, {SESSIONS} sessions in the ledger"
    yield Figure(f"Lambda: a warm live cycle, {what}", found["cycle"], "ms", "≤ 300")
    yield Figure("the same, 95th percentile", found["cycle_95"], "ms", "-")
    slowest = max(found["cold"], key=found["cold"].__getitem__)
    told = f"Lambda: cold start to the end of the first call, slowest ({slowest})"
    yield Figure(told, found["cold"][slowest], "s", "≤ 3")
    yield Figure(f"Lambda: {SIGNALS} queued orders at the broker", found["executor"], "s", "≤ 10")
    yield Figure("the same, orders sent twice", found["twice"], "", "0")


def _inside() -> dict[str, Any]:
    import pgserver

    found: dict[str, Any] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="advisor-functions-")))
        server = pgserver.get_server(folder / "postgresql", cleanup_mode="delete")
        stack.callback(server.cleanup)
        place = stack.enter_context(_moto())
        found |= _minutes(folder / "minutes", server.get_uri(), place)
        found |= _orders(folder / "orders", server.get_uri(), place)
        found["cold"]["nightly"] = found.pop("nightly")
    return found


# A minute, and a cold start in the middle of the session


def _minutes(folder: Path, server: str, moto: str) -> dict[str, Any]:
    """Milliseconds of the minutes late in a session, and seconds of cold starts there."""
    from infra.handlers.live_cycle import LiveCycle
    from infra.handlers.position_monitor import PositionMonitor
    from infra.handlers.premarket import Premarket
    from infra.handlers.trade_executor import TradeExecutor
    from tests.infra.handlers.cloud import Context, scheduled

    took: list[float] = []
    with _cloud(folder, server, moto, symbols=SYMBOLS) as cloud:
        _write_history(cloud)
        Premarket(cloud.given(), cloud.clock)(scheduled(cloud.stage.now), Context())
        cycle = LiveCycle(cloud.given(), cloud.clock)
        executor = TradeExecutor(cloud.given(), cloud.clock)
        monitor = PositionMonitor(cloud.given(), cloud.clock)
        cloud.at(MORNING.start - 1 + 0.05)
        cloud.tick(cycle, left=900_000)
        for minute in MORNING:  # what is bought now is held or on record in the afternoon
            cloud.at(minute + 0.05)
            cloud.tick(cycle)
            while cloud.deliver(executor):
                pass
        cloud.at(AFTERNOON.start - 1 + 0.05)
        cloud.tick(cycle, left=900_000)
        for minute in AFTERNOON:
            cloud.at(minute + 0.05)
            started = perf_counter()
            told = cloud.tick(cycle)
            took.append(1000 * (perf_counter() - started))
            assert told["minutes"] == 1, told
            while cloud.deliver(executor):
                pass
            monitor(scheduled(cloud.stage.now), Context())
        cold = _cold_starts(cloud)
        sent = len(cloud.stage.rest.exchange.tickets)
    print(f"{sent} orders were sent; {[round(one) for one in took]}", file=sys.stderr)
    return {
        "cycle": statistics.median(took),
        "cycle_95": float(np.percentile(took, 95)),
        "cold": cold,
    }


def _write_history(cloud: Any) -> None:
    """Sessions of the run that the day's calls go on with, and what its lanes stood at."""
    from advisor.bootstrap import Advisers, make_lanes
    from advisor.live.standing import enter_run
    from quant_core.calendar import xnys
    from tools.outbox import OutboxRow, Sending
    from tools.ports import LedgerRecord
    from tools.store import Store

    given = cloud.given()
    settings, options = given.settings, given.options()
    sessions = xnys(DAY.year - 1, DAY.year).between(date.min, DAY - timedelta(days=1))[-SESSIONS:]
    lanes = make_lanes(len(SYMBOLS), options, settings, Advisers(None, None))
    with Store.open(cloud.ledger) as store:
        run = enter_run(store, "paper", "PA0000000001", SYMBOLS, options, settings, DAY)
        for number, session in enumerate(sessions):
            draw = np.random.default_rng(number)
            opened = datetime.fromtimestamp(session.open * 60, UTC)
            for lane in lanes:
                lane.day, lane.row = session.date, session.minutes
                lane.daily_returns.append(float(draw.normal(0.0, 0.005)))
                records: list[LedgerRecord] = trading_session(opened, draw, lane.name, session.date)
                ordered = (OutboxRow.for_entry(one) for one in records if _is_order(one))
                outbox = [_over(one, Sending.DONE) for one in ordered for one in _bracket(one)]
                rows = _rows(session.open, session.minutes, draw)
                external = outbox if lane.name == "advised" else []
                store.commit_cycle(
                    run, lane.name, rows, records, lane.checkpoint(), outbox=external
                )


def _is_order(record: Any) -> bool:
    from quant_core.types import Order

    return isinstance(record, Order)


def _bracket(entry: Any) -> list[Any]:
    """An entry's row and those of its legs."""
    from dataclasses import replace

    from tools.outbox import Purpose

    return [entry] + [
        replace(
            entry, client_order_id=f"{entry.client_order_id}-{kind}", kind=kind, side=-entry.side,
            parent=entry.client_order_id,
        )
        for kind in (Purpose.STOP, Purpose.TARGET)
    ]  # fmt: skip


def _over(row: Any, state: Any) -> Any:
    from dataclasses import replace

    return replace(row, state=state, broker_id=row.client_order_id, attempts=1)


def _rows(first: int, minutes: int, draw: np.random.Generator) -> Any:
    from quant_core.cycles import CycleRows

    count = minutes * len(SYMBOLS)
    wave = draw.normal(0.0, 1.0, count)
    return CycleRows(
        symbols=SYMBOLS,
        minute=np.repeat(np.arange(minutes) + first, len(SYMBOLS)).astype(np.int64),
        symbol=np.tile(np.arange(len(SYMBOLS)), minutes).astype(np.int16),
        close=100.0 + wave, mean=np.full(count, 100.0), deviation=np.full(count, 0.7), z=wave,
        ready=np.ones(count, np.bool_), htf_trend=np.zeros(count, np.int8),
        state=np.zeros(count, np.int8), side=np.zeros(count, np.int8),
    )  # fmt: skip


# Cold starts


def _cold(name: str, cloud: Any, environment: dict[str, str], event: Any) -> float:
    """Median seconds from before a handler's import to the end of its first call."""
    took = []
    for _ in range(STARTS):
        cloud.stage.until(cloud.stage.now + timedelta(minutes=1))
        told = {
            "environment": environment,
            "folder": str(cloud.folder),
            "now": cloud.stage.now.isoformat(),
            "event": event(),
        }
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.cold_start", name],
            input=json.dumps(told), capture_output=True, text=True, cwd=ROOT, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{name} did not start:\n{done.stderr}")
        seconds, answer = done.stdout.splitlines()[-1].split(" ", 1)
        print(f"{name}: {seconds} s, {answer[:150]}", file=sys.stderr)
        took.append(float(seconds))
    return statistics.median(took)


def _request(path: str, **more: Any) -> dict[str, Any]:
    return {
        "resource": "/{proxy+}", "path": path, "httpMethod": "GET", "headers": {"Host": "x"},
        "multiValueHeaders": {"Host": ["x"]}, "queryStringParameters": None,
        "requestContext": {
            "stage": "v1", "path": f"/v1{path}", "httpMethod": "GET",
            "identity": {"sourceIp": "203.0.113.7", "apiKeyId": "k1"},
        },
        "body": None, "isBase64Encoded": False,
    } | more  # fmt: skip


def _cold_starts(cloud: Any) -> dict[str, float]:
    """Seconds of every function's first call, in the middle of the session."""
    from tests.advisor.test_model_replay import ANALYSIS
    from tests.infra.handlers.cloud import scheduled
    from tests.stand_ins.anthropic import anthropic_stand_in
    from tests.stand_ins.steps import Says

    events: dict[str, Callable[[], Any]] = {
        "trade_executor": lambda: {"Records": [_record(cloud)]},
        "api": lambda: _request("/api/watchlist"),
        "webhook": lambda: _alert(cloud.stage.now),
    }
    with anthropic_stand_in(lambda _: Says(text=json.dumps(ANALYSIS))) as server:
        modelled = cloud.environment | {
            "ANALYST": "model",
            "ADVISOR_LLM__MODELS": "anthropic:claude-sonnet-5-5",
            "ADVISOR_LLM__ANTHROPIC_BASE_URL": server.url,
        }
        os.environ["ANTHROPIC_API_KEY"] = "k"
        asked = _cold("market_analysis", cloud, modelled, lambda: _question(cloud))
    others = (name for name in FUNCTIONS if name not in ("market_analysis", "nightly"))
    return {"market_analysis": asked} | {
        name: _cold(
            name, cloud, cloud.environment, events.get(name, lambda: scheduled(cloud.stage.now))
        )
        for name in others
    }


def _alert(now: datetime) -> dict[str, Any]:
    """A chart's alert of the minute before."""
    from tools.market.tradingview import COMPONENTS

    at = (now - timedelta(minutes=1)).replace(second=0)
    said = {
        "passphrase": "open sesame", "nonce": f"{now:%Y%m%dT%H%M%S}", "symbol": SYMBOLS[0],
        "time": at.isoformat().replace("+00:00", "Z"), "direction": "long", "grade": "A+",
        "score": 7.5, "confidence": 80, "entry": 120.0, "stop": 118.5, "targets": [122.0, 124.0],
        "components": dict.fromkeys(COMPONENTS, 0.5),
    }  # fmt: skip
    return _request("/api/tv-alert", httpMethod="POST", body=json.dumps(said))


def _record(cloud: Any) -> dict[str, Any]:
    """An order that was sent long ago, delivered once more."""
    from tests.infra.handlers.cloud import record

    (ticket, *_) = cloud.stage.rest.exchange.tickets
    return record(json.dumps({"order": ticket.client_order_id}), "m1")


def _question(cloud: Any) -> dict[str, str]:
    """A question that the live cycle has put on the board a moment ago."""
    from advisor.live.apart import QUESTIONS
    from advisor.live.elsewhere import Board, Put
    from quant_core.market_view import MarketView

    now = cloud.stage.now
    view = MarketView(
        as_of=now, minutes_since_open=300, symbols=(), equity=100_000.0, daily_loss=0.0,
        open_positions=0,
    )  # fmt: skip
    with cloud.store() as store:
        run = store.runs()[-1].run_id
    Board(cloud.given().bucket(f"{QUESTIONS}/{run}")).put(Put(view=view, asked_at=now))
    return {"run": run, "as_of": now.isoformat()}


# Orders


def _orders(folder: Path, server: str, moto: str) -> dict[str, Any]:
    """Seconds for the executor to send queued orders, batches repeated, and how many went twice."""
    from infra.handlers.live_cycle import LiveCycle
    from infra.handlers.trade_executor import TradeExecutor
    from tests.infra.handlers.cloud import scheduled

    symbols = tuple(f"S{number:03}" for number in range(SIGNALS))
    with _cloud(folder, server, moto, symbols=symbols) as cloud:
        cloud.at(1.05)
        cloud.tick(LiveCycle(cloud.given(), cloud.clock), left=900_000)
        ids = _decide(cloud, symbols)
        cloud.given()._enqueue(ids)
        executor = TradeExecutor(cloud.given(), _OnTheWall(cloud.stage))
        delivered, again = [], []
        started = perf_counter()
        while batch := cloud.taken():
            delivered += cloud.handed(executor, batch)
            again.append(batch)
        took = perf_counter() - started
        assert sorted(delivered) == sorted(ids)
        for batch in again:  # SQS delivers at least once
            cloud.handed(executor, batch)
        sent = [one.client_order_id for one in cloud.stage.rest.exchange.tickets]
        assert set(sent) == set(ids), f"{len(set(sent))} of {len(ids)} orders were sent"
        cold = _cold("nightly", cloud, cloud.environment, lambda: scheduled(cloud.stage.now))
    return {"executor": took, "twice": len(sent) - len(set(sent)), "nightly": cold}


def _decide(cloud: Any, symbols: tuple[str, ...]) -> list[str]:
    """Have the ledger decide on an order in every symbol, as a cycle does; gives their ids."""
    from advisor.bootstrap import Advisers, make_lanes
    from advisor.execution import entry_id
    from quant_core.calendar import to_minute
    from quant_core.desk import TRIGGERED
    from quant_core.types import Order, Setup
    from tools.outbox import OutboxRow
    from tools.store import Store

    given = cloud.given()
    lane = make_lanes(len(symbols), given.options(), given.settings, Advisers(None, None))[0]
    at = cloud.stage.now.replace(second=0) - timedelta(minutes=1)
    with Store.open(cloud.ledger) as store:
        run = store.runs()[-1].run_id
        state = store.checkpoint(run, lane.name)
        assert state is not None
        lane.restore(state)
        orders, setup = [], next(iter(Setup))
        for slot, symbol in zip(lane.desk.slots, symbols, strict=True):
            slot["state"], slot["side"], slot["setup"] = TRIGGERED, 1, 0
            slot["entry_quantity"], slot["signal_minute"] = 10, to_minute(at)
            price = cloud.stage.rest.exchange.prices[symbol]
            stop, target = 0.9 * price, 1.2 * price
            slot["reference"], slot["stop"], slot["target"] = price, stop, target
            orders.append(
                Order(
                    client_order_id=entry_id(lane.name, at, symbol, setup), symbol=symbol,
                    side=1, quantity=10, reference=price, stop=stop, target=target, decided_at=at,
                )
            )  # fmt: skip
        outbox = [OutboxRow.for_entry(one) for one in orders]
        store.commit_cycle(run, lane.name, None, orders, lane.checkpoint(), outbox=outbox)
    return [one.client_order_id for one in orders]


class _OnTheWall:
    """The stage's date, whose seconds are the machine's: what waits is measured."""

    def __init__(self, stage: Any) -> None:
        self._at, self._since = stage.now, perf_counter()

    def now(self) -> datetime:
        at: datetime = self._at + timedelta(seconds=perf_counter() - self._since)
        return at

    def monotonic(self) -> float:
        return perf_counter()

    def sleep(self, seconds: float) -> None:
        sleep(seconds)

    def wait(self, event: Any, until: datetime) -> None:
        event.wait(max((until - self.now()).total_seconds(), 0.0))


# The stack


@contextmanager
def _cloud(folder: Path, server: str, moto: str, symbols: tuple[str, ...]) -> Iterator[Any]:
    """What the templates make, and a market of so many symbols."""
    import boto3  # type: ignore[import-untyped]

    from quant_core.calendar import xnys
    from quant_core.synthetic import DEMO_SEED, synthetic_market
    from tests.infra.handlers.cloud import raised

    os.environ |= {
        "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": moto, "AWS_EC2_METADATA_DISABLED": "true",
        "XDG_STATE_HOME": str(folder / "state"),
    }  # fmt: skip
    _post(f"{moto}/moto-api/reset")

    def admin(service: str) -> Any:
        return boto3.client(service, endpoint_url=moto, region_name="us-east-1")

    market = synthetic_market(
        symbols, DAY - timedelta(days=HISTORY_DAYS), DAY, xnys(DAY.year - 3, DAY.year), DEMO_SEED
    )
    folder.mkdir()
    with raised(folder, server, admin, day=DAY, symbols=symbols, market=market) as cloud:
        os.environ["AWS_ENDPOINT_URL_LAMBDA"] = cloud.starts.url
        cloud.stage.heard = lambda _: False  # there is no stream to tell
        yield cloud


@contextmanager
def _moto() -> Iterator[str]:
    """The address of a moto server in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    place = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            with suppress(OSError):
                _post(f"{place}/moto-api/reset")
                break
            sleep(0.1)
        yield place
    finally:
        server.terminate()
        server.wait()


def _post(place: str) -> None:
    with urlopen(Request(place, b"", method="POST")) as answer:
        answer.read()


if __name__ == "__main__":
    if "--inside" in sys.argv:
        print(json.dumps(_inside()))
    else:
        for row in figures():
            print(f"{row.name}: {row.value:,.3g} {row.unit} (target {row.target})")
