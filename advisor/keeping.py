"""Keeping the index beside a ledger up to it while a process lives: serving, or a watched session.

Only an index that has been built is kept (`advisor index build`); a thread looks every few seconds
whether the ledger has moved, and puts in what has become true since: a trade within seconds of its
close. It never writes the ledger and never makes anything wait; what it fails to do it says in the
log, tries again, and leaves to the nightly build in the end.
"""

import logging
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from advisor.indexing import open_index
from rag.index import Index
from rag.keeping import Keeper
from rag.parameters import RagParameters
from tools.errors import AdvisorError, NoData
from tools.store import Store

_log = logging.getLogger("advisor.index")


class Keeping:
    """A thread that keeps an index. Use it as a context manager; leaving it looks a last time."""

    def __init__(self, ledger: Path, parameters: RagParameters) -> None:
        """For a ledger's file; nothing is opened or started yet."""
        self._ledger, self._parameters = ledger, parameters
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="index-keeping", daemon=True)
        self._index: Index | None = None
        self._said = ""

    def __enter__(self) -> "Keeping":
        """Start, unless `rag.keep_seconds` is 0."""
        if self._parameters.keep_seconds:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, after a last look."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        keeper: Keeper | None = None
        over = False
        try:
            with Store.open(self._ledger, read_only=True) as store:
                while not over:
                    over = self._over.wait(self._parameters.keep_seconds)
                    keeper = keeper or self._keeper(store)
                    if keeper is not None:
                        self._catch_up(keeper)
        except AdvisorError as error:
            _log.warning("the index is not kept: %s", error)
        finally:
            if self._index is not None:
                self._index.close()

    def _keeper(self, store: Store) -> Keeper | None:
        """The keeper of the index, once there is one."""
        try:
            self._index = open_index(self._parameters, self._ledger.parent)
        except NoData:
            return None
        except AdvisorError as error:
            self._say(f"the index is not kept: {error}")
            return None
        return Keeper(self._index, store)

    def _catch_up(self, keeper: Keeper) -> None:
        try:
            done = keeper.catch_up(as_of=datetime.now(UTC))
        except AdvisorError as error:
            self._say(f"the index is behind: {error}")
            return
        self._said = ""
        if done.added or done.changed:
            _log.info("indexed %d new and %d changed documents", done.added, done.changed)

    def _say(self, text: str) -> None:
        """Once, until it is another thing or has passed."""
        if text != self._said:
            _log.warning("%s", text)
        self._said = text
