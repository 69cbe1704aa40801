"""langgraph is in an extra and slow to import: only a machine that is built needs it."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from advisor.bootstrap import ReplayOptions
from advisor.replay import replay
from tests.advisor.worlds import SETTINGS, market, request

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


ANSWERS = """
import sys
from datetime import date
from pathlib import Path
for name in ("langgraph", "langchain_core", "anthropic", "openai", "boto3"):
    sys.modules[name] = None
from advisor.chatting import conversation
from advisor.settings import Settings
with conversation(Path(sys.argv[1]), Settings()) as talk:
    print(talk.ask("How many analyses were there?").text)
    print(talk.ask("and in the first session?").text)
"""
OVER_HTTP = """
import sys
from datetime import date
from pathlib import Path
for name in ("langgraph", "langchain_core", "anthropic", "openai", "boto3"):
    sys.modules[name] = None
from advisor.api.ledger_chat import LedgerChat
from advisor.api.view import LedgerView
from advisor.settings import Settings
from tests.advisor.api.worlds import api, client
from tools.store import Store
from tools.store.paging import Pages
folder = Path(sys.argv[1])
with Store.open(folder / "ledger.sqlite", read_only=True) as store:
    chat = LedgerChat(store, LedgerView(Pages(store)), Settings())
    chat.prepare()
    site = client(api(store, folder, chat=chat))
    answer = site.post("/api/chat", json={"question": "How many analyses were there?"})
    print(answer.status_code, answer.json()["text"])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "said"),
    [(ANSWERS, "Analyses (lane advised"), (OVER_HTTP, "200 Analyses (lane advised")],
    ids=["prompt", "http"],
)
def test_questions_are_answered_without_langgraph(code: str, said: str, tmp_path: Path) -> None:
    """The base installation has no langgraph; what it has must answer."""
    day = date(2026, 10, 14)
    options = ReplayOptions(analyst="rules", validation="rules")
    replay(request(day, day), options, SETTINGS, market(day, day), tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(said), done.stdout
