"""What every index does, told once and run on both."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.documents import SHARED_LANE
from rag.index import Filters, Hit, Index, Upserted
from tests.rag.worlds import ALWAYS, KINDS, OPEN, SOME, a_place, document, empty_index, opened
from tools.embed.lexical import LexicalEmbedder
from tools.errors import BadInput, NoData


@pytest.fixture(params=KINDS)
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Index]:
    with empty_index(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def filled(index: Index) -> Index:
    assert index.upsert(SOME) == Upserted(added=len(SOME))
    return index


def ids(hits: list[Hit]) -> list[str]:
    return [hit.document.id for hit in hits]


def test_a_document_comes_back_whole_with_the_reason_it_was_found(filled: Index) -> None:
    first = filled.search("why was NVDA vetoed on January 14th", as_of=ALWAYS)[0]
    assert first.document == SOME[1]
    assert first.word_rank == 1
    assert set(first.matched) == {"nvda", "veto", "01-14"}
    assert "1st by words" in first.why


def test_dates_and_times_are_found_however_they_are_written(filled: Index) -> None:
    for query in ("2025-01-14 vetoed", "vetoed 14 January 2025", "the veto at 9:32 am"):
        assert ids(filled.search(query, as_of=ALWAYS))[0] == SOME[1].id, query


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Filters(symbols=("tsla",)), {3, 4}),
        (Filters(kinds=("day",)), {4}),
        (Filters(lanes=("baseline",)), {5}),
        (Filters(runs=("r2",)), {6}),
        (Filters(since=OPEN + timedelta(minutes=5)), {5, 6}),
        (Filters(until=OPEN + timedelta(minutes=2)), {1}),
        (Filters(symbols=("NVDA",), kinds=("skip",), lanes=("advised",)), {1, 2}),
        (Filters(symbols=("GME",)), set()),
    ],
)
def test_filters_bound_what_is_found(filled: Index, where: Filters, expected: set[int]) -> None:
    query = "NVDA TSLA QQQ long short signal skipped trade day summary 14 January"
    hits = filled.search(query, as_of=ALWAYS, k=50, where=where)
    assert {int(name.rsplit("/", 1)[1]) for name in ids(hits)} == expected


def test_a_lane_has_what_all_lanes_share(filled: Index) -> None:
    text = "Daily bias of NVDA for Tuesday 14 January 2025: bullish."
    shared = document(9, text, kind="bias", lane=SHARED_LANE, id="r1/market/bias/9")
    filled.upsert([shared])
    for lane in ("advised", "baseline"):
        hits = filled.search("NVDA bias", as_of=ALWAYS, k=50, where=Filters(lanes=(lane,)))
        assert ids(hits)[0] == shared.id
        assert {hit.document.lane for hit in hits} == {lane, SHARED_LANE}


def test_nothing_that_became_known_later_is_found(filled: Index) -> None:
    known = OPEN + timedelta(minutes=3)
    hits = filled.search("NVDA TSLA QQQ long signal day summary", as_of=known, k=50)
    assert {hit.document.id for hit in hits} == {one.id for one in SOME[:3]}
    just_before = known - timedelta(microseconds=1)
    assert SOME[2].id not in ids(filled.search("TSLA loss", as_of=just_before, k=50))


@pytest.mark.parametrize("kind", KINDS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    moments=st.lists(st.integers(-5, 5), min_size=1, max_size=12),
    as_of=st.integers(-6, 6),
    query=st.sampled_from(["canary", "NVDA canary tomorrow", "what comes next", "skipped"]),
)
def test_a_canary_dated_after_as_of_is_never_returned(
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    moments: list[int],
    as_of: int,
    query: str,
) -> None:
    documents = [
        document(n, f"canary {n}: NVDA skipped tomorrow", known_at=OPEN + timedelta(microseconds=m))
        for n, m in enumerate(moments)
    ]
    with empty_index(kind, tmp_path_factory.mktemp("canary")) as index:
        index.upsert(documents)
        moment = OPEN + timedelta(microseconds=as_of)
        found = index.search(query, as_of=moment, k=100)
        assert all(hit.document.known_at <= moment for hit in found)
        if query == "canary":
            assert len(found) == sum(one.known_at <= moment for one in documents)


def test_upserting_the_same_again_changes_nothing(filled: Index) -> None:
    before = (filled.hashes(), ids(filled.search("NVDA skipped", as_of=ALWAYS)))
    assert filled.upsert(SOME) == Upserted(unchanged=len(SOME))
    assert (filled.hashes(), ids(filled.search("NVDA skipped", as_of=ALWAYS))) == before


def test_a_changed_document_replaces_the_old_one_and_its_words(filled: Index) -> None:
    filled.search("spread", as_of=ALWAYS)  # a view is held
    new = document(1, "NVDA long signal skipped: halted by the exchange.")
    assert filled.upsert([new, SOME[1]]) == Upserted(changed=1, unchanged=1)
    assert filled.search("halted", as_of=ALWAYS)[0].document == new
    assert all(hit.word_rank is None for hit in filled.search("spread", as_of=ALWAYS))
    assert filled.verify() == []


def test_a_document_that_is_postponed_is_not_found_before_its_new_moment(filled: Index) -> None:
    filled.search("spread", as_of=ALWAYS)
    filled.upsert([document(1, SOME[0].text, known_at=OPEN + timedelta(days=1))])
    assert SOME[0].id not in ids(filled.search("spread too wide", as_of=OPEN + timedelta(hours=1)))


def test_deleting_counts_what_was_there(filled: Index) -> None:
    assert filled.delete([SOME[0].id, "nobody"]) == 1
    assert SOME[0].id not in ids(filled.search("spread too wide NVDA", as_of=ALWAYS, k=50))
    assert filled.delete([SOME[0].id]) == 0
    assert filled.verify() == []


def test_rebuilding_replaces_everything(filled: Index) -> None:
    filled.search("NVDA", as_of=ALWAYS)
    assert filled.rebuild([SOME[2]]) == Upserted(added=1)
    assert list(filled.hashes()) == [SOME[2].id]
    assert ids(filled.search("NVDA TSLA spread", as_of=ALWAYS)) == [SOME[2].id]
    assert filled.upsert(SOME[3:4]) == Upserted(added=1)
    assert filled.verify() == []


def test_status_counts_what_is_held(filled: Index) -> None:
    found = filled.status()
    assert found.documents == len(SOME)
    assert found.kinds == {"day": 1, "signal": 1, "skip": 3, "trade": 1}
    assert found.symbols == {"NVDA": 4, "QQQ": 1, "TSLA": 2}
    assert (found.first, found.last) == (SOME[0].known_at, SOME[-1].known_at)
    assert found.embedder == LexicalEmbedder().name


def test_an_empty_index_finds_nothing_and_says_so_calmly(index: Index) -> None:
    assert index.search("NVDA", as_of=ALWAYS) == []
    assert (index.status().documents, index.status().first) == (0, None)
    assert (index.verify(), index.hashes(), index.delete([])) == ([], {}, 0)


@pytest.mark.parametrize(
    "query",
    [
        'NVDA" OR 1=1 --', "NVDA' ; DROP TABLE documents; --", "said:NVDA", "NVDA NOT skipped",
        "NEAR(NVDA skipped, 2)", "NVDA*", "^NVDA", "(NVDA", "-NVDA",
        '{"query": {"match_all": {}}} NVDA',
        "NVDA\x00skipped", "NVDA \ud800", "NVDA " + "AND " * 500,
    ],
)  # fmt: skip
def test_query_syntax_is_only_words(filled: Index, query: str) -> None:
    hits = filled.search(query, as_of=ALWAYS, where=Filters(symbols=("NVDA",)))
    assert hits
    assert all("NVDA" in hit.document.symbols for hit in hits)
    assert len(filled.hashes()) == len(SOME)


@pytest.mark.parametrize(
    ("query", "told"),
    [("", "empty"), ("   ", "empty"), ("?!…", "no word"), ("x" * 100_000, "100,000 characters")],
)
def test_a_query_that_cannot_be_asked_is_refused(filled: Index, query: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        filled.search(query, as_of=ALWAYS)


def test_a_moment_without_a_zone_and_an_impossible_k_are_refused(filled: Index) -> None:
    with pytest.raises(BadInput, match="time zone"):
        filled.search("NVDA", as_of=datetime(2025, 1, 1))
    with pytest.raises(BadInput, match="k is 0"):
        filled.search("NVDA", as_of=ALWAYS, k=0)
    with pytest.raises(BadInput, match="no document kind"):
        Filters(kinds=("poem",))  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="nothing lies between"):
        Filters(since=ALWAYS, until=OPEN)


class OtherEmbedder(LexicalEmbedder):
    """The same vectors under another name."""

    @property
    def name(self) -> str:
        return "minilm.other:128"


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_of_two_embedders_are_never_mixed(kind: str, tmp_path: Path) -> None:
    with a_place(kind, tmp_path) as place:
        with pytest.raises(NoData, match="advisor index build"):
            opened(place, LexicalEmbedder())
        opened(place, LexicalEmbedder(), create=True).close()
        with pytest.raises(BadInput, match=r"lexical\.v1:128, not minilm.*--embedder lexical"):
            opened(place, OtherEmbedder(), create=True)
        index = opened(place, OtherEmbedder(), replacing=True)
        index.rebuild(SOME)
        index.close()
        again = opened(place, OtherEmbedder())
        assert again.status().embedder == "minilm.other:128"
        again.close()


def test_equal_texts_have_equal_bits_and_a_pinned_vector() -> None:
    one, two = LexicalEmbedder(), LexicalEmbedder()
    two.embed(["something else first"])
    text = ["NVDA long mean reversion vetoed at 10:41 on January 14th", ""]
    assert np.array_equal(one.embed(text), two.embed(text))
    assert one.embed(text).dtype == np.float32
    assert not one.embed(text)[1].any()
