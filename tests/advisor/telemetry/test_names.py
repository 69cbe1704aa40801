"""The list of names is what is served: every name, with its labels, and no other."""

import re

from prometheus_client import CollectorRegistry

from advisor.telemetry.from_ledger import LedgerCollector
from advisor.telemetry.instruments import instruments
from advisor.telemetry.names import BY_NAME, METRICS, SERIES


def test_names_follow_prometheus_own_rules_and_are_used_once() -> None:
    assert len(BY_NAME) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(r"advisor_[a-z_]+[a-z]", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter"), metric.name
        assert (metric.kind == "histogram") == bool(metric.buckets)
        assert list(metric.buckets) == sorted(set(metric.buckets))
        assert metric.meaning.endswith("."), metric.name


def test_every_metric_is_served_under_its_name_in_one_registry() -> None:
    registry = CollectorRegistry()
    made = instruments(registry, "process") | instruments(registry, "api")
    registry.register(LedgerCollector.__new__(LedgerCollector))  # registering reads nothing
    for name, instrument in made.items():
        assert list(instrument._labelnames) == list(BY_NAME[name].labels)
    described = {
        series
        for family in LedgerCollector.__new__(LedgerCollector).describe()
        for series in (f"{family.name}_total" if family.type == "counter" else family.name,)
    }
    ledgers = {metric.name for metric in METRICS if metric.home == "ledger"}
    assert described == ledgers
    assert set(made) | ledgers == set(BY_NAME)
    assert "advisor_cycle_seconds_bucket" in SERIES
