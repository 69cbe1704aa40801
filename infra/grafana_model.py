"""A Grafana dashboard as a list of questions, and the JSON model that Grafana imports.

A dashboard is a list of rows of panels, a panel a question and its queries; sizes, ids and colours
follow. Nothing here can be changed in Grafana: what is shown is what was reviewed.
"""

from dataclasses import dataclass
from typing import Any

DATASOURCE = {"type": "prometheus", "uid": "prometheus"}
_WIDTH = 24


@dataclass(frozen=True, slots=True)
class Panel:
    """One question: a title, queries with the legends of their series, a unit of Grafana's.

    `form` is `timeseries`, `stat`, `table` or `state-timeline`; `limit` draws a line; `mapping`
    words for values.
    """

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    form: str = "timeseries"
    meaning: str = ""
    limit: float | None = None
    mapping: tuple[tuple[str, str, str], ...] = ()  # value, word, colour
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page of rows; the panels of a row share its width."""

    uid: str
    title: str
    rows: tuple[tuple[Panel, ...], ...]


def model(dashboard: Dashboard) -> dict[str, Any]:
    """A dashboard as Grafana imports it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row in dashboard.rows:
        height = 4 if all(panel.form == "stat" for panel in row) else 8
        width = _WIDTH // len(row)
        for place, panel in enumerate(row):
            at = {"x": place * width, "y": top, "w": width, "h": height}
            panels.append(_panel(panel, len(panels) + 1, at))
        top += height
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["advisor"],
        "timezone": "America/New_York",
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-8h", "to": "now"},
        "templating": {"list": [_lanes()]},
        "links": [
            {"type": "dashboards", "tags": ["advisor"], "title": "Advisor", "asDropdown": False}
        ],
        "panels": panels,
    }


def _lanes() -> dict[str, Any]:
    return {
        "name": "lane",
        "label": "Lane",
        "type": "query",
        "datasource": DATASOURCE,
        "query": "label_values(advisor_equity_usd, lane)",
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _panel(panel: Panel, number: int, at: dict[str, int]) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "text", "value": None}]
    defaults: dict[str, Any] = {"unit": panel.unit}
    if panel.mapping:
        words = {v: {"text": word, "color": colour} for v, word, colour in panel.mapping}
        defaults["mappings"] = [{"type": "value", "options": words}]
    if panel.limit is not None:
        steps.append({"color": "red", "value": panel.limit})
        defaults["custom"] = {"thresholdsStyle": {"mode": "line"}}
    defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    if panel.stacked:
        defaults["custom"] = {"stacking": {"mode": "normal"}, "fillOpacity": 30}
    return {
        "id": number,
        "type": panel.form,
        "title": panel.title,
        "description": panel.meaning,
        "datasource": DATASOURCE,
        "gridPos": at,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {"colorMode": "value", "textMode": "value_and_name"}
        if panel.form == "stat"
        else {},
        "targets": [
            {
                "refId": chr(ord("A") + i),
                "datasource": DATASOURCE,
                "expr": expression,
                "legendFormat": legend,
                "instant": panel.form in ("stat", "table"),
                "format": "table" if panel.form == "table" else "time_series",
            }
            for i, (expression, legend) in enumerate(panel.queries)
        ],
    }
