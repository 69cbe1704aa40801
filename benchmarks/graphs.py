"""What the machines cost beside the model: `python -m benchmarks.graphs`.

The model answers at once, so what is measured is reading, rendering, bounding, langgraph and its
checkpoints in SQLite. The first analysis, which imports and builds, is measured apart: it happens
before the session.
"""

import statistics
import tempfile
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

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


class Row(NamedTuple):
    """One figure: at most `target` is promised; None promises nothing."""

    name: str
    value: float
    unit: str
    target: float | None


def rows() -> list[Row]:
    """Measure everything once."""
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
        Row("first analysis, imports included", 1e3 * first, "ms", None),
        Row("analysis, SQLite checkpoints, median", 1e3 * statistics.median(kept), "ms", 15.0),
        Row("analysis, SQLite checkpoints, p95", 1e3 * sorted(kept)[94], "ms", None),
        Row("analysis, no checkpoints, median", 1e3 * statistics.median(loose), "ms", None),
        Row("validation, SQLite checkpoints, median", 1e3 * statistics.median(ruled), "ms", 15.0),
    ]


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
    for row in rows():
        limit = "" if row.target is None else f"  (at most {row.target:g})"
        print(f"{row.name:45} {row.value:8.2f} {row.unit}{limit}")
