"""What Today says of the machines while a run goes on.

Apart from the other pages: their clients are shared for as long as their API listens, and here the
client is forgotten between two looks.
"""

from pathlib import Path

from advisor.steps import StepsWriter
from graph.ports import Event
from tests.ui.conftest import listening
from tests.ui.test_pages import page, plain, said
from tests.ui.worlds import MARKUP, troubled
from tools.store import Store
from ui.visit import client_of


def forget(address: str) -> None:
    """Let the next page ask the API anew."""
    client_of(address).close()
    client_of.cache_clear()


def test_today_says_what_the_machines_are_doing_while_a_run_goes_on(tmp_path: Path) -> None:
    def tell(step: str, outcome: str = "", failure: str = "") -> None:
        about = "2026-01-07 09:45"
        StepsWriter(tmp_path, "run").tell(
            Event(
                machine="market_analysis", step=step, outcome=outcome, failure=failure, about=about
            )
        )

    ledger = troubled(tmp_path)
    with listening(ledger, tmp_path) as address:
        assert "What the analyst is doing" not in said(page(address, "today"))
        tell("news", failure=MARKUP)
        tell("review", "everything was read")
        forget(address)
        html = said(page(address, "today"))
        shown = plain(html)
        assert "What the analyst is doing" in shown
        assert "Asking the model about 2026-01-07 09:45" in shown
        assert "<img" not in html
        assert shown.index("review market analysis") < shown.index("news market analysis")
        tell("assess", "the model answered")
        forget(address)
        shown = plain(said(page(address, "today")))
        assert "Asking the model" not in shown
        assert "assess market analysis" in shown
        with Store.open(ledger) as store:
            store.finish_run("run")
        forget(address)
        assert "What the analyst is doing" not in said(page(address, "today"))
