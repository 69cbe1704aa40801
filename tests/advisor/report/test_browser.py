"""The page in a real browser: from a file, without a network, with a mouse, keys and a phone."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from advisor.report import write_report
from tests.advisor.report.worlds import HOSTILE, calm, hostile, nothing

pytestmark = pytest.mark.slow
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    found = os.environ.get("ADVISOR_TEST_CHROMIUM") or shutil.which("chromium")
    if not found:
        pytest.skip("no chromium on the path: install it or set ADVISOR_TEST_CHROMIUM")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield running
        running.close()


class Visit:
    """A page opened from its file, offline, with everything it complained of or asked for."""

    def __init__(self, browser: Any, path: Path, viewport: dict[str, int], address: str) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        context = browser.new_context(viewport=viewport, offline=True)
        self.page = context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri() + address)
        self.page.wait_for_selector("html[data-ready=true]", timeout=10_000)

    def count(self, selector: str) -> int:
        return int(self.page.locator(selector).count())


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Any]:
    opened: list[Visit] = []

    def open_page(made: tuple, viewport: dict[str, int] = DESKTOP, address: str = "") -> Visit:
        write_report(*made, tmp_path / "report.html")
        opened.append(Visit(browser, tmp_path / "report.html", viewport, address))
        return opened[-1]

    yield open_page
    for visited in opened:
        assert visited.complaints == []
        assert [url for url in visited.requests if not url.startswith("file:")] == []
        visited.page.context.close()


def test_every_chart_is_drawn(visit: Any) -> None:
    page = visit(calm())
    assert page.count("#equity path.line") == 3
    for selector in (".price-line", ".z-line", ".band", ".window", ".mark", ".state"):
        assert page.count(f"#chart {selector}") > 0, selector
    assert page.count("#advice path.factor") == 4
    assert page.count("#advice .analysis-dot") == 26
    assert page.count("#figures tbody tr") == 12
    assert page.count("#difference .interval") == 2
    assert page.count("#map .cell") == 18
    lengths = page.page.eval_on_selector_all(
        "path.line, .price-line, .z-line", "paths => paths.map(path => path.getTotalLength())"
    )
    assert min(lengths) > 100


def test_filters_sorting_and_reasons_of_the_records(visit: Any) -> None:
    page = visit(calm())
    result = calm()[0]
    rows = "#log-body tr.row"
    everything = len(result.main.decisions) + len(result.main.trades)
    assert page.count(rows) == min(120, everything)
    page.page.click("#log-tools [data-kind=trade]")
    assert page.count(rows) == len(result.main.decisions)
    page.page.select_option("#log-tools select[aria-label=Symbol]", label="NVDA")
    mine = [d for d in result.main.decisions if d.signal.symbol == "NVDA"]
    assert page.count(rows) == len(mine)
    page.page.fill("#log-text", "no such word anywhere")
    assert page.count(rows) == 0
    assert page.page.is_visible("#log-empty")
    page.page.fill("#log-text", "")
    page.page.locator("#log-body button.open").first.click()
    assert page.count("#log-body .reasons .checks tbody tr") == len(mine[0].plan.checks)
    page.page.click("#log-head [data-sort=symbol] button")
    assert page.page.get_attribute("#log-head [data-sort=symbol]", "aria-sort") == "ascending"


def test_a_row_leads_to_its_moment_and_the_address_keeps_it(visit: Any) -> None:
    page = visit(calm())
    trade = calm()[0].main.trades[0]
    page.page.locator("#log-body tr.trade a").first.click()
    assert f"#at/{trade.symbol}/{trade.exit_time:%Y-%m-%d}/advised/" in page.page.url
    assert trade.symbol in page.page.inner_text("#story h3")
    assert page.count("#story [aria-current=true]") >= 1
    again = visit(calm(), address="#" + page.page.url.split("#")[1])
    assert trade.symbol in again.page.inner_text("#story h3")


def test_the_keyboard_moves_the_cursor_the_session_and_the_theme(visit: Any) -> None:
    page = visit(calm(), address="#at/NVDA/2026-10-14/advised/0").page
    page.focus("#chart svg")
    for expected in ("09:31", "09:32"):
        page.keyboard.press("ArrowRight")
        assert page.inner_text("#chart-readout time") == expected
    page.keyboard.press("Shift+ArrowRight")
    assert page.inner_text("#chart-readout time") == "09:47"
    assert "13:47 UTC" in str(page.get_attribute("#chart-readout time", "title"))
    page.focus("#map .cell[aria-pressed=true]")
    page.keyboard.press("ArrowRight")
    assert "Thu 15 Oct" in page.inner_text("#story h3")
    page.click("#theme [data-key=dark]")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme [data-key=light]")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark


def test_hover_reads_values_and_explains_marks(visit: Any) -> None:
    page = visit(calm()).page
    page.locator("#chart .mark").first.scroll_into_view_if_needed()
    box = page.locator("#chart .mark").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert page.is_visible("#tip")
    assert "z " in page.inner_text("#chart-readout")


def test_a_phone_needs_no_sideways_scrolling(visit: Any) -> None:
    page = visit(calm(), PHONE).page
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_hostile_text_runs_nothing(visit: Any) -> None:
    page = visit(hostile())
    page.page.click("#log-tools [data-kind=analysis]")
    for button in page.page.locator("#log-body button.open").all()[:3]:
        button.click()
    assert page.count("img") == 0
    assert page.page.title() != "owned"
    assert HOSTILE.replace("\u2028", "") in page.page.text_content("#facts").replace("\u2028", "")


def test_an_empty_result_still_opens(visit: Any) -> None:
    page = visit(nothing())
    assert "No bars of GHOST" in page.page.text_content("#chart")
    assert page.page.is_visible("#log-empty")
