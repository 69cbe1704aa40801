"""A benchmark in a process of its own, so that nothing measured before it is in its figures."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def measured(module: str) -> dict[str, Any]:
    """What a module of this package prints in JSON as its last line, started with `--inside`."""
    done = subprocess.run(
        [sys.executable, "-m", module, "--inside"],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{module} failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
