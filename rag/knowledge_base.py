"""Documents found by an Amazon Bedrock Knowledge Base, as of a moment.

The knowledge base makes the vectors and searches them; this module asks, and does not believe: the
moment goes along as a metadata filter, and what comes back without a moment, or with a later one,
is dropped and is an error, because then the filter does not hold. Documents get there by
`advisor index export`: a text file and, beside it, `NAME.metadata.json` with the fields below, in
the data source's bucket. Words are not searched: a hit has a rank by meaning alone.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rag.documents import Document, instant, moment_of
from rag.index import ANYTHING, Filters, Hit, checked_query, no_words
from tools.aws.clients import asked, client
from tools.aws.objects import Objects
from tools.aws.parameters import AwsParameters
from tools.embed.words import words
from tools.errors import Rejected

SCHEME = "bedrock-kb:"
MOST = 100
"""What one request may return."""


@dataclass(frozen=True, slots=True)
class Source:
    """A document as a data source of a knowledge base holds it."""

    name: str
    text: str
    metadata: str


def as_source(document: Document) -> Source:
    """The files of a document: its text, and what it can be filtered by."""
    fields: dict[str, Any] = {
        "id": document.id,
        "kind": document.kind,
        "run": document.run,
        "lane": document.lane,
        "symbols": list(document.symbols) or ["-"],  # an empty list is refused
        "known_at": instant(document.known_at),
        "cites": list(document.cites) or ["-"],
    }
    return Source(
        name=f"{document.id.replace(':', '_')}.txt",
        text=document.text,
        metadata=json.dumps({"metadataAttributes": fields}),
    )


class KnowledgeBase:
    """The searching half of an index. Errors are those of `tools.errors`."""

    def __init__(self, identifier: str, parameters: AwsParameters) -> None:
        """By the id of the knowledge base; nothing is asked yet."""
        self._client = client("bedrock-agent-runtime", parameters)
        self._id = identifier.removeprefix(SCHEME)

    @property
    def place(self) -> str:
        """How messages name it."""
        return f"{SCHEME}{self._id}"

    def search(
        self, query: str, *, as_of: datetime, k: int = 5, where: Filters = ANYTHING
    ) -> list[Hit]:
        """The k best documents that were known at `as_of`, best first; see `rag.index.Index`."""
        checked_query(query, as_of, k)
        wanted = set(words(query))
        if not wanted:
            raise no_words(query)
        answer = asked(
            f"a search of {self.place}",
            lambda: self._client.retrieve(
                knowledgeBaseId=self._id,
                retrievalQuery={"text": query},
                retrievalConfiguration={
                    "vectorSearchConfiguration": {
                        "numberOfResults": min(k, MOST),
                        "filter": filter_of(as_of, where),
                    }
                },
            ),
        )
        found = [self._document(one) for one in answer.get("retrievalResults", [])]
        for document in found:
            if document.known_at > as_of:
                raise Rejected(
                    f"{self.place} gave {document.id}, which was not known then: its filters do "
                    "not hold, so nothing of it is used. Index known_at as a number"
                )
        scores = [float(one.get("score") or 0.0) for one in answer.get("retrievalResults", [])]
        return [
            Hit(
                document=document,
                score=score,
                word_rank=None,
                vector_rank=rank,
                matched=tuple(sorted(wanted & set(words(document.text)))),
            )
            for rank, (document, score) in enumerate(zip(found, scores, strict=True), 1)
        ]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _document(self, one: Mapping[str, Any]) -> Document:
        fields = one.get("metadata", {})
        try:
            return Document(
                id=fields["id"],
                kind=fields["kind"],
                run=fields["run"],
                lane=fields["lane"],
                symbols=tuple(name for name in fields["symbols"] if name != "-"),
                known_at=moment_of(int(fields["known_at"])),
                text=one["content"]["text"],
                cites=tuple(name for name in fields["cites"] if name != "-"),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Rejected(
                f"{self.place} holds a document without {error}: it was not put there by this "
                "program, and when it was known cannot be told"
            ) from error


def filter_of(as_of: datetime, where: Filters) -> dict[str, Any]:
    """What a document must satisfy, in Bedrock's words; the moment is always part of it."""
    parts: list[dict[str, Any]] = [_part("lessThanOrEquals", "known_at", instant(as_of))]
    if where.since:
        parts.append(_part("greaterThanOrEquals", "known_at", instant(where.since)))
    if where.until:
        parts.append(_part("lessThan", "known_at", instant(where.until)))
    for name, values in (("kind", where.kinds), ("lane", where.lanes_read), ("run", where.runs)):
        if values:
            parts.append(_part("in", name, list(values)))
    if where.symbols:
        ones = [_part("listContains", "symbols", symbol) for symbol in where.symbols]
        parts.append(ones[0] if len(ones) == 1 else {"orAll": ones})
    return parts[0] if len(parts) == 1 else {"andAll": parts}


def _part(operator: str, key: str, value: Any) -> dict[str, Any]:
    return {operator: {"key": key, "value": value}}


def put_sources(documents: Iterable[Document], bucket: Objects) -> tuple[int, int]:
    """Put documents into a data source's bucket: (written, unchanged).

    The metadata goes first: a text that the knowledge base took in without them could never be
    found as of a moment. The knowledge base reads the bucket when it is synchronised next; its data
    source must not cut texts into pieces (chunking: none).
    """
    written = unchanged = 0
    for document in documents:
        source = as_source(document)
        parts = (
            (f"{source.name}.metadata.json", source.metadata.encode(), "application/json"),
            (source.name, source.text.encode(), "text/plain; charset=utf-8"),
        )
        there = [bucket.find(name) for name, _, _ in parts]
        if [one.body if one else None for one in there] == [body for _, body, _ in parts]:
            unchanged += 1
            continue
        for name, body, kind in parts:
            bucket.put(name, body, kind)
        written += 1
    return written, unchanged
