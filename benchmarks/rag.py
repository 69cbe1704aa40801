"""The index's figures: `python -m benchmarks.rag`, or `figures()` for `make bench`.

The documents are those of synthetic sessions replayed through the whole advisor (three lanes), told
again under later dates until there are a hundred thousand: the words of a document stand to its
index as a year's do. A search runs on one thread and is measured in processor time, so that a busy
machine does not decide it; memory is what opening and searching add to a process.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count, islice
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import psutil

from benchmarks.figure import Figure
from benchmarks.fresh import ROOT, measured
from rag.documents import Document
from rag.embedded import EmbeddedIndex
from rag.index import Filters
from rag.ledger import of_ledger
from tools.embed.lexical import LexicalEmbedder

DOCUMENTS = 100_000
QUERIES = 200
ALWAYS = datetime(2100, 1, 1, tzinfo=UTC)
SYMBOLS = ("SPY", "QQQ", "IWM", "NVDA", "TSLA")
ASKED = (
    "why did we skip {symbol} at {clock} on {day}",
    "which {symbol} signals were vetoed on {day}",
    "why was the {symbol} short closed",
    "mean reversion against a one-way market",
    "what did the market analysis say at {clock} on {day}",
    "worst losing trades of {symbol}",
)


def figures() -> list[Figure]:
    """All figures, from a fresh process."""
    found = measured("benchmarks.rag")
    return [
        Figure("rag: index 100,000 documents, lexical", found["build"], "s", "≤ 180"),
        Figure("rag: the same, processor time", found["worked"], "s", "≤ 180"),
        Figure("rag: the same again, unchanged", found["again"], "s", "≤ 30"),
        Figure("rag: search among them, p95 (processor)", found["p95"], "ms", "≤ 50"),
        Figure("rag: search among them, median (processor)", found["median"], "ms", "≤ 50"),
        Figure("rag: first search of a process", found["first"], "s", "≤ 3"),
        Figure("rag: memory that searching them adds", found["memory"], "MB", "≤ 200"),
        Figure("rag: index file", found["file"], "MB", "≤ 500"),
    ]


def documents() -> Iterator[Document]:
    """A hundred thousand documents: replayed sessions, then the same records on later dates."""
    from advisor.bootstrap import ReplayOptions
    from advisor.replay import LEDGER, replay
    from tests.advisor.worlds import SETTINGS, market, request
    from tools.store import Store

    first, last = date(2025, 3, 3), date(2025, 3, 14)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        replay(
            request(first, last, SYMBOLS), ReplayOptions(validation="rules"), SETTINGS,
            market(first, last, SYMBOLS), folder, None,
        )  # fmt: skip
        with Store.open(folder / LEDGER, read_only=True) as store:
            told = list(of_ledger(store, as_of=ALWAYS))
    for copy in count():
        yield from (_later(document, copy) for document in told)


def _later(document: Document, copy: int) -> Document:
    """A document told of the same weekday and time, `copy` fortnights later."""
    known_at = document.known_at + timedelta(days=14 * copy)
    before, after = (
        moment.strftime("%d %B %Y").lstrip("0") for moment in (document.known_at, known_at)
    )
    run = f"{document.run}-{copy}"
    return Document(
        id=document.id.replace(document.run, run, 1),
        kind=document.kind,
        run=run,
        lane=document.lane,
        symbols=document.symbols,
        known_at=known_at,
        text=document.text.replace(before, after),
        cites=tuple(row.replace(document.run, run, 1) for row in document.cites),
    )


def _inside() -> dict[str, float]:
    made = list(islice(documents(), DOCUMENTS))
    rng = np.random.default_rng(11)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "index.sqlite"
        started, busy = perf_counter(), process_time()
        with EmbeddedIndex.open(path, LexicalEmbedder(), create=True) as index:
            index.upsert(made)
            built, worked = perf_counter() - started, process_time() - busy
            started = perf_counter()
            index.upsert(made)
            again = perf_counter() - started
        moments = sorted(document.known_at for document in made)
        asked = [_query(rng, moments) for _ in range(QUERIES)]
        searched = subprocess.run(
            [sys.executable, "-m", "benchmarks.rag", "--search", str(path)],
            input=json.dumps(asked), capture_output=True, text=True, cwd=ROOT, check=True,
        )  # fmt: skip
        found: dict[str, float] = json.loads(searched.stdout)
        size = path.stat().st_size / 1e6
    return {"build": built, "worked": worked, "again": again, "file": size, **found}


def _query(rng: np.random.Generator, moments: list[datetime]) -> tuple[str, str, str | None]:
    moment = moments[int(rng.integers(len(moments)))]
    symbol = SYMBOLS[int(rng.integers(len(SYMBOLS)))]
    text = ASKED[int(rng.integers(len(ASKED)))].format(
        symbol=symbol, day=f"{moment:%B} {moment.day}, {moment.year}", clock=f"{moment:%H:%M}"
    )
    as_of = moment + timedelta(days=1) if rng.random() < 0.5 else ALWAYS
    return text, as_of.isoformat(), symbol if rng.random() < 0.5 else None


def _search(path: Path) -> dict[str, float]:
    asked = json.load(sys.stdin)
    before = psutil.Process().memory_info().rss
    milliseconds = []
    with EmbeddedIndex.open(path, LexicalEmbedder()) as index:
        for text, as_of, symbol in asked:
            where = Filters(symbols=(symbol,) if symbol else (), lanes=("advised",))
            started = process_time()
            index.search(text, as_of=datetime.fromisoformat(as_of), k=5, where=where)
            milliseconds.append(1000 * (process_time() - started))
        held = psutil.Process().memory_info().rss - before
    return {
        "first": milliseconds[0] / 1000,
        "median": float(np.median(milliseconds[1:])),
        "p95": float(np.percentile(milliseconds[1:], 95)),
        "memory": held / 1e6,
    }


if __name__ == "__main__":
    if "--search" in sys.argv:
        print(json.dumps(_search(Path(sys.argv[-1]))))
    elif "--inside" in sys.argv:
        print(json.dumps(_inside()))
    else:
        for row in figures():
            print(f"{row.name}: {row.value:,.3g} {row.unit} (target {row.target})")
