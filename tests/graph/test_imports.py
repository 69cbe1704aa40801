"""langgraph is in an extra and slow to import: only a machine that is built needs it."""

import subprocess
import sys

EVERYTHING = (
    "import sys, graph.market_analysis, graph.trade_validation, graph.premarket, graph.drawing, "
    "graph.checkpoints, graph.history, advisor.commands.graph; "
)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_machines_does_not_import_langgraph() -> None:
    code = "print([m for m in sys.modules if m.split('.')[0].startswith('lang')])"
    assert run(EVERYTHING + code) == "[]"


def test_without_langgraph_it_is_said_which_extra_is_missing() -> None:
    code = """
sys.modules.update({"langgraph": None})
from graph.checkpoints import Checkpoints
from tools.errors import NotConfigured
for use in (graph.market_analysis.MACHINE.graph, lambda: Checkpoints.open("c.sqlite")):
    try:
        use()
    except NotConfigured as error:
        print(".[llm]" in str(error))
"""
    assert run(EVERYTHING + code).split() == ["True", "True"]
