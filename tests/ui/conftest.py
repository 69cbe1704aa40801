"""An API that really listens, over a small ledger with every kind of record and some trouble."""

import gc
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep

import pytest
import uvicorn

from tests.advisor.api.worlds import api
from tests.ui.worlds import empty, troubled
from tools.store import Store
from ui.visit import client_of


@contextmanager
def listening(ledger: Path, folder: Path) -> Iterator[str]:
    """The address of an API over a ledger, for as long as the block lasts."""
    with Store.open(ledger, read_only=True) as store:
        config = uvicorn.Config(
            api(store, folder), port=0, log_level="error", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            sleep(0.01)
        try:
            port = server.servers[0].sockets[0].getsockname()[1]
            address = f"http://127.0.0.1:{port}"
            yield address
        finally:
            client_of(address).close()
            client_of.cache_clear()
            server.should_exit = True
            thread.join(10)
            with warnings.catch_warnings():
                # A page's session ends with its test, not with a goodbye: its socket goes here.
                warnings.simplefilter("ignore", ResourceWarning)
                gc.collect()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an API over a ledger that was halted and degraded."""
    folder = tmp_path_factory.mktemp("troubled")
    with listening(troubled(folder), folder) as address:
        yield address


@pytest.fixture(scope="module")
def empty_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an API over a ledger without a run."""
    folder = tmp_path_factory.mktemp("empty")
    with listening(empty(folder), folder) as address:
        yield address
