"""The month that the chat is asked about."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from graph.ports import Wiring
from tests.graph.january import January, replayed
from tests.graph.worlds import budget
from tools.store.store import Store


@pytest.fixture(scope="session")
def january(market_data: Path, tmp_path_factory: pytest.TempPathFactory) -> January:
    return replayed(market_data, tmp_path_factory.mktemp("january"))


@pytest.fixture(scope="session")
def january_store(january: January) -> Iterator[Store]:
    with Store.open(january.folder / "ledger.sqlite", read_only=True) as store:
        yield store


@pytest.fixture
def wired(january: January, january_store: Store) -> Wiring:
    """The chat without a model, at the end of the month."""
    return Wiring(model=None, budget=budget(), ledger=january.box(january_store))
