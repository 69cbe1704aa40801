"""What the machines cost beside the model: `python -m benchmarks.graphs`, or `figures()`.

The model answers at once, so what is measured is reading, rendering, bounding, langgraph and its
checkpoints in SQLite. The first analysis, which imports and builds, is measured apart: it happens
before the session.
"""

import statistics
import tempfile
from datetime import timedelta
from pathlib import Path
from time import perf_counter

from benchmarks.figure import Figure
from graph.checkpoints import Checkpoints
from graph.market_analysis import analyse
from graph.trade_validation import validate
from tests.graph.worlds import (
    APPROVE,
    GOOD,
    NOW,
    OPEN,
    News,
    Past,
    headline,
    signal,
    trade,
    view,
    wiring,
)

ROUNDS = 100


def figures() -> list[Figure]:
    """All figures."""
    news = News([headline(f"Headline {n} " + "word " * 20) for n in range(40)])
    past = Past([trade(OPEN - timedelta(days=n)) for n in range(1, 500)])
    with tempfile.TemporaryDirectory() as folder:
        began = perf_counter()
        with Checkpoints.open(Path(folder) / "c.sqlite") as checkpoints:
            first = _analysis(0, news, past, checkpoints, began)
            kept = [_analysis(n, news, past, checkpoints) for n in range(1, ROUNDS + 1)]
            ruled = [_validation(n, news, past, checkpoints) for n in range(ROUNDS)]
        loose = [_analysis(n, news, past, None) for n in range(ROUNDS)]
    return [
        Figure("first analysis, imports included", 1e3 * first, "ms", "-"),
        _median("an analysis but for the model, SQLite checkpoints", kept, "≤ 15"),
        Figure("the same, p95", 1e3 * sorted(kept)[94], "ms", "-"),
        _median("the same without checkpoints", loose, "-"),
        _median("a validation but for the model, SQLite checkpoints", ruled, "≤ 15"),
    ]


def _median(name: str, seconds: list[float], target: str) -> Figure:
    return Figure(name, 1e3 * statistics.median(seconds), "ms", target)


def _analysis(
    number: int, news: News, past: Past, checkpoints: Checkpoints | None, began: float = 0.0
) -> float:
    later = view(as_of=NOW + timedelta(minutes=number))
    wired = wiring(GOOD, news=news, history=past, checkpoints=checkpoints)
    began = began or perf_counter()
    analyse(later, wired)
    return perf_counter() - began


def _validation(number: int, news: News, past: Past, checkpoints: Checkpoints) -> float:
    later = view(as_of=NOW + timedelta(minutes=number))
    wired = wiring(APPROVE, news=news, history=past, checkpoints=checkpoints)
    began = perf_counter()
    validate(signal(), later, wired)
    return perf_counter() - began


if __name__ == "__main__":
    for figure in figures():
        print(f"{figure.name:60} {figure.value:8.2f} {figure.unit} {figure.target}")
