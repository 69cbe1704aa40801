"""The dashboard in a real browser, served as a user serves it: every page, both widths and themes.

Each visit fails on a console message, an error of the page, or a request that leaves the server.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from advisor.control import HALT_FILE, Control, Halt
from tests.ui.worlds import (
    crowded,
    dashboard,
    empty,
    free_port,
    served,
    session,
    troubled,
)

pytestmark = pytest.mark.slow
WIDTHS = {"desk": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}
PAGES = {
    "": "Watchlist",
    "symbol?symbol=NVDA": "Decisions",
    "trades": "By symbol",
    "analyses": "What happened next",
    "value": "Lanes: identical bars, one engine",
    "premarket": "Snapshots",
    "chat": "What was the P/L over the last 5 days?",
    "health": "Heads of the hash chains",
    "settings": "max_positions",
}
REPLAY = [sys.executable, "-c", "from advisor.cli import main; main()", "replay"]


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
    """A tab with everything it complained of and everywhere it asked."""

    def __init__(self, browser: Any, address: str, width: str = "desk", theme: str = "light"):
        self.address = address
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        self.context = browser.new_context(viewport=WIDTHS[width], color_scheme=theme)
        self.page = self.context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._request)

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.elsewhere.append(request.url)

    def open(self, path: str, text: str) -> str:
        """Go there, wait for a text, and give all that can be read."""
        self.page.goto(f"{self.address}/{path}")
        return self.wait(text)

    def wait(self, text: str, seconds: float = 30) -> str:
        self.page.get_by_text(text).first.wait_for(state="attached", timeout=seconds * 1e3)
        return str(self.page.inner_text(".stMain"))

    def close(self) -> None:
        self.context.close()


def command(market_data: Path, out: Path, last: str) -> list[str]:
    bars = market_data / "bars"
    return [
        *REPLAY, "--bars", str(bars / "1min" / "us-2025-01"), "--daily",
        str(bars / "1day" / "us-2024-2026"), "--from", "2025-01-02", "--to", last, "--symbols",
        "SPY,NVDA,AMD", "--analyst", "rules", "--validation", "rules", "--out", str(out),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def month(market_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The dashboard over real days of January 2025."""
    folder = tmp_path_factory.mktemp("month")
    subprocess.run(command(market_data, folder, "2025-01-14"), check=True, capture_output=True)
    with served(folder / "ledger.sqlite", folder) as (address, _):
        yield address


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", ["desk", "phone"])
def test_every_page_on_real_days(month: str, browser: Any, width: str, theme: str) -> None:
    visit = Visit(browser, month, width, theme)
    for path, text in PAGES.items():
        shown = visit.open(path, text)
        assert "advised" in shown, path
        visit.page.wait_for_timeout(1_500)
        assert visit.page.locator(".stException").count() == 0, path
        wide = "document.querySelector('.stMain').scrollWidth"
        assert visit.page.evaluate(wide) <= WIDTHS[width]["width"], path
    scheme = visit.page.evaluate("getComputedStyle(document.querySelector('.stApp')).colorScheme")
    assert scheme == theme
    assert visit.complaints == []
    assert visit.elsewhere == []
    visit.close()


def test_the_chat_answers_with_what_each_statement_rests_on(month: str, browser: Any) -> None:
    visit = Visit(browser, month)
    visit.open("chat", "What was the P/L over the last 5 days?")
    for question in ("What was the P/L on January 8?", "Which signals were vetoed on January 8?"):
        field = visit.page.locator('[data-testid="stChatInput"] textarea')
        field.fill(question)
        field.press("Enter")
        visit.wait(question)
        visit.page.wait_for_selector(".stChatMessage a, .stChatMessage .chip", timeout=30_000)
    shown = visit.wait("Rests on")
    assert "January 8" in shown or "8 January" in shown or "01-08" in shown
    visit.page.locator('[data-testid="stChatInput"] textarea').fill("Will NVDA rise tomorrow?")
    visit.page.locator('[data-testid="stChatInput"] textarea').press("Enter")
    visit.wait("refused")
    assert visit.page.locator(".stException").count() == 0
    assert visit.complaints == []
    visit.close()


