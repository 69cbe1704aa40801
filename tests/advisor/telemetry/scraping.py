"""What Prometheus would read."""

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from advisor.api.view import LedgerView
from advisor.telemetry.from_ledger import LedgerCollector
from advisor.telemetry.instruments import text_of
from tools.store import Store
from tools.store.paging import Pages

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(registry: CollectorRegistry) -> Samples:
    """Every sample by name and labels."""
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text_of(registry).decode())
        for one in family.samples
    }


def of_ledger(store: Store) -> Samples:
    """The samples that come from a ledger."""
    registry = CollectorRegistry()
    registry.register(LedgerCollector(LedgerView(Pages(store))))
    return samples(registry)


def value(found: Samples, name: str, **labels: str) -> float:
    """One sample; KeyError when there is none."""
    return found[name, tuple(sorted(labels.items()))]
