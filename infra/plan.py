"""`make deploy-plan`: are the templates right, and what would they make? Deploys nothing.

cfn-lint reads every template; `sam validate` does as well where SAM is installed. Then what each
stage would have is said in words: functions and what starts them, sizes, the month's cost.
"""

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra.costs import dollars, estimate
from infra.templates import FOLDER, PARTS, STAGES, parameters, resources, sizes

_PATH = os.environ.get("PATH", "")
FUNCTION, SCHEDULE = "AWS::Serverless::Function", "AWS::Scheduler::Schedule"


def main() -> int:
    """Validate and say what would be made; the exit code says whether it may be."""
    names = ("template", *PARTS)
    files = [str(FOLDER / f"{name}.yaml") for name in names]
    lint = shutil.which("cfn-lint", path=f"{Path(sys.executable).parent}{os.pathsep}{_PATH}")
    if lint is None:
        print("cfn-lint is not installed: pip install -e '.[dev]'")
        return 2
    if not _runs("cfn-lint", [lint, *files]):
        return 1
    sam = shutil.which("sam")
    if sam is None:
        print("sam validate: left out, SAM is not installed")
    elif not all(
        _runs(f"sam validate {name}", [sam, "validate", "--region", "us-east-1", "-t", file])
        for name, file in zip(names, files, strict=True)
    ):
        return 1
    print("\n".join(summary()))
    return 0


def _runs(what: str, command: Sequence[str]) -> bool:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(f"{what}: {'fine' if done.returncode == 0 else 'NOT fine'}")
    if done.returncode != 0:
        print(done.stdout + done.stderr)
    return done.returncode == 0


def summary() -> list[str]:
    """What would be made, line by line."""
    lines = ["", "Resources"]
    for part in PARTS:
        kinds = Counter(one["Type"].split("::", 1)[1] for one in resources(part).values())
        shown = ", ".join(f"{kind} × {n}" if n > 1 else kind for kind, n in sorted(kinds.items()))
        lines.append(f"  {part:<10} {sum(kinds.values()):>3}  {shown}")
    lines += ["", "Functions"]
    for name, function in resources("functions", FUNCTION).items():
        handler = function["Properties"]["ImageConfig"]["Command"][0]
        one = "; one at a time" if "ReservedConcurrentExecutions" in function["Properties"] else ""
        starts = "; ".join(started_by(name, function["Properties"]))
        lines.append(f"  {handler:<40} {starts}{one}")
    for stage in STAGES:
        lines += [
            "",
            f"Stage {stage}: " + ", ".join(f"{k}={v}" for k, v in parameters(stage).items()),
        ]
        chosen = sizes("data", stage) | sizes("functions", stage)
        lines.append("  " + ", ".join(f"{name} {value}" for name, value in chosen.items()))
        costs = estimate(stage)
        lines += [f"  {dollars(cost.usd):>5}  {cost.item} ({cost.basis})" for cost in costs]
        lines.append(
            f"  {dollars(sum(cost.usd for cost in costs)):>5}  a month, list prices, no models"
        )
    return lines


def started_by(name: str, function: dict[str, Any]) -> list[str]:
    """What starts a function: schedules, queues, routes, or another function."""
    target = {"Fn::GetAtt": [name, "Arn"]}
    schedules = (one["Properties"] for one in resources("functions", SCHEDULE).values())
    found = [
        f"{one['ScheduleExpression']} {one['ScheduleExpressionTimezone']}"
        for one in schedules
        if one["Target"]["Arn"] == target
    ]
    for event in function.get("Events", {}).values():
        given = event["Properties"]
        if event["Type"] == "Api":
            found.append(f"{given['Method'].upper()} {given['Path']}")
        else:
            found.append(f"queue {given['Queue']['Ref']}")
    return found or ["the live cycle"]


if __name__ == "__main__":
    sys.exit(main())
