"""Telemetry for the duration of a process: logs set up, metrics on a port, a recorder to tell.

The port serves without a key: it is for a scraper on this machine or a private network, and it
holds counts and the account's figures, no secrets. `advisor serve` has `/metrics` behind its keys
as well.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from advisor.settings import TelemetrySettings
from advisor.telemetry.port import Telemetry
from tools.clock import Clock
from tools.errors import BadInput, NotConfigured
from tools.store.store import Store

try:
    from prometheus_client import CollectorRegistry, start_http_server
except ModuleNotFoundError as missing:
    raise NotConfigured("prometheus_client is missing: pip install -e '.[live,api]'") from missing


@contextmanager
def open_telemetry(
    settings: TelemetrySettings,
    run: str,
    store: Store | None = None,
    clock: Clock | None = None,
) -> Iterator[Telemetry]:
    """A recorder of a run; its metrics, and those of a ledger, are on the settings' port.

    `clock` is the market's where that is not the machine's. BadInput when the port is taken.
    """
    from advisor.telemetry.recorder import Recorder

    registry = CollectorRegistry()
    if store is not None and settings.metrics_port:  # else nobody could ask for them
        from advisor.api.view import LedgerView
        from advisor.telemetry.from_ledger import LedgerCollector
        from tools.store.paging import Pages

        registry.register(LedgerCollector(LedgerView(Pages(store))))
    now = (lambda: datetime.now(UTC)) if clock is None else clock.now
    with served(registry, settings):
        yield Recorder(registry, run, now)


@contextmanager
def served(registry: CollectorRegistry, settings: TelemetrySettings) -> Iterator[None]:
    """Serve a registry on the settings' port while this lasts; nothing when it is 0."""
    if settings.metrics_port == 0:
        yield
        return
    address = f"{settings.metrics_host}:{settings.metrics_port}"
    try:
        server, thread = start_http_server(
            settings.metrics_port, settings.metrics_host, registry=registry
        )
    except OSError as error:
        raise BadInput(
            f"cannot serve metrics on {address} ({error.strerror or error}); set another "
            "telemetry.metrics_port, or 0 for none"
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
