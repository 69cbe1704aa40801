"""The index on OpenSearch, for several machines or more documents than one file should hold.

Documents stand in an index `ALIAS-NNNNNN` under the alias that everybody asks; `rebuild` fills the
next one and moves the alias in one action, so that a reader sees the old one or the new one, whole.
Words and meaning are asked in one request (`_msearch`) and fused here, exactly as in the embedded
index: no search pipeline has to be installed on the cluster. A batch is visible when it returns.

Amazon OpenSearch is reached with requests signed by SigV4. Errors become `tools.errors`.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from importlib.util import find_spec
from itertools import islice
from typing import Any, Literal

from rag import opensearch_bodies as bodies
from rag.documents import Document, Kind, instant, moment_of
from rag.index import (
    ANYTHING,
    LEAST_SIMILARITY,
    Filters,
    Hit,
    IndexStatus,
    Upserted,
    checked_query,
    fused,
    no_words,
    refuse_other_embedder,
    refuse_other_schema,
)
from tools.embed.words import VERSION, words
from tools.errors import BadInput, NoData, NotConfigured, Rejected, Transient
from tools.llm.troubles import storable
from tools.ports import Embedder

BATCH = 500
_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where a cluster is and who asks: a password, or AWS's credentials for a region."""

    url: str
    alias: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    aws_region: str | None = None
    aws_service: Literal["es", "aoss"] = "es"
    timeout: float = 30.0