def test_charts_are_drawn_and_a_row_tells_its_story(month: str, browser: Any) -> None:
    visit = Visit(browser, month)
    visit.open("symbol?symbol=NVDA&date=2025-01-10", "Decisions")
    visit.page.wait_for_selector(".stMain canvas")
    session = visit.page.locator('[data-testid="stSelectbox"] input').nth(1)
    assert session.input_value() == "Fri 10 Jan 2025"
    visit.open("trades", "By symbol")
    table = visit.page.locator('[data-testid="stDataFrame"]').first
    box = table.bounding_box()
    table.click(position={"x": 16, "y": 55})
    assert box is not None
    shown = visit.wait("Verdict:")
    assert "Closed" in shown
    link = visit.page.get_by_text("see it on the chart")
    link.click()
    visit.wait("Decisions")
    assert "/symbol?" in visit.page.url
    assert visit.complaints == []
    visit.close()


def test_a_running_replay_moves(market_data: Path, browser: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    running = subprocess.Popen(
        command(market_data, out, "2025-01-31"), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not (out / "ledger.sqlite").is_file():
        assert running.poll() is None
    with served(out / "ledger.sqlite", tmp_path) as (address, _):
        visit = Visit(browser, address)
        visit.open("", "Advisor")
        visit.page.evaluate("document.querySelector('.stMain').dataset.here = 'yes'")
        visit.wait("Fri 31 Jan 2025", 120)
        visit.wait("replay · finished", 60)
        # The page moved by itself: nobody loaded it anew.
        assert visit.page.evaluate("document.querySelector('.stMain').dataset.here") == "yes"
        assert visit.complaints == []
        visit.close()
    assert running.wait(60) == 0


# What would be seen of a page that blanks, or jumps, between two looks of a test.
WATCH = """
() => {
  window.seen = {looks: 0, blank: 0};
  setInterval(() => {
    const main = document.querySelector('.stMain');
    window.seen.looks++;
    if (!main || main.innerText.length < 300 || !document.querySelector('%s')) window.seen.blank++;
  }, 40);
}
"""


def test_a_paced_replay_updates_without_blanking_or_losing_the_place(
    market_data: Path, browser: Any, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = [*command(market_data, out, "2025-01-02"), "--pace", "0.4"]
    running = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not (out / "ledger.sqlite").is_file():
            assert running.poll() is None
        with served(out / "ledger.sqlite", tmp_path) as (address, _):
            today, analyses = Visit(browser, address, "phone"), Visit(browser, address)
            today.open("", "Watchlist")
            today.page.wait_for_selector(".grid td.num")
            today.page.evaluate(WATCH % ".grid td.num")
            main = "document.querySelector('.stMain')"
            today.page.evaluate(f"{main}.scrollTo(0, 260)")
            clock = today.page.locator(".a-strip time")
            began = clock.inner_text()
            analyses.open("analyses", "What happened next")
            analyses.page.wait_for_selector("details.a-fold:not([open])")
            fold = analyses.page.locator("details.a-fold").first
            fold.locator("summary").click()
            opened = fold.locator("summary b").inner_text()
            count = analyses.page.locator("details.a-fold").count()
            analyses.page.evaluate(WATCH % "details.a-fold[open]")
            analyses.page.wait_for_function(
                f"document.querySelectorAll('details.a-fold').length > {count}", timeout=60_000
            )
            still = analyses.page.locator("details.a-fold[open]", has_text=opened)
            assert still.count() == 1, "what a reader opened stays open"
            assert clock.inner_text() > began
            assert today.page.evaluate(f"{main}.scrollTop") == 260
            for visit in (today, analyses):
                seen = visit.page.evaluate("window.seen")
                assert seen["looks"] > 50
                assert seen["blank"] == 0
                assert visit.complaints == []
                visit.close()
    finally:
        running.kill()
        running.wait(10)


def test_when_the_api_alone_fails_the_last_data_stay_with_their_age(
    browser: Any, tmp_path: Path
) -> None:
    with served(troubled(tmp_path), tmp_path) as (api, server), dashboard(api, tmp_path) as address:
        visit = Visit(browser, address)
        visit.open("", "Watchlist")
        visit.page.wait_for_selector(".grid td.num")
        server.terminate()
        server.wait(10)
        visit.wait("The API does not answer")
        first = visit.page.locator(".a-notice", has_text="What is shown was true").inner_text()
        visit.page.wait_for_timeout(5_000)
        later = visit.page.locator(".a-notice", has_text="What is shown was true").inner_text()
        assert first != later, "the age grows"
        assert visit.page.locator(".grid td.num").count() > 5
        assert visit.complaints == []
        visit.close()


def test_a_page_that_found_no_api_fills_itself_when_there_is_one(
    browser: Any, tmp_path: Path
) -> None:
    port = free_port()
    with dashboard(f"http://127.0.0.1:{port}", tmp_path) as address:
        visit = Visit(browser, address)
        visit.open("trades", "The API does not answer")
        with served(troubled(tmp_path), tmp_path, port):
            visit.wait("By symbol")
            visit.page.locator(".a-notice", has_text="does not answer").wait_for(state="detached")
        visit.close()


@pytest.mark.parametrize("width", ["desk", "phone"])
def test_ten_thousand_rows_and_the_longest_names_fit(
    browser: Any, tmp_path: Path, width: str
) -> None:
    with served(crowded(tmp_path, 10_000), tmp_path) as (address, _):
        visit = Visit(browser, address, width)
        for path, text in (("", "Watchlist"), ("trades", "By symbol"), ("health", "Runs")):
            visit.open(path, text)
            visit.page.wait_for_timeout(1_000)
            wide = "document.querySelector('.stMain').scrollWidth"
            assert visit.page.evaluate(wide) <= WIDTHS[width]["width"], path
            assert visit.page.locator(".stException").count() == 0
        shown = visit.open("trades", "By symbol")
        assert "10,000" in shown
        with visit.page.expect_download() as download:
            visit.page.get_by_role("button", name="Export CSV").click()
        assert len(Path(download.value.path()).read_text().splitlines()) == 10_001
        assert visit.complaints == []
        visit.close()


def test_when_the_server_dies_what_was_shown_stays(browser: Any, tmp_path: Path) -> None:
    with served(troubled(tmp_path), tmp_path) as (address, server):
        visit = Visit(browser, address)
        visit.open("", "Watchlist")
        server.terminate()
        server.wait(10)
        visit.page.wait_for_timeout(4_000)
        assert "NVDA" in visit.page.inner_text(".stMain")
        visit.close()


@pytest.mark.parametrize("width", ["desk", "phone"])
def test_halted_and_degraded_first_and_markup_as_text(
    browser: Any, tmp_path: Path, width: str
) -> None:
    with served(troubled(tmp_path), tmp_path) as (address, _):
        visit = Visit(browser, address, width)
        for path in ("", "analyses", "trades"):
            visit.open(path, "HALTED")
            box = visit.page.locator(".a-notice.stop").first.bounding_box()
            assert box is not None
            assert box["y"] < 300, "seen without scrolling"
        shown = visit.open("analyses", "What happened next")
        assert "<img src=x onerror=" in shown
        assert visit.page.title() != "owned"
        assert visit.page.locator(".stMain img").count() == 0
        wide = "document.querySelector('.stMain').scrollWidth"
        assert visit.page.evaluate(wide) <= WIDTHS[width]["width"]
        assert visit.complaints == []
        visit.close()


def enter(visit: Visit, key: str) -> None:
    visit.open("", "This API needs a key")
    visit.page.fill("input[type=password]", key)
    visit.page.click("text=Use this key")
    visit.wait("Watchlist")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[tuple[str, str, str]]:
    """A paper session under way, served: the address, a key that reads, one that may halt."""
    from advisor.api.keys import KeyFile

    keys = KeyFile(tmp_path / "advisor-keys.json")
    eve, ann = keys.create("eve", "read")[1], keys.create("ann", "admin")[1]
    with session(tmp_path) as ledger, served(ledger, tmp_path) as (address, _):
        yield address, eve, ann


@pytest.mark.parametrize(("width", "theme"), [("desk", "light"), ("desk", "dark"),
                                              ("phone", "light"), ("phone", "dark")])  # fmt: skip
def test_a_session_is_halted_and_resumed_with_confirmation(
    desk: tuple[str, str, str], browser: Any, tmp_path: Path, width: str, theme: str
) -> None:
    address, _, ann = desk
    visit = Visit(browser, address, width, theme)
    enter(visit, ann)
    page = visit.page
    page.get_by_role("button", name="Halt …").click()
    page.get_by_label("Reason").fill("<b>fed</b> day")
    assert Control(tmp_path).state() is None, "opening the form asks for nothing"
    page.get_by_role("button", name="Halt now").click()
    page.locator(".a-notice.stop", has_text="HALTED").wait_for()
    asked = Control(tmp_path).state()
    assert isinstance(asked, Halt)
    assert (asked.by, asked.reason, asked.flatten) == ("ann (API)", "<b>fed</b> day", False)
    shown = visit.wait("Only a person starts it again")
    assert "by ann (API)" in shown
    assert "<b>fed</b> day" in shown
    assert page.title() == "HALTED · Advisor"
    page.evaluate("document.querySelector('.stMain').scrollTo(0, 99999)")
    mark = page.evaluate("getComputedStyle(document.querySelector("
                         "'[data-testid=stHeader]'), '::after').content")  # fmt: skip
    assert mark == '"HALTED"', "said on the bar that stays"
    wide = "document.querySelector('.stMain').scrollWidth"
    assert page.evaluate(wide) <= WIDTHS[width]["width"]
    page.get_by_role("button", name="Resume …").click()
    page.get_by_role("button", name="Resume", exact=True).click()
    visit.wait("Tick the box first")
    assert isinstance(Control(tmp_path).state(), Halt), "not without the confirmation"
    page.locator("label", has_text="I have looked at why").click()
    page.get_by_role("button", name="Resume", exact=True).click()
    page.get_by_role("button", name="Halt …").wait_for()
    page.locator(".a-notice.stop").wait_for(state="detached")
    visit.wait("resumed by ann (API)")
    assert page.title() == "Advisor"
    assert visit.complaints == []
    assert visit.elsewhere == []
    visit.close()


def test_halt_is_on_every_page_and_a_key_that_only_reads_is_refused(
    desk: tuple[str, str, str], browser: Any, tmp_path: Path
) -> None:
    address, eve, ann = desk
    visit = Visit(browser, address)
    enter(visit, eve)
    for name in ("Symbol", "Trades", "Analyses", "Advisor value", "Premarket", "Chat", "Health"):
        visit.page.get_by_role("link", name=name, exact=True).click()
        visit.page.wait_for_timeout(1_000)
        button = visit.page.get_by_role("button", name="Halt …")
        button.wait_for()
        box = button.bounding_box()
        assert box is not None
        assert box["y"] < 150, name
    button.click()
    visit.page.get_by_role("button", name="Halt now").click()
    visit.wait("This key may not halt or resume")
    assert Control(tmp_path).state() is None
    visit.page.get_by_label("Admin key").fill(ann)
    visit.page.locator("label", has_text="Also close every position").click()
    visit.page.get_by_role("button", name="Halt now").click()
    visit.wait("Positions are closed at market")
    assert visit.complaints == []
    visit.close()


def test_a_touched_file_is_seen_on_an_open_page(
    desk: tuple[str, str, str], browser: Any, tmp_path: Path
) -> None:
    visit = Visit(browser, desk[0], "phone")
    enter(visit, desk[2])
    visit.page.evaluate("document.querySelector('.stMain').dataset.here = 'yes'")
    (tmp_path / HALT_FILE).touch()
    visit.page.locator(".a-notice.stop", has_text="HALT file").wait_for(timeout=20_000)
    visit.page.get_by_role("button", name="Resume …").wait_for()
    assert visit.page.evaluate("document.querySelector('.stMain').dataset.here") == "yes"
    assert visit.complaints == []
    visit.close()


def test_an_empty_ledger_says_what_to_run(browser: Any, tmp_path: Path) -> None:
    with served(empty(tmp_path), tmp_path) as (address, _):
        visit = Visit(browser, address)
        assert "advisor demo" in visit.open("", "There is no run in this ledger yet")
        assert visit.complaints == []
        visit.close()


def test_a_key_opens_the_pages(browser: Any, tmp_path: Path) -> None:
    from advisor.api.keys import KeyFile

    keys = KeyFile(tmp_path / "advisor-keys.json")
    key = keys.create("reader", "read")[1]
    with served(troubled(tmp_path), tmp_path) as (address, _):
        visit = Visit(browser, address)
        visit.open("", "This API needs a key")
        visit.page.fill("input[type=password]", "wrong")
        visit.page.click("text=Use this key")
        visit.wait("The key is not valid (any more)")
        visit.page.fill("input[type=password]", key)
        visit.page.click("text=Use this key")
        visit.wait("Watchlist")
        keys.revoke("reader")
        shown = visit.wait("The key is not valid (any more)")
        assert "NVDA" not in shown, "an expired key shows nothing of what it opened"
        visit.close()
