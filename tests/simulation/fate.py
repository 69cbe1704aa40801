"""What goes wrong, drawn from a seed."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random


@dataclass
class Fate:
    """What goes wrong, drawn from a seed; `calm` nothing does. `met` counts what did."""

    seed: int
    rate: float = 0.0
    calm: bool = False
    met: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    def draws(self, *kinds: str, rare: bool = False) -> str:
        """One of the kinds, or nothing; what happens `rare`ly fails more often."""
        rate = min(6 * self.rate, 0.6) if rare else self.rate
        if self.calm or self.random.random() >= rate:
            return ""
        kind = self.random.choice(kinds)
        self.met[kind] += 1
        return kind
