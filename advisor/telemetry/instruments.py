"""Metrics in a registry of Prometheus' own library, made from the list of names."""

from typing import Any, Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from advisor.telemetry.names import METRICS, Metric

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series beside each that nobody asks for
TEXT = "text/plain; version=0.0.4; charset=utf-8"


def instruments(registry: CollectorRegistry, home: Literal["process", "api"]) -> dict[str, Any]:
    """The metrics counted in one place, by name, all at zero."""
    return {metric.name: _made(metric, registry) for metric in METRICS if metric.home == home}


def _made(metric: Metric, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    if metric.kind == "histogram":
        return Histogram(
            metric.name, metric.meaning, metric.labels, buckets=metric.buckets, registry=registry
        )
    kind = Counter if metric.kind == "counter" else Gauge
    return kind(metric.name, metric.meaning, metric.labels, registry=registry)


def text_of(registry: CollectorRegistry) -> bytes:
    """Everything in Prometheus' text format."""
    return generate_latest(registry)
