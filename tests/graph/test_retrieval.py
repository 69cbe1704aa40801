"""Reasons are found: the document on the row that is meant is among the first five, and none
that was not known at the time is."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from graph.chat import answer, known_of
from graph.library import IndexLibrary
from graph.ports import Wiring
from graph.questions import read_question
from rag.building import build
from rag.embedded import EmbeddedIndex
from rag.index import Index
from tests.graph.january import END, January
from tests.graph.test_golden import QUESTIONS, selected
from tools.embed.lexical import LexicalEmbedder
from tools.store.store import Store
from tools.toolbox import Toolbox

pytestmark = pytest.mark.slow
WHEN = {"trades": "exit_time", "skipped": "timestamp", "analyses": "as_of"}
ASKED = [one for one in QUESTIONS if "finds" in one]


@pytest.fixture(scope="module")
def index(january: January, january_store: Store) -> Iterator[Index]:
    path = january.folder / "index.sqlite"
    made = EmbeddedIndex.open(path, LexicalEmbedder(), create=True)
    build(made, january_store, as_of=END)
    yield made
    made.close()


@pytest.fixture
def with_index(wired: Wiring, index: Index, january: January) -> Wiring:
    return replace(wired, library=IndexLibrary(index, january.run_id))


def found(one: dict[str, Any], january: January, reply: Any) -> bool:
    """Whether a document of the kind on any of the rows that are meant was found."""
    finds = one["finds"]
    rows = selected(january, finds["from"], finds["where"])
    documents = [row for row in reply if f"/{finds['kind']}/" in row.id]
    if finds["kind"] == "day":
        return any(row.id.endswith(rows["date"].iloc[0]) for row in documents)
    closed = timedelta(minutes=0 if finds["from"] == "analyses" else 1)
    moments = {
        pd.Timestamp(at) + closed for at in pd.to_datetime(rows[WHEN[finds["from"]]], utc=True)
    }
    symbols = set(rows["symbol"]) if "symbol" in rows else {""}
    return any(
        pd.Timestamp(row.text("known_at")) in moments and (symbols == {""} or row.symbol in symbols)
        for row in documents
    )


def test_recall_at_five(january: January, with_index: Wiring) -> None:
    assert len(ASKED) >= 15
    box, library = with_index.ledger, with_index.library
    assert box is not None
    assert library is not None
    missed = []
    for one in ASKED:
        request = read_question(one["ask"], known_of(box))[0]
        documents = library.search(request, as_of=box.as_of, k=5)
        if not found(one, january, documents):
            missed.append(one["ask"])
    assert len(missed) <= 0.05 * len(ASKED), missed


@pytest.mark.parametrize("one", ASKED, ids=lambda one: one["ask"][:50])
def test_what_is_found_is_quoted_and_holds(one: dict[str, Any], with_index: Wiring) -> None:
    reply = answer(one["ask"], with_index)
    assert reply.why is None, reply.text
    assert any(row.kind == "document" for row in reply.citations)


def test_nothing_from_after_the_moment_is_found(
    january: January, january_store: Store, with_index: Wiring
) -> None:
    early = datetime(2025, 1, 17, 15, 0, tzinfo=UTC)
    box = Toolbox(january_store, january.run_id, early)
    for question in ("Find INTC losses", "Why did we lose today?", "Why was NVDA skipped today?"):
        reply = answer(question, replace(with_index, ledger=box))
        for row in reply.rows.values():
            for fact in row.facts.values():
                assert fact.unit != "moment" or fact.moment <= early, row.id


def test_without_an_index_it_is_said(wired: Wiring) -> None:
    reply = answer("Find documents about INTC", wired)
    assert reply.why == "no_index"
    assert "advisor index build" in reply.text
