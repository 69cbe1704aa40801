"""`make simulate N=…`: sessions under faults, seed by seed; a failing one says how to repeat it."""

import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.advisor.worlds import SETTINGS
from tests.simulation.fate import Fate
from tests.simulation.test_simulation import day, holds, is_over
from tests.simulation.world import World

RATES = (0.02, 0.05, 0.15, 0.3)


def session(seed: int) -> Counter[str]:
    """One session; the faults that it survived."""
    fate = Fate(seed, RATES[seed % len(RATES)])
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), day(), SETTINGS, fate, partial=0.3)
        is_over(world.play(holds))
        world.close()
    return fate.met


def main(first: int, count: int) -> int:
    """Seeds [first, first + count); the number of those that failed."""
    met: Counter[str] = Counter()
    failed = 0
    for seed in range(first, first + count):
        try:
            met += session(seed)
        except AssertionError as error:
            failed += 1
            print(f"seed {seed} failed: {error}")
            print(f"  again: python -m tests.simulation {seed} 1", flush=True)
    print(f"{count - failed} of {count} sessions held; faults survived:")
    for kind, number in met.most_common():
        print(f"  {number:7,} {kind}")
    return failed


if __name__ == "__main__":
    arguments = [int(text) for text in sys.argv[1:]]
    sys.exit(min(main(*(arguments or (0, 20))), 1))
