"""A process that writes a ledger for as long as it lives: run after run, told on stdout."""

import sys

from tests.tools.store.examples import keep_history
from tools.store import Store


def main(place: str) -> None:
    """Write runs `0`, `1`, … into a ledger until somebody ends this process."""
    with Store.open(place) as store:
        number = 0
        while True:
            keep_history(store, str(number))
            print(number, flush=True)
            number += 1


if __name__ == "__main__":
    main(sys.argv[1])
