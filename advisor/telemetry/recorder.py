"""The telemetry that records: counts and times into a registry, a line and a span for each event.

It stands at the ports. What a cycle commits passes through `RecordedLedger`, which is where it is
counted and logged: only what was really committed is, and each record once.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry

from advisor.lanes import Lane
from advisor.telemetry import lines
from advisor.telemetry.instruments import instruments
from advisor.telemetry.logs import about, event
from advisor.telemetry.names import BY_NAME
from advisor.telemetry.port import Telemetry
from advisor.telemetry.seams import RecordedBroker, RecordedLedger
from advisor.telemetry.tracing import spans
from quant_core.market_view import MarketView
from quant_core.types import (
    Analysis,
    Decision,
    Fill,
    OrderRejection,
    Signal,
    Status,
    Verdict,
)
from tools.ports import Analyst, Broker, Ledger, LedgerRecord, Validator

_log = logging.getLogger("advisor.telemetry")
Now = Callable[[], datetime]
_SPANS = {"broker": "order", "ledger": "commit"}


class Recorder(Telemetry):
    """The telemetry of one process. `now` is the market's time: the pace of a replay at a pace."""

    def __init__(
        self, registry: CollectorRegistry, run: str = "", now: Now = lambda: datetime.now(UTC)
    ) -> None:
        """Counts into a registry; `run` stands on every line."""
        self._metrics = instruments(registry, "process")
        self._run, self._now = run, now
        self._span = spans()
        # What the position of a lane in a symbol was decided as: fills do not say it themselves.
        self._decided: dict[tuple[str, str], str] = {}

    @contextmanager
    def cycle(self, lane: str, minute: datetime) -> Iterator[None]:
        """Time a cycle; a failure is counted, logged and passed on."""
        at = lines.instant(minute)
        with self._doing("cycle", "advisor_cycle_seconds", run=self._run, lane=lane, minute=at):
            yield
        ended = self._metrics["advisor_last_cycle_timestamp_seconds"].labels(lane)
        ended.set(self._now().timestamp())

    def decided(self, lane: str, closed: datetime) -> None:
        """Time from a bar's close to the end of its cycle."""
        delay = (self._now() - closed).total_seconds()
        self._metrics["advisor_bar_to_decision_seconds"].labels(lane).observe(max(delay, 0.0))

    def feed_lag(self, symbol: str, seconds: float) -> None:
        """Set the age of a symbol's newest bar."""
        self._metrics["advisor_feed_lag_seconds"].labels(symbol).set(seconds)

    def event(self, kind: str, count: int = 1) -> None:
        """Count what was processed."""
        self._metrics["advisor_events_processed_total"].labels(kind).inc(count)

    def failure(self, part: str, error: BaseException | str) -> None:
        """Count and log a failure."""
        kind = error if isinstance(error, str) else type(error).__name__
        self._metrics["advisor_failures_total"].labels(part, kind).inc()
        event("failure", logging.ERROR, part=part, kind=kind, reason=str(error))

    def queue_depth(self, queue: str, depth: int) -> None:
        """Set what waits in a queue."""
        self._metrics["advisor_queue_depth"].labels(queue).set(depth)

    def ledger(self, ledger: Ledger) -> Ledger:
        """The ledger, with every transaction timed, counted and logged."""
        return RecordedLedger(ledger, self)

    def broker(self, broker: Broker) -> Broker:
        """The broker, with every call timed and traced."""
        return RecordedBroker(broker, self)

    def watch(self, lanes: Iterable[Lane]) -> None:
        """Time and trace the analysts and validators of lanes, and know what they hold."""
        for lane in lanes:
            for record in lane.records:
                self._note(record, lane.name)
            if lane.analyst is not None:
                lane.analyst = self._analyst(lane.analyst, lane.name)
            if lane.validator is not None:
                lane.validator = self._validator(lane.validator, lane.name)

    def committing(self, lane: str) -> AbstractContextManager[None]:
        """Around a transaction of the ledger."""
        return self._doing("ledger", "advisor_commit_seconds", lane=lane)

    def calling(self, call: str, order: str = "", symbol: str = "") -> AbstractContextManager[None]:
        """Around a call to the broker."""
        what = {"call": call, "order": order, "symbol": symbol}
        named = {name: value for name, value in what.items() if value}
        return self._doing("broker", "advisor_broker_call_seconds", **named)

    def committed(self, run: str, lane: str, records: Iterable[LedgerRecord], bars: int) -> None:
        """Count and log what a transaction has put on record.

        It is committed: nothing that goes wrong here may look as if it were not.
        """
        try:
            self._tell(run, lane, records, bars)
        except Exception:
            _log.exception("a record was kept that could not be counted or logged")

    def _tell(self, run: str, lane: str, records: Iterable[LedgerRecord], bars: int) -> None:
        if bars:
            self.event("bar", bars)
        with about(run=run, lane=lane):
            for record in records:
                kind = type(record).__name__.lower()
                self.event(kind)
                if (part := _degraded(record)) is not None:
                    self._metrics["advisor_failures_total"].labels(part, "degraded").inc()
                self._note(record, lane)
                with about(**self._behind(record, lane)):
                    lines.write(record, lane)

    def _note(self, record: object, lane: str) -> None:
        if isinstance(record, Decision) and record.plan.quantity:
            signal = record.signal
            self._decided[lane, signal.symbol] = lines.decision_id(lane, signal)

    def _behind(self, record: object, lane: str) -> dict[str, str]:
        """The decision that a fill or a refusal goes back to: a symbol has one position."""
        if not isinstance(record, Fill | OrderRejection):
            return {}
        decision = self._decided.get((lane, record.symbol))
        return {"decision": decision} if decision else {}

    def _analyst(self, analyst: Analyst, lane: str) -> Analyst:
        def analyse(view: MarketView) -> Analysis:
            at = lines.instant(view.as_of)
            with self._doing(
                "analysis", "advisor_analysis_seconds", run=self._run, lane=lane, minute=at
            ):
                return analyst(view)

        return analyse

    def _validator(self, validator: Validator, lane: str) -> Validator:
        def validate(signal: Signal, view: MarketView) -> Verdict:
            decision = lines.decision_id(lane, signal)
            with self._doing(
                "validation", "advisor_validation_seconds", lane=lane, decision=decision
            ):
                return validator(signal, view)

        return validate

    @contextmanager
    def _doing(self, part: str, histogram: str, **what: str) -> Iterator[None]:
        """Around a piece of work: said on every line, traced, timed, its failures counted."""
        label = what[BY_NAME[histogram].labels[0]]
        with about(**what), self._span(_SPANS.get(part, part), **what), self._failing(part):
            began = time.perf_counter()
            try:
                yield
            finally:
                self._metrics[histogram].labels(label).observe(time.perf_counter() - began)

    @contextmanager
    def _failing(self, part: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.failure(part, error)
            raise


def _degraded(record: LedgerRecord) -> str | None:
    """Whose opinion did not come about as intended; None when all did."""
    if isinstance(record, Decision):
        verdict = record.verdict
        return "validation" if verdict and verdict.status is Status.DEGRADED else None
    status = getattr(record, "status", Status.OK)
    return type(record).__name__.lower() if status is Status.DEGRADED else None