class OpenSearchIndex:
    """An index behind an alias. Use `OpenSearchIndex.open`."""

    def __init__(self, client: Any, access: Access, embedder: Embedder) -> None:
        """Over a client whose alias `open` has approved."""
        self._client, self._access, self._embedder = client, access, embedder

    @classmethod
    def open(
        cls, access: Access, embedder: Embedder, *, create: bool = False, replacing: bool = False
    ) -> "OpenSearchIndex":
        """Open what stands under the alias; the options are those of the embedded index.

        Raises NotConfigured, NoData, BadInput, Rejected, or Transient.
        """
        index = cls(connect(access), access, embedder)
        with explained(access):
            if not index._physical():
                if not create:
                    raise NoData(
                        f"there is no index at {index.place}; make one with `advisor index build`"
                    )
                index._create(f"{access.alias}-000001", aliased=True)
            elif not replacing:
                index._check()
        return index

    @property
    def place(self) -> str:
        """Where it is, for people; without a password."""
        return f"{self._access.url.split('@')[-1]}/{self._access.alias}"

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    # Writing

    def upsert(self, documents: Iterable[Document]) -> Upserted:
        """Add new documents and replace changed ones, in requests of 500."""
        total = Upserted()
        remaining = iter(documents)
        while batch := list(islice(remaining, BATCH)):
            named = {document.id: document for document in batch}
            with explained(self._access):
                kept = self._kept_hashes(list(named))
                fresh = [one for one in named.values() if kept.get(one.id) != one.content_hash]
                self._put(self._access.alias, fresh)
            changed = sum(document.id in kept for document in fresh)
            total += Upserted(
                added=len(fresh) - changed, changed=changed, unchanged=len(batch) - len(fresh)
            )
        return total

    def rebuild(self, documents: Iterable[Document]) -> Upserted:
        """Fill the next index, then move the alias to it and remove the old one, in one action."""
        total = 0
        with explained(self._access):
            before = self._physical()
            last = max(int(name.rsplit("-", 1)[1]) for name in before)
            following = f"{self._access.alias}-{last + 1:06d}"
            self._client.indices.delete(index=following, ignore_unavailable=True)
            self._create(following, aliased=False)
            remaining = iter(documents)
            while batch := list(islice(remaining, BATCH)):
                named = {document.id: document for document in batch}
                self._put(following, list(named.values()))
                total += len(named)
            moves = [{"add": {"index": following, "alias": self._access.alias}}]
            moves += [{"remove_index": {"index": name}} for name in before]
            self._client.indices.update_aliases(body={"actions": moves})
        return Upserted(added=total)

    def delete(self, ids: Iterable[str]) -> int:
        """Remove documents, in requests of 500."""
        removed = 0
        remaining = iter(ids)
        while batch := list(islice(remaining, BATCH)):
            with explained(self._access):
                lines = [{"delete": {"_id": name}} for name in batch]
                results = self._bulk(self._access.alias, lines)
            removed += sum(result["delete"]["status"] == 200 for result in results)
        return removed

    def _put(self, index: str, documents: list[Document]) -> None:
        if not documents:
            return
        vectors = self._embedder.embed([document.text for document in documents]).tolist()
        lines: list[bodies.Body] = []
        for document, vector in zip(documents, vectors, strict=True):
            lines += [{"index": {"_id": document.id}}, bodies.source(document, vector)]
        self._bulk(index, lines)

    def _bulk(self, index: str, lines: list[bodies.Body]) -> list[Mapping[str, Any]]:
        answer = self._client.bulk(body=bodies.ndjson(lines), index=index, refresh="true")
        results: list[Mapping[str, Any]] = answer["items"]
        for result in results:
            ((_, told),) = result.items()
            if told["status"] == 429:
                raise Transient(f"the cluster of {self.place} is busy; try again in a moment")
            if "error" in told:
                raise Rejected(
                    f"{self.place} refused the document {told['_id']}: "
                    f"{told['error'].get('reason', told['error'])}"
                )
        return results

    # Reading

    def search(
        self, query: str, *, as_of: datetime, k: int = 5, where: Filters = ANYTHING
    ) -> list[Hit]:
        """The k best documents that were known at `as_of`, best first."""
        checked_query(query, as_of, k)
        wanted = list(dict.fromkeys(words(query)))
        if not wanted:
            raise no_words(query)
        vector = self._embedder.embed([query])[0].tolist()
        asked = bodies.searches(wanted, vector, instant(as_of), where)
        lines = [line for body in asked for line in ({}, body)]
        with explained(self._access):
            answers = self._client.msearch(body=bodies.ndjson(lines), index=self._access.alias)
        by_words: list[str] = []
        by_vectors: list[str] = []
        held: dict[str, Document] = {}
        for answer, ranking in zip(answers["responses"], (by_words, by_vectors), strict=False):
            if "error" in answer:
                raise Rejected(f"{self.place} refused the search: {_reason(answer['error'])}")
            for found in answer["hits"]["hits"]:
                document = bodies.document_of(found["_source"])
                # Lucene's score of a cosine is (1 + cosine) / 2.
                if ranking is by_words or found["_score"] > (1 + LEAST_SIMILARITY) / 2:
                    held[document.id] = document
                    ranking.append(document.id)
        return [
            Hit(
                document=held[name],
                score=score,
                word_rank=word_rank,
                vector_rank=vector_rank,
                matched=_matched(wanted, held[name]),
            )
            for name, score, word_rank, vector_rank in fused(by_words, by_vectors, k)
        ]

    def hashes(self, kind: Kind | None = None) -> dict[str, str]:
        """Content hash by document id."""
        held = self._all(["id", "content_hash"], kind=kind)
        return {kept["id"]: kept["content_hash"] for kept in held}

    def status(self) -> IndexStatus:
        """What it holds."""
        with explained(self._access):
            found = self._client.search(index=self._access.alias, body=bodies.counts())
            kept = self._meta()
            sizes = self._client.indices.stats(index=self._access.alias, metric="store")
        groups = found["aggregations"]
        total = found["hits"]["total"]["value"]

        def counted(name: str) -> dict[str, int]:
            pairs = ((group["key"], group["doc_count"]) for group in groups[name]["buckets"])
            return dict(sorted(pairs))

        return IndexStatus(
            place=self.place,
            schema=kept["schema"],
            embedder=kept["embedder"],
            documents=total,
            kinds=counted("kinds"),
            lanes=counted("lanes"),
            runs=counted("runs"),
            symbols=counted("symbols"),
            first=moment_of(int(groups["first"]["value"])) if total else None,
            last=moment_of(int(groups["last"]["value"])) if total else None,
            bytes=sizes["_all"]["primaries"]["store"]["size_in_bytes"],
        )

    def verify(self) -> list[str]:
        """Read every document again and recompute its hash."""
        problems = []
        for kept in self._all(["vector", "words"], excluding=True):
            document = bodies.document_of(kept)
            if document.content_hash != kept["content_hash"]:
                problems.append(f"{document.id}: its content does not have the hash it was given")
        return problems

    def _all(
        self, names: list[str], *, excluding: bool = False, kind: Kind | None = None
    ) -> Iterator[Mapping[str, Any]]:
        """The sources of all documents, or of one kind, in order of their ids, page by page."""
        chosen = {"excludes" if excluding else "includes": names}
        body: bodies.Body = {
            "size": _PAGE,
            "_source": chosen,
            "query": {"terms": {"kind": [kind]}} if kind else {"match_all": {}},
            "sort": [{"id": "asc"}],
        }
        while True:
            with explained(self._access):
                answer = self._client.search(index=self._access.alias, body=body)
            page = answer["hits"]["hits"]
            yield from (found["_source"] for found in page)
            if len(page) < _PAGE:
                return
            body = body | {"search_after": page[-1]["sort"]}

    def _kept_hashes(self, ids: list[str]) -> dict[str, str]:
        answer = self._client.mget(
            index=self._access.alias, body={"ids": ids}, _source_includes=["content_hash"]
        )
        return {
            found["_id"]: found["_source"]["content_hash"]
            for found in answer["docs"]
            if found.get("found")
        }

    # The alias

    def _physical(self) -> list[str]:
        """The indexes that stand under the alias."""
        if not self._client.indices.exists_alias(name=self._access.alias):
            return []
        return list(self._client.indices.get_alias(name=self._access.alias))

    def _create(self, name: str, *, aliased: bool) -> None:
        body = bodies.mapping(self._embedder)
        if aliased:
            body["aliases"] = {self._access.alias: {}}
        self._client.indices.create(index=name, body=body)

    def _meta(self) -> Mapping[str, Any]:
        found = self._client.indices.get_mapping(index=self._access.alias)
        (first, *_) = found.values()
        kept: Mapping[str, Any] = first["mappings"].get("_meta", {})
        return kept

    def _check(self) -> None:
        kept = self._meta()
        schema = kept.get("schema")
        refuse_other_schema(self.place, schema if kept.get("words") == VERSION else 0)
        refuse_other_embedder(self.place, str(kept.get("embedder")), self._embedder.name)


