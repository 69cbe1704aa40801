"""The templates' resources on moto's services, and calls as AWS makes them."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg

from advisor.bootstrap import ReplayOptions
from advisor.market import MarketRequest, prepare_market
from advisor.replay import replay
from advisor.settings import Settings
from infra.handlers.given import Given
from infra.handlers.live_cycle import LiveCycle
from infra.handlers.trade_executor import TradeExecutor
from quant_core.calendar import to_datetime
from tests.advisor.live.theatre import StageClock, Theatre, theatre
from tests.stand_ins.alpaca import KEY, SECRET
from tools.store.store import Store

_NUMBERS = itertools.count(1)


class Context:
    """What AWS hands to a function; `left` is its time in milliseconds."""

    def __init__(self, left: int = 55_000) -> None:
        self.left = left

    def get_remaining_time_in_millis(self) -> int:
        return self.left


class Starts:
    """Lambda's Invoke, as much of it as starting a function needs; `told` is what it was given."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        starts = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                assert self.path == "/2015-03-31/functions/analysis/invocations"
                assert self.headers["x-amz-invocation-type"] == "Event"
                starts.told.append(json.loads(body))
                self.send_response(202)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Cloud:
    """What a stack has, and the market outside."""

    def __init__(
        self, folder: Path, ledger: str, admin: Callable[[str], Any], stage: Theatre, starts: Starts
    ) -> None:
        self.folder, self.stage, self.admin, self.starts = folder, stage, admin, starts
        self.clock = StageClock(stage)
        self.s3, self.sqs = admin("s3"), admin("sqs")
        self.s3.create_bucket(Bucket="archive")
        self.dead = self._queue("dead.fifo")
        self.orders = self._queue("orders.fifo")
        self.alerts = self._queue("alerts.fifo")
        self.no_alerts = self._queue("no-alerts.fifo")
        secrets = admin("secretsmanager")
        keys = {"APCA_API_KEY_ID": KEY, "APCA_API_SECRET_KEY": SECRET}
        broker = secrets.create_secret(Name="broker", SecretString=json.dumps(keys))["ARN"]
        login = {"username": "postgres", "password": "local"}
        database = secrets.create_secret(Name="db", SecretString=json.dumps(login))["ARN"]
        webhook = secrets.create_secret(Name="webhook", SecretString="open sesame")["ARN"]
        self.ledger = ledger
        self.environment = {
            "STAGE": "dev",
            "LEDGER_URL": ledger,
            "LEDGER_SECRET": database,
            "BROKER_SECRET": broker,
            "WEBHOOK_SECRET": webhook,
            "ARCHIVE_BUCKET": "archive",
            "TRADE_QUEUE_URL": self.orders,
            "TRADE_DEAD_LETTERS_URL": self.dead,
            "WEBHOOK_QUEUE_URL": self.alerts,
            "WEBHOOK_DEAD_LETTERS_URL": self.no_alerts,
            "ANALYSIS_FUNCTION": "analysis",
            "AWS_REGION": "us-east-1",
            "ADVISOR_WATCHLIST": ",".join(stage.symbols),
            "ADVISOR_BROKER__BASE_URL": stage.rest.url,
            "ADVISOR_BROKER__DATA_URL": stage.rest.url,
            "ADVISOR_SPENDING__FILE": str(folder / "state" / "spending.sqlite"),
        }
        for name, source in (("1min", stage.history), ("1day", stage.days)):
            for file in sorted(source.glob("*.parquet")):
                key = f"lake/timeframe={name}/{file.name}"
                self.s3.put_object(Bucket="archive", Key=key, Body=file.read_bytes())

    def _queue(self, name: str) -> str:
        made = self.sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"})
        return str(made["QueueUrl"])

    def given(self, **more: str) -> Given:
        """What a new container is given; `more` in the environment, empty for not set."""
        chosen = {k: v for k, v in (self.environment | more).items() if v}
        return Given(chosen, self.folder / f"container-{next(_NUMBERS)}")

    def at(self, minute: float) -> datetime:
        """Let time pass until so many minutes after the open."""
        moment = to_datetime(self.stage.session.open) + timedelta(minutes=minute)
        self.stage.until(moment)
        return moment

    def tick(self, cycle: LiveCycle, left: int = 55_000) -> dict[str, Any]:
        """A call of the schedule, for now."""
        return cycle(scheduled(self.stage.now), Context(left))

    def deliver(self, executor: TradeExecutor, left: int = 60_000) -> list[str]:
        """What the queue holds, to the executor as AWS does it; the orders that were delivered."""
        batch = self.taken()
        return self.handed(executor, batch, left) if batch else []

    def taken(self) -> list[dict[str, Any]]:
        """The next batch of the queue's messages; none when none can be seen."""
        found: list[dict[str, Any]] = self.sqs.receive_message(
            QueueUrl=self.orders, MaxNumberOfMessages=10, VisibilityTimeout=360,
            AttributeNames=["All"], MessageAttributeNames=["All"],
        ).get("Messages", [])  # fmt: skip
        return found

    def handed(
        self, executor: TradeExecutor, batch: list[dict[str, Any]], left: int = 60_000
    ) -> list[str]:
        """A batch to the executor, what it has dealt with out of the queue; the batch's orders."""
        records = [record(one["Body"], one["MessageId"]) for one in batch]
        answer = executor({"Records": records}, Context(left))
        again = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
        for one in batch:
            if one["MessageId"] not in again:
                self.sqs.delete_message(QueueUrl=self.orders, ReceiptHandle=one["ReceiptHandle"])
        return [json.loads(one["Body"])["order"] for one in batch]

    def letters(self, queue: str = "") -> list[dict[str, Any]]:
        """What lies among the dead letters, those of orders unless another queue is named."""
        found = self.sqs.receive_message(QueueUrl=queue or self.dead, MaxNumberOfMessages=10)
        return [json.loads(one["Body"]) for one in found.get("Messages", [])]

    def replayed(self, options: ReplayOptions | None = None) -> Any:
        """The replay of the bars that the session kept, over the same history."""
        kept = self.folder / "kept"
        kept.mkdir(exist_ok=True)
        day = self.stage.session.date
        body = self.s3.get_object(Bucket="archive", Key=f"live/bars/{day}.csv")["Body"].read()
        (kept / f"{day}.csv").write_bytes(body)
        request = MarketRequest(
            bars=(self.stage.history, kept), daily=self.stage.days, first=day, last=day,
            symbols=self.stage.symbols,
        )  # fmt: skip
        settings = Settings()
        market = prepare_market(request, settings)
        return replay(request, options or ReplayOptions(), settings, market, self.folder / "replay")

    def store(self) -> Store:
        """The ledger, to be read."""
        return Store.open(self.ledger, read_only=True)


