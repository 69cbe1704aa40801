"""The part of the embedded index that is held in memory: filters and vectors, as arrays.

A view is one state of the index and is never changed; a search uses one view throughout, whatever
is written meanwhile. Newer rows are appended behind the older ones, into blocks that both views
share, because nobody reads beyond the length of their own view.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.documents import instant
from rag.embedded_file import meta
from rag.index import LEAST_SIMILARITY, Filters

BLOCK = 8192
Positions = NDArray[np.int64]
_CODED = ("kind", "lane", "run")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One state. Row p of every array is document p; `numbers` is ascending.

    `codes` holds a number for each kind, lane and run; `symbols` the positions of the documents
    that speak of a symbol; `frequencies` how many documents hold a word, as far as was asked.
    """

    dimensions: int
    epoch: int = -1
    revision: int = -1
    numbers: Positions = field(default_factory=lambda: np.zeros(0, np.int64))
    known_at: Positions = field(default_factory=lambda: np.zeros(0, np.int64))
    codes: dict[str, NDArray[np.int32]] = field(
        default_factory=lambda: {name: np.zeros(0, np.int32) for name in _CODED}
    )
    code_of: dict[str, dict[str, int]] = field(
        default_factory=lambda: {name: {} for name in _CODED}
    )
    symbols: dict[str, Positions] = field(default_factory=dict)
    blocks: tuple[NDArray[np.float32], ...] = ()
    frequencies: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many documents."""
        return len(self.numbers)

    def allowed(self, as_of: int, where: Filters) -> NDArray[np.bool_]:
        """Which documents were known at a moment and pass the filters; shape (documents,)."""
        mask = self.known_at <= as_of
        if where.since is not None:
            mask &= self.known_at >= instant(where.since)
        if where.until is not None:
            mask &= self.known_at < instant(where.until)
        named_in = (("kind", where.kinds), ("lane", where.lanes_read), ("run", where.runs))
        for name, wanted in named_in:
            if wanted:
                codes = [self.code_of[name].get(word, -1) for word in wanted]
                mask &= np.isin(self.codes[name], codes)
        if where.symbols:
            named = np.zeros(len(self), np.bool_)
            for symbol in where.symbols:
                named[self.symbols.get(symbol, np.zeros(0, np.int64))] = True
            mask &= named
        return mask

    def nearest(
        self, vector: NDArray[np.float32], mask: NDArray[np.bool_], depth: int
    ) -> Positions:
        """Allowed documents by falling similarity to a vector, the newer first among equals.

        Only similarities above LEAST_SIMILARITY count.
        """
        candidates = np.flatnonzero(mask)
        if not len(candidates) or not vector.any():
            return candidates[:0]
        similar = self._similarities(vector, candidates)
        if len(similar) > depth:
            best = np.argpartition(-similar, depth)[:depth]
            edge = similar[best].min()
            best = np.flatnonzero(similar >= edge)  # all that tie at the edge, so none by chance
            candidates, similar = candidates[best], similar[best]
        keep = similar > LEAST_SIMILARITY
        candidates, similar = candidates[keep], similar[keep]
        order = np.lexsort((candidates, -self.known_at[candidates], -similar))
        return candidates[order[:depth]]

    def _similarities(
        self, vector: NDArray[np.float32], candidates: Positions
    ) -> NDArray[np.float32]:
        few = len(candidates) * 8 < len(self)
        found = []
        for number, block in enumerate(self.blocks):
            start = number * BLOCK
            rows = min(BLOCK, len(self) - start)
            low, high = np.searchsorted(candidates, (start, start + rows))
            if low == high:
                continue
            inside = candidates[low:high] - start
            # Not `@`: for so little work BLAS's threads cost more than they save, and on a busy
            # machine ten times as much.
            if few:
                found.append(np.einsum("ij,j->i", block[inside], vector))
            else:
                found.append(np.einsum("ij,j->i", block[:rows], vector)[inside])
        return np.concatenate(found)


def refreshed(connection: sqlite3.Connection, view: View, growing: threading.Lock) -> View:
    """The view as the transaction sees the index; the same one when nothing was written.

    `growing` is held while blocks are shared with an older view: two threads that append the same
    rows write the same bytes, but one of them may already be behind the other.
    """
    epoch, revision = meta(connection, "epoch"), meta(connection, "revision")
    if (epoch, revision) == (view.epoch, view.revision):
        return view
    with growing:
        behind = epoch == view.epoch and revision > view.revision and _only_added(connection, view)
        base = view if behind else View(dimensions=view.dimensions)
        return _grown(connection, base, epoch, revision)


def _only_added(connection: sqlite3.Connection, view: View) -> bool:
    """Whether every row written since stands behind the last one of the view."""
    last = int(view.numbers[-1]) if len(view) else 0
    changed = "SELECT count(*) FROM documents WHERE revision > ? AND number <= ?"
    return bool(connection.execute(changed, (view.revision, last)).fetchone()[0] == 0)


def _grown(connection: sqlite3.Connection, view: View, epoch: int, revision: int) -> View:
    last = int(view.numbers[-1]) if len(view) else 0
    rows = connection.execute(
        "SELECT number, known_at, kind, lane, run, symbols, vector FROM documents "
        "WHERE number > ? ORDER BY number",
        (last,),
    )
    blocks = list(view.blocks)
    size = len(view)
    numbers: list[int] = []
    known_at: list[int] = []
    codes: dict[str, list[int]] = {name: [] for name in _CODED}
    code_of = {name: dict(known) for name, known in view.code_of.items()}
    spoken: dict[str, list[int]] = {}
    for batch in _batches(rows):
        for number, moment, kind, lane, run, symbols, _ in batch:
            for symbol in json.loads(symbols):
                spoken.setdefault(symbol, []).append(size + len(numbers))
            numbers.append(number)
            known_at.append(moment)
            for name, word in zip(_CODED, (kind, lane, run), strict=True):
                codes[name].append(code_of[name].setdefault(word, len(code_of[name])))
        vectors = np.frombuffer(b"".join(row[6] for row in batch), "<f4")
        _append(blocks, size + len(numbers) - len(batch), vectors.reshape(-1, view.dimensions))
    return replace(
        view,
        epoch=epoch,
        revision=revision,
        numbers=_joined(view.numbers, numbers),
        known_at=_joined(view.known_at, known_at),
        codes={
            name: np.concatenate([view.codes[name], np.array(codes[name], np.int32)])
            for name in _CODED
        },
        code_of=code_of,
        symbols=view.symbols
        | {
            symbol: _joined(view.symbols.get(symbol, np.zeros(0, np.int64)), positions)
            for symbol, positions in spoken.items()
        },
        blocks=tuple(blocks),
        frequencies={},
    )


def _joined(before: Positions, after: list[int]) -> Positions:
    return np.concatenate([before, np.array(after, np.int64)])


def _batches(rows: sqlite3.Cursor) -> Iterator[Sequence[Any]]:
    while batch := rows.fetchmany(2048):
        yield batch


def _append(blocks: list[NDArray[np.float32]], position: int, vectors: NDArray[np.float32]) -> None:
    """Write vectors behind `position` rows, in new blocks where the last one is full."""
    while len(vectors):
        number, offset = divmod(position, BLOCK)
        if number == len(blocks):
            blocks.append(np.empty((BLOCK, vectors.shape[1]), np.float32))
        room = min(BLOCK - offset, len(vectors))
        blocks[number][offset : offset + room] = vectors[:room]
        position, vectors = position + room, vectors[room:]
