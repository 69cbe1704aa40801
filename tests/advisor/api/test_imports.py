"""The API reads ledgers: it holds no compiler, no data frames and no language model in memory."""

import subprocess
import sys

HEAVY = ("numba", "scipy", "pandas", "pyarrow", "duckdb", "talib", "langgraph", "langchain_core")


def test_serving_imports_nothing_heavy() -> None:
    code = (
        "import sys, advisor.api.app, advisor.api.ledger_chat, advisor.api.metrics, "
        "advisor.commands.serve, infra.handlers.api, quant_core.scoring; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
