"""The knowledge base is asked with the moment as a filter, and is not believed."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.stub import Stubber

from rag.documents import Document, instant
from rag.index import Filters
from rag.knowledge_base import KnowledgeBase, as_source, filter_of, put_sources
from tests.rag.worlds import document as made
from tests.tools.aws.conftest import admin, aws, moto  # noqa: F401
from tools.aws.objects import Objects
from tools.aws.parameters import AwsParameters
from tools.errors import BadInput, NoData, NotConfigured, Rejected, Transient

NOON = datetime(2025, 1, 15, 12, tzinfo=UTC)


def document(**changed: Any) -> Document:
    text = changed.pop("text", "NVDA long signal skipped: the spread is too wide.")
    return made(1, text, **{"run": "r", **changed})


def stored(one: Document, score: float = 0.5) -> dict[str, Any]:
    """A document as Bedrock gives it back: numbers are floats."""

    fields = json.loads(as_source(one).metadata)["metadataAttributes"]
    fields["known_at"] = float(fields["known_at"])
    return {"content": {"text": one.text}, "metadata": fields, "score": score}


def asking(base: KnowledgeBase, *results: dict[str, Any], **expected: Any) -> Stubber:
    stub = Stubber(base._client)
    wanted = {
        "knowledgeBaseId": "KB12345678",
        "retrievalQuery": {"text": expected.pop("text", "why was NVDA skipped")},
        "retrievalConfiguration": {"vectorSearchConfiguration": expected},
    }
    stub.add_response("retrieve", {"retrievalResults": list(results)}, wanted)
    stub.activate()
    return stub


@pytest.fixture
def base(aws: AwsParameters) -> KnowledgeBase:  # noqa: F811
    return KnowledgeBase("bedrock-kb:KB12345678", aws)


def test_a_search_carries_its_moment_and_gives_documents_back(base: KnowledgeBase) -> None:
    one, two = document(id="r/advised/skip/1"), document(id="r/advised/skip/2", symbols=())
    before = {"lessThanOrEquals": {"key": "known_at", "value": instant(NOON)}}
    stub = asking(base, stored(one, 0.9), stored(two, 0.4), numberOfResults=2, filter=before)
    hits = base.search("why was NVDA skipped", as_of=NOON, k=2)
    assert [hit.document for hit in hits] == [one, two]
    assert [(hit.score, hit.vector_rank, hit.word_rank) for hit in hits] == [
        (0.9, 1, None),
        (0.4, 2, None),
    ]
    stub.assert_no_pending_responses()


def test_what_the_caller_asks_for_is_part_of_the_filter() -> None:
    where = Filters(
        symbols=("NVDA", "AMD"), kinds=("skip",), lanes=("advised",), runs=("r",),
        since=NOON - timedelta(days=1), until=NOON,
    )  # fmt: skip
    (parts,) = filter_of(NOON, where).values()
    assert parts[0] == {"lessThanOrEquals": {"key": "known_at", "value": instant(NOON)}}
    assert {"in": {"key": "lane", "value": ["advised", "market"]}} in parts
    assert {"in": {"key": "run", "value": ["r"]}} in parts
    assert parts[-1] == {
        "orAll": [
            {"listContains": {"key": "symbols", "value": "NVDA"}},
            {"listContains": {"key": "symbols", "value": "AMD"}},
        ]
    }
    assert len(parts) == 7


def test_a_document_from_later_is_refused_with_everything(base: KnowledgeBase) -> None:
    early = document(id="r/a/skip/1")
    canary = document(id="r/a/skip/2", known_at=NOON + timedelta(microseconds=1))
    stub = Stubber(base._client)
    stub.add_response("retrieve", {"retrievalResults": [stored(early), stored(canary)]})
    stub.activate()
    with pytest.raises(Rejected, match="r/a/skip/2, which was not known then"):
        base.search("why NVDA", as_of=NOON)


@pytest.mark.parametrize("missing", ["known_at", "id", "lane", "symbols"])
def test_a_document_without_its_fields_is_refused(base: KnowledgeBase, missing: str) -> None:
    stray = stored(document())
    del stray["metadata"][missing]
    stub = Stubber(base._client)
    stub.add_response("retrieve", {"retrievalResults": [stray]})
    stub.activate()
    with pytest.raises(Rejected, match=f"without '{missing}'"):
        base.search("why NVDA", as_of=NOON)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ThrottlingException", Transient),
        ("ResourceNotFoundException", NoData),
        ("AccessDeniedException", NotConfigured),
        ("ValidationException", Rejected),
    ],
)
def test_refusals_are_ours(base: KnowledgeBase, code: str, kind: type) -> None:
    stub = Stubber(base._client)
    stub.add_client_error("retrieve", code, "no", 400)
    stub.activate()
    with pytest.raises(kind, match="bedrock-kb:KB12345678"):
        base.search("why NVDA", as_of=NOON)


def test_a_search_that_cannot_be_made_is_not(base: KnowledgeBase) -> None:
    for query, moment in (("", NOON), ("?!", NOON), ("why", NOON.replace(tzinfo=None))):
        with pytest.raises(BadInput):
            base.search(query, as_of=moment)


def test_documents_lie_in_the_bucket_with_what_they_are_filtered_by(
    aws: AwsParameters,  # noqa: F811
    admin: Callable[[str], Any],  # noqa: F811
) -> None:
    admin("s3").create_bucket(Bucket="desk")
    bucket = Objects("s3://desk/documents", aws)
    some = [document(id=f"r/a/skip/{n}") for n in range(3)]
    assert put_sources(some, bucket) == (3, 0)
    assert put_sources([document(id="r/a/skip/1", text="another text"), *some[2:]], bucket) == (
        1,
        1,
    )
    assert len(bucket.names()) == 6
    assert bucket.get("r/a/skip/1.txt").body == b"another text"
