"""The index of documents: what every implementation does, and what they share.

Invariants, kept by each implementation and proven by one set of tests for all of them: a document
known after `as_of` is never returned, whatever the query; upserting the same documents again
changes nothing; vectors of different embedders are never compared; a writer that dies leaves what
was there before its last finished batch.

A search asks twice, for the words and for the meaning (nearest vectors), and fuses the two rankings
by reciprocal rank (Cormack, Clarke and Büttcher, SIGIR 2009): a document counts 1 / (60 + rank) in
each. Ranks need no common scale, so both indexes and all embedders are fused alike.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from rag.documents import KINDS, SHARED_LANE, Document, Kind
from tools.errors import BadInput

SCHEMA = 1
MOST_CHARACTERS = 8_000
MOST_HITS = 200
DEPTH = 100
# Below this cosine two texts have no more in common than chance gives them.
LEAST_SIMILARITY = 0.1
_RANK_OFFSET = 60
K = TypeVar("K", int, str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a hit must satisfy; an empty tuple or None asks nothing.

    A document passes `symbols` when it speaks of any of them, and `lanes` when it is of one of them
    or shared by all. Times bound when it became known: since <= known_at < until.
    """

    symbols: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    lanes: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant; symbols are compared in capitals."""
        for kind in self.kinds:
            if kind not in KINDS:
                raise BadInput(f"there is no document kind {kind!r}; there are {', '.join(KINDS)}")
        for name in ("since", "until"):
            value = getattr(self, name)
            if value is not None:
                aware(name, value)
        if self.since and self.until and self.since >= self.until:
            raise BadInput(
                f"since ({self.since}) is not before until ({self.until}); nothing lies between"
            )
        object.__setattr__(self, "symbols", tuple(symbol.upper() for symbol in self.symbols))

    @property
    def lanes_read(self) -> tuple[str, ...]:
        """The lanes asked for with the one that they share; none when all are."""
        return (*self.lanes, SHARED_LANE) if self.lanes else ()


ANYTHING = Filters()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A document that was found. Ranks count from 1; None where that half did not find it.

    `matched` are the words of the query that it holds, as `tools.embed.words` reads them.
    """

    document: Document
    score: float
    word_rank: int | None
    vector_rank: int | None
    matched: tuple[str, ...]

    @property
    def why(self) -> str:
        """Why it was found, for people."""
        reasons = []
        if self.word_rank is not None:
            reasons.append(f"{_ordinal(self.word_rank)} by words ({', '.join(self.matched)})")
        if self.vector_rank is not None:
            reasons.append(f"{_ordinal(self.vector_rank)} by meaning")
        return ", ".join(reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upserted:
    """What became of the documents of an upsert."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0

    def __add__(self, other: "Upserted") -> "Upserted":
        """The sum of two batches."""
        return Upserted(
            added=self.added + other.added,
            changed=self.changed + other.changed,
            unchanged=self.unchanged + other.unchanged,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexStatus:
    """What an index holds. `first` and `last` are the earliest and latest `known_at`."""

    place: str
    schema: int
    embedder: str
    documents: int
    kinds: dict[str, int]
    lanes: dict[str, int]
    runs: dict[str, int]
    symbols: dict[str, int]
    first: datetime | None
    last: datetime | None
    bytes: int


class Index(Protocol):
    """A place that documents are put into and found in."""

    def upsert(self, documents: Iterable[Document]) -> Upserted:
        """Add new documents and replace changed ones, by id and content hash, batch by batch."""
        ...

    def rebuild(self, documents: Iterable[Document]) -> Upserted:
        """Replace everything it holds; readers see the old index until the new one is whole."""
        ...

    def delete(self, ids: Iterable[str]) -> int:
        """Remove documents; those that are not there do not count."""
        ...

    def search(
        self, query: str, *, as_of: datetime, k: int = 5, where: Filters = ANYTHING
    ) -> list[Hit]:
        """The k best documents that were known at `as_of`, best first.

        Raises BadInput for a query that is too long or holds no word, and for a moment without a
        zone; nothing found is an empty list.
        """
        ...

    def hashes(self, kind: Kind | None = None) -> dict[str, str]:
        """Content hash by document id, of everything that is held or of one kind."""
        ...

    def status(self) -> IndexStatus:
        """What it holds."""
        ...

    def verify(self) -> list[str]:
        """What is wrong with the index itself, a sentence each; empty when nothing is."""
        ...

    def close(self) -> None:
        """Give up what is held open."""
        ...


def aware(name: str, moment: Any) -> datetime:
    """A moment with a zone; BadInput otherwise."""
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise BadInput(f"{name} must be a moment with a time zone, not {moment!r}")
    return moment


def checked_query(query: str, as_of: datetime, k: int) -> None:
    """BadInput for a search that cannot be made."""
    aware("as_of", as_of)
    if len(query) > MOST_CHARACTERS:
        raise BadInput(
            f"the query has {len(query):,} characters; at most {MOST_CHARACTERS:,} are searched: "
            "ask in fewer words"
        )
    if not 1 <= k <= MOST_HITS:
        raise BadInput(f"k is {k}; ask for 1 to {MOST_HITS} documents")


def no_words(query: str) -> BadInput:
    """The error for a query without anything to look for."""
    shown = query.strip()[:60]
    return BadInput(
        f"the query {shown!r} holds no word to look for; name a symbol, a time, a reason …"
        if shown
        else "the query is empty; ask for something, such as: why was NVDA skipped"
    )


def fused(
    by_words: Sequence[K], by_vectors: Sequence[K], k: int
) -> list[tuple[K, float, int | None, int | None]]:
    """The k best of two rankings: (key, score, rank by words, rank by vectors), best first.

    Equal scores stand in the order of the words' ranking, then of the keys.
    """
    words = {key: rank for rank, key in enumerate(by_words, 1)}
    vectors = {key: rank for rank, key in enumerate(by_vectors, 1)}
    scored = []
    for key in words.keys() | vectors.keys():
        first, second = words.get(key), vectors.get(key)
        score = sum(1.0 / (_RANK_OFFSET + rank) for rank in (first, second) if rank is not None)
        scored.append((key, score, first, second))
    scored.sort(key=lambda one: (-one[1], one[2] or DEPTH + 1, one[0]))
    return scored[:k]


def refuse_other_embedder(place: str, kept: str, given: str) -> None:
    """BadInput when an index was made with another embedder than the one at hand."""
    if kept != given:
        maker = kept.split(":")[0].split(".")[0]
        raise BadInput(
            f"the index {place} was made with the embedder {kept}, not {given}: their vectors "
            f"cannot be compared. Say --embedder {maker} (rag.embedder), or make the index again "
            "with `advisor index build --rebuild`"
        )


def refuse_other_schema(place: str, schema: Any) -> None:
    """BadInput when an index has another schema than this program writes."""
    if schema != SCHEMA:
        age = "an older" if isinstance(schema, int) and schema < SCHEMA else "another"
        raise BadInput(
            f"the index {place} has {age} schema ({schema}; this program reads {SCHEMA}): build it "
            "again with `advisor index build --rebuild`; nothing is lost, it is made from the "
            "ledger"
        )


def _ordinal(rank: int) -> str:
    suffix = (
        "th" if rank % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    )
    return f"{rank}{suffix}"
