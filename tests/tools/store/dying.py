"""A writer that dies: run as a program by `test_crash`.

dying.py PATH              commits numbered cycles for ever, saying each number once it is kept
dying.py PATH POINT FIRST  the same, but kills itself at the POINT-th call to the database in
                           cycle FIRST (0: while opening), before that call has any effect
"""

import os
import signal
import sys

from sqlalchemy import Engine, event

from tests.tools.store import examples as ex
from tools.store import Store

RECORDS = [ex.DECISION, ex.ORDER, ex.FILL, ex.TRADE]


def keep(store: Store, number: int) -> None:
    """The numbered cycle: a minute, the records, every tenth time the day, and the number."""
    rows = ex.minutes(ex.OPEN + number * ex.MINUTE, 1)
    records = [*RECORDS, ex.DAY] if number % 10 == 0 else RECORDS
    store.commit_cycle("run", "advised", rows, records, str(number).encode())


def resumed(store: Store) -> int:
    """The number of the next cycle."""
    if store.run("run") is None:
        ex.start(store)
    return int(store.checkpoint("run", "advised") or b"0") + 1


class Fuse:
    """Kills the process at a call to the database."""

    def __init__(self, point: int) -> None:
        """Burn down over `point` statements and commits, once armed."""
        self.left, self.armed = point, False

    def burn(self, *_: object) -> None:
        """One call nearer."""
        if self.armed:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def main(path: str, point: int = 0, first: int = -1) -> None:
    """Commit until killed."""
    fuse = Fuse(point)
    event.listen(Engine, "before_cursor_execute", fuse.burn)
    event.listen(Engine, "commit", fuse.burn)
    fuse.armed = first == 0
    with Store.open(path) as store:
        number = resumed(store)
        while True:
            fuse.armed = number == first
            keep(store, number)
            if number == first:
                sys.exit(3)
            print(number, flush=True)
            number += 1


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
