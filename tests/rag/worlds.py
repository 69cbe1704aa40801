"""Documents to index, and both indexes behind one fixture-like context."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rag.documents import Document
from rag.embedded import EmbeddedIndex
from rag.index import Index
from rag.opensearch import Access, OpenSearchIndex
from tests.stand_ins.opensearch import Cluster, opensearch_stand_in
from tools.embed.lexical import LexicalEmbedder
from tools.ports import Embedder

OPEN = datetime(2025, 1, 14, 14, 30, tzinfo=UTC)
ALWAYS = datetime(2100, 1, 1, tzinfo=UTC)
KINDS = ("embedded", "opensearch")


def document(number: int, text: str, **changed: Any) -> Document:
    """A document that is known `number` minutes after the open, unless told otherwise."""
    values: dict[str, Any] = {
        "id": f"r1/advised/skip/{number}",
        "kind": "skip",
        "run": "r1",
        "lane": "advised",
        "symbols": ("NVDA",),
        "known_at": OPEN + timedelta(minutes=number),
        "text": text,
        "cites": (f"r1/advised/{number}",),
    }
    return Document(**(values | changed))


SOME = (
    document(1, "NVDA long signal skipped at 09:31: the spread is too wide."),
    document(2, "NVDA short signal vetoed at 09:32 on 14 January 2025: earnings are near."),
    document(3, "TSLA long trade closed with a loss of $12.00.", kind="trade", symbols=("TSLA",)),
    document(4, "Day summary of Tuesday 14 January 2025.", kind="day", symbols=("NVDA", "TSLA")),
    document(5, "NVDA long signal skipped in the baseline.", lane="baseline", id="r1/b/skip/5"),
    document(6, "QQQ trend continuation ordered.", kind="signal", symbols=("QQQ",), run="r2"),
)


@contextmanager
def empty_index(kind: str, folder: Path, embedder: Embedder | None = None) -> Iterator[Index]:
    """A new index of either kind."""
    with a_place(kind, folder) as place:
        index = opened(place, embedder or LexicalEmbedder(), create=True)
        try:
            yield index
        finally:
            index.close()


@contextmanager
def a_place(kind: str, folder: Path) -> Iterator[Path | Access]:
    """Where an index of either kind can stand."""
    if kind == "embedded":
        yield folder / "index.sqlite"
        return
    with opensearch_stand_in() as (url, _):
        yield Access(url=url, alias="documents", timeout=10.0)


def opened(place: Path | Access, embedder: Embedder, **options: bool) -> Index:
    """The index at a place of either kind."""
    if isinstance(place, Path):
        return EmbeddedIndex.open(place, embedder, **options)
    return OpenSearchIndex.open(place, embedder, **options)


__all__ = [
    "ALWAYS",
    "KINDS",
    "OPEN",
    "SOME",
    "Cluster",
    "a_place",
    "document",
    "empty_index",
    "opened",
]
