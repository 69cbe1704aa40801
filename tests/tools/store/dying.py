"""Writers that die: run as a program by `test_crash`.

    dying.py PATH                commits numbered cycles for ever, saying each once it is kept
    dying.py PATH cycle NUMBER   one writer after the other dies in that cycle, each a call to the
                                 database later than the one before, until one gets through
    dying.py PATH opening        the same for the making of new ledgers, beside PATH

The last two check what each death left, fail where it is wrong, and say how many died.
"""

import os
import signal
import sys
from pathlib import Path

from sqlalchemy import Engine, event

from tests.tools.store import examples as ex
from tools.store import Store

RECORDS = [ex.DECISION, ex.ORDER, ex.FILL, ex.TRADE]


def commit(store: Store, number: int) -> None:
    """The numbered cycle: a minute, the records, every tenth time the day, and the number."""
    rows = ex.minutes(ex.OPEN + number * ex.MINUTE, 1)
    records = [*RECORDS, ex.DAY] if number % 10 == 0 else RECORDS
    store.commit_cycle("run", "advised", rows, records, str(number).encode())


def resumed(store: Store) -> int:
    """The number of the next cycle."""
    if store.run("run") is None:
        ex.start(store)
    return int(store.checkpoint("run", "advised") or b"0") + 1


def kept(path: Path) -> int:
    """How many cycles a ledger holds, after checking that they are whole and chained."""
    with Store.open(path) as store:
        number = int(store.checkpoint("run", "advised") or b"0")
        report = store.verify_chain("run")
        assert report.broken is None, report.broken
        assert report.records == len(RECORDS) * number + number // 10
        assert report.cycle_rows == len(ex.WATCHLIST) * number
        assert len(store.trades("run", "advised", as_of=ex.ALWAYS)) == number
        rows = store.cycles("run", "advised", as_of=ex.ALWAYS)
        if number:
            assert ex.same_rows(rows, ex.minutes(ex.OPEN + ex.MINUTE, number))
        return number


class Fuse:
    """Kills the process at the n-th call to the database, before the call has any effect."""

    def __init__(self, calls: int) -> None:
        """Burn down over statements and commits from now on."""
        self.left = calls
        event.listen(Engine, "before_cursor_execute", self.burn)
        event.listen(Engine, "commit", self.burn)

    def burn(self, *_: object) -> None:
        """One call nearer."""
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def for_ever(path: Path) -> None:
    """Commit until killed from outside."""
    with Store.open(path) as store:
        number = resumed(store)
        while True:
            commit(store, number)
            print(number, flush=True)
            number += 1


def in_cycle(path: Path, last: int) -> int:
    """Die at every point of a cycle; the one after the last death keeps it."""

    def write(point: int) -> None:
        with Store.open(path) as store:
            for number in range(resumed(store), last + 1):
                if number == last:
                    Fuse(point)
                commit(store, number)

    point = 1
    while dies(write, point):
        assert kept(path) == last - 1
        point += 1
    assert kept(path) == last
    return point - 1


def while_opening(path: Path) -> int:
    """Die at every point of the making of a ledger; another process makes it after all."""

    def create(point: int) -> None:
        Fuse(point)
        Store.open(beside(point)).close()

    def beside(point: int) -> Path:
        return path.with_name(f"{point}.sqlite")

    point = 1
    while dies(create, point):
        with Store.open(beside(point)) as store:
            ex.keep_history(store)
            assert store.verify_chain("run").intact
        point += 1
    return point - 1


def dies(work: object, point: int) -> bool:
    """Run some work in a process of its own; whether it was killed rather than done."""
    child = os.fork()
    if child == 0:
        work(point)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


if __name__ == "__main__":
    match sys.argv[1:]:
        case [path]:
            for_ever(Path(path))
        case [path, "cycle", number]:
            print(in_cycle(Path(path), int(number)))
        case [path, "opening"]:
            print(while_opening(Path(path)))
