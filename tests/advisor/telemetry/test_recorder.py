"""A process that is observed: the same decisions, and everything counted, timed, logged, traced."""

import io
import json
import logging
import socket
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from advisor.bootstrap import Advisers, make_lanes
from advisor.cycle import dependencies
from advisor.demo import demo_market, demo_request
from advisor.results import ReplayResult
from advisor.session import run_day, trading_day
from advisor.settings import Settings, TelemetrySettings
from advisor.telemetry import SILENT, Telemetry, logs, tracing
from advisor.telemetry.recorder import Recorder
from advisor.telemetry.serving import open_telemetry
from quant_core import rules
from quant_core.types import Analysis, Decision, Order, Status, Verdict
from tests.advisor.telemetry.conftest import OPTIONS
from tests.advisor.telemetry.scraping import Samples, samples, value
from tests.tools.store.examples import DECISION
from tools.errors import BadInput, Transient
from tools.store import Store

DEMO = (demo_request(), Settings())


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    stream, root = io.StringIO(), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    logs.configure("json", stream=stream, environment={})
    yield stream
    root.handlers, root.level = handlers, level
    logging.getLogger("advisor").setLevel(logging.NOTSET)


def lived(folder: Path, telemetry: Telemetry) -> Any:
    """The demo's session through the advised lane, in cycles as live; returns the lane."""
    request, settings = DEMO
    market = demo_market(request, settings)
    lanes = make_lanes(5, OPTIONS, settings, Advisers(rules.analyse, rules.validate))[:1]
    telemetry.watch(lanes)
    with Store.open(folder / "ledger.sqlite", synchronous="NORMAL") as store:
        store.start_run("run", kind="replay", config_hash="", code_version="", config_json="{}")
        deps = dependencies("run", settings, store, telemetry)
        day = trading_day(market, market.sessions[0], settings)
        for row in range(1, day.session.minutes + 1):
            run_day(lanes, day, deps, lambda *_: None, until=row)
    return lanes[0]


def test_what_is_observed_decides_the_same(
    tmp_path: Path, written: io.StringIO, session: tuple[Path, ReplayResult]
) -> None:
    registry = CollectorRegistry()
    close = datetime(2026, 10, 14, 20, 0, 1, tzinfo=UTC)
    lane = lived(tmp_path, Recorder(registry, "run", now=lambda: close))
    plain = session[1].lanes["advised"]
    decided = [record for record in lane.records if isinstance(record, Decision)]
    assert list(map(repr, decided)) == list(map(repr, plain.decisions))  # a NaN is not itself

    found = samples(registry)
    kinds = Counter(type(record).__name__.lower() for record in lane.records)
    for kind, count in kinds.items():
        assert value(found, "advisor_events_processed_total", kind=kind) == count
    assert value(found, "advisor_events_processed_total", kind="bar") == 5 * 390
    assert value(found, "advisor_cycle_seconds_count", lane="advised") == 390
    assert value(found, "advisor_commit_seconds_count", lane="advised") == 390
    assert value(found, "advisor_analysis_seconds_count", lane="advised") == kinds["analysis"]
    assert value(found, "advisor_last_cycle_timestamp_seconds", lane="advised") == close.timestamp()
    # The last bar closed a second before `now`, the others minutes before.
    assert value(found, "advisor_bar_to_decision_seconds_bucket", lane="advised", le="1.0") == 1

    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    orders = [record for record in lane.records if isinstance(record, Order)]
    logged = [line for line in lines if line["event"] == "order"]
    assert [line["order"] for line in logged] == [one.client_order_id for one in orders]
    assert all(line["run"] == "run" and line["lane"] == "advised" for line in logged)
    assert all(line["minute"].startswith("2026-10-14T") for line in logged)
    trades = [line for line in lines if line["event"] == "trade"]
    assert {line["decision"] for line in trades} <= {line["decision"] for line in logged}
    fills = [line for line in lines if line["event"] == "fill"]
    assert len(fills) >= 2 * len(trades) > 0
    for trade in trades:  # one search finds all of it
        filled = [line for line in fills if line["decision"] == trade["decision"]]
        sides = {line["side"]: line["quantity"] for line in filled}
        assert sides == {trade["side"]: trade["quantity"], -trade["side"]: trade["quantity"]}


ORDER = Order(
    client_order_id="advised-1", symbol="SPY", side=1, quantity=1, reference=1.0, stop=0.5,
    target=2.0, decided_at=datetime(2026, 1, 5, 15, tzinfo=UTC),
)  # fmt: skip


def failing(registry: CollectorRegistry, act: Any) -> Samples:
    with pytest.raises(Transient):
        act(Recorder(registry, "run"))
    return samples(registry)


