"""What an answer costs: January 2025 replayed, asked without a model. Part of `make bench`."""

import statistics
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from time import perf_counter

from advisor.bootstrap import ReplayOptions
from advisor.chatting import conversation
from advisor.market import MarketRequest, prepare_market
from advisor.replay import replay
from advisor.settings import Settings
from benchmarks.figure import Figure

SYMBOLS = ("SPY", "AAPL", "MSFT", "NVDA", "AMD", "META", "AMZN", "INTC", "SNOW")
QUESTIONS = (
    "What was the P/L over the last 5 days?",
    "Why did we skip NVDA on January 8th at 11:20?",
    "Which symbol lost the most in January?",
    "Show all trades of last week",
    "Did the advice help?",
    "What positions did we hold at 10:41 on January 8th?",
)


def figures(data: Path) -> Iterator[Figure]:
    """Each question in a conversation of its own, so that the ledger is read every time."""
    if not data.is_dir():
        return
    request = MarketRequest(
        bars=(data / "bars" / "1min" / "us-2025-01",),
        daily=data / "bars" / "1day" / "us-2024-2026",
        first=date(2025, 1, 2),
        last=date(2025, 1, 31),
        symbols=SYMBOLS,
    )
    settings = Settings()
    with tempfile.TemporaryDirectory() as folder:
        options = ReplayOptions(analyst="rules", validation="rules")
        replay(request, options, settings, prepare_market(request, settings), Path(folder))
        _asked(Path(folder), settings, QUESTIONS[0])
        spent = [_asked(Path(folder), settings, one) for one in QUESTIONS for _ in range(5)]
    yield Figure("answer without a model, median", 1e3 * statistics.median(spent), "ms", "≤ 200")
    yield Figure("answer without a model, slowest", 1e3 * max(spent), "ms", "≤ 200")


def _asked(folder: Path, settings: Settings, question: str) -> float:
    with conversation(folder, settings) as talk:
        began = perf_counter()
        reply = talk.ask(question)
        seconds = perf_counter() - began
    if reply.why is not None:
        raise SystemExit(f"{question!r} was not answered: {reply.text}")
    return seconds
