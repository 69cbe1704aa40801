"""Rules and dashboards ask only for what is served, and lead to what is to be done."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from advisor.telemetry.names import METRICS
from infra.dashboards import DASHBOARDS, FOLDER, text_of
from tests.infra.promql import INFRA, faults

RULES = INFRA / "prometheus" / "rules.yml"
OPERATIONS = INFRA.parent / "docs" / "operations.md"
GROUPS = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
RULE_LIST = [rule for group in GROUPS for rule in group["rules"]]
RECORDED = {rule["record"] for rule in RULE_LIST if "record" in rule}
ALERTS = {rule["alert"]: rule for rule in RULE_LIST if "alert" in rule}
DURATION = re.compile(r"\d+(ms|[smhd])")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made where it is read."""
    found = re.findall(r"^#{1,6} (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).strip().replace(" ", "-") for one in found}


def test_there_are_enough_alerts_and_each_is_named_once() -> None:
    names = [rule["alert"] for rule in RULE_LIST if "alert" in rule]
    assert len(names) == len(set(names)) >= 12


@pytest.mark.parametrize("rule", RULE_LIST, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_asks_for_metrics_that_are_served(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "record", "expr", "for", "labels", "annotations"}
    assert list(faults(rule["expr"], RECORDED)) == []
    assert DURATION.fullmatch(rule.get("for", "1m"))


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_happened_and_where_it_says_what_to_do(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert page == "docs/operations.md"
    assert anchor == name.lower()
    assert anchor in anchors(OPERATIONS)


def test_every_runbook_has_an_alert() -> None:
    text = OPERATIONS.read_text(encoding="utf-8")
    section = text.split("\n## What to do for each alert\n")[1].split("\n## ")[0]
    assert set(re.findall(r"^### (\w+)$", section, re.MULTILINE)) == set(ALERTS)


def test_a_wrong_query_would_be_found() -> None:
    assert list(faults("sum(advisor_nothing_total)", RECORDED))
    assert list(faults('advisor_positions{setup="MR"}', RECORDED))
    assert list(faults("max by (symbol) (advisor_positions)", RECORDED))
    assert list(faults("max(advisor_positions", RECORDED))
    assert not list(faults('max by (lane) (advisor_positions{lane="advised"})', RECORDED))


def queries(dashboard: dict[str, Any]) -> list[str]:
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_file_is_what_the_module_writes(name: str) -> None:
    kept = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert kept == text_of(DASHBOARDS[name]), "run: python -m infra.dashboards"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_asks_for_metrics_that_are_served(name: str) -> None:
    model = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert queries(model)
    for query in queries(model):
        assert list(faults(query, RECORDED)) == [], query


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_is_whole(name: str) -> None:
    """Unique ids, a known data source, panels that neither overlap nor leave the page."""
    model = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    source = yaml.safe_load(
        (INFRA / "grafana/provisioning/datasources/prometheus.yml").read_text(encoding="utf-8")
    )["datasources"][0]
    taken: set[tuple[int, int]] = set()
    for panel in model["panels"]:
        assert panel["title"]
        assert panel["datasource"]["uid"] == source["uid"]
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells
    ids = [panel["id"] for panel in model["panels"]]
    assert len(ids) == len(set(ids))


def test_dashboards_have_uids_of_their_own_and_every_metric_is_looked_at() -> None:
    models = [json.loads((FOLDER / f"{name}.json").read_text("utf-8")) for name in DASHBOARDS]
    assert len({model["uid"] for model in models}) == len(DASHBOARDS) == 5
    asked = " ".join([query for model in models for query in queries(model)])
    asked += " ".join(rule["expr"] for rule in RULE_LIST)
    unseen = [m.name for m in METRICS if not any(series in asked for series in m.series)]
    # What refused a caller, how many watch, and when this very process last cycled are for a
    # person who looks into it.
    assert unseen == [
        "advisor_last_cycle_timestamp_seconds",
        "advisor_api_refused_total",
        "advisor_api_streams",
    ]


@pytest.fixture(scope="session")
def promtool() -> str:
    """Prometheus' own checker, where it is installed."""
    found = os.environ.get("PROMTOOL") or shutil.which("promtool")
    if not found:
        pytest.skip(
            "promtool is not installed (it comes with Prometheus); set PROMTOOL to its path"
        )
    return found


def test_promtool_agrees_and_alerts_fire_when_they_should(promtool: str) -> None:
    for command in (
        ["check", "rules", RULES],
        ["test", "rules", RULES.with_name("rules.test.yml")],
    ):
        done = subprocess.run([promtool, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_reads_every_query_of_the_dashboards(promtool: str, tmp_path: Path) -> None:
    rules = [
        {"record": f"checked:{i}".replace(":", ":q"), "expr": as_asked(query)}
        for i, query in enumerate(
            query
            for name in DASHBOARDS
            for query in queries(json.loads((FOLDER / f"{name}.json").read_text("utf-8")))
        )
    ]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    done = subprocess.run(
        [promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def as_asked(query: str) -> str:
    """A query with what Grafana puts in place of its variables."""
    return query.replace("$__rate_interval", "1m").replace("$lane", ".*")
