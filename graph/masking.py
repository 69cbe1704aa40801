"""Masking: hide from a model which symbols and days it looks at, and undo it in its answer.

A model may remember how NVDA did on a date. With a mask it sees S1, S2, … in the order of the
watchlist and minutes since the open; what it says about S4 is turned back into NVDA. Without a
mask the same code runs with every symbol standing for itself, so the way is the same.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_MASKED = re.compile(r"\bS([1-9][0-9]?)\b")


@dataclass(frozen=True, slots=True)
class Mask:
    """The names under which a model knows the symbols of a watchlist."""

    symbols: Sequence[str]
    hides: bool

    def shown(self, symbol: str) -> str:
        """What the model calls a symbol; KeyError for one that is not on the watchlist."""
        if symbol not in self.symbols:
            raise KeyError(symbol)
        return f"S{list(self.symbols).index(symbol) + 1}" if self.hides else symbol

    def real(self, shown: str) -> str | None:
        """The symbol behind a name, or None when the model made it up."""
        names = {self.shown(symbol): symbol for symbol in self.symbols}
        return names.get(shown)

    def shown_id(self, fact: str) -> str:
        """The id of a fact as the model sees it (`NVDA.z` becomes `S4.z`)."""
        symbol, dot, name = fact.rpartition(".")
        return f"{self.shown(symbol)}.{name}" if dot and symbol in self.symbols else fact

    def unmask(self, text: str) -> str:
        """A text of the model with the symbols back in it."""
        if not self.hides:
            return text
        return _MASKED.sub(lambda match: self.real(match[0]) or match[0], text)