def connect(access: Access) -> Any:
    """A client of the cluster; NotConfigured when a package or AWS's credentials are missing."""
    if find_spec("opensearchpy") is None:
        raise NotConfigured(
            "an index on OpenSearch needs the package opensearch-py: pip install -e '.[rag]'"
        )
    from opensearchpy import OpenSearch, RequestsHttpConnection

    options: dict[str, Any] = {}
    if access.aws_region:
        options["http_auth"] = _signer(access.aws_region, access.aws_service)
    elif access.username:
        options["http_auth"] = (access.username, access.password or "")
    return OpenSearch(
        hosts=[access.url],
        connection_class=RequestsHttpConnection,
        timeout=access.timeout,
        max_retries=2,
        retry_on_status=(429, 502, 503, 504),
        verify_certs=True,
        **options,
    )


def _signer(region: str, service: str) -> Any:
    if find_spec("boto3") is None:
        raise NotConfigured("Amazon OpenSearch needs the package boto3: pip install -e '.[rag]'")
    import boto3  # type: ignore[import-untyped]
    from opensearchpy import AWSV4SignerAuth

    credentials = boto3.Session().get_credentials()
    if credentials is None:
        raise NotConfigured(
            "Amazon OpenSearch needs AWS credentials, and none were found; set AWS_PROFILE or "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or unset rag.aws_region"
        )
    return AWSV4SignerAuth(credentials, region, service)


@contextmanager
def explained(access: Access) -> Iterator[None]:
    """The client's errors as ours."""
    from opensearchpy import exceptions

    place = f"the OpenSearch cluster {access.url.split('@')[-1]}"
    try:
        yield
    except exceptions.SSLError as error:
        raise Rejected(f"{place} has a certificate that cannot be verified") from error
    except exceptions.ConnectionError as error:
        raise Transient(f"{place} cannot be reached; see that it runs, and try again") from error
    except exceptions.TransportError as error:
        status = error.status_code
        told = storable(_reason(error.info) or str(error.error))[:300]
        if status in (401, 403):
            raise NotConfigured(
                f"{place} refused who asks ({status}); set OPENSEARCH_USERNAME and "
                "OPENSEARCH_PASSWORD, or rag.aws_region with AWS credentials"
            ) from error
        if status == 404:
            raise NoData(f"{place} has no index {access.alias}: {told}") from error
        if isinstance(status, int) and status != 429 and status < 500:
            raise Rejected(f"{place} refused the request ({status}): {told}") from error
        raise Transient(f"{place} failed ({status}): {told}; try again in a moment") from error
    except exceptions.OpenSearchException as error:
        raise BadInput(f"{place} answered what is not OpenSearch: {error}") from error


def _reason(told: Any) -> str:
    """The reason in an error's body, wherever it stands."""
    if isinstance(told, Mapping):
        inner = told.get("error", told)
        if isinstance(inner, Mapping):
            return str(inner.get("reason") or inner.get("type") or "")
        return str(inner)
    return ""


def _matched(wanted: list[str], document: Document) -> tuple[str, ...]:
    said = set(words(document.text))
    return tuple(word for word in wanted if word in said)