def scheduled(moment: datetime) -> dict[str, str]:
    """EventBridge Scheduler's event, by the template's input."""
    at = moment.astimezone(UTC).replace(second=0, microsecond=0)
    return {"scheduled": at.isoformat().replace("+00:00", "Z")}


def record(body: Any, message: str, queue: str = "orders.fifo") -> dict[str, Any]:
    """A message as SQS gives it to a function."""
    return {
        "messageId": message,
        "receiptHandle": f"receipt of {message}",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1741787460000",
            "SequenceNumber": "18849496460467696128",
            "MessageGroupId": "orders",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "MessageDeduplicationId": message,
            "ApproximateFirstReceiveTimestamp": "1741787460001",
        },
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{queue}",
        "awsRegion": "us-east-1",
    }


@contextmanager
def raised(folder: Path, server: str, admin: Callable[[str], Any], **scene: Any) -> Iterator[Cloud]:
    """A cloud with a database of its own; `scene` is what the theatre plays."""
    name = f"cloud_{next(_NUMBERS)}_{abs(hash(str(folder))) % 10**9}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    starts = Starts()
    with theatre(folder, **scene) as stage:
        yield Cloud(folder, _in(server, name), admin, stage, starts)
    starts.close()


def _in(server: str, database: str) -> str:
    place, mark, query = server.partition("?")
    return f"{place.rsplit('/', 1)[0]}/{database}{mark}{query}"
