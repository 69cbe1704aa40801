"""`make simulate N=…`: sessions under faults, seed by seed; a failing one says how to repeat it."""

import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.simulation.test_simulation import session


def played(seed: int) -> tuple[int, Counter[str], str]:
    """A seed, the faults that it survived, and what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return seed, session(seed, Path(folder)).met, ""
        except AssertionError as error:
            return seed, Counter(), str(error)


def main(first: int, count: int) -> int:
    """Seeds [first, first + count); the number of those that failed."""
    met: Counter[str] = Counter()
    failed = 0
    with ProcessPoolExecutor() as pool:
        for _, survived, wrong in pool.map(played, range(first, first + count), chunksize=4):
            met += survived
            if wrong:
                failed += 1
                print(wrong, flush=True)
    print(f"{count - failed} of {count} sessions held; faults survived:")
    for kind, number in met.most_common():
        print(f"  {number:7,} {kind}")
    return failed


if __name__ == "__main__":
    arguments = [int(text) for text in sys.argv[1:]]
    sys.exit(min(main(*(arguments or (0, 20))), 1))
