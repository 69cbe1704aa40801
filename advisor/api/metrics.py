"""What Prometheus may scrape: requests by route, time and status, and open streams."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """The metrics of one API, in a registry of its own."""

    def __init__(self) -> None:
        """All at zero."""
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "advisor_api_requests", "Requests answered.", ["method", "route", "status"],
            registry=self.registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "advisor_api_request_seconds", "Time to the first byte of the answer.", ["route"],
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self._refused = Counter(
            "advisor_api_refused", "Requests refused before they were handled.", ["reason"],
            registry=self.registry,
        )  # fmt: skip
        self._streams = Gauge(
            "advisor_api_streams", "Event streams that are open.", registry=self.registry
        )
        self.open_streams = 0

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def refused(self, reason: str) -> None:
        """Count one request that was turned away."""
        self._refused.labels(reason).inc()

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Count a stream for as long as it is open."""
        self.open_streams += 1
        self._streams.set(self.open_streams)
        try:
            yield
        finally:
            self.open_streams -= 1
            self._streams.set(self.open_streams)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)
