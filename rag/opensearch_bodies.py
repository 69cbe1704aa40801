"""The bodies that are sent to OpenSearch: mapping, queries, and documents as its sources. Pure.

Words are indexed as `tools.embed.words` reads them, split at spaces and nothing else, so both
indexes find the same words. `known_at` is a `long` of microseconds: a `date` has milliseconds, and
would show a document up to a millisecond early.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rag.documents import Document, instant, moment_of
from rag.index import DEPTH, SCHEMA, Filters
from tools.embed.words import VERSION, words
from tools.ports import Embedder

Body = dict[str, Any]


def mapping(embedder: Embedder) -> Body:
    """Settings and mapping of a new index; `_meta` says what may be put into it."""
    keyword = {"type": "keyword"}
    kept = {"type": "keyword", "index": False, "doc_values": False}
    return {
        "settings": {"index": {"knn": True}},
        "mappings": {
            "dynamic": "strict",
            "_meta": {"schema": SCHEMA, "words": VERSION, "embedder": embedder.name},
            "properties": {
                "id": keyword,
                "kind": keyword,
                "run": keyword,
                "lane": keyword,
                "symbols": keyword,
                "known_at": {"type": "long"},
                "words": {"type": "text", "analyzer": "whitespace"},
                "text": kept,
                "cites": kept,
                "content_hash": keyword,
                "vector": {
                    "type": "knn_vector",
                    "dimension": embedder.dimensions,
                    "method": {
                        "name": "hnsw",
                        "engine": "lucene",
                        "space_type": "cosinesimil",
                        "parameters": {"m": 16, "ef_construction": 128},
                    },
                },
            },
        },
    }


def source(document: Document, vector: Sequence[float]) -> Body:
    """A document as it is kept; a vector of zeros, which has no direction, is left out."""
    body: Body = {
        "id": document.id,
        "kind": document.kind,
        "run": document.run,
        "lane": document.lane,
        "symbols": list(document.symbols),
        "known_at": instant(document.known_at),
        "words": " ".join(words(document.text)),
        "text": document.text,
        "cites": list(document.cites),
        "content_hash": document.content_hash,
    }
    if any(vector):
        body["vector"] = list(vector)
    return body


def document_of(kept: Mapping[str, Any]) -> Document:
    """A document from its source."""
    return Document(
        id=kept["id"],
        kind=kept["kind"],
        run=kept["run"],
        lane=kept["lane"],
        symbols=tuple(kept["symbols"]),
        known_at=moment_of(kept["known_at"]),
        text=kept["text"],
        cites=tuple(kept["cites"]),
    )


def searches(
    wanted: Sequence[str], vector: Sequence[float], as_of: int, where: Filters
) -> list[Body]:
    """The search by words and, unless the vector has no direction, the one by meaning."""
    passing = filters(as_of, where)
    shared: Body = {"size": DEPTH, "_source": {"excludes": ["vector", "words"]}}
    by_words = {
        "bool": {"must": [{"match": {"words": {"query": " ".join(wanted)}}}], "filter": passing}
    }
    newest_first = [{"_score": "desc"}, {"known_at": "desc"}, {"id": "asc"}]
    bodies = [shared | {"query": by_words, "sort": newest_first, "track_total_hits": False}]
    if any(vector):
        nearest = {"vector": list(vector), "k": DEPTH, "filter": {"bool": {"filter": passing}}}
        bodies.append(shared | {"query": {"knn": {"vector": nearest}}, "track_total_hits": False})
    return bodies


def filters(as_of: int, where: Filters) -> list[Body]:
    """What every hit must satisfy; that it was known at `as_of` above all."""
    known: Body = {"lte": as_of}
    if where.since is not None:
        known["gte"] = instant(where.since)
    if where.until is not None:
        known["lt"] = instant(where.until)
    passing: list[Body] = [{"range": {"known_at": known}}]
    for name, values in (
        ("symbols", where.symbols),
        ("kind", where.kinds),
        ("lane", where.lanes_read),
        ("run", where.runs),
    ):
        if values:
            passing.append({"terms": {name: list(values)}})
    return passing


def counts() -> Body:
    """The search behind `status`: how many of what, from when to when."""
    groups: Body = {
        name: {"terms": {"field": field, "size": 10_000}}
        for name, field in (
            ("kinds", "kind"), ("lanes", "lane"), ("runs", "run"), ("symbols", "symbols")
        )
    }  # fmt: skip
    groups |= {"first": {"min": {"field": "known_at"}}, "last": {"max": {"field": "known_at"}}}
    return {"size": 0, "track_total_hits": True, "aggs": groups}


def ndjson(lines: Sequence[Body]) -> str:
    """One JSON document a line, the last line ended too."""
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
