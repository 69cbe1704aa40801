"""Every page over a real API: what it says, what it escapes, what it says when nothing is there."""

import re
import sys
from collections.abc import Iterator
from html import unescape

import pytest
from streamlit.testing.v1 import AppTest

from advisor.api import schemas
from tests.ui.worlds import MARKUP
from ui.visit import client_of

PAGES = (
    "today",
    "symbol",
    "trades",
    "analyses",
    "value",
    "premarket",
    "chat",
    "health",
    "settings",
)


@pytest.fixture(autouse=True)
def _own_main() -> Iterator[None]:
    """Streamlit puts its script in the place of `__main__`, which later processes would run."""
    ours = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = ours


def page(address: str, name: str, **query: str) -> AppTest:
    """A page below its line, run once."""

    def script(name: str) -> None:
        from importlib import import_module

        from ui.parts import strip
        from ui.visit import current

        strip.draw_strip(current())
        import_module(f"ui.views.{name}").show()

    test = AppTest.from_function(script, kwargs={"name": name}, default_timeout=30)
    test.secrets["api"] = {"url": address}
    for key, value in query.items():
        test.query_params[key] = value
    return test.run()


def said(test: AppTest) -> str:
    """All HTML of a page."""
    assert not test.exception, [one.value for one in test.exception]
    return "".join(one.proto.body for one in test.get("html"))


def plain(markup: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "", markup))


@pytest.mark.parametrize("name", PAGES)
def test_markup_is_text_and_halted_and_degraded_are_on_every_page(site: str, name: str) -> None:
    html = said(page(site, name))
    assert "<script" not in html
    assert "<img" not in html
    shown = plain(html)
    assert "HALTED" in shown
    assert "only a person starts it again" in shown
    assert f"Reason: {MARKUP}" in shown
    assert "DEGRADED: the newest analysis did not come about" in shown


@pytest.mark.parametrize("name", PAGES)
def test_an_empty_ledger_says_what_to_run(empty_site: str, name: str) -> None:
    shown = plain(said(page(empty_site, name)))
    expected = "max_positions" if name == "settings" else "advisor "
    assert expected in shown


@pytest.mark.parametrize("name", PAGES)
def test_an_absent_api_is_said_on_every_page(name: str) -> None:
    shown = plain(said(page("http://127.0.0.1:9", name)))
    assert "The API does not answer" in shown


def test_the_watchlist_shows_price_z_state_and_what_is_in_force(site: str) -> None:
    html = said(page(site, "today"))
    shown = plain(html)
    for symbol in ("SPY", "QQQ", "NVDA"):
        assert f"/symbol?symbol={symbol}" in html
    assert "MR arms at ±" in shown
    assert re.search(r"MR arm1\.200\.80 easier0\.96", shown), shown[:2000]


def test_what_a_chart_told_is_on_the_page_and_nothing_where_none_did(
    site: str, empty_site: str
) -> None:
    shown = plain(said(page(site, "today")))
    assert "Chart alerts" in shown
    assert "▼ short" in shown
    assert "B+" in shown
    assert "181.25" in shown
    assert "186.00 · 184.50" in shown
    assert "Chart alerts" not in plain(said(page(empty_site, "today")))


def test_a_trades_story_goes_from_the_arm_to_the_outcome(site: str) -> None:
    trades = client_of(site).read(schemas.Page[schemas.Trade], "/api/trades").value
    assert trades is not None
    shown = plain(said(page(site, "trades", trade=str(trades.data[0].id))))
    parts = ["Armed 09:35", "Analysis 09:45", "Signal 09:50", "Verdict: reduce, size ×0.50",
             "Plan: 53 shares ordered", "Fills", "Closed 10:10: +$22.63"]  # fmt: skip
    places = [shown.find(part) for part in parts]
    assert -1 not in places, dict(zip(parts, places, strict=True))
    assert places == sorted(places)


def test_an_unknown_trade_and_an_unknown_symbol_are_said(site: str) -> None:
    assert "There is no trade 999" in plain(said(page(site, "trades", trade="999")))
    assert "<B> is not on the watchlist" in plain(said(page(site, "symbol", symbol="<b>")))


def test_settings_are_found_by_name(site: str) -> None:
    test = page(site, "settings")
    test.text_input(key="settings-find").set_value("max_positions").run()
    shown = plain(said(test))
    assert "max_positions" in shown
    assert "start_equity" not in shown


def test_the_chat_tells_why_it_does_not_answer(site: str) -> None:
    test = page(site, "chat")
    assert "No chat is configured" in plain(said(test))
    test.chat_input[0].set_value("What did we earn?").run()
    shown = plain(said(test))
    assert "What did we earn?" in shown
    assert shown.count("No chat is configured") == 2
