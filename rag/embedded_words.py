"""Ranking by words in the embedded index: BM25 by SQLite's FTS5.

BM25 over a common word would score most of the index for next to no information. So the rarer
words of a query find, and all of its words rank what was found; common words (in more than a fifth
of a large index) find only where no rarer one does.
"""

import sqlite3

import numpy as np
from numpy.typing import NDArray

from rag.embedded_view import View
from rag.index import DEPTH

_FOUND_BY_RARE = 4_000
_COMMON_SHARE = 0.2


def ranked_by_words(
    connection: sqlite3.Connection, view: View, wanted: list[str], mask: NDArray[np.bool_], k: int
) -> list[int]:
    """Allowed positions by BM25, the newer first among equals; at most DEPTH.

    Words are taken in, rarest first, until k documents are found that pass the mask.
    """
    counted = sorted((_frequency(connection, view, word), word) for word in wanted)
    held = [(frequency, word) for frequency, word in counted if frequency]
    ranked: list[int] = []
    for finding in _stages([frequency for frequency, _ in held], len(view)):
        known = [word for _, word in held]
        ranked = _ranked(connection, view, known[:finding], known, mask)
        if len(ranked) >= k:
            break
    return ranked


def _stages(frequencies: list[int], documents: int) -> list[int]:
    """How many of the words (rarest first) find: few, then all that are not common."""
    if not frequencies:
        return []
    common = max(_COMMON_SHARE * documents, _FOUND_BY_RARE)
    seen = np.cumsum(frequencies)
    few = max(1, int(np.searchsorted(seen, _FOUND_BY_RARE, side="right")))
    most = max(1, sum(frequency <= common for frequency in frequencies))
    return sorted({min(few, most), most})


def _frequency(connection: sqlite3.Connection, view: View, word: str) -> int:
    """How many documents hold a word; remembered for as long as the view."""
    known = view.frequencies.get(word)
    if known is None:
        row = connection.execute("SELECT doc FROM vocabulary WHERE term = ?", (word,)).fetchone()
        known = view.frequencies[word] = 0 if row is None else int(row[0])
    return known


def _ranked(
    connection: sqlite3.Connection,
    view: View,
    finding: list[str],
    ranking: list[str],
    mask: NDArray[np.bool_],
) -> list[int]:
    asked = _any_of(ranking)
    if len(finding) < len(ranking):
        asked = f"({_any_of(finding)}) AND ({asked})"
    rows = connection.execute(
        "SELECT rowid, bm25(words) FROM words WHERE words MATCH ?", (asked,)
    ).fetchall()
    if not rows:
        return []
    found = np.array(rows, np.float64)
    positions = np.searchsorted(view.numbers, found[:, 0].astype(np.int64))
    keep = mask[positions]
    positions, scores = positions[keep], found[keep, 1]
    order = np.lexsort((positions, -view.known_at[positions], scores))
    ranked: list[int] = positions[order[:DEPTH]].tolist()
    return ranked


def _any_of(chosen: list[str]) -> str:
    """An FTS5 expression; words hold no quote (`tools.embed.words`), so nothing can escape."""
    return " OR ".join(f'"{word}"' for word in chosen)
