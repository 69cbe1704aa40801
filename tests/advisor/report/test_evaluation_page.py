"""The evaluation page in a real browser: from a file, offline, on a desk and on a phone."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from advisor.bootstrap import ReplayOptions
from advisor.evaluation import Elsewhere, evaluate, write_evaluation
from advisor.replay import replay
from tests.advisor.report.test_browser import DESKTOP, PHONE, browser
from tests.advisor.worlds import SETTINGS, market, request

__all__ = ["browser"]
pytestmark = pytest.mark.slow
FIRST, LAST = date(2026, 10, 6), date(2026, 10, 14)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    options = ReplayOptions(analyst="rules", validation="rules")
    replay(request(FIRST, LAST), options, SETTINGS, market(FIRST, LAST), folder)
    write_evaluation(evaluate([folder], Elsewhere(), placebos=5), folder)
    return folder / "evaluation.html"


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_the_page_opens_offline_asks_for_nothing_and_fits(
    browser: Any, page: Path, viewport: dict[str, int]
) -> None:
    complaints: list[str] = []
    requests: list[str] = []
    opened = browser.new_context(viewport=viewport, offline=True).new_page()
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("request", lambda asked: requests.append(asked.url))
    opened.goto(page.as_uri())
    assert complaints == []
    assert requests == [page.as_uri()]
    assert opened.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert opened.locator("polyline.each").count() == 5
    assert opened.locator("circle.dot.placebo").count() == 5
    assert opened.locator("svg.figure").count() >= 3
    assert opened.locator(".synthetic").is_visible()
    outside = opened.evaluate(
        """[...document.querySelectorAll('svg')].flatMap(svg => [...svg.querySelectorAll('text')]
           .filter(t => { const a = t.getBoundingClientRect(), b = svg.getBoundingClientRect();
                          return a.left < b.left - 1 || a.right > b.right + 1; })
           .map(t => t.textContent))"""
    )
    assert outside == []
