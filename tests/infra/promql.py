"""What can be said of a query without Prometheus: its metrics, their labels, its brackets."""

import re
from collections.abc import Iterator
from pathlib import Path

from advisor.telemetry.names import METRICS

INFRA = Path(__file__).resolve().parents[2] / "infra"
_SELECTOR = re.compile(r"\b(advisor(?:_|:)[a-z0-9_:]+)(?:\{([^}]*)\})?")
_LABEL = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')
_GROUPED = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_BY_SERIES = {series: metric for metric in METRICS for series in metric.series}
FROM_PROMETHEUS = {"job", "instance"}


def faults(query: str, recorded: set[str]) -> Iterator[str]:
    """What is wrong with a query: unknown metrics and labels, brackets that do not match."""
    groups: set[str] = set()
    for name, matchers in _SELECTOR.findall(query):
        if name in recorded:
            continue
        metric = _BY_SERIES.get(name)
        if metric is None:
            yield f"{name} is no metric of advisor.telemetry.names"
            continue
        known = {*metric.labels, "le"} | FROM_PROMETHEUS
        groups |= known
        yield from (
            f"{name} has no label {label}"
            for label in _LABEL.findall(matchers)
            if label not in known
        )
    for labels in _GROUPED.findall(query):
        for label in filter(None, map(str.strip, labels.split(","))):
            if groups and label not in groups:
                yield f"grouped by {label}, which none of its metrics has"
    for opening, closing in ("()", "{}", "[]"):
        if query.count(opening) != query.count(closing):
            yield f"{opening}{closing} do not match"
