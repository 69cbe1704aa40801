"""The page and the terminal's summary: complete, self-contained, escaped, the same every time."""

import base64
import hashlib
import json
import re
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from advisor.market import MarketRequest, prepare_market
from advisor.replay import replay
from advisor.report import terminal_summary, write_report
from advisor.report.figures import DASH, in_words, money, percent
from advisor.settings import Settings
from advisor.summary import summarise
from quant_core.bootstrap import Finding, PairedDifference
from tests.advisor.report.worlds import (
    ADVISED,
    ALONE,
    HOSTILE,
    LAST,
    calm,
    failing,
    hostile,
    nothing,
    run,
)

MOST_BYTES = 2_000_000


class Elements(HTMLParser):
    """Every element with its attributes, and the text of scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[int, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] in ("script", "style"):
            self.inside.setdefault(len(self.found), data)

    def content(self, tag: str) -> list[str]:
        return [text for i, text in self.inside.items() if self.found[i - 1][0] == tag]


def written(tmp_path: Path, made: tuple, name: str = "report.html") -> str:
    write_report(*made, tmp_path / name)
    return (tmp_path / name).read_text(encoding="utf-8")


def printed(made: tuple) -> str:
    console = Console(width=100, record=True, file=None, quiet=False, no_color=True)
    with console.capture() as capture:
        console.print(terminal_summary(*made))
    return capture.get()


def test_the_same_result_gives_the_same_bytes(tmp_path: Path) -> None:
    market_again = run()
    assert written(tmp_path, calm(), "a.html") == written(tmp_path, market_again, "b.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "b.html"]


def test_the_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    page = written(tmp_path, calm())
    elements = Elements(page)
    tags = {tag for tag, _ in elements.found}
    assert not tags & {"link", "img", "iframe", "object", "embed", "base", "form"}
    assert not [attributes for _, attributes in elements.found if "src" in attributes]
    addresses = re.findall(r"[a-z]+://[^\"'\s)]+", page)
    assert set(addresses) <= {"http://www.w3.org/2000/svg"}


def test_the_policy_allows_the_one_script_and_the_one_style(tmp_path: Path) -> None:
    elements = Elements(written(tmp_path, calm()))
    policy = next(a["content"] for t, a in elements.found if a.get("http-equiv"))
    assert policy is not None
    assert "default-src 'none'" in policy
    for text in (*elements.content("style"), elements.content("script")[-1]):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    page = written(tmp_path, hostile())
    elements = Elements(page)
    assert [tag for tag, _ in elements.found].count("script") == 2
    assert "img" not in {tag for tag, _ in elements.found}
    data = json.loads(elements.content("script")[0])
    assert data["symbols"] == ["SPY", HOSTILE]
    assert HOSTILE in data["texts"]
    assert data["run"]["notes"] == [HOSTILE]


@pytest.mark.parametrize("feed", ["synthetic", "replay"])
def test_synthetic_bars_are_labelled_wherever_they_are_shown(tmp_path: Path, feed: str) -> None:
    result, summary = run(first=LAST)
    result.feed = feed
    synthetic = feed == "synthetic"
    page = written(tmp_path, (result, summary))
    assert ("SYNTHETIC: these bars were generated" in page) is synthetic
    assert ("<title>SYNTHETIC" in page) is synthetic
    assert ("SYNTHETIC" in printed((result, summary))) is synthetic


@pytest.mark.parametrize("options", [ADVISED, ALONE], ids=["three lanes", "one lane"])
def test_a_page_is_made_of_any_number_of_lanes(tmp_path: Path, options: object) -> None:
    made = run(options, first=LAST)  # type: ignore[arg-type]
    page = written(tmp_path, made)
    assert f"{made[0].main.name} " in page
    assert "Profit factor" in printed(made)


def test_an_empty_result_has_a_page_and_a_summary(tmp_path: Path) -> None:
    assert "GHOST" in written(tmp_path, nothing())
    text = printed(nothing())
    assert DASH in text
    assert "GHOST has no bars" in text


def test_the_terminal_says_the_verdict_and_what_needs_attention(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = " ".join(printed(failing(monkeypatch)).split())
    assert "advised − baseline" in text
    assert "advised − placebo" in text
    assert "analyses DEGRADED" in text


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("too few sessions to tell", "Too few sessions to tell: 3 of the 5"),
        ("not distinguishable from zero", "no added value is claimed"),
        ("positive", "did better than the baseline"),
        ("negative", "did worse than the baseline"),
    ],
)
def test_a_difference_claims_no_more_than_its_interval(verdict: Finding, words: str) -> None:
    found = PairedDifference(
        sessions=3, mean=1.0, total=3.0, low=0.5, high=1.5, block=1, verdict=verdict
    )
    assert words in in_words(found, "baseline")


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "+$1,234.50"), (-0.004, "$0.00"), (-3.0, "−$3.00"), (0.0, "$0.00")],
)
def test_money_has_a_true_minus_and_no_negative_zero(value: float, text: str) -> None:
    assert money(value) == text


def test_percent_has_a_true_minus() -> None:
    assert percent(-0.0123) == "−1.23 %"
    assert percent(0.5, 1, signed=False) == "50.0 %"


def test_nine_symbols_twenty_sessions_and_three_lanes_stay_below_two_megabytes(
    market_data: Path, tmp_path: Path
) -> None:
    symbols = ("SPY", "AAPL", "MSFT", "NVDA", "AMD", "META", "AMZN", "INTC", "SNOW")
    asked = MarketRequest(
        bars=(market_data / "bars/1min/us-2025-01",),
        daily=market_data / "bars/1day/us-2024-2026",
        first=date(2025, 1, 2),
        last=date(2025, 1, 31),
        symbols=symbols,
    )
    settings = Settings(watchlist=symbols)
    result = replay(asked, ADVISED, settings, prepare_market(asked, settings), None)
    page = written(tmp_path, (result, summarise(result, settings)))
    assert len(result.sessions) == 20
    assert len(result.lanes) == 3
    assert len(page.encode()) < MOST_BYTES
