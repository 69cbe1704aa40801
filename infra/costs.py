"""What a month on AWS costs, from the templates' own sizes and list prices.

Prices are on-demand list prices of us-east-1 in dollars; they change, and the bill decides. They
were compared in November 2026 with what is published of AWS's price pages between February and
August 2026 (cloudburn.io, infratally.com, factualminds.com, Infracost), and agree; t3.medium.search
and S3 were found nowhere and stand as AWS gave them in 2025. Free tiers are left out. Sizes are
read from the templates, so the estimate follows them. Models are not in it: they have a budget of
their own (`llm_budget.usd_per_day`).
"""

from dataclasses import dataclass

from infra.templates import resources, sizes

HOURS = 730
SESSIONS = 21
_GB_SECOND = 0.0000166667
_DATABASE = {"db.t4g.micro": 0.016, "db.t4g.medium": 0.065}  # an hour, one zone
_SEARCH = {"t3.small.search": 0.036, "t3.medium.search": 0.073}  # an hour and node
_NAT, _ADDRESS, _NAT_GIGABYTE = 0.045, 0.005, 0.045
_DATABASE_GIGABYTE, _SEARCH_GIGABYTE, _OBJECT_GIGABYTE = 0.115, 0.122, 0.023
_SECRET, _KEY, _ALARM, _LOG_GIGABYTE, _IMAGE_GIGABYTE = 0.40, 1.00, 0.10, 0.50, 0.10
_REQUESTS, _API_REQUESTS = 0.20, 3.50  # a million

# function: invocations a session, seconds of each, GB of memory (functions.yaml)
_WORK = {
    "live cycle": (391, 0.5, 1.769),
    "position monitor": (480, 0.5, 1.769),
    "market analysis": (26, 25.0, 1.769),
    "trade executor": (20, 2.0, 1.769),
    "premarket": (1, 120.0, 3.008),
    "nightly": (1, 180.0, 3.008),
}
_API_CALLS = {"dev": 20_000, "prod": 300_000}  # a month, 0.15 s each
_TRAFFIC = {"dev": 10, "prod": 30}  # GB a month through NAT
_OBJECTS = {"dev": 20, "prod": 200}  # GB in S3
_LOGS = {"dev": 2, "prod": 8}  # GB a month


@dataclass(frozen=True, slots=True)
class Cost:
    """One line of the estimate, in dollars a month."""

    item: str
    basis: str
    usd: float


def estimate(stage: str) -> list[Cost]:
    """The costs of a stage, the largest part of the bill first."""
    data, prod = sizes("data", stage), stage == "prod"
    zones = 2 if prod else 1
    database, search = data["DatabaseClass"], data["SearchClass"]
    nodes, storage = data["SearchNodes"], data["SearchStorage"]
    found = [
        Cost(
            "NAT gateways",
            f"{zones}, {_TRAFFIC[stage]} GB",
            zones * HOURS * (_NAT + _ADDRESS) + _TRAFFIC[stage] * _NAT_GIGABYTE,
        ),
        Cost(
            "RDS PostgreSQL",
            f"{database}, {data['DatabaseStorage']} GB, in {zones} zone{'s' if prod else ''}",
            zones * (HOURS * _DATABASE[database] + data["DatabaseStorage"] * _DATABASE_GIGABYTE),
        ),
        Cost(
            "OpenSearch",
            f"{nodes} × {search}, {storage} GB",
            nodes * (HOURS * _SEARCH[search] + storage * _SEARCH_GIGABYTE),
        ),
        Cost("Lambda", f"{SESSIONS} sessions, {_API_CALLS[stage]:,} API calls", _lambda(stage)),
        Cost(
            "API Gateway", f"{_API_CALLS[stage]:,} calls", _API_CALLS[stage] / 1e6 * _API_REQUESTS
        ),
        Cost("S3", f"{_OBJECTS[stage]} GB", _OBJECTS[stage] * _OBJECT_GIGABYTE),
        _watching(stage),
    ]
    return sorted(found, key=lambda cost: -cost.usd)


def _lambda(stage: str) -> float:
    calls = SESSIONS * sum(times for times, _, _ in _WORK.values()) + _API_CALLS[stage]
    work = SESSIONS * sum(times * seconds * memory for times, seconds, memory in _WORK.values())
    work += _API_CALLS[stage] * 0.15 * 1.769
    return work * _GB_SECOND + calls / 1e6 * _REQUESTS


def _watching(stage: str) -> Cost:
    secrets = len(resources("data", "AWS::SecretsManager::Secret")) + 1  # RDS keeps one itself
    alarms = len(resources("alarms", "AWS::CloudWatch::Alarm"))
    usd = secrets * _SECRET + _KEY + alarms * _ALARM
    usd += _LOGS[stage] * _LOG_GIGABYTE + 3 * _IMAGE_GIGABYTE
    return Cost(
        "Secrets, key, alarms, logs, images",
        f"{secrets} secrets, {alarms} alarms, {_LOGS[stage]} GB of logs",
        usd,
    )


def dollars(usd: float) -> str:
    """An amount as the table shows it."""
    return f"${usd:.0f}" if usd >= 1 else "< $1"


def table() -> str:
    """Both stages as the table in docs/operations.md."""
    lines = ["| | dev | | prod | |", "|---|---|---|---|---|"]
    prod = {cost.item: cost for cost in estimate("prod")}
    dev = {cost.item: cost for cost in estimate("dev")}
    for item, cost in prod.items():
        other = dev[item]
        cells = (item, other.basis, dollars(other.usd), cost.basis, dollars(cost.usd))
        lines.append(f"| {' | '.join(cells)} |")
    total = {stage: sum(c.usd for c in estimate(stage)) for stage in ("dev", "prod")}
    lines.append(f"| **a month** | | **${total['dev']:.0f}** | | **${total['prod']:.0f}** |")
    return "\n".join(lines)
