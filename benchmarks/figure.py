"""One line of the table: what was measured, and the bound it is held to."""

from typing import NamedTuple


class Figure(NamedTuple):
    """A measurement; `target` is `≤ x`, `≥ x`, `< x`, `0` (exactly) or `-` (no promise)."""

    name: str
    value: float
    unit: str
    target: str

    @property
    def met(self) -> bool | None:
        """Whether the bound holds; None where nothing is promised."""
        if self.target == "-":
            return None
        sign, _, bound = self.target.rpartition(" ")
        limit = float(bound.replace(",", ""))
        outcomes = {
            "≤": self.value <= limit,
            "<": self.value < limit,
            "≥": self.value >= limit,
            "": self.value == limit,
        }
        return outcomes[sign]
