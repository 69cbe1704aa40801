"""The embedded index: one file, SQLite's FTS5 for the words and numpy for the vectors.

It needs nothing but the base installation. One process writes at a time, any number read while it
does; a search sees one state throughout. `words` finds and ranks by BM25; vectors are compared one
by one (a hundred thousand of them take ten milliseconds), so no approximation can miss one.
"""

import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from types import TracebackType

from rag import embedded_file as file
from rag.documents import Document, Kind, instant, moment_of
from rag.embedded_rows import documents_at, forget, kept_hashes, problems_of, read_columns, write
from rag.embedded_view import View, refreshed
from rag.embedded_words import ranked_by_words
from rag.index import (
    ANYTHING,
    DEPTH,
    Filters,
    Hit,
    IndexStatus,
    Upserted,
    checked_query,
    fused,
    no_words,
)
from tools.embed.words import words
from tools.ports import Embedder

BATCH = 512


class EmbeddedIndex:
    """An index in a file. Use `EmbeddedIndex.open`; close it, or use it as a context manager."""

    def __init__(self, path: Path, embedder: Embedder) -> None:
        """Over a file that `embedded_file.prepare` has approved."""
        self._path, self._embedder = path, embedder
        self._own = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._view = View(dimensions=embedder.dimensions)
        self._refreshing = threading.Lock()

    @classmethod
    def open(
        cls, path: Path, embedder: Embedder, *, create: bool = False, replacing: bool = False
    ) -> "EmbeddedIndex":
        """Open the index at a path; see `embedded_file.prepare` for the options and errors."""
        file.prepare(path, embedder, create=create, replacing=replacing)
        return cls(path, embedder)

    def __enter__(self) -> "EmbeddedIndex":
        """The index itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close every connection."""
        while self._connections:
            self._connections.pop().close()
        self._own = threading.local()

    # Writing

    def upsert(self, documents: Iterable[Document]) -> Upserted:
        """Add new documents and replace changed ones, in transactions of 512."""
        total = Upserted()
        remaining = iter(documents)
        while batch := list(islice(remaining, BATCH)):
            fresh = self._fresh(batch)
            vectors = self._vectors(fresh)
            with self._connected() as connection, file.writing(connection):
                done = write(connection, fresh, vectors)
            total += done + Upserted(unchanged=len(batch) - len(fresh))
        return total

    def rebuild(self, documents: Iterable[Document]) -> Upserted:
        """Replace everything in one transaction: readers see the old index until it is whole."""
        total = Upserted()
        remaining = iter(documents)
        with self._connected() as connection, file.writing(connection):
            before = file.epoch_of(connection)
            file.make_tables(connection, self._embedder)
            file.set_meta(connection, "epoch", before + 1)
            while batch := list(islice(remaining, BATCH)):
                named = list({document.id: document for document in batch}.values())
                total += write(connection, named, self._vectors(named))
        return total

    def delete(self, ids: Iterable[str]) -> int:
        """Remove documents in one transaction."""
        removed = 0
        with self._connected() as connection, file.writing(connection):
            for name in ids:
                row = connection.execute(
                    "DELETE FROM documents WHERE id = ? RETURNING number, text", (name,)
                ).fetchone()
                if row is not None:
                    forget(connection, *row)
                    removed += 1
            if removed:
                file.set_meta(connection, "epoch", file.meta(connection, "epoch") + 1)
        return removed

    def _fresh(self, batch: Sequence[Document]) -> list[Document]:
        """The documents that are not held as they are; the last of those with the same id."""
        named = {document.id: document for document in batch}
        with self._connected() as connection:
            kept = kept_hashes(connection, list(named))
        return [one for one in named.values() if kept.get(one.id) != one.content_hash]

    def _vectors(self, documents: Sequence[Document]) -> list[bytes]:
        if not documents:
            return []
        vectors = self._embedder.embed([document.text for document in documents])
        return [row.tobytes() for row in vectors.astype("<f4")]

    # Reading

    def search(
        self, query: str, *, as_of: datetime, k: int = 5, where: Filters = ANYTHING
    ) -> list[Hit]:
        """The k best documents that were known at `as_of`, best first."""
        checked_query(query, as_of, k)
        wanted = list(dict.fromkeys(words(query)))
        if not wanted:
            raise no_words(query)
        vector = self._embedder.embed([query])[0]
        with self._connected() as connection, file.reading(connection):
            view = self._current(connection)
            mask = view.allowed(instant(as_of), where)
            by_words = ranked_by_words(connection, view, wanted, mask, k)
            by_vectors = [int(p) for p in view.nearest(vector, mask, DEPTH)]
            best = fused(by_words, by_vectors, k)
            held = documents_at(connection, [int(view.numbers[position]) for position, *_ in best])
        hits = []
        for position, score, word_rank, vector_rank in best:
            document = held[int(view.numbers[position])]
            said = set(words(document.text))
            hits.append(
                Hit(
                    document=document,
                    score=score,
                    word_rank=word_rank,
                    vector_rank=vector_rank,
                    matched=tuple(word for word in wanted if word in said),
                )
            )
        return hits

    def hashes(self, kind: Kind | None = None) -> dict[str, str]:
        """Content hash by document id."""
        query = "SELECT id, content_hash FROM documents WHERE ?1 IS NULL OR kind = ?1"
        with self._connected() as connection:
            return dict(connection.execute(query, (kind,)))

    def status(self) -> IndexStatus:
        """What it holds."""
        with self._connected() as connection, file.reading(connection):
            first, last, total = connection.execute(
                "SELECT min(known_at), max(known_at), count(*) FROM documents"
            ).fetchone()
            symbols: Counter[str] = Counter()
            grouped = "SELECT symbols, count(*) FROM documents GROUP BY symbols"
            for names, count in connection.execute(grouped):
                symbols.update(dict.fromkeys(json.loads(names), count))
            groups = {
                name: dict(
                    connection.execute(
                        f"SELECT {name}, count(*) FROM documents GROUP BY {name} ORDER BY {name}"
                    )
                )
                for name in ("kind", "lane", "run")
            }
            embedder = str(file.meta(connection, "embedder"))
            schema = connection.execute("PRAGMA user_version").fetchone()[0]
        files = (self._path, self._path.with_name(self._path.name + "-wal"))
        return IndexStatus(
            place=str(self._path),
            schema=schema,
            embedder=embedder,
            documents=total,
            kinds=groups["kind"],
            lanes=groups["lane"],
            runs=groups["run"],
            symbols=dict(sorted(symbols.items())),
            first=None if first is None else moment_of(first),
            last=None if last is None else moment_of(last),
            bytes=sum(one.stat().st_size for one in files if one.exists()),
        )

    def verify(self) -> list[str]:
        """Read everything again: the database, the words' rows, hashes and vectors."""
        with self._connected() as connection, file.reading(connection):
            problems = [
                f"the database is damaged: {line}"
                for (line,) in connection.execute("PRAGMA quick_check(10)")
                if line != "ok"
            ]
            without = connection.execute(
                "SELECT id FROM documents WHERE number NOT IN (SELECT id FROM words_docsize)"
            ).fetchall()
            problems += [f"{name}: its words are not indexed" for (name,) in without]
            unowned = connection.execute(
                "SELECT count(*) FROM words_docsize WHERE id NOT IN (SELECT number FROM documents)"
            ).fetchone()[0]
            if unowned:
                problems.append(f"the words of {unowned} documents are indexed that are not held")
            for row in read_columns(connection):
                problems += problems_of(row, self._embedder.dimensions)
        return problems

    def _current(self, connection: sqlite3.Connection) -> View:
        """The view of what this transaction sees; kept unless another thread's is newer."""
        view = refreshed(connection, self._view, self._refreshing)
        if (view.epoch, view.revision) > (self._view.epoch, self._view.revision):
            self._view = view
        return view

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """This thread's connection."""
        with file.explained(self._path):
            connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
            if connection is None:
                connection = self._own.connection = file.connect(self._path)
                self._connections.append(connection)
            yield connection