def test_failures_are_counted_by_part_and_kind_and_passed_on(written: io.StringIO) -> None:
    class Ledger:
        def commit_cycle(self, *_: Any, **__: Any) -> None:
            raise Transient("the disk is full")

    class Broker:
        def place(self, order: Order) -> None:
            raise Transient(f"503 for {order.client_order_id}")

    def commit(recorder: Recorder) -> None:
        recorder.ledger(Ledger()).commit_cycle("run", "advised", None, [ORDER], None)  # type: ignore[arg-type]

    found = failing(CollectorRegistry(), commit)
    assert value(found, "advisor_failures_total", part="ledger", kind="Transient") == 1
    # What was not committed did not happen.
    assert not [key for key in found if key[0] == "advisor_events_processed_total"]
    found = failing(
        CollectorRegistry(),
        lambda recorder: recorder.broker(Broker()).place(ORDER),  # type: ignore[arg-type]
    )
    assert value(found, "advisor_failures_total", part="broker", kind="Transient") == 1
    assert value(found, "advisor_broker_call_seconds_count", call="place") == 1
    line = json.loads(written.getvalue().splitlines()[-1])
    assert (line["part"], line["order"], line["level"]) == ("broker", "advised-1", "error")


def test_what_is_committed_stays_so_when_it_cannot_be_told(written: io.StringIO) -> None:
    class Ledger:
        kept = 0

        def commit_cycle(self, *_: Any, **__: Any) -> None:
            self.kept += 1

    ledger = Ledger()
    recorded = Recorder(CollectorRegistry(), "run").ledger(ledger)  # type: ignore[arg-type]
    odd: Any = replace(ORDER, decided_at=None, stop=object())
    broken: Any = Decision(signal=None, plan=None)  # type: ignore[arg-type]
    recorded.commit_cycle("run", "advised", None, [odd, broken, ORDER], None)
    assert ledger.kept == 1
    last = json.loads(written.getvalue().splitlines()[-1])
    assert last["level"] == "error"
    assert "AttributeError" in last["error"]


def test_an_answer_that_is_degraded_is_a_failure(written: io.StringIO, tmp_path: Path) -> None:
    def silent(view: Any) -> Analysis:
        raise TimeoutError("no answer in 45 s")

    registry, (request, settings) = CollectorRegistry(), DEMO
    market = demo_market(request, settings)
    recorder = Recorder(registry, "run")
    options = replace(OPTIONS, validation="off")
    lanes = make_lanes(5, options, settings, Advisers(silent, None))[:1]
    recorder.watch(lanes)
    with Store.open(tmp_path / "ledger.sqlite") as store:
        store.start_run("run", kind="replay", config_hash="", code_version="", config_json="{}")
        deps = dependencies("run", settings, store, recorder)
        day = trading_day(market, market.sessions[0], settings)
        run_day(lanes, day, deps, lambda *_: None, until=20)
    found = samples(registry)
    assert value(found, "advisor_failures_total", part="analysis", kind="TimeoutError") == 2
    assert value(found, "advisor_failures_total", part="analysis", kind="degraded") == 2


def test_a_verdict_that_is_degraded_is_a_failure_of_validation() -> None:
    failed = Verdict(ruling="abstain", status=Status.DEGRADED, degraded_reason="timeout")
    registry = CollectorRegistry()
    recorder = Recorder(registry, "run")
    told = [replace(DECISION, verdict=failed), replace(DECISION, verdict=None)]
    recorder.committed("run", "advised", told, 0)
    found = samples(registry)
    assert value(found, "advisor_failures_total", part="validation", kind="degraded") == 1


def test_spans_where_opentelemetry_is_set_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: provider)
    monkeypatch.setattr("opentelemetry.trace.get_tracer", provider.get_tracer)
    lived(tmp_path, Recorder(CollectorRegistry(), "run"))
    spans = kept.get_finished_spans()
    assert {span.name for span in spans} == {"cycle", "analysis", "validation", "commit"}
    by_id = {span.context.span_id: span for span in spans}
    for span in spans:
        if span.name == "validation":
            assert span.parent is not None
            assert by_id[span.parent.span_id].name == "cycle"
            assert str(span.attributes["advisor.decision"]).startswith("advised-20261014-")


def test_without_a_provider_nobody_asks_for_spans() -> None:
    assert tracing.spans() is tracing.no_span


def test_silence_changes_nothing() -> None:
    ledger, broker = object(), object()
    assert SILENT.ledger(ledger) is ledger  # type: ignore[arg-type]
    assert SILENT.broker(broker) is broker  # type: ignore[arg-type]
    with SILENT.cycle("advised", datetime.now(UTC)):
        SILENT.decided("advised", datetime.now(UTC))


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_metrics_on_a_port_with_the_ledgers_beside_them(session: tuple[Path, Any]) -> None:
    settings = TelemetrySettings(metrics_port=free_port())
    with (
        Store.open(session[0], read_only=True) as store,
        open_telemetry(settings, "run", store) as telemetry,
    ):
        telemetry.feed_lag("SPY", 2.5)
        telemetry.queue_depth("alerts", 3)
        address = f"http://127.0.0.1:{settings.metrics_port}/metrics"
        with urllib.request.urlopen(address, timeout=10) as answer:
            text = answer.read().decode()
        assert 'advisor_feed_lag_seconds{symbol="SPY"} 2.5' in text
        assert 'advisor_queue_depth{queue="alerts"} 3.0' in text
        assert 'advisor_run_info{kind="replay"' in text
        with (
            pytest.raises(BadInput, match=str(settings.metrics_port)),
            open_telemetry(settings, "another"),
        ):
            pass
    with open_telemetry(settings, "another"):  # the port was given back
        pass
