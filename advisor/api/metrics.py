"""What Prometheus may scrape from a server: its own counts, and the ledger's newest run."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry

from advisor.api.view import LedgerView
from advisor.telemetry.from_ledger import LedgerCollector
from advisor.telemetry.instruments import instruments, text_of


class Metrics:
    """The metrics of one API, in the registry of its process."""

    def __init__(self, view: LedgerView | None = None) -> None:
        """All at zero; with a view, the ledger's metrics stand beside them."""
        self.registry = CollectorRegistry()
        self._own = instruments(self.registry, "api")
        if view is not None:
            self.registry.register(LedgerCollector(view))
        self.open_streams = 0

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer."""
        self._own["advisor_api_requests_total"].labels(method, route, str(status)).inc()
        self._own["advisor_api_request_seconds"].labels(route).observe(seconds)

    def refused(self, reason: str) -> None:
        """Count one request that was turned away."""
        self._own["advisor_api_refused_total"].labels(reason).inc()

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Count a stream for as long as it is open."""
        self.open_streams += 1
        self._own["advisor_api_streams"].set(self.open_streams)
        try:
            yield
        finally:
            self.open_streams -= 1
            self._own["advisor_api_streams"].set(self.open_streams)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return text_of(self.registry)
