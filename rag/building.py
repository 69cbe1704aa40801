"""Bringing an index to what the ledger says, and telling where the two differ.

Building is idempotent: what is held as it should be is left alone, what changed is replaced, and
what the ledger no longer says (a run that was discarded) is removed, but only of runs that the
ledger knows: an index may serve several ledgers.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from rag.documents import Document
from rag.index import Index, Upserted
from rag.ledger import of_ledger
from tools.store import Store

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a build did."""

    documents: int
    added: int
    changed: int
    unchanged: int
    removed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Where an index differs from the ledger, by document id; `damaged` are its own faults.

    Missing: the ledger says it, the index has it not. Stale: the index says something else.
    Orphaned: a document of one of the ledger's runs that the ledger does not say.
    """

    documents: int
    missing: tuple[str, ...]
    stale: tuple[str, ...]
    orphaned: tuple[str, ...]
    damaged: tuple[str, ...]

    @property
    def intact(self) -> bool:
        """Whether there is no difference and no fault."""
        return not (self.missing or self.stale or self.orphaned or self.damaged)


def build(
    index: Index,
    store: Store,
    *,
    as_of: datetime,
    rebuild: bool = False,
    progress: Progress | None = None,
) -> Built:
    """Bring the index to what the ledger said at `as_of`; `rebuild` replaces all that it holds."""
    # Listed first: what somebody adds while the ledger is read is no orphan of ours.
    held = [] if rebuild else list(index.hashes())
    expected: set[str] = set()
    documents = _counted(of_ledger(store, as_of=as_of), expected, progress)
    if rebuild:
        done, removed = index.rebuild(documents), 0
    else:
        done = index.upsert(documents)
        removed = index.delete(_orphans(held, expected, _runs(store)))
    return _built(done, removed, len(expected))


def compare(index: Index, store: Store, *, as_of: datetime) -> Comparison:
    """What the index lacks, has otherwise, or has too much, against the ledger at `as_of`."""
    held = index.hashes()
    wanted = {document.id: document.content_hash for document in of_ledger(store, as_of=as_of)}
    return Comparison(
        documents=len(wanted),
        missing=tuple(name for name in wanted if name not in held),
        stale=tuple(name for name, told in wanted.items() if held.get(name, told) != told),
        orphaned=tuple(_orphans(held, wanted.keys(), _runs(store))),
        damaged=tuple(index.verify()),
    )


def _runs(store: Store) -> set[str]:
    return {run.run_id for run in store.runs()}


def _orphans(held: Iterable[str], wanted: Iterable[str], runs: set[str]) -> list[str]:
    kept = set(wanted)
    return [name for name in held if name not in kept and name.split("/", 1)[0] in runs]


def _counted(
    documents: Iterable[Document], seen: set[str], progress: Progress | None
) -> Iterator[Document]:
    for document in documents:
        seen.add(document.id)
        if progress is not None:
            progress(len(seen))
        yield document


def _built(done: Upserted, removed: int, documents: int) -> Built:
    return Built(
        documents=documents,
        added=done.added,
        changed=done.changed,
        unchanged=done.unchanged,
        removed=removed,
    )
