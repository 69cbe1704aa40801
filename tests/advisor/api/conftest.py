"""A real month behind the API, replayed once for all tests of a process."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from advisor.bootstrap import ReplayOptions
from advisor.market import MarketRequest, prepare_market
from advisor.replay import LEDGER, replay
from advisor.results import ReplayResult
from advisor.settings import Settings
from tests.advisor.api.worlds import api, client
from tools.store import Store

SYMBOLS = ("SPY", "NVDA", "AMD")


@pytest.fixture(scope="session")
def january(
    market_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, ReplayResult]:
    """The ledger of real bars of January 2025, three lanes, and what the replay itself returned."""
    folder = tmp_path_factory.mktemp("january")
    request = MarketRequest(
        bars=(market_data / "bars" / "1min" / "us-2025-01",),
        daily=market_data / "bars" / "1day" / "us-2024-2026",
        first=date(2025, 1, 2),
        last=date(2025, 1, 17),
        symbols=SYMBOLS,
    )
    settings = Settings()
    options = ReplayOptions(analyst="rules", validation="rules")
    result = replay(request, options, settings, prepare_market(request, settings), folder)
    return folder / LEDGER, result


@pytest.fixture
def site(january: tuple[Path, ReplayResult], tmp_path: Path) -> Iterator[TestClient]:
    """A client of the API over that month, on this machine, without keys."""
    with Store.open(january[0], read_only=True) as store:
        yield client(api(store, tmp_path))
