"""Vectors from spelling alone: no model, no download, no network, the same on every machine.

A text is the bag of its words (`tools.embed.words`); a word adds itself and, when it is made of
letters, its trigrams, each hashed to a place and a sign. So texts that share words, or nearly the
same words (`reversion`, `reverting`), are near. It knows no meaning: the word index beside it
finds the exact words, and this finds what is spelt differently.

All sums are of small integers, which float32 holds exactly; one square root and one division
follow, which IEEE 754 rounds in one way. Equal texts have equal bits wherever they are embedded.
"""

import hashlib
import threading
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tools.embed import words

DIMENSIONS = 256
_WHOLE, _TRIGRAM = 8, 2
# Beside how often: what pins a text down (a time, a date) counts more than one price among many.
_TIME, _NUMBER, _WORD = 3, 1, 2
_MOST_REPEATS = 3
_KEPT = 32_768


class LexicalEmbedder:
    """The embedder that is always there."""

    def __init__(self) -> None:
        """With nothing kept yet."""
        self._places: dict[str, int] = {}
        self._rows = np.zeros((1024, DIMENSIONS), np.float32)
        self._growing = threading.Lock()

    @property
    def name(self) -> str:
        """Changes whenever a vector would."""
        return f"lexical.v{words.VERSION}:{DIMENSIONS}"

    @property
    def dimensions(self) -> int:
        """256."""
        return DIMENSIONS

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Shape (texts, 256), float32, each of length 1, or of zeros where there is no word."""
        vectors = np.zeros((len(texts), DIMENSIONS), np.float32)
        for row, text in enumerate(texts):
            counts = Counter(words.words(text))
            if counts:
                vectors[row] = self._sum(counts)
        return vectors

    def _sum(self, counts: Counter[str]) -> NDArray[np.float32]:
        weights = [min(count, _MOST_REPEATS) * _weight(word) for word, count in counts.items()]
        with self._growing:
            rows = self._rows_of(list(counts))
        total = np.array(weights, np.float32) @ rows
        length = np.sqrt(np.sum(total.astype(np.float64) ** 2))
        return (total / length).astype(np.float32) if length else total

    def _rows_of(self, wanted: list[str]) -> NDArray[np.float32]:
        if len(self._places) + len(wanted) > _KEPT:
            self._places, self._rows = {}, self._rows[:1024].copy()
        for word in wanted:
            if word not in self._places:
                place = len(self._places)
                if place == len(self._rows):
                    self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
                self._rows[place] = _row(word)
                self._places[word] = place
        return self._rows[[self._places[word] for word in wanted]]


def _weight(word: str) -> int:
    if ":" in word or "-" in word:
        return _TIME
    return _NUMBER if word[0].isdigit() else _WORD


def _row(word: str) -> NDArray[np.float32]:
    """A word's own vector: small integers."""
    row = np.zeros(DIMENSIONS, np.float32)
    _add(row, word, _WHOLE)
    if word[0].isalpha():
        padded = f"^{word}$"
        for start in range(len(padded) - 2):
            _add(row, padded[start : start + 3], _TRIGRAM)
    return row


def _add(row: NDArray[np.float32], feature: str, amount: int) -> None:
    digest = int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=8).digest(), "little")
    row[(digest >> 1) % DIMENSIONS] += amount if digest & 1 else -amount
